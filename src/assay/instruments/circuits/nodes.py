"""Nodes and edges of any network: units at the inputs and outputs of its linear maps, and the nonzero weights between them.

Where each unit of an output of one map determines one unit of the input of another by itself, as through a ReLU or as a value
that attention mixes over positions, the two are one node. This is found by perturbing units, not from the names of modules.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor, nn

from assay.hooks import Side, catch, first_tensor, observe, replace
from assay.isolation import undisturbed
from assay.keywords import as_taken
from assay.masks.maskable import is_transposed
from assay.outputs import answer_of
from assay.subject import Subject

_TOLERANCE = 1e-5  # a change below this share of the largest value counts as none
_AHEAD = 6  # number of places after an output that are tested as the one that its units reach
ANSWER = "the answer"


@dataclass(frozen=True)
class GatedUnits:
    """The units of one place: `name`, like that of a site; `hooks`: where they are gated; `axis`: the dimension of the
    units."""

    name: str
    hooks: tuple[tuple[str, Side], ...]
    width: int
    axis: int = -1


@dataclass(frozen=True)
class LinearMap:
    """Weights from the units of one place, `source`, to those of another, `target`; `target` None: to the outputs.

    **Attributes:** `matrix`: the weights `(outputs, inputs, ...)` of a module.
    """

    layer: str
    source: int
    target: int | None

    @staticmethod
    def matrix(layer: nn.Module) -> Tensor:
        weight = layer.get_parameter("weight").detach()
        return weight.T if is_transposed(layer) else weight


@dataclass(frozen=True)
class Wiring:
    """All places and maps of a network. Nodes are numbered place by place.

    **Attributes:** `unseen`: parameters with two dimensions or more that belong to no map, such as those of embeddings and
    recurrent cells; their weights are not edges. `work`: multiplications of all maps on one example.
    """

    places: tuple[GatedUnits, ...]
    maps: tuple[LinearMap, ...]
    unseen: tuple[str, ...]
    work: int = 0

    @cached_property
    def starts(self) -> list[int]:
        """The index of the first node of every place, and last the number of all nodes."""
        return torch.tensor([0, *(place.width for place in self.places)]).cumsum(0).tolist()

    @property
    def num_nodes(self) -> int:
        return self.starts[-1]

    def split(self, nodes: Tensor) -> tuple[Tensor, ...]:
        """Split values of all nodes into those of each place."""
        return nodes.split([place.width for place in self.places])

    def name(self, node: int) -> str:
        """The name of a node, such as `blocks.0.mlp.down:in 17`."""
        place = next(k for k in range(len(self.places)) if node < self.starts[k + 1])
        return f"{self.places[place].name} {node - self.starts[place]}"

    def edges(self, module: nn.Module, answered: Bool[Tensor, " outputs"]) -> "Edges":
        """The nonzero weights of a network of this architecture.

        **Arguments:** `answered`: the output units on which the loss depends; edges to other outputs do not count.
        """
        return Edges(self, tuple(self._edges(module, one, answered) for one in self.maps))

    def _edges(self, module: nn.Module, one: LinearMap, answered: Bool[Tensor, " outputs"]) -> "MapEdges":
        weight = LinearMap.matrix(module.get_submodule(one.layer))
        counts = (weight != 0).flatten(2).sum(-1) if weight.ndim > 2 else (weight != 0)
        if one.target is None:
            counts = counts * answered.to(counts.device)[:, None]
        return MapEdges(one, counts.cpu().double())


@dataclass(frozen=True, eq=False)
class MapEdges:
    """The number of nonzero weights from each input `i` to each output `o` of a map: `counts` `(o, i)`, as floating-point
    numbers so that sums are matrix products."""

    of: LinearMap
    counts: Tensor


@dataclass(frozen=True)
class Edges:
    """The edges of one network."""

    wiring: Wiring
    maps: tuple[MapEdges, ...]

    def count(self, kept: Bool[Tensor, " nodes"]) -> int:
        """The exact number of edges between kept nodes, and from them to the answered outputs."""
        return int(sum(float(out @ one.counts @ inside) for one, out, inside in self._ends(kept.double())))

    @cached_property
    def total(self) -> int:
        return self.count(torch.ones(self.wiring.num_nodes, dtype=torch.bool))

    def degrees(self) -> Int[Tensor, " nodes"]:
        """The number of nonzero weights into and out of each node."""
        found = torch.zeros(self.wiring.num_nodes, dtype=torch.float64)
        places = self.wiring.split(found)
        for one, out, inside in self._ends(torch.ones(self.wiring.num_nodes, dtype=torch.float64)):
            places[one.of.source].add_(out @ one.counts)
            if one.of.target is not None:
                places[one.of.target].add_(one.counts @ inside)
        return found.long()

    def within(self, kept: Bool[Tensor, " nodes"]) -> Bool[Tensor, " edges"]:
        """For all pairs of nodes joined by a weight, in a fixed order, whether both nodes are kept."""
        return torch.cat([free.flatten() for _, free in self.matrices(kept)])

    def matrices(self, kept: Bool[Tensor, " nodes"]) -> Iterator[tuple[LinearMap, Bool[Tensor, "o i"]]]:
        """For every map the weights from kept nodes to kept nodes, or to the answered outputs."""
        for one, out, inside in self._ends(kept.double()):
            yield one.of, (one.counts > 0) & (out[:, None] * inside > 0)

    def listed(self, kept: Bool[Tensor, " nodes"]) -> Iterator[tuple[LinearMap, int, int]]:
        """Every pair of kept nodes joined by a weight: the map, and the indices of its output and input."""
        for of, free in self.matrices(kept):
            for o, i in free.nonzero().tolist():
                yield of, o, i

    def _ends(self, nodes: Tensor) -> Iterator[tuple[MapEdges, Tensor, Tensor]]:
        places = self.wiring.split(nodes)
        for one in self.maps:
            out = torch.ones(len(one.counts), dtype=nodes.dtype) if one.of.target is None else places[one.of.target]
            yield one, out, places[one.of.source]


def wiring_of(subject: Subject, inputs: Mapping[str, Tensor]) -> Wiring:
    """The places and maps of a network, traced by running it on a few inputs, about `2 log2(width)` times for every map.

    Maps are Linear, the Conv1D of Hugging Face and convolutions without groups, if their modules are called.
    """
    trial = _Trial(subject, {name: value[:3] for name, value in inputs.items()})
    return trial.wiring()


@dataclass(eq=False)
class _MapVisit:
    """A tensor that enters or leaves a map, recorded at its first occurrence."""

    layer: str
    side: Side
    tensor: Tensor
    value: Tensor
    axis: int

    @property
    def width(self) -> int:
        return self.value.shape[self.axis]

    def calls_of(self, layer: nn.Module) -> int:
        """Multiplications for one example in the first call."""
        return layer.get_parameter("weight").numel() * self.value.numel() // (len(self.value) * self.width)


class _Trial:
    """Tracing of a network: it runs on a few inputs while units of one place are perturbed and others observed."""

    def __init__(self, subject: Subject, inputs: Mapping[str, Tensor]):
        self.module, self.inputs = subject.module, {name: value.to(subject.device) for name, value in inputs.items()}
        self.layers = {name: part for name, part in self.module.named_modules() if _is_map(part)}
        self.visits: list[_MapVisit] = []
        self.generator = Generator().manual_seed(0)
        watched = [
            observe(part, side, self._noting(name, side)) for name, part in self.layers.items() for side in ("in", "out")
        ]
        self.answer = self._run(watched)

    def _noting(self, layer: str, side: Side) -> Callable[[object], None]:
        axis = 1 if isinstance(self.layers[layer], (nn.Conv1d, nn.Conv2d)) else -1
        known: set[tuple[str, Side]] = set()

        def note(nest: object) -> None:
            tensor = first_tensor(nest)
            if tensor is not None and (layer, side) not in known:  # only the first of several calls
                known.add((layer, side))
                self.visits.append(_MapVisit(layer, side, tensor, tensor.detach().clone(), axis))

        return note

    def _run(self, handles: Sequence[torch.utils.hooks.RemovableHandle]) -> Tensor:
        try:
            with undisturbed(self.module, 0), torch.no_grad():
                return answer_of(self.module(**as_taken(self.module, self.inputs))).clone()
        finally:
            for handle in handles:
                handle.remove()

    def wiring(self) -> Wiring:
        entered = [visit for visit in self.visits if visit.side == "in"]
        left = {visit.layer: visit for visit in self.visits if visit.side == "out"}
        arrivals = {layer: self._arrival(visit) for layer, visit in left.items()}
        places: list[GatedUnits] = []
        number: dict[int, int] = {}  # the index of the place of each tensor that enters a map
        for visit in entered:
            if id(visit.tensor) not in number:
                same = [other for other in entered if other.tensor is visit.tensor]
                hooks: tuple[tuple[str, Side], ...] = tuple((other.layer, "in") for other in same)
                number[id(visit.tensor)] = len(places)
                places.append(GatedUnits(f"{visit.layer}:in", hooks, visit.width, visit.axis))
        maps = []
        for visit in entered:
            arrival = arrivals.get(visit.layer)
            if visit.layer not in left:
                continue
            if arrival == ANSWER:
                target = None
            elif isinstance(arrival, _MapVisit):
                target = number[id(arrival.tensor)]
            else:
                out = left[visit.layer]
                target = len(places)
                places.append(GatedUnits(f"{visit.layer}:out", ((visit.layer, "out"),), out.width, out.axis))
            maps.append(LinearMap(visit.layer, number[id(visit.tensor)], target))
        mapped = {id(self.layers[one.layer].weight) for one in maps}
        unseen = tuple(name for name, weight in self.module.named_parameters() if weight.ndim >= 2 and id(weight) not in mapped)
        work = sum(left[one.layer].calls_of(self.layers[one.layer]) for one in maps)
        return Wiring(tuple(places), tuple(maps), unseen, work)

    def _arrival(self, left: _MapVisit) -> "_MapVisit | str | None":
        """The one place, a later input or the network's output, that the units of an output reach one by one."""
        later = [visit for visit in self.visits[self.visits.index(left) + 1 :] if visit.side == "in"]
        for visit in [visit for visit in later if visit.width == left.width][:_AHEAD]:
            if visit.tensor is left.tensor or self._carries(left, visit):
                return visit if self._only_by(left, visit) else None
        carried = self.answer.shape[-1] == left.width and left.axis == -1 and self._carries(left, None)
        return ANSWER if carried else None

    def _carries(self, left: _MapVisit, at: _MapVisit | None) -> bool:
        """Whether perturbing unit k of `left` changes unit k, and no other, of `at` (None: the network's output)."""
        bits = max(1, (left.width - 1).bit_length())
        units, moved_some = torch.arange(left.width), torch.zeros(left.width, dtype=torch.bool)
        for bit in range(bits):
            for value in (0, 1):
                chosen = (units >> bit) % 2 == value
                moved = self._moved(left, chosen, at)
                if bool((moved & ~chosen).any()):
                    return False
                moved_some |= moved
        return bool(moved_some.any())

    def _moved(self, left: _MapVisit, chosen: Bool[Tensor, " width"], at: _MapVisit | None) -> Bool[Tensor, " width"]:
        """The units of a later place that change when the chosen units of an output are perturbed."""
        caught: list[Tensor] = []
        handles = [self._noise(left, chosen)]
        if at is not None:
            handles.append(catch(self.layers[at.layer], at.side, caught))
        answer = self._run(handles)
        now, before, axis = (answer, self.answer, -1) if at is None else (caught[0], at.value, at.axis)
        if now.shape != before.shape:
            return torch.ones(left.width, dtype=torch.bool)
        apart = (now - before).abs().movedim(axis, -1).flatten(0, -2).amax(0)
        return (apart > _TOLERANCE * before.abs().amax().clamp(min=1e-6)).cpu()

    def _only_by(self, left: _MapVisit, at: _MapVisit) -> bool:
        """Whether the network's output does not change when `left` is perturbed while the later place is held fixed."""
        everything = torch.ones(left.width, dtype=torch.bool)
        same = [visit.layer for visit in self.visits if visit.side == "in" and visit.tensor is at.tensor]
        handles = [self._noise(left, everything), *(replace(self.layers[layer], "in", lambda x: at.value) for layer in same)]
        moved = (self._run(handles) - self.answer).abs().amax()
        return bool(moved <= _TOLERANCE * self.answer.abs().amax().clamp(min=1e-6))

    def _noise(self, left: _MapVisit, chosen: Bool[Tensor, " width"]) -> torch.utils.hooks.RemovableHandle:
        def change(x: Tensor) -> Tensor:
            size = x.std().clamp(min=1e-3) if x.numel() > 1 else 1.0
            noise = torch.randn(x.shape, generator=self.generator).to(x) * size * 2
            return x + (noise.movedim(left.axis, -1) * chosen.to(x)).movedim(-1, left.axis)

        return replace(self.layers[left.layer], "out", change)


def _is_map(part: nn.Module) -> bool:
    convolves = isinstance(part, (nn.Conv1d, nn.Conv2d)) and part.groups == 1
    # A submodule whose weight another module uses without calling it, as MultiheadAttention does, is never visited.
    return isinstance(part, nn.Linear) or convolves or is_transposed(part)


@contextmanager
def gated(module: nn.Module, wiring: Wiring, changes: Mapping[int, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """A context in which the units of each place `(n, ..., width)` pass through a function."""
    handles = []
    for number, change in changes.items():
        place = wiring.places[number]

        def on(x: Tensor, change: Callable[[Tensor], Tensor] = change, axis: int = place.axis) -> Tensor:
            return change(x.movedim(axis, -1)).movedim(-1, axis)

        handles += [replace(module.get_submodule(layer), side, on) for layer, side in place.hooks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
