"""Code lengths that charge for learning: the prequential code, and two-part codes with the weights in bits."""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from assay.bounds import check_whole
from assay.text.corpus import symbols_of
from assay.text.ngrams import NGrams

BITS_OF_A_WEIGHT = 16


def prequential_ngrams(texts: Sequence[str], *, order: int, blocks: int = 8) -> Float64[np.ndarray, " orders"]:
    """Bits per byte of all texts, each block coded by n-grams of the blocks before it (Dawid 1984; Blier and Ollivier 2018,
    section 3.3). Blocks double in size; the first is coded by the uniform distribution.

    Example::

        prequential_ngrams(["abracadabra" * 10], order=2, blocks=3)  # bits per byte under orders 0, 1 and 2
    """
    check_whole("blocks", blocks, least=1, most=60)
    joined = "\n".join(texts)
    cuts = [0, *(len(joined) >> k for k in range(blocks - 1, -1, -1))]
    total = np.zeros(order + 1)
    for start, end in itertools.pairwise(cuts):
        if start < end:
            model = NGrams([joined[:start]] if start else [], order=order)
            # A block is not a text: it has no beginning, and its end is not coded.
            before = joined[max(0, start - order) : start]
            symbols = symbols_of(before + joined[start:end])[:-1]
            total += model.bits_of(symbols)[:, len(before.encode()) :].sum(1)
    return total / max(len(joined.encode()), 1)


def with_parameters(bits: float, num_bytes: int, num_weights: int) -> float:
    """Bits per byte with the weights of the model sent along in half precision (Deletang et al. 2024, section 3.2)."""
    return bits + BITS_OF_A_WEIGHT * num_weights / max(num_bytes, 1)
