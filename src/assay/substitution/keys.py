"""64-bit keys for comparing rows on some of the parts, and fast look-up of keys."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt64

Keys = UInt64[np.ndarray, "..."]
Rows = Int[np.ndarray, "..."]

_MIX = np.uint64(0x9E3779B97F4A7C15)
_TABLE = 1 << 18  # keys up to this size are looked up in a table, several times faster than by binary search


def key_tables(sizes: Sequence[int]) -> list[Keys]:
    """A 64-bit number for every value of every column, so that the sum over some columns is the key of their values.

    If the product of the sizes fits in 64 bits the sums are positional numbers, so that keys are unique. Otherwise the numbers
    are fixed random ones: among n keys two collide with probability n^2 / 2^65.
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
    """Sum of some of the columns."""
    total = np.zeros(columns.shape[1], np.uint64)
    for part in parts:
        total += columns[part]
    return total


def key_of(values: Int[np.ndarray, "n p"], tables: Sequence[Keys], parts: Sequence[int] | None = None) -> Keys:
    """Key of every row on some parts, by default all."""
    chosen = range(values.shape[1]) if parts is None else parts
    keys = np.zeros(len(values), np.uint64)
    for part in chosen:
        keys += tables[part][values[:, part]]
    return keys


def places(keys: Keys, wanted: Keys) -> Rows:
    """Index of each key among the sorted, distinct `wanted` ones; -1 for a missing one."""
    if not len(wanted):
        return np.full(keys.shape, -1)
    if (last := int(wanted[-1])) < _TABLE:
        table = np.full(last + 2, -1, np.int32)
        table[wanted] = np.arange(len(wanted))
        return table[np.minimum(keys, np.uint64(last + 1))]
    at = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
    return np.where(wanted[at] == keys, at, -1)


def members(keys: Keys, wanted: Keys) -> Rows:
    """Indices of the keys that are among the sorted `wanted` ones. For large keys a table of hashes excludes most others
    first."""
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
    """Distinct keys, sorted. For 64-bit keys sorting is several times faster than `np.unique`, which hashes, and for small ones
    a table is faster still."""
    if not len(keys):
        return np.sort(keys)
    if (last := int(keys.max())) < _TABLE:
        known = np.zeros(last + 1, bool)
        known[keys] = True
        return np.flatnonzero(known).astype(np.uint64)
    ordered = np.sort(keys)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])]


def numbered(keys: Keys) -> tuple[Keys, Rows]:
    """Distinct keys, sorted, and the index of each key among them."""
    ids = distinct(keys)
    return ids, places(keys, ids)


def order_of(index: Rows, count: int) -> Rows:
    """Stable order of numbers below `count`; those of 16 bits use radix sort, several times faster."""
    return np.argsort(index.astype(np.uint16) if count <= 1 << 16 else index, kind="stable")


def repeated(keys: Keys) -> Rows:
    """Indices of the keys that occur more than once."""
    ordered = np.sort(keys)
    return members(keys, distinct(ordered[1:][ordered[1:] == ordered[:-1]]))
