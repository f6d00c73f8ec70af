"""Witten-Bell n-grams over bytes, of every order at once, in sorted arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from assay.bounds import is_whole
from assay.errors import AssayError
from assay.text.corpus import END, SYMBOLS, symbols_of

_WIDTH = 9  # bits of a symbol
MOST_ORDER = 63 // _WIDTH - 1
"""A context of six symbols and the symbol itself fill the 63 bits of a key, so that no two contexts share one."""


class _Level(NamedTuple):
    """Counts of one order: sorted keys of context and symbol with their counts; sorted contexts with the number of symbols that
    followed (`totals`), of distinct ones (`types`), and the most frequent one (`top`)."""

    pairs: Int64[np.ndarray, " p"]
    counts: Int64[np.ndarray, " p"]
    contexts: Int64[np.ndarray, " c"]
    totals: Int64[np.ndarray, " c"]
    types: Int64[np.ndarray, " c"]
    top: Int64[np.ndarray, " c"]


class NGrams:
    """Interpolated n-grams of bytes with Witten-Bell smoothing (Witten and Bell 1991; Chen and Goodman 1999, equation 15).

    `p_k(s | c) = (n(c, s) + t(c) p_{k-1}(s | c')) / (n(c) + t(c))`, with `n` the counts, `t(c)` the number of different symbols
    that followed the context `c`, `c'` the context without its first symbol, and the uniform distribution over bytes and the
    end of a text below order 0. A context that never occurred leaves `p_{k-1}`. Before its first byte a text has the symbol
    `END`.

    **Arguments:** `texts`: to count; `order`: the longest context, 0 to 6.

    **Raises:** `AssayError` for another order.

    Example::

        model = NGrams(["abracadabra"], order=2)
        bits = model.bits("abra")  # (3, 5): order by symbol, the last symbol being the end of the text
    """

    def __init__(self, texts: Sequence[str], *, order: int = MOST_ORDER):
        if not (is_whole(order) and 0 <= order <= MOST_ORDER):
            raise AssayError("an n-gram's order is that of its context", given=order, choices=map(str, range(MOST_ORDER + 1)))
        self.order = order
        keys = np.concatenate([_keys(symbols_of(text), order) for text in texts]) if texts else np.zeros(0, np.int64)
        self._levels = [_counted(keys & _mask(k)) for k in range(order + 1)]

    def bits(self, text: str) -> Float64[np.ndarray, "orders symbols"]:
        """Code length of every symbol of a text, its end included, under each order from 0 up."""
        return self.bits_of(symbols_of(text))

    def bits_of(self, symbols: Int[np.ndarray, " n"]) -> Float64[np.ndarray, "orders n"]:
        """Code length of every symbol under each order from 0 up."""
        keys = _keys(symbols, self.order)
        chance = np.full(len(keys), 1 / SYMBOLS)
        found = np.empty((self.order + 1, len(keys)))
        for k, level in enumerate(self._levels):
            pairs = keys & _mask(k)
            at, known = _find(level.contexts, pairs >> _WIDTH)
            place, seen = _find(level.pairs, pairs)
            if len(level.contexts):
                counts = np.where(seen, level.counts[place], 0)
                smoothed = (counts + level.types[at] * chance) / (level.totals[at] + level.types[at])
                chance = np.where(known, smoothed, chance)
            found[k] = -np.log2(chance)
        return found

    def top(self, symbols: Int[np.ndarray, " n"]) -> Int64[np.ndarray, "orders n"]:
        """At every place the most frequent symbol after the context of each order, -1 where the context never occurred."""
        keys = _keys(symbols, self.order)
        found = np.full((self.order + 1, len(keys)), -1, dtype=np.int64)
        for k, level in enumerate(self._levels):
            at, known = _find(level.contexts, (keys & _mask(k)) >> _WIDTH)
            if len(level.contexts):
                found[k] = np.where(known, level.top[at], -1)
        return found


def per_byte(bits: Float[np.ndarray, "*orders n"], text_bytes: int) -> Float[np.ndarray, "*orders"]:
    """Bits per byte: the bits of all symbols, the end of the text included, over the bytes of the text."""
    return bits.sum(-1) / max(text_bytes, 1)


def _mask(order: int) -> int:
    return (1 << _WIDTH * (order + 1)) - 1


def _keys(symbols: Int[np.ndarray, " n"], order: int) -> Int64[np.ndarray, " n"]:
    """Keys of every symbol and its context: the symbol in the lowest bits, the one before it above, and so on."""
    padded = np.concatenate([np.full(order, END), symbols]).astype(np.int64)
    keys = np.zeros(len(symbols), dtype=np.int64)
    for back in range(order + 1):
        keys |= padded[order - back : len(padded) - back] << _WIDTH * back
    return keys


def _counted(keys: Int64[np.ndarray, " n"]) -> _Level:
    pairs, counts = np.unique(keys, return_counts=True)
    contexts, starts = np.unique(pairs >> _WIDTH, return_index=True)
    if not len(pairs):
        return _Level(pairs, counts, contexts, counts, counts, counts)
    types = np.diff(np.append(starts, len(pairs)))
    # The first of the largest counts of every context: sort by context, then by count, and take the last of each.
    most = np.lexsort((-np.arange(len(pairs)), counts, pairs >> _WIDTH))[starts + types - 1]
    return _Level(pairs, counts, contexts, np.add.reduceat(counts, starts), types, pairs[most] & _mask(0))


def _find(sorted_keys: Int64[np.ndarray, " c"], keys: Int64[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
    """The position of each key, and whether it is there."""
    at = np.searchsorted(sorted_keys, keys).clip(max=max(0, len(sorted_keys) - 1))
    return at, (sorted_keys[at] == keys if len(sorted_keys) else np.zeros(len(keys), dtype=bool))
