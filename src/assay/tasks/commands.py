"""Commands of fixed slots, queried action by action: which action is at step t of `jump around left twice and walk`?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.stats import keyed_generator
from assay.task import Part
from assay.tasks.slots import Derived, SlotTask, Values
from assay.tasks.tuples import ravel

Novel = Literal["random", "primitive", "template", "length"]
VERBS = ("turn", "jump", "walk", "look", "run", "push", "wave", "sing")
MANNERS = ("none", "opposite", "around")
DIRECTIONS = ("none", "left", "right")
TIMES = ("once", "twice", "thrice")
CONJUNCTIONS = ("none", "and", "after")
PHRASE = ("verb", "manner", "direction", "times")
LONGEST = 16
PRIMITIVE = 1  # the verb held out by `novel=primitive`


@dataclass(frozen=True, kw_only=True)
class Commands(SlotTask):
    """The action at step t of a command, or its end. The grammar follows SCAN (Lake, Baroni 2018, arXiv 1711.00350) and gives
    every tuple an answer.

    A phrase is a verb, a manner, a direction and a number of times. With a direction it is T A, `opposite` T T A, `around` T A
    T A, where T turns in that direction and A is the action of the verb; the whole is repeated. Without a direction there are
    no turns, and the verb `turn` has no action. With two phrases, `and` executes the second after the first, `after` the first
    after the second, and without a conjunction the second is not executed. The combination is the command, all slots but t. The
    length of each phrase is a part too.

    **Arguments:** those of `SlotTask`, and

    - `num_verbs`: 2 to 8, the first of them `turn`.
    - `phrases`: 1 or 2; `max_times`: 2 or 3. No command may have more than 16 actions: 3 times only with one phrase.
    - `steps`: the bound of t; at most the length of the longest command plus one.
    - `novel`: `random` commands; `primitive`: the verb `jump` is trained only in commands without manner, direction and
      repetition; `template`: one pair of a manner and a direction is never trained; `length`: nor are commands longer than half
      the longest.
    """

    family: ClassVar[str] = "commands"
    num_verbs: int = 6
    phrases: int = 2
    max_times: int = 2
    steps: int = 8
    novel: Novel = "random"
    _actions: Int[Tensor, "p s"] = field(init=False, repr=False, compare=False)
    _lengths: Int[Tensor, " p"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        self._check_whole("num_verbs", 2, len(VERBS))
        self._check_whole("phrases", 1, 2)
        self._check_whole("max_times", 2, 3)
        if self._longest() > LONGEST:
            given = f"phrases={self.phrases}, max_times={self.max_times}"
            raise AssayError(
                f"commands: no command may have more than {LONGEST} actions", given=given, next_step="choose max_times=2"
            )
        self._check_whole("steps", 2, self._longest() + 1)
        self._check_choice("novel", get_args(Novel))
        super().__post_init__()

    def _longest(self) -> int:
        return 4 * self.max_times * self.phrases

    def _slot_parts(self) -> tuple[Part, ...]:
        values = (VERBS[: self.num_verbs], MANNERS, DIRECTIONS, TIMES[: self.max_times])
        first, second = ([Part(name + n, of) for name, of in zip(PHRASE, values, strict=True)] for n in "12")
        rest = (Part("conjunction", CONJUNCTIONS), *second) if self.phrases == 2 else ()
        return (*first, *rest, Part("t", tuple(str(step) for step in range(self.steps))))

    def _combined(self) -> tuple[str, ...]:
        return tuple(part.name for part in self._slot_parts()[:-1])

    def _alphabet(self, slot: str) -> str:
        return slot.rstrip("12")

    def _num_classes(self) -> int:
        """The actions of the verbs, two turns and the end."""
        return self.num_verbs + 2

    def _draw_rule(self, generator: Generator) -> None:
        """The actions of every phrase, padded with ends."""
        left, end = self.num_verbs - 1, self.num_verbs + 1
        rows: list[list[int]] = []
        for verb in range(self.num_verbs):
            action = [verb - 1] if verb else []
            for manner in MANNERS:
                for direction in range(3):
                    turn = [left + direction - 1] if direction else []
                    unit = {"none": turn + action, "opposite": 2 * turn + action, "around": 2 * (turn + action)}[manner]
                    rows += [times * unit for times in range(1, self.max_times + 1)]
        padded = [row + [end] * (4 * self.max_times + 1 - len(row)) for row in rows]
        self._set(_actions=torch.tensor(padded), _lengths=torch.tensor([len(row) for row in rows]))

    def _rule(self, values: Values) -> Int[Tensor, " n"]:
        t, early, last = values["t"], self._phrase(values, "1"), self._actions.shape[1] - 1
        if self.phrases == 1:
            return self._actions[early, t.clamp(max=last)]
        late, after = self._phrase(values, "2"), values["conjunction"] == 2
        early, late = torch.where(after, late, early), torch.where(after, early, late)
        behind = self._actions[late, (t - self._lengths[early]).clamp(0, last)]
        behind = torch.where(values["conjunction"] == 0, self.num_verbs + 1, behind)
        return torch.where(t < self._lengths[early], self._actions[early, t.clamp(max=last)], behind)

    def _phrase(self, values: Values, n: str) -> Int[Tensor, " n"]:
        sizes = (self.num_verbs, len(MANNERS), len(DIRECTIONS), self.max_times)
        return ravel([values[name + n] for name in PHRASE], sizes)

    def _derived(self) -> tuple[Derived, ...]:
        occurring = self._lengths.unique()
        lengths = tuple(str(length) for length in occurring.tolist())
        return tuple(
            Derived(
                Part(f"length{n}", lengths),
                tuple(name + n for name in PHRASE),
                lambda values, n=n: torch.searchsorted(occurring, self._lengths[self._phrase(values, n)]),
            )
            for n in "12"[: self.phrases]
        )

    def _novel(self, values: Values) -> Bool[Tensor, " c"] | None:
        if self.novel == "random":
            return None
        if self.novel == "length":
            lengths = self._lengths[self._phrase(values, "1")]
            if self.phrases == 2:
                lengths = lengths + self._lengths[self._phrase(values, "2")] * (values["conjunction"] != 0)
            return lengths > self._longest() // 2
        if self.novel == "primitive":
            return self._somewhere(values, self._is_primitive) & self._somewhere(values, _is_modified)
        generator = keyed_generator(self.seed, "commands template")
        manner, direction = (1 + int(torch.randint(2, (1,), generator=generator)) for _ in range(2))
        return self._somewhere(
            values, lambda values, n: (values[f"manner{n}"] == manner) & (values[f"direction{n}"] == direction)
        )

    def _always(self, values: Values) -> Bool[Tensor, " c"] | None:
        if self.novel != "primitive":
            return None
        return self._somewhere(values, self._is_primitive) & ~self._somewhere(values, _is_modified)

    def _is_primitive(self, values: Values, n: str) -> Bool[Tensor, " c"]:
        return values[f"verb{n}"] == PRIMITIVE

    def _somewhere(self, values: Values, holds: Callable[[Values, str], Tensor]) -> Bool[Tensor, " c"]:
        """Whether a condition holds in the first phrase, or in a second one that is executed."""
        first = holds(values, "1")
        return first if self.phrases == 1 else first | (holds(values, "2") & (values["conjunction"] != 0))


def _is_modified(values: Values, n: str) -> Bool[Tensor, " c"]:
    return (values[f"manner{n}"] != 0) | (values[f"direction{n}"] != 0) | (values[f"times{n}"] != 0)
