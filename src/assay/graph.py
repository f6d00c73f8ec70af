"""A text with a declared graph over its words: a parse tree, or the relations between the entities that it mentions.

A node is a word of a sentence, or all mentions of an entity. Edges lead from head to dependent and carry a relation. Distances
and depths are the targets of a structural probe (Hewitt and Manning 2019).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int, Int16
from torch import Generator, Tensor

from assay.display import brief
from assay.errors import AssayError

GraphSplit = Literal["train", "dev", "test"]
"""Split of a treebank or of texts with graphs: a probe is fitted on `train`, chosen on `dev` and scored on `test`.

Example::

    >>> task, generator = assay.load_task("treebank:en_nested"), torch.Generator().manual_seed(0)
    >>> {split: len(task.graphs(split, 20, generator=generator)) for split in ("train", "dev", "test")}
    {'train': 20, 'dev': 20, 'test': 20}
"""
ROOT = "root"
Edge = tuple[int, int, str]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One text and its graph.

    **Attributes:**

    - `words`: the text, word by word.
    - `mentions`: for every node the indices of its words, at least one.
    - `edges`: head, dependent and relation; head and dependent are indices of nodes. A sub-type follows a colon.
    - `punctuation`: for every node, whether it is punctuation.
    - `tags`: the part of speech of every word (UPOS); empty where none is declared.
    - `text`: the original text, which need not be the words joined by blanks.
    - `sentence_id`: its id in the source.

    Example::

        >>> from assay.graph import Graph, distances
        >>> graph = Graph(
        ...     words=("dogs", "bark", "."), mentions=((0,), (1,), (2,)), edges=((1, 0, "nsubj"), (1, 2, "punct")),
        ...     punctuation=(False, False, True),
        ... )
        >>> distances(graph).tolist()
        [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    """

    __repr__ = brief

    words: tuple[str, ...]
    mentions: tuple[tuple[int, ...], ...]
    edges: tuple[Edge, ...]
    punctuation: tuple[bool, ...]
    tags: tuple[str, ...] = ()
    text: str = ""
    sentence_id: str = ""

    def __post_init__(self):
        nodes = range(len(self.mentions))
        assert len(self.punctuation) == len(nodes), "one flag for each node"
        assert len(self.tags) in (0, len(self.words)), "one tag for each word, or none"
        assert all(words and min(words) >= 0 and max(words) < len(self.words) for words in self.mentions), "mentions are words"
        assert all(head in nodes and dependent in nodes and head != dependent for head, dependent, _ in self.edges)

    def __len__(self) -> int:
        return len(self.mentions)

    @property
    def relations(self) -> tuple[str, ...]:
        """The relation of every edge, without sub-types."""
        return tuple(coarse(relation) for _, _, relation in self.edges)

    @cached_property
    def head(self) -> tuple[int, ...]:
        """The index of every node's head in a tree, -1 for the root. **Raises:** `AssayError` when the graph is no tree."""
        return tuple(edge[0] if edge else -1 for edge in self._incoming)

    @cached_property
    def relation(self) -> tuple[str, ...]:
        """The relation of every node of a tree to its head, `root` for the root."""
        return tuple(edge[2] if edge else ROOT for edge in self._incoming)

    @cached_property
    def is_tree(self) -> bool:
        """Whether one node has no head, every other has one, and the graph is connected."""
        dependents = {dependent for _, dependent, _ in self.edges}
        return len(self) > 0 and len(self.edges) == len(dependents) == len(self) - 1 and min(_depths(self)) >= 0

    @cached_property
    def _incoming(self) -> list[Edge | None]:
        if not self.is_tree:
            given = self.sentence_id or self.text
            raise AssayError("heads are defined for trees, where every node but the root has one", given=given)
        found: list[Edge | None] = [None] * len(self)
        for edge in self.edges:
            found[edge[1]] = edge
        return found


def tree(
    words: Sequence[str],
    head: Sequence[int],
    *,
    relation: Sequence[str],
    punctuation: Sequence[bool] = (),
    tags: Sequence[str] = (),
    text: str = "",
    sentence_id: str = "",
) -> Graph:
    """A tree over words, one node each. `head` is -1 for the root; `relation` of the root is not kept."""
    edges = tuple((int(head[k]), k, relation[k]) for k in range(len(words)) if head[k] >= 0)
    return Graph(
        words=tuple(words),
        mentions=tuple((k,) for k in range(len(words))),
        edges=edges,
        punctuation=tuple(punctuation) or (False,) * len(words),
        tags=tuple(tags),
        text=text or " ".join(words),
        sentence_id=sentence_id,
    )


def coarse(relation: str) -> str:
    """A relation without its sub-type: `nsubj:pass` is `nsubj`."""
    return relation.partition(":")[0]


def relations_of(graphs: Sequence[Graph]) -> tuple[str, ...]:
    """Every relation, without sub-types, by descending frequency and then by name."""
    counts = Counter(name for graph in graphs for name in graph.relations)
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


def distances(graph: Graph) -> Int16[Tensor, "nodes nodes"]:
    """Path lengths in the undirected graph, -1 where there is no path.

    A tree is walked once from its root: distances from a node are those from its head plus 1. (int16, since the chain over a
    long sentence exceeds 127.)

    Example::

        >>> from assay.graph import distances
        >>> task = assay.load_task("treebank:en_nested")
        >>> (graph,) = task.graphs("train", 1, generator=torch.Generator().manual_seed(1))
        >>> " ".join(graph.words), distances(graph)[0].tolist()  # from the first word to every word
        ('the lawyer that the driver beside the student likes walks .', [0, 1, 3, 4, 3, 5, 5, 4, 2, 2, 3])
    """
    if not graph.is_tree:
        return _reached(graph)
    depth = depths(graph)
    found = torch.zeros(len(graph), len(graph), dtype=torch.int16)
    done: list[int] = []
    for node in depth.argsort(stable=True).tolist():
        if done:
            row = found[graph.head[node], done] + 1
            found[node, done] = row
            found[done, node] = row
        done.append(node)
    return found


def depths(graph: Graph) -> Int16[Tensor, " nodes"]:
    """Number of edges on the shortest directed path from a node without a head; -1 where there is none.

    Example::

        >>> from assay.graph import depths
        >>> task = assay.load_task("treebank:en_nested")
        >>> (graph,) = task.graphs("train", 1, generator=torch.Generator().manual_seed(1))
        >>> " ".join(graph.words), depths(graph).tolist()
        ('the lawyer that the driver beside the student likes walks .', [2, 1, 3, 4, 3, 5, 5, 4, 2, 0, 1])
    """
    return torch.tensor(_depths(graph), dtype=torch.int16)


def _depths(graph: Graph) -> list[int]:
    """`depths` in plain Python, which is faster on many short sentences."""
    dependents = {dependent for _, dependent, _ in graph.edges}
    follows, found = dependents_of(graph), [-1] * len(graph)
    level, depth = [node for node in range(len(graph)) if node not in dependents], 0
    while level:
        for node in level:
            found[node] = depth
        level = list({dependent for node in level for dependent in follows[node] if found[dependent] < 0})
        depth += 1
    return found


def dependents_of(graph: Graph) -> list[list[int]]:
    """The dependents of every node."""
    follows: list[list[int]] = [[] for _ in range(len(graph))]
    for head, dependent, _ in graph.edges:
        follows[head].append(dependent)
    return follows


def _reached(graph: Graph) -> Int16[Tensor, "nodes nodes"]:
    """Path lengths by breadth-first search from every node at once."""
    beside: Bool[Tensor, "nodes nodes"] = torch.zeros(len(graph), len(graph), dtype=torch.bool)
    for head, dependent, _ in graph.edges:
        beside[head, dependent] = True
        beside[dependent, head] = True
    found = torch.full((len(graph), len(graph)), -1, dtype=torch.int16)
    last, steps = torch.eye(len(graph), dtype=torch.bool), 0
    while last.any():
        found[last] = steps
        last = ((last.float() @ beside.float()) > 0) & (found < 0)
        steps += 1
    return found


@runtime_checkable
class GivesGraphs(Protocol):
    """What a task must offer: texts with a declared graph over their words."""

    def graphs(self, split: GraphSplit, n: int, *, generator: Generator) -> tuple[Graph, ...]:
        """At most `n` texts, drawn without replacement; a finite split of at most `n` is given whole, in random order.

        A probe is fitted on `train`, chosen on `dev` and reported on `test`; no text is in two of them.
        """
        ...


class FedTokens(NamedTuple):
    """Inputs of a subject that reads the task's own tokens: `inputs`, keyword arguments of its forward, each `(n, ...)`;
    `places`, the position of every word in its states, -1 as padding of shorter texts; `rows`, the row of `inputs` in which
    each word is read where a text has several rows, such as its prefixes for a network that answers at its last position. None:
    text k is row k."""

    inputs: Mapping[str, Tensor]
    places: Int[Tensor, "texts words"]
    rows: Int[Tensor, "texts words"] | None = None


@runtime_checkable
class FeedsGraphs(Protocol):
    """What a task must offer beside `GivesGraphs`: the texts as the task's own inputs, so that no tokenizer is needed."""

    def feed(self, graphs: Sequence[Graph]) -> FedTokens:
        """The inputs for these texts."""
        ...


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """A sentence with one word to predict, of which the structure allows one of two forms.

    **Attributes:**

    - `graph`: the graph of the whole sentence, with the right word in it.
    - `place`: index of the word to predict; a left-to-right network is given the words before it.
    - `right`, `wrong`: the form that the structure allows, and the other.
    - `decides`: index of the word that determines the form, such as the subject of a verb.
    - `family`: the construction, by what lies between these two words.
    - `attractor`: whether a word between suggests the `same` form or the `other`, or there is `none`.
    """

    graph: Graph
    place: int
    right: str
    wrong: str
    decides: int
    family: str
    attractor: Literal["none", "same", "other"]

    def __post_init__(self):
        assert self.graph.words[self.place] == self.right != self.wrong


@runtime_checkable
class GivesContinuations(Protocol):
    """What a task must offer beside `GivesGraphs`: sentences in which the graph determines a word."""

    def continuations(self, n: int, *, generator: Generator) -> tuple[Continuation, ...]:
        """At most `n` different sentences, balanced over families and attractors; none where the task has none in its
        language."""
        ...
