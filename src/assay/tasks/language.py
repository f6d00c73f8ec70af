"""The task `language`, a small language on which every instrument can be run: prices of an adjective with a noun, and further
kinds of lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.computation import MISSING, Computations
from assay.computation.decoding import Answer
from assay.computation.graph import NO_PARENT, SOURCE, Operation
from assay.entities import Contexts, Pairs, Written
from assay.errors import AssayError
from assay.graph import FedTokens, Graph, GraphSplit
from assay.objective import Classification
from assay.regularity import Regular, Regularity
from assay.stats import keyed_generator, keyed_seed
from assay.task import Examples, Part, Pool, Tokens
from assay.tasks.language_odd import OddPhrases
from assay.tasks.language_text import coded, prefixes, sentences, written
from assay.tasks.language_words import (
    ADJECTIVES,
    ARTICLES,
    COSTS,
    EARNS,
    ID,
    LACKS,
    LINE,
    MOST,
    MOST_WORTH,
    NOUNS,
    NUMBERS,
    ORDINALS,
    PLACES,
    PRICED,
    RAISED,
    SO,
    STOP,
    WHICH,
    WORDS,
)  # fmt: skip
from assay.tasks.lists import Lists
from assay.tasks.slots import Derived, SlotTask, Values
from assay.text.corpus import CodedText, Corpus

SHARES = {"prices": 0.42, "problems": 0.12, "lists": 0.36, "text": 0.1}
"""Shares of the kinds of training examples."""
NUM_LINES = {"train": 12_000, "test": 1_500}
"""Number of lines of the training text and of the held-out text."""
LINES = {"sentences": 0.5, "prices": 0.25, "lists": 0.15, "problems": 0.1}
"""Shares of the kinds of lines in a text."""
NUM_GRAPHS: dict[GraphSplit, int] = {"train": 4_000, "dev": 600, "test": 1_000}
LISTED = 8
"""Number of nouns, and of places, that occur in lists."""
LARGEST = 3
"""Number of entities in the longest list."""
LENGTH = 3 * LARGEST + 2
"""Length of an input, in words."""
VERBS: dict[str, Callable[[Int[np.ndarray, " n"]], Int[np.ndarray, " n"]]] = {
    COSTS: lambda worth: worth,
    LACKS: lambda worth: MOST_WORTH - worth,
    EARNS: lambda worth: worth + RAISED,
}
"""For every verb, the function from the worth of an adjective with a noun to the number that follows."""
_FIRST_NUMBER = ID[NUMBERS[0]]


@dataclass(frozen=True, kw_only=True)
class Language(SlotTask):
    """Prediction of the next word of a line. Input `tokens` `(n, 11)`: the words before it, padded in front with line ends; the
    target is a word.

    The combination is an adjective with a noun, 16 of each: `the ADJECTIVE NOUN VERB`, or the same with `this`, is followed by
    a number. Each adjective and each noun stands for a number from 0 to 15, drawn by `seed`; their sum is the `worth`, a part
    that is absent from the input. The number after `costs` is the worth, after `lacks` 30 minus the worth, after `earns` the
    worth plus 2.

    A network is also trained on further lines of the same words, which contain no held-out pair:

    - odd-one-out problems: four adjectives with nouns, then `which`, then the position of the one of another kind. There are
      two kinds of adjectives and two kinds of nouns (`assay.task.PosesPartProblems`);
    - lists: `NOUN PLACE . NOUN PLACE . so NOUN`, then the place of that noun; every list pairs nouns and places afresh
      (`assay.entities.ListsEntities`);
    - sentences of a grammar with relative clauses, with their dependency trees (`assay.graph.GivesGraphs`);
    - text: lines of all kinds, predicted word by word (`assay.text.GivesCorpus`).

    Exchanging `costs` and `lacks` is a declared regularity: it reflects the number. The number follows from the words in two
    steps, and a line with `costs` queries the first step alone.

    **Arguments:** those of `SlotTask`; the word of `cue` stands before the article.

    Example::

        >>> task = assay.load_task("language:coverage=0.5")
        >>> drawn = task.examples("novel", 3, generator=torch.Generator().manual_seed(0))
        >>> tuple(drawn.inputs["tokens"].shape), len(task.combinations("novel"))
        ((3, 11), 128)
    """

    family: ClassVar[str] = "language"
    entities_in: ClassVar[Literal["lists"]] = "lists"
    _worth: tuple[Tensor, Tensor] = field(init=False, repr=False, compare=False)

    def _slot_parts(self) -> tuple[Part, ...]:
        return Part("adjective", ADJECTIVES), Part("noun", NOUNS), Part("verb", PRICED), Part("article", ARTICLES)

    def _combined(self) -> tuple[str, ...]:
        return ("adjective", "noun")

    def _num_classes(self) -> int:
        return len(WORDS)

    def _draw_rule(self, generator: Generator) -> None:
        self._set(_worth=(torch.randperm(MOST, generator=generator), torch.randperm(MOST, generator=generator)))

    def _derived(self) -> tuple[Derived, ...]:
        return (Derived(Part("worth", NUMBERS[: MOST_WORTH + 1]), ("adjective", "noun"), self._worth_of),)

    def _worth_of(self, values: Values) -> Int[Tensor, " n"]:
        return self._worth[0][values["adjective"]] + self._worth[1][values["noun"]]

    def _rule(self, values: Values) -> Int[Tensor, " n"]:
        worth = self._worth_of(values)
        of_verb = torch.stack([torch.from_numpy(VERBS[verb](worth.numpy())) for verb in PRICED], 1)
        return _FIRST_NUMBER + of_verb.gather(1, values["verb"][:, None])[:, 0]

    @property
    def objective(self) -> Classification:
        return Classification(names=WORDS)

    @property
    def input_spec(self) -> Tokens:
        return Tokens(len(WORDS), LENGTH)

    def _inputs(self, tokens: Int[Tensor, "n slots"]) -> dict[str, Tensor]:
        starts = self._token_starts
        adjective, noun, verb, article = (tokens[:, k] - starts[name] for k, name in enumerate(self._slots))
        rows = _priced(adjective, noun, verb, article)
        if self.cue != "none":
            rows[:, -5] = tokens[:, -1] - starts["cue"]
        return {"tokens": rows}

    def input_texts(self, examples: Examples) -> list[str]:
        """The words before the answer (`assay.task.WritesInputs`)."""
        rows = examples.inputs["tokens"].tolist()
        return [" ".join(WORDS[token] for token in row if token != ID[LINE]) for row in rows]

    @cached_property
    def _trained(self) -> Bool[Tensor, "adjectives nouns"]:
        known = torch.zeros(MOST, MOST, dtype=torch.bool)
        known[tuple(self.combinations("train").T)] = True
        return known

    # Further training examples

    def training(self, n: int, *, generator: Generator) -> Examples:
        """Prices, problems, lists and text, in the shares `SHARES` (`assay.task.TrainsOnMore`)."""
        counts = {name: round(share * n) for name, share in SHARES.items()}
        counts["text"] += n - sum(counts.values())
        inputs, targets = self._prefixes
        rows = torch.randint(len(inputs), (counts.pop("text"),), generator=generator)
        drawn = [*(self._lines_of(kind, num, generator) for kind, num in counts.items()), (inputs[rows], targets[rows])]
        inputs, targets = (torch.cat(columns) for columns in zip(*drawn, strict=True))
        return Examples({"tokens": inputs}, targets, {}, torch.arange(n))

    def _lines_of(self, kind: str, n: int, generator: Generator) -> tuple[Int[Tensor, "n length"], Int[Tensor, " n"]]:
        """Training lines of one kind, without their answer, and the answer."""
        if kind == "lists":
            return self._listed(n, generator)
        if kind == "prices":
            found = self.examples("train", n, generator=generator)
        else:
            found = self.problems(n, pool="base", generator=generator)
        return found.inputs["tokens"], found.targets

    # The ability PosesPartProblems

    @cached_property
    def _odd(self) -> OddPhrases:
        return OddPhrases(seed=self.seed, trained=self._trained)

    def problems(self, n: int, *, pool: Pool, generator: Generator) -> Examples:
        return self._asked(self._odd.problems(n, pool=pool, generator=generator))

    def reading(self, part: str, n: int, *, pool: Pool, generator: Generator) -> Examples:
        return self._asked(self._odd.reading(part, n, pool=pool, generator=generator))

    def testing(self, part: str, n: int, *, pool: Pool, generator: Generator) -> Examples:
        return self._asked(self._odd.testing(part, n, pool=pool, generator=generator))

    def nonsense(self, seed: int, n: int, *, pool: Pool, generator: Generator) -> Examples:
        return self._asked(self._odd.nonsense(seed, n, pool=pool, generator=generator))

    def _asked(self, posed: Examples) -> Examples:
        rows = torch.full((len(posed), LENGTH), ID[LINE])
        rows[:, -9:-1], rows[:, -1] = posed.inputs["items"].flatten(1), ID[WHICH]
        return Examples({"tokens": rows}, posed.targets + ID[ORDINALS[0]], posed.parts, posed.combination)

    # The ability ListsEntities

    @cached_property
    def _lists(self) -> Lists:
        return Lists(kind="made-up", num_entities=LISTED, num_attributes=LISTED, largest=LARGEST, seed=self.seed)

    @property
    def sizes(self) -> tuple[int, ...]:
        return self._lists.sizes

    @property
    def larger(self) -> tuple[int, ...]:
        return ()

    @property
    def num_entities(self) -> int:
        return LISTED

    @property
    def answers(self) -> Int[Tensor, " attributes"]:
        return torch.arange(LISTED) + ID[PLACES[0]]

    def contexts(self, n: int, *, size: int, pairs: Pairs, generator: Generator) -> Contexts:
        return self._lists.contexts(n, size=size, pairs=pairs, generator=generator)

    def write(self, contexts: Contexts, entity: Int[Tensor, " n"]) -> Written:
        n, size = contexts.entities.shape
        first = (LENGTH - 2 - 3 * size + 3 * torch.arange(size)).expand(n, -1)
        rows = torch.full((n, LENGTH), ID[LINE])
        rows.scatter_(1, first, contexts.entities + ID[NOUNS[0]])
        rows.scatter_(1, first + 1, contexts.attributes + ID[PLACES[0]])
        rows.scatter_(1, first + 2, ID[STOP])
        rows[:, -2], rows[:, -1] = ID[SO], entity + ID[NOUNS[0]]
        return Written({"tokens": rows}, first, first + 1, first + 2)

    def _listed(self, n: int, generator: Generator) -> tuple[Int[Tensor, "n length"], Int[Tensor, " n"]]:
        """Lists of trained pairs and lengths, and the place of the queried noun."""
        counts = torch.randint(len(self.sizes), (n,), generator=generator).bincount(minlength=len(self.sizes))
        rows, answers = [], []
        for size, count in zip(self.sizes, counts.tolist(), strict=True):
            drawn = self.contexts(count, size=size, pairs="trained", generator=generator)
            entity, attribute = drawn.at(drawn.queried)
            rows.append(self.write(drawn, entity).inputs["tokens"])
            answers.append(self.answers[attribute])
        return torch.cat(rows), torch.cat(answers)

    def trained_with(self) -> Float[Tensor, "entities attributes"]:
        return self._lists.trained_with()

    # The abilities GivesGraphs, FeedsGraphs and GivesCorpus

    @cached_property
    def _sentences(self) -> list[Graph]:
        """All sentences, which are distinct: first those of `graphs`, then those of the lines."""
        pairs = [(ADJECTIVES[a], NOUNS[b]) for a, b in self.combinations("train").tolist()]
        total = sum(NUM_GRAPHS.values()) + sum(round(LINES["sentences"] * num) for num in NUM_LINES.values())
        return sentences(total, pairs, NOUNS, Random(keyed_seed(self.seed, "language: sentences")))

    def graphs(self, split: GraphSplit, n: int, *, generator: Generator) -> tuple[Graph, ...]:
        """Sentences that occur in no text (`assay.graph.GivesGraphs`)."""
        names = list(NUM_GRAPHS)
        first = sum(NUM_GRAPHS[name] for name in names[: names.index(split)])
        order = torch.randperm(NUM_GRAPHS[split], generator=generator)[:n]
        return tuple(self._sentences[first + k] for k in order.tolist())

    def feed(self, graphs: Sequence[Graph]) -> FedTokens:
        """One row for every word: the word at the end, after at most `LENGTH` - 1 words that precede it, since the network
        answers at the last position only (`assay.graph.FeedsGraphs`)."""
        places = torch.full((len(graphs), max((len(graph.words) for graph in graphs), default=0)), -1)
        rows, read, start = torch.zeros_like(places), [torch.empty(0, LENGTH, dtype=torch.int64)], 0
        for text, graph in enumerate(graphs):
            if unknown := [word for word in graph.words if word not in ID]:
                raise AssayError(
                    f"{self.address} reads only the words of its language", given=", ".join(unknown[:5]),
                    next_step="give graphs or lines that this task drew",
                )  # fmt: skip
            num = len(graph.words)
            line = torch.tensor([ID[LINE]] * (LENGTH - 1) + [ID[word] for word in graph.words])
            read.append(line.unfold(0, LENGTH, 1) if num else read[0])
            places[text, :num] = LENGTH - 1
            rows[text, :num] = start + torch.arange(num)
            start += num
        return FedTokens({"tokens": torch.cat(read)}, places, rows)

    def corpus(self) -> Corpus:
        """Training text and held-out text, with lines of all kinds (`assay.text.GivesCorpus`)."""
        return Corpus(self.address, (written(self._lines["train"]),), (written(self._lines["test"]),))

    def coded(self, text: str) -> CodedText:
        """A text, word by word (`assay.text.CodesText`)."""
        return coded(text, LENGTH)

    @cached_property
    def _lines(self) -> dict[str, list[tuple[str, ...]]]:
        """The lines of the training text and of the held-out text, each as its words."""
        generator = keyed_generator(self.seed, "language: lines")
        start, found = sum(NUM_GRAPHS.values()), {}
        for side, num in NUM_LINES.items():
            counts = {kind: round(share * num) for kind, share in LINES.items()}
            end = start + counts.pop("sentences")
            told = [(*graph.words, STOP) for graph in self._sentences[start:end]]
            start = end
            for kind, count in counts.items():
                rows, answers = self._lines_of(kind, count, generator)
                said = torch.cat([rows, answers[:, None]], 1).tolist()
                told += [(*(WORDS[k] for k in row if k != ID[LINE]), STOP) for row in said]
            found[side] = [told[k] for k in torch.randperm(len(told), generator=generator).tolist()]
        return found

    @cached_property
    def _prefixes(self) -> tuple[Int[Tensor, "n length"], Int[Tensor, " n"]]:
        return prefixes(self._lines["train"], LENGTH)

    # The ability DeclaresRegularities

    def regular(self, n: int, *, generator: Generator) -> Regular:
        """Trained lines with `costs`, each with the same line with `lacks`; their exchange turns a number w into 30 - w. Each
        combination is in one pair of lines. Parts are both verbs. With permuted answers or a free cue the exchange is no
        symmetry, and none is declared."""
        if self.targets == "table" or self.cue == "free":
            return Regular(self.examples("seen", 0, generator=generator), ())
        known = self.combinations("seen")
        adjective, noun = known[torch.randperm(len(known), generator=generator)[: n // 2]].repeat_interleave(2, 0).unbind(1)
        row = torch.arange(len(noun))
        exchanged = COSTS, LACKS
        verb, article = torch.tensor([PRICED.index(name) for name in exchanged])[row % 2], row // 2 % len(ARTICLES)
        examples = self._filled({"adjective": adjective, "noun": noun, "verb": verb, "article": article}, "seen", generator)
        outputs, numbers = torch.arange(len(WORDS)), torch.arange(MOST_WORTH + 1)
        outputs[_FIRST_NUMBER + numbers] = _FIRST_NUMBER + MOST_WORTH - numbers
        exchange = Regularity.generated(f"exchange of {COSTS} and {LACKS}", [row.view(-1, 2).flip(1).flatten()], [outputs])
        parts = {f"verb {name}": (row % 2 == k)[:, None].expand(-1, len(WORDS)) for k, name in enumerate(exchanged)}
        return Regular(examples, (exchange,), parts)

    # The ability DeclaresComputation

    def computation(self, examples: Examples) -> Computations:
        """Two steps: the worth of adjective and noun, then the number after the verb; after `costs` the worth is the number."""
        adjective, noun, verb = (examples.parts[name].numpy() for name in ("adjective", "noun", "verb"))
        of_adjective, of_noun = (column.numpy() for column in self._worth)
        num, further = len(examples), np.flatnonzero(verb != PRICED.index(COSTS))
        rows, worth = np.arange(num), of_adjective[adjective] + of_noun[noun]
        of_verb = np.stack([VERBS[name](worth) for name in PRICED])
        nodes = [  # name, operation, parents, values, examples
            (0, np.full(num, SOURCE), np.full((num, 2), NO_PARENT), adjective, rows),
            (1, np.full(num, SOURCE), np.full((num, 2), NO_PARENT), noun, rows),
            (2, np.zeros(num, np.int64), np.stack([rows, num + rows], 1), worth, rows),
            (3, verb[further], np.stack([2 * num + further, np.full_like(further, NO_PARENT)], 1),
             of_verb[verb[further], further], further),
        ]  # fmt: skip
        operation, parents, values, example = (np.concatenate(column) for column in list(zip(*nodes, strict=True))[1:])
        return Computations(
            operations=(
                Operation("worth", lambda a, b: of_adjective[a] + of_noun[b]),
                *(Operation(name, VERBS[name]) for name in PRICED if name != COSTS),
            ),
            operation=operation,
            parents=parents,
            values=values,
            example=example,
            num_examples=num,
            names=("adjective", "noun", "worth", "number"),
            name=np.concatenate([np.full(len(one[3]), one[0]) for one in nodes]),
        )

    def node_values(self, examples: Examples, computations: Computations, answer: Answer) -> Int[np.ndarray, " v"]:
        """The worth is read from the network's answer to the same line with `costs`."""
        worth = examples.inputs["tokens"].clone()
        worth[:, -1] = ID[COSTS]
        values = computations.values.copy()
        for name, rows in (("worth", worth), ("number", examples.inputs["tokens"])):
            said = answer({"tokens": rows})[:, 0].numpy() - _FIRST_NUMBER
            nodes = np.flatnonzero(computations.name == computations.names.index(name))
            found = said[computations.example[nodes]]
            values[nodes] = np.where((found >= 0) & (found < len(NUMBERS)), found, MISSING)
        return values


def _priced(
    adjective: Int[Tensor, " n"], noun: Int[Tensor, " n"], verb: Int[Tensor, " n"], article: Int[Tensor, " n"]
) -> Int[Tensor, "n length"]:
    """The lines of prices, without their number."""
    rows = torch.full((len(noun), LENGTH), ID[LINE])
    firsts = torch.tensor([ID[words[0]] for words in (ARTICLES, ADJECTIVES, NOUNS, PRICED)])
    rows[:, -4:] = torch.stack([article, adjective, noun, verb], 1) + firsts
    return rows
