"""Line 1's own comparison: necessity of each part in transformers pretrained on the language, less that of ones from scratch.

Run `python experiments/testbed/pretraining.py --out DIR --seeds 0 1 2 3 4`, and without `--out` to print the tables of the rows
that are there. Lepori, Serre and Pavlick 2023 (arXiv 2301.10884) compare BERT from its public checkpoint with BERT from
scratch. Here a seed draws the language, one set of initial weights and the problems, and two networks are made of them:

- `pretrained`: trained on the language without its odd-one-out problems, then on the problems;
- `scratch`: trained on the problems alone, the same rows in the same order, for as many steps.

Pretraining holds no pair of an adjective and a noun that a problem of the pools `mask` and `test` has: such prices and lines
of text are left out. Which words are of one kind is drawn apart from all else in the language, so that pretraining can tell
the network what the words are and how lines go, and not which word is odd.

`subnetworks` reads both at quick effort. A network that does not solve .9 of its problems has no number, and its pair is left
out and counted; a part that no mask isolates has necessity 0, as in `over_networks`. The unit is the seed: the
interval of the mean over seeds is Student's t, and p the share of all ways to flip the signs of the differences whose mean is
as far from 0, two-sided, which is .0625 at the least for five seeds. A network has one small file in `rows-pretraining`; a run
that was stopped goes on. Weights, those between the two trainings as well, are kept in `--out`.
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from making import Recipe, fit_on, initial, loaded
from pydantic import BaseModel, Field
from torch import Generator, nn

from assay.evidence import Measure
from assay.instrument import Random, Reading, run
from assay.instruments.subnetworks import Subnetworks
from assay.instruments.subnetworks.instrument import values_along
from assay.instruments.subnetworks.path import SparsityPath, fit_path
from assay.instruments.subnetworks.problems import MaskedModel, Problems
from assay.models import build
from assay.stats import keyed_generator, network_interval
from assay.store import read_json, read_tensors, write_json, write_tensors
from assay.subject import Subject
from assay.task import Examples
from assay.tasks.language import LENGTH, SHARES, Language
from assay.tasks.language_text import prefixes
from assay.tasks.language_words import ADJECTIVES, ID, MOST, NOUNS, SO, STOP, WHICH
from assay.tasks.pools import is_in

ROWS = Path(__file__).parent / "rows-pretraining"
KINDS = ("pretrained", "scratch")
STEPS = {"language": 1_000, "problems": 1_000}
NUM_ROWS = 40_000
"""Of each training, drawn once."""
JUDGED = 2_000


class Necessity(BaseModel):
    """Of one part: the measure, its interval, and by null its mean and p; no value where no mask isolates the part."""

    value: float | None
    low: float | None
    high: float | None
    nulls: dict[str, float] = Field(default_factory=dict)
    ps: dict[str, float] = Field(default_factory=dict)
    note: str = ""


class Row(BaseModel):
    """**Attributes:** `scores`: share of right answers, after pretraining to each kind of line and after the second training to
    problems of the pools `base` and `test`; `refused`: why there is no number; `seconds`: CPU time."""

    seed: int
    kind: str
    scores: dict[str, float]
    necessity: dict[str, Necessity] = Field(default_factory=dict)
    refused: str = ""
    seconds: dict[str, float] = Field(default_factory=dict)


# Making


def recipe_of(seed: int, kind: str) -> Recipe:
    return Recipe(world="language", kind=kind, coverage=0.8, decay=0.0, steps=STEPS["problems"], width=32, seed=seed)


def language_of(task: Language, n: int, generator: Generator) -> dict[str, Examples]:
    """About `n` rows of prices, lists and text as the language has them, without problems and without pairs of the pools
    `mask` and `test`."""
    allowed = is_in(torch.arange(MOST * MOST), "base").view(MOST, MOST)
    prices = task.examples("train", 4 * n, generator=generator)
    prices = prices.take(allowed[prices.parts["adjective"], prices.parts["noun"]].nonzero()[:, 0])
    lists = task.training(4 * n, generator=generator)
    lists = lists.take((lists.inputs["tokens"][:, -2] == ID[SO]).nonzero()[:, 0])
    lines = [line.replace(STOP, f" {STOP}").split() for line in task.corpus().train[0].splitlines()]
    tokens, targets = prefixes([line for line in lines if is_allowed(line, allowed)], LENGTH)
    text = Examples({"tokens": tokens}, targets, {}, torch.arange(len(targets)))
    found = {"prices": prices, "lists": lists, "text": text}
    whole = sum(SHARES[name] for name in found)
    return {
        name: rows.take(torch.randperm(len(rows), generator=generator)[: round(n * SHARES[name] / whole)])
        for name, rows in found.items()
    }


def is_allowed(line: Sequence[str], allowed: torch.Tensor) -> bool:
    """Whether a line is no problem, and no adjective in it stands before a noun with which it is not `allowed`."""
    pairs = [(a, b) for a, b in itertools.pairwise(line) if a in ADJECTIVES and b in NOUNS]
    return WHICH not in line and all(allowed[ADJECTIVES.index(a), NOUNS.index(b)] for a, b in pairs)


def pretrained(seed: int, folder: Path) -> nn.Module:
    """The network of this seed once it has read the language."""
    recipe = recipe_of(seed, "language")
    task, file = loaded(recipe.task), folder / f"{recipe.name}.safetensors"
    assert isinstance(task, Language)
    model = initial(recipe, task)
    if file.is_file():
        model.load_state_dict(read_tensors(file)[0])
    else:
        rows = language_of(task, NUM_ROWS, keyed_generator(seed, "pretraining: language"))
        fit_on(model, recipe, task, list(rows.values()), STEPS["language"])
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(file, model.state_dict())
    return model.eval()


def trained(seed: int, kind: str, folder: Path) -> nn.Module:
    """A network that was trained on the problems."""
    recipe = recipe_of(seed, kind)
    task, file = loaded(recipe.task), folder / f"{recipe.name}.safetensors"
    assert isinstance(task, Language)
    if file.is_file():
        (model := initial(recipe, task)).load_state_dict(read_tensors(file)[0])
        return model.eval()
    model = pretrained(seed, folder) if kind == "pretrained" else initial(recipe, task)
    problems = task.problems(NUM_ROWS, pool="base", generator=keyed_generator(seed, "pretraining: problems"))
    fit_on(model, recipe, task, [problems], recipe.steps)
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(file, model.state_dict())
    return model.eval()


# Reading


class SharedCopies(Subnetworks):
    """`Subnetworks` that searches an untrained copy once for both networks of a seed: copies and problems are the same."""

    def __init__(self):
        super().__init__()
        self.known: dict[tuple[int, str, str], SparsityPath] = {}

    def read_copy(self, network: Subject, data: Problems, own: Reading, rng: Random) -> Reading:
        model, paths = MaskedModel(network.module, data, network.batch_size), {}
        for part in (one.part for one in own.kept.parts if one.chosen):
            if (key := (rng.seed, rng.name, part)) not in self.known:
                self.known[key] = fit_path(model, part, generator=rng("path", part))
            paths[part] = self.known[key]
        return Reading([values for part, path in paths.items() for values in values_along(part, (path,))], paths)


INSTRUMENT = SharedCopies()


@torch.no_grad()
def right(model: nn.Module, examples: Examples) -> float:
    return float((model(**examples.inputs).argmax(1) == examples.targets).float().mean())


def scores_of(model: nn.Module, task: Language, seed: int) -> dict[str, float]:
    """Share of right answers to problems of both pools."""
    rng = keyed_generator(seed, "pretraining: judged")
    found = {f"both, {pool}": right(model, task.problems(JUDGED, pool=pool, generator=rng)) for pool in ("base", "test")}
    return found | {part: right(model, task.testing(part, JUDGED, pool="test", generator=rng)) for part in task.combines}


def row_of(seed: int, kind: str, *, out: Path, rows: Path) -> Row:
    """Make and read one network; a row that is there is read."""
    file = rows / f"{kind}-seed{seed}.json"
    if file.is_file():
        return read_json(file, Row)
    torch.set_num_threads(1)
    recipe, start = recipe_of(seed, kind), time.process_time()
    task = loaded(recipe.task)
    assert isinstance(task, Language)
    row = Row(seed=seed, kind=kind, scores={})
    if kind == "pretrained":
        before, rng = pretrained(seed, out), keyed_generator(seed, "pretraining: judged lines")
        row.scores |= {name: right(before, lines) for name, lines in language_of(task, JUDGED, rng).items()}
    model = trained(seed, kind, out)
    row.scores |= scores_of(model, task, seed)
    row.seconds["training"] = time.process_time() - start
    fresh = lambda generator: build("transformer", task, generator=generator, width=recipe.width)  # noqa: E731
    found = run(INSTRUMENT, Subject(model, name=recipe.name, fresh=fresh), task, effort="quick", seed=seed, jobs=1)
    row.seconds["reading"] = time.process_time() - start - row.seconds["training"]
    row.refused = found.not_enough
    row.necessity = {one.about["part"]: necessity_of(one) for one in found.measures if one.key == "necessity"}
    rows.mkdir(parents=True, exist_ok=True)
    write_json(file, row)
    return row


def necessity_of(measure: Measure) -> Necessity:
    low, high = (measure.interval.low, measure.interval.high) if measure.interval else (None, None)
    ps = {null.name: null.p for null in measure.nulls if null.p is not None}
    means = {null.name: null.mean for null in measure.nulls}
    return Necessity(value=measure.value, low=low, high=high, nulls=means, ps=ps, note=measure.note)


# Over seeds


def flipped_p(differences: Sequence[float]) -> float:
    """The share of all ways to flip the signs under which the mean is as far from 0 (Fisher 1935)."""
    signs = np.array(list(itertools.product((-1, 1), repeat=len(differences))))
    means = np.abs(signs @ np.asarray(differences, float))
    return float((means >= abs(sum(differences)) - 1e-12).mean())


def over_seeds(values: Sequence[float]) -> str:
    """The mean with its interval and p."""
    interval = network_interval(values, bounds=(-2.0, 2.0))
    ends = f" [{interval.low:+.2f}, {interval.high:+.2f}]" if interval else ""
    return f"{np.mean(values):+.2f}{ends}, p {flipped_p(values):.3f}, n {len(values)}" if len(values) else "- (0)"


def paired(rows: Sequence[Row], part: str) -> dict[str, list[float]]:
    """Necessity of both kinds by seed, over the seeds of which both networks have a number."""
    found = {(row.seed, row.kind): row.necessity[part].value or 0.0 for row in rows if part in row.necessity}
    seeds = sorted({seed for seed, _ in found if all((seed, kind) in found for kind in KINDS)})
    return {kind: [found[seed, kind] for seed in seeds] for kind in KINDS}


def page(rows: Sequence[Row]) -> str:
    """Both tables, as Markdown."""
    names = list(dict.fromkeys(name for row in rows for one in row.necessity.values() for name in one.nulls))
    heads = ["seed", "network", "both parts", "adjective alone", "noun alone", "part", "necessity", *names, "CPU s"]
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for row in sorted(rows, key=lambda row: (row.seed, row.kind)):
        solved = [f"{row.scores[name]:.3f}" for name in ("both, test", "adjective", "noun")]
        spent = f"{row.seconds.get('training', 0):.0f} + {row.seconds.get('reading', 0):.0f}"
        if row.refused:
            lines.append(f"| {row.seed} | {row.kind} | {' | '.join(solved)} | - | {row.refused} |{' |' * len(names)} {spent} |")
        for part, one in row.necessity.items():
            value = "no mask isolates it"
            if one.value is not None:
                value = f"{one.value:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"
            nulls = [f"{one.nulls[name]:+.2f}, p {one.ps[name]:.3f}" if name in one.ps else "-" for name in names]
            lines.append(f"| {row.seed} | {row.kind} | {' | '.join([*solved, part, value, *nulls])} | {spent} |")
    lines += ["", "| part | pretrained | scratch | pretrained less scratch | seeds left out |", "|" + " --- |" * 5]
    parts = list(dict.fromkeys(part for row in rows for part in row.necessity))
    every = {part: paired(rows, part) for part in parts}
    every["mean of both"] = {kind: list(np.mean([every[part][kind] for part in parts], 0)) for kind in KINDS} if parts else {}
    for part, both in every.items():
        if not both:
            continue
        differences = [a - b for a, b in zip(*(both[kind] for kind in KINDS), strict=True)]
        cells = [over_seeds(both[kind]) for kind in KINDS] + [over_seeds(differences)]
        lines.append(f"| {part} | {' | '.join(cells)} | {len({row.seed for row in rows}) - len(differences)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where weights are kept; nothing is made without it")
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    given = parser.parse_args()
    for seed, kind in itertools.product(given.seeds, KINDS) if given.out else ():
        row = row_of(seed, kind, out=given.out, rows=given.rows)
        print(f"{kind}, seed {seed}: {row.scores}, {row.refused or row.necessity}, CPU s {row.seconds}", flush=True)
    print(page([read_json(file, Row) for file in sorted(given.rows.glob("*.json"))]))


if __name__ == "__main__":
    main()
