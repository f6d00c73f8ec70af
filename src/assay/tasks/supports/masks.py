"""Sets of modules as bitmasks, and what a collection of them covers."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from assay.usage import connected_groups

MAX_MODULES = 62  # of a signed 64-bit mask


class SupportCoverage(NamedTuple):
    """**Attributes:**

    - `usage`: in how many supports each module is.
    - `hotness`: how many supports have one active module, two, and so on up to the most that occur.
    - `components`: for every group of modules that hang together by being active together, its modules in order.
      A module that is in no support is in no group.
    """

    usage: tuple[int, ...]
    hotness: tuple[int, ...]
    components: tuple[tuple[int, ...], ...]

    @property
    def connected(self) -> bool:
        """Every module occurs, and all of them hang together."""
        return len(self.components) == 1 and min(self.usage) > 0


def mask(modules: Iterable[int]) -> int:
    """The bitmask of a set of modules."""
    return sum(1 << module for module in modules)


def supports_by_size(num_modules: int, max_active: int) -> list[Int[Tensor, " n"]]:
    """For every size from 0 to `max_active` the sets of that many modules, M choose size of them."""
    none = torch.zeros(0, dtype=torch.int64)
    by_size = [torch.zeros(1, dtype=torch.int64), *[none] * max_active]
    for module in range(num_modules):  # Pascal's rule: with the module, or without it
        for size in range(max_active, 0, -1):
            by_size[size] = torch.cat([by_size[size], by_size[size - 1] | 1 << module])
    return by_size


def all_supports(num_modules: int, max_active: int) -> Int[Tensor, " n"]:
    """Every set of 1 to `max_active` modules, ascending: sum over h of (M choose h) of them."""
    return torch.cat(supports_by_size(num_modules, max_active)[1:]).sort().values


def count_supports(num_modules: int, max_active: int) -> int:
    """The length of `all_supports`, without making them."""
    return sum(math.comb(num_modules, size) for size in range(1, max_active + 1))


def indicator(supports: Int[Tensor, " n"], num_modules: int) -> Bool[Tensor, "n m"]:
    """True where the module is in the support."""
    # Module by module: the table of 64-bit shifts would be eight times the size of the answer.
    return torch.stack([supports & 1 << module != 0 for module in range(num_modules)]).T


def num_active(supports: Int[Tensor, " n"], num_modules: int) -> Int[Tensor, " n"]:
    """How many modules are in each support."""
    count = torch.zeros_like(supports)
    for module in range(num_modules):
        count += supports >> module & 1
    return count


def coverage(supports: Int[Tensor, " n"], num_modules: int) -> SupportCoverage:
    """Coverage of modules by supports, each a bit mask of active modules: how often each occurs, and whether all hang together
    by being active at once (boolean closure of the graph of modules).

    **Arguments:** `supports`: int64 `(n,)`, bit `m` set where module `m` is active.

    Example::

        >>> from assay.tasks.supports import coverage
        >>> found = coverage(torch.tensor([0b011, 0b110, 0b100]), num_modules=3)
        >>> found.hotness, found.usage, found.connected
        ((1, 2), (1, 2, 2), True)
    """
    present = indicator(supports, num_modules)
    usage, hotness = present.count_nonzero(0), torch.bincount(num_active(supports, num_modules))[1:]
    return SupportCoverage(tuple(usage.tolist()), tuple(hotness.tolist()), connected_groups(present))


def identifies(supports: Int[Tensor, " n"], num_modules: int, *, fixed_weights: bool) -> bool:
    """Whether data from these supports can tell the modules of the hyperteacher apart (Schug et al. 2024, theorem 1).

    Every module must occur, and all must hang together: else the hidden units of one group may be permuted against those
    of another. When the amounts of the active modules vary, the mixtures of one support already separate its modules.
    With amounts fixed to 1 only sums over supports are seen, and these fix the modules when the supports span all of them.
    """
    if not coverage(supports, num_modules).connected:
        return False
    return not fixed_weights or int(torch.linalg.matrix_rank(indicator(supports, num_modules).double())) == num_modules
