"""What a probe of real structure must beat. Each null takes encodings and graphs, and goes through the same fit and the same
scores as the real thing; none is tuned less."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.encoding import Encoded
from assay.graph import Graph
from assay.graph_controls import control_heads, control_relations, permuted
from assay.instruments.polar.fit import Probes, unfitted
from assay.instruments.polar.targets import Sample, Target

POSITION_WIDTH = 64
_LONGEST_WAVE = 10_000.0


def sample_of(encoded: Encoded, graphs: Sequence[Graph], relations: Sequence[str]) -> Sample:
    """What was encoded, with what is asked of it. `graphs` are those that were given to `encode`."""
    asked = tuple(Target.of(graphs[k], relations) for k in encoded.kept)
    return Sample(encoded.states, encoded.starts, asked, tuple(relations))


def kept_graphs(encoded: Encoded, graphs: Sequence[Graph]) -> tuple[Graph, ...]:
    """Those of the graphs that were encoded."""
    return tuple(graphs[k] for k in encoded.kept)


# States that know nothing but where a node is


def in_line(sample: Sample, graphs: Sequence[Graph]) -> Sample:
    """States that are a node's place alone, so that without a probe the tree is the chain from left to right."""
    return sample.with_states(_places(graphs)[None, :, None])


def positions(sample: Sample, graphs: Sequence[Graph]) -> Sample:
    """States that are sines and cosines of a node's place (Vaswani et al. 2017, section 3.5): what position alone can tell a
    probe that is fitted."""
    waves = _LONGEST_WAVE ** (-torch.arange(0, POSITION_WIDTH, 2) / POSITION_WIDTH)
    angles = _places(graphs)[:, None] * waves
    return sample.with_states(torch.cat([angles.sin(), angles.cos()], 1)[None])


def _places(graphs: Sequence[Graph]) -> Float[Tensor, " nodes"]:
    """The mean place of the words of every node."""
    return torch.tensor([sum(words) / len(words) for graph in graphs for words in graph.mentions], dtype=torch.float32)


def chained(train: Sample, graphs: Sequence[Graph]) -> Probes:
    """The probe of `in_line`: nothing is fitted but the mean edge of every relation, a direction and a length."""
    return unfitted(in_line(train, graphs), None, generator=Generator())


# Graphs that are not there


def permuted_trees(train: Sample, graphs: Sequence[Graph], *, generator: Generator) -> Sample:
    """The same states, asked for graphs whose nodes were exchanged at random."""
    return train.asked_for([permuted(graph, generator=generator) for graph in graphs])


def control_relation_task(sample: Sample, graphs: Sequence[Graph], *, seed: int) -> Sample:
    """The same edges with relations that the dependent's word alone decides, at random (Hewitt and Liang 2019). Of `train` and
    `test` with one seed: the words keep their relations. What a probe gains over it is its selectivity."""
    return sample.asked_for(control_relations(graphs, seed=seed))


def control_head_task(sample: Sample, graphs: Sequence[Graph], *, seed: int) -> Sample:
    """Graphs in which the head of a node is the first or the last node, or none, as its word alone decides."""
    changed = []
    for graph, heads in zip(graphs, control_heads(graphs, seed=seed), strict=True):
        edges = {frozenset((head, node)): (head, node, "control") for node, head in enumerate(heads) if head != node}
        changed.append(replace(graph, edges=tuple(edges.values())))
    return sample.asked_for(changed)
