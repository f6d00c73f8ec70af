"""What is read of one network on a task's texts: the states of every split, and of the same texts in nonsense words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jaxtyping import Float
from torch import Generator, Tensor

from assay.encoding import Encoded, Encoder, encode
from assay.encoding.hugging_face import WORDS
from assay.graph import GivesGraphs, Graph, GraphSplit
from assay.graph_controls import jabberwocky
from assay.instrument import Progress, silent
from assay.instruments.polar import nulls, reduction
from assay.instruments.polar.fit import Probes
from assay.instruments.polar.targets import Sample, relations_of
from assay.stats import child_generator


@dataclass(frozen=True)
class Texts:
    """The graphs of a task, drawn once."""

    train: tuple[Graph, ...]
    dev: tuple[Graph, ...]
    test: tuple[Graph, ...]

    @classmethod
    def draw(cls, task: GivesGraphs, *, train: int, dev: int, test: int, generator: Generator) -> "Texts":
        """At most so many of each split, in an order that does not depend on theirs."""

        def drawn(split: GraphSplit, n: int) -> tuple[Graph, ...]:
            graphs = task.graphs(split, n, generator=child_generator(generator))
            return tuple(sorted(graphs, key=lambda graph: (graph.words, graph.mentions, graph.edges)))

        return cls(train=drawn("train", train), dev=drawn("dev", dev), test=drawn("test", test))


@dataclass(frozen=True)
class Reading:
    """One network's states on all texts.

    **Attributes:**

    - `train`, `dev`, `test`: states and what is asked, for every layer.
    - `graphs`: of the train and test texts that were encoded.
    - `layers`: their names.
    - `refused`: why texts were not encoded, with what the source calls them.
    - `components`: those that the states were reduced to; None where they are as the network has them.
    """

    train: Sample
    dev: Sample
    test: Sample
    train_graphs: tuple[Graph, ...]
    test_graphs: tuple[Graph, ...]
    layers: tuple[str, ...]
    refused: tuple[str, ...]
    components: reduction.Reduction | None = None

    @property
    def candidates(self) -> list[int]:
        """The layers to choose among: the raw word embedding is a null."""
        return [k for k, name in enumerate(self.layers) if name != WORDS]

    def reduced(self, *, generator: Generator) -> "Reading":
        """In principal components of the training words, where the states are wider than `reduction.WIDEST`."""
        if self.train.states.shape[2] <= reduction.WIDEST:
            return self
        found = reduction.Reduction.fit(self.train, reduction.WIDEST, generator=generator)
        return replace(
            self,
            train=found.applied(self.train),
            dev=found.applied(self.dev),
            test=found.applied(self.test),
            components=found,
        )

    def like(self, sample: Sample) -> Sample:
        """Other texts of the same network, reduced as these are."""
        return sample if self.components is None else self.components.applied(sample)

    def whole(self, probes: Probes, layer: int) -> Probes:
        """Probes fitted here, for the network's states as they are."""
        return probes if self.components is None else probes.after(self.components.basis[[layer]])

    def place(self, layer: int) -> "Place":
        """Where probes of other networks are moved to."""
        return Place(self.test.at([layer]), None if self.components is None else self.components.basis[[layer]])


@dataclass(frozen=True)
class Place:
    """The test texts at one layer of a network.

    **Attributes:** `basis` `(1, width, kept)`: of the components that its states were reduced to; None where they were not.
    """

    test: Sample
    basis: Float[Tensor, "1 width kept"] | None

    def moved(self, probes: Probes) -> Probes:
        """Probes of a network's states as they are, for the states here."""
        return probes if self.basis is None else probes.after(self.basis.mT)


def read(
    encoder: Encoder, texts: Texts, *, folder: Path | None = None, progress: Progress = silent, relations: Sequence[str] = ()
) -> Reading:
    """Encode every text. `folder`: where the encodings are kept and found again, one folder for each split."""
    encoded: list[Encoded] = []
    splits = (("train", texts.train), ("dev", texts.dev), ("test", texts.test))
    for name, graphs in splits:
        encoded.append(encode(encoder, graphs, folder=folder / name if folder else None, progress=progress))
    kept = nulls.kept_graphs(encoded[0], texts.train)
    names = tuple(relations) or relations_of(kept)
    train, dev, test = (nulls.sample_of(states, graphs, names) for states, (_, graphs) in zip(encoded, splits, strict=True))
    refused = tuple(
        f"{item.sentence_id or f'{split} {item.text}'}: {item.why}"
        for states, (split, _) in zip(encoded, splits, strict=True)
        for item in states.refused
    )
    return Reading(train, dev, test, kept, nulls.kept_graphs(encoded[2], texts.test), encoder.layers, refused)


def read_nonsense(
    encoder: Encoder, graphs: Sequence[Graph], relations: Sequence[str], *, generator: Generator
) -> Sample | None:
    """The test texts with every content word replaced by a made-up one; None where parts of speech are not declared, or where
    the encoder has no token for one."""
    if not graphs or not all(graph.tags for graph in graphs):
        return None
    changed = jabberwocky(graphs, kind="nonsense", generator=generator)
    encoded = encode(encoder, changed)
    return nulls.sample_of(encoded, changed, relations) if len(encoded) == len(graphs) else None
