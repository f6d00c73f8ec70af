"""The search for a circuit: an order of all nodes, from those that the task needs most, and the circuits along it.

Gates as Gao et al. 2025: a node is kept where its number tau is above 0, with the slope of a sigmoid; the loss of the task and
a price for what is kept are minimised. Prices rise, and each search goes on from the one before, so that one path gives the
whole curve of loss over size. Gates start in the order of first-order effects, since otherwise all of them close at once;
without steps that is the order.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.instruments.circuits.network import WiredNetwork, batches
from assay.instruments.circuits.nodes import Wiring
from assay.isolation import undisturbed
from assay.masks.maskable import is_transposed
from assay.optimisers import AdamW
from assay.progress import report
from assay.task import Examples

START, SPREAD, CLAMP = 0.1, 0.01, 1.0  # of tau: its mean at first, the spread of what is drawn, and its largest size
DEAD_FOR = 40  # steps below 0 after which a node is dropped for good, and its rows and columns with it
RECOMPACT = 20  # steps between two looks
REPORTED = 20


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """**Attributes:**

    - `prices`: of keeping every node, rising; `steps`: of the first search and of each later one, 0 for none.
    - `batch_size`, `learning_rate`: of AdamW (betas .9 and .95, decay 1e-3), on gradients of norm 1 at most.
    - `compact`: drop the rows and columns of nodes that stay dead, in the search.
    """

    prices: tuple[float, ...] = (0.1, 0.4, 1.6, 6.4)
    steps: tuple[int, int] = (150, 80)
    batch_size: int = 64
    learning_rate: float = 0.01
    compact: bool = True


@dataclass(frozen=True)
class Stage:
    """Where the search at one price ended: what is kept, and the loss of its last steps."""

    price: float
    kept: Bool[Tensor, " nodes"]
    loss: float


@dataclass(frozen=True)
class Order:
    """All nodes, the most important first, and the stages of the search that ordered them; none where it took no steps."""

    nodes: Int[Tensor, " nodes"]
    stages: tuple[Stage, ...] = ()

    def first(self, num: int) -> Bool[Tensor, " nodes"]:
        """The `num` most important nodes."""
        kept = torch.zeros(len(self.nodes), dtype=torch.bool)
        kept[self.nodes[:num]] = True
        return kept

    @property
    def collapsed(self) -> bool:
        """Whether the lowest price left no node at all."""
        return bool(self.stages) and not bool(self.stages[0].kept.any())


def order_nodes(network: WiredNetwork, examples: Examples, config: GateConfig, *, generator: Generator) -> Order:
    """The order of a network's nodes for a task.

    **Raises:** `AssayError` without examples, and for prices that do not rise.
    """
    if not len(examples):
        raise AssayError("circuits are searched on examples, of which there must be one at least", given="none")
    if list(config.prices) != sorted(config.prices):
        raise AssayError("the prices of a path must rise", given=list(config.prices))
    with undisturbed(network.module, 0):
        effects = first_order_effects(network, examples)
        if not config.steps[0]:
            return Order(effects.argsort(descending=True, stable=True))
        return gate_path(
            partial(_loss_of_nodes, network), effects, examples, config, generator=generator, device=network.device
        )


def first_order_effects(network: WiredNetwork, examples: Examples) -> Float[Tensor, " nodes"]:
    """How much the loss changes at first order when a node has its mean: per example, gradient times distance from the mean,
    summed over positions; the mean of its size (attribution patching)."""
    means, sums = network.wiring.split(network.means), torch.zeros(network.wiring.num_nodes, device=network.device)
    places = network.wiring.split(sums)
    for batch in batches(examples):
        live: list[tuple[int, Tensor]] = []

        def watch(k: int, live: list[tuple[int, Tensor]] = live) -> Callable[[Tensor], Tensor]:
            def change(x: Tensor) -> Tensor:
                x = x if x.requires_grad else x.requires_grad_()
                live.append((k, x))
                return x

            return change

        with torch.enable_grad():
            outputs = network.run(batch.inputs, {k: watch(k) for k in range(len(means))})
            loss = network.objective.loss(outputs, batch.targets.to(outputs.device)) * len(batch)
            slopes = torch.autograd.grad(loss, [x for _, x in live], allow_unused=True, materialize_grads=True)
        by_place: dict[int, Tensor] = {}
        for (k, x), slope in zip(live, slopes, strict=True):
            effect = (slope * (x.detach() - means[k])).flatten(1, -2).sum(1) if x.ndim > 2 else slope * (x.detach() - means[k])
            by_place[k] = by_place.get(k, 0) + effect
        for k, effect in by_place.items():
            places[k].add_(effect.abs().sum(0))
    return (sums / len(examples)).cpu()


class Gates:
    """The numbers tau of all nodes, or of all edges, and how long each has been above 0."""

    def __init__(self, config: GateConfig, effects: Float[Tensor, " nodes"], generator: Generator, device: torch.device):
        num = len(effects)
        # By rank, since units have no order of their own.
        noise = SPREAD * torch.randn(num, generator=generator)[_ranks(effects)]
        start = START * (0.5 + _quantiles(effects).float()) + noise
        self.tau = start.to(device).requires_grad_()
        self.adam = AdamW([self.tau], lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=1e-3)
        self.last_above = torch.zeros(num)
        self.beyond = torch.zeros(num)  # by how much the last update would have passed the clamp: ties are broken by it
        self.live = torch.ones(num, dtype=torch.bool)
        self.step = 0

    @property
    def kept(self) -> Bool[Tensor, " nodes"]:
        return (self.tau.detach().cpu() > 0) & self.live

    def update(self, slope: Float[Tensor, " nodes"]) -> None:
        self.step += 1
        norm = torch.linalg.vector_norm(slope)
        self.tau.grad = slope / norm.clamp(min=1.0)
        self.adam.step()
        with torch.no_grad():
            self.beyond = 0.9 * self.beyond + (self.tau - self.tau.clamp(-CLAMP, CLAMP)).cpu()
            self.tau.clamp_(-CLAMP, CLAMP)
        self.last_above[self.kept] = self.step

    def importance(self) -> Float[Tensor, " nodes"]:
        """Above all how long a node was kept, then its tau, then how hard it was pushed against the clamp."""
        return self.last_above.double() * 10 + self.tau.detach().cpu().double() + 0.01 * self.beyond.tanh().double()


Loss = Callable[[Examples, Float[Tensor, " nodes"], Bool[Tensor, " nodes"]], Tensor]
"""The loss of one batch, from its examples, the gates of all nodes (1 or 0, with the slope of a sigmoid), and which of them
have not been dropped."""


def gate_path(
    loss: Loss,
    effects: Float[Tensor, " nodes"],
    examples: Examples,
    config: GateConfig,
    *,
    generator: Generator,
    device: torch.device,
) -> Order:
    """The order that gates find along one path of rising prices.

    **Arguments:** `effects`: what the gates start in the order of, one for each.
    """
    gates, stages = Gates(config, effects, generator, device), []
    total = config.steps[0] + config.steps[1] * (len(config.prices) - 1)
    for number, price in enumerate(config.prices):
        recent: list[float] = []
        for step in range(config.steps[min(1, number)]):
            if gates.step % REPORTED == 0:
                report("searching for a circuit", gates.step / total)
            rows = torch.randint(len(examples), (min(config.batch_size, len(examples)),), generator=generator)
            recent.append(_step(loss, examples.take(rows), gates, price))
            if config.compact and (step + 1) % RECOMPACT == 0:
                gates.live &= gates.last_above >= gates.step - DEAD_FOR
        stages.append(Stage(price, gates.kept, sum(recent[-10:]) / max(1, len(recent[-10:]))))
        if not bool(gates.kept.any()):
            break
    key = gates.importance() + 1e-6 * _quantiles(effects)  # which order what was dropped in one and the same step
    return Order(key.argsort(descending=True, stable=True), tuple(stages))


def _quantiles(effects: Float[Tensor, " nodes"]) -> Float[Tensor, " nodes"]:
    """The rank of each node's effect, from 0 for the smallest to 1."""
    return _ranks(effects).double() / max(1, len(effects) - 1)


def _ranks(effects: Float[Tensor, " nodes"]) -> Int[Tensor, " nodes"]:
    """From 0 for the smallest."""
    return effects.argsort(stable=True).argsort()


def _step(loss: Loss, batch: Examples, gates: Gates, price: float) -> float:
    """One update of the gates; the loss before it."""
    with torch.enable_grad():
        soft = torch.sigmoid(gates.tau)
        hard = ((gates.tau > 0) & gates.live.to(gates.tau.device)).to(soft)
        mask = hard + (soft - soft.detach()) * gates.live.to(soft)
        found = loss(batch, mask, gates.live)
        (slope,) = torch.autograd.grad(found + price * mask.mean(), gates.tau)
    gates.update(slope)
    return float(found.detach())


def _loss_of_nodes(
    network: WiredNetwork, batch: Examples, mask: Float[Tensor, " nodes"], live: Bool[Tensor, " nodes"]
) -> Tensor:
    masks, fill = network.wiring.split(mask), network.wiring.split(network.means)

    def change(k: int) -> Callable[[Tensor], Tensor]:
        return lambda x: masks[k] * x + (1 - masks[k]) * fill[k]

    with compacted(network.module, network.wiring, live, network.means):
        outputs = network.run(batch.inputs, {k: change(k) for k in range(len(masks))})
    return network.objective.loss(outputs, batch.targets.to(outputs.device))


@contextmanager
def compacted(
    module: nn.Module, wiring: Wiring, live: Bool[Tensor, " nodes"], means: Float[Tensor, " nodes"]
) -> Iterator[None]:
    """While it lasts, linear maps leave out the columns of dead inputs, which hold their means, and the rows of dead outputs,
    which are gated to their means afterwards: the same outputs of the network, with smaller products."""
    places, fill = wiring.split(live), wiring.split(means)
    changed: list[nn.Module] = []
    try:
        for one in wiring.maps:
            layer = module.get_submodule(one.layer)
            inside = places[one.source]
            out = None if one.target is None else places[one.target]
            if bool(inside.all()) and (out is None or bool(out.all())):
                continue
            if isinstance(layer, nn.Linear) or is_transposed(layer):
                layer.forward = _compact(layer, inside, out, fill[one.source])  # pyrefly: ignore[bad-assignment]
                changed.append(layer)
        yield
    finally:
        for layer in changed:
            del layer.forward


def _compact(
    layer: nn.Module, inside: Bool[Tensor, " i"], out: Bool[Tensor, " o"] | None, means: Float[Tensor, " i"]
) -> Callable[[Tensor], Tensor]:
    weight = layer.get_parameter("weight").detach()
    weight = weight.T if is_transposed(layer) else weight
    rows = torch.arange(len(weight), device=weight.device) if out is None else out.to(weight.device).nonzero()[:, 0]
    columns = inside.to(weight.device).nonzero()[:, 0]
    small = weight[rows][:, columns]
    constant = (weight[rows] * (means * ~inside.to(means.device))).sum(1)
    bias = getattr(layer, "bias", None)
    constant = constant if bias is None else constant + bias.detach()[rows]
    full, whole = len(weight), len(rows) == len(weight)

    def forward(x: Tensor) -> Tensor:
        y = nn.functional.linear(x.index_select(-1, columns), small, constant)
        return y if whole else x.new_zeros(*x.shape[:-1], full).index_copy(-1, rows, y)

    return forward


# Along the order


@dataclass(frozen=True)
class Circuit:
    """Nodes that are kept, their number of edges, and the mean loss of the examples it was chosen on."""

    kept: Bool[Tensor, " nodes"]
    edges: int
    loss: float


@runtime_checkable
class Counted(Protocol):
    """What counts the edges of a circuit."""

    def count(self, kept: Bool[Tensor, " nodes"]) -> int: ...


@runtime_checkable
class Prunable(Protocol):
    """A network whose nodes, or whose edges, may be ablated."""

    @property
    def edges(self) -> Counted: ...

    def losses(self, examples: Examples, kept: Bool[Tensor, " nodes"] | None) -> Float[Tensor, " n"]: ...


def curve(network: Prunable, order: Order, examples: Examples, *, points: int) -> list[Circuit]:
    """Circuits from none of the nodes to all: the first nodes of the order, in about `points` sizes spaced geometrically, and
    what each stage of the search kept."""
    num = len(order.nodes)
    sizes = sorted({0, num, *(round(num ** (k / max(1, points - 1))) for k in range(points))})
    kept = [order.first(size) for size in sizes] + [stage.kept for stage in order.stages]
    found = [judged(network, one, examples) for one in kept]
    return sorted(found, key=lambda one: (one.edges, int(one.kept.sum())))


def judged(network: Prunable, kept: Bool[Tensor, " nodes"], examples: Examples) -> Circuit:
    """A circuit with its size and its loss when all else has its mean."""
    return Circuit(kept, network.edges.count(kept), float(network.losses(examples, kept).mean()))


def smallest(network: Prunable, order: Order, found: Sequence[Circuit], examples: Examples, *, target: float) -> Circuit | None:
    """The circuit with the fewest edges whose loss is at most the target: among those found, and by bisection along the order
    between the largest that fails and the smallest that does not. None where none reaches it."""
    nested = sorted((c for c in found if _is_first(order, c.kept)), key=lambda c: int(c.kept.sum()))
    reach = [k for k, circuit in enumerate(nested) if circuit.loss <= target]
    best = [circuit for circuit in found if circuit.loss <= target]
    if reach and reach[0] > 0:
        low, high = int(nested[reach[0] - 1].kept.sum()), int(nested[reach[0]].kept.sum())
        while high - low > 1:
            middle = (low + high) // 2
            tried = judged(network, order.first(middle), examples)
            if tried.loss <= target:
                high = middle
                best.append(tried)
            else:
                low = middle
    return min(best, key=lambda one: (one.edges, int(one.kept.sum())), default=None)


def _is_first(order: Order, kept: Bool[Tensor, " nodes"]) -> bool:
    return torch.equal(order.first(int(kept.sum())), kept)


class Searched(NamedTuple):
    """The order of a network's nodes for some labels, circuits along it on the examples that a size is chosen on, and the
    smallest that reaches the target; None where none does."""

    order: Order
    circuits: Sequence[Circuit]
    smallest: Circuit | None

    def size(self, network: WiredNetwork) -> float:
        """The share of edges, 1 where none reaches the target."""
        return 1.0 if self.smallest is None else self.smallest.edges / max(1, network.edges.total)
