"""The matrix of the test bed: which lines agree with the truth over networks, with one another, and what each costs.

Run `python experiments/testbed/matrix.py`, with `--rows DIR` for other rows; nothing is trained. For each world, and for
both together in ranks within each world, there is a line for every headline measure and baseline: its rank correlation with the
novel score, its AUROC for networks that compose against natural imitators and against contradicted ones, and its partial rank
correlation given training accuracy and coverage, with intervals over networks at 95 %. Twins, in which there is nothing to
find, are in none of these; findings in them are false and are counted apart.

A network composes with a novel score of .9 or more. It imitates below .5, where it was right on .9 of what it was trained on
and no wrong answer was taught; where one was, it is contradicted. Measures that need answers to novel inputs are behaviour, and
agree with the truth since they are computed from it: they are marked.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from over_networks import Estimate, agreement, auroc, estimate, partial_spearman, spearman
from population import BASELINES, ROWS, Row
from scipy.stats import rankdata

from assay.store import read_json

COMPOSES, FAILS, LEARNED = 0.9, 0.5, 0.9
BOTH = "both"
BEHAVIOUR = 2
"""Access level that needs answers to novel inputs."""


def composes(row: Row) -> bool:
    return row.truth >= COMPOSES


def imitates(row: Row) -> bool:
    return row.truth < FAILS and row.seen >= LEARNED and not row.recipe["wrong"]


def contradicted(row: Row) -> bool:
    return row.truth < FAILS and row.seen >= LEARNED and bool(row.recipe["wrong"])


def within(rows: Sequence[Row], column: Sequence[float | None]) -> list[float | None]:
    """Ranks within each world, from 0 to 1, over the networks that have a value."""
    found: list[float | None] = [None] * len(rows)
    for world in {row.world for row in rows}:
        known = [k for k, row in enumerate(rows) if row.world == world and column[k] is not None]
        ranks = (rankdata([column[k] for k in known]) - 0.5) / max(1, len(known))
        for k, rank in zip(known, ranks, strict=True):
            found[k] = float(rank)
    return found


def apart(rows: Sequence[Row], column: Sequence[float | None], negative: Callable[[Row], bool], draws: int) -> Estimate:
    """AUROC of networks that compose against these."""
    kept = [k for k, row in enumerate(rows) if composes(row) or negative(row)]
    return estimate(auroc, [column[k] for k in kept], [composes(rows[k]) for k in kept], nothing=0.5, draws=draws)


def matrix(rows: Sequence[Row], *, draws: int) -> list[str]:
    """One line for each measure over these networks, as Markdown."""
    ranked = len({row.world for row in rows}) > 1
    truth, seen = [row.truth for row in rows], [row.seen for row in rows]
    coverage = [row.values["coverage"] for row in rows]
    if ranked:
        truth, seen, coverage = (within(rows, column) for column in (truth, seen, coverage))
    heads = "measure", "n", "Spearman", "p", "AUROC, imitators", "AUROC, contradicted", "partial Spearman", "gaps"
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    names = sorted({name for row in rows for name in row.values}, key=lambda name: (" " in name, name))
    for name in names:
        column = [row.values.get(name) for row in rows]
        level = max((row.levels.get(name, 0) for row in rows), default=0)
        if ranked:
            column = within(rows, column)
        whole = estimate(spearman, column, truth, draws=draws)
        cells = [
            f"{name}{' (behaviour)' if level == BEHAVIOUR else ''}",
            str(whole.networks),
            str(whole),
            "-" if whole.p is None else f"{whole.p:.3f}",
            *(str(apart(rows, column, negative, draws)) for negative in (imitates, contradicted)),
            str(estimate(partial_spearman, column, truth, seen, coverage, draws=draws)),
            str(len(rows) - whole.networks),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def costs(rows: Sequence[Row]) -> list[str]:
    """For each line its CPU time, its gaps with the reasons, and findings in twins, where all are false."""
    heads = "line", "networks read", "CPU s, median", "gaps, with the first reason", "twins with a finding"
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for name in sorted({name for row in rows for name in row.seconds}):
        read = [row for row in rows if name in row.seconds]
        reasons = [why for row in read for key, why in row.gaps.items() if key == name]
        twins = [row for row in read if row.is_twin and name not in row.gaps]
        false = sum(any(key.partition(" ")[0] == name for key in row.found) for row in twins)
        beside = "" if name == "training" or name in BASELINES else f"{false} of {len(twins)}"
        why = f"{len(reasons)}: {reasons[0]}" if reasons else "0"
        lines.append(f"| {name} | {len(read)} | {np.median([row.seconds[name] for row in read]):.1f} | {why} | {beside} |")
    return lines


def agreements(rows: Sequence[Row]) -> list[str]:
    """Rank correlations between measures in ranks within each world, those of at least .9 and of at most -.9 named."""
    names = sorted({name for row in rows for name in row.values})
    table = agreement([within(rows, [row.values.get(name) for row in rows]) for name in names])
    pairs = [(table[i, j], names[i], names[j]) for i in range(len(names)) for j in range(i) if np.isfinite(table[i, j])]
    strong = [f"- {value:+.2f}: {one}, {two}" for value, one, two in sorted(pairs) if abs(value) >= COMPOSES]
    return [f"{len(pairs)} pairs of measures with enough networks; of these at least .9 in size:", *strong]


def page(rows: Sequence[Row], *, draws: int) -> str:
    """Everything, as Markdown."""
    lines = ["| world | kind | n | seen | novel score, of each network |", "| --- | --- | --- | --- | --- |"]
    for world, kind in sorted({(row.world, row.kind) for row in rows}):
        own = sorted((row for row in rows if (row.world, row.kind) == (world, kind)), key=lambda row: row.truth)
        truths = ", ".join(f"{row.truth:.2f}" for row in own)
        lines.append(f"| {world} | {kind} | {len(own)} | {np.mean([row.seen for row in own]):.2f} | {truths} |")
    networks = [row for row in rows if not row.is_twin]
    for world in [*sorted({row.world for row in rows}), BOTH]:
        own = [row for row in networks if world in (row.world, BOTH)]
        kinds = ", ".join(f"{sum(map(kind, own))} {kind.__name__}" for kind in (composes, imitates, contradicted))
        lines += ["", f"## {world}: {len(own)} networks ({kinds})", "", *matrix(own, draws=draws)]
    for world in sorted({row.world for row in rows}):
        lines += ["", f"## Cost: {world}", "", *costs([row for row in rows if row.world == world])]
    return "\n".join([*lines, "", "## Agreement", "", *agreements(networks)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--draws", type=int, default=1_000, help="of each bootstrap and permutation test")
    given = parser.parse_args()
    print(page([read_json(file, Row) for file in sorted(given.rows.glob("*.json"))], draws=given.draws))


if __name__ == "__main__":
    main()
