"""Passes that read or replace the tensors of a cut."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from assay.cuts.calls import Call, Pass, kind_of, named
from assay.cuts.graph import CallGraph
from assay.cuts.state import Number, Rows
from assay.errors import AssayError
from assay.site import same_bits

FUSED_ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"


class Exchange(Pass):
    """A pass that reads or replaces nodes of a recorded one.

    **Arguments:**

    - `graph`: the recorded pass.
    - `read`: nodes whose tensors are stored in `values`.
    - `put`: replacements by node, with the examples first; `rows` says where they belong.
    - `numbers`: replacements of numbers that calls pass to Python; all others are stored in `numbers`.
    - `constants`: whether to check that arguments recorded as constant have not changed.
    - `idle`: numbers of the calls whose results affect neither tensors to read nor outputs. They do not run; they return
      tensors of the shapes in `shapes` with any content.
    - `shapes`: shapes of the results of each call in an earlier pass on as many examples; if empty, all calls run and fill it.
    - `test`: whether results of calls that do not run are NaN, so that their use is noticed.
    - `attention`: first and last call of each attention, filled in at its first occurrence. On a CPU attention runs fused if
      none of these calls is read, replaced or idle, or if only its scaled queries or keys are replaced; outputs then differ in
      the last digits (1e-6 of the largest) from decomposed attention. None decomposes all attention.
    """

    def __init__(
        self,
        graph: CallGraph,
        *,
        read: Sequence[int] = (),
        put: Mapping[int, Tensor] | None = None,
        rows: Mapping[int, Rows] | None = None,
        numbers: Mapping[int, Number] | None = None,
        constants: bool = False,
        idle: frozenset[int] = frozenset(),
        shapes: dict[int, Any] | None = None,
        test: bool = False,
        attention: dict[int, int] | None = None,
    ):
        super().__init__(graph.calls)
        self.attention = attention
        self.graph, self.read, self.put, self.rows = graph, frozenset(read), put or {}, rows or {}
        self.numbers: dict[int, Number] = dict(numbers or {})
        self.values: dict[int, Tensor] = {}
        self._handed = {step.call for step in graph.to_python}
        self._constants = graph.constants if constants else {}
        self._nodes: dict[int, list[int]] = {}
        for node in sorted(self.read | set(self.put)):
            self._nodes.setdefault(graph.nodes[node].call, []).append(node)
        self._shapes: dict[int, Any] = {} if shapes is None else shapes
        self._idle, self._test = idle if self._shapes else frozenset(), test
        self._watched = {*self._handed, *self._constants, *self._nodes}
        self._fused_until = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Fast path: most calls are neither read, replaced nor compared.
        name, kind = kind_of(func)
        if name == FUSED_ATTENTION and self.attention is not None:
            returned = func(*args, **(kwargs or {}))
            self.names += self.graph.calls[len(self.names) : self._fused_until]
            return returned
        if kind == "other" or len(self.names) in self._watched:
            return super().__torch_dispatch__(func, types, args, kwargs)
        if kind == "view":
            returned = func(*args, **(kwargs or {}))
            results = [returned] if isinstance(returned, Tensor) else returned
            if len(results) != 1 or results[0].numel() != args[0].numel():
                self.count(name)  # else it only rearranges and has no number
            return returned
        number = self.count(name)
        if number in self._idle and number in self._shapes:
            return self._blank(number)
        returned = func(*args, **(kwargs or {}))
        if number not in self._shapes:
            self._shapes[number] = tree_map(_shape, returned)
        return returned

    def attend(self, function: Any, args: Any, kwargs: Any) -> Any:
        """Run an attention, fused where this pass allows it, which is several times faster."""
        if self.attention is None or args[0].device.type != "cpu":
            return function(*args, **kwargs)
        start = len(self.names)
        inside = range(start, self.attention.get(start, start))
        used = (self._watched | self._idle).intersection(inside)
        if used and (scaled := self._scaled(inside, used, args, kwargs)) is not None:
            args, kwargs, used = *scaled, set[int]()
        if not inside or used or self._shapes.keys().isdisjoint(inside):
            returned = function(*args, **kwargs)
            self.attention[start] = len(self.names)
            return returned
        self._fused_until = inside.stop
        with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
            return function(*args, **kwargs)

    def _scaled(self, inside: range, used: set[int], args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        """Arguments for a fused attention where only its scaled queries or keys are replaced; else `None`. PyTorch first
        multiplies queries and transposed keys by the square root of the scale."""
        multiplied = [number for number in inside if self.graph.calls[number] == "mul"]
        if len(multiplied) != 2 or len(args) < 3 or not used.issubset(multiplied):
            return None
        scale = kwargs.get("scale")
        left = math.sqrt(args[0].shape[-1] ** -0.5 if scale is None else abs(scale))
        given = [args[0], args[1].transpose(-2, -1)]
        factor = 1.0
        for k, number in enumerate(multiplied):
            if number not in used:
                factor *= left
                continue
            nodes, known = self._nodes.get(number, []), self._shapes.get(number)
            if len(nodes) != 1 or nodes[0] not in self.put or nodes[0] in self.read or not isinstance(known, _Shape):
                return None
            if known.size != given[k].shape or nodes[0] not in self.rows or number in self._handed or number in self._constants:
                return None
            given[k] = self.rows[nodes[0]].back(self.put[nodes[0]], known.size).to(given[k])
        query, key = given[0].contiguous(), given[1].transpose(-2, -1).contiguous()
        return (query, key, *args[2:]), {**kwargs, "scale": factor}

    def perform(self, call: Call) -> None:
        number, new = len(self.names), kind_of(call.function)[1] == "new"
        if new and number in self._idle and number in self._shapes:
            call.run(self._blank(number))
            return
        call.run()
        if new and number not in self._shapes:
            self._shapes[number] = tree_map(_shape, call.returned)

    def _blank(self, number: int) -> Any:
        known = self._shapes[number]
        if isinstance(known, _Shape):
            return known.made(self._test)
        return tree_map(lambda leaf: leaf.made(self._test) if isinstance(leaf, _Shape) else leaf, known)

    def start(self, inputs: Sequence[Tensor]) -> None:
        """Read or replace inputs, in their memory."""
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
                tensor = tensor.clone()  # a view, whose base must keep its content
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
            "a network can be cut only if calls made every tensor and number that depends on the inputs",
            given=f"{names.get(number, call.name)} uses one that changes with the inputs and that no call made",
            next_step="write code outside PyTorch (NumPy, lists, `.item()`) with tensors, or end the network before it",
        )


class Attending(TorchFunctionMode):
    """Passes every attention to `Exchange.attend`, before it is decomposed."""

    def __init__(self, exchange: Exchange):
        super().__init__()
        self._exchange = exchange

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention and args:
            return self._exchange.attend(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


@dataclass(frozen=True, slots=True)
class _Shape:
    """Shape, type and device of a tensor."""

    size: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    def made(self, test: bool) -> Tensor:
        """A tensor with arbitrary content; integers are 0 and booleans `True`, so that they are valid indices and
        conditions."""
        found = torch.empty_strided(self.size, self.stride, dtype=self.dtype, device=self.device)
        if not (self.dtype.is_floating_point or self.dtype.is_complex):
            return found.fill_(self.dtype == torch.bool)
        return found.fill_(math.nan) if test else found


def _shape(leaf: Any) -> Any:
    return _Shape(leaf.shape, leaf.stride(), leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else leaf


class Fused(Pass):
    """A plain pass that records the names of its fused calls."""

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
