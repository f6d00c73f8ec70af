"""The cuts of a network: found by recording one pass, read, and patched."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from assay.cuts.affine import HUGE
from assay.cuts.calls import Call, Pass, taken_apart
from assay.cuts.graph import Graph, Recorder
from assay.cuts.state import Number, Rows, State, close, find_rows
from assay.errors import AssayError
from assay.site import same_bits

Inputs = Mapping[str, Tensor]
Shapes = tuple[tuple[str, tuple[int, ...]], ...]

ROWS, MORE = 3, 5
"""Examples in the passes that find the cuts. Primes, so that few other dimensions grow alike; two at least in any pass, since a
dimension of one is laid out in other ways."""


@dataclass(frozen=True)
class Cut:
    """The tensors through which everything deeper depends on the input.

    **Attributes:**

    - `depth`: the most non-affine calls on a way to it from the input.
    - `names`: of the floating-point tensors, each the module path, the function and which of such calls it is.
    - `carried`: of the integer tensors, truth values and masks that cross besides.
    - `shared`: of the tensors that belong to no example.
    - `leads`: the non-affine calls that lead to the next cut.
    - `opaque_before`, `opaque_after`: calls on either side that may hold several non-affine steps.
    - `last`: whether it lies behind all non-affine calls. Depth 0 is an affine image of the input (for token ids: of one-hot rows).
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
        """Whether it is an affine image of the input."""
        return self.depth == 0


class Cuts(Sequence[Cut]):
    """The cuts of a network by depth; made by `Subject.cuts`.

    **Arguments:**

    - `module`: the network.
    - `forward`: from a batch to the outputs `(n, ...)`, without gradients.
    - `inputs`: examples on which the cuts are found; three are used.
    - `device`: of the network.
    - `batch_size`: examples per forward pass.

    **Raises:** `AssayError` where a tensor depends on the inputs and the call that made it was not seen; where the outputs
    do not depend on them, differ from those of a plain pass by more than 1e-5, or depend on the other examples of the batch;
    where another content of the inputs leads to other calls.
    """

    def __init__(
        self,
        module: nn.Module,
        forward: Callable[[Inputs], Tensor],
        *,
        inputs: Inputs,
        device: torch.device,
        batch_size: int,
    ):
        self._module, self._forward, self._device, self._batch_size = module, forward, device, max(2, batch_size)
        self._traces: dict[Shapes, _Trace] = {}
        self._complete: set[tuple[Shapes, int]] = set()
        self._first = self._trace(inputs)

    def __len__(self) -> int:
        return len(self._first.cuts)

    def __getitem__(self, depth: int) -> Cut:
        return self._first.cuts[depth]

    def __iter__(self) -> Iterator[Cut]:
        return iter(self._first.cuts)

    @property
    def replaced(self) -> tuple[str, ...]:
        """Fused functions that a plain pass calls and that run here as the calls that they stand for."""
        return self._first.replaced

    def read(self, inputs: Inputs, depth: int) -> State:
        """The state of every example at a cut, in batches.

        Inputs of other lengths have cuts of their own, which are found first.

        **Raises:** `AssayError` for a depth that is no cut, and for a cut with a tensor in which the examples have no dimension.
        """
        trace = self._trace(inputs)
        trace.cut(depth)
        chunks = []
        for rows, count in _chunks(_length(inputs), self._batch_size):
            exchange = Exchange(trace.graph, read=trace.crossing[depth])
            self._pass(exchange, _taken(inputs, rows, self._device))
            chunks.append(trace.state(depth, exchange)[:count])
        if not chunks:
            exchange = Exchange(trace.graph, read=trace.crossing[depth])
            self._pass(exchange, trace.sample)
            return trace.state(depth, exchange)[:0]
        return _joined(chunks)

    def run(self, inputs: Inputs, depth: int, state: State) -> Tensor:
        """Outputs `(n, ...)`, on the CPU, of the rest of the network on the states of `n` examples.

        The network runs on `inputs`, repeated or shortened to as many examples and to the lengths that the state has, and every
        tensor of the cut is replaced, so that nothing is left of their content. The first time at each depth this is tested
        on the examples on which the cuts were found.

        **Raises:** `AssayError` for a state of another cut, and where the outputs depend on more than the state.
        """
        trace = self._trace(_resized(inputs, ROWS, state.shapes))
        trace.check(state, trace.cut(depth))
        self._test(trace, depth)
        outputs = []
        for rows, count in _chunks(len(state), self._batch_size):
            batch = _resized(inputs, len(rows), state.shapes, self._device)
            outputs.append(self._patched(trace, state[rows], batch)[:count].cpu())
        return torch.cat(outputs) if outputs else trace.output[:0].cpu()

    # Inside

    def _trace(self, inputs: Inputs) -> "_Trace":
        shapes = _shapes(inputs)
        if shapes not in self._traces:
            self._traces[shapes] = self._traced(_sample(inputs, self._device))
        return self._traces[shapes]

    def _pass(self, mode: Pass, inputs: Inputs) -> Tensor:
        """Outputs of a pass under a mode, which leaves the inputs as they are."""
        batch = {name: value.clone() for name, value in inputs.items()}
        if isinstance(mode, Exchange):
            mode.start(list(batch.values()))
        with taken_apart(), mode:
            output = self._forward(batch)
        mode.finish()
        return output

    def _patched(self, trace: "_Trace", state: State, inputs: Inputs) -> Tensor:
        put, numbers = trace.tensors(state)
        return self._pass(Exchange(trace.graph, put=put, rows=trace.rows, numbers=numbers), inputs)

    def _test(self, trace: "_Trace", depth: int) -> None:
        """Completeness: the states of some examples, put into a pass on others, give the outputs of the former."""
        if (key := (trace.shapes, depth)) in self._complete:
            return
        exchange = Exchange(trace.graph, read=trace.crossing[depth])
        self._pass(exchange, trace.sample)
        found = self._patched(trace, trace.state(depth, exchange), _rolled(trace.sample))
        # Where the outputs hardly differ between examples, agreement with the right ones must be closer than with the others.
        spread = float((trace.output - trace.output.roll(1, 0)).abs().max())
        apart = float((found - trace.output).abs().max())
        if not (close(found, trace.output, tolerance=1e-4) and apart <= 0.01 * spread + 1e-6 * float(trace.output.abs().max())):
            raise AssayError(
                "all that the rest of a network knows of its input must cross a cut",
                given=f"outputs that differ by {apart:.2g} at depth {depth}",
                next_step="look for code that keeps a tensor from one pass to the next, or works on its memory outside PyTorch",
            )
        self._complete.add(key)

    def _traced(self, sample: Inputs) -> "_Trace":
        plain = self._forward({name: value.clone() for name, value in sample.items()})
        path: list[str] = []
        with _named(self._module, path):
            fused = Fused(path)
            with fused:  # as it runs by itself
                self._forward({name: value.clone() for name, value in sample.items()})
            batch = {name: value.clone() for name, value in sample.items()}
            recorder = Recorder(batch, dict(_weights(self._module)), path)
            with taken_apart(), recorder:
                output = self._forward(batch)
        graph = recorder.graph(output)
        if len(output) != ROWS:
            raise AssayError("the outputs must have the examples first", given=f"{tuple(output.shape)} for {ROWS} examples")
        if not close(output, plain, tolerance=1e-5, at_least=1.0):
            raise AssayError(
                "recording a pass must leave its outputs as they are, to 1e-5",
                given=f"a difference of {float((output - plain).abs().max()):.2g}",
                next_step="see whether the network draws random numbers or keeps something from one pass to the next",
            )
        crossing = tuple(graph.crossing(depth) for depth in range(graph.depth + 1))
        everything = tuple(sorted({node for nodes in crossing for node in nodes}))
        rolled, more = (Exchange(graph, read=everything, constants=same) for same in (True, False))
        moved = self._pass(rolled, _rolled(sample))
        larger = self._pass(more, {name: torch.cat([value, value.flip(0)[: MORE - ROWS]]) for name, value in sample.items()})
        if not (close(moved, output.roll(1, 0), tolerance=1e-4) and close(larger[:ROWS], output, tolerance=1e-4)):
            raise AssayError(
                "a network is cut where the output for an example depends on that example alone", given="on its batch"
            )
        rows: dict[int, Rows] = {}
        shared = set()
        for node in everything:
            a, b, c = graph.values[node], rolled.values[node], more.values[node]
            if (found := find_rows(a, b, c.shape, rows=ROWS, more=MORE)) is not None:
                rows[node] = found
            elif a.shape == c.shape and close(a, b, tolerance=1e-5):
                shared.add(node)
        opaque = {step.name for step in graph.opaque}
        return _Trace(
            sample=sample,
            output=output,
            graph=graph,
            crossing=crossing,
            rows=rows,
            shared=frozenset(shared),
            replaced=tuple(name for name in fused.found if name not in opaque),
        )


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
            call.return_instead(self.numbers.setdefault(number, call.returned))
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
            name = ".".join([*self._path[-1:], call.name])
            self.found[name] = self.found.get(name, 0) + 1


@dataclass(frozen=True)
class _Trace:
    """What is known of the passes on inputs of one shape."""

    sample: Inputs
    output: Tensor
    graph: Graph
    crossing: tuple[tuple[int, ...], ...]
    rows: Mapping[int, Rows]
    shared: frozenset[int]
    replaced: tuple[str, ...]

    @property
    def shapes(self) -> Shapes:
        return _shapes(self.sample)

    @cached_property
    def cuts(self) -> tuple[Cut, ...]:
        return tuple(self._cut(depth) for depth in range(len(self.crossing)))

    def cut(self, depth: int) -> Cut:
        """**Raises:** `AssayError` for a depth that is no cut, and where the examples have no dimension."""
        if not 0 <= depth < len(self.cuts):
            raise AssayError("a cut has a depth of this network", given=depth, choices=[f"0 to {len(self.cuts) - 1}"])
        for node in self.crossing[depth]:
            if node not in self.rows and node not in self.shared:
                raise AssayError(
                    "the state of an example is read where one dimension of each tensor belongs to the examples",
                    given=f"{self.graph.nodes[node].name} {tuple(self.graph.values[node].shape)} for {ROWS} examples",
                    next_step="take another cut",
                )
        return self.cuts[depth]

    def check(self, state: State, cut: Cut) -> None:
        given = (state.depth, tuple(state.values), tuple(state.carried), tuple(state.shared))
        if given != (cut.depth, cut.names, cut.carried, cut.shared):
            raise AssayError(
                "a state is put into the cut that it was read at", given=f"depth {state.depth}", choices=[f"depth {cut.depth}"]
            )

    def kind(self, node: int) -> str:
        """The part of a state that a tensor belongs to."""
        value = self.graph.values[node]
        if node in self.shared:
            return "shared"
        if not value.is_floating_point():
            return "carried"
        usual = value[value.abs() < HUGE]
        is_mask = usual.numel() < value.numel() and bool((usual == usual[:1]).all())
        return "carried" if is_mask else "values"

    def state(self, depth: int, exchange: Exchange) -> State:
        found: dict[str, dict[str, Tensor]] = {"values": {}, "carried": {}, "shared": {}}
        for node in self.crossing[depth]:
            value = exchange.values[node]
            kind, name = self.kind(node), self.graph.nodes[node].name
            found[kind][name] = (self.rows[node].first(value) if node in self.rows else value).cpu()
        numbers = {step.name: exchange.numbers[step.call] for step in self.graph.to_python if step.depth <= depth}
        return State(depth=depth, numbers=numbers, shapes=dict(self.shapes), **found)

    def tensors(self, state: State) -> tuple[dict[int, Tensor], dict[int, Number]]:
        """The tensors of a state by node, and its numbers by call."""
        known = {**state.values, **state.carried, **state.shared}
        put = {node: known[self.graph.nodes[node].name] for node in self.crossing[state.depth]}
        return put, {step.call: state.numbers[step.name] for step in self.graph.to_python if step.depth <= state.depth}

    def _cut(self, depth: int) -> Cut:
        graph = self.graph
        named: dict[str, list[str]] = {"values": [], "carried": [], "shared": []}
        for node in self.crossing[depth]:
            named[self.kind(node)].append(graph.nodes[node].name)
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


def _joined(chunks: list[State]) -> State:
    first = chunks[0]
    for other in chunks[1:]:
        if other.numbers != first.numbers or any(not close(other.shared[k], v, tolerance=1e-5) for k, v in first.shared.items()):
            raise AssayError(
                "what belongs to no example must be the same in all batches",
                given=[*first.shared, *first.numbers],
                next_step="read alike inputs together, or all in one batch",
            )
    values, carried = (
        {name: torch.cat([getattr(chunk, kind)[name] for chunk in chunks]) for name in getattr(first, kind)}
        for kind in ("values", "carried")
    )
    return replace(first, values=values, carried=carried)


def _same(a: Any, b: Any) -> bool:
    return same_bits(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else bool(a == b)


# Inputs


def _shapes(inputs: Inputs) -> Shapes:
    return tuple((name, tuple(value.shape[1:])) for name, value in inputs.items())


def _length(inputs: Inputs) -> int:
    return len(next(iter(inputs.values())))


def _chunks(length: int, size: int) -> Iterator[tuple[list[int], int]]:
    """Row numbers of each batch, two at least, and how many of them count."""
    for start in range(0, length, size):
        rows = list(range(start, min(start + size, length)))
        yield (rows if len(rows) > 1 else rows * 2), len(rows)


def _taken(inputs: Inputs, rows: Sequence[int], device: torch.device) -> Inputs:
    return {name: value[list(rows)].to(device) for name, value in inputs.items()}


def _rolled(inputs: Inputs) -> Inputs:
    return {name: value.roll(1, 0) for name, value in inputs.items()}


def _resized(inputs: Inputs, rows: int, shapes: Mapping[str, tuple[int, ...]], device: torch.device | None = None) -> Inputs:
    """The inputs with so many examples of these shapes, each dimension repeated or shortened."""
    if set(shapes) != set(inputs) or any(value.ndim != 1 + len(shapes[name]) for name, value in inputs.items()):
        raise AssayError(
            "a state goes into a pass on inputs of the same names and dimensions",
            given={name: tuple(value.shape) for name, value in inputs.items()},
            choices=[str(dict(shapes))],
        )
    if not _length(inputs):
        raise _no_examples()
    resized = {}
    for name, value in inputs.items():
        for dim, size in enumerate((rows, *shapes[name])):
            if value.shape[dim] != size:
                value = value.index_select(dim, (torch.arange(size) % value.shape[dim]).to(value.device))
        resized[name] = value.to(device) if device else value
    return resized


def _no_examples() -> AssayError:
    return AssayError("a network is cut on at least one example", given="none")


def _sample(inputs: Inputs, device: torch.device) -> Inputs:
    """Examples for the passes that find cuts, varied where they are all alike: passes on others show what depends on the inputs."""
    count = _length(inputs)
    if not count:
        raise _no_examples()
    some = {k: value[torch.linspace(0, count - 1, ROWS).round().long().tolist()].to(device) for k, value in inputs.items()}
    if any(not torch.equal(value, value.roll(1, 0)) for value in some.values()):
        return some
    return {name: _varied(value) for name, value in some.items()}


def _varied(value: Tensor) -> Tensor:
    if value.is_floating_point():
        noise = torch.randn(value.shape, generator=Generator().manual_seed(0)).to(value)
        return value + noise * (value.abs().mean() + 0.1) * torch.arange(len(value)).to(value).view(-1, *[1] * (value.ndim - 1))
    return torch.stack([row.roll(k, -1) if row.ndim else row for k, row in enumerate(value)])


# The network


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


@contextmanager
def _named(module: nn.Module, path: list[str]) -> Iterator[None]:
    """Names of the modules that run are put at the end of `path` while they do."""

    def leave(*_: Any) -> None:
        path.pop()

    handles = []
    for name, part in module.named_modules():
        shown = ".".join(step for step in name.split(".") if step != "_orig_mod")  # what `torch.compile` puts around a module
        if isinstance(part, torch.jit.ScriptModule):
            continue  # takes no hooks
        handles.append(part.register_forward_pre_hook(partial(lambda shown, *_: path.append(shown), shown)))
        handles.append(part.register_forward_hook(leave, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
