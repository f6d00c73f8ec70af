"""The test bed: networks of two worlds by many recipes, and what every line says of each beside the truth.

Run `python experiments/testbed/population.py --out DIR --networks 16`. Recipes are those of `making.py`. Every network is
trained, scored on all novel combinations outside 1-coverage, and read by every instrument, its CPU time beside it; what an
instrument does not say of a network is a gap with its reason. A network has one small file in `rows/` beside this script, or in
`--rows`, which can be committed; a run that was stopped goes on, and more networks, instruments or seeds can be added later.
Weights are kept in `--out`. Then `python experiments/testbed/matrix.py` prints what the rows say together.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import baselines
import numpy as np
import torch
from making import EVERYTHING, TWINS, WORLDS, Recipe, loaded, network_of, recipes, rows_of
from pydantic import BaseModel, Field
from torch import Generator

from assay.errors import AssayError
from assay.evidence import Effort, Evidence
from assay.instrument import run
from assay.instrument.run import missing_abilities
from assay.instruments import all_instruments
from assay.jobs import Engine, run_unordered
from assay.novelty import novelty_of
from assay.objective import Classification
from assay.stats import cluster_means, keyed_generator
from assay.store import read_json, write_json
from assay.subject import Subject
from assay.task import Split, Task

ROWS = Path(__file__).parent / "rows"
BASELINES = ("weight norm", "sharpness", "prequential bits")


class Row(BaseModel):
    """What is known of one network.

    **Attributes:** `truth`: mean score on the novel combinations outside 1-coverage, of which there are `outside`; `seen`: on
    trained ones; `values`: by `instrument key` the headline measures, the mean over parts, with `levels`, the access each
    needs; `found`: those that are findings; `gaps`: by instrument or by such a key why there is none; `seconds`: CPU time by
    instrument, of the training and of each baseline.
    """

    recipe: dict[str, float | str]
    effort: str
    truth: float
    seen: float
    outside: int
    values: dict[str, float] = Field(default_factory=dict)
    levels: dict[str, int] = Field(default_factory=dict)
    found: list[str] = Field(default_factory=list)
    gaps: dict[str, str] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)

    @property
    def world(self) -> str:
        return str(self.recipe["world"])

    @property
    def kind(self) -> str:
        return str(self.recipe["kind"])

    @property
    def is_twin(self) -> bool:
        """Whether there is nothing to find in it."""
        return self.kind in TWINS


def row_of(recipe: Recipe, *, out: Path, rows: Path, effort: Effort, read: tuple[str, ...]) -> Row:
    """Train, score and read one network by these instruments and baselines; of one that is known, what is missing."""
    torch.set_num_threads(1)
    rows.mkdir(parents=True, exist_ok=True)
    file, task = rows / f"{recipe.name}.json", loaded(recipe.task)
    row = read_json(file, Row) if file.is_file() else None
    if row is not None and row.seconds.keys() >= set(read):
        return row
    subject, seconds = network_of(recipe, out / "weights")
    if row is None:
        seen, _ = score(subject, task, "seen")
        truth, outside = score(subject, task, "novel")
        row = Row(recipe=vars(recipe), effort=effort, truth=truth, seen=seen, outside=outside)
        row.values["coverage"] = recipe.coverage
        row.seconds["training"] = seconds or 0.0
        write_json(file, row)
    for name, measured in _baselines(recipe, subject, task).items():
        if name in read and name not in row.seconds:
            start = time.process_time()
            row.values[name] = measured()
            row.seconds[name] = time.process_time() - start
            write_json(file, row)
    for instrument in all_instruments():
        if instrument.name not in read or instrument.name in row.seconds:
            continue
        start = time.process_time()
        if missing := missing_abilities(instrument, task):
            row.gaps[instrument.name] = f"the world does not have {', '.join(need.__name__ for need in missing)}"
            row.seconds[instrument.name] = 0.0
            continue
        try:
            add(row, run(instrument, subject, task, effort=effort, seed=0, jobs=1))
        except AssayError as error:
            row.gaps[instrument.name] = str(error)
        row.seconds[instrument.name] = time.process_time() - start
        write_json(file, row)
    write_json(file, row)
    return row


def _baselines(recipe: Recipe, subject: Subject, task: Task) -> dict[str, Callable[[], float]]:
    assert isinstance(task.objective, Classification)
    own, _ = rows_of(task, keyed_generator(recipe.seed, "test bed: baselines"))
    found = {
        "weight norm": lambda: baselines.norm(subject),
        "sharpness": lambda: baselines.sharpness(subject, own.take(torch.arange(512))),
    }
    if recipe.kind not in TWINS:
        found["prequential bits"] = lambda: baselines.prequential(recipe, task, own, task.objective.num_classes)
    return found


def score(subject: Subject, task: Task, split: Split) -> tuple[float, int]:
    """The mean score over combinations, of novel ones over those outside 1-coverage, and how many they are."""
    examples = task.examples(split, EVERYTHING, generator=Generator().manual_seed(0))
    if split == "novel":
        examples = examples.take(novelty_of(task).masks(examples.combination)["outside"])
    means = cluster_means(task.score(subject(examples.inputs), examples), examples.combination).means
    return float(means.mean()), len(means)


def add(row: Row, found: Evidence) -> None:
    """Headline measures by their keys, which of them are findings, and what there is not."""
    if found.not_enough:
        row.gaps[found.instrument] = found.not_enough
    several: dict[str, list[float]] = {}
    for measure in found.measures:
        name = f"{found.instrument} {measure.key}"
        if measure.headline and measure.value is not None:
            several.setdefault(name, []).append(measure.value)
            row.levels[name] = measure.level
        elif measure.headline:
            row.gaps[name] = measure.note or "not enough data"
    row.values |= {name: float(np.mean(values)) for name, values in several.items()}
    row.found += sorted({f"{found.instrument} {measure.key}" for measure in found.findings()})
    if not several and found.instrument not in row.gaps:
        row.gaps[found.instrument] = "no headline measure has a value"


def main() -> None:
    names = [*BASELINES, *(instrument.name for instrument in all_instruments())]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where weights are kept")
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--world", nargs="+", default=list(WORLDS), choices=WORLDS)
    parser.add_argument("--networks", type=int, default=8, help="the first of the recipes of these worlds")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--read", nargs="+", default=names, choices=names, help="instruments and baselines")
    given = parser.parse_args()
    order = [recipe for recipe in recipes() if recipe.world in given.world][: given.networks]
    work = partial(row_of, out=given.out, rows=given.rows, effort=given.effort, read=tuple(given.read))
    for index, row in run_unordered(work, order, engine=Engine(jobs=given.jobs)):
        lines = sum(row.seconds.get(name, 0.0) for name in given.read)
        told = f"seen {row.seen:.3f}, novel {row.truth:.3f} ({row.outside}), CPU s {row.seconds['training']:.0f} + {lines:.0f}"
        print(f"{order[index].name}: {told}", flush=True)


if __name__ == "__main__":
    main()
