"""Supports: which modules are active together, as integer bitmasks (bit m is module m), and which of them are trained.

After Schug et al. 2024 (arXiv 2312.15001) and Redhardt, Akram and Schug 2025 (arXiv 2507.07207). Arrays of
bitmasks instead of sets of tuples: half a million supports are split in well under a second.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.coverage import connected_groups
from assay.errors import AssayError

Kind = Literal["random", "equal", "two_halves", "non_compositional"]
KINDS: tuple[Kind, ...] = get_args(Kind)
HELD_OUT = 0.25
_TRIES = 200
_MAX_MODULES = 62  # of a signed 64-bit mask
_MAX_SUPPORTS = 4_000_000


class Supports(NamedTuple):
    """Bitmasks in ascending order. A trainable support that `num_train` leaves out is in neither."""

    trained: Int[Tensor, " a"]
    novel: Int[Tensor, " b"]


class SupportCoverage(NamedTuple):
    """**Attributes:**

    - `usage`: in how many supports each module is.
    - `components`: for every group of modules that hang together by being active together, its modules in order.
      A module that is in no support is in no group.
    """

    usage: tuple[int, ...]
    components: tuple[tuple[int, ...], ...]

    @property
    def connected(self) -> bool:
        """Every module occurs, and all of them hang together."""
        return len(self.components) == 1 and min(self.usage) > 0


def all_supports(num_modules: int, max_active: int) -> Int[Tensor, " n"]:
    """Every set of 1 to `max_active` modules, ascending: sum over h of (M choose h) of them."""
    none = torch.zeros(0, dtype=torch.int64)
    by_size = [torch.zeros(1, dtype=torch.int64), *[none] * max_active]
    for module in range(num_modules):  # Pascal's rule: with the module, or without it
        for size in range(max_active, 0, -1):
            by_size[size] = torch.cat([by_size[size], by_size[size - 1] | 1 << module])
    return torch.cat(by_size[1:]).sort().values


def indicator(supports: Int[Tensor, " n"], num_modules: int) -> Bool[Tensor, "n m"]:
    """True where the module is in the support."""
    return (supports[:, None] >> torch.arange(num_modules) & 1).bool()


def coverage(supports: Int[Tensor, " n"], num_modules: int) -> SupportCoverage:
    """What the supports cover, by boolean closure of the graph of modules that are active together."""
    present = indicator(supports, num_modules)
    return SupportCoverage(tuple(present.sum(0).tolist()), connected_groups(present))


def identifies(supports: Int[Tensor, " n"], num_modules: int, *, fixed_weights: bool) -> bool:
    """Whether data from these supports can tell the modules of the hyperteacher apart (Schug et al. 2024, theorem 1).

    Every module must occur, and all must hang together: else the hidden units of one group may be permuted against those
    of another. When the amounts of the active modules vary, the mixtures of one support already separate its modules.
    With amounts fixed to 1 only sums over supports are seen, and these fix the modules when the supports span all of them.
    """
    if not coverage(supports, num_modules).connected:
        return False
    return not fixed_weights or int(torch.linalg.matrix_rank(indicator(supports, num_modules).double())) == num_modules


def split_supports(
    kind: Kind,
    *,
    num_modules: int,
    max_active: int,
    generator: Generator,
    held_out: float | None = None,
    num_train: int | None = None,
) -> Supports:
    """Which supports are trained and which are novel.

    | kind | trained | novel |
    | --- | --- | --- |
    | `random` | drawn at random; every module occurs and all hang together | the share `held_out` |
    | `equal` | the same, and no module occurs more than once more often than another | the share `held_out` |
    | `two_halves` | those inside the first or inside the second half of the modules | those across |
    | `non_compositional` | those without the last module | those with it |

    **Arguments:**

    - `held_out`: for `random` and `equal` only; 0.25 unless given.
    - `num_train`: draw that many of the trained supports, keeping what the table says of them; the novel ones stay.

    **Raises:** `AssayError` naming the condition that cannot be met, and the nearest request that can.
    """
    _check_sizes(kind, num_modules, max_active, held_out)
    every = all_supports(num_modules, max_active)
    groups = _GROUPS[kind](num_modules)
    rule = _Rule(kind, num_modules, tuple(tuple(group) for group in groups), balanced=kind == "equal", generator=generator)
    if kind in ("random", "equal"):
        num_novel = math.floor((HELD_OUT if held_out is None else held_out) * len(every))
        if num_novel < 1:
            raise AssayError(
                f"hyperteacher: held_out must leave at least one of the {len(every)} supports out",
                given=HELD_OUT if held_out is None else held_out,
                next_step=f"choose held_out of at least {math.ceil(1e4 / len(every)) / 1e4}",
            )
        pool = rule.draw(every, len(every) - num_novel, f"held_out={HELD_OUT if held_out is None else held_out}")
    else:
        pool = every[torch.stack([every & ~_mask(group) == 0 for group in groups]).any(0)]
    novel = every[~torch.isin(every, pool)]
    trained = pool if num_train is None else rule.draw(pool, num_train, f"num_train={num_train}")
    return Supports(trained, novel)


_GROUPS: dict[Kind, Callable[[int], list[range]]] = {
    "random": lambda num_modules: [range(num_modules)],
    "equal": lambda num_modules: [range(num_modules)],
    "two_halves": lambda num_modules: [range(num_modules // 2), range(num_modules // 2, num_modules)],
    "non_compositional": lambda num_modules: [range(num_modules - 1)],
}
"""Which modules hang together, exactly, in the trained supports."""


@dataclass(frozen=True)
class _Rule:
    """What every draw of trained supports must keep."""

    kind: Kind
    num_modules: int
    groups: tuple[tuple[int, ...], ...]
    balanced: bool
    generator: Generator

    def draw(self, pool: Int[Tensor, " n"], n: int, request: str) -> Int[Tensor, " k"]:
        """`n` supports of the ascending pool, or an `AssayError` that names the request and the nearest that can be met."""
        if not 1 <= n <= len(pool):
            raise AssayError(
                f"hyperteacher: {self.kind} has 1 to {len(pool)} trainable supports", given=f"{request}: {n} of them"
            )
        drawn = self._try(pool, n)
        if drawn is not None:
            return drawn
        nearest = next(more for more in range(n + 1, len(pool) + 1) if self._try(pool, more) is not None)
        groups = " and ".join(f"modules {group[0]} to {group[-1]}" for group in self.groups)
        even = ", and no module may occur more than once more often than another" if self.balanced else ""
        raise AssayError(
            f"hyperteacher: with {self.kind} supports {groups} must all occur and hang together by being active together{even}",
            given=f"{request}: {n} of {len(pool)} supports",
            next_step=f"train at least {nearest} supports, the nearest number for which such a choice was found",
        )

    def _try(self, pool: Int[Tensor, " n"], n: int) -> Int[Tensor, " k"] | None:
        """Uniform draws until one fits; when none does, draws around a random core that hangs together."""
        for attempt in range(_TRIES):
            chosen = torch.zeros(len(pool), dtype=torch.bool)
            if attempt >= _TRIES // 2:
                shuffled = pool[torch.randperm(len(pool), generator=self.generator)]
                chosen[torch.searchsorted(pool, self._core(shuffled)[:n])] = True
            free = (~chosen).nonzero().flatten()
            more = torch.randperm(len(free), generator=self.generator)[: n - int(chosen.sum())]
            chosen[free[more]] = True
            if self.balanced:
                self._balance(pool, chosen)
            covered = coverage(pool[chosen], self.num_modules)
            if covered.components == self.groups and (not self.balanced or max(covered.usage) - min(covered.usage) <= 1):
                return pool[chosen]
        return None

    def _core(self, pool: Int[Tensor, " n"]) -> Int[Tensor, " k"]:
        """Few supports that join each group: always the first of those that bring in the most new modules."""
        core: list[int] = []
        for group in self.groups:
            inside = pool[pool & ~_mask(group) == 0]
            joined = 0
            while joined != _mask(group):
                touching = inside if joined == 0 else inside[inside & joined != 0]
                gains = indicator(touching & ~joined, self.num_modules).sum(1)
                if gains.numel() == 0 or int(gains.max()) == 0:
                    break
                core.append(int(touching[gains.argmax()]))
                joined |= core[-1]
        return torch.tensor(core)

    def _balance(self, pool: Int[Tensor, " n"], chosen: Bool[Tensor, " n"]) -> None:
        """In place: exchange the most used module for the least used one, within supports, until no exchange is possible
        or needed."""
        usage = indicator(pool[chosen], self.num_modules).sum(0)
        while True:
            most, least = int(usage.argmax()), int(usage.argmin())
            half = int(usage[most] - usage[least]) // 2  # to exchange more at once would turn the difference around
            rows = (chosen & (pool >> most & 1 == 1) & (pool >> least & 1 == 0)).nonzero().flatten()
            rows = rows[torch.randperm(len(rows), generator=self.generator)]
            exchanged = pool[rows] ^ _mask([most, least])
            places = torch.searchsorted(pool, exchanged).clamp(max=len(pool) - 1)
            possible = ((pool[places] == exchanged) & ~chosen[places]).nonzero().flatten()[:half]
            if not len(possible):
                return
            chosen[rows[possible]] = False
            chosen[places[possible]] = True
            usage[most] -= len(possible)
            usage[least] += len(possible)


def _mask(modules: Iterable[int]) -> int:
    return sum(1 << module for module in modules)


def _check_sizes(kind: Kind, num_modules: int, max_active: int, held_out: float | None) -> None:
    if not 2 <= num_modules <= _MAX_MODULES:
        raise AssayError(f"hyperteacher: num_modules must be 2 to {_MAX_MODULES}", given=num_modules)
    if not 2 <= max_active <= num_modules:
        raise AssayError(
            f"hyperteacher: max_active must be 2 to num_modules, which is {num_modules}; with one there is nothing to combine",
            given=max_active,
        )
    total = sum(math.comb(num_modules, size) for size in range(1, max_active + 1))
    if total > _MAX_SUPPORTS:
        raise AssayError(
            f"hyperteacher: at most {_MAX_SUPPORTS} supports can be listed",
            given=f"{total} for {num_modules} modules with up to {max_active} active",
            next_step="choose a smaller max_active or num_modules",
        )
    if held_out is not None and kind not in ("random", "equal"):
        raise AssayError(
            f"hyperteacher: {kind} fixes the novel supports, so it takes no held_out", given=f"held_out={held_out}"
        )
    if held_out is not None and not 0 < held_out < 1:
        raise AssayError("hyperteacher: held_out is a share and must lie between 0 and 1", given=held_out)
