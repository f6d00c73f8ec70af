"""Passes in which the tensors of a cut are read, or replaced."""

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
    """A pass in which nodes of a recorded one are read, or replaced.

    **Arguments:**

    - `graph`: the recorded pass.
    - `read`: nodes whose tensors are kept, in `values`.
    - `put`: states by node, with the examples first as `rows` says.
    - `numbers`: what calls hand to Python instead of what they find; those that are not replaced are kept, in `numbers`.
    - `constants`: whether arguments that were taken not to depend on the inputs must be as they were.
    - `idle`: numbers of the calls whose results matter to nothing that is read, nor to the outputs. They do not run: what they
      return has the shape that it had before, as `shapes` says, and any content.
    - `shapes`: of what each call returned in an earlier pass on as many examples; filled in where it is empty, by running all.
    - `test`: the content of what does not run is NaN, so that nothing can use it unnoticed.
    - `attention`: at which calls each attention starts and ends, filled in where it is met first. On a CPU it runs fused where
      none of these is read, replaced or idle, and where only its scaled queries or keys are replaced: outputs then differ from
      those of attention taken apart in the last digits (1e-6 of the largest). Without it all attention is taken apart.
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
        # Most calls are neither read, nor replaced, nor compared, and nothing needs to be known of them.
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
                self.count(name)  # else it rearranges, and has no number
            return returned
        number = self.count(name)
        if number in self._idle and number in self._shapes:
            return self._blank(number)
        returned = func(*args, **(kwargs or {}))
        if number not in self._shapes:
            self._shapes[number] = tree_map(_shape, returned)
        return returned

    def attend(self, function: Any, args: Any, kwargs: Any) -> Any:
        """An attention, fused where that makes no difference to what is asked of the pass: it is several times faster."""
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
        """Arguments with which the attention does the rest of its work fused, where all that is used of it is that its scaled
        queries or keys are replaced; else `None`. PyTorch multiplies both by the square root of the scale before anything
        else, the keys transposed."""
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


class Attending(TorchFunctionMode):
    """Shows every attention of a pass to its `attend`, before it is taken apart."""

    def __init__(self, exchange: Exchange):
        super().__init__()
        self._exchange = exchange

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention and args:
            return self._exchange.attend(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


@dataclass(frozen=True, slots=True)
class _Shape:
    """A tensor without its content."""

    size: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    def made(self, test: bool) -> Tensor:
        """A tensor with any content: of integers 0, of truth values `True`, so that they are indices and conditions still."""
        found = torch.empty_strided(self.size, self.stride, dtype=self.dtype, device=self.device)
        if not (self.dtype.is_floating_point or self.dtype.is_complex):
            return found.fill_(self.dtype == torch.bool)
        return found.fill_(math.nan) if test else found


def _shape(leaf: Any) -> Any:
    return _Shape(leaf.shape, leaf.stride(), leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else leaf


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
