"""Every reader of Assay with the damaged inputs that it is tried on: what it returns, or `AssayError`, and nothing else.

`tests/fuzz/test_readers.py` tries a few of them in every run of the tests, `experiments/fuzz.py` many.
"""

import dataclasses
import functools
import hashlib
import io
import json
import os
import pickle
import signal
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from hypothesis import strategies as st
from mutations import EXTREMES, changed, cut, json_files, lines_of, written
from torch import Generator, nn

from assay.data.conllu import read_conllu
from assay.encoding.encoded import HEAD, STATES, Encoded, Head, check_same, read_head
from assay.errors import AssayError
from assay.evidence import Evidence, Interval, Measure, Null
from assay.masks.files import load_mask, save_mask
from assay.masks.mask import Mask
from assay.models import ModelConfig, load_subject, rebuild
from assay.store import CHECKPOINT, RECORD, WEIGHTS, RunDirectory, RunRecord, read_json, write_tensors
from assay.sweep.directory import PACKAGES
from assay.tasks import load_task, task_families
from assay.training import TrainingConfig, prepare
from assay.training.checkpoint import Progressed, load_checkpoint, save_checkpoint
from assay.training.cohort import Separate
from assay.versions import versions_of

SECONDS = 60  # of CPU time, after which a reader hangs


class Hang(BaseException):
    """The time was over."""


class Reader(NamedTuple):
    """**Attributes:**

    - `inputs`: damaged inputs: the content of a file, or an address.
    - `read`: what is done with one, in an empty folder.
    - `slow`: so many milliseconds an input that an experiment tries fewer of them.
    """

    name: str
    inputs: st.SearchStrategy[Any]
    read: Callable[[Path, Any], object]
    slow: bool = False


def is_accepted(reader: Reader, given: Any) -> bool:
    """Whether the reader took it, or raised `AssayError`; everything else comes out."""
    with tempfile.TemporaryDirectory() as folder, _limited():
        try:
            reader.read(Path(folder), given)
        except AssayError as error:
            str(error)
            return False
    return True


@contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _file(name: str, read: Callable[[Path], object], **others: bytes) -> Callable[[Path, bytes], object]:
    """Write the input under a name, the others beside it, and read it."""

    def write_and_read(folder: Path, content: bytes) -> object:
        for other, known in others.items():
            (folder / other.replace("__", ".")).write_bytes(known)
        (folder / name).write_bytes(content)
        return read(folder / name)

    return write_and_read


# Runs and weights

_TASK = "modular:coverage=0.8,seed=0,p=3,num_first=3,num_second=3,maps=shift"
_MODEL = ModelConfig("mlp", {"vocab": 9, "length": 3, "num_outputs": 3, "width": 4, "depth": 1, "init_scale": 1.0})
_MODULE = rebuild(_MODEL, generator=Generator().manual_seed(0))


def tiny() -> nn.Module:
    """A factory for the weights that a `.pt` file brings."""
    return nn.Linear(3, 2)


def _saved(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        write(path)
        return path.read_bytes()


_WEIGHTS = _saved(lambda path: write_tensors(path, _MODULE.state_dict()))
_RECORD = RunRecord(
    task=_TASK,
    model=_MODEL.name,
    options=dict(_MODEL.options),
    training=dataclasses.asdict(TrainingConfig(steps=2)),
    versions={"assay": "0"},
    started="2026-01-01T00:00:00+00:00",
    finished="2026-01-01T00:00:01+00:00",
    losses=((0, 1.5), (1, 1.25)),
    scores={"seen": 0.5, "novel": 0.25},
)


def _read_run(path: Path) -> None:
    task = RunDirectory.open(path.parent).read_record().task
    if task != _TASK:
        load_task(task)
    subject = load_subject(str(path.parent))
    subject({"tokens": torch.zeros(1, 3, dtype=torch.int64)})


def _headed(content: bytes, header: Any) -> bytes:
    """Safetensors with another header."""
    length = struct.unpack("<Q", content[:8])[0]
    text = written(header)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def _safetensors(content: bytes) -> st.SearchStrategy[bytes]:
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    return st.one_of(cut(content), changed(header).map(functools.partial(_headed, content)))


def _pt(state: object) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


_STATES = (
    *({}, [], None, 3, "text", {"weight": 3}, {3: torch.zeros(2)}, [torch.zeros(2, 3)], {"weight": {"weight": torch.zeros(2)}}),
    {"weight": torch.zeros(2, 3)},
    {"weight": torch.zeros(2, 3), "bias": torch.zeros(2, dtype=torch.int64)},
    {"weight": torch.zeros(2, 3, dtype=torch.complex64), "bias": torch.zeros(2)},
    {"weight": torch.zeros(2, 3).to_sparse(), "bias": torch.zeros(2)},
    {"weight": torch.zeros(1, 1).expand(2, 3), "bias": torch.zeros(1).expand(10**9)},
    {"weight": torch.zeros(2, 3, dtype=torch.float16), "bias": torch.full((2,), torch.nan)},
    {"weight": torch.empty(2, 3, device="meta"), "bias": torch.zeros(2)},
)
_PT = _pt(tiny().state_dict())
_PICKLED = pickle.dumps({"weight": [0.0] * 6})


def _read_pt(path: Path) -> None:
    load_subject(f"readers:tiny@{path}")


@functools.cache
def _cohort() -> Separate:
    task, model, config, _ = prepare(_TASK, "mlp", options={"width": 4, "depth": 1}, config={"steps": 4, "batch_size": 4})
    return Separate([model], [task], [config])


@functools.cache
def _checkpoint() -> bytes:
    """After two updates."""
    for step in range(2):
        _cohort().backward(())
        _cohort().clip()
        _cohort().update(step, ())
    progressed = Progressed(step=2, curve=[(0, [1.5]), (1, [1.25])], diverged={}, wall_seconds=0.1, cpu_seconds=0.1)
    return _saved(lambda path: save_checkpoint(path, _cohort(), progressed))


def _checkpoints() -> st.SearchStrategy[bytes]:
    """Damaged as a file, or in the record of progress."""
    content = _checkpoint()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    progressed = json.loads(header["__metadata__"]["progressed"])

    def put(text: bytes) -> bytes:
        return _headed(content, {**header, "__metadata__": {"progressed": text.decode()}})

    return st.one_of(_safetensors(content), changed(progressed).map(written).map(put))


def _read_checkpoint(path: Path) -> None:
    load_checkpoint(path, _cohort())


_KEEP = {name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in _MODULE.named_parameters()}
_MASK = Mask("weight", _KEEP, {name: tuple(weight.shape) for name, weight in _MODULE.named_parameters()})
_MASK_FILE = _saved(lambda path: save_mask(path, _MASK, _MODULE))


def _mask_heads() -> st.SearchStrategy[bytes]:
    header = json.loads(_MASK_FILE[8 : 8 + struct.unpack("<Q", _MASK_FILE[:8])[0]])
    head = json.loads(header["__metadata__"]["mask"])
    return changed(head).map(lambda value: _headed(_MASK_FILE, {**header, "__metadata__": {"mask": written(value).decode()}}))


def _read_mask(path: Path) -> None:
    mask = load_mask(path, _MODULE)
    mask.density(dict(_MODULE.named_parameters()))


# Reports and other JSON

_MEASURE = Measure(
    name="novel score",
    value=0.5,
    unit="accuracy",
    direction="higher",
    interval=Interval(low=0.4, high=0.6, level=0.95, method="Student"),
    nulls=(Null(name="chance", how="by hand", values=(0.1, 0.2), p=0.01),),
    units=30,
    unit_of="combination",
    headline=True,
)
_EVIDENCE = Evidence(instrument="systematicity", question="?", summary="It is.", measures=(_MEASURE,), settings={"n": 3})


@functools.cache
def _report() -> dict[str, Any]:
    """The audit of a network that nothing is measured on but its behaviour."""
    from assay.audit import audit
    from assay.instruments import load_instrument
    from assay.report.schema import report_bytes
    from assay.subject import Subject

    found = audit(Subject(_MODULE), load_task(_TASK), effort="quick", instruments=[load_instrument("systematicity")])
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


def _read_calibration(path: Path) -> None:
    from assay.verdict.calibration import Calibration

    made = Calibration.read(path)
    made.combiner.predict(np.full((2, len(made.combiner.features)), 0.5))
    made.error_rates.told()


def _calibration() -> Any:
    from assay.verdict.calibration import FILE

    return json.loads(FILE.read_bytes())


_PLAN = {"task": _TASK, "over": {"p": ["3", "5"], "width": ["4", "8"]}, "seeds": 2, "settings": {"steps": "2"}, "refine": 1}
_SWEEP = {
    "schema_version": 1,
    "plan": _PLAN,
    "versions": versions_of(*PACKAGES),
    "rounds": [[{"point": ["3", "4"], "seed": 2}]],
}
_CELL = {
    **{"name": "p=3,width=4,seed=0", "point": {"p": "3", "width": "4"}, "seed": 0, "round": 0, "task": _TASK, "model": "mlp"},
    **{"num_weights": 10, "steps": 2, "num_seen": 7, "num_novel": 2, "unit": "accuracy", "chance": 0.3, "verdict": "?"},
    **{"values": {"novel_score": 0.5, "novel_score_low": None}, "recombines": "no", "train_seconds": 0.1, "audit_seconds": 0.1},
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


_MEMBER = {"schema_version": 1, "name": "m", "task": _TASK, "how": "G2-trained", "weights_sha256": "0", "cpu_seconds": 1.0}


def _read_member(path: Path) -> None:
    from assay.zoo.build import MemberRecord

    read_json(path, MemberRecord)


def _measured() -> Any:
    from pydantic import TypeAdapter

    evidence = TypeAdapter(list[Evidence]).dump_python([_EVIDENCE], mode="json")
    numbers = {"seen_score": 1.0, "novel_score": 0.5, "cpu_seconds": 1.0}
    columns = {"baselines": {"id_loss": 0.1}, "recipe": {"depth": 2.0}}
    return {"schema_version": 1, "name": "m", "weights_sha256": "0", "evidence": evidence, **numbers, **columns}


def _read_measured(path: Path) -> None:
    from assay.zoo.evidence import Measured

    read_json(path, Measured).read()


_POPULATION = {
    "schema_version": 1,
    "settings": {"strategy": "rule", "configs": [dataclasses.asdict(TrainingConfig(steps=0))] * 2},
    "chunks": [{"way": "loop", "models": [0, 1], "threads": 1}],
}


def _read_population(path: Path) -> None:
    from assay.training import fit_many

    models = [rebuild(_MODEL, generator=Generator().manual_seed(seed)) for seed in range(2)]
    fit_many(models, load_task(_TASK), configs=TrainingConfig(steps=0), strategy="rule", checkpoint=path.parent)


_HEAD = Head(
    encoder="e", texts="t", layers=("one", "two"), width=2, starts=(0, 2, 3), kept=(0, 2), refused=(), done=1, batches=1
)


def _read_encoded(folder: Path) -> None:
    there = read_head(folder)
    assert there is not None
    check_same(folder, there, _HEAD)
    Encoded.open(folder, there).rows_of([0])


_STATES_FILE = np.ones((2, 3, 2), dtype=np.float16).tobytes()


# Tables and treebanks

_TOML = b"""data = "rows.jsonl"
combines = ["a", "b"]

[[inputs]]
kind = "token"
columns = ["x", "y"]

[[inputs]]
kind = "number"
name = "amount"
column = "n"

[target]
column = "t"
kind = "class"

[[parts]]
name = "a"
values = ["u", "v"]

[[parts]]
name = "b"

[[parts]]
name = "c"
of = ["a", "b"]

[split]
column = "s"
"""
_ROWS = [
    {"x": x, "y": y, "n": [0.5, 1.0], "t": (x + y) % 2, "a": "uv"[x], "b": y, "c": str(x + y), "s": ("train", "novel")[x * y]}
    for x in range(2)
    for y in range(2)
]
_JSONL = "\n".join(map(json.dumps, _ROWS)).encode()
_TOML_TOKENS = (
    *(b"data", b"inputs", b"[[inputs]]", b"[[parts]]", b"[split]", b"[target]", b"kind", b"column", b"values", b"of", b"="),
    *(b'"text"', b'"number"', b'"token"', b'"class"', b'"a"', b'""', b'"\0"', b"[]", b'["a"]', b'[["u", 1], ["v", 0]]'),
    *(
        b"novel",
        b"nan",
        b"inf",
        b"1" * 5_000,
        b"1979-05-27",
        b"true",
        b".".join([b"a"] * 3_000),
        b"[" * 3_000,
        b"{a.b.c.d=1}",
        b"'''",
    ),
    *(b'"/dev/zero.jsonl"', b'"../rows.jsonl"', b'"' + b"x" * 300 + b'.jsonl"', b'"rows.parquet"'),
    *(b"tokenizer", b"graded", b"\xff"),
)
_CONLLU_TOKENS = (
    *(b"0", b"1", b"2", b"3", b"-1", b"1-2", b"2-1", b"1.1", b"0.1", b"_", b"", b" ", b"root", b"PUNCT", b"# text = a", b"#"),
    *(b"9" * 5_000, b"1-" + b"9" * 5_000, b"9" * 5_000 + b".1", "\u0663".encode(), "\u00b2".encode(), b"\xff", b"\t\t", b"\r"),
)
_CONLLU = b"".join(
    b"# sent_id = s%d\n# text = The cat sat .\n" % k
    + b"1\tThe\tthe\tDET\t_\t_\t2\tdet\t_\t_\n2\tcat\tcat\tNOUN\t_\t_\t3\tnsubj\t_\t_\n"
    + b"3\tsat\tsit\tVERB\t_\t_\t0\troot\t_\t_\n4\t.\t.\tPUNCT\t_\t_\t3\tpunct\t_\t_\n\n"
    for k in range(2)
)


def _read_table(path: Path) -> None:
    task = load_task(f"table:{path}")
    task.combinations("novel")
    task.examples("train", 3, generator=Generator().manual_seed(0))


def _read_rows(path: Path) -> None:
    _read_table(path.with_name("table.toml"))


def _rows_files() -> st.SearchStrategy[bytes]:
    def line(value: Any) -> bytes:
        return b"\n".join([written(value), _JSONL])

    several = changed(_ROWS).map(lambda rows: b"\n".join(map(written, rows)) if isinstance(rows, list) else written(rows))
    tokens = tuple(written(value) for value in EXTREMES)
    return st.one_of(several, several, changed(_ROWS[0]).map(line), lines_of(_JSONL, tokens, separator=b", "))


def _parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


_COLUMNS = (
    pa.array([1, 2, None, 4]),
    pa.array([1.5, float("nan"), float("inf"), -1e300]),
    pa.array(["u", "v", "\0", ""]),
    pa.array([b"\xff", b"", b"a", b"b"]),
    pa.array([[1.0], [], None, [1.0, 2.0]]),
    pa.array([{"a": 1}] * 4),
    pa.array([True, False, True, None]),
    pa.array([2**63 - 1, -(2**63), 0, 0]),
    pa.array([2**64 - 1, 0, 0, 0], pa.uint64()),
    pa.array([2**62] * 4, pa.timestamp("us")),
    pa.array([2**62] * 4, pa.duration("us")),
    pa.array([1] * 4, pa.decimal128(38)),
    pa.array([None] * 4, pa.null()),
    pa.array([[("a", 1)]] * 4, pa.map_(pa.string(), pa.int64())),
    pa.array(["a"] * 4).dictionary_encode(),
    pa.array([b"\xff"] * 4).view(pa.string()),
)


def _parquet_files(valid: pa.Table) -> st.SearchStrategy[bytes]:
    @st.composite
    def altered(draw: st.DrawFn) -> bytes:
        table = valid
        for _ in range(draw(st.integers(1, 2))):
            at = draw(st.integers(0, table.num_columns - 1)) if table.num_columns else 0
            column = draw(st.sampled_from(_COLUMNS)).take(pa.array(np.arange(table.num_rows) % 4))
            match draw(st.sampled_from(("replace", "replace", "drop", "name", "rows", "twice"))):
                case "replace" if table.num_columns:
                    table = table.set_column(at, table.column_names[at], column)
                case "drop" if table.num_columns > 1:
                    table = table.remove_column(at)
                case "name" if table.num_columns:
                    table = table.rename_columns([*table.column_names[:at], "", *table.column_names[at + 1 :]])
                case "rows":
                    table = table.slice(0, draw(st.integers(0, 2)))
                case _:
                    table = table.append_column(table.column_names[at], table.column(at))
        return _parquet(table)

    return st.one_of(altered(), cut(_parquet(valid)))


def _evidence_table() -> pa.Table:
    from assay.zoo.shipped import TABLE

    return pq.read_table(TABLE).slice(0, 12)


def _read_subjects(path: Path) -> None:
    from assay.calibration.table import read_subjects

    subjects = read_subjects(path)
    subjects.original()
    subjects.take(np.arange(len(subjects)))


def _mirrored(folder: Path, content: bytes) -> None:
    """One published file in a mirror of the user's."""
    from assay.data.registry import MIRROR_VARIABLE, fetch, get

    file = get("scan").files[0]
    path = folder / file.mirror
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    before = os.environ.get(MIRROR_VARIABLE)
    os.environ[MIRROR_VARIABLE] = str(folder)
    try:
        fetch("scan", file.path)
    finally:
        if before is None:
            del os.environ[MIRROR_VARIABLE]
        else:
            os.environ[MIRROR_VARIABLE] = before


def _gzipped() -> st.SearchStrategy[bytes]:
    import gzip

    packed = gzip.compress(b"IN: jump OUT: I_JUMP\n" * 50, mtime=0)
    bomb = gzip.compress(b"\0" * 2**22, mtime=0) * 8
    return st.one_of(cut(packed), cut(bomb), st.just(bomb))


# What is written on the command line

_NUMBERS = (
    *("0", "1", "2", "3", "4", "5", "-1", "0.5", "1.0", "1e9", "1e400", "nan", "inf", "-inf", "", " 3", "1_000", "\u0663"),
    *("1000000", "1000000000", str(2**31), str(2**63 - 1), str(2**63), str(10**30), "1" + "0" * 400, "9" * 5_000),
    *("true", "none", "x", "\0"),
    *("3.5M", "0.5M^2", "9" * 400 + "M", "7-12-8", "1-1", "9" * 30 + "-1-1", "random", "pairs", "depth", "permutation", "khot"),
)
# Those of files are read above; scan has a list of names.
_FAMILIES = [family for family in task_families() if family.name not in ("scan", "table", "treebank")]


@st.composite
def _addresses(draw: st.DrawFn) -> str:
    family = draw(st.sampled_from(_FAMILIES))
    if draw(st.integers(0, 9)) == 0:
        return draw(cut(family.form.encode())).decode("utf-8", errors="surrogateescape")
    options = draw(st.lists(st.sampled_from(family.options), min_size=1, max_size=2, unique_by=lambda option: option.name))
    choices = st.sampled_from([*_NUMBERS, *(word.strip(",") for option in options for word in option.type.split())])
    written = [f"{option.name}={draw(choices)}" for option in options]
    if family.name == "odd-one-out":
        return f"odd-one-out:i={draw(choices)}+1,j=0/{draw(st.sampled_from(['modular:p=3', 'odd-one-out:' * 900, 'x', '']))}"
    return f"{family.name}:{','.join(written)}"


def _read_address(_: Path, address: str) -> None:
    task = load_task(address)
    task.combinations("novel")
    task.examples("train", 2, generator=Generator().manual_seed(0))
    load_task(task.address)


@st.composite
def _networks(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, Any]]:
    numbers = st.sampled_from([value for value in EXTREMES if isinstance(value, int | float) and not isinstance(value, bool)])
    numbers = st.one_of(numbers, st.floats(), st.integers(), st.sampled_from((10**5, 10**6, 10**8, 10**400)))
    model = draw(st.sampled_from(("mlp", "transformer", "gru", "cnn", "x")))
    sizes = draw(st.dictionaries(st.sampled_from(("width", "depth", "heads", "init_scale", "x")), numbers, max_size=3))
    whole = [field.name for field in dataclasses.fields(TrainingConfig) if field.type is int]
    real = [field.name for field in dataclasses.fields(TrainingConfig) if field.type is float]
    counts = numbers.filter(lambda value: isinstance(value, int))  # the command line gives no others
    training = draw(st.dictionaries(st.sampled_from([*whole, "x"]), counts, max_size=1))
    training |= draw(st.dictionaries(st.sampled_from(real), st.floats() | st.sampled_from((1e-3, 0.1)), max_size=1))
    return model, sizes, training


def _prepare(_: Path, given: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
    model, sizes, training = given
    prepare(_TASK, model, options=sizes, config=training)


@st.composite
def _sweeps(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]], int, int, float]:
    names = st.sampled_from(("p", "width", "depth", "steps", "learning_rate", "model", "coverage", "seed", "x", ""))
    values = st.sampled_from(
        [*_NUMBERS, "3", "4", "5", "0.5", "0.6", "3+width=4", "mlp", "gru", "3+", "+", ",", "1,2", "=" * 3]
    )
    axes = draw(
        st.lists(st.sampled_from(("p=3,5", "width=4,8", "learning_rate=0.1,0.001", "model=mlp,gru", "p=3+width=4")), max_size=2)
    )
    axes += [
        f"{draw(names)}={','.join(draw(st.lists(values, max_size=4)))}" for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2))))
    ]
    settings = draw(st.lists(st.tuples(names, values), max_size=1))
    counts = st.sampled_from((1, 1, 1, 2, 2, 3, 3, 0, -1, 10**6, 10**9, 2**63, 10**30))
    return axes, settings, draw(counts), draw(counts), draw(st.one_of(st.just(0.8), st.just(0.8), st.floats()))


def _plan(_: Path, given: tuple[list[str], list[tuple[str, str]], int, int, float]) -> None:
    from assay.sweep import Axis, SweepPlan

    axes, settings, seeds, refine, success = given
    over = {axis.name: axis.values for axis in map(Axis.parse, axes)}
    plan = SweepPlan(task=_TASK, over=over, settings=dict(settings), seeds=seeds, refine=refine, success=success)
    plan.check()
    for axis in plan.grid.axes:
        if axis.numbers is not None:
            axis.between(axis.values[0], axis.values[-1])


# Hugging Face folders

_CONFIG = {
    **{"architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_size": 4, "num_hidden_layers": 1},
    **{"num_attention_heads": 1, "intermediate_size": 4, "vocab_size": 9, "max_position_embeddings": 8, "type_vocab_size": 1},
    **{"layer_norm_eps": 1e-12, "hidden_act": "gelu", "pad_token_id": 0, "id2label": {"0": "a", "1": "b"}},
}


@functools.cache
def _hugging_face_weights() -> bytes:
    from transformers import BertConfig, BertForSequenceClassification

    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        BertForSequenceClassification(BertConfig.from_dict(dict(_CONFIG))).save_pretrained(folder)
        return Path(folder, "model.safetensors").read_bytes()


def _read_hugging_face(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(_hugging_face_weights())
    (folder / "config.json").write_bytes(content)
    load_subject(str(folder))


def _read_hugging_face_weights(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_text(json.dumps(_CONFIG))
    (folder / "model.safetensors").write_bytes(content)
    load_subject(str(folder))


def readers() -> tuple[Reader, ...]:
    """All of them."""
    record, weights = _RECORD.model_dump_json().encode(), {"weights__safetensors": _WEIGHTS}
    toml = lines_of(_TOML, _TOML_TOKENS, separator=b" ")
    parquet_toml = {"table__toml": _TOML.replace(b"rows.jsonl", b"rows.parquet")}
    valid_rows = pa.Table.from_pylist(_ROWS)
    return (
        Reader("run.json", json_files(json.loads(record)), _file(RECORD, _read_run, **weights)),
        Reader("weights.safetensors", _safetensors(_WEIGHTS), _file(WEIGHTS, _read_run, run__json=record)),
        Reader("weights.pt", st.one_of(cut(_PT), cut(_PICKLED), st.sampled_from(_STATES).map(_pt)), _file("w.pt", _read_pt)),
        Reader("checkpoint", _checkpoints(), _file(CHECKPOINT, _read_checkpoint)),
        Reader("mask", st.one_of(_safetensors(_MASK_FILE), _mask_heads()), _file("mask", _read_mask)),
        Reader("report.json", _reports(), _file("report.json", _read_report)),
        Reader("comparison", _reports(), _file("report.json", _read_compared), slow=True),
        Reader("calibration.json", json_files(_calibration()), _file("calibration.json", _read_calibration)),
        Reader("evidence.parquet", _parquet_files(_evidence_table()), _file("evidence.parquet", _read_subjects)),
        Reader("sweep.json", json_files(_SWEEP), _file("sweep.json", _read_sweep)),
        Reader("cell.json", json_files(_CELL), _cell),
        Reader("zoo member", json_files(_MEMBER), _file("m.json", _read_member)),
        Reader("zoo evidence", json_files(_measured()), _file("m.json", _read_measured)),
        Reader("population plan", json_files(_POPULATION), _file("plan.json", _read_population)),
        Reader(
            "encoding head",
            json_files(json.loads(_HEAD.model_dump_json())),
            _file(HEAD, lambda path: _read_encoded(path.parent), states__f16=_STATES_FILE),
        ),
        Reader(
            "encoding states",
            cut(_STATES_FILE),
            _file(STATES, lambda path: _read_encoded(path.parent), head__json=_HEAD.model_dump_json().encode()),
        ),
        Reader("table.toml", toml, _file("table.toml", _read_table, rows__jsonl=_JSONL)),
        Reader("rows.jsonl", _rows_files(), _file("rows.jsonl", _read_rows, table__toml=_TOML)),
        Reader("rows.parquet", _parquet_files(valid_rows), _file("rows.parquet", _read_rows, **parquet_toml)),
        Reader("CoNLL-U", lines_of(_CONLLU, _CONLLU_TOKENS, separator=b"\t"), _file("bank.conllu", read_conllu)),
        Reader("CoNLL-U, gzipped", _gzipped(), _file("bank.conllu.gz", read_conllu)),
        Reader("mirror of data", _gzipped(), _mirrored),
        Reader("task address", _addresses(), _read_address),
        Reader("network and training", _networks(), _prepare),
        Reader("sweep axes", _sweeps(), _plan),
        Reader("Hugging Face config", json_files(_CONFIG), _read_hugging_face, slow=True),
        Reader("Hugging Face weights", _safetensors(_hugging_face_weights()), _read_hugging_face_weights, slow=True),
    )
