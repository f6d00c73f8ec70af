"""Base of tasks with finitely many tuples: one token in every slot and a rule that answers with a class."""

import copy
import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.bounds import check_seed, is_whole
from assay.errors import AssayError
from assay.objective import Classification
from assay.stats import keyed_generator
from assay.task import Examples, InputSpec, Part, Split, Swapped, Task, Tokens
from assay.tasks.novelty import draw_trained
from assay.tasks.tuples import draw_few, ravel, unravel

Values = Mapping[str, Int[Tensor, " n"]]
"""The value indices of every slot, by its name."""
Targets = Literal["rule", "table"]
Cue = Literal["none", "free", "answer"]
MOST_TUPLES = 5_000_000


@dataclass(frozen=True)
class Derived:
    """A part that follows from some slots, such as an intermediate result.

    **Attributes:**

    - `of`: the slots that it follows from; they are exchanged together when the part is.
    - `value`: a function from the value indices of the slots to its own.
    """

    part: Part
    of: tuple[str, ...]
    value: Callable[[Values], Int[Tensor, " n"]]


@dataclass(frozen=True, kw_only=True)
class SlotTask(Task):
    """A task on tuples: slot k holds one of the values of part k, and `_rule` gives the class of the tuple.

    The input `tokens` is `(n, slots)`. Slots of one alphabet share their tokens. Some slots make up the combination, the others
    vary freely. Parts are the slots and whatever is derived from them.

    **Arguments:**

    - `coverage`: the share of all combinations that is trained. Every value of every combined slot is in at least one.
    - `targets`: `rule`, or `table`: the answers of the rule permuted over all tuples, which preserves sizes and marginals and
      removes all composition. The declared parts are then wrong.
    - `cue`: one more token after the slots. `answer`: the answer in trained combinations and a random class in novel ones, a
      shortcut that is perfect in distribution. `free`: a random class everywhere; `none`: no such token.
    - `seed`: random seed of the rule and of the choice of combinations.
    """

    family: ClassVar[str]
    quiet: ClassVar[tuple[str, ...]] = ("targets", "cue", "novel")
    """Options that the address omits at their default."""
    coverage: float = 0.8
    targets: Targets = "rule"
    cue: Cue = "none"
    seed: int = 0
    parts: tuple[Part, ...] = field(init=False, repr=False)
    combines: tuple[str, ...] = field(init=False, repr=False)
    _slots: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _chosen: Mapping[Split, Int[Tensor, " c"]] = field(init=False, repr=False, compare=False)
    _table: Int[Tensor, " tuples"] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        self._check_choice("targets", get_args(Targets))
        self._check_choice("cue", get_args(Cue))
        if not 0 < self.coverage < 1:
            raise AssayError(
                f"{self.family}: coverage is the trained share of combinations and must lie between 0 and 1",
                given=self.coverage,
            )
        check_seed(f"{self.family}: seed", self.seed)
        self._check_size()
        generator = Generator().manual_seed(self.seed)
        self._draw_rule(generator)
        slots = self._slot_parts()
        self._set(
            parts=(*slots, *(replace(derived.part, of=derived.of) for derived in self._derived())),
            combines=self._combined(),
            _slots=tuple(part.name for part in slots),
        )
        self._set(_chosen=self._choose(generator))
        self._set(_table=self._dealt() if self.targets == "table" else None)

    # Defined by a family

    @abstractmethod
    def _slot_parts(self) -> tuple[Part, ...]:
        """The slots, in the order of the input."""

    @abstractmethod
    def _combined(self) -> tuple[str, ...]:
        """The slots that make up a combination."""

    @abstractmethod
    def _num_classes(self) -> int:
        """The number of answers."""

    @abstractmethod
    def _rule(self, values: Values) -> Int[Tensor, " n"]:
        """The class of every tuple."""

    def _num_tuples(self) -> int:
        """The number of tuples of all values of all slots; from the options alone where these may be of any size."""
        return math.prod(len(part.values) for part in self._slot_parts())

    def _draw_rule(self, generator: Generator) -> None:
        """Draw the random parts of the rule."""

    def _derived(self) -> tuple[Derived, ...]:
        """Parts that follow from slots."""
        return ()

    def _alphabet(self, slot: str) -> str:
        """The name of a slot's alphabet. Slots of one alphabet share their tokens, value by value."""
        return slot

    def _novel(self, values: Values) -> Bool[Tensor, " c"] | None:
        """Combinations that are never trained, for a rule of novelty; None when chance decides."""
        return None

    def _always(self, values: Values) -> Bool[Tensor, " c"] | None:
        """Combinations that are trained whatever the coverage."""
        return None

    def _inputs(self, tokens: Int[Tensor, "n slots"]) -> dict[str, Tensor]:
        """The inputs of the network."""
        return {"tokens": tokens}

    # Derived

    @property
    def address(self) -> str:
        shown = [(option.name, getattr(self, option.name), option.default) for option in fields(self) if option.init]
        return f"{self.family}:" + ",".join(
            f"{name}={value}" for name, value, usual in shown if value != usual or name not in self.quiet
        )

    @property
    def input_spec(self) -> InputSpec:
        return Tokens(vocab=self._num_tokens(), length=self._length())

    @property
    def objective(self) -> Classification:
        return Classification(self._num_classes())

    @cached_property
    def derived(self) -> Mapping[str, tuple[str, ...]]:
        """Every derived part with the slots that it follows from."""
        return {derived.part.name: derived.of for derived in self._derived()}

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        """Combinations of a split. `novel` are those of the family's rule of novelty, or all that are not trained."""
        return unravel(self._chosen[split], self._sizes(self.combines))

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        free = [name for name in self._slots if name not in self.combines]
        chosen, num_free = self._chosen[split], math.prod(self._sizes(free))
        rows = draw_few(len(chosen) * num_free, n, replacement=split == "train", generator=generator)
        combined = unravel(chosen[rows // num_free], self._sizes(self.combines))
        loose = unravel(rows % num_free, self._sizes(free))
        values = dict(zip((*self.combines, *free), (*combined.unbind(1), *loose.unbind(1)), strict=True))
        return self._filled(values, split, generator)

    def _filled(self, values: Values, split: Split, generator: Generator) -> Examples:
        """Examples with these values of the slots."""
        targets = self._answers(values)
        inputs = self._inputs(self._tokens(values, targets, split, generator))
        parts = self._all_parts(values)
        return Examples(inputs, targets, parts, self.combination_id(parts))

    def input_texts(self, examples: Examples) -> list[str]:
        """The values of the slots, and the cue (`assay.task.WritesInputs`)."""
        tokens, starts = next(iter(examples.inputs.values())), self._token_starts
        if tokens.ndim != 2 or tokens.shape[1] != len(self._slots) + (self.cue != "none"):
            return []
        words = [(self.part(name).values, starts[self._alphabet(name)]) for name in self._slots]
        if self.cue != "none":
            words.append((tuple(f"cue {k}" for k in range(self._num_classes())), starts["cue"]))
        return [
            " ".join(values[token - start] for token, (values, start) in zip(row, words, strict=True))
            for row in tokens.tolist()
        ]

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        """Targets after an exchange. A derived part is exchanged by exchanging the slots that it follows from."""
        self.part(part)
        exchanged = self.derived.get(part, (part,))
        values = {name: (source if name in exchanged else base).parts[name] for name in self._slots}
        parts = self._all_parts(values)
        return Swapped(self._answers(values), parts, self.combination_id(parts))

    @cached_property
    def _derived_parts(self) -> tuple[Derived, ...]:
        return self._derived()

    @cached_property
    def _size_of(self) -> dict[str, int]:
        return {part.name: len(part.values) for part in self.parts}

    def _all_parts(self, values: Values) -> dict[str, Tensor]:
        return {
            **{name: values[name] for name in self._slots},
            **{derived.part.name: derived.value(values) for derived in self._derived_parts},
        }

    def _answers(self, values: Values) -> Int[Tensor, " n"]:
        if self._table is None:
            return self._rule(values)
        return self._table[ravel([values[name] for name in self._slots], self._sizes(self._slots))]

    def _dealt(self) -> Int[Tensor, " tuples"]:
        sizes = self._sizes(self._slots)
        pieces = torch.arange(math.prod(sizes)).split(2**18)  # in batches, since all tuples together are large
        columns = (unravel(piece, sizes).unbind(1) for piece in pieces)
        answers = torch.cat([self._rule(dict(zip(self._slots, values, strict=True))) for values in columns])
        return answers[torch.randperm(len(answers), generator=keyed_generator(self.seed, f"{self.family} table"))]

    def _tokens(self, values: Values, targets: Tensor, split: Split, generator: Generator) -> Int[Tensor, "n slots"]:
        starts = self._token_starts
        columns = [values[name] + starts[self._alphabet(name)] for name in self._slots]
        if self.cue != "none":
            shown = targets
            if self.cue == "free" or split == "novel":
                shown = torch.randint(self._num_classes(), targets.shape, generator=generator)
            columns.append(shown + starts["cue"])
        return torch.stack(columns, 1)

    @cached_property
    def _token_starts(self) -> dict[str, int]:
        """The first token of every alphabet."""
        starts: dict[str, int] = {}
        end = 0
        for name in self._slots:
            if self._alphabet(name) not in starts:
                starts[self._alphabet(name)] = end
                end += max(self._size_of[other] for other in self._slots if self._alphabet(other) == self._alphabet(name))
        return {**starts, "cue": end}

    def _num_tokens(self) -> int:
        return self._token_starts["cue"] + (self._num_classes() if self.cue != "none" else 0)

    def _length(self) -> int:
        """Length of the input in tokens."""
        return len(self._slots) + (self.cue != "none")

    def _sizes(self, slots: tuple[str, ...] | list[str]) -> list[int]:
        return [self._size_of[name] for name in slots]

    # Which combinations are trained

    def _choose(self, generator: Generator) -> dict[Split, Int[Tensor, " c"]]:
        """The indices of the combinations of every split."""
        sizes = self._sizes(self.combines)
        grid = dict(zip(self.combines, unravel(torch.arange(math.prod(sizes)), sizes).unbind(1), strict=True))
        novel, always = self._novel(grid), self._always(grid)
        trained = draw_trained(
            self.family, grid, sizes, coverage=self.coverage, novel=novel, always=always, generator=generator
        )
        seen = trained.nonzero()[:, 0]
        return {"train": seen, "seen": seen, "novel": (~trained if novel is None else novel).nonzero()[:, 0]}

    def _check_size(self) -> None:
        """Check the number of tuples before any is made."""
        tuples = self._num_tuples()
        if tuples > MOST_TUPLES:
            whole = [
                option.name
                for option in fields(self)
                if option.init and option.type in (int, int | None) and option.name != "seed"
            ]
            largest = {name: self._largest(name) for name in whole}
            fitting = [f"{name} of at most {most:,}" for name, most in largest.items() if 1 < most < getattr(self, name)]
            raise AssayError(
                f"{self.family}: all values of all slots must make at most {MOST_TUPLES:,} tuples",
                given=f"{tuples:,}",
                next_step=f"choose {' or '.join(fitting) or 'fewer values or fewer slots'}",
            )

    def _largest(self, option: str) -> int:
        """The largest value of an option with which there are few enough tuples, the others unchanged; 0 without any."""
        other = copy.copy(self)
        low, high = 0, getattr(self, option)
        while low < high:
            middle = (low + high + 1) // 2
            object.__setattr__(other, option, middle)
            low, high = (middle, high) if other._num_tuples() <= MOST_TUPLES else (low, middle - 1)
        return low

    def _check_whole(self, option: str, least: int, most: int | None = None) -> None:
        """Check an integer option. Without a maximum of its own it is bounded by the number of tuples."""
        given = getattr(self, option)
        if not is_whole(given) or given < least or (most is not None and given > most):
            limit = f"at least {least}" if most is None else f"between {least} and {most}"
            raise AssayError(f"{self.family}: {option} must be {limit}", given=given)

    def _check_choice(self, option: str, choices: tuple[str, ...]) -> None:
        if getattr(self, option) not in choices:
            given = getattr(self, option)
            raise AssayError(f"{self.family}: {option} must be one of its choices", given=given, choices=choices)

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)
