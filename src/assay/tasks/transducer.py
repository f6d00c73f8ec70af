"""Finite-state transduction: the final state of a random machine on a string, or its last output."""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from assay.errors import AssayError
from assay.stats import keyed_generator
from assay.task import Part
from assay.tasks.slots import MOST_TUPLES, Derived, SlotTask, Values

Novel = Literal["random", "context", "length"]
Answer = Literal["state", "output"]
TRIES = 10_000
MOST_STATES = 64  # the most states of a machine: the time to find a minimal one grows with their cube


@dataclass(frozen=True, kw_only=True)
class Transducer(SlotTask):
    """A Mealy machine reads a string from state 0. It is random, minimal and strongly connected; the state after half a string
    and after the whole depends on every symbol; and no final state has more than two times its even share of strings.

    The input is one token for every symbol, of one alphabet. The combination is the string. The state after the first half is a
    part too, absent from the input.

    **Arguments:** those of `SlotTask`, and

    - `num_states`, `num_symbols`: of the machine, at least 2, and at most 64 states. It writes one of `num_symbols` outputs at
      every step.
    - `length`: of the string, at least 2.
    - `answer`: the final `state`, or the `output` at the last symbol.
    - `machines`: 1 or 2; two read the same string side by side and the answer is the pair of theirs.
    - `synonyms`: as a control, allow two symbols that act identically at some position, so that strings which differ in them
      alone are equivalent. Without it no two do; the first symbol then leads from state 0 to as many states as there are
      symbols.
    - `novel`: `random` strings; `context`: some pairs of a state and a symbol never occur in the second half; `length`: one
      more symbol, `none`, leaves the machine as it is, and only strings with a `none` are trained.
    """

    family: ClassVar[str] = "transducer"
    quiet: ClassVar[tuple[str, ...]] = (*SlotTask.quiet, "synonyms")
    num_states: int = 4
    num_symbols: int = 4
    length: int = 6
    answer: Answer = "state"
    machines: int = 1
    novel: Novel = "random"
    synonyms: bool = False
    _next: Int[Tensor, "machines states symbols"] = field(init=False, repr=False, compare=False)
    _output: Int[Tensor, "machines states symbols"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        self._check_whole("num_states", 2, MOST_STATES)
        self._check_whole("num_symbols", 2)
        self._check_whole("length", 2, math.floor(math.log2(MOST_TUPLES)))
        self._check_whole("machines", 1, 2)
        self._check_choice("answer", get_args(Answer))
        self._check_synonyms()
        self._check_choice("novel", get_args(Novel))
        super().__post_init__()

    def _check_synonyms(self) -> None:
        """Check the number of states: if two symbols lead from the initial state to the same state, they are synonyms at the
        first position."""
        symbols, most = self.num_symbols + (self.novel == "length"), self.num_states
        if symbols > most and not self.synonyms:
            raise AssayError(
                "transducer: there must be at most as many symbols as states, or two act identically at the first place",
                given=f"{symbols} symbols{', none among them' if self.novel == 'length' else ''}, {most} states",
                next_step=f"choose num_symbols of at most {most - (self.novel == 'length')}, or synonyms=true as a control",
            )

    def _slot_parts(self) -> tuple[Part, ...]:
        symbols = (*_numbers(self.num_symbols), *(["none"] if self.novel == "length" else []))
        return tuple(Part(name, symbols) for name in self._combined())

    def _num_tuples(self) -> int:
        return (self.num_symbols + (self.novel == "length")) ** self.length

    def _combined(self) -> tuple[str, ...]:
        return tuple(f"s{position}" for position in range(1, self.length + 1))

    def _alphabet(self, slot: str) -> str:
        return "symbol"

    def _num_answers(self) -> int:
        """The number of answers of one machine. A machine that reads `none` writes an output of its own."""
        return self.num_states if self.answer == "state" else self.num_symbols + (self.novel == "length")

    def _num_classes(self) -> int:
        return self._num_answers() ** self.machines

    def _draw_rule(self, generator: Generator) -> None:
        machines = [self._machine(generator) for _ in range(self.machines)]
        rest = torch.arange(self.num_states)[:, None]
        follows = torch.stack([torch.cat([follows, rest], 1) for follows, _ in machines])
        writes = torch.stack([torch.cat([writes, torch.full_like(rest, self.num_symbols)], 1) for _, writes in machines])
        self._set(_next=follows, _output=writes)

    def _machine(self, generator: Generator) -> tuple[Int[Tensor, "states symbols"], Int[Tensor, "states symbols"]]:
        size = self.num_states, self.num_symbols
        for _ in range(TRIES):
            follows = torch.randint(self.num_states, size, generator=generator)
            writes = torch.randint(self.num_symbols, size, generator=generator)
            halves = self.length // 2, self.length
            if (
                is_connected(follows)
                and is_minimal(follows, writes)
                and commonest(follows, self.length) <= 2 / self.num_states
                and all(every_symbol_counts(follows.tolist(), length) for length in halves)
                and (self.synonyms or self._symbols_differ(follows, writes))
            ):
                return follows, writes
        raise AssayError(
            f"transducer: none of {TRIES:,} random machines was minimal and strongly connected with an effect of every symbol",
            given=f"num_states={self.num_states}, num_symbols={self.num_symbols}",
            next_step="choose fewer states or more symbols",
        )

    def _symbols_differ(self, follows: Int[Tensor, "states symbols"], writes: Int[Tensor, "states symbols"]) -> bool:
        """Whether no two symbols that may occur in a string act identically."""
        rest = torch.arange(self.num_states)[:, None]
        if self.novel == "length":
            follows, writes = torch.cat([follows, rest], 1), torch.cat([writes, torch.full_like(rest, self.num_symbols)], 1)
        answers = follows if self.answer == "state" else writes
        return symbols_differ(follows.tolist(), answers.tolist(), self.length)

    def _states(self, values: Values, machine: int) -> list[Int[Tensor, " n"]]:
        """The states before the first symbol and after every one."""
        states = [torch.zeros_like(values["s1"])]
        for name in self.combines[: len(values)]:
            states.append(self._next[machine, states[-1], values[name]])
        return states

    def _rule(self, values: Values) -> Int[Tensor, " n"]:
        answers = torch.zeros_like(values["s1"])
        for machine in range(self.machines):
            *_, before, after = self._states(values, machine)
            one = after if self.answer == "state" else self._output[machine, before, values[self.combines[-1]]]
            answers = answers * self._num_answers() + one
        return answers

    def _derived(self) -> tuple[Derived, ...]:
        half, states = self.length // 2, _numbers(self.num_states)
        return tuple(
            Derived(
                Part("middle" if self.machines == 1 else f"middle{machine + 1}", states),
                self._combined()[:half],
                lambda values, machine=machine: self._states(values, machine)[half],
            )
            for machine in range(self.machines)
        )

    def _novel(self, values: Values) -> Bool[Tensor, " c"] | None:
        if self.novel == "random":
            return None
        if self.novel == "length":
            return torch.stack([values[name] != self.num_symbols for name in self.combines]).all(0)
        return self._in_held_context(values)

    def _in_held_context(self, values: Values) -> Bool[Tensor, " c"]:
        """Strings with held-out contexts of the first machine: an eighth of its contexts, in random order, except those without
        which some slot would lose a trained symbol."""
        novel, states = torch.zeros_like(values["s1"], dtype=torch.bool), self._states(values, 0)
        contexts = torch.cartesian_prod(torch.arange(self.num_states), torch.arange(self.num_symbols))
        order = torch.randperm(len(contexts), generator=keyed_generator(self.seed, "transducer context"))
        left = max(1, len(contexts) // 8)
        for state, symbol in contexts[order].tolist():
            occurs = torch.zeros_like(novel)
            for position in range((self.length + 1) // 2, self.length):
                occurs |= (states[position] == state) & (values[self.combines[position]] == symbol)
            trained = ~(novel | occurs)
            used = (values[name][trained].unique().numel() == self.num_symbols for name in self.combines)
            if bool(occurs.any()) and all(used):
                novel, left = novel | occurs, left - 1
            if not left:
                break
        return novel


def is_connected(follows: Int[Tensor, "states symbols"]) -> bool:
    """Whether every state can be reached from every other."""
    count = len(follows)
    reached = torch.eye(count, dtype=torch.bool)
    for _ in range(count):
        before, reached = reached, reached | reached[follows].any(1)
        if torch.equal(before, reached):
            break
    return bool(reached.all())


def is_minimal(follows: Int[Tensor, "states symbols"], writes: Int[Tensor, "states symbols"]) -> bool:
    """Whether every two states are distinguished by the output on some string (partition refinement; Moore 1956)."""
    classes = torch.zeros(len(follows), dtype=torch.int64)
    for _ in range(len(follows)):
        told_apart = int(classes.max())
        classes = torch.cat([classes[:, None], writes, classes[follows]], 1).unique(dim=0, return_inverse=True)[1]
        if int(classes.max()) == told_apart:
            break
    return int(classes.max()) + 1 == len(follows)


def every_symbol_counts(follows: list[list[int]], length: int) -> bool:
    """Whether a change of any single symbol of a string of this length can change the state reached from state 0."""
    reached = {0}
    for position in range(length):
        pairs = {(a, b) for state in reached for a in follows[state] for b in follows[state]}
        for _ in range(position + 1, length):
            pairs = {after for a, b in pairs for after in zip(follows[a], follows[b], strict=True)}
        if all(a == b for a, b in pairs):
            return False
        reached = {after for state in reached for after in follows[state]}
    return True


def symbols_differ(follows: list[list[int]], answers: list[list[int]], length: int) -> bool:
    """Whether at every position of a string read from state 0, every two symbols lead to different answers in some string.

    **Arguments:** `answers`: the answer for every state and last symbol.
    """
    reached = [{0}]
    for _ in range(length - 1):
        reached.append({after for state in reached[-1] for after in follows[state]})
    leads_to = answers  # for every state and symbol, the equivalence class of what follows
    for states in reversed(reached):
        columns = [tuple(leads_to[state][symbol] for state in states) for symbol in range(len(follows[0]))]
        if len(set(columns)) < len(columns):
            return False
        number = {row: index for index, row in enumerate(sorted({tuple(row) for row in leads_to}))}
        kind = [number[tuple(row)] for row in leads_to]
        leads_to = [[kind[after] for after in row] for row in follows]
    return True


def commonest(follows: Int[Tensor, "states symbols"], length: int) -> float:
    """The share of all strings of this length that lead from state 0 to its commonest final state."""
    moves = one_hot(follows, len(follows)).double().mean(1)
    shares = torch.linalg.matrix_power(moves, length)[0]
    return float(shares.max())


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(str(value) for value in range(count))
