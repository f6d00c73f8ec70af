"""Evolved networks: a genome evaluated as a graph, and as an equivalent dense network."""

from collections import Counter
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.data.genomes import INPUTS, OUTPUTS, Genome, picture_genome
from assay.models.cppn import ACTIVATIONS, Cppn, colours


def graph_values(genome: Genome, x: Float[Tensor, "n 4"]) -> dict[str, Float[Tensor, " n"]]:
    """The value of every node that an output depends on, at each row of `coordinates`.

    Example::

        values = graph_values(picture_genome("skull"), coordinates(64))
    """
    sources, inputs = genome.sources(), {node: INPUTS.index(label) for label, node in genome.inputs.items()}
    values: dict[str, Tensor] = {}
    for node in genome.order():
        if node in inputs:
            values[node] = x[:, inputs[node]]
            continue
        total = torch.zeros_like(x[:, 0])
        for source in sources[node]:
            total = total + genome.links[source, node] * values[source]
        values[node] = ACTIVATIONS[genome.activations[node]](total)
    return values


def draw_graph(genome: Genome, x: Float[Tensor, "n 4"]) -> Float[Tensor, "n 3"]:
    """The colours that a genome gives to each row of `coordinates`, computed node by node. A missing output is 0."""
    values = graph_values(genome, x)
    zero = torch.zeros_like(x[:, 0])
    return colours(torch.stack([values[genome.outputs[name]] if name in genome.outputs else zero for name in OUTPUTS], 1))


def shape_of(genome: Genome) -> dict[str, int]:
    """The options of the `Cppn` that holds a genome: its depth, and units of every activation."""
    return _Layout(genome.coloured()).options


def dense(genome: Genome) -> Cppn:
    """The genome as a dense network, in evaluation mode and float32. Each node lies in the layer after its last source; units
    with the identity carry values to later layers, and all other weights are 0.

    Example::

        network = dense(picture_genome("skull"))

        picture = network(coordinates(64).float()).reshape(64, 64, 3)
    """
    genome = genome.coloured()
    layout = _Layout(genome)
    network = Cppn(**layout.options)
    matrices = [layer.weight for layer in network.layers if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for depth, matrix in enumerate(matrices, 1):
            matrix.zero_()
            before = layout.place(depth - 1)
            if depth == len(matrices):
                for row, name in enumerate(OUTPUTS):
                    matrix[row, before[genome.outputs[name]]] = 1.0
                break
            for node, row in layout.place(depth).items():
                if layout.layer[node] < depth:
                    matrix[row, before[node]] = 1.0
                else:
                    for source in layout.sources[node]:
                        matrix[row, before[source]] = genome.links[source, node]
    return network.eval()


class _Layout:
    """Positions of nodes in the layers of the dense network. Carried nodes come before those with their activation."""

    def __init__(self, genome: Genome):
        order = genome.order()
        inputs = set(genome.inputs.values())
        self.genome, known = genome, genome.sources()
        self.sources: Mapping[str, list[str]] = {node: [] if node in inputs else known[node] for node in order}
        self.layer: dict[str, int] = {}
        for node in order:
            self.layer[node] = 0 if node in inputs else 1 + max((self.layer[one] for one in self.sources[node]), default=0)
        self.depth = max(1, *self.layer.values())
        self.last = dict(self.layer)
        for node in order:
            for source in self.sources[node]:
                self.last[source] = max(self.last[source], self.layer[node] - 1)
        for output in genome.outputs.values():
            self.last[output] = self.depth
        per_layer = [Counter(self._kind(node, depth) for node in self._living(depth)) for depth in range(1, self.depth + 1)]
        most = {kind: max(counts[kind] for counts in per_layer) for kind in ("cache", *ACTIVATIONS)}
        self.starts, start = {}, 0
        for kind, count in most.items():
            self.starts[kind] = start
            start += count
        self.options = {
            "depth": self.depth,
            "identity": most["cache"] + most["identity"],
            **{kind: most[kind] for kind in ("gaussian", "sigmoid", "sin", "cos", "tanh")},
        }

    def _kind(self, node: str, depth: int) -> str:
        return "cache" if self.layer[node] < depth else self.genome.activations[node]

    def _living(self, depth: int) -> list[str]:
        return [node for node in self.layer if self.layer[node] <= depth <= self.last[node]]

    def place(self, depth: int) -> dict[str, int]:
        """The unit of every node in a layer; in the first, the order of the inputs."""
        if depth == 0:
            return {node: INPUTS.index(label) for label, node in self.genome.inputs.items()}
        taken: Counter[str] = Counter()
        found = {}
        for node in self._living(depth):
            kind = self._kind(node, depth)
            found[node] = self.starts[kind] + taken[kind]
            taken[kind] += 1
        return found


def skull() -> Cppn:
    """The network that draws the evolved skull of Picbreeder: `assay audit assay.models.evolved:skull --task picture:skull`.

    Example::

        >>> from assay.models.cppn import coordinates
        >>> from assay.models.evolved import skull
        >>> picture = skull()(coordinates(8).float()).detach().reshape(8, 8, 3)
        >>> 0 <= float(picture.min()) < float(picture.max()) <= 1
        True
    """
    return dense(picture_genome("skull"))


def butterfly() -> Cppn:
    """The evolved butterfly."""
    return dense(picture_genome("butterfly"))


def apple() -> Cppn:
    """The evolved apple."""
    return dense(picture_genome("apple"))
