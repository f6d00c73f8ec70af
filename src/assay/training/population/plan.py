"""Which models are trained together, and how: by a rule that depends on sizes alone."""

import io
import math
import pickle
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from assay.attributes import changed_tensors, copied, kept_tensors
from assay.errors import AssayError
from assay.isolation import GlobalDraws, seeded
from assay.jobs import one_thread
from assay.keywords import as_taken
from assay.task import Examples
from assay.training.cohort import Cohort, Separate, Stacked, has_batched_loss, schedule
from assay.training.config import TrainingConfig
from assay.training.data import Source, draw
from assay.training.population.stack import ForwardTrace, stacked_chain, trace, vmapped

Way = Literal["stack", "vmap", "loop"]
Strategy = Literal["rule", "stack", "vmap", "loop"]

# Bytes of a chunk's activations: more leave the cache, fewer pay the overhead more often. Chains fill the same tensors anew.
MOST_ACTIVATIONS = {"stack": 9 * 2**20, "vmap": 6 * 2**20}
MOST_ARITHMETIC = 100e6  # operations of one model's step, above which nothing is gained by stacking on a CPU
TOLERANCE = 1e-4  # of a gradient, relative to the largest entry of the model's gradient
NUM_CHECKED = 2  # models of one structure whose first step is compared: fewer would not show what leaks between models


class PopulationMember(NamedTuple):
    """A model, what it is trained on, and how."""

    model: nn.Module
    source: Source
    config: TrainingConfig


@dataclass(frozen=True)
class Chunk:
    """Models that take their steps together: how, and their numbers."""

    way: Way
    models: tuple[int, ...]


def make_plan(members: Sequence[PopulationMember], *, strategy: Strategy, jobs: int) -> list[Chunk]:
    """Every model in one chunk. **Raises:** `AssayError` when the strategy that was asked for is not possible."""
    groups: dict[object, list[int]] = {}
    for i, member in enumerate(members):
        groups.setdefault(_kind(member), []).append(i)
    chunks = []
    for numbers in groups.values():
        numbers.sort(key=lambda i: schedule(members[i].config))  # neighbours share a group of the optimiser
        chunks += _Group(numbers, [members[i] for i in numbers], jobs).chunks(strategy)
    return chunks


def build(way: Way, members: Sequence[PopulationMember]) -> Cohort:
    """The cohort of a chunk. **Raises:** `AssayError` when these models cannot be trained that way."""
    columns = [member.model for member in members], [member.source for member in members], [member.config for member in members]
    if way == "loop":
        return Separate(*columns)
    first = members[0]
    forward = vmapped(first.model) if way == "vmap" else stacked_chain(first.model, _traced(first)[0])
    if forward is None:
        raise _impossible(way, "it is no chain of Linear, Embedding, LayerNorm and layers without weights")
    return Stacked(*columns, forward=forward)


@dataclass(frozen=True)
class _Group:
    """Models of one architecture with batches of one shape."""

    numbers: Sequence[int]
    members: Sequence[PopulationMember]
    jobs: int

    def chunks(self, strategy: Strategy) -> list[Chunk]:
        if strategy == "loop" or self.members[0].config.steps == 0:
            return self._split("loop")
        if strategy in ("stack", "vmap"):
            reason = self._objection(strategy)
            if reason:
                raise _impossible(strategy, reason)
            return self._split(strategy)
        batched: tuple[Way, ...] = ("stack", "vmap") if self._worth_trying else ()
        return self._split(next((way for way in batched if self._objection(way) is None), "loop"))

    @cached_property
    def _survey(self) -> tuple[ForwardTrace, int]:
        return _traced(self.members[0])

    @property
    def _on_gpu(self) -> bool:
        return next(self.members[0].model.parameters()).device.type != "cpu"

    def _largest(self, way: Way) -> int:
        """Models of a chunk whose activations stay in the cache."""
        values = sum(call.num_values for call in self._survey[0].calls)
        return len(self.numbers) if self._on_gpu else max(1, MOST_ACTIVATIONS[way] // (4 * max(1, values)))

    @property
    def _worth_trying(self) -> bool:
        return len(self.numbers) > 1 and (self._on_gpu or (self._survey[1] <= MOST_ARITHMETIC and self._largest("vmap") > 1))

    def _split(self, way: Way) -> list[Chunk]:
        """Chunks of nearly one size, as many as keep every process busy."""
        count = 1 if way == "loop" else -(-len(self.numbers) // self._largest(way))
        count = min(len(self.numbers), -(-count // self.jobs) * self.jobs)
        return [Chunk(way, tuple(self.numbers[a:b])) for a, b in _bounds(len(self.numbers), count)]

    def _objection(self, way: Way) -> str | None:
        """Why the group cannot be trained that way, or None: one step of models of every structure must equal that of the
        plain loop.

        What is stacked must also pass under `vmap`: a chain on this batch may be another on the next, and `vmap` alone
        refuses a forward that looks at its data.
        """
        if any(member.config.sparse < 1 for member in self.members):
            return "the weights of sparse networks are projected one network at a time"
        if not has_batched_loss([member.source for member in self.members]):
            return "the tasks do not share the loss of one kind of objective"
        checks: tuple[Way, ...] = ("stack", "vmap") if way == "stack" else (way,)
        with seeded(0), one_thread():
            checked = _representatives(self.members)
            parts = (checked[a:b] for a, b in _bounds(len(checked), -(-len(checked) // self._largest(way))))
            return next((reason for part in parts if (reason := _difference(checks, part))), None)


def _bounds(num: int, parts: int) -> list[tuple[int, int]]:
    """Of parts of nearly one size."""
    return list(pairwise(num * k // parts for k in range(parts + 1)))


def _representatives(members: Sequence[PopulationMember]) -> list[PopulationMember]:
    """A few models of every structure, or all of it where the first loss of one of the few is not finite."""
    alike: dict[object, list[PopulationMember]] = {}
    for member in members:
        alike.setdefault(_structure(member), []).append(member)
    return [member for same in alike.values() for member in _few(same)]


def _few(members: list[PopulationMember]) -> list[PopulationMember]:
    few = members[:NUM_CHECKED]
    return few if len(few) == len(members) or bool(build("loop", _copied(few)).backward(0, ()).isfinite().all()) else members


def _structure(member: PopulationMember) -> object:
    """What but its weights, buffers and data decides what a model computes, or a new object where it has no such form."""
    model, written = member.model, io.BytesIO()
    names = {id(value): name for name, value in (*model.named_parameters(), *model.named_buffers())}
    pickler = pickle.Pickler(written)
    pickler.persistent_id = lambda value: names.get(id(value))  # instead of their values
    try:
        pickler.dump((model, member.source.objective))
    except Exception:  # of the user's own classes: functions made in place, locks, parametrised weights
        return object()
    return written.getvalue()


def _difference(ways: Sequence[Way], members: Sequence[PopulationMember]) -> str | None:
    """What is not the same after one forward and backward: loss, gradients, buffers, or that a model draws at random."""
    plain = build("loop", _copied(members))
    losses = plain.backward(0, ())
    if any(_draws(member) for member in members):
        return "the model draws at random"
    if any(_leaves(model, member.model) for model, member in zip(plain.models, members, strict=True)):
        return "the model keeps something between calls"
    for way in ways:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                stacked = build(way, _copied(members))  # a forward may leave something of the batch in its module
                assert isinstance(stacked, Stacked)
                ours = stacked.backward(0, ())
        except AssayError as error:
            return str(error.given)
        except Exception as error:  # whatever the user's code raises on a batch of models, the loop can still train it
            return f"{type(error).__name__}: {error}"
        if not torch.allclose(losses, ours.to(losses), rtol=TOLERANCE, equal_nan=True):
            return "the loss is another"
        finite = [i for i, loss in enumerate(losses.tolist()) if math.isfinite(loss)]  # others diverge whichever way
        reasons = (_difference_of(plain.models[i], stacked, i) for i in finite)
        if reason := next((reason for reason in reasons if reason), None):
            return reason
    return None


def _leaves(model: nn.Module, before: nn.Module) -> bool:
    """Whether a forward has left other tensors in the attributes of a module, its buffers apart."""
    return not set(changed_tensors(model, kept_tensors(before))) <= {name for name, _ in model.named_buffers()}


def _draws(member: PopulationMember) -> bool:
    """Whether a forward in training uses a global generator."""
    model, draws = copied(member.model).train(), GlobalDraws()
    device = next(model.parameters()).device
    model(**as_taken(model, {name: column.to(device) for name, column in _sample(member).inputs.items()}))
    return draws.any


def _difference_of(model: nn.Module, stacked: Stacked, i: int) -> str | None:
    largest = max((float(p.grad.abs().max()) for p in model.parameters() if p.grad is not None), default=0.0)
    for name, parameter in model.named_parameters():
        if not _close(parameter.grad, stacked.weights[name].grad, i, TOLERANCE * largest):
            return f"the gradient of {name} is another"
    for name, buffer in model.named_buffers():
        if not torch.allclose(buffer, stacked.buffers[name][i], rtol=TOLERANCE):
            return f"the buffer {name} is another"
    return None


def _close(plain: Tensor | None, stacked: Tensor | None, i: int, tolerance: float) -> bool:
    if plain is None or stacked is None:
        return plain is stacked
    return bool(((plain - stacked[i]).abs() <= tolerance).all())


def _copied(members: Sequence[PopulationMember]) -> list[PopulationMember]:
    return [member._replace(model=copied(member.model)) for member in members]


def _traced(member: PopulationMember) -> tuple[ForwardTrace, int]:
    """One forward of the model on a batch of its own, and the floating-point operations of a step on it."""
    model = member.model
    examples = _sample(member)
    device = next(model.parameters()).device
    with seeded(0), _Operations() as counted:
        twin = copied(model).train()
        traced = trace(twin, {name: column.to(device) for name, column in examples.inputs.items()})
    return traced, 3 * counted.total  # the backward costs about twice the forward


class _Operations(TorchDispatchMode):
    """Counts floating-point operations as torch's own `FlopCounterMode` does, which imports `torch._dynamo` for two seconds."""

    def __init__(self):
        super().__init__()
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func._overloadpacket):
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


def _sample(member: PopulationMember) -> Examples:
    return draw(member.source, Generator().manual_seed(member.config.seed), member.config.batch_size)


def _kind(member: PopulationMember) -> object:
    """What must agree for two models to be trained together."""
    model, _, config = member
    examples = _sample(member)
    columns = {**examples.inputs, "targets": examples.targets}
    tensors = (*model.named_parameters(), *model.named_buffers())
    return (
        repr(model),
        tuple((name, value.shape, value.dtype, value.requires_grad, str(value.device)) for name, value in tensors),
        tuple((name, column.shape, column.dtype) for name, column in columns.items()),
        (config.steps, config.batch_size, config.checkpoint_every),
    )


def _impossible(way: Way, reason: str) -> AssayError:
    return AssayError(
        f"the strategy {way} must train these models as a plain loop does",
        given=reason,
        choices=("rule", "loop"),
        next_step="leave the strategy to `rule`",
    )
