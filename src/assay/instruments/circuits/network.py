"""A network with some of its nodes ablated, the values that replace them, and its loss on every example."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from assay.instruments.circuits.nodes import Edges, Wiring, gated
from assay.isolation import undisturbed
from assay.keywords import as_taken
from assay.objective import Objective
from assay.outputs import answer_of
from assay.subject import Subject
from assay.task import Examples

Ablation = Literal["mean", "zero", "task mean", "resample"]
ABLATIONS: tuple[Ablation, ...] = get_args(Ablation)
"""The replacement of an ablated node: its mean over examples and positions, zero, its mean over the examples of the task at
each position, or its value for another example of the task at the same position (resample ablation)."""
TARGET = 0.15 / 0.6931471805599453
"""Target loss, as a share of that of the best constant answer: .15 nats for two equally frequent answers (Gao et al. 2025)."""
BATCH = 128
Fill = Sequence[Tensor]
"""For each place the values that replace ablated nodes, of a shape that broadcasts to `(n, ..., width)`."""
States = Sequence[Sequence[Tensor]]
"""For each place its states `(n, ..., width)` in every call."""


class WiredNetwork:
    """One network with its wiring and its task's objective.

    **Attributes:** `means` `(nodes,)`: the mean of each node over examples and positions of `reference`.
    """

    def __init__(
        self,
        subject: Subject,
        wiring: Wiring,
        objective: Objective,
        *,
        reference: Mapping[str, Tensor],
        answered: Bool[Tensor, " outputs"],
    ):
        self.module, self.device = subject.module, subject.device
        self.wiring, self.objective, self.reference = wiring, objective, reference
        self.edges: Edges = wiring.edges(self.module, answered)
        self._positions: list[Tensor] = []
        self.means = self._averaged()

    # Running

    def run(self, inputs: Mapping[str, Tensor], changes: Mapping[int, Callable[[Tensor], Tensor]]) -> Tensor:
        """Outputs of one batch when the states of each place pass through a function. Gradients flow if they are enabled."""
        given = {name: value.to(self.device) for name, value in inputs.items()}
        with gated(self.module, self.wiring, changes):
            return answer_of(self.module(**as_taken(self.module, given)))

    def states(self, inputs: Mapping[str, Tensor]) -> States:
        """The states of every place when nothing is ablated."""
        found: list[list[Tensor]] = [[] for _ in self.wiring.places]
        places = {name: k for k, place in enumerate(self.wiring.places) for name in place.hooks[:1]}

        def keep(k: int) -> Callable[[Tensor], Tensor]:
            width = len(self.wiring.places[k].hooks)  # a shared input passes as often as there are maps that read it
            seen = [0]

            def note(x: Tensor) -> Tensor:
                if seen[0] % width == 0:
                    found[k].append(x.detach())
                seen[0] += 1
                return x

            return note

        with self._quiet():
            self.run(inputs, {k: keep(k) for k in places.values()})
        return found

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        with undisturbed(self.module, 0), torch.no_grad():
            yield

    def outputs(
        self,
        examples: Examples,
        kept: Bool[Tensor, " nodes"] | None,
        ablation: Ablation = "mean",
        *,
        frozen: bool = False,
    ) -> Tensor:
        """Outputs `(n, ...)` with all nodes except the kept ones ablated; None keeps all.

        **Arguments:** `frozen`: normalisation layers use the statistics that they have when nothing is ablated.
        """
        found = []
        with self._quiet():
            for batch, partner in zip(batches(examples), batches(_partners(examples)), strict=True):
                changes = {} if kept is None else ablating(self.wiring, kept, self.filled(ablation, partner.inputs))
                with frozen_norms(self, batch.inputs) if frozen else _nothing():
                    found.append(self.run(batch.inputs, changes).cpu())
        return torch.cat(found)

    def losses(
        self, examples: Examples, kept: Bool[Tensor, " nodes"] | None, ablation: Ablation = "mean", *, frozen: bool = False
    ) -> Float[Tensor, " n"]:
        """The loss of each example with all nodes except the kept ones ablated."""
        return each_loss(self.objective, self.outputs(examples, kept, ablation, frozen=frozen), examples.targets)

    def scores(
        self, examples: Examples, kept: Bool[Tensor, " nodes"] | None, ablation: Ablation = "mean", *, frozen: bool = False
    ) -> Float[Tensor, " n"]:
        """The score of each example with all nodes except the kept ones ablated."""
        return self.objective.score(self.outputs(examples, kept, ablation, frozen=frozen), examples.targets).double()

    # Fillings

    def filled(self, ablation: Ablation, partners: Mapping[str, Tensor]) -> Fill:
        """The values of ablated nodes in one batch. `partners`: for each example another one of the task."""
        match ablation:
            case "zero":
                return self.wiring.split(torch.zeros_like(self.means))
            case "task mean":
                return self._positions
            case "resample":
                return [calls[0] for calls in self.states(partners)]
        return self.wiring.split(self.means)

    def _averaged(self) -> Float[Tensor, " nodes"]:
        sums = [torch.zeros(place.width, dtype=torch.float64) for place in self.wiring.places]
        counts, positions, total = [0] * len(sums), [], 0
        num = len(next(iter(self.reference.values())))
        for start in range(0, num, BATCH):
            states = self.states({name: value[start : start + BATCH] for name, value in self.reference.items()})
            for k, calls in enumerate(states):
                for x in calls:
                    rows = x.flatten(0, -2).double().cpu()
                    sums[k] += rows.sum(0)
                    counts[k] += len(rows)
            firsts = [calls[0].double().sum(0) for calls in states]
            positions = firsts if not positions else [a + b for a, b in zip(positions, firsts, strict=True)]
            total += min(BATCH, num - start)
        means = torch.cat([one / max(1, count) for one, count in zip(sums, counts, strict=True)]).float().to(self.device)
        self._positions = [(one / total).float() for one in positions]
        return means


def ablating(wiring: Wiring, kept: Bool[Tensor, " nodes"], fill: Fill) -> dict[int, Callable[[Tensor], Tensor]]:
    """Functions that replace all nodes except the kept ones; none for places whose nodes are all kept."""

    def change(mask: Tensor, value: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda x: torch.where(mask.to(x.device), x, value.to(x))

    masks = wiring.split(kept)
    return {k: change(mask, fill[k]) for k, mask in enumerate(masks) if not bool(mask.all())}


def batches(examples: Examples) -> Iterator[Examples]:
    """The examples in small batches, in their order."""
    for start in range(0, len(examples), BATCH):
        yield examples.take(torch.arange(start, min(start + BATCH, len(examples))))


def _partners(examples: Examples) -> Examples:
    """The examples in a random order, the same for all networks."""
    return examples.take(torch.randperm(len(examples), generator=Generator().manual_seed(0)))


def each_loss(objective: Objective, outputs: Tensor, targets: Tensor) -> Float[Tensor, " n"]:
    """The loss of every example."""
    return torch.vmap(objective.loss)(outputs[:, None], targets[:, None]).double().detach()


def constant_loss(objective: Objective, targets: Tensor) -> float:
    """The loss of the best constant answer, such as the entropy of the classes."""
    ideal = objective.ideal(targets).double()
    mean = ideal.mean(0)
    one_hot = bool(((ideal == 0) | (ideal == 1)).all()) and bool((ideal.sum(-1) == 1).all())
    constant = (mean.log().clamp(min=-30) if one_hot else mean).float().expand(ideal.shape)
    return float(objective.loss(constant, targets))


def answered_units(objective: Objective, targets: Tensor) -> Bool[Tensor, " outputs"]:
    """The units of the outputs on which the loss depends."""
    outputs = objective.ideal(targets).float().clone().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(objective.loss(outputs, targets), outputs)
    return (slope != 0).flatten(0, -2).any(0)


# Normalisation layers with the statistics of the whole network


@dataclass(eq=False)
class _Norm:
    """The mean and the scale by which a normalisation layer shifts and divides."""

    shift: Tensor
    scale: Tensor


def _norms(module: nn.Module) -> dict[str, nn.Module]:
    """LayerNorm and the RMSNorm layers of PyTorch and Hugging Face, over the last dimension."""
    return {name: part for name, part in module.named_modules() if isinstance(part, nn.LayerNorm) or _is_rms(part)}


def has_norms(module: nn.Module) -> bool:
    """Whether the network has a normalisation layer whose statistics can be frozen."""
    return bool(_norms(module))


def _is_rms(part: nn.Module) -> bool:
    return type(part).__name__.endswith("RMSNorm") and isinstance(getattr(part, "weight", None), nn.Parameter)


def _statistics(part: nn.Module, x: Tensor) -> _Norm:
    eps = next(
        (float(found) for name in ("eps", "variance_epsilon") if isinstance(found := getattr(part, name, None), float)), 1e-6
    )
    centred = isinstance(part, nn.LayerNorm)
    shift = x.mean(-1, keepdim=True) if centred else torch.zeros_like(x[..., :1])
    return _Norm(shift, ((x - shift).square().mean(-1, keepdim=True) + eps).sqrt())


@contextmanager
def frozen_norms(network: WiredNetwork, inputs: Mapping[str, Tensor]) -> Iterator[None]:
    """A context in which every normalisation layer uses the statistics that it has on these inputs when nothing is ablated."""
    norms, kept = _norms(network.module), {}
    handles = [
        part.register_forward_pre_hook(lambda m, args, name=name: kept.setdefault(name, []).append(_statistics(m, args[0])))
        for name, part in norms.items()
    ]
    try:
        network.run(inputs, {})
    finally:
        for handle in handles:
            handle.remove()
    calls = {name: iter(found) for name, found in kept.items()}

    def frozen(name: str) -> Callable[..., Tensor]:
        def hook(part: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor:
            own = next(calls[name])
            scaled = (args[0] - own.shift) / own.scale
            weight, bias = getattr(part, "weight", None), getattr(part, "bias", None)
            scaled = scaled if weight is None else scaled * weight
            return scaled if bias is None else scaled + bias

        return hook

    handles = [part.register_forward_hook(frozen(name), prepend=True) for name, part in norms.items() if name in kept]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _nothing() -> Iterator[None]:
    yield
