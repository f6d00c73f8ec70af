"""SCAN: from navigation commands to action sequences, with every published split computed from its rule."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.computation import MISSING, Computations, NumberedTexts
from assay.computation.decoding import Answer
from assay.data.registry import fetch
from assay.errors import AssayError
from assay.objective import PAD, Sequences
from assay.task import Examples, Part, SourceToTarget, Split, Swapped, Task, draw_rows
from assay.tasks.algorithms.scan import NodeCommands, scan_computations
from assay.tasks.scan_grammar import CONJUNCTIONS, DIRECTIONS, MANNERS, NONE, TIMES, VERBS, ScanCommand, commands

# Splits: the side of each command by rule

Role = Literal["train", "novel", "dropped"]
LONGEST_TRAINED = 22  # the most actions of a trained command in the length split


def _by_length(command: ScanCommand) -> Role:
    return "train" if len(command.actions()) <= LONGEST_TRAINED else "novel"


@dataclass(frozen=True)
class _ByPrimitive:
    """Lake and Baroni 2018, experiment 3: every command with the primitive is novel, except the primitive alone."""

    words: tuple[str, ...]
    slots: tuple[str, ...]  # beginning of a phrase with the primitive

    def __call__(self, command: ScanCommand) -> Role:
        held = any(phrase[: len(self.slots)] == self.slots for phrase in command.phrases())
        return "novel" if held and command.words() != self.words else "train"


@dataclass(frozen=True)
class _ByTemplate:
    """Loula, Baroni and Lake 2018: a manner and direction are novel with some verbs (`tested`) and trained with others
    (`fillers`). Commands that combine them with `turn`, or with a verb outside both, are on neither side.
    """

    manner: str
    direction: str
    tested: tuple[str, ...]
    fillers: tuple[str, ...] = ()

    def __call__(self, command: ScanCommand) -> Role:
        verbs = {phrase.verb for phrase in command.phrases() if phrase[1:3] == (self.manner, self.direction)}
        if verbs <= set(self.fillers):
            return "train"
        return "novel" if verbs & set(self.tested) and "turn" not in verbs else "dropped"


_FILLERS = ("look", "walk", "run")
_RULES: dict[str, Callable[[ScanCommand], Role]] = {
    "length": _by_length,
    "addprim_jump": _ByPrimitive(("jump",), ("jump",)),
    "addprim_turn_left": _ByPrimitive(("turn", "left"), ("turn", NONE, "left")),
    "template_around_right": _ByTemplate("around", "right", VERBS),
    "template_jump_around_right": _ByTemplate("around", "right", ("jump",), _FILLERS),
    "template_opposite_right": _ByTemplate("opposite", "right", VERBS),
    "template_right": _ByTemplate(NONE, "right", VERBS),
    **{f"filler_num{k}": _ByTemplate("around", "right", ("jump",), _FILLERS[:k]) for k in range(4)},
}
SCAN_SPLITS = ("simple", *_RULES)


class CommandRows(NamedTuple):
    """Rows of `commands()`: the lines of the published train file, with repeats, and those of the test file."""

    train: Int[Tensor, " lines"]
    novel: Int[Tensor, " novel"]


def sides(split: str) -> CommandRows:
    """Both sides of a published split, from its rule.

    `simple` was drawn at random by its authors, so its test file is fetched; the other commands are its train side.

    **Raises:** `AssayError` for an unknown split, and when the file of `simple` is not available.
    """
    if split not in SCAN_SPLITS:
        raise AssayError("scan: the split must be a published one", given=split, choices=SCAN_SPLITS)
    return _drawn_sides() if split == "simple" else _ruled_sides(split)


def _drawn_sides() -> CommandRows:
    lines = fetch("scan", "simple_split/tasks_test_simple.txt").read_text(encoding="ascii").splitlines()
    tested = {line.removeprefix("IN: ").partition(" OUT: ")[0] for line in lines}
    roles: list[Role] = ["novel" if " ".join(command.words()) in tested else "train" for command in commands()]
    return CommandRows(torch.tensor(_rows_of("train", roles)), torch.tensor(_rows_of("novel", roles)))


@cache
def _ruled_sides(split: str) -> CommandRows:
    rule = _RULES[split]
    roles = [rule(command) for command in commands()]
    train = _rows_of("train", roles)
    if isinstance(rule, _ByPrimitive):  # its copies are a tenth of the lines: a ninth of the others
        alone = next(row for row in train if commands()[row].words() == rule.words)
        train += [alone] * ((len(train) - 1) // 9 - 1)
    return CommandRows(torch.tensor(train), torch.tensor(_rows_of("novel", roles)))


def _rows_of(role: Role, roles: list[Role]) -> list[int]:
    return [row for row, found in enumerate(roles) if found == role]


# Tokens

_PARTS = tuple(
    Part(f"{name}{place}", values, absent=NONE if NONE in values else None)
    for place in (1, 2)
    for name, values in (
        ("verb", (*VERBS, "turn") if place == 1 else (NONE, *VERBS, "turn")),
        ("manner", MANNERS),
        ("direction", DIRECTIONS),
        ("times", TIMES),
    )
)
PARTS = (*_PARTS[:4], Part("conjunction", CONJUNCTIONS, absent=NONE), *_PARTS[4:])
ACTIONS = (*(f"I_{verb.upper()}" for verb in VERBS), "I_TURN_LEFT", "I_TURN_RIGHT")
# An id is an index here; 0 pads.
SOURCE_WORDS = ("PAD", *VERBS, "turn", *MANNERS[1:], *DIRECTIONS[1:], *TIMES[1:], *CONJUNCTIONS[1:])
TARGET_WORDS = ("PAD", "START", "END", *ACTIONS)
START, END = 1, 2


def decode_source(ids: Int[Tensor, " length"]) -> str:
    """The command of one row of `source`."""
    return " ".join(SOURCE_WORDS[index] for index in ids.tolist() if index != PAD)


def decode_target(ids: Int[Tensor, " length"]) -> str:
    """The actions of one row of targets, or of an output's argmax, up to the end token."""
    shown = ids.tolist()
    shown = shown[: shown.index(END)] if END in shown else shown
    return " ".join(TARGET_WORDS[index] for index in shown if index != PAD)


class _CommandTable(NamedTuple):
    """All commands as tokens, one row each; of the parts, one column each."""

    source: Int[Tensor, "commands words"]
    prefix: Int[Tensor, "commands actions"]
    targets: Int[Tensor, "commands actions"]
    parts: Int[Tensor, "slots commands"]


@cache
def _table() -> _CommandTable:
    source_id = {word: index for index, word in enumerate(SOURCE_WORDS)}
    target_id = {word: index for index, word in enumerate(TARGET_WORDS)}
    source = _padded([[source_id[word] for word in command.words()] for command in commands()])
    targets = _padded([[*(target_id[action] for action in command.actions()), END] for command in commands()])
    prefix = torch.cat([torch.full_like(targets[:, :1], START), targets[:, :-1]], 1)
    value_id = [{value: index for index, value in enumerate(part.values)} for part in PARTS]
    parts = [[ids[slot] for ids, slot in zip(value_id, command, strict=True)] for command in commands()]
    return _CommandTable(source, prefix, targets, torch.tensor(parts).T.contiguous())


def _padded(rows: list[list[int]]) -> Int[Tensor, "rows length"]:
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.full((len(rows), int(lengths.max())), PAD)
    padded[torch.arange(padded.shape[1]) < lengths[:, None]] = torch.tensor(list(chain.from_iterable(rows)))
    return padded


@dataclass(frozen=True)
class Scan(Task):
    """SCAN (Lake and Baroni 2018, arXiv 1711.00350): from a command to its actions. One combination is one command.

    `source` is `(n, 9)` and `prefix` and targets are `(n, 49)`: at most 48 actions and the end token, whatever the split.
    `train` draws lines of the published train file, repeats included; `seen` are its different commands and `novel` is the test
    file.

    An exchange of one slot can leave the grammar (`turn` without a direction): a swap then has no answer.

    **Arguments:**

    - `split`: one of `SCAN_SPLITS`.

    **Raises:** `AssayError` for an unknown split, and for `simple` when its file cannot be had.
    """

    split: str
    parts = PARTS
    combines = ScanCommand._fields
    input_spec = SourceToTarget(len(SOURCE_WORDS), 9, len(TARGET_WORDS), 49)
    objective = Sequences(len(TARGET_WORDS))

    def __post_init__(self):
        self.combinations("novel")  # raise here, not at the first draw

    @property
    def address(self) -> str:
        return f"scan:{self.split}"

    @cached_property
    def _rows(self) -> dict[Split, Int[Tensor, " rows"]]:
        train, novel = sides(self.split)
        return {"train": train, "seen": train.unique(), "novel": novel}

    def combinations(self, split: Split) -> Int[Tensor, "c 9"]:
        return _table().parts[:, self._rows["seen" if split == "train" else split]].T

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        side = self._rows[split]
        rows = side[draw_rows(len(side), n, replacement=split == "train", generator=generator)]
        table = _table()
        parts = dict(zip(self.combines, table.parts[:, rows], strict=True))
        inputs = {"source": table.source[rows], "prefix": table.prefix[rows]}
        return Examples(inputs, table.targets[rows], parts, self.combination_id(parts))

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        parts = {name: (source if name == part else base).parts[name] for name in self.combines}
        ids, (known, row) = self.combination_id(parts), self._by_id
        place = torch.searchsorted(known, ids).clamp(max=len(known) - 1)
        return Swapped(_table().targets[row[place]], parts, ids, known[place] == ids)

    # The ability WritesExamples

    def input_texts(self, examples: Examples) -> list[str]:
        return [decode_source(row) for row in examples.inputs["source"]]

    def answer_texts(self, answers: Tensor) -> list[str]:
        return [decode_target(row) for row in answers]

    @cached_property
    def _by_id(self) -> tuple[Int[Tensor, " commands"], Int[Tensor, " commands"]]:
        """The ids of all commands in ascending order, and their rows."""
        ids, rows = self.combination_id(dict(zip(self.combines, _table().parts, strict=True))).sort()
        return ids, rows

    # The ability DeclaresComputation: every node is a command of its own, and an input

    def computation(self, examples: Examples) -> Computations:
        return self._graphs(examples)[0]

    def node_values(self, examples: Examples, computations: Computations, answer: Answer) -> Int[np.ndarray, " v"]:
        _, node_commands = self._graphs(examples)
        row_of = {command: row for row, command in enumerate(commands())}
        node_rows = np.array([-1 if command is None else row_of[command] for command in node_commands], np.int64)
        rows, place = np.unique(node_rows[node_rows >= 0], return_inverse=True)
        table, kept = _table(), torch.from_numpy(rows)
        longest = int((table.targets[kept] != PAD).sum(1).max()) if len(rows) else 1
        inputs = {"source": table.source[kept], "prefix": table.prefix[kept][:, :longest]}
        answered = np.array([self._value(tokens) for tokens in answer(inputs)], np.int64)
        values = computations.values.copy()
        values[node_rows >= 0] = answered[place.reshape(-1)]
        return values

    def _graphs(self, examples: Examples) -> tuple[Computations, NodeCommands]:
        slots = [[part.values[value] for value in examples.parts[part.name].tolist()] for part in PARTS]
        return scan_computations([*map(ScanCommand, *slots)], _MEANINGS)

    @staticmethod
    def _value(tokens: Int[Tensor, " length"]) -> int:
        return _MEANINGS.parse(decode_target(tokens)) if END in tokens.tolist() else MISSING


_MEANINGS = NumberedTexts()
