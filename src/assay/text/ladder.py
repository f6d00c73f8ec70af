"""The ladder of baselines: bits per byte of a text without any network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.errors import AssayError
from assay.text.compression import COMPRESSORS, compressed_bits
from assay.text.ngrams import MOST_ORDER, NGrams, per_byte


@dataclass(frozen=True)
class Rung:
    """One baseline. `bits`: per byte of the held-out texts; `primed`: whether it learned from the training texts first."""

    name: str
    bits: float
    primed: bool


def ladder(
    train: Sequence[str], test: Sequence[str], *, order: int = MOST_ORDER, model: NGrams | None = None, most: int | None = None
) -> list[Rung]:
    """Bits per byte of held-out texts: compressors alone and primed, and n-grams of every order.

    N-grams count the end of every text; compressors get the texts joined.

    **Arguments:** `model`: the n-grams of `train`, if already counted; `most`: the number of last characters of `train` that
    compressors are primed with, by default all, which takes a second for each 200 kB.

    **Raises:** `AssayError` without a non-empty held-out text.

    Example::

        >>> from assay.text import ladder
        >>> rungs = ladder(["to be or not to be " * 9], ["to be or to be"], order=2)
        >>> [(rung.name, round(rung.bits, 2)) for rung in rungs if rung.name.startswith("order")]
        [('order 0', 3.17), ('order 1', 1.85), ('order 2', 1.65)]
    """
    if not any(test):
        raise AssayError("a ladder needs texts held out", given=f"{len(test)}, all of them empty" if test else "none")
    joined, before = "".join(test), "".join(train)[-most if most else None :]
    rungs = [Rung(name, compressed_bits(name, joined), False) for name in COMPRESSORS]
    rungs += [Rung(name, compressed_bits(name, joined, behind=before), True) for name in COMPRESSORS]
    model = model or NGrams(train, order=order)
    bits = np.sum([model.bits(text).sum(1) for text in test], axis=0)
    rates = per_byte(bits[:, None], len(joined.encode()))
    rungs += [Rung(f"order {k}", float(rate), True) for k, rate in enumerate(rates)]
    return rungs
