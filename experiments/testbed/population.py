"""The test bed: networks of one language by many recipes, and what every line says of each beside the truth.

Run `python experiments/testbed/population.py --out DIR --networks 16 --jobs 2`. Recipes cross coverage with weight decay,
initial scale, width and sparsity. Every network is trained (`assay.train`), scored on all novel combinations outside
1-coverage, and read by every instrument at quick effort, its CPU time beside it. A network has one file of results, so that a
run that was stopped goes on, and more networks can be added; what an instrument does not say of a network is a gap with its
reason. With `--table` nothing is trained and what is there is printed.

Printed are a row for each network; for each metric its rank correlation with the truth, its AUROC for networks that compose (a
novel score of .9 or more) against those that do not (below .5), and its partial correlation given training accuracy and
coverage, with intervals over networks; and for each line its CPU time and its gaps.
"""

import argparse
import itertools
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from over_networks import auroc, estimate, partial_spearman, spearman
from pydantic import BaseModel, Field
from torch import Generator

import assay
from assay.errors import AssayError
from assay.evidence import Effort, Evidence
from assay.instrument import run
from assay.instruments import all_instruments
from assay.jobs import Engine, run_unordered
from assay.novelty import novelty_of
from assay.stats import cluster_means
from assay.store import RECORD, RunDirectory, read_json, write_json
from assay.subject import Subject
from assay.task import Split, Task

COMPOSES, FAILS = 0.9, 0.5
EVERYTHING = 10**6


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network is made. `scale`: of the initial weights; `sparse`: share of weights that stay."""

    coverage: float
    decay: float = 0.6
    scale: float = 1.0
    width: int = 64
    sparse: float = 1.0
    seed: int = 0

    @property
    def name(self) -> str:
        return "-".join(f"{key}{value:g}" for key, value in asdict(self).items())

    @property
    def task(self) -> str:
        return f"language:coverage={self.coverage:g}"


def recipes() -> list[Recipe]:
    """All, in an order whose first ones are spread over coverage and decay."""
    coverages, decays = (0.8, 0.2, 0.5, 0.65, 0.35), (0.6, 0.0)
    main = [Recipe(coverage=c, decay=d, seed=s) for s in range(4) for c, d in itertools.product(coverages, decays)]
    other = [
        Recipe(coverage=c, **changed)
        for changed in ({"scale": 0.3}, {"scale": 2.0}, {"width": 32}, {"width": 128}, {"sparse": 0.25})
        for c in (0.8, 0.35)
    ]
    return [*main[:10], *other, *main[10:]]


class Row(BaseModel):
    """What is known of one network. `values`: by `instrument key` the headline measures, the mean over parts; `gaps`: by
    instrument or by such a key why there is none; `seconds`: CPU time by instrument, and of the training."""

    recipe: dict[str, float]
    truth: float
    seen: float
    outside: int
    values: dict[str, float] = Field(default_factory=dict)
    gaps: dict[str, str] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)


def row_of(recipe: Recipe, *, out: Path, effort: Effort, steps: int | None, instruments: tuple[str, ...]) -> Row:
    """Train, score and read one network; of one that is known, what is missing."""
    torch.set_num_threads(1)
    (out / "rows").mkdir(parents=True, exist_ok=True)
    file, place = out / "rows" / f"{recipe.name}.json", out / "runs" / recipe.name
    task = assay.load_task(recipe.task)
    if file.is_file():
        subject, row = assay.load_subject(str(place)), read_json(file, Row)
    else:
        config = {"weight_decay": recipe.decay, "seed": recipe.seed, "sparse": recipe.sparse}
        config |= {} if steps is None else {"steps": steps}
        options = {"width": recipe.width, "init_scale": recipe.scale}
        if not (place / RECORD).is_file() or RunDirectory(place).read_record().finished is None:
            assay.train(recipe.task, "transformer", out=place, options=options, config=config, progress=None)
        subject = assay.load_subject(str(place))
        seen, _ = score(subject, task, "seen")
        truth, outside = score(subject, task, "novel")
        row = Row(recipe=asdict(recipe), truth=truth, seen=seen, outside=outside)
        row.values |= {"coverage": recipe.coverage, "weight norm": norm(subject)}
        row.seconds["training"] = RunDirectory(place).read_record().cpu_seconds
        write_json(file, row)
    for instrument in all_instruments():
        if instrument.name not in instruments or instrument.name in row.seconds:
            continue
        start = time.process_time()
        try:
            add(row, run(instrument, subject, task, effort=effort, seed=0, jobs=1))
        except AssayError as error:
            row.gaps[instrument.name] = str(error)
        row.seconds[instrument.name] = time.process_time() - start
        write_json(file, row)
    return row


def score(subject: Subject, task: Task, split: Split) -> tuple[float, int]:
    """The mean score over combinations, of novel ones over those outside 1-coverage, and how many they are."""
    examples = task.examples(split, EVERYTHING, generator=Generator().manual_seed(0))
    if split == "novel":
        examples = examples.take(novelty_of(task).masks(examples.combination)["outside"])
    means = cluster_means(task.score(subject(examples.inputs), examples), examples.combination).means
    return float(means.mean()), len(means)


def norm(subject: Subject) -> float:
    """Of all weights, as one vector."""
    return float(torch.cat([weight.flatten() for _, weight in sorted(subject.weights().items())]).norm())


def add(row: Row, found: Evidence) -> None:
    """Headline measures by their keys, and what there is not."""
    if found.not_enough:
        row.gaps[found.instrument] = found.not_enough
    several: dict[str, list[float]] = {}
    for measure in found.measures:
        name = f"{found.instrument} {measure.key}"
        if measure.headline and measure.value is not None:
            several.setdefault(name, []).append(measure.value)
        elif measure.headline:
            row.gaps[name] = measure.note or "not enough data"
    row.values |= {name: float(np.mean(values)) for name, values in several.items()}
    if not several and found.instrument not in row.gaps:
        row.gaps[found.instrument] = "no headline measure has a value"


def table(rows: list[Row]) -> str:
    """One line for each network, then one for each metric, as Markdown."""
    rows = sorted(rows, key=lambda row: row.truth)
    lines = [
        "| coverage | decay | scale | width | sparse | seed | seen | novel, outside (n) | training, CPU s | lines, CPU s |"
    ]
    lines.append("|" + " --- |" * 10)
    for row in rows:
        told = [f"{row.recipe[name]:g}" for name in ("coverage", "decay", "scale", "width", "sparse", "seed")]
        lines_seconds = sum(row.seconds.values()) - row.seconds["training"]
        told += [
            f"{row.seen:.3f}",
            f"{row.truth:.3f} ({row.outside})",
            f"{row.seconds['training']:.0f}",
            f"{lines_seconds:.0f}",
        ]
        lines.append("| " + " | ".join(told) + " |")
    truth, given = [row.truth for row in rows], [[row.seen for row in rows], [row.recipe["coverage"] for row in rows]]
    lines += ["", "| metric | networks | Spearman with the truth | p | AUROC, >= .9 against < .5 | partial Spearman | gaps |"]
    lines.append("|" + " --- |" * 7)
    for name in sorted({name for row in rows for name in row.values}):
        column = [row.values.get(name) for row in rows]
        whole = estimate(spearman, column, truth)
        partial = estimate(partial_spearman, column, truth, *given)
        clear = [row for row in rows if row.truth >= COMPOSES or row.truth < FAILS]
        apart = estimate(auroc, [row.values.get(name) for row in clear], [row.truth >= COMPOSES for row in clear], nothing=0.5)
        gaps = len(rows) - whole.networks
        p = "-" if whole.p is None else f"{whole.p:.4f}"
        lines.append(f"| {name} | {whole.networks} | {whole} | {p} | {apart} | {partial} | {gaps} |")
    lines += ["", "| line | networks read | CPU s, median | gaps, with the first reason |", "| --- | --- | --- | --- |"]
    for name in sorted({name for row in rows for name in row.seconds}):
        seconds = [row.seconds[name] for row in rows if name in row.seconds]
        reasons = [[why for key, why in row.gaps.items() if key.partition(" ")[0] == name] for row in rows]
        why = [some[0] for some in reasons if some]
        lines.append(f"| {name} | {len(seconds)} | {np.median(seconds):.1f} | {len(why)}{': ' + why[0] if why else ''} |")
    return "\n".join(lines)


def main() -> None:
    names = [instrument.name for instrument in all_instruments()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", type=int, default=8, help="the first of the recipes")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--steps", type=int, help="of training; those recommended by default")
    parser.add_argument("--instruments", nargs="+", default=names, choices=names)
    parser.add_argument("--table", action="store_true", help="of what is there")
    given = parser.parse_args()
    if given.table:
        rows = [read_json(file, Row) for file in sorted((given.out / "rows").glob("*.json"))]
    else:
        work = partial(row_of, out=given.out, effort=given.effort, steps=given.steps, instruments=tuple(given.instruments))
        rows = [row for _, row in run_unordered(work, recipes()[: given.networks], engine=Engine(jobs=given.jobs))]
    print(table(rows))


if __name__ == "__main__":
    main()
