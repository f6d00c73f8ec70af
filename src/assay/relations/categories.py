"""Relations between groups of words: agreement of two groupings, and label-free matching of groups by their centroids."""

import warnings
from itertools import permutations as orders
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from assay.errors import AssayError
from assay.relations.matching import match
from assay.relations.vectors import unit_vectors

_ALL_ORDERS = 7  # the most groups for which every map is tried


class CategoryMatch(NamedTuple):
    """`accuracy`: the share of groups matched to themselves; `rank`: the share of random maps whose objective is at least that
    of the true one; `objective`, `true_objective`: correlations of centroid similarities."""

    accuracy: float
    rank: float
    objective: float
    true_objective: float


def clusters(vectors: Float[np.ndarray, "n d"], num: int, *, seed: int) -> Int[np.ndarray, " n"]:
    """Groups of alike words by k-means on unit vectors; fewer groups where fewer words differ."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    if not 2 <= num <= len(vectors):
        raise AssayError("words fall into two groups at least, and into no more than there are words", given=f"{num} groups")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # words with identical vectors
        return KMeans(num, n_init=4, random_state=seed % 2**32).fit(unit_vectors(vectors)).labels_.astype(np.int64)


def category_agreement(a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> float:
    """Adjusted mutual information of two groupings of the same words: 0 by chance, 1 for the same (Vinh et al. 2010)."""
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(a, b))


def match_categories(
    a: Float[np.ndarray, "n d"],
    b: Float[np.ndarray, "n e"],
    groups: Int[np.ndarray, " n"],
    *,
    draws: int,
    generator: np.random.Generator,
) -> CategoryMatch:
    """Match groups, such as the classes of WordNet, by the similarities of their centroids alone.

    With few groups every map is tried, else the quadratic assignment is solved; the true map is ranked among `draws` random
    ones. The groups of the second system are ordered at random by `generator`, so that equally good maps are chosen at random.

    **Raises:** `AssayError` for fewer than three groups.
    """
    names = np.unique(groups)
    if len(names) < 3:
        raise AssayError("groups are matched where there are three at least", given=len(names))
    one, other = (_centroid_similarity(unit_vectors(vectors), groups, names) for vectors in (a, b))
    upper = np.triu_indices(len(names), 1)

    def objective(order: np.ndarray) -> float:
        a, b = one[upper] - one[upper].mean(), other[np.ix_(order, order)][upper] - other[upper].mean()
        norm = float(np.sqrt((a @ a) * (b @ b)))
        return float(a @ b) / norm if norm > 1e-12 else 0.0  # identical centroids hold no relations

    if len(names) <= _ALL_ORDERS:
        hidden = generator.permutation(len(names))
        # Rounded, so that no map wins by the order in which its terms are summed.
        found = max((hidden[list(order)] for order in orders(range(len(names)))), key=lambda order: round(objective(order), 9))
    else:
        found = match(one, other, generator=generator).found
    true = objective(np.arange(len(names)))
    null = np.array([objective(generator.permutation(len(names))) for _ in range(draws)])
    return CategoryMatch(
        accuracy=float((found == np.arange(len(names))).mean()),
        rank=float((1 + (null >= true - 1e-12).sum()) / (1 + draws)),
        objective=objective(found),
        true_objective=true,
    )


def _centroid_similarity(
    unit: Float[np.ndarray, "n d"], groups: Int[np.ndarray, " n"], names: Int[np.ndarray, " g"]
) -> Float[np.ndarray, "g g"]:
    centroids = unit_vectors(np.stack([unit[groups == name].mean(0) for name in names]))
    return centroids @ centroids.T
