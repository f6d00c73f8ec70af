"""The table of docs/methods/recombination.md: 48 networks of four kinds, judged by recombination from trained pairs alone.

Run `python experiments/pilot_table.py`; it takes two minutes. It prints the smallest and largest value in each cell, the AUROC
of composers against networks whose novel score is below .5, with the exact interval of a share that large, the rank correlation
with the novel score, and what rescaled units change. `tests/instruments/test_pilot_table.py` holds twelve of them to it.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from assay.calibration.metrics import auroc, spearman

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / folder) for folder in ("conformance", "instruments")]
from pilot import KINDS, SHARES, train  # noqa: E402
from test_pilot_table import judged, of  # noqa: E402


def main() -> None:
    rows = [judged(pilot) for kind in KINDS for pilot in train(kind)]
    print("| kind | trained share | true novel score | z | z readable | scrambled declarations |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind in KINDS:
        for share in SHARES:
            cell = [row for row in of(rows, kind) if row.pilot.share == share]
            columns = ([row.pilot.novel, row.own["z"], row.readable, row.null] for row in cell)
            ranges = [f"{min(values):.2f} to {max(values):.2f}" for values in zip(*columns, strict=True)]
            print(f"| {kind} | {share} | {' | '.join(ranges)} |")
    composers = [row.own["z"] for row in of(rows, "composer") if row.pilot.novel > 0.9]
    imitators = [row.own["z"] for row in rows if row.pilot.novel < 0.5]
    labels = np.array([True] * len(composers) + [False] * len(imitators))
    above = sum(value > max(imitators) for value in composers)
    share = binomtest(above, len(composers)).proportion_ci(method="exact")
    print(
        f"\n{len(composers)} composers, {len(imitators)} imitators: AUROC {auroc(np.array(composers + imitators), labels):.3f};"
    )
    print(f"{above} composers above all imitators, 95 % interval of that share [{share.low:.2f}, {share.high:.2f}]")
    truth = np.array([row.pilot.novel for row in rows])
    print(f"Spearman with the true novel score {spearman(np.array([row.own['z'] for row in rows]), truth):.3f}")
    changes = [abs(row.own[name] - row.twin[name]) for row in rows for name in row.own]
    print(f"largest change between a network and its rescaled twin {max(changes):.4f}")
    before, after = (sum(row.plain[k] for row in of(rows, "composer")) / len(composers) for k in (0, 1))
    print(f"patches in plain distance, before and after rescaling: {before:.2f}, {after:.2f}")


if __name__ == "__main__":
    main()
