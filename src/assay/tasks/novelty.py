"""Choice of trained combinations: first a cover of all values, then random ones, without those that a rule of novelty holds
out."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.errors import AssayError

FEW = 12  # trained combinations of a value that is otherwise held out


def draw_trained(
    family: str,
    grid: Mapping[str, Int[Tensor, " c"]],
    sizes: list[int],
    *,
    coverage: float | int,
    novel: Bool[Tensor, " c"] | None,
    always: Bool[Tensor, " c"] | None,
    generator: Generator,
) -> Bool[Tensor, " c"]:
    """A random cover of all values, then random combinations up to the coverage.

    **Arguments:**

    - `grid`: all combinations, slot by slot; `sizes`: how many values each slot has.
    - `coverage`: the share of all combinations that is trained.
    - `novel`: combinations that are never trained; `always`: combinations that are trained whatever the coverage.

    **Raises:** `AssayError` with the coverages that are possible.
    """
    total = len(next(iter(grid.values())))
    allowed = torch.ones(total, dtype=torch.bool) if novel is None else ~novel
    always = torch.zeros(total, dtype=torch.bool) if always is None else always & allowed
    least, most = max(sizes) + int(always.sum()), int(allowed.sum()) - (novel is None)
    _check(family, round(coverage * total), least, most, total=total, coverage=coverage, ruled=novel is not None)
    trained = always.clone()
    orders = [torch.randperm(size, generator=generator) for size in sizes]
    cover = torch.zeros(max(sizes), dtype=torch.int64)
    for order, size in zip(orders, sizes, strict=True):
        cover = cover * size + order[torch.arange(len(cover)) % size]
    trained[cover] |= allowed[cover]
    _complete(trained, allowed, grid, sizes, generator)
    free = (allowed & ~trained).nonzero()[:, 0]
    missing = max(0, round(coverage * total) - int(trained.sum()))
    trained[free[torch.randperm(len(free), generator=generator)[:missing]]] = True
    return trained


def _complete(trained: Tensor, allowed: Tensor, grid: Mapping[str, Tensor], sizes: list[int], generator: Generator) -> None:
    """Train one allowed combination of every value without any; a value that is novel throughout stays out."""
    for column, size in zip(grid.values(), sizes, strict=True):
        for value in (torch.bincount(column[trained], minlength=size) == 0).nonzero()[:, 0].tolist():
            choices = ((column == value) & allowed).nonzero()[:, 0]
            if len(choices):
                trained[choices[torch.randint(len(choices), (1,), generator=generator)]] = True


def _check(family: str, wanted: int, least: int, most: int, *, total: int, coverage: float | int, ruled: bool) -> None:
    if ruled and not least <= most < total:
        raise AssayError(
            f"{family}: a rule of novelty must hold some combinations out and leave enough of them to train",
            given=f"{most} of {total} left to train, at least {least} needed",
            next_step="take more values, or another kind of novelty",
        )
    if not least <= wanted <= most:
        out = "all novel combinations" if ruled else "one combination"
        raise AssayError(
            f"{family}: the trained combinations must use every value and leave {out} out, "
            f"so there are {least} to {most} of them",
            given=f"coverage {coverage} of {total} combinations is {wanted}",
            next_step=f"choose a coverage between {_share(least, total)} and {_share(most, total)}",
        )


def _share(count: int, total: int) -> str:
    """The share with the fewest digits that rounds to this count."""
    return next(text for digits in range(2, 18) if round(float(text := f"{count / total:.{digits}g}") * total) == count)


def held_out_pairs(rows: int, columns: int, generator: Generator) -> Bool[Tensor, "rows columns"]:
    """Random pairs, no two of which share a value: one fewer than the smaller side has values."""
    held = torch.zeros(rows, columns, dtype=torch.bool)
    count = min(rows, columns) - 1
    held[torch.randperm(rows, generator=generator)[:count], torch.randperm(columns, generator=generator)[:count]] = True
    return held


def few_of_each(column: Int[Tensor, " c"], values: range, generator: Generator) -> Bool[Tensor, " c"]:
    """`FEW` random combinations of each of these values of a slot."""
    chosen = torch.zeros(len(column), dtype=torch.bool)
    ends = torch.bincount(column, minlength=values.stop).cumsum(0).tolist()
    order = column.argsort(stable=True)
    for value in values:
        having = order[ends[value - 1] if value else 0 : ends[value]]
        chosen[having[torch.randperm(len(having), generator=generator)[:FEW]]] = True
    return chosen
