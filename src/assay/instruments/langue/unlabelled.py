"""Matching without labels: of words, by their number and by the number of given pairs, and of groups of words by their
centroids."""

from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from jaxtyping import Float, Int

from assay.figure import DetailTable
from assay.instruments.langue import states
from assay.instruments.langue.drawn import LangueBudget
from assay.instruments.langue.systems import COUNTS, NUM_GROUPS, Systems
from assay.relations import Match, category_agreement, cosine, gromov_wasserstein, match_categories, power_curve
from assay.relations.categories import clusters
from assay.relations.permutations import permutations
from assay.text.word_counts import frequency_bins

_FEWEST_OF_GROUP = 3


def power(vectors: Float[np.ndarray, "n d"], counts: states.System, *, budget: LangueBudget, seed: int) -> DetailTable | None:
    """Accuracy of matching with counts of the text, by the number of words and of given pairs, by FAQ and, on request and where
    installed, by optimal transport; None without any size."""
    own, rows = cosine(vectors), []
    found = power_curve(
        own,
        counts.likeness,
        sizes=budget.sizes,
        given=budget.known,
        subsets=budget.subsets,
        generator=np.random.default_rng(seed),
    )
    solved: dict[tuple[int, int], list[Match]] = {}
    for size, given, one in found:
        solved.setdefault((size, given), []).append(one)
    rows += [_summed("FAQ", size, given, some) for (size, given), some in sorted(solved.items())]
    if budget.transport and find_spec("ot") is not None:
        generator = np.random.default_rng(seed)
        for size in sorted({size for size, _ in solved}):
            some = []
            for _ in range(budget.subsets):
                kept = np.ix_(*[np.sort(generator.choice(len(own), size, replace=False))] * 2)
                some.append(gromov_wasserstein(own[kept], counts.likeness[kept], generator=generator))
            rows.append(_summed("transport", size, 0, some))
    columns = ("solver", "words", "of them given", "matched", "least", "most", "chance", "among the ten best", "objective")
    columns += ("of the true map", "outcome")
    note = (
        f"Words are drawn at random, {budget.subsets} times, and matched with counts of the text. Where the true map has a "
        "higher objective than the map found, the solver failed; where it has not, this many words do not identify each other. "
        "Neither shows that there is no match."
    )
    return (
        DetailTable(name="Words matched without labels", columns=columns, rows=tuple(rows), note=note, level=0)
        if rows
        else None
    )


def _summed(solver: str, size: int, given: int, some: Sequence[Match]) -> tuple:
    """One row of the table: means over subsets of the words, the smallest and the largest accuracy, and the counts of
    outcomes."""
    accuracy, ten, objective, true = (
        [float(getattr(one, name)) for one in some] for name in ("accuracy", "best_ten", "objective", "true_objective")
    )
    outcomes = Counter(one.outcome for one in some).most_common()
    summary = outcomes[0][0] if len(outcomes) == 1 else ", ".join(f"{outcome} ({num})" for outcome, num in outcomes)
    means = (float(np.mean(values)) for values in (ten, objective, true))
    return (solver, size, given, float(np.mean(accuracy)), min(accuracy), max(accuracy), some[0].chance, *means, summary)


def agreement(vectors: Float[np.ndarray, "n d"], groups: Int[np.ndarray, " n"], *, seed: int) -> float:
    """Adjusted mutual information between groups of a system and equally many clusters of the network's words."""
    return category_agreement(clusters(vectors, len(np.unique(groups)), seed=seed), groups)


def agreement_null(
    layers: Sequence[Float[np.ndarray, "words d"]],
    best: int,
    rows: Int[np.ndarray, " n"],
    groups: Int[np.ndarray, " n"],
    counts: Int[np.ndarray, " words"],
    *,
    draws: states.Draws,
    seed: int,
) -> tuple[Float[np.ndarray, " draws"], list[float]]:
    """Null of the agreement at the layer of index `best` under permutations within groups of like frequency, and the values
    without each tenth of the words. Where groups cover all words, the layer is chosen anew in every draw; groups of some words
    had no part in the choice of the layer, and keep it."""
    num = len(np.unique(groups))
    own = clusters(layers[best][rows], num, seed=seed)

    def null_of(one: Float[np.ndarray, "n d"], order: Int[np.ndarray, "some n"]) -> Float[np.ndarray, " some"]:
        found = own if one is layers[best] else clusters(one, num, seed=seed)
        return np.array([category_agreement(found[row], groups) for row in order])

    if len(rows) == len(counts):
        null = draws.null(layers, null_of)
    else:
        within = frequency_bins(counts[rows])
        order = permutations(len(rows), len(draws.order), generator=np.random.default_rng(seed), groups=within)
        null = np.array([category_agreement(own[row], groups) for row in order])
    tenths = np.random.default_rng(seed).permutation(len(groups)) % 10
    return null, [category_agreement(own[tenths != k], groups[tenths != k]) for k in range(10)]


def matched_groups(vectors: Float[np.ndarray, "n d"], systems: Systems, *, draws: int, seed: int) -> DetailTable | None:
    """Tables of groups matched without labels: centroids of groups in the network and in counts, matched by their similarities
    alone. Classes of a dictionary are treated alike, where three of them have enough words."""
    rows, counted = [], systems.real[COUNTS].vectors
    assert counted is not None
    for name, (words, groups) in systems.groups.items():
        names, sizes = np.unique(groups, return_counts=True)
        order = np.argsort(-sizes, kind="stable")[:NUM_GROUPS]
        largest = names[order][sizes[order] >= _FEWEST_OF_GROUP]
        kept = np.isin(groups, largest)
        if len(largest) < 3:
            continue
        found = match_categories(
            vectors[words[kept]], counted[words[kept]], groups[kept], draws=draws, generator=np.random.default_rng(seed)
        )
        rows.append((name, len(largest), found.accuracy, 1 / len(largest), found.objective, found.true_objective, found.rank))
    columns = ("groups of", "groups", "matched", "chance", "objective", "of the true map", "p")
    note = (
        "The centroids of the groups in the network are matched with those in counts of the text by their similarities to one "
        "another. p: share of random maps that fit as well as the true one."
    )
    return (
        DetailTable(name="Groups matched without labels", columns=columns, rows=tuple(rows), note=note, level=0)
        if rows
        else None
    )
