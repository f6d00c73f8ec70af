"""Bootstrap sums of counts over examples."""

import numpy as np
from jaxtyping import Float, Int


def resampled_sums(counts: Int[np.ndarray, "n c"], rng: np.random.Generator, *, repeats: int) -> Float[np.ndarray, "r c"]:
    """Column sums of `repeats` bootstrap samples of the rows.

    Equal rows are drawn together: the number of each distinct row is multinomial with their shares. The cost grows with the
    distinct rows, of which small counts have few, and not with the examples.

    Example::

        counts = np.array([[1, 2], [0, 3]])
        assert resampled_sums(counts, np.random.default_rng(0), repeats=9).shape == (9, 2)
    """
    rows, num = np.unique(counts, axis=0, return_counts=True)
    drawn = rng.multinomial(len(counts), num / len(counts), size=repeats)
    return drawn.astype(np.float64) @ rows.astype(np.float64)
