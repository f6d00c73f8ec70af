"""64-bit keys by which rows are compared on some parts, and where keys are among others."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt64

Keys = UInt64[np.ndarray, "..."]
Rows = Int[np.ndarray, "..."]

_MIX = np.uint64(0x9E3779B97F4A7C15)
_TABLE = 1 << 18  # keys up to here are found in a table, which is several times faster than in sorted ones


def key_tables(sizes: Sequence[int]) -> list[Keys]:
    """A 64-bit number for every value of every column, so that the sum over some columns is the key of their values.

    As long as the product of the sizes fits in 64 bits the sums are those of a positional system, and a key stands for one
    combination. Beyond that they are drawn at random, once for all: among n keys two are equal with probability n^2 / 2^65.
    """
    product = 1
    for size in sizes:
        product *= max(1, size)
    if product < 2**64:
        tables, step = [], 1
        for size in sizes:
            tables.append(np.arange(size, dtype=np.uint64) * np.uint64(step))
            step *= max(1, size)
        return tables
    generator = np.random.default_rng(0)
    return [generator.integers(0, 2**64, size, dtype=np.uint64) for size in sizes]


def sum_of(columns: UInt64[np.ndarray, "p n"], parts: Sequence[int]) -> UInt64[np.ndarray, " n"]:
    """The sum of some of the columns."""
    total = np.zeros(columns.shape[1], np.uint64)
    for part in parts:
        total += columns[part]
    return total


def key_of(values: Int[np.ndarray, "n p"], tables: Sequence[Keys], parts: Sequence[int] | None = None) -> Keys:
    """The key of every row on some parts, all by default."""
    chosen = range(values.shape[1]) if parts is None else parts
    keys = np.zeros(len(values), np.uint64)
    for part in chosen:
        keys += tables[part][values[:, part]]
    return keys


def places(keys: Keys, wanted: Keys) -> Rows:
    """Where each key stands among the sorted `wanted` ones, each of which is there once; -1 for one that is not there."""
    if not len(wanted):
        return np.full(keys.shape, -1)
    if (last := int(wanted[-1])) < _TABLE:
        table = np.full(last + 2, -1, np.int32)
        table[wanted] = np.arange(len(wanted))
        return table[np.minimum(keys, np.uint64(last + 1))]
    at = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
    return np.where(wanted[at] == keys, at, -1)


def members(keys: Keys, wanted: Keys) -> Rows:
    """Where the keys are among the sorted `wanted` ones. Of large keys a table of hashes sorts most of the others out first."""
    if not len(wanted):
        return np.zeros(0, int)
    if (last := int(wanted[-1])) < _TABLE:
        known = np.zeros(last + 2, bool)
        known[wanted] = True
        return np.flatnonzero(known[np.minimum(keys, np.uint64(last + 1))])
    bits = min(22, len(wanted).bit_length() + 4)
    marked = np.zeros(1 << bits, bool)
    marked[(wanted * _MIX) >> np.uint64(64 - bits)] = True
    maybe = np.flatnonzero(marked[(keys * _MIX) >> np.uint64(64 - bits)])
    at = np.minimum(np.searchsorted(wanted, keys[maybe]), len(wanted) - 1)
    return maybe[wanted[at] == keys[maybe]]


def distinct(keys: Keys) -> Keys:
    """Every key once, sorted. For keys of 64 bits sorting is several times faster than `np.unique`, which hashes them, and for
    small ones a table is faster still."""
    if not len(keys):
        return np.sort(keys)
    if (last := int(keys.max())) < _TABLE:
        known = np.zeros(last + 1, bool)
        known[keys] = True
        return np.flatnonzero(known).astype(np.uint64)
    ordered = np.sort(keys)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])]


def numbered(keys: Keys) -> tuple[Keys, Rows]:
    """Every key once, sorted, and which of them each is."""
    ids = distinct(keys)
    return ids, places(keys, ids)


def order_of(index: Rows, count: int) -> Rows:
    """A stable order of numbers below `count`; of 16 bits they are sorted digit by digit, several times faster."""
    return np.argsort(index.astype(np.uint16) if count <= 1 << 16 else index, kind="stable")


def repeated(keys: Keys) -> Rows:
    """Where a key is that occurs more than once."""
    ordered = np.sort(keys)
    return members(keys, distinct(ordered[1:][ordered[1:] == ordered[:-1]]))
