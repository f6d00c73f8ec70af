"""Results of the passes on inputs of one shape: the cuts, and the conversion of their tensors to states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from assay.cuts.affine import HUGE
from assay.cuts.exchange import Exchange
from assay.cuts.graph import CallGraph
from assay.cuts.state import Number, Rows, State
from assay.errors import AssayError

Inputs = Mapping[str, Tensor]
Shapes = tuple[tuple[str, tuple[int, ...]], ...]

ROWS, MORE = 3, 5
"""Examples in the passes that find the cuts. Primes, so that few other dimensions equal them; at least two, since a dimension
of one has another memory layout."""


@dataclass(frozen=True)
class Cut:
    """The tensors through which everything deeper depends on the input.

    **Attributes:**

    - `depth`: largest number of non-affine calls on a path from the input.
    - `names`: of the floating-point tensors: module path, function, and number among such calls.
    - `carried`: names of the integer tensors, booleans and masks of the cut.
    - `shared`: names of the tensors without an example dimension.
    - `leads`: the non-affine calls that lead to the next cut.
    - `opaque_before`, `opaque_after`: calls on either side that may contain several non-affine steps.
    - `last`: whether it lies behind all non-affine calls.

    Example::

        >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> first, second = assay.Subject(network).cuts({"input": torch.randn(10, 4)})
        >>> first.names, first.leads, second.last
        (('0.addmm#1',), ('1.relu#1',), True)
    """

    depth: int
    names: tuple[str, ...]
    carried: tuple[str, ...]
    shared: tuple[str, ...]
    leads: tuple[str, ...]
    opaque_before: tuple[str, ...]
    opaque_after: tuple[str, ...]
    last: bool

    @property
    def affine(self) -> bool:
        """Whether the cut is an affine image of the input (for token ids, of one-hot rows)."""
        return self.depth == 0


@dataclass(frozen=True)
class Trace:
    """Recorded graph, cuts and shapes for inputs of one shape.

    **Attributes:** `widest`: most numbers of one tensor for an example; `known`: by number of examples, the shapes of the
    results of each call; `attention`: first and last call of each attention.
    """

    sample: Inputs
    output: Tensor
    graph: CallGraph
    crossing: tuple[tuple[int, ...], ...]
    rows: Mapping[int, Rows]
    shared: frozenset[int]
    replaced: tuple[str, ...]
    widest: int
    known: dict[int, dict[int, Any]] = field(default_factory=dict, repr=False)
    attention: dict[int, int] = field(default_factory=dict, repr=False)

    @property
    def shapes(self) -> Shapes:
        return shapes_of(self.sample)

    @cached_property
    def cuts(self) -> tuple[Cut, ...]:
        return tuple(self._cut(depth) for depth in range(len(self.crossing)))

    def cut(self, depth: int) -> Cut:
        """The cut at a depth. **Raises:** `AssayError` for a depth without a cut, and for a tensor without an example
        dimension."""
        if not 0 <= depth < len(self.cuts):
            raise AssayError("the depth of a cut must exist", given=depth, choices=[f"0 to {len(self.cuts) - 1}"])
        for node in self.crossing[depth]:
            if node not in self.rows and node not in self.shared:
                raise AssayError(
                    "states can be read only where every tensor of the cut has an example dimension",
                    given=f"{self.graph.nodes[node].name} {tuple(self.graph.values[node].shape)} for {ROWS} examples",
                    next_step="choose another cut",
                )
        return self.cuts[depth]

    def check(self, state: State, cut: Cut) -> None:
        given = (state.depth, tuple(state.values), tuple(state.carried), tuple(state.shared))
        if given != (cut.depth, cut.names, cut.carried, cut.shared):
            raise AssayError(
                "a state can be patched only into the cut at which it was read",
                given=f"depth {state.depth}",
                choices=[f"depth {cut.depth}"],
            )

    def reading(self, depths: Sequence[int], rows: int) -> Exchange:
        """A pass on `rows` examples that reads some cuts."""
        read = sorted({node for depth in depths for node in self.crossing[depth]})
        to_python = (use for step in self.graph.to_python for use in step.uses)
        idle = self.graph.idle([*read, *to_python])
        known = self.known.setdefault(rows, {})
        return Exchange(self.graph, read=read, idle=idle, shapes=known, attention=self.attention)

    def patching(self, state: State, rows: int, *, test: bool = False) -> Exchange:
        """A pass on `rows` examples into which a state is patched."""
        put, numbers = self.tensors(state)
        behind = [use for step in self.graph.to_python if step.depth > state.depth for use in step.uses]
        idle = self.graph.idle([*self.graph.outputs, *behind], given=put)
        return Exchange(
            self.graph,
            put=put,
            rows=self.rows,
            numbers=numbers,
            idle=idle,
            shapes=self.known.setdefault(rows, {}),
            test=test,
            attention=self.attention,
        )

    @cached_property
    def kinds(self) -> Mapping[int, str]:
        """The field of a state to which each tensor belongs."""
        return {node: self._kind(node) for nodes in self.crossing for node in nodes}

    def _kind(self, node: int) -> str:
        value = self.graph.values[node]
        if node in self.shared:
            return "shared"
        if not (value.is_floating_point() or value.is_complex()):
            return "carried"
        usual = value[value.abs() < HUGE]
        is_mask = usual.numel() < value.numel() and bool((usual == usual[:1]).all())
        return "carried" if is_mask else "values"

    def state(self, depth: int, exchange: Exchange) -> State:
        found: dict[str, dict[str, Tensor]] = {"values": {}, "carried": {}, "shared": {}}
        for node in self.crossing[depth]:
            value = exchange.values[node]
            kind, name = self.kinds[node], self.graph.nodes[node].name
            value = (self.rows[node].first(value) if node in self.rows else value).cpu()
            found[kind][name] = torch.view_as_real(value) if value.is_complex() else value
        numbers = {step.name: exchange.numbers[step.call] for step in self.graph.to_python if step.depth <= depth}
        return State(depth=depth, numbers=numbers, shapes=dict(self.shapes), **found)

    def tensors(self, state: State) -> tuple[dict[int, Tensor], dict[int, Number]]:
        """The tensors of a state by node, and its numbers by call."""
        known = {**state.values, **state.carried, **state.shared}
        put = {}
        for node in self.crossing[state.depth]:
            value = known[self.graph.nodes[node].name]
            put[node] = torch.view_as_complex(value.contiguous()) if self.graph.values[node].is_complex() else value
        return put, {step.call: state.numbers[step.name] for step in self.graph.to_python if step.depth <= state.depth}

    def _cut(self, depth: int) -> Cut:
        graph = self.graph
        named: dict[str, list[str]] = {"values": [], "carried": [], "shared": []}
        for node in self.crossing[depth]:
            named[self.kinds[node]].append(graph.nodes[node].name)
        return Cut(
            depth=depth,
            names=tuple(named["values"]),
            carried=tuple(named["carried"]),
            shared=tuple(named["shared"]),
            leads=tuple(step.name for step in graph.nonaffine if step.depth == depth + 1),
            opaque_before=tuple(step.name for step in graph.opaque if step.depth <= depth),
            opaque_after=tuple(step.name for step in graph.opaque if step.depth > depth),
            last=depth == graph.depth,
        )


def shapes_of(inputs: Inputs) -> Shapes:
    return tuple((name, tuple(value.shape[1:])) for name, value in inputs.items())
