"""Passes in which the tensors of a cut are read, or replaced."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from assay.cuts.calls import Call, Pass, named
from assay.cuts.graph import Graph
from assay.cuts.state import Number, Rows
from assay.errors import AssayError
from assay.site import same_bits


class Exchange(Pass):
    """A pass in which nodes of a recorded one are read, or replaced.

    **Arguments:**

    - `graph`: the recorded pass.
    - `read`: nodes whose tensors are kept, in `values`.
    - `put`: states by node, with the examples first as `rows` says.
    - `numbers`: what calls hand to Python instead of what they find; those that are not replaced are kept, in `numbers`.
    - `constants`: whether arguments that were taken not to depend on the inputs must be as they were.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        read: Sequence[int] = (),
        put: Mapping[int, Tensor] | None = None,
        rows: Mapping[int, Rows] | None = None,
        numbers: Mapping[int, Number] | None = None,
        constants: bool = False,
    ):
        super().__init__(graph.calls)
        self.graph, self.read, self.put, self.rows = graph, frozenset(read), put or {}, rows or {}
        self.numbers: dict[int, Number] = dict(numbers or {})
        self.values: dict[int, Tensor] = {}
        self._handed = {step.call for step in graph.to_python}
        self._constants = graph.constants if constants else {}
        self._nodes: dict[int, list[int]] = {}
        for node in sorted(self.read | set(self.put)):
            self._nodes.setdefault(graph.nodes[node].call, []).append(node)

    def start(self, inputs: Sequence[Tensor]) -> None:
        """Read or replace among the inputs, in their memory."""
        for node in self._nodes.get(-1, []):
            self._exchange(node, inputs[self.graph.nodes[node].slot])

    def before(self, call: Call) -> None:
        if self._constants:
            self._given = [value.clone() if k in call.written else value for k, value in enumerate(call.flat)]

    def after(self, call: Call, number: int) -> None:
        for k, constant in self._constants.get(number, {}).items():
            if not _same(self._given[k], constant):
                raise self._unseen(call, number)
        if number in self._handed:
            call.returned = self.numbers.setdefault(number, call.returned)
        for node in self._nodes.get(number, []):
            known = self.graph.nodes[node]
            tensor = call.produced(known.slot, known.written)
            if node in self.put and known.part_of and not known.pinned:
                tensor = tensor.clone()  # a view, whose whole keeps its numbers
                call.put(known.slot, tensor)
            self._exchange(node, tensor)

    def _exchange(self, node: int, tensor: Tensor) -> None:
        if node in self.put:
            value = self.put[node]
            tensor.copy_(self.rows[node].back(value, tensor.shape) if node in self.rows else value)
        if node in self.read:
            self.values[node] = tensor.clone()

    def _unseen(self, call: Call, number: int) -> AssayError:
        names = {node.call: node.name for node in self.graph.nodes}
        return AssayError(
            "a call must have made every tensor and number that depends on the inputs, for a network to be cut",
            given=f"{names.get(number, call.name)} uses one that changes with the inputs and that no call made",
            next_step="write what happens outside PyTorch (NumPy, lists, `.item()`) with tensors, or end the network before it",
        )


class Fused(Pass):
    """A pass that runs as it would by itself, and the names of its fused calls."""

    def __init__(self, path: Sequence[str]):
        super().__init__()
        self._path = path
        self.found: dict[str, int] = {}

    def after(self, call: Call, number: int) -> None:
        if call.opaque:
            name = named(call.name, self._path)
            self.found[name] = self.found.get(name, 0) + 1


def _same(a: Any, b: Any) -> bool:
    return same_bits(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else bool(a == b)
