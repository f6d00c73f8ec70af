"""What an intervention on the training does to the novel score and to every line, in pairs of networks.

A pair is two networks of one world, coverage and seed, so that they share rule, trained combinations and initial weights: one
made by the usual recipe (`decayed`), and one made by that recipe with one change; for wider coverage, the networks of two
neighbouring coverages. A change is that of the rank within a world, from 0 to 1, so that worlds stand in one table and measures
of different units can be compared. The test is that of sign flips over pairs, exact up to 12, at .05; it needs six pairs.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from making import WORLDS
from population import Row
from tables import table, within

from assay.power import PairedDifference, paired_difference

TRUTH = "novel score"
USUAL = "decayed"
LEVEL = 0.05
_LADDER = "coverage"


class Change(NamedTuple):
    """Pairs of row indices that one intervention makes: before and after."""

    name: str
    pairs: list[tuple[int, int]]


def changes(rows: Sequence[Row]) -> list[Change]:
    """Every intervention with its pairs, wider coverage last."""
    usual = {_place(row): k for k, row in enumerate(rows) if row.kind == USUAL}
    found: dict[str, list[tuple[int, int]]] = {}
    for k, row in enumerate(rows):
        if row.kind != USUAL and not row.is_twin and (before := usual.get(_place(row))) is not None:
            found.setdefault(_name(row), []).append((before, k))
    wider = [pair for ladder in _ladders(rows) for pair in pairwise(ladder)]
    return [Change(name, pairs) for name, pairs in [*sorted(found.items()), ("wider coverage, one step", wider)]]


def moved(rows: Sequence[Row]) -> list[str]:
    """For every measure the mean change of its rank under every intervention, with its 95 % interval over pairs; in bold where
    the sign-flip test finds one."""
    every = changes(rows)
    lines = []
    for name, ranks in _columns(rows).items():
        found = [_difference(ranks, change.pairs) for change in every]
        lines.append([name, *map(_told, found)])
    return table(["measure", *(f"{change.name} ({len(change.pairs)})" for change in every)], lines)


def first_seen(rows: Sequence[Row]) -> list[str]:
    """For every measure the change, over pairs of one world and seed, at the least coverage at which the sign-flip test finds a
    change from the least coverage of all."""
    ladders = _ladders(rows)
    steps = sorted({rows[k].values["coverage"] for ladder in ladders for k in ladder})
    lines = []
    for name, ranks in _columns(rows).items():
        told = "not within this range"
        for step in steps[1:]:
            pairs = [
                (ladder[0], k)
                for ladder in ladders
                for k in ladder[1:]
                if (rows[ladder[0]].values["coverage"], rows[k].values["coverage"]) == (steps[0], step)
            ]
            found = _difference(ranks, pairs)
            if found is not None and found.p <= LEVEL:
                told = f"{step:g}: {found.value:+.2f}, p {found.p:.3f}, {found.units} pairs"
                break
        lines.append([name, told])
    return table(["measure", f"first coverage at which it differs from {steps[0]:g}" if steps else "-"], lines)


def _columns(rows: Sequence[Row]) -> dict[str, list[float | None]]:
    """Ranks within each world of the truth and of every measure."""
    names = sorted({name for row in rows for name in row.values} - {_LADDER})
    columns = {TRUTH: [row.truth for row in rows]} | {name: [row.values.get(name) for row in rows] for name in names}
    return {name: within(rows, column) for name, column in columns.items()}


def _difference(ranks: list[float | None], pairs: list[tuple[int, int]]) -> PairedDifference | None:
    """Of the later from the earlier of each pair, over pairs in which both have a value; None where they are too few."""
    known = [(ranks[i], ranks[j]) for i, j in pairs if ranks[i] is not None and ranks[j] is not None]
    before, after = torch.tensor(known, dtype=torch.float64).reshape(-1, 2).T
    return paired_difference(after, before, bounds=(0.0, 1.0))


def _told(found: PairedDifference | None) -> str:
    """The change with its interval over pairs, in bold where the test finds it."""
    if found is None:
        return "-"
    interval = f" [{found.interval.low:+.2f}, {found.interval.high:+.2f}]" if found.interval else ""
    return f"**{found.value:+.2f}**{interval}" if found.p <= LEVEL else f"{found.value:+.2f}{interval}"


def _place(row: Row) -> tuple:
    return row.world, row.recipe["coverage"], row.recipe["seed"]


def _name(row: Row) -> str:
    wider = float(row.recipe["width"]) / WORLDS[row.world].width
    return {
        "contradicted": f"wrong answers on {row.recipe['wrong']:g} of the novel", "plain": "no weight decay",
        "scaled": f"initial weights times {row.recipe['scale']:g}", "sparse": "sparse training",
        "short": "a third of the steps", "merged": "merged by a swarm", "sized": f"width times {wider:g}",
    }[row.kind]  # fmt: skip


def _ladders(rows: Sequence[Row]) -> list[list[int]]:
    """For each world and seed the usual networks in order of their coverage."""
    found: dict[tuple, list[int]] = {}
    for k in np.argsort([row.values["coverage"] for row in rows], kind="stable").tolist():
        if rows[k].kind == USUAL:
            found.setdefault((rows[k].world, rows[k].recipe["seed"]), []).append(k)
    return list(found.values())
