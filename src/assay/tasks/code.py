"""A Python-like language: next-token prediction everywhere, or a choice between two tokens at the last position."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from random import Random
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.bounds import check_seed, check_whole
from assay.errors import AssayError
from assay.objective import NOT_ASKED, Steps
from assay.stats import keyed_generator
from assay.task import Examples, Part, Split, Swapped, Task, TokenSequence, draw_rows
from assay.tasks.code_questions import QUESTIONS, TOKEN, VOCABULARY, Question
from assay.tasks.novelty import draw_trained
from assay.tasks.tuples import unravel

PROGRAM = "program"
_ATTEMPTS = 100  # draws of trained combinations until both answers are trained and both are novel
_STREAM = 6_000  # statements of the program that windows are taken from


@dataclass(frozen=True)
class TwoTokens(Steps):
    """A choice between two tokens at each scored step: loss and score are those of their two logits alone."""

    pair: tuple[int, int] = (0, 1)

    @property
    def unit(self) -> str:
        return "accuracy between two tokens"

    @property
    def chance(self) -> float:
        return 0.5

    def loss(self, outputs: Float[Tensor, "n t c"], targets: Int[Tensor, "n t"]) -> Float[Tensor, ""]:
        super().steps(outputs, targets)  # also checks their shape
        second = (targets == self.pair[1]).long().masked_fill(targets == NOT_ASKED, NOT_ASKED)
        return F.cross_entropy(outputs[..., list(self.pair)].flatten(0, 1), second.flatten(), ignore_index=NOT_ASKED)

    def steps(self, outputs: Float[Tensor, "n t c"], targets: Int[Tensor, "n t"]) -> Float[Tensor, "n t"]:
        super().steps(outputs, targets)
        first, second = (outputs[..., token] for token in self.pair)
        right = torch.where(targets == self.pair[1], second > first, first > second)
        return right.float().masked_fill(targets == NOT_ASKED, torch.nan)


@dataclass(frozen=True, kw_only=True)
class Code(Task):
    """Windows of `length` tokens of a program whose statements are those of the questions.

    `program` predicts the next token at every position; its parts are the kinds of the last two statements, and a pair of kinds
    is novel if it never occurs in training; a window ends anywhere in the last statement. A question is scored at the last
    position alone, on which of two tokens follows; its parts are those of its statement, which is preceded by a program.

    Training programs contain only the trained combinations of every question, so that a network trained on `program` can be
    tested with every question about novel ones.

    **Arguments:**

    - `question`: `program`, or a name in `assay.tasks.code_questions.QUESTIONS`.
    - `length`: tokens of a window, 24 to 256.
    - `coverage`: the share of each question's combinations, and of the pairs of kinds, that is trained.
    - `seed`: random seed of the choice of trained combinations.

    **Raises:** `AssayError` for another question, and sizes out of bounds.

    Example::

        task = assay.load_task("code:bracket_counting,length=32")
    """

    question: str = PROGRAM
    length: int = 32
    coverage: float = 0.8
    seed: int = 0
    parts: tuple[Part, ...] = field(init=False, repr=False)
    combines: tuple[str, ...] = field(init=False, repr=False)
    vocabulary: ClassVar[tuple[str, ...]] = VOCABULARY

    def __post_init__(self):
        if self.question not in (PROGRAM, *QUESTIONS):
            raise AssayError("code: there is no such question", given=self.question, choices=(PROGRAM, *QUESTIONS))
        check_whole("code: length", self.length, least=24, most=256)
        check_seed("code: seed", self.seed)
        if not 0 < self.coverage < 1:
            raise AssayError("code: coverage is the trained share of combinations, between 0 and 1", given=self.coverage)
        kinds = tuple(QUESTIONS)
        pairs = (Part("before", kinds), Part("statement", kinds))
        parts = pairs if self.question == PROGRAM else QUESTIONS[self.question].parts
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "combines", tuple(part.name for part in parts))

    @property
    def address(self) -> str:
        return f"code:{self.question},length={self.length},coverage={self.coverage},seed={self.seed}"

    @property
    def input_spec(self) -> TokenSequence:
        return TokenSequence(len(VOCABULARY), self.length)

    @property
    def objective(self) -> Steps:
        if self.question == PROGRAM:
            return Steps(len(VOCABULARY))
        first, second = QUESTIONS[self.question].answers
        return TwoTokens(len(VOCABULARY), pair=(TOKEN[first], TOKEN[second]))

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        return unravel(self._ids(split), self._sizes)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        return (self._windows if self.question == PROGRAM else self._questions)(split, n, generator)

    def input_texts(self, examples: Examples) -> list[str]:
        return [self.words(row) for row in examples.inputs["tokens"]]

    def answer_texts(self, answers: Tensor) -> list[str]:
        return [self.words(row[row >= 0]) for row in answers] if answers.ndim == 2 else []

    def words(self, tokens: Int[Tensor, " t"]) -> str:
        """Tokens as text."""
        return " ".join(VOCABULARY[token] for token in tokens.tolist())

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        """For a question, the right token after an exchange of one of its parts. Programs have no such answer."""
        self.part(part)
        parts = {**base.parts, part: source.parts[part]}
        if self.question == PROGRAM:
            defined = parts[part] == base.parts[part]
            return Swapped(base.targets, parts, self.combination_id(parts), defined)
        return Swapped(self._targets(parts), parts, self.combination_id(parts))

    # Programs

    def _windows(self, split: Split, n: int, generator: Generator) -> Examples:
        program = _program(self.coverage, self.seed, split)
        far = program.ends - program.lengths >= self.length
        ends = program.ends[far]
        rows = draw_rows(len(ends), n, replacement=split == "train", generator=generator)
        # Windows end anywhere in their last statement, so that every position is trained on every kind of token.
        where = ends[rows] - (torch.rand(len(rows), generator=generator) * program.lengths[far][rows]).long()
        windows = program.tokens[where[:, None] + torch.arange(-self.length, 1)]
        kind = program.kinds[far][rows]
        parts = {"before": kind[:, 0], "statement": kind[:, 1]}
        return Examples({"tokens": windows[:, :-1]}, windows[:, 1:], parts, self.combination_id(parts))

    # Questions

    def _questions(self, split: Split, n: int, generator: Generator) -> Examples:
        ids = self._ids(split)
        chosen = unravel(ids[torch.randint(len(ids), (n,), generator=generator)], self._sizes)
        parts = dict(zip(self.combines, chosen.unbind(1), strict=True))
        before = _program(self.coverage, self.seed, "train" if split == "train" else "seen")
        starts = before.ends[before.ends >= self.length] + 1
        starts = starts[torch.randint(len(starts), (n,), generator=generator)].tolist()
        draw = Random(int(torch.randint(2**62, (1,), generator=generator)))
        program, rows = before.tokens.tolist(), []
        for start, values in zip(starts, _values(self.parts, chosen), strict=True):
            statement = _tokens(QUESTIONS[self.question].write(values, draw))
            rows.append(program[start - self.length + len(statement) : start] + statement)
        tokens = torch.tensor(rows, dtype=torch.int64).view(n, self.length)
        return Examples({"tokens": tokens}, self._targets(parts), parts, self.combination_id(parts))

    def _targets(self, parts: Mapping[str, Int[Tensor, " n"]]) -> Int[Tensor, "n length"]:
        question = QUESTIONS[self.question]
        columns = torch.stack([parts[name] for name in self.combines], 1)
        answers = [TOKEN[question.answers[question.second(values)]] for values in _values(self.parts, columns)]
        targets = torch.full((len(columns), self.length), NOT_ASKED)
        targets[:, -1] = torch.tensor(answers, dtype=torch.int64)
        return targets

    def _ids(self, split: Split) -> Int[Tensor, " c"]:
        return _combinations(self.question, self.coverage, self.seed)["novel" if split == "novel" else "train"]

    @cached_property
    def _sizes(self) -> list[int]:
        return [len(part.values) for part in self.parts]


@dataclass(frozen=True)
class _Program:
    """Tokens of a program; for each statement its end, its length, and the pair of kinds of the previous statement and its
    own."""

    tokens: Int[Tensor, " t"]
    ends: Int[Tensor, " s"]
    lengths: Int[Tensor, " s"]
    kinds: Int[Tensor, "s 2"]


@lru_cache(maxsize=64)
def _combinations(question: str, coverage: float, seed: int) -> Mapping[str, Int[Tensor, " c"]]:
    """The ids of trained and of novel combinations, independent of the question of the task."""
    sizes = [len(part.values) for part in QUESTIONS[question].parts] if question != PROGRAM else [len(QUESTIONS)] * 2
    ids = torch.arange(math.prod(sizes))
    grid = {str(k): column for k, column in enumerate(unravel(ids, sizes).unbind(1))}
    second = _answers(question, unravel(ids, sizes))
    for attempt in range(_ATTEMPTS):
        generator = keyed_generator(seed, f"code: trained combinations of {question}, {attempt}")
        trained = draw_trained("code", grid, sizes, coverage=coverage, novel=None, always=None, generator=generator)
        if all(len(second[some].unique()) == 2 for some in (trained, ~trained)):  # both answers are trained and novel
            break
    return {"train": ids[trained], "novel": ids[~trained]}


def _answers(question: str, chosen: Int[Tensor, "c k"]) -> Bool[Tensor, " c"]:
    """Whether the second token answers each combination; in a program, which has no answers, every other one."""
    if question == PROGRAM:
        return torch.arange(len(chosen)) % 2 == 1
    one = QUESTIONS[question]
    return torch.tensor([one.second(values) for values in _values(one.parts, chosen)])


@lru_cache(maxsize=8)
def _program(coverage: float, seed: int, split: Split) -> _Program:
    """A long program. For novel pairs every second transition between statements is novel."""
    draw = Random(int(torch.randint(2**62, (1,), generator=keyed_generator(seed, f"code: program, {split}"))))
    chosen = [_trained_values(name, coverage, seed) for name in QUESTIONS]
    kinds = list(QUESTIONS)
    allowed = torch.zeros(len(kinds), len(kinds), dtype=torch.bool)
    allowed.view(-1)[_combinations(PROGRAM, coverage, seed)["train"]] = True
    follow = {
        flag: [[k for k in range(len(kinds)) if allowed[j, k] == flag] for j in range(len(kinds))] for flag in (True, False)
    }
    tokens: list[int] = []
    ends, lengths, pairs = [], [], []
    kind = draw.randrange(len(kinds))
    for number in range(_STREAM):
        novel = split == "novel" and number % 2 == 1
        before, kind = kind, draw.choice(follow[not novel][kind] or follow[novel][kind])
        question = QUESTIONS[kinds[kind]]
        statement = _whole(question, draw.choice(chosen[kind]), draw)
        tokens += statement
        if number and (split != "novel" or not allowed[before, kind]):
            ends.append(len(tokens) - 1)
            lengths.append(len(statement))
            pairs.append((before, kind))
    return _Program(torch.tensor(tokens), torch.tensor(ends), torch.tensor(lengths), torch.tensor(pairs))


def _whole(question: Question, values: Mapping[str, str], draw: Random) -> list[int]:
    second = question.second(values)
    return _tokens(f"{question.write(values, draw)} {question.answers[second]} {question.after[second]}")


def _tokens(text: str) -> list[int]:
    return [TOKEN[word] for word in text.split()]


def _trained_values(name: str, coverage: float, seed: int) -> list[Mapping[str, str]]:
    """The values of every trained combination of a question."""
    parts = QUESTIONS[name].parts
    ids = _combinations(name, coverage, seed)["train"]
    return list(_values(parts, unravel(ids, [len(part.values) for part in parts])))


def _values(parts: Sequence[Part], chosen: Int[Tensor, "n k"]) -> Iterator[Mapping[str, str]]:
    for row in chosen.tolist():
        yield {part.name: part.values[k] for part, k in zip(parts, row, strict=True)}
