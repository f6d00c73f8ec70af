"""Readers of what Assay wrote: reports, calibrations, sweeps, the zoo, populations, encodings."""

import dataclasses
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from mutations import changed, cut, json_files, written
from of_networks import MODEL, MODULE, TASK
from reader import Reader, written_as
from torch import Generator

from assay.encoding.encoded import HEAD, STATES, Encoded, EncodedHeader, check_same, read_head
from assay.evidence import Evidence, Interval, Measure, Null
from assay.figure import Curve, DetailTable, Edge, GridImage, ImageGrid, Line, Parse, Plot, Point, RelationGraphs, Scatter
from assay.models import rebuild
from assay.sweep.directory import PACKAGES
from assay.tasks import load_task
from assay.training import TrainingConfig
from assay.versions import versions_of

_MEASURE = Measure(
    key="novel_score",
    name="novel score",
    value=0.5,
    unit="accuracy",
    direction="higher",
    interval=Interval(low=0.4, high=0.6, level=0.95, method="Student"),
    nulls=(Null(name="chance", how="by hand", values=(0.1, 0.2), p=0.01),),
    units=30,
    unit_of="combination",
    headline=True,
    level=0,
)
_FIGURES = (
    DetailTable(name="t", columns=("a", "b"), rows=(("x", 1),), level=0),
    ImageGrid(name="i", rows=((GridImage(name="p", pixels=((0, 1), (2, 3))),),), caption="", level=0),
    Curve(
        name="c",
        across="x",
        plots=(Plot(title="p", lines=(Line(name="l", x=(0.5, 1.0), y=(0.5, None)),)),),
        caption="",
        level=0,
    ),
    Scatter(name="s", points=(Point(name="p", x=0.5, y=0.5),), caption="", level=0),
    RelationGraphs(
        name="g",
        texts=(Parse(name="1", words=("a", "b"), declared=(Edge(head=0, dependent=1),), predicted=()),),
        caption="",
        level=0,
    ),
)
_EVIDENCE = Evidence(
    instrument="systematicity", question="?", summary="It is.", measures=(_MEASURE,), figures=_FIGURES, settings={"n": 3}
)


@functools.cache
def _report() -> dict[str, Any]:
    """The audit of a network that nothing is measured on but its behaviour."""
    from assay.audit import audit
    from assay.instruments import load_instrument
    from assay.report.schema import report_bytes
    from assay.subject import Subject

    found = audit(Subject(MODULE), load_task(TASK), effort="quick", instruments=[load_instrument("systematicity")])
    return json.loads(report_bytes(found))


def _sealed(value: Any) -> bytes:
    """A report with the checksum of its own content, as whoever made it would write it."""
    content = written(value)
    try:
        plain = json.loads(content)
        sealed = json.dumps(plain["audit"], sort_keys=True, separators=(",", ":")).encode()
        return json.dumps({**plain, "sha256": hashlib.sha256(sealed).hexdigest()}).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return content


def _reports() -> st.SearchStrategy[bytes]:
    return st.one_of(changed(_report()).map(_sealed), changed(_report()).map(_sealed), json_files(_report()))


def _read_report(path: Path) -> None:
    from assay.report import read_report

    read_report(path)


def _read_compared(path: Path) -> None:
    from assay.report import read_report, write_comparison

    found = read_report(path)
    write_comparison(path.parent / "page", [found, found])


_PLAN = {"task": TASK, "over": {"p": ["3", "5"], "width": ["4", "8"]}, "seeds": 2, "settings": {"steps": "2"}, "refine": 1}
_SWEEP = {
    "schema_version": 2,
    "plan": _PLAN,
    "versions": versions_of(*PACKAGES),
    "rounds": [[{"point": ["3", "4"], "seed": 2}]],
}
_CELL = {
    **{"name": "p=3,width=4,seed=0", "point": {"p": "3", "width": "4"}, "seed": 0, "round": 0, "task": TASK, "model": "mlp"},
    **{"num_weights": 10, "steps": 2, "num_seen": 7, "num_novel": 2, "unit": "accuracy", "chance": 0.3, "verdict": "?"},
    **{
        "values": {"novel_score": 0.5, "novel_score_low": None},
        "works": "?",
        "basis": "?",
        "breaks": "?",
        "train_seconds": 0.1,
        "audit_seconds": 0.1,
    },
    "weights_sha256": "0",
}


def _read_sweep(path: Path) -> None:
    from assay.sweep import SweepPlan
    from assay.sweep.directory import SweepDirectory

    directory = SweepDirectory(path.parent)
    record = directory.record()
    grid = record.plan.grid
    for cell in (*grid.cells()[:3], *(cell for cells in record.rounds for cell in cells)):
        grid.cell_name(cell)
    for axis in grid.axes:
        axis.between(axis.values[0], axis.values[-1]) if axis.numbers is not None else None
    SweepDirectory.begin(path.parent, SweepPlan(**_PLAN))


def _read_cell(path: Path) -> None:
    from assay.sweep.directory import SweepDirectory
    from assay.sweep.rows import table_of

    table_of([SweepDirectory(path.parents[2]).row("one")])


def _cell(folder: Path, content: bytes) -> None:
    path = folder / "runs" / "one" / "cell.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    _read_cell(path)


_POPULATION = {
    "schema_version": 1,
    "settings": {"strategy": "rule", "configs": [dataclasses.asdict(TrainingConfig(steps=0))] * 2},
    "chunks": [{"way": "loop", "models": [0, 1], "threads": 1}],
}


def _read_population(path: Path) -> None:
    from assay.training import fit_many

    models = [rebuild(MODEL, generator=Generator().manual_seed(seed)) for seed in range(2)]
    fit_many(models, load_task(TASK), configs=TrainingConfig(steps=0), strategy="rule", checkpoint=path.parent)


_HEAD = EncodedHeader(
    encoder="e", texts="t", layers=("one", "two"), width=2, starts=(0, 2, 3), kept=(0, 2), refused=(), done=1, batches=1
)


def _read_encoded(path: Path) -> None:
    folder = path.parent
    there = read_head(folder)
    assert there is not None
    check_same(folder, there, _HEAD)
    Encoded.open(folder, there).rows_of([0])


_STATES_FILE = np.ones((2, 3, 2), dtype=np.float16).tobytes()


def readers() -> tuple[Reader, ...]:
    head, states = json.loads(_HEAD.model_dump_json()), {"states__f16": _STATES_FILE}
    beside = {"head__json": _HEAD.model_dump_json().encode()}
    return (
        Reader("report.json", _reports(), written_as("report.json", _read_report)),
        Reader("comparison", _reports(), written_as("report.json", _read_compared), slow=True),
        Reader("sweep.json", json_files(_SWEEP), written_as("sweep.json", _read_sweep)),
        Reader("cell.json", json_files(_CELL), _cell),
        Reader("population plan", json_files(_POPULATION), written_as("plan.json", _read_population)),
        Reader("encoding head", json_files(head), written_as(HEAD, _read_encoded, **states)),
        Reader("encoding states", cut(_STATES_FILE), written_as(STATES, _read_encoded, **beside)),
    )
