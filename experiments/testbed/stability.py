"""Whether another seed would say the same, and the order of the measures with its interval.

Networks of seed 0 are one run, those of all further seeds, which differ in rule, trained combinations and initial weights, a
second one. The conclusion of a run about a measure is whether the interval of its rank correlation with the novel score lies
above 0, below 0, or holds 0.
"""

from collections.abc import Sequence

import numpy as np
from over_networks import DRAWS, FEWEST, Estimate, estimate, spearman
from population import Row
from scipy.stats import rankdata
from tables import table, within


def conclusion(found: Estimate) -> str:
    """`above 0`, `below 0` or `holds 0`; `-` without a value."""
    if found.low is None or found.high is None:
        return "-"
    return "above 0" if found.low > 0 else "below 0" if found.high < 0 else "holds 0"


def second_run(rows: Sequence[Row], *, draws: int) -> list[str]:
    """For every measure the rank correlation with the novel score in both runs, and whether the conclusion is the same."""
    runs = [[row for row in rows if (row.recipe["seed"] == 0) == first] for first in (True, False)]
    lines = []
    for name in measures(rows):
        found = []
        for run in runs:
            own, truth = ([row.values.get(name) for row in run], [row.truth for row in run])
            found.append(estimate(spearman, within(run, own), within(run, truth), draws=draws))
        said = [conclusion(one) for one in found]
        if "-" in said:
            same = "-"
        elif said[0] == said[1]:
            same = "same"
        else:
            same = "opposite" if "holds 0" not in said else "not resolved in one"
        lines.append([name, *(f"{one}, n {one.networks}" for one in found), same])
    return table(["measure", "seed 0", "further seeds", "conclusion"], lines)


def order(rows: Sequence[Row], *, draws: int = DRAWS, seed: int = 0) -> list[str]:
    """The measures in order of the size of their rank correlation with the novel score, over networks that have a value of all
    of them, with percentile intervals of their places over resampled networks. A measure that fewer than half of the
    networks have is left out."""
    names = [name for name in measures(rows) if sum(name in row.values for row in rows) >= len(rows) / 2]
    kept = [row for row in rows if all(name in row.values for name in names)]
    if len(kept) < FEWEST:
        return [f"{len(kept)} networks have a value of every measure, which are too few."]
    values = np.array([within(kept, [row.values[name] for row in kept]) for name in names])
    truth = np.array(within(kept, [row.truth for row in kept]))
    rng = np.random.default_rng(seed)

    def places(chosen: np.ndarray) -> np.ndarray:
        sizes = [np.nan_to_num(abs(spearman(one[chosen], truth[chosen]))) for one in values]
        return rankdata([-size for size in sizes])

    own = places(np.arange(len(kept)))
    drawn = np.array([places(rng.integers(len(kept), size=len(kept))) for _ in range(draws)])
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    lines = [[names[k], f"{own[k]:g}", f"{low[k]:.0f} to {high[k]:.0f}"] for k in np.argsort(own, kind="stable")]
    return [f"Over {len(kept)} networks:", "", *table(["measure", "place", "95 % interval"], lines)]


def measures(rows: Sequence[Row]) -> list[str]:
    """Names of all measures, baselines first."""
    return sorted({name for row in rows for name in row.values}, key=lambda name: (" " in name, name))
