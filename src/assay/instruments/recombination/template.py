"""Answers that take many forward passes, read in one: combinations of one template, with the declared answer so far as input.

With the declared answer so far given, every step is right exactly if greedy decoding returns the declared answer: up to the
first wrong token both have the same input. So one pass shows whether a patched state is decoded correctly. Parts of a sequence
have fixed positions only among combinations in which the same parts are absent.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.figure import Level
from assay.instrument import NotEnough
from assay.novelty import ENOUGH, Novelty, novelty_of
from assay.objective import PAD, Objective
from assay.task import Examples, InputSpec, Part, Split, Swapped, SwapsParts, Task

MOST_DRAWN = 50_000  # examples drawn to find those of the template


def prefix_of(examples: Examples) -> str:
    """The input that is the target shifted by one behind a start token; empty where there is none. **Raises:** `NotEnough`
    where it is the only input."""
    found = next((name for name, values in examples.inputs.items() if _is_prefix(values, examples.targets)), "")
    if found and len(examples.inputs) == 1:
        raise NotEnough(
            f"the input {found} is the answer shifted by one and there is no other, so that an answer takes many passes, "
            "which share no state"
        )
    return found


def given(start: Int[Tensor, "1 1"], targets: Int[Tensor, "m t"]) -> Int[Tensor, "m t"]:
    """The shifted input for each target."""
    return torch.cat([start.expand(len(targets), 1), targets[:, :-1]], 1)


def one_template(task: Task, prefix: str, examples: Examples) -> Task:
    """The template with the most trained combinations, among those with enough novel ones of trained values.

    **Raises:** `NotEnough` where no part may be absent although an input has several lengths.
    """
    parts = [task.part(name) for name in task.combines]
    if all(part.absent is None for part in parts):
        several = [name for name, values in examples.inputs.items() if name != prefix and _has_lengths(values)]
        if several:
            raise NotEnough(
                f"the input {several[0]} has several lengths, and the task does not declare which part is then absent "
                "(`Part.absent`), so that parts have no place in it"
            )
        return task
    absent = torch.tensor([-1 if part.absent is None else part.values.index(part.absent) for part in parts])
    seen, novel = (task.combinations(split) for split in ("seen", "novel"))

    def size(pattern: Tensor) -> tuple[int, int]:
        have, new = (rows[_matching(rows, absent, pattern)] for rows in (seen, novel))
        known = torch.stack([torch.isin(new[:, k], have[:, k]) for k in range(len(parts))])
        return min(ENOUGH, int(known.all(0).sum())), len(have)

    pattern = max((seen == absent).unique(dim=0), key=size)
    return (_Swapping if isinstance(task, SwapsParts) else OneTemplate)(task, absent, pattern)


class OneTemplate(Task):
    """View of a task: the combinations in which certain parts, and no others, are absent. Parts that are constant there are
    left out."""

    parts: tuple[Part, ...]
    combines: tuple[str, ...]

    def __init__(self, whole: Task, absent: Int[Tensor, " k"], pattern: Bool[Tensor, " k"]):
        self._whole, self._absent, self._pattern = whole, absent, pattern
        self._columns = [k for k, column in enumerate(self._rows("seen").T) if len(column.unique()) > 1]
        self.combines = tuple(whole.combines[k] for k in self._columns)
        left_out = {*whole.combines} - {*self.combines}
        self.parts = tuple(part for part in whole.parts if not left_out & {part.name, *part.of})

    @property
    def address(self) -> str:
        return self._whole.address

    @property
    def input_spec(self) -> InputSpec | None:
        return self._whole.input_spec

    @property
    def objective(self) -> Objective:
        return self._whole.objective

    @property
    def level(self) -> Level:  # pyrefly: ignore[bad-override]  (of the task)
        return self._whole.level

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        return self._rows(split)[:, self._columns]

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        found = self._whole.examples(split, MOST_DRAWN if n else 0, generator=generator)
        rows = torch.stack([found.parts[name] for name in self._whole.combines], 1)
        found = found.take(_matching(rows, self._absent, self._pattern).nonzero()[:n, 0])
        return replace(found, combination=self.combination_id(found.parts))

    def combination_id(self, parts: Mapping[str, Int[Tensor, " n"]]) -> Int[Tensor, " n"]:
        """Ids of the whole task, so that all instruments share them; parts left out have a single value here."""
        fixed = self._rows("seen")[0].tolist()
        like = parts[self.combines[0]]
        given = {name: torch.full_like(like, value) for name, value in zip(self._whole.combines, fixed, strict=True)}
        return self._whole.combination_id({**given, **{name: parts[name] for name in self.combines}})

    def novelty(self, combinations: Int[Tensor, "c k"]) -> Novelty:
        """Kinds with respect to all trained combinations, including other templates."""
        rows = self._rows("seen")[:1].repeat(len(combinations), 1)
        rows[:, self._columns] = combinations
        listed = len(self._whole.combinations("novel"))
        found = novelty_of(self._whole) if listed else novelty_of(self._whole, rows)
        if found.unknown:
            return found
        kinds = found.of(self._whole.combination_id(dict(zip(self._whole.combines, rows.T, strict=True))))
        ids, order = self.combination_id(dict(zip(self.combines, combinations.T, strict=True))).sort()
        return replace(found, ids=ids, kinds=tuple(kinds[k] for k in order.tolist()))

    def _rows(self, split: Split) -> Int[Tensor, "c n"]:
        rows = self._whole.combinations(split)
        return rows[_matching(rows, self._absent, self._pattern)]


class _Swapping(OneTemplate):
    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        assert isinstance(self._whole, SwapsParts)
        found = self._whole.swap(base, source, part)
        return found._replace(combination=self.combination_id(found.parts))


def _matching(rows: Int[Tensor, "c n"], absent: Int[Tensor, " n"], pattern: Bool[Tensor, " n"]) -> Bool[Tensor, " c"]:
    return ((rows == absent) == pattern).all(1)


def _has_lengths(values: Tensor) -> bool:
    """Whether rows of tokens end in different numbers of padding tokens."""
    if values.ndim != 2 or values.is_floating_point():
        return False
    return len((values.flip(1).cumsum(1) == PAD).sum(1).unique()) > 1


def _is_prefix(values: Tensor, targets: Tensor) -> bool:
    """Whether a sequence is the target shifted by one behind a start token."""
    if values.ndim != 2 or values.shape != targets.shape or values.shape[1] < 2 or values.is_floating_point():
        return False
    real = targets[:, 1:] != PAD
    return bool(real.any()) and bool((values[:, 1:] == targets[:, :-1])[real].all())
