"""General-purpose compressors as baselines, alone and primed with training text."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping

from assay.errors import AssayError

COMPRESSORS: Mapping[str, Callable[[bytes], int]] = {
    "gzip": lambda content: len(zlib.compress(content, 9)),
    "bz2": lambda content: len(bz2.compress(content, 9)),
    "xz": lambda content: len(lzma.compress(content, preset=9)),
}
"""By name, a function from content to its compressed size in bytes."""


def compressed_bits(name: str, text: str, *, behind: str = "") -> float:
    """Bits per byte of a compressed text, primed with another one: the bytes of both less those of the first.

    **Raises:** `AssayError` for a compressor other than those of `COMPRESSORS`.

    Example::

        compressed_bits("gzip", "to be or not to be", behind="to be or not")
    """
    if name not in COMPRESSORS:
        raise AssayError("a compressor must be one of those known", given=name, choices=COMPRESSORS)
    compress, content, before = COMPRESSORS[name], text.encode(), behind.encode()
    return 8 * (compress(before + content) - (compress(before) if before else 0)) / max(len(content), 1)
