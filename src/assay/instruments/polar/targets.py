"""What a probe is asked for: distances, depths, edges and relations of graphs as tensors, padded into batches."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Generator, Tensor

from assay.graph import Graph, depths, distances

UNSEEN = -1  # the relation of an edge that no training graph has


@dataclass(frozen=True)
class Target:
    """One graph of `n` nodes and `e` edges.

    **Attributes:**

    - `distances` `(n, n)`: path lengths, -1 where no path leads; `depths` `(n,)`.
    - `edges` `(e, 2)`: head and dependent; `relations` `(e,)`: into the relations of the training graphs, or `UNSEEN`.
    - `root`: the one node without a head, -1 where there are several or none.
    - `content` `(n,)`: no punctuation.
    """

    distances: Int[Tensor, "n n"]
    depths: Int[Tensor, " n"]
    edges: Int[Tensor, "e 2"]
    relations: Int[Tensor, " e"]
    root: int
    content: Bool[Tensor, " n"]

    @classmethod
    def of(cls, graph: Graph, relations: Sequence[str]) -> "Target":
        """The target of one graph."""
        known = {name: k for k, name in enumerate(relations)}
        edges = torch.tensor([edge[:2] for edge in graph.edges], dtype=torch.int64).view(-1, 2)
        roots = sorted(set(range(len(graph))) - set(edges[:, 1].tolist()))
        return cls(
            distances=distances(graph),
            depths=depths(graph),
            edges=edges,
            relations=torch.tensor([known.get(name, UNSEEN) for name in graph.relations], dtype=torch.int64),
            root=roots[0] if len(roots) == 1 else -1,
            content=~torch.tensor(graph.punctuation, dtype=torch.bool),
        )

    def __len__(self) -> int:
        return len(self.depths)


def relations_of(graphs: Sequence[Graph]) -> tuple[str, ...]:
    """Every relation, without sub-types, the most frequent first and equally frequent ones by name."""
    counts = Counter(name for graph in graphs for name in graph.relations)
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


@dataclass(frozen=True)
class Sample:
    """Texts with their states and what a probe is asked of them.

    **Attributes:**

    - `states` `(layers, nodes, width)`, of any floating-point type.
    - `starts` `(texts + 1,)`: text `k` has the rows `starts[k]` to `starts[k + 1]`.
    - `targets`: one for each text. `relations`: the names of the relations.
    """

    states: Shaped[Tensor, "layers nodes width"]
    starts: Int[Tensor, " texts_and_one"]
    targets: tuple[Target, ...]
    relations: tuple[str, ...]

    def __post_init__(self):
        sizes = [len(target) for target in self.targets]
        assert self.starts.tolist() == [0, *torch.tensor(sizes, dtype=torch.int64).cumsum(0).tolist()], "one row a node"

    def __len__(self) -> int:
        return len(self.targets)

    def at(self, layers: Sequence[int]) -> "Sample":
        """The same texts at some of the layers, in that order; a layer may be named twice."""
        return Sample(self.states[list(layers)], self.starts, self.targets, self.relations)

    def first(self, num: int) -> "Sample":
        """The first texts."""
        starts = self.starts[: num + 1]
        return Sample(self.states[:, : int(starts[-1])], starts, self.targets[:num], self.relations)

    def asked_for(self, graphs: Sequence[Graph]) -> "Sample":
        """The same states with other graphs over the same nodes: what a control asks for."""
        return Sample(self.states, self.starts, tuple(Target.of(graph, self.relations) for graph in graphs), self.relations)

    def with_states(self, states: Shaped[Tensor, "layers nodes width"]) -> "Sample":
        """The same texts with other states of the same nodes."""
        return Sample(states, self.starts, self.targets, self.relations)


@dataclass(frozen=True)
class Batch:
    """`b` texts padded to `n` nodes, with `e` edges in all.

    **Attributes:**

    - `texts` `(b,)`; `rows` `(b, n)` of the states, 0 where padded; `real` `(b, n)`.
    - `distances` `(b, n, n)`, `weights` `(b, n, n)`: 1 / n^2 of the text where a path leads, else 0.
    - `depths` `(b, n)`: 0 where padded or not known.
    - `edges` `(e, 3)`: place in the batch, head, dependent; `relations` `(e,)`.
    - `roots` `(t, 2)`: place in the batch and root of the texts that have one.
    """

    texts: Int[Tensor, " b"]
    rows: Int[Tensor, "b n"]
    real: Bool[Tensor, "b n"]
    distances: Float[Tensor, "b n n"]
    weights: Float[Tensor, "b n n"]
    depths: Float[Tensor, "b n"]
    edges: Int[Tensor, "e 3"]
    relations: Int[Tensor, " e"]
    roots: Int[Tensor, "t 2"]

    @classmethod
    def of(cls, sample: Sample, texts: Sequence[int]) -> "Batch":
        """Pad these texts."""
        chosen = [sample.targets[k] for k in texts]
        num, longest = len(chosen), max(len(target) for target in chosen)
        rows = torch.zeros(num, longest, dtype=torch.int64)
        real = torch.zeros(num, longest, dtype=torch.bool)
        wanted, weights, deep = (
            torch.zeros(num, longest, longest),
            torch.zeros(num, longest, longest),
            torch.zeros(num, longest),
        )
        for place, (k, target) in enumerate(zip(texts, chosen, strict=True)):
            n = len(target)
            rows[place, :n] = torch.arange(n) + sample.starts[k]
            real[place, :n] = True
            wanted[place, :n, :n] = target.distances
            weights[place, :n, :n] = 1 / n**2
            deep[place, :n] = target.depths
        counts = torch.tensor([len(target.edges) for target in chosen])
        owner = torch.arange(num).repeat_interleave(counts)
        return cls(
            texts=torch.tensor(texts, dtype=torch.int64),
            rows=rows,
            real=real,
            distances=wanted,
            weights=weights * (wanted >= 0),
            depths=deep.clamp(min=0),
            edges=torch.cat([owner[:, None], torch.cat([target.edges for target in chosen])], 1),
            relations=torch.cat([target.relations for target in chosen]),
            roots=torch.tensor([(k, t.root) for k, t in enumerate(chosen) if t.root >= 0], dtype=torch.int64).view(-1, 2),
        )


def in_order(sample: Sample, size: int = 32) -> Iterator[Batch]:
    """Every text once, those of like length together."""
    lengths = sample.starts.diff()
    for some in lengths.argsort(stable=True).split(size):
        if len(some):
            yield Batch.of(sample, some.tolist())


def grouped(sample: Sample, size: int, generator: Generator) -> list[Batch]:
    """Every text once, in batches of about like length. They are made once and serve every epoch: to pad a batch costs as much
    as a step."""
    lengths = sample.starts.diff()
    near = (lengths * (0.8 + 0.4 * torch.rand(len(lengths), generator=generator))).argsort(stable=True)
    return [Batch.of(sample, some.tolist()) for some in near.split(size) if len(some)]
