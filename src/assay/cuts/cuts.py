"""Cuts of a network: found by recording a pass, read, and patched."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from assay.batches import AT_ONCE
from assay.cuts.calls import Pass, not_compiled, taken_apart
from assay.cuts.exchange import Attending, Exchange, Fused
from assay.cuts.graph import Recorder
from assay.cuts.state import Rows, State, close, find_rows
from assay.cuts.trace import MORE, ROWS, Cut, Inputs, Shapes, Trace, shapes_of
from assay.errors import AssayError
from assay.isolation import undisturbed


class Cuts:
    """Cuts of a network by depth; see `Subject.cuts`.

    **Arguments:**

    - `module`: the network.
    - `forward`: from a batch to the outputs `(n, ...)`, without gradients.
    - `inputs`: examples on which the cuts are found; three are used.
    - `device`: of the network.
    - `batch_size`: examples per forward pass.
    - `fixed`: names of inputs that are never patched, such as the prefix of the answer. Cuts are then those of the other
      inputs, and end before the first call that uses both.

    **Raises:** `AssayError` where an input-dependent tensor was made by a call that was not seen; where outputs do not depend
    on the inputs, differ from those of a plain pass by more than 1e-5, or depend on other examples of the batch; where the
    calls depend on the content of the inputs.

    Example::

        >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> inputs, others = {"input": torch.randn(10, 4)}, {"input": torch.randn(20, 4)}
        >>> cuts = assay.Subject(network).cuts(inputs)
        >>> state = cuts.read(others, 0)
        >>> state.flat().shape
        torch.Size([20, 8])
        >>> halved = state.unflat(state.flat() / 2)
        >>> cuts.run(inputs, 0, halved).shape  # the rest of the network on these states
        torch.Size([20, 2])
        >>> cuts.replaced  # fused functions that ran as the calls that they stand for
        ()
    """

    def __init__(
        self,
        module: nn.Module,
        forward: Callable[[Inputs], Tensor],
        *,
        inputs: Inputs,
        device: torch.device,
        batch_size: int,
        fixed: Collection[str] = (),
    ):
        self._module, self._forward, self._device, self._batch_size = module, forward, device, max(2, batch_size)
        self._fixed = frozenset(fixed)
        self._traces: dict[Shapes, Trace] = {}
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
        """Fused functions of a plain pass that run here as their component calls."""
        return self._first.replaced

    def read(self, inputs: Inputs, depth: int) -> State:
        """The state of every example at a cut, in batches.

        For inputs of other lengths separate cuts are found first.

        **Raises:** `AssayError` for a depth without a cut, and for a cut with a tensor without an example dimension.
        """
        return self.read_several(inputs, [depth])[depth]

    def read_several(self, inputs: Inputs, depths: Sequence[int]) -> dict[int, State]:
        """States at several cuts from the same passes.

        **Raises:** `AssayError` where one of the cuts cannot be read.
        """
        trace = self._trace(inputs)
        for depth in depths:
            trace.cut(depth)
        chunks: dict[int, list[State]] = {depth: [] for depth in depths}
        for rows, count in _chunks(_length(inputs), self._rows(trace)):
            for depth, state in self._states(trace, depths, _taken(inputs, rows, self._device)).items():
                chunks[depth].append(state if count == len(state) else state[:count])
        if not _length(inputs):
            return {depth: state[:0] for depth, state in self._states(trace, depths, trace.sample).items()}
        return {depth: _joined(some) for depth, some in chunks.items()}

    def run(self, inputs: Inputs, depth: int, state: State) -> Tensor:
        """Outputs `(n, ...)`, on the CPU, of the network behind a cut on the states of `n` examples.

        The network runs on `inputs`, repeated or cut to the number of examples and the lengths of the state, and every tensor
        of the cut is replaced, so that outputs do not depend on their content. Fixed inputs need one row for each state. At the
        first use of a depth this is tested on the examples on which the cuts were found.

        **Raises:** `AssayError` for a state of another cut, and where the outputs depend on more than the state.
        """
        trace = self._trace(_resized(inputs, ROWS, state.shapes))
        trace.check(state, trace.cut(depth))
        fixed = {name: value for name, value in inputs.items() if name in self._fixed}
        if fixed and _length(fixed) != len(state):
            raise AssayError("fixed inputs must have a row for each state", given=f"{_length(fixed)} for {len(state)} states")
        self._test(trace, depth)
        outputs = []
        batches: dict[int, Inputs] = {}
        for rows, count in _chunks(len(state), self._rows(trace)):
            if (number := _number(rows)) not in batches:
                batches[number] = _resized(inputs, number, state.shapes, self._device)
            batch = {**batches[number], **_taken(fixed, rows, self._device)}
            outputs.append(self._patched(trace, state[rows], batch)[:count].cpu())
        return torch.cat(outputs) if outputs else trace.output[:0].cpu()

    # Inside

    def _rows(self, trace: Trace) -> int:
        """Examples per pass: on a CPU about four times as many as fit its cache, since every call is handled in Python."""
        fitting = max(16, 8 * AT_ONCE // trace.widest) if self._device.type == "cpu" else self._batch_size
        return min(self._batch_size, fitting)

    def _trace(self, inputs: Inputs) -> Trace:
        shapes = shapes_of(inputs)
        if shapes not in self._traces:
            with undisturbed(self._module):
                self._traces[shapes] = self._traced(*_samples(inputs, self._device))
        return self._traces[shapes]

    def _pass(self, mode: Pass, inputs: Inputs) -> Tensor:
        """Outputs of a pass under a mode, on copies of the inputs."""
        batch = {name: value.clone() for name, value in inputs.items()}
        if isinstance(mode, Exchange):
            mode.start(list(batch.values()))
        recurrent = isinstance(mode, Exchange) and mode.graph.recurrent
        attending = Attending(mode) if isinstance(mode, Exchange) else nullcontext()
        with undisturbed(self._module), taken_apart(recurrent=recurrent), mode, attending:
            output = self._forward(batch)
        mode.finish()
        return output

    def _states(self, trace: Trace, depths: Sequence[int], inputs: Inputs) -> dict[int, State]:
        exchange = trace.reading(depths, _length(inputs))
        self._pass(exchange, inputs)
        return {depth: trace.state(depth, exchange) for depth in depths}

    def _patched(self, trace: Trace, state: State, inputs: Inputs, *, test: bool = False) -> Tensor:
        return self._pass(trace.patching(state, _length(inputs), test=test), inputs)

    def _test(self, trace: Trace, depth: int) -> None:
        """Test of completeness: states of some examples, patched into a pass on others, must give the outputs of the former."""
        if (key := (trace.shapes, depth)) in self._complete:
            return
        state = self._states(trace, [depth], trace.sample)[depth]
        others = {name: value if name in self._fixed else value.roll(1, 0) for name, value in trace.sample.items()}
        found = self._patched(trace, state, others, test=True)
        # Where outputs hardly differ between examples, they must be closer to the right ones than to the others.
        spread = float((trace.output - trace.output.roll(1, 0)).abs().max())
        apart = float((found - trace.output).abs().max())
        if not (close(found, trace.output, tolerance=1e-4) and apart <= 0.01 * spread + 1e-6 * float(trace.output.abs().max())):
            raise AssayError(
                "a cut must hold all that the rest of the network depends on",
                given=f"outputs that differ by {apart:.2g} at depth {depth}",
                next_step="look for code that keeps a tensor between passes, or changes its memory outside PyTorch",
            )
        self._complete.add(key)

    def _traced(self, sample: Inputs, together: Inputs) -> Trace:
        plain = self._forward({name: value.clone() for name, value in sample.items()})
        path: list[str] = []
        with _named(self._module, path):
            fused = Fused(path)
            with not_compiled(), fused:  # a plain pass, with fused functions
                self._forward({name: value.clone() for name, value in sample.items()})
            batch = {name: value.clone() for name, value in sample.items()}
            recorder = Recorder(batch, dict(_weights(self._module)), path)
            recurrent = any("_rnn" in name for name in fused.found)
            with taken_apart(recurrent=recurrent), recorder:
                output = self._forward(batch)
        graph = replace(recorder.graph(output), recurrent=recurrent)
        if len(output) != ROWS:
            given = f"{tuple(output.shape)} for {ROWS} examples"
            raise AssayError("outputs must have examples as the first dimension", given=given)
        if not close(output, plain, tolerance=1e-5, at_least=1.0):
            raise AssayError(
                "recording a pass must not change its outputs by more than 1e-5",
                given=f"a difference of {float((output - plain).abs().max()):.2g}",
                next_step="check whether the network draws random numbers or keeps a state between passes; a network in "
                "half precision, whose fused functions round differently, can be cut after `module.float()`",
            )
        crossing = graph.cuts([slot for slot, name in enumerate(sample) if name in self._fixed])
        everything = tuple(sorted({node for nodes in crossing for node in nodes}))
        rolled, more = (Exchange(graph, read=everything, constants=same) for same in (True, False))
        moved = self._pass(rolled, _rolled(sample))
        larger = self._pass(more, together)
        if not (close(moved, output.roll(1, 0), tolerance=1e-4) and close(larger[:ROWS], output, tolerance=1e-4)):
            raise AssayError(
                "a network can be cut only if the output for an example depends on that example alone", given="on its batch"
            )
        widest = max(value.numel() for value in graph.values.values()) // ROWS
        rows: dict[int, Rows] = {}
        shared = set()
        for node in everything:
            a, b, c = graph.values[node], rolled.values[node], more.values[node]
            if (found := find_rows(a, b, c.shape, rows=ROWS, more=MORE)) is not None:
                rows[node] = found
            elif a.shape == c.shape and close(a, b, tolerance=1e-5):
                shared.add(node)
        opaque = {step.name.rpartition("#")[0] for step in graph.opaque}
        return Trace(
            sample=sample,
            output=output,
            graph=replace(graph, constants={}, values={node: graph.values[node] for node in everything}),  # free large tensors
            crossing=crossing,
            rows=rows,
            shared=frozenset(shared),
            replaced=tuple(name for name in fused.found if name not in opaque),
            widest=max(1, widest),
        )


def _joined(chunks: list[State]) -> State:
    first = chunks[0]
    for other in chunks[1:]:
        if other.numbers != first.numbers or any(
            not close(other.shared[k], v, tolerance=1e-5) for k, v in first.shared.items()
        ):
            raise AssayError(
                "tensors without an example dimension must be the same in all batches",
                given=[*first.shared, *first.numbers],
                next_step="read similar inputs together, or all in one batch",
            )
    values, carried = (
        {name: torch.cat([getattr(chunk, kind)[name] for chunk in chunks]) for name in getattr(first, kind)}
        for kind in ("values", "carried")
    )
    return replace(first, values=values, carried=carried)


# Inputs


def _length(inputs: Inputs) -> int:
    return len(next(iter(inputs.values())))


def _chunks(length: int, size: int) -> Iterator[tuple[slice | Tensor, int]]:
    """Rows of each batch, at least two, and the number of those that count."""
    for start in range(0, length, size):
        count = min(size, length - start)
        yield (slice(start, start + count) if count > 1 else torch.tensor([start, start])), count


def _number(rows: slice | Tensor) -> int:
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def _taken(inputs: Inputs, rows: slice | Tensor, device: torch.device) -> Inputs:
    return {name: value[rows].to(device) for name, value in inputs.items()}


def _rolled(inputs: Inputs) -> Inputs:
    return {name: value.roll(1, 0) for name, value in inputs.items()}


def _resized(inputs: Inputs, rows: int, shapes: Mapping[str, tuple[int, ...]], device: torch.device | None = None) -> Inputs:
    """The inputs with `rows` examples of these shapes, with every dimension repeated or cut."""
    if set(shapes) != set(inputs) or any(value.ndim != 1 + len(shapes[name]) for name, value in inputs.items()):
        raise AssayError(
            "a state can be patched only into a pass on inputs of the same names and dimensions",
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
    return AssayError("cuts need at least one example", given="none")


def _samples(inputs: Inputs, device: torch.device) -> tuple[Inputs, Inputs]:
    """Examples for the passes that find cuts, and a larger batch that holds them.

    If all examples are identical they are perturbed, so that what depends on the inputs can be seen.
    """
    count = _length(inputs)
    if not count:
        raise _no_examples()
    rows = torch.linspace(0, count - 1, MORE).round().long()
    rows = torch.cat([rows[::2], rows[1::2]])
    together = _taken(inputs, rows, device)
    if all(torch.equal(value[:ROWS], value[:ROWS].roll(1, 0)) for value in together.values()):
        together = {name: _varied(value) for name, value in together.items()}
    return {name: value[:ROWS] for name, value in together.items()}, together


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
    """Context in which names of running modules are at the end of `path`."""

    def leave(*_: Any) -> None:
        path.pop()

    handles = []
    for name, part in module.named_modules():
        shown = ".".join(step for step in name.split(".") if step != "_orig_mod")  # the wrapper of `torch.compile`
        if isinstance(part, torch.jit.ScriptModule):
            continue  # scripted modules take no hooks
        handles.append(part.register_forward_pre_hook(partial(lambda shown, *_: path.append(shown), shown)))
        handles.append(part.register_forward_hook(leave, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
