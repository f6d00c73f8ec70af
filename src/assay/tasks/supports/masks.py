"""Sets of modules as bitmasks, and the coverage of a collection of them."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from assay.usage import connected_groups

MAX_MODULES = 62  # usable bits of a signed 64-bit mask


class SupportCoverage(NamedTuple):
    """Coverage of a collection of supports.

    **Attributes:**

    - `usage`: the number of supports with each module.
    - `hotness`: numbers of supports with one active module, two, and so on up to the most that occur.
    - `components`: the modules of each connected component, in order, where modules are connected by being active together. A
      module in no support is in no component.
    """

    usage: tuple[int, ...]
    hotness: tuple[int, ...]
    components: tuple[tuple[int, ...], ...]

    @property
    def connected(self) -> bool:
        """Whether every module occurs, and all are connected."""
        return len(self.components) == 1 and min(self.usage) > 0


def mask(modules: Iterable[int]) -> int:
    """The bitmask of a set of modules."""
    return sum(1 << module for module in modules)


def supports_by_size(num_modules: int, max_active: int) -> list[Int[Tensor, " n"]]:
    """For every size from 0 to `max_active` all sets of that many modules, M choose size of them."""
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
    """The length of `all_supports`, without computing them."""
    return sum(math.comb(num_modules, size) for size in range(1, max_active + 1))


def indicator(supports: Int[Tensor, " n"], num_modules: int) -> Bool[Tensor, "n m"]:
    """Table that is True where the module is in the support."""
    # Module by module: a table of 64-bit shifts would be eight times as large as the result.
    return torch.stack([supports & 1 << module != 0 for module in range(num_modules)]).T


def num_active(supports: Int[Tensor, " n"], num_modules: int) -> Int[Tensor, " n"]:
    """The number of modules in each support."""
    count = torch.zeros_like(supports)
    for module in range(num_modules):
        count += supports >> module & 1
    return count


def coverage(supports: Int[Tensor, " n"], num_modules: int) -> SupportCoverage:
    """The coverage of supports, by boolean closure of the graph of modules that are active together.

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
    """Whether data from these supports identify the modules of the hyperteacher (Schug et al. 2024, theorem 1).

    Every module must occur, and all must be connected: else the hidden units of one group may be permuted against those of
    another. With varying amounts of the active modules, the mixtures of one support already separate its modules. With amounts
    fixed to 1 only sums over supports are observed, which determine the modules when the supports span all of them.
    """
    if not coverage(supports, num_modules).connected:
        return False
    return not fixed_weights or int(torch.linalg.matrix_rank(indicator(supports, num_modules).double())) == num_modules
