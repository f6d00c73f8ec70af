"""Random draws of supports under the connectivity conditions of a kind."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.tasks.supports.masks import coverage, indicator, mask, num_active

_TRIES = 200
Hotness = tuple[int, ...]
"""Numbers of supports with one active module, two, and so on."""


def hotness_text(hotness: Hotness) -> str:
    """A hotness as written in an address: `7-12-8`."""
    return "-".join(map(str, hotness))


@dataclass(frozen=True)
class SupportRule:
    """Conditions on every draw of supports.

    **Attributes:**

    - `kind`: for messages.
    - `num_modules`, `max_active`: of the task.
    - `groups`: the modules of each connected component, in ascending order. The components must be exactly these.
    - `balanced`: whether numbers of occurrences of modules may differ by at most one.
    """

    kind: str
    num_modules: int
    max_active: int
    groups: tuple[tuple[int, ...], ...]
    balanced: bool
    generator: Generator

    def draw(self, pool: Int[Tensor, " n"], wanted: int | Hotness, request: str) -> Int[Tensor, " k"]:
        """Supports of the ascending pool, drawn uniformly: a total number, or a number of each hotness.

        **Raises:** `AssayError` that names the request, the violated condition and the nearest possible request.
        """
        stratum, available = self._strata(pool, wanted)
        room = (wanted,) if isinstance(wanted, int) else wanted
        self._check_room(room, available, wanted, request)
        drawn = self._try(pool, stratum, room)
        if drawn is not None:
            return drawn
        nearest = next(more for more in _grown(room, available) if self._try(pool, stratum, more) is not None)
        groups = " and ".join(f"modules {group[0]} to {group[-1]}" for group in self.groups)
        even = ", and no module may occur more than once more often than another" if self.balanced else ""
        nearest_request = f"at least {nearest[0]} supports" if isinstance(wanted, int) else f"hotness={hotness_text(nearest)}"
        raise AssayError(
            f"supports: of kind {self.kind}, {groups} must all occur and be connected by being active together{even}",
            given=f"{request}: {sum(room)} of {len(pool)} supports",
            next_step=f"train {nearest_request}, the nearest for which such a choice was found",
        )

    def _strata(self, pool: Int[Tensor, " n"], wanted: int | Hotness) -> tuple[Int[Tensor, " n"], Hotness]:
        """The stratum of `wanted` of each support, and the number of supports in each."""
        if isinstance(wanted, int):
            return torch.zeros_like(pool), (len(pool),)
        stratum = num_active(pool, self.num_modules) - 1
        return stratum, tuple(torch.bincount(stratum, minlength=len(wanted)).tolist())

    def _check_room(self, room: Hotness, available: Hotness, wanted: int | Hotness, request: str) -> None:
        if isinstance(wanted, int):
            if not 1 <= wanted <= available[0]:
                raise AssayError(
                    f"supports: {self.kind} has 1 to {available[0]} trainable supports", given=f"{request}: {wanted} of them"
                )
        elif any(needed > there for needed, there in zip(room, available, strict=True)):
            nearest = tuple(map(min, room, available))
            raise AssayError(
                f"supports: {self.kind} has {hotness_text(available)} trainable supports with 1 to {self.max_active} active "
                "modules, and no more of any of these can be trained",
                given=request,
                next_step=f"choose hotness={hotness_text(nearest)}, which is {sum(nearest)} supports",
            )

    def _try(self, pool: Int[Tensor, " n"], stratum: Int[Tensor, " n"], room: Hotness) -> Int[Tensor, " k"] | None:
        """Uniform draws until one fits; else draws around a random connected core."""
        # A support of h modules connects at most h - 1 others to one: without enough of these no draw can fit.
        joins = room[0] * (self.max_active - 1) if len(room) == 1 else sum(size * count for size, count in enumerate(room))
        if joins < sum(len(group) - 1 for group in self.groups):
            return None
        for attempt in range(_TRIES):
            chosen = torch.zeros(len(pool), dtype=torch.bool)
            if attempt >= _TRIES // 2:
                order = torch.randperm(len(pool), generator=self.generator)
                chosen[order[self._core(pool[order], stratum[order], room)]] = True
            for number, count in enumerate(room):
                free = ((stratum == number) & ~chosen).nonzero().flatten()
                missing = count - int((chosen & (stratum == number)).sum())
                chosen[free[torch.randperm(len(free), generator=self.generator)[:missing]]] = True
            if self.balanced:
                self._balance(pool, chosen)
            covered = coverage(pool[chosen], self.num_modules)
            if covered.components == self.groups and (not self.balanced or max(covered.usage) - min(covered.usage) <= 1):
                return pool[chosen]
        return None

    def _core(self, pool: Int[Tensor, " n"], stratum: Int[Tensor, " n"], room: Hotness) -> Int[Tensor, " k"]:
        """Rows of few supports that connect each group: always the first of those that add the most new modules."""
        core: list[int] = []
        left = torch.tensor(room)
        for group in self.groups:
            inside = pool & ~mask(group) == 0
            joined = 0
            while joined != mask(group):
                touching = (inside & (left[stratum] > 0) & (joined == 0 or pool & joined != 0)).nonzero().flatten()
                gains = num_active(pool[touching] & ~joined, self.num_modules)
                if gains.numel() == 0 or int(gains.max()) == 0:
                    break
                core.append(int(touching[gains.argmax()]))
                left[stratum[core[-1]]] -= 1
                joined |= int(pool[core[-1]])
        return torch.tensor(core, dtype=torch.int64)

    def _balance(self, pool: Int[Tensor, " n"], chosen: Bool[Tensor, " n"]) -> None:
        """Exchange the most used module for the least used one, within supports and in place, until no exchange is possible or
        needed."""
        usage = indicator(pool[chosen], self.num_modules).sum(0)
        while True:
            most, least = int(usage.argmax()), int(usage.argmin())
            half = int(usage[most] - usage[least]) // 2  # more exchanges at once would reverse the difference
            rows = (chosen & (pool >> most & 1 == 1) & (pool >> least & 1 == 0)).nonzero().flatten()
            rows = rows[torch.randperm(len(rows), generator=self.generator)]
            exchanged = pool[rows] ^ mask([most, least])
            places = torch.searchsorted(pool, exchanged).clamp(max=len(pool) - 1)
            possible = ((pool[places] == exchanged) & ~chosen[places]).nonzero().flatten()[:half]
            if not len(possible):
                return
            chosen[rows[possible]] = False
            chosen[places[possible]] = True
            usage[most] -= len(possible)
            usage[least] += len(possible)


def _grown(room: Hotness, available: Hotness) -> Iterator[Hotness]:
    """Requests with one support more each, first of those that connect the most modules."""
    grown = list(room)
    for size in reversed(range(len(room))):
        while grown[size] < available[size]:
            grown[size] += 1
            yield tuple(grown)
