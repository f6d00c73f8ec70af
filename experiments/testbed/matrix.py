"""The matrix of the test bed: which lines agree with the truth over networks, with one another, and what each costs.

Run `python experiments/testbed/matrix.py`, with `--rows DIR` for other rows; nothing is trained. For each world, and for
both together in ranks within each world, there is a line for every headline measure and baseline: its rank correlation with the
novel score, its AUROC for networks that compose against natural imitators and against contradicted ones, and its partial rank
correlation given training accuracy and coverage, with intervals over networks at 95 %. Twins, in which there is nothing to
find, are in none of these; findings in them are false and are counted apart. Then follow what interventions move, what another
seed says, the order of the measures, and which agree. `--picture FILE` draws the agreement as SVG, and `--csv FILE` writes the
rows as the table that ships (`assay.data.nine_lines`).

A network composes with a novel score of .9 or more. It imitates below .5, where it was right on .9 of what it was trained on
and no wrong answer was taught; where one was, it is contradicted. Measures of the answers to novel combinations are behaviour,
and agree with the truth since they are computed from it: they are marked.
"""

import argparse
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from drawing import heat_map
from interventions import first_seen, moved
from over_networks import Estimate, agreement, auroc, estimate, partial_spearman, spearman
from population import BASELINES, ROWS, Row
from stability import measures, order, second_run
from tables import table, within

from assay.stats import share_interval
from assay.store import read_json

COMPOSES, FAILS, LEARNED = 0.9, 0.5, 0.9
BOTH = "both"
BEHAVIOUR = ("systematicity novel", "subgraphs novel")
"""How names of measures begin that are computed from the answers to novel combinations."""
INTACT = ("binding", "langue", "polar", "subnetworks")
"""Lines for which a network of answers dealt at random is no twin: its lists, sentences, text and problems are those of all."""


def composes(row: Row) -> bool:
    return row.truth >= COMPOSES


def imitates(row: Row) -> bool:
    return row.truth < FAILS and row.seen >= LEARNED and not row.recipe["wrong"]


def contradicted(row: Row) -> bool:
    return row.truth < FAILS and row.seen >= LEARNED and bool(row.recipe["wrong"])


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
    lines = []
    for name in measures(rows):
        column = [row.values.get(name) for row in rows]
        if ranked:
            column = within(rows, column)
        whole = estimate(spearman, column, truth, draws=draws)
        lines.append([
            marked(name), whole.networks, whole, "-" if whole.p is None else f"{whole.p:.3f}",
            *(apart(rows, column, negative, draws) for negative in (imitates, contradicted)),
            estimate(partial_spearman, column, truth, seen, coverage, draws=draws), len(rows) - whole.networks,
        ])  # fmt: skip
    heads = "measure", "n", "Spearman", "p", "AUROC, imitators", "AUROC, contradicted", "partial Spearman", "gaps"
    return table(heads, lines)


def marked(name: str) -> str:
    """The name of a measure, marked where it is computed from the answers to novel combinations."""
    return f"{name} (behaviour)" if name.startswith(BEHAVIOUR) else name


def costs(rows: Sequence[Row]) -> list[str]:
    """For each line its CPU time, its gaps with the reasons, and findings in twins, where all are false, with the upper end of
    the Clopper-Pearson interval of their share."""
    lines = []
    for name in sorted({name for row in rows for name in row.seconds}):
        read = [row for row in rows if name in row.seconds]
        reasons = [why for row in read for key, why in row.gaps.items() if key == name]
        twins = [
            row for row in read if row.is_twin and name not in row.gaps and (row.kind == "untrained" or name not in INTACT)
        ]
        false = sum(any(key.partition(" ")[0] == name for key in row.found) for row in twins)
        beside = "" if name == "training" or name in BASELINES else f"{false} of {len(twins)}"
        if beside and twins:
            beside += f", at most {share_interval(false, len(twins)).high:.2f}"
        why = f"{len(reasons)}: {reasons[0]}" if reasons else "0"
        lines.append([name, len(read), f"{np.median([row.seconds[name] for row in read]):.1f}", why, beside])
    return table(["line", "networks read", "CPU s, median", "gaps, with the first reason", "twins with a finding"], lines)


def agreements(rows: Sequence[Row], *, picture: Path | None = None) -> list[str]:
    """Rank correlations between measures in ranks within each world, those of at least .9 and of at most -.5 named."""
    names = measures(rows)
    found = agreement([within(rows, [row.values.get(name) for row in rows]) for name in names])
    if picture is not None:
        picture.write_text(heat_map([marked(name) for name in names], found), encoding="utf-8")
    pairs = [(found[i, j], names[i], names[j]) for i in range(len(names)) for j in range(i) if np.isfinite(found[i, j])]
    strong = [f"- {value:+.2f}: {one}, {two}" for value, one, two in sorted(pairs) if value >= COMPOSES or value <= -FAILS]
    return [f"{len(pairs)} pairs of measures with enough networks; of these at least .9, or at most -.5:", *strong]


def page(rows: Sequence[Row], *, draws: int, picture: Path | None = None) -> str:
    """Everything, as Markdown."""
    lines = []
    for world, kind in sorted({(row.world, row.kind) for row in rows}):
        own = sorted((row for row in rows if (row.world, row.kind) == (world, kind)), key=lambda row: row.truth)
        truths = ", ".join(f"{row.truth:.2f}" for row in own)
        lines.append([world, kind, len(own), f"{np.mean([row.seen for row in own]):.2f}", truths])
    told = table(["world", "kind", "n", "seen", "novel score, of each network"], lines)
    networks, worlds = [row for row in rows if not row.is_twin], sorted({row.world for row in rows})
    for world in [*worlds, *([BOTH] if len(worlds) > 1 else [])]:
        own = [row for row in networks if world in (row.world, BOTH)]
        kinds = ", ".join(f"{sum(map(kind, own))} {kind.__name__}" for kind in (composes, imitates, contradicted))
        told += ["", f"## {world}: {len(own)} networks ({kinds})", "", *matrix(own, draws=draws)]
        told += ["", f"### Order of the measures: {world}", "", *order(own, draws=draws)]
    for world in worlds:
        told += ["", f"## Cost: {world}", "", *costs([row for row in rows if row.world == world])]
    told += ["", "## Interventions", "", *moved(networks), "", *first_seen(networks)]
    told += ["", "## A second run", "", *second_run(networks, draws=draws)]
    return "\n".join([*told, "", "## Agreement", "", *agreements(networks, picture=picture)])


def write_csv(rows: Sequence[Row], file: Path) -> None:
    """The rows as the table that ships, ordered by world, seed and name."""
    recipe = [name for name in rows[0].recipe if name not in ("world", "kind")]
    values, seconds = measures(rows), sorted({name for row in rows for name in row.seconds})
    heads = ["world", "kind", *recipe, "seen", "novel", "outside", *(name for name in values if name != "coverage")]
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(
            out, [*heads, *(f"seconds {name}" for name in seconds), "gaps"], restval="", lineterminator="\n"
        )
        writer.writeheader()
        for row in sorted(
            rows, key=lambda row: (row.world, row.recipe["seed"], row.kind, row.recipe["coverage"], str(row.recipe))
        ):
            cells = {**row.recipe, **row.values, "seen": row.seen, "novel": row.truth, "outside": row.outside}
            cells |= {f"seconds {name}": round(spent, 2) for name, spent in row.seconds.items()}
            writer.writerow({**cells, "gaps": "; ".join(f"{name}: {why}" for name, why in sorted(row.gaps.items()))})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--draws", type=int, default=1_000, help="of each bootstrap and permutation test")
    parser.add_argument("--csv", type=Path, help="where the rows are written as one table")
    parser.add_argument("--picture", type=Path, help="where the agreement is drawn, as SVG")
    given = parser.parse_args()
    rows = [read_json(file, Row) for file in sorted(given.rows.glob("*.json"))]
    if given.csv is not None:
        write_csv(rows, given.csv)
    print(page(rows, draws=given.draws, picture=given.picture))


if __name__ == "__main__":
    main()
