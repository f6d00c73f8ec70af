"""Questions about small worlds: the path length between two entities, and the relation between neighbours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.bounds import check_seed, check_whole
from assay.errors import AssayError
from assay.graph import FedTokens, Graph, GraphSplit
from assay.objective import Classification
from assay.task import Examples, Part, Split, Task, Tokens
from assay.tasks.relation_trees import MOST_NAMES, WORLDS, World, WorldName, names, templates

Novel = Literal["names", "relations", "both"]
MOST_STEPS = 4
MOST_THINGS = 64  # the most entities in a text, which has a table of the path lengths between all of them
STATUS = ("trained", "new")
_STEPS, _RELATION, _ASK = "steps", "relation", "?"
_TENTH = 10  # one text in ten is held out from training, by a hash of its words


class _WorldTexts(NamedTuple):
    """`facts` are token ids; `named` is the name of every node."""

    facts: Int[Tensor, "n words"]
    head: Int[Tensor, "n nodes"]
    relation: Int[Tensor, "n nodes"]
    named: Int[Tensor, "n nodes"]

    def take(self, rows: Tensor) -> "_WorldTexts":
        return _WorldTexts(*(column[rows] for column in self))


@dataclass(frozen=True, kw_only=True)
class Graphs(Task):
    """A text describes a tree of relations between named entities, in random order, each fact in one of two forms, followed by
    a question. `steps X Y ?` asks for the path length between X and Y in the tree; `relation X Y ?`, for neighbours, which
    relation holds and which of the two is its head. Positions and names are uninformative: a network needs the graph.

    The input `tokens` is `(n, length)`, one token a word. The part `asked` equals the answer; the others are whether names and
    relations are new. Trained combinations have trained names and relations. `train` and `seen` differ in their texts: every
    tenth is held out from training.

    **Arguments:**

    - `world`: `arithmetic`, `family`, `metro`, `scene` or `social`.
    - `size`: entities in a text, at least 3; odd in `arithmetic`, whose trees are binary.
    - `num_names`: names in the pool; the last quarter is held out for novel texts.
    - `trained_names`: how many of the others, the first ones, occur in trained texts; None for all. With fewer names a network
      learns to match them sooner, but generalises less to new ones.
    - `novel`: what is new in novel texts: `names`; `relations`, of which only `steps` is asked; or `both`.
    - `seed`: random seed of the choice of held-out names.

    Example::

        >>> from assay.tasks.graphs import Graphs
        >>> task = Graphs(world="family", size=4, num_names=40)
        >>> (graph,) = task.graphs("train", 1, generator=torch.Generator().manual_seed(0))
        >>> graph.text
        'son of Tale is Lonu . Tale is nephew of Nevu . Nuru is son of Nevu .'
    """

    world: WorldName = "family"
    size: int = 5
    num_names: int = 400
    trained_names: int | None = None
    novel: Novel = "names"
    seed: int = 0
    combines = ("asked", "names", "relations")

    def __post_init__(self):
        for option, choices in (("world", get_args(WorldName)), ("novel", get_args(Novel))):
            if getattr(self, option) not in choices:
                raise AssayError(f"graphs: {option} must be one of its choices", given=getattr(self, option), choices=choices)
        check_seed("graphs: seed", self.seed)
        check_whole("graphs: size", self.size, least=3, most=MOST_THINGS)
        if self._world.binary and self.size % 2 == 0:
            rule = "graphs: size must be odd in arithmetic, where every operator has two operands"
            raise AssayError(rule, given=f"world={self.world}, size={self.size}")
        if not 4 * self.size <= self.num_names <= MOST_NAMES:
            rule = f"graphs: num_names must be at least four times the size, and at most {MOST_NAMES}"
            raise AssayError(rule, given=f"num_names={self.num_names}, size={self.size}")

        if self.trained_names is not None and not self.size <= self.trained_names <= self._most_trained:
            rule = (
                f"graphs: trained_names must be at least the size, and at most {self._most_trained} of {self.num_names} names"
            )
            raise AssayError(rule, given=f"trained_names={self.trained_names}, size={self.size}, num_names={self.num_names}")

    @property
    def address(self) -> str:
        given = [("trained_names", None), ("novel", "names"), ("seed", 0)]
        shown = [f"{option}={getattr(self, option)}" for option, usual in given if getattr(self, option) != usual]
        return "graphs:" + ",".join([self.world, f"size={self.size}", f"num_names={self.num_names}", *shown])

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return Part("asked", self.answers), Part("names", STATUS), Part("relations", STATUS)

    @cached_property
    def answers(self) -> tuple[str, ...]:
        """Numbers of steps, the last of which stands for more too; then every trained relation with its head named first or
        second."""
        steps = tuple(f"{count} steps" for count in range(1, self._most_steps + 1))
        return steps + tuple(f"{name}, {side} is head" for name in self._trained for side in ("first", "second"))

    @cached_property
    def input_spec(self) -> Tokens:
        return Tokens(vocab=len(self.vocabulary), length=self._num_facts * len(self._world.forms[0]) + 4)

    @property
    def objective(self) -> Classification:
        return Classification(len(self.answers))

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The word of every token."""
        fixed = [word for form in self._world.forms for word in form if word not in ("H", "D", "R", "S")]
        words = dict.fromkeys([*fixed, *self._world.relations, _STEPS, _RELATION, _ASK])
        return (*words, *names(self.num_names))

    def combinations(self, split: Split) -> Int[Tensor, "c 3"]:
        new = self._news(split)
        answer = range(self._most_steps if new[1] else len(self.answers))
        return torch.tensor(list(product(answer, [int(new[0])], [int(new[1])])))

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        texts = self._texts(split, n, generator)
        answer, first, second = self._questions(texts, steps_only=self._news(split)[1], generator=generator)
        kind = torch.where(answer < self._most_steps, self._ids[_STEPS], self._ids[_RELATION])
        ask = torch.full_like(kind, self._ids[_ASK])
        pair = (texts.named.gather(1, node[:, None])[:, 0] + self._first_name for node in (first, second))
        tokens = torch.cat([texts.facts, torch.stack([kind, *pair, ask], 1)], 1)
        new_names, new_relations = (torch.full_like(answer, int(new)) for new in self._news(split))
        parts = {"asked": answer, "names": new_names, "relations": new_relations}
        return Examples({"tokens": tokens}, answer, parts, self.combination_id(parts))

    def graphs(self, split: GraphSplit, n: int, *, generator: Generator) -> tuple[Graph, ...]:
        """The texts without questions; `test` are novel ones (`assay.graph.GivesGraphs`)."""
        splits: Mapping[GraphSplit, Split] = {"train": "train", "dev": "seen", "test": "novel"}
        texts = self._texts(splits[split], n, generator)
        found = {graph.words: graph for graph in map(self._graph, texts.facts, texts.head, texts.relation, texts.named)}
        return tuple(found.values())

    def input_texts(self, examples: Examples) -> list[str]:
        """Facts and question in words (`assay.task.WritesExamples`)."""
        return [" ".join(self.vocabulary[token] for token in row) for row in examples.inputs["tokens"].tolist()]

    def answer_texts(self, answers: Tensor) -> list[str]:
        return [self.answers[answer] for answer in answers.tolist()]

    def feed(self, graphs: Sequence[Graph]) -> FedTokens:
        """Inputs of texts, preceded by question marks up to the input length (`assay.graph.FeedsGraphs`)."""
        longest = max((len(graph.words) for graph in graphs), default=0)
        tokens = torch.full((len(graphs), self.input_spec.length), self._ids[_ASK])
        places = torch.full((len(graphs), longest), -1)
        for row, graph in enumerate(graphs):
            unknown = [word for word in graph.words if word not in self._ids]
            if unknown or len(graph.words) > self.input_spec.length:
                raise AssayError(
                    f"{self.address} reads texts of at most {self.input_spec.length} of its own words",
                    given=f"{len(graph.words)} words, unknown: {', '.join(unknown[:5]) or 'none'}",
                    next_step="give graphs that this task drew",
                )
            tokens[row, : len(graph.words)] = torch.tensor([self._ids[word] for word in graph.words])
            places[row, : len(graph.words)] = torch.arange(len(graph.words))
        return FedTokens({"tokens": tokens}, places)

    # Texts

    @property
    def _world(self) -> World:
        return WORLDS[self.world]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.vocabulary)}

    @property
    def _first_name(self) -> int:
        return len(self.vocabulary) - self.num_names

    @property
    def _most_trained(self) -> int:
        """Names that are not held out for novel texts."""
        return self.num_names - self.num_names // 4

    @property
    def _num_facts(self) -> int:
        return (self.size - 1) // 2 if self._world.binary else self.size - 1

    @property
    def _most_steps(self) -> int:
        """The longest path: between the deepest leaves of a binary tree over its root, or along the tree otherwise."""
        return min(MOST_STEPS, self._num_facts + 1 if self._world.binary else self.size - 1)

    @cached_property
    def _trained(self) -> tuple[str, ...]:
        kept = self._world.relations[len(self._world.relations) - self._world.num_new :]
        return tuple(name for name in self._world.edge_relations if name.partition("-")[0] not in kept)

    def _news(self, split: Split) -> tuple[bool, bool]:
        """Whether names and relations are new."""
        novel = split == "novel"
        return novel and self.novel != "relations", novel and self.novel != "names"

    def _texts(self, split: Split, n: int, generator: Generator) -> _WorldTexts:
        share = {"train": 1 - 1 / _TENTH, "seen": 1 / _TENTH, "novel": 1.0}[split]
        pieces: list[_WorldTexts] = []
        while not pieces or sum(len(piece.facts) for piece in pieces) < n:
            drawn = self._draw(int(1.3 * n / share) + 8, self._news(split), generator)
            kept = self._is_kept(drawn.facts)
            chosen = torch.ones_like(kept) if split == "novel" else kept if split == "seen" else ~kept
            pieces.append(drawn.take(chosen))
        return _WorldTexts(*(torch.cat(columns)[:n] for columns in zip(*pieces, strict=True)))

    def _draw(self, n: int, news: tuple[bool, bool], generator: Generator) -> _WorldTexts:
        head, relation = self._world.draw(n, self.size, new=news[1], generator=generator)
        trained = self._most_trained
        first, count = (trained, self.num_names - trained) if news[0] else (0, self.trained_names or trained)
        named = self._order[first + torch.rand(n, count, generator=generator).topk(self.size).indices]
        order = torch.rand(n, self._num_facts, generator=generator).argsort(1)
        form = torch.randint(2, (n, self._num_facts), generator=generator)
        return _WorldTexts(self._worded(head, relation, named, order, form), head, relation, named)

    @cached_property
    def _order(self) -> Int[Tensor, " names"]:
        return torch.randperm(self.num_names, generator=Generator().manual_seed(self.seed))

    def _worded(
        self,
        head: Int[Tensor, "n nodes"],
        relation: Int[Tensor, "n nodes"],
        named: Int[Tensor, "n nodes"],
        order: Int[Tensor, "n facts"],
        form: Int[Tensor, "n facts"],
    ) -> Int[Tensor, "n words"]:
        """The facts as tokens, in this order and these forms."""
        dependent = 2 * order + 1 if self._world.binary else order + 1
        second = dependent + 1 if self._world.binary else dependent
        names = [named.gather(1, node) + self._first_name for node in (head.gather(1, dependent), dependent, second)]
        word = torch.tensor([self._ids[name.partition("-")[0]] for name in self._world.edge_relations])
        filled = torch.stack([names[0], names[1], word[relation.gather(1, dependent)], names[2]], 2)
        pattern = templates(self._world, self._ids)[form]
        return torch.where(pattern >= 0, pattern, filled.gather(2, (-1 - pattern).clamp(min=0))).flatten(1)

    @staticmethod
    def _is_kept(facts: Int[Tensor, "n words"]) -> Bool[Tensor, " n"]:
        """The tenth of all texts that is held out, by a hash of their words."""
        factors = torch.randint(2**31, (facts.shape[1],), generator=Generator().manual_seed(7))
        return (facts * factors).sum(1) % 1_000_003 % _TENTH == 0

    def _questions(
        self, texts: _WorldTexts, *, steps_only: bool, generator: Generator
    ) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"], Int[Tensor, " n"]]:
        """The answer and the two nodes of a question. Numbers of steps that occur in the tree are equally likely."""
        n, rows = len(texts.head), torch.arange(len(texts.head))
        if not n:
            return rows, rows, rows
        steps = far_apart(texts.head).clamp(max=self._most_steps)
        present = torch.stack([(steps == count).flatten(1).any(1) for count in range(1, self._most_steps + 1)], 1)
        count = torch.multinomial(present.float(), 1, generator=generator)[:, 0] + 1
        pair = torch.multinomial((steps == count[:, None, None]).flatten(1).float(), 1, generator=generator)[:, 0]
        node = torch.randint(1, self.size, (n,), generator=generator)
        head_second = torch.rand(n, generator=generator) < 0.5
        upper = texts.head[rows, node]
        known = torch.tensor(
            [self._trained.index(name) if name in self._trained else -1 for name in self._world.edge_relations]
        )
        relation = self._most_steps + 2 * known[texts.relation[rows, node]] + head_second
        asks_steps = torch.ones(n, dtype=torch.bool) if steps_only else torch.rand(n, generator=generator) < 0.5
        return (
            torch.where(asks_steps, count - 1, relation),
            torch.where(asks_steps, pair // self.size, torch.where(head_second, node, upper)),
            torch.where(asks_steps, pair % self.size, torch.where(head_second, upper, node)),
        )

    def _graph(self, facts: Tensor, head: Tensor, relation: Tensor, named: Tensor) -> Graph:
        words = tuple(self.vocabulary[index] for index in facts.tolist())
        things = [self.vocabulary[self._first_name + index] for index in named.tolist()]
        edges = zip(head.tolist(), range(self.size), relation.tolist(), strict=True)
        return Graph(
            words=words,
            mentions=tuple(tuple(place for place, word in enumerate(words) if word == thing) for thing in things),
            edges=tuple((above, node, self._world.edge_relations[name]) for above, node, name in edges if node),
            punctuation=(False,) * self.size,
            text=" ".join(words),
        )


def far_apart(head: Int[Tensor, "n nodes"]) -> Int[Tensor, "n nodes nodes"]:
    """Path lengths in trees whose heads come before their dependents."""
    n, size = head.shape
    far, rows = torch.zeros(n, size, size, dtype=torch.int64), torch.arange(n)
    for node in range(1, size):
        far[:, node, :node] = far[rows, head[:, node], :node] + 1
        far[:, :node, node] = far[:, node, :node]
    return far
