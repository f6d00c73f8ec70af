"""Tuples as integers: slots of given sizes are the digits of a mixed radix, the last varying fastest."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.task import draw_rows

LARGE = 2**20  # rows above which drawing a few is faster than a random permutation of all


def unravel(numbers: Int[Tensor, " n"], sizes: Sequence[int]) -> Int[Tensor, "n k"]:
    """The tuple of every integer."""
    columns: list[Tensor] = []
    for size in reversed(sizes):
        columns.append(numbers % size)
        numbers = numbers // size
    return torch.stack(columns[::-1], 1) if columns else numbers.new_zeros(len(numbers), 0)


def ravel(columns: Sequence[Int[Tensor, " n"]], sizes: Sequence[int]) -> Int[Tensor, " n"]:
    """The integer of every tuple; at least one slot."""
    numbers = torch.zeros_like(columns[0])
    for column, size in zip(columns, sizes, strict=True):
        numbers = numbers * size + column
    return numbers


def draw_few(total: int, n: int, *, replacement: bool, generator: Generator) -> Int[Tensor, " m"]:
    """Draws as by `draw_rows`; for a few of very many rows without replacement the cost is that of the few."""
    if replacement or total <= LARGE or n > total // 4:
        return draw_rows(total, n, replacement=replacement, generator=generator)
    rows = torch.zeros(0, dtype=torch.int64)
    while len(rows) < n:
        rows = torch.cat([rows, torch.randint(total, (n,), generator=generator)])
        _, first = np.unique(rows.numpy(), return_index=True)
        rows = rows[np.sort(first)]
    return rows[:n]
