"""The choice of trained and of novel supports."""

import math
import re
from collections.abc import Callable, Sequence
from operator import sub
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.tasks.supports.draw import Hotness, SupportRule, hotness_text
from assay.tasks.supports.kinds import HOLDS_OUT_A_SHARE, Kind, Request, novel_bounds, plan
from assay.tasks.supports.masks import MAX_MODULES, all_supports, count_supports, num_active, supports_by_size

HELD_OUT = 0.25
_MAX_SUPPORTS = 4_000_000


class Supports(NamedTuple):
    """Bitmasks in ascending order. A trainable support that is not trained is in neither."""

    trained: Int[Tensor, " a"]
    novel: Int[Tensor, " b"]


def split_supports(
    kind: Kind,
    *,
    num_modules: int,
    max_active: int,
    generator: Generator,
    held_out: float | None = None,
    num_train: int | str | None = None,
    hotness: str | None = None,
    novel_hotness: int | None = None,
) -> Supports:
    """Divide supports (sets of modules that are active together) into trained and novel ones.

    | kind | trained | novel |
    | --- | --- | --- |
    | `random` | drawn at random; every module occurs and all are connected | a share |
    | `equal` | the same, and no module occurs more than once more often than another | a share |
    | `popular_modules` | all that have one of the first few modules, some with the next one | a share: the others |
    | `unpopular_modules` | all of a core, some with the next module, one for each of the rest | a share: the others |
    | `two_halves` | inside the first or inside the second half of the modules | those across |
    | `connected` | single modules, and pairs one or two apart on a ring | pairs in neither this row nor the next |
    | `disconnected` | single modules, and pairs inside one half | the same as for `connected` |
    | `pseudo_random_disconnected` | inside one of two blocks of modules, but for a few | a share: all across, and the few |
    | `non_compositional` | without the last module | those with it |

    A core is the first few modules. The blocks of `pseudo_random_disconnected` are as even as the share allows and have at
    least two modules each, so that no module is trained only alone or not at all.

    **Arguments:**

    - `held_out`: the share, for the kinds that have one. 0.25 unless given, or for `pseudo_random_disconnected` the least that
      two blocks allow, where that is more.
    - `num_train`: draw that many of the trained supports, so that the table still holds; the novel ones stay. A number, or a
      rule of growth with the number of modules: `3.5M` (linear) or `0.5M^2` (quadratic), rounded down.
    - `hotness`: numbers of trained supports with one active module, with two, and so on, such as `7-12-8`. Kinds with the same
      `hotness` have as many supports of each size. `random` and `equal` hold out supports that it leaves over.
    - `novel_hotness`: only supports of that many modules are novel. `random` and `equal` then hold out the share (up to 1) of
      these, and no others. If it exceeds `max_active`, all supports of that size are novel, and `random` and `equal` hold out
      nothing else.

    **Raises:** `AssayError` naming the condition that cannot be met, and the nearest request that can.

    Example::

        >>> from assay.tasks.supports import coverage, split_supports
        >>> generator = torch.Generator().manual_seed(0)
        >>> split = split_supports("random", num_modules=8, max_active=3, hotness="7-12-8", generator=generator)
        >>> coverage(split.trained, 8).hotness, coverage(split.novel, 8).hotness  # supports with one, two and three modules
        ((7, 12, 8), (0, 6, 17))
    """
    _check_sizes(num_modules, max_active, novel_hotness)
    wanted = _wanted(num_train, hotness, num_modules, max_active)
    by_size = tuple(math.comb(num_modules, size) for size in range(1, max_active + 1))
    num_held, held_by_size = _held_out(kind, held_out, wanted, by_size, novel_hotness)
    every = all_supports(num_modules, max_active)
    request = Request(every, num_modules, max_active, len(every) - num_held, generator)
    groups, kept, filler, neither = plan(kind, request)
    rule = SupportRule(kind, num_modules, max_active, groups, balanced=kind == "equal", generator=generator)
    trainable = kept
    if kept.any():
        free = filler.nonzero().flatten()
        extra = torch.randperm(len(free), generator=generator)[: request.num_trainable - int(kept.sum())]
        trainable = kept.index_fill(0, free[extra], True)
    else:
        target = request.num_trainable if held_by_size is None else tuple(map(sub, by_size, held_by_size))
        held = f"held_out={HELD_OUT if held_out is None else held_out}"
        trainable = torch.isin(every, rule.draw(every[filler], target, held))
    trained = every[trainable]
    if wanted is not None:
        trained = rule.draw(trained, wanted, f"num_train={num_train}" if hotness is None else f"hotness={hotness}")
    return Supports(trained, _novel(kind, every[~trainable & ~neither], num_modules, max_active, novel_hotness))


def _held_out(
    kind: Kind, held_out: float | None, wanted: int | Hotness | None, by_size: Hotness, novel_hotness: int | None
) -> tuple[int, Hotness | None]:
    """The number of held-out supports, and for `random` and `equal`, where it matters, the number of each size."""
    if kind not in HOLDS_OUT_A_SHARE:
        if held_out is not None:
            raise AssayError(
                f"supports: {kind} fixes the novel supports, so it takes no held_out", given=f"held_out={held_out}"
            )
        return 0, None
    even = kind in ("random", "equal")
    if even and novel_hotness is not None and novel_hotness > len(by_size):
        if held_out is not None:
            raise AssayError(
                f"supports: {kind} holds nothing out when the novel supports have more modules than max_active={len(by_size)}",
                given=f"novel_hotness={novel_hotness} and held_out={held_out}",
                next_step="leave held_out out; num_train and hotness say how many supports are trained",
            )
        return 0, None
    only = novel_hotness if even else None  # the only size that may be held out
    of = sum(by_size) if only is None else by_size[only - 1]
    num = _share_of(kind, held_out, of, by_size, whole=only is not None)
    if not even or (only is None and not isinstance(wanted, tuple)):
        return num, None
    quota = wanted if isinstance(wanted, tuple) else (0,) * len(by_size)
    free = [
        max(0, there - needed) if only in (None, size) else 0
        for size, (there, needed) in enumerate(zip(by_size, quota, strict=True), 1)
    ]
    if num > sum(free):
        raise AssayError(
            "supports: a support that is held out cannot be trained",
            given=f"{num} to hold out, but hotness={hotness_text(quota)} leaves {sum(free)} of {of}",
            next_step=f"choose a smaller hotness, or held_out of at most {_rounded(sum(free) / of, math.floor)}",
        )
    return num, _apportioned(num, free)


def _share_of(kind: Kind, held_out: float | None, of: int, by_size: Hotness, *, whole: bool) -> int:
    """The number for a share, checked against the bounds of the kind."""
    share = HELD_OUT if held_out is None else held_out
    if not (0 < share < 1 or (whole and share == 1)):
        raise AssayError("supports: held_out is a share and must lie between 0 and 1", given=share)
    fewest, most = (1, of) if whole else novel_bounds(kind, by_size[0], len(by_size))
    num = math.floor(share * of)
    if held_out is None:
        num = max(num, fewest)
    if not fewest <= num <= most:
        near = f"least {_rounded(fewest / of, math.ceil)}" if num < fewest else f"most {_rounded(most / of, math.floor)}"
        raise AssayError(
            f"supports: {kind} must hold out {fewest} to {most} of {of} supports",
            given=f"held_out={share}, which is {num}",
            next_step=f"choose held_out of at {near}",
        )
    return num


def _novel(
    kind: Kind, novel: Int[Tensor, " n"], num_modules: int, max_active: int, novel_hotness: int | None
) -> Int[Tensor, " k"]:
    """The novel supports of the requested size."""
    if novel_hotness is None:
        return novel
    if novel_hotness > max_active:
        return supports_by_size(num_modules, novel_hotness)[novel_hotness].sort().values
    size = num_active(novel, num_modules)
    if not (size == novel_hotness).any():
        raise AssayError(
            f"supports: {kind} must have novel supports with as many active modules as asked for",
            given=f"novel_hotness={novel_hotness}",
            choices=[str(known) for known in size.unique().tolist()],
        )
    return novel[size == novel_hotness]


def _wanted(num_train: int | str | None, hotness: str | None, num_modules: int, max_active: int) -> int | Hotness | None:
    """The number of supports to train, or the number of each size; None for all."""
    if hotness is not None:
        if num_train is not None:
            raise AssayError(
                "supports: hotness fixes how many supports are trained, so it takes no num_train",
                given=f"hotness={hotness} and num_train={num_train}",
            )
        if not re.fullmatch(r"\d{1,9}(-\d{1,9})*", hotness) or hotness.count("-") != max_active - 1:
            raise AssayError(
                f"supports: hotness must be {max_active} numbers joined by hyphens: how many trained supports have 1 to "
                f"{max_active} active modules",
                given=hotness or "nothing",
            )
        return tuple(map(int, hotness.split("-")))
    if not isinstance(num_train, str):
        return num_train
    rule = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)M(\^2)?", num_train)
    if rule is None:
        raise AssayError(
            "supports: num_train must be a number of supports, or grow with the number of modules M as in 3.5M or 0.5M^2",
            given=num_train or "nothing",
        )
    return math.floor(float(rule[1]) * num_modules ** (2 if rule[2] else 1))


def _apportioned(num: int, weights: Sequence[int]) -> Hotness:
    """`num` items apportioned in proportion to the weights, and never more than them, by largest remainder."""
    total = max(1, sum(weights))
    dealt = [num * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda size: -(num * weights[size] % total))
    for size in by_remainder[: num - sum(dealt)]:
        dealt[size] += 1
    return tuple(dealt)


def _rounded(share: float, direction: Callable[[float], int]) -> float:
    return direction(1e6 * share) / 1e6


def _check_sizes(num_modules: int, max_active: int, novel_hotness: int | None) -> None:
    if not 2 <= num_modules <= MAX_MODULES:
        raise AssayError(f"supports: num_modules must be 2 to {MAX_MODULES}", given=num_modules)
    if not 2 <= max_active <= num_modules:
        raise AssayError(
            f"supports: max_active must be 2 to num_modules, which is {num_modules}; with one there is nothing to combine",
            given=max_active,
        )
    if novel_hotness is not None and not 1 <= novel_hotness <= num_modules:
        raise AssayError(f"supports: novel_hotness must be 1 to num_modules, which is {num_modules}", given=novel_hotness)
    total = count_supports(num_modules, max(max_active, novel_hotness or 0))
    if total > _MAX_SUPPORTS:
        raise AssayError(
            f"supports: at most {_MAX_SUPPORTS} supports can be listed",
            given=f"{total} for {num_modules} modules with up to {max(max_active, novel_hotness or 0)} active",
            next_step="choose a smaller max_active, novel_hotness or num_modules",
        )
