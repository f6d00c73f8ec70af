"""Computation graph of one forward pass: for each input-dependent tensor the call that made it, its inputs and its depth."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from assay.cuts.affine import is_affine
from assay.cuts.calls import Call, Pass, named, storage
from assay.errors import AssayError

SHAPED_LIKE = ("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty")
"""Calls that use the shape and type of a tensor but not its content."""

OVERWRITING = ("copy_", "fill_", "zero_")

TO_PYTHON = ("_local_scalar_dense", "equal", "is_nonzero")
"""Calls that pass a number from a tensor to Python."""


@dataclass(frozen=True)
class Node:
    """An input-dependent tensor at its origin: a result of a call, memory that a call wrote to, or an input.

    **Attributes:**

    - `name`: module path, function, and index among such calls.
    - `call`: the number of the call; -1 for the inputs.
    - `slot`: index among the results of the call, among its arguments if it wrote there, or among the inputs.
    - `written`: whether the call wrote to it.
    - `depth`: largest number of non-affine calls on a path from the input.
    - `uses`: indices of the nodes that the call used.
    - `part_of`: for a view, the nodes whose elements it holds; else empty.
    - `pinned`: for a view, whether its memory is also written to through another tensor, so that a patch must write there.
    """

    name: str
    call: int
    slot: int
    written: bool
    depth: int
    uses: tuple[int, ...] = ()
    part_of: tuple[int, ...] = ()
    pinned: bool = False


@dataclass(frozen=True)
class NamedCall:
    """A call named in reports: its number, its name, the depth of its results, and the nodes that it uses."""

    call: int
    name: str
    depth: int
    uses: tuple[int, ...]


@dataclass(frozen=True)
class CallGraph:
    """Graph of one recorded pass.

    **Attributes:**

    - `calls`: names of the numbered calls.
    - `nodes`: input-dependent tensors, in the order of creation; the inputs come first.
    - `live`: indices of the nodes on which the output, or a number passed to Python, depends.
    - `outputs`: the nodes whose elements the output holds.
    - `nonaffine`, `opaque`, `to_python`: calls that are not affine, that may contain several such steps, that pass a number to
      Python.
    - `constants`: arguments of each call that do not depend on the inputs.
    - `values`: of the nodes, at their creation.
    - `recurrent`: whether the network calls recurrent layers as one function each.
    """

    calls: tuple[str, ...]
    nodes: tuple[Node, ...]
    live: frozenset[int]
    outputs: tuple[int, ...]
    nonaffine: tuple[NamedCall, ...]
    opaque: tuple[NamedCall, ...]
    to_python: tuple[NamedCall, ...]
    constants: Mapping[int, Mapping[int, Any]] = field(repr=False)
    values: Mapping[int, Tensor] = field(repr=False)
    recurrent: bool = False

    @property
    def depth(self) -> int:
        """Depth of the output, and of the numbers passed to Python, which may decide on any call."""
        return max([self.nodes[node].depth for node in self.outputs] + [step.depth for step in self.to_python])

    def crossing(self, depth: int) -> tuple[int, ...]:
        """The cut at a depth: the nodes of at most that depth that a deeper call, or the output, uses."""
        users = (*(self.nodes[node] for node in self.live), *self.to_python)
        used = {use for user in users if user.depth > depth for use in user.uses} | set(self.outputs)
        shallow = {node for node in used if self.nodes[node].depth <= depth}
        return tuple(sorted(node for node in shallow if not self._held(node, shallow)))

    def cuts(self, fixed: Collection[int] = ()) -> tuple[tuple[int, ...], ...]:
        """The cuts at all depths. With `fixed` input indices: those of the other inputs, without tensors that depend on fixed
        inputs only, up to the first non-affine call that uses both."""
        moving: set[int] = set()
        still: set[int] = set()
        for k, node in enumerate(self.nodes):
            for kind, holds in ((moving, node.slot not in fixed), (still, node.slot in fixed)):
                if (node.call < 0 and holds) or not kind.isdisjoint(node.uses):
                    kind.add(k)
        found: list[tuple[int, ...]] = []
        for depth in range(self.depth + 1):
            nodes = {node for node in self.crossing(depth) if node in moving}
            while mixed := nodes & still:
                node = self.nodes[max(mixed)]
                if node.depth > max(self.nodes[use].depth for use in node.uses):
                    return tuple(found)
                nodes = nodes - {max(mixed)} | moving.intersection(node.uses)  # the inputs of an affine call that mixes both
            found.append(tuple(sorted(nodes)))
        return tuple(found)

    def idle(self, wanted: Iterable[int], *, given: Collection[int] = ()) -> frozenset[int]:
        """Numbers of the calls that need not run to compute the `wanted` nodes, if the values of others are `given`."""
        needed: set[int] = set()
        waiting = [*wanted]
        while waiting:
            node = waiting.pop()
            if node not in needed and node not in given:
                needed.add(node)
                waiting.extend(self.nodes[node].uses)
        return frozenset(node.call for node in self.nodes) - {self.nodes[node].call for node in needed}

    def _held(self, node: int, others: set[int]) -> bool:
        """Whether all elements of a view are already in other tensors of the cut."""
        wholes = self.nodes[node].part_of
        return bool(wholes) and all(whole in others or self._held(whole, others) for whole in wholes)


class _Memory:
    """For each element of a storage the node that last wrote it; -1 where it does not depend on the inputs."""

    def __init__(self, tensor: Tensor, node: int):
        self.tensor = tensor  # kept alive, so that no other storage gets its address
        self.only = node
        self.owner: Tensor | None = None
        self.views: dict[Any, tuple[int, list[int]]] = {}
        self.nodes = [node]
        self.pinned = False

    def owners(self, tensor: Tensor) -> list[int]:
        return [self.only] if self.owner is None else self.region(tensor).unique().tolist()

    def region(self, tensor: Tensor) -> Tensor:
        """The owner of each element of a tensor in this storage."""
        if self.owner is None:
            length = self.tensor.untyped_storage().nbytes() // self.tensor.element_size()
            self.owner = torch.full((length,), self.only)
        if tensor.element_size() != self.tensor.element_size():
            return self.owner  # such as a complex tensor viewed as real: the whole storage
        return self.owner.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


def _geometry(tensor: Tensor) -> Any:
    return tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), tensor.dtype


class Recorder(Pass):
    """Recorder of a pass as a graph.

    **Arguments:**

    - `inputs`: the tensors that the pass is run on, by name.
    - `weights`: parameters and buffers, by name.
    - `path`: names of the running modules, innermost last; hooks update it during the pass.
    """

    def __init__(self, inputs: Mapping[str, Tensor], weights: Mapping[str, Tensor], path: Sequence[str]):
        super().__init__()
        self._path = path
        self._weights = {storage(value): name for name, value in weights.items()}
        self._memories: dict[int, _Memory] = {}
        self._nodes: list[Node] = []
        self._values: list[Tensor] = []
        self._nonaffine: list[NamedCall] = []
        self._opaque: list[NamedCall] = []
        self._to_python: list[NamedCall] = []
        self._constants: dict[int, dict[int, Any]] = {}
        self._seen: dict[str, int] = {}
        self._uses: dict[int, list[int]] = {}
        self._nonaffine_write = False
        for slot, (name, value) in enumerate(inputs.items()):
            self._hold(value, [self._node(Node(f"input {name}", -1, slot, False, 0), value)])

    def graph(self, output: Tensor) -> CallGraph:
        """The graph of the recorded pass. **Raises:** `AssayError` where the output does not depend on the inputs."""
        outputs = tuple(self._sources(output))
        if not outputs:
            raise AssayError("the output must depend on the inputs through calls of the tensor library", given="no such way")
        live: set[int] = set()
        waiting = [*outputs, *(use for step in self._to_python for use in step.uses)]
        while waiting:
            node = waiting.pop()
            if node not in live:
                live.add(node)
                waiting.extend(self._nodes[node].uses)
        pinned = {node for memory in self._memories.values() if memory.pinned for node in memory.nodes}
        calls = {self._nodes[node].call for node in live}
        return CallGraph(
            calls=tuple(self.names),
            nodes=tuple(replace(node, pinned=k in pinned) for k, node in enumerate(self._nodes)),
            live=frozenset(live),
            outputs=outputs,
            nonaffine=tuple(step for step in self._nonaffine if step.call in calls),
            opaque=tuple(step for step in self._opaque if step.call in calls),
            to_python=tuple(self._to_python),
            constants=self._constants,
            values=dict(enumerate(self._values)),
        )

    # Callbacks

    def before(self, call: Call) -> None:
        if any(value.layout != torch.strided for value in call.tensors.values()):
            raise AssayError(
                "a network can be cut only if its calls take dense tensors",
                given=f"a sparse one in {named(call.name, self._path)}",
                next_step="let forward multiply by the dense matrix in an audit, which gives the same outputs",
            )
        # Origins of the arguments and affinity are determined before the call can write to its arguments.
        self._uses = {k: self._sources(value) for k, value in call.tensors.items() if not _erased(call, k)}
        depends = any(self._uses.values())
        if depends:
            self._constants[len(self.names)] = self._fixed_arguments(call)
        self._nonaffine_write = depends and bool(call.written) and not _plain_copy(call) and self._not_affine(call)
        if call.name == "as_strided":
            for value in call.tensors.values():
                if storage(value) in self._memories:
                    self._memories[storage(value)].pinned = True

    def rearranged(self, call: Call) -> None:
        self._constants.pop(len(self.names), None)
        self._move(call, call.sources[0], call.results[0])

    def after(self, call: Call, number: int) -> None:
        uses = tuple(sorted({node for nodes in self._uses.values() for node in nodes}))
        if not uses or call.name in SHAPED_LIKE:
            for k in call.written:
                self._hold(call.flat[k], [], again=True)
            return
        views = {slot: k for slot, k in enumerate(call.sources) if k is not None}
        computes = len(views) < len(call.results) or bool(call.written) or call.name in TO_PYTHON
        if _plain_copy(call):
            self._move(call, 1, call.flat[0])
            return
        nonaffine = self._nonaffine_write or (computes and not call.written and self._not_affine(call))
        depth = max(self._nodes[node].depth for node in uses) + nonaffine
        name = self._name(call)
        step = NamedCall(number, name, depth, uses)
        if call.name in TO_PYTHON:
            self._to_python.append(step)
            return
        if nonaffine:
            self._nonaffine.append(step)
        if call.opaque:
            self._opaque.append(step)
        for slot, result in enumerate(call.results):
            shown = name if len(call.results) == 1 else f"{name}[{slot}]"
            if slot not in views:
                node = self._node(Node(shown, number, slot, False, depth, uses), result)
                self._hold(result, [node])
            elif held := tuple(self._uses[views[slot]]):
                self._view(Node(shown, number, slot, False, max(self._nodes[k].depth for k in held), held, held), result)
        for k in call.written:
            node = self._node(Node(name, number, k, True, depth, uses), call.flat[k])
            self._hold(call.flat[k], [node], again=True)

    # Memory

    def _sources(self, tensor: Tensor) -> list[int]:
        """The nodes whose elements a tensor now holds; empty where it does not depend on the inputs."""
        memory = self._memories.get(storage(tensor))
        if memory is None:
            return []
        owners = memory.owners(tensor)
        view, then = memory.views.get(_geometry(tensor), (-1, None))
        return [node for node in ([view] if then == owners else owners) if node >= 0]

    def _node(self, node: Node, tensor: Tensor) -> int:
        self._nodes.append(node)
        self._values.append(tensor.clone())
        return len(self._nodes) - 1

    def _hold(self, tensor: Tensor, nodes: Sequence[int], *, owners: Tensor | None = None, again: bool = False) -> None:
        """Record that a tensor now holds elements of these nodes; with several, `owners` gives the node of each element."""
        where = storage(tensor)
        if again and nodes and where in self._weights:
            raise AssayError(
                "a network can be cut only if a pass does not change its weights and buffers", given=self._weights[where]
            )
        if where not in self._memories:
            if not nodes:
                return
            self._memories[where] = _Memory(tensor, nodes[0] if len(nodes) == 1 and not again else -1)
        memory = self._memories[where]
        memory.pinned |= again
        memory.nodes.extend(nodes)
        if len(nodes) > 1:
            assert owners is not None
            memory.region(tensor).copy_(owners.reshape(tensor.shape))
        elif again or memory.only not in nodes:
            memory.region(tensor).fill_(nodes[0] if nodes else -1)

    def _view(self, node: Node, result: Tensor) -> None:
        memory = self._memories[storage(result)]
        view = self._node(node, result)
        memory.nodes.append(view)
        memory.views[_geometry(result)] = (view, memory.owners(result))

    def _move(self, call: Call, k: int | None, result: Tensor) -> None:
        """Record that a result holds the elements of argument `k`, which keep their nodes."""
        assert k is not None
        nodes, source = self._uses.get(k, []), call.flat[k]
        if (result is not source and storage(result) != storage(source)) or call.written:
            owners = self._memories[storage(source)].region(source).clone() if len(nodes) > 1 else None
            self._hold(result, nodes, owners=owners, again=bool(call.written))
        elif len(nodes) == 1:
            memory = self._memories[storage(result)]
            memory.views[_geometry(result)] = (nodes[0], memory.owners(result))

    # Properties of a call

    def _name(self, call: Call) -> str:
        base = named(call.name, self._path)
        self._seen[base] = self._seen.get(base, 0) + 1
        return f"{base}#{self._seen[base]}"

    def _fixed_arguments(self, call: Call) -> dict[int, Any]:
        """Copies of the arguments (tensors and numbers) that are neither input-dependent nor weights."""
        return {
            k: value.clone() if isinstance(value, Tensor) else value
            for k, value in enumerate(call.flat)
            if isinstance(value, (int, float, complex))
            or (isinstance(value, Tensor) and not self._uses.get(k, True) and storage(value) not in self._weights)
        }

    def _not_affine(self, call: Call) -> bool:
        moving = [k for k, nodes in self._uses.items() if nodes and _continuous(call.flat[k])]
        if not moving or call.name == "_to_copy":
            return bool(moving) and not all(_continuous(result) for result in call.results)
        for tolerance, precise in ((1e-4, True), (3e-2, False)):
            # Half precision is raised to single where the call allows it, so that rounding does not look like curvature.
            def results(points: Sequence[Tensor], precise: bool = precise) -> list[Tensor]:
                flat = [_single(value) if precise else value for value in call.flat]
                for k, point in zip(moving, points, strict=True):
                    flat[k] = point
                for k in call.written:
                    flat[k] = flat[k].clone()
                found = [*tree_leaves(call.repeat(flat)), *(flat[k] for k in call.written)]
                return [value for value in found if isinstance(value, Tensor)]

            points = [_single(call.flat[k]) if precise else call.flat[k] for k in moving]
            try:
                return not is_affine(results, points, tolerance=tolerance, seed=len(self.names))
            except (RuntimeError, NotImplementedError, IndexError):
                continue
        return True


def _erased(call: Call, k: int) -> bool:
    return k in call.written and call.name in OVERWRITING


def _plain_copy(call: Call) -> bool:
    """Whether the call fills one tensor with the elements of another, unchanged."""
    if call.name != "copy_" or not isinstance(call.flat[1], Tensor):
        return False
    return call.flat[0].dtype == call.flat[1].dtype and call.flat[0].numel() == call.flat[1].numel()


def _continuous(value: Tensor) -> bool:
    return value.is_floating_point() or value.is_complex()


def _single(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16) else value
