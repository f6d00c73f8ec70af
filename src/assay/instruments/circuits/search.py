"""The search for a circuit: an order of all nodes by importance for the task, and the circuits along it.

Gates are those of Gao et al. 2025: a node is kept if its parameter tau is above 0, with the gradient of a sigmoid (a
straight-through estimator), and the task loss plus a price times the share of kept nodes is minimised. The price rises in
stages, each started from the end of the one before (warm start), so that one path gives the whole curve of loss over size.
Gates start in the order of first-order effects, since equal gates would all close at once; without steps that is the order.
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

START, SPREAD, CLAMP = 0.1, 0.01, 1.0  # of tau: its initial mean, its initial random spread, and its largest magnitude
DEAD_FOR = 40  # steps with tau below 0 after which a node is dropped for good, with its rows and columns
RECOMPACT = 20  # steps between two such checks
REPORTED = 20


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """**Attributes:**

    - `prices`: the penalty for keeping all nodes, in rising order; `steps`: of the first stage and of each later one, 0 for
      none.
    - `batch_size`, `learning_rate`: of AdamW (betas .9 and .95, weight decay 1e-3), with gradients clipped to norm 1.
    - `compact`: whether the search leaves out the rows and columns of nodes that stay dead.
    """

    prices: tuple[float, ...] = (0.1, 0.4, 1.6, 6.4)
    steps: tuple[int, int] = (150, 80)
    batch_size: int = 64
    learning_rate: float = 0.01
    compact: bool = True


@dataclass(frozen=True)
class Stage:
    """The end of the search at one price: the kept nodes, and the loss of its last steps."""

    price: float
    kept: Bool[Tensor, " nodes"]
    loss: float


@dataclass(frozen=True)
class Order:
    """All nodes in order of importance, and the stages of the search that ordered them; none if it took no steps."""

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
    """Order a network's nodes by importance for a task.

    **Raises:** `AssayError` without examples, and for prices that do not rise.
    """
    if not len(examples):
        raise AssayError("the search for a circuit needs at least one example", given="none")
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
    """First-order effect on the loss of mean-ablating each node (attribution patching): per example, gradient times distance
    from the mean, summed over positions; then the mean of its absolute value over examples."""
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
    """The parameters tau of all nodes, or of all edges, and how long each has been above 0."""

    def __init__(self, config: GateConfig, effects: Float[Tensor, " nodes"], generator: Generator, device: torch.device):
        num = len(effects)
        # Drawn by rank, not by index: units have no natural order.
        noise = SPREAD * torch.randn(num, generator=generator)[_ranks(effects)]
        start = START * (0.5 + _quantiles(effects).float()) + noise
        self.tau = start.to(device).requires_grad_()
        self.adam = AdamW([self.tau], lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=1e-3)
        self.last_above = torch.zeros(num)
        self.beyond = torch.zeros(num)  # by how much the last update would have exceeded the clamp; it breaks ties
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
        """Sort key: first how long a node was kept, then its tau, then by how much it would have exceeded the clamp."""
        return self.last_above.double() * 10 + self.tau.detach().cpu().double() + 0.01 * self.beyond.tanh().double()


Loss = Callable[[Examples, Float[Tensor, " nodes"], Bool[Tensor, " nodes"]], Tensor]
"""The loss of one batch, given its examples, the gates of all nodes (1 or 0, with the gradient of a sigmoid), and which nodes
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
    """Order nodes, or edges, by gates along one path of rising prices.

    **Arguments:** `effects`: one for each gate; the gates start in the order of these.
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
    key = gates.importance() + 1e-6 * _quantiles(effects)  # the effects order nodes that were dropped in the same step
    return Order(key.argsort(descending=True, stable=True), tuple(stages))


def _quantiles(effects: Float[Tensor, " nodes"]) -> Float[Tensor, " nodes"]:
    """The rank of each node's effect, scaled from 0 for the smallest to 1 for the largest."""
    return _ranks(effects).double() / max(1, len(effects) - 1)


def _ranks(effects: Float[Tensor, " nodes"]) -> Int[Tensor, " nodes"]:
    """The rank of each effect, from 0 for the smallest."""
    return effects.argsort(stable=True).argsort()


def _step(loss: Loss, batch: Examples, gates: Gates, price: float) -> float:
    """One update of the gates. Returns the loss before it."""
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
    """A context in which linear maps leave out the columns of dead inputs, which are at their means, and the rows of dead
    outputs, which are set to their means afterwards. The network's outputs are the same, with smaller matrix products."""
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
    """The kept nodes, their number of edges, and the mean loss on the examples on which the size is chosen."""

    kept: Bool[Tensor, " nodes"]
    edges: int
    loss: float


@runtime_checkable
class Counted(Protocol):
    """An object that counts the edges of a circuit."""

    def count(self, kept: Bool[Tensor, " nodes"]) -> int: ...


@runtime_checkable
class Prunable(Protocol):
    """A network whose nodes, or whose edges, can be ablated."""

    @property
    def edges(self) -> Counted: ...

    def losses(self, examples: Examples, kept: Bool[Tensor, " nodes"] | None) -> Float[Tensor, " n"]: ...


def curve(network: Prunable, order: Order, examples: Examples, *, points: int) -> list[Circuit]:
    """Circuits of all sizes, from no node to all: prefixes of the order in about `points` geometrically spaced sizes, and the
    nodes that each stage of the search kept."""
    num = len(order.nodes)
    sizes = sorted({0, num, *(round(num ** (k / max(1, points - 1))) for k in range(points))})
    kept = [order.first(size) for size in sizes] + [stage.kept for stage in order.stages]
    found = [judged(network, one, examples) for one in kept]
    return sorted(found, key=lambda one: (one.edges, int(one.kept.sum())))


def judged(network: Prunable, kept: Bool[Tensor, " nodes"], examples: Examples) -> Circuit:
    """A circuit with its size, and its loss under mean ablation of all other nodes."""
    return Circuit(kept, network.edges.count(kept), float(network.losses(examples, kept).mean()))


def smallest(network: Prunable, order: Order, found: Sequence[Circuit], examples: Examples, *, target: float) -> Circuit | None:
    """The circuit with the fewest edges whose loss is at most the target, among those found and by bisection along the order
    between the largest prefix that fails and the smallest that passes. None if no circuit reaches the target."""
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
    """The result of one search: the order of the nodes for some labels, the circuits along it, evaluated on the examples on
    which a size is chosen, and the smallest that reaches the target (None if no circuit does)."""

    order: Order
    circuits: Sequence[Circuit]
    smallest: Circuit | None

    def size(self, network: WiredNetwork) -> float:
        """The share of edges of the smallest circuit, 1 if no circuit reaches the target."""
        return 1.0 if self.smallest is None else self.smallest.edges / max(1, network.edges.total)
