"""Kinds of coverage: the supports that each trains, and the modules that must be connected."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.tasks.supports.masks import count_supports, mask

Kind = Literal[
    "random",
    "equal",
    "popular_modules",
    "unpopular_modules",
    "two_halves",
    "connected",
    "disconnected",
    "pseudo_random_disconnected",
    "non_compositional",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
HOLDS_OUT_A_SHARE = ("random", "equal", "popular_modules", "unpopular_modules", "pseudo_random_disconnected")


class Request(NamedTuple):
    """Input of a kind: `every` support, ascending, of `num_modules` with up to `max_active` active, of which `num_trainable`
    shall be trainable; kinds with fixed novel supports ignore the latter."""

    every: Int[Tensor, " n"]
    num_modules: int
    max_active: int
    num_trainable: int
    generator: Generator


class SupportPlan(NamedTuple):
    """Output of a kind.

    **Attributes:**

    - `groups`: the modules of each connected component of the trained supports.
    - `kept`: supports that are always trainable.
    - `filler`: supports from which further trainable ones are drawn, up to their number.
    - `neither`: supports that are not novel even if they are not trainable.
    """

    groups: tuple[tuple[int, ...], ...]
    kept: Bool[Tensor, " n"]
    filler: Bool[Tensor, " n"]
    neither: Bool[Tensor, " n"]


def plan(kind: Kind, request: Request) -> SupportPlan:
    """The plan of a kind. The number of trainable supports must be within its `novel_bounds`."""
    return _PLANS[kind](request)


def novel_bounds(kind: Kind, num_modules: int, max_active: int) -> tuple[int, int]:
    """The smallest and the largest number of novel supports for which a kind with a held-out share is defined."""
    fewest, most = 1, count_supports(num_modules, max_active) - 1
    if kind == "unpopular_modules":
        most -= num_modules - 1  # at least one support per module
    if kind == "pseudo_random_disconnected":
        if num_modules < 4:
            raise AssayError(f"supports: {kind} needs at least 4 modules, two in each block", given=num_modules)
        fewest = _num_across(2, num_modules, max_active)
    return fewest, most


def _random(request: Request) -> SupportPlan:
    return _plan(request, [range(request.num_modules)], filler=torch.ones_like(request.every, dtype=torch.bool))


def _popular_modules(request: Request) -> SupportPlan:
    """As many popular modules as fit into the trainable supports; supports of one more fill up."""
    every, total = request.every, len(request.every)
    popular = 0
    while total - count_supports(request.num_modules - popular - 1, request.max_active) <= request.num_trainable:
        popular += 1
    kept = every & mask(range(popular)) != 0
    return _plan(request, [range(request.num_modules)], kept=kept, filler=(every >> popular & 1 == 1) & ~kept)


def _unpopular_modules(request: Request) -> SupportPlan:
    """The largest core that leaves a support for every module outside; supports of the first of these fill up."""
    every, num_modules = request.every, request.num_modules
    sizes = [count_supports(core, request.max_active) + num_modules - core for core in range(num_modules)]
    core = max(core for core in range(1, num_modules) if sizes[core] <= request.num_trainable)
    outside = every & ~mask(range(core))
    with_core = every & mask(range(core)) != 0
    kept = outside == 0
    for module in range(core, num_modules):
        links = (with_core & (outside == 1 << module)).nonzero().flatten()
        kept[links[torch.randint(len(links), (1,), generator=request.generator)]] = True
    return _plan(request, [range(num_modules)], kept=kept, filler=with_core & (outside == 1 << core) & ~kept)


def _halves(num_modules: int) -> list[range]:
    return [range(num_modules // 2), range(num_modules // 2, num_modules)]


def _two_halves(request: Request) -> SupportPlan:
    halves = _halves(request.num_modules)
    return _plan(request, halves, kept=_within(request.every, halves))


def _connected(request: Request) -> SupportPlan:
    ring, halves = _pairs(request)
    return _plan(request, [range(request.num_modules)], kept=ring, neither=halves)


def _disconnected(request: Request) -> SupportPlan:
    ring, halves = _pairs(request)
    return _plan(request, _halves(request.num_modules), kept=halves, neither=ring)


def _pairs(request: Request) -> tuple[Bool[Tensor, " n"], Bool[Tensor, " n"]]:
    """Single modules with the pairs at distance one or two on a ring; and with the pairs inside one half."""
    size = request.num_modules
    if request.max_active != 2 or size < 6:
        raise AssayError(
            "supports: connected and disconnected are defined for max_active=2 and at least 6 modules",
            given=f"max_active={request.max_active} with {size} modules",
            next_step="choose random and two_halves, or max_active=2 and num_modules of 6 or more",
        )
    near = [mask({module, (module + step) % size}) for module in range(size) for step in (0, 1, 2)]
    return torch.isin(request.every, torch.tensor(near)), _within(request.every, _halves(size))


def _pseudo_random_disconnected(request: Request) -> SupportPlan:
    """The most even blocks of at least two modules for which the supports across do not exceed the novel ones."""
    num_modules, num_novel = request.num_modules, len(request.every) - request.num_trainable
    possible = range(2, num_modules // 2 + 1)
    size = max(size for size in possible if _num_across(size, num_modules, request.max_active) <= num_novel)
    blocks = [range(size), range(size, num_modules)]
    return _plan(request, blocks, filler=_within(request.every, blocks))


def _non_compositional(request: Request) -> SupportPlan:
    seen = [range(request.num_modules - 1)]
    return _plan(request, seen, kept=_within(request.every, seen))


_PLANS: dict[Kind, Callable[[Request], SupportPlan]] = {
    "random": _random,
    "equal": _random,
    "popular_modules": _popular_modules,
    "unpopular_modules": _unpopular_modules,
    "two_halves": _two_halves,
    "connected": _connected,
    "disconnected": _disconnected,
    "pseudo_random_disconnected": _pseudo_random_disconnected,
    "non_compositional": _non_compositional,
}


def _plan(request: Request, groups: list[range], **masks: Bool[Tensor, " n"]) -> SupportPlan:
    none = torch.zeros_like(request.every, dtype=torch.bool)
    return SupportPlan(tuple(map(tuple, groups)), *(masks.get(name, none) for name in SupportPlan._fields[1:]))


def _within(every: Int[Tensor, " n"], blocks: list[range]) -> Bool[Tensor, " n"]:
    """Mask of supports inside one of the blocks."""
    return torch.stack([every & ~mask(block) == 0 for block in blocks]).any(0)


def _num_across(block: int, num_modules: int, max_active: int) -> int:
    """The number of supports that mix a block of that size with the rest."""
    whole, one, other = (count_supports(size, max_active) for size in (num_modules, block, num_modules - block))
    return whole - one - other
