"""Gromov-Wasserstein matching, a second solver of the label-free problem."""

import warnings

import numpy as np
from jaxtyping import Float

from assay.errors import AssayError
from assay.relations.matching import Match, judged
from assay.relations.vectors import check_same_words


def gromov_wasserstein(
    a: Float[np.ndarray, "n n"], b: Float[np.ndarray, "n n"], *, generator: np.random.Generator, epsilon: float = 5e-3
) -> Match:
    """Match words by entropic Gromov-Wasserstein transport between two cosine matrices (Peyre, Cuturi and Solomon 2016;
    Alvarez-Melis and Jaakkola 2018), rounded to a map by the best assignment.

    **Arguments:** `epsilon`: weight of the entropy; smaller is sharper and slower.

    **Raises:** `AssayError` where POT is not installed (extra `gromov`), and as `match` does.
    """
    try:
        import ot
    except ImportError as error:
        raise AssayError(
            "Gromov-Wasserstein matching needs POT", given=str(error), next_step="run `pip install assay[gromov]`, or use FAQ"
        ) from error
    from scipy.optimize import linear_sum_assignment

    check_same_words(a, b)
    num = len(a)
    if num < 3:
        raise AssayError("a match needs three words at least", given=num)
    order = generator.permutation(num)
    hidden = b[np.ix_(order, order)]
    weights = np.full(num, 1 / num)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of iterations that end before they converge, which the objective shows
        plan = ot.gromov.entropic_gromov_wasserstein(
            1 - a, 1 - hidden, weights, weights, "square_loss", epsilon=epsilon, max_iter=200, solver="PPA"
        )
    _, columns = linear_sum_assignment(-np.nan_to_num(np.asarray(plan)))
    return judged(a, b, order[columns])
