"""Word vectors as a system of relations: centred, of length one, and their cosines."""

import numpy as np
from jaxtyping import Float

from assay.errors import AssayError


def unit_vectors(vectors: Float[np.ndarray, "n d"], *, components: int = 0) -> Float[np.ndarray, "n d"]:
    """Word vectors minus their mean, scaled to length one; the zero vector stays.

    **Arguments:** `components`: principal components to remove first, which often encode frequency.

    **Raises:** `AssayError` for numbers that are not finite.
    """
    found = np.asarray(vectors, dtype=np.float64)
    if not np.isfinite(found).all():
        raise AssayError("word vectors must be finite", given=f"{int((~np.isfinite(found)).any(1).sum())} words without")
    found = found - found.mean(0) if len(found) else found
    if components and len(found):
        _, _, axes = np.linalg.svd(found, full_matrices=False)
        found = found - found @ axes[:components].T @ axes[:components]
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.divide(found, length, out=np.zeros_like(found), where=length > 1e-12)


def check_same_words(a: np.ndarray, b: np.ndarray) -> None:
    """Check that two systems have equally many words and finite numbers.

    **Raises:** `AssayError` where they have not.
    """
    if len(a) != len(b):
        raise AssayError(
            "two systems of relations are compared over the same words",
            given=f"{len(a)} words and {len(b)}",
            next_step="keep the rows of those that both know, such as `shared_words` gives",
        )
    for one in (a, b):
        if not np.isfinite(one).all():
            unknown = int((~np.isfinite(one)).reshape(len(one), -1).any(1).sum())
            raise AssayError(
                "relations of words must be finite", given=f"{unknown} of {len(one)} words without", next_step="leave them out"
            )


def cosine(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """Cosines between all words."""
    unit = unit_vectors(vectors)
    return unit @ unit.T
