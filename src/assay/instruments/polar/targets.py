"""The data of a probe: the states of texts at every layer, and their graphs as padded tensors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.display import number
from assay.encoding import Encoded, Encoder, encode
from assay.graph import Graph, GraphSplit, depths, distances, relations_of
from assay.graph_controls import jabberwocky
from assay.instrument import report

SPLITS: tuple[GraphSplit, ...] = ("train", "dev", "test")
UNSEEN = -1  # stands for a relation that occurs in no training graph
WIDEST = 512  # wider states are reduced to so many principal components
_MOST_NODES, _CHUNK = 10_000, 4_096  # number of nodes to which components are fitted; number of nodes reduced at a time


@dataclass(frozen=True)
class Target:
    """One graph of `n` nodes and `e` edges.

    **Attributes:**

    - `distances` `(n, n)`: path lengths, -1 where there is no path; `depths` `(n,)`.
    - `edges` `(e, 2)`: head and dependent; `relations` `(e,)`: indices into the relations of the training graphs, or `UNSEEN`.
    - `root`: the one node without a head, -1 where there are several or none.
    - `content` `(n,)`: whether a node is not punctuation.
    """

    graph: Graph
    distances: Int[Tensor, "n n"]
    depths: Int[Tensor, " n"]
    edges: Int[Tensor, "e 2"]
    relations: Int[Tensor, " e"]
    root: int
    content: Bool[Tensor, " n"]

    @classmethod
    def of(cls, graph: Graph, relations: Sequence[str]) -> "Target":
        """Convert one graph."""
        known = {name: k for k, name in enumerate(relations)}
        edges = torch.tensor([edge[:2] for edge in graph.edges], dtype=torch.int64).view(-1, 2)
        roots = sorted(set(range(len(graph))) - set(edges[:, 1].tolist()))
        return cls(
            graph=graph,
            distances=distances(graph),
            depths=depths(graph),
            edges=edges,
            relations=torch.tensor([known.get(name, UNSEEN) for name in graph.relations], dtype=torch.int64),
            root=roots[0] if len(roots) == 1 else -1,
            content=~torch.tensor(graph.punctuation, dtype=torch.bool),
        )

    def __len__(self) -> int:
        return len(self.depths)


@dataclass(frozen=True)
class Sample:
    """Texts with their states, and the graphs that a probe should predict.

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

    @property
    def graphs(self) -> list[Graph]:
        """The graphs, one for each text."""
        return [target.graph for target in self.targets]

    def at(self, layers: Sequence[int]) -> "Sample":
        """The same texts at some of the layers, in that order; a layer may be named twice."""
        return self.with_states(self.states[list(layers)])

    def first(self, num: int) -> "Sample":
        """The first texts."""
        starts = self.starts[: num + 1]
        return Sample(self.states[:, : int(starts[-1])], starts, self.targets[:num], self.relations)

    def asked_for(self, graphs: Sequence[Graph]) -> "Sample":
        """The same states with other graphs over the same nodes, as a control needs them."""
        return replace(self, targets=tuple(Target.of(graph, self.relations) for graph in graphs))

    def with_states(self, states: Shaped[Tensor, "layers nodes width"]) -> "Sample":
        """The same texts with other states of the same nodes."""
        return replace(self, states=states)


@dataclass(frozen=True)
class Batch:
    """`b` texts padded to `n` nodes, with `e` edges in all.

    **Attributes:**

    - `texts` `(b,)`; `rows` `(b, n)` of the states, 0 where padded; `real` `(b, n)`.
    - `distances` `(b, n, n)`; `weights` `(b, n, n)`: 1 / n^2, with n the nodes of the text, where there is a path, else 0.
    - `depths` `(b, n)`: 0 where padded or not known.
    - `edges` `(e, 3)`: index of the text in the batch, head, dependent; `relations` `(e,)`.
    - `roots` `(t, 2)`: index in the batch and root of the texts that have one.
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
        """Pad some texts of a sample to one batch."""
        chosen = [sample.targets[k] for k in texts]
        lengths = torch.tensor([len(target) for target in chosen])
        places = torch.arange(int(lengths.max()))
        real = places < lengths[:, None]
        missing = [len(places) - len(target) for target in chosen]
        apart = torch.stack([F.pad(t.distances, (0, more, 0, more), value=-1) for t, more in zip(chosen, missing, strict=True)])
        deep = torch.stack([F.pad(t.depths, (0, more)) for t, more in zip(chosen, missing, strict=True)])
        owner = torch.arange(len(chosen)).repeat_interleave(torch.tensor([len(target.edges) for target in chosen]))
        return cls(
            texts=torch.tensor(texts, dtype=torch.int64),
            rows=torch.where(real, sample.starts[texts][:, None] + places, 0),
            real=real,
            distances=apart.clamp(min=0).float(),
            weights=(apart >= 0) / lengths[:, None, None] ** 2,
            depths=deep.clamp(min=0).float(),
            edges=torch.cat([owner[:, None], torch.cat([target.edges for target in chosen])], 1),
            relations=torch.cat([target.relations for target in chosen]),
            roots=torch.tensor([(k, t.root) for k, t in enumerate(chosen) if t.root >= 0], dtype=torch.int64).view(-1, 2),
        )


def in_order(sample: Sample, size: int = 32, generator: Generator | None = None) -> Iterator[Batch]:
    """Batches of all texts, each of similar length: in the order of length, or shuffled if a generator is given."""
    lengths = sample.starts.diff()
    if generator is not None:
        lengths = lengths * (0.8 + 0.4 * torch.rand(len(lengths), generator=generator))
    for some in lengths.argsort(stable=True).split(size):
        if len(some):
            yield Batch.of(sample, some.tolist())


# Reading texts


def sample_of(encoded: Encoded, graphs: Sequence[Graph], relations: Sequence[str]) -> Sample:
    """The encoded texts with their targets. `graphs`: those that were given to `encode`."""
    asked = tuple(Target.of(graphs[k], relations) for k in encoded.kept)
    return Sample(encoded.states, encoded.starts, asked, tuple(relations))


@dataclass(frozen=True)
class TextStates:
    """One network's states on all texts, for every layer.

    **Attributes:**

    - `layers`: names of the layers.
    - `refused`: for each text that was not encoded, its name in the source and the reason.
    - `basis` `(layers, width, kept)`: orthonormal columns, the principal components to which the states were reduced, or None
      if they were not; `components`: a description of this reduction.
    """

    train: Sample
    dev: Sample
    test: Sample
    layers: tuple[str, ...]
    refused: tuple[str, ...] = ()
    basis: Float[Tensor, "layers width kept"] | None = None
    components: str = "not taken"

    def reduced(self, *, generator: Generator) -> "TextStates":
        """Reduce states wider than `WIDEST` to principal components of the training words, since the cost of a probe grows with
        their width. Distances and angles within the components are unchanged."""
        if self.train.states.shape[2] <= WIDEST:
            return self
        basis, share = principal_components(self.train, WIDEST, generator=generator)
        train, dev, test = (in_components(sample, basis) for sample in (self.train, self.dev, self.test))
        kept = f"{number(float(share.min()))} to {number(float(share.max()))} of the variance of training words"
        told = f"{basis.shape[2]} of {basis.shape[1]} dimensions, {kept}"
        return replace(self, train=train, dev=dev, test=test, basis=basis, components=told)


def read_texts(encoder: Encoder, graphs: Mapping[str, Sequence[Graph]]) -> TextStates:
    """Encode the texts of every split."""
    encoded = {split: encode(encoder, some) for split, some in graphs.items()}
    relations = relations_of([graphs["train"][k] for k in encoded["train"].kept])
    train, dev, test = (sample_of(encoded[split], graphs[split], relations) for split in SPLITS)
    refused = (
        f"{item.sentence_id or f'{split} {item.text}'}: {item.why}" for split, one in encoded.items() for item in one.refused
    )
    return TextStates(train, dev, test, encoder.layers, tuple(refused))


def read_nonsense(encoder: Encoder, sample: Sample, *, generator: Generator) -> Sample | None:
    """The texts with every content word replaced by a made-up one; None if parts of speech are not declared, or the encoder has
    no token for a made-up word."""
    if not len(sample) or not all(graph.tags for graph in sample.graphs):
        return None
    changed = jabberwocky(sample.graphs, kind="nonsense", generator=generator)
    encoded = encode(encoder, changed)
    return sample_of(encoded, changed, sample.relations) if len(encoded) == len(sample) else None


def principal_components(
    train: Sample, kept: int, *, generator: Generator
) -> tuple[Float[Tensor, "layers width kept"], Float[Tensor, " layers"]]:
    """The leading principal components of the states of training words at every layer, `kept` or as many as there are words,
    and their share of the variance."""
    from sklearn.decomposition import PCA

    seed = int(torch.randint(2**31, (1,), generator=generator))
    some = torch.randperm(train.states.shape[1], generator=generator)[:_MOST_NODES]
    with np.errstate(invalid="ignore"):  # if all states are equal, the total variance is 0
        found = []
        for k, states in enumerate(train.states):
            report("principal components", k / len(train.states))
            found.append(PCA(min(kept, len(some)), random_state=seed).fit(states[some].float().numpy()))
    share = torch.tensor([min(1.0, float(one.explained_variance_ratio_.sum())) for one in found])
    return torch.stack([torch.from_numpy(one.components_).float().mT for one in found]), share


def in_components(sample: Sample, basis: Float[Tensor, "layers width kept"]) -> Sample:
    """The same texts in principal components. The mean is not subtracted, since a probe of depth measures from the origin."""
    found = torch.empty(*sample.states.shape[:2], basis.shape[2])
    for states, columns, there in zip(sample.states, basis, found, strict=True):
        # Chunk by chunk: the states may be a memory map that is larger than memory.
        for some, place in zip(states.split(_CHUNK), there.split(_CHUNK), strict=True):
            torch.mm(some.float(), columns, out=place)
    return sample.with_states(found)
