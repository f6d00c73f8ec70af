"""Matching without labels, over the number of words and of words given, and of groups of words by their centroids."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from assay.figure import Table
from assay.instruments.langue import states
from assay.instruments.langue.systems import COUNTS, NUM_GROUPS, Systems
from assay.relations import category_agreement, cosine, match_categories, power_curve
from assay.relations.categories import clusters
from assay.relations.permutations import permutations

_FEWEST_OF_GROUP = 3


def power(
    vectors: Float[np.ndarray, "n d"], counts: states.System, *, sizes: Sequence[int], given: Sequence[int], seed: int
) -> Table | None:
    """Accuracy of the matching with counts of the text, over the number of words and of anchors; None without any size."""
    generator = np.random.default_rng(seed)
    found = power_curve(cosine(vectors), counts.likeness, sizes=sizes, given=given, generator=generator)
    rows = tuple(
        (size, seeds, one.accuracy, one.chance, one.best_ten, one.objective, one.true_objective, one.outcome)
        for size, seeds, one in found
    )
    columns = ("words", "of them given", "matched", "chance", "among the ten best", "objective", "of the true map", "outcome")
    note = (
        "Words at random, matched with counts of the text. Where the true map has the higher objective the solver failed; "
        "where it has not, so many words do not identify each other, which is not absence."
    )
    return Table(name="Words matched without labels", columns=columns, rows=rows, note=note, level=0) if rows else None


def agreement(vectors: Float[np.ndarray, "n d"], groups: Int[np.ndarray, " n"], *, seed: int) -> float:
    """Adjusted mutual information between groups of a system and as many clusters of the network's words."""
    return category_agreement(clusters(vectors, len(np.unique(groups)), seed=seed), groups)


def agreement_null(
    vectors: Float[np.ndarray, "n d"], groups: Int[np.ndarray, " n"], bins: Int[np.ndarray, " n"], *, draws: int, seed: int
) -> tuple[Float[np.ndarray, " draws"], list[float]]:
    """The same under permutations within groups of like frequency, and without every tenth of the words in turn."""
    own = clusters(vectors, len(np.unique(groups)), seed=seed)
    order = permutations(len(groups), draws, generator=np.random.default_rng(seed), groups=bins)
    null = np.array([category_agreement(own, groups[row]) for row in order])
    tenths = np.random.default_rng(seed).permutation(len(groups)) % 10
    return null, [category_agreement(own[tenths != k], groups[tenths != k]) for k in range(10)]


def matched_groups(vectors: Float[np.ndarray, "n d"], systems: Systems, *, draws: int, seed: int) -> Table | None:
    """Groups of counts, whose centroids in the network and in counts are matched by their likeness alone; classes of a
    dictionary alike, where three of them have enough words."""
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
        "The centroids of each group in the network and in counts of the text, matched by their likeness to one another. p: "
        "share of random maps that fit as well as the true one."
    )
    return Table(name="Groups matched without labels", columns=columns, rows=tuple(rows), note=note, level=0) if rows else None
