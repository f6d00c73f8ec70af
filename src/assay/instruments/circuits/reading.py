"""The reading of one network: the search for its circuit, and the values of every metric."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from assay.display import number
from assay.instrument import Control, NotEnough, Random, Reading, Values
from assay.instruments.circuits import metrics
from assay.instruments.circuits.checks import (
    Overlap,
    adversarial_losses,
    interchanged,
    overlap,
    random_circuit,
    roles,
    stochastic_losses,
)
from assay.instruments.circuits.controls import Condition, Sets, conditions, constant_labels, permuted_labels, wrong_labels
from assay.instruments.circuits.metrics import RANDOM, CircuitBudget
from assay.instruments.circuits.network import ABLATIONS, TARGET, WiredNetwork, constant_loss, each_loss, has_norms
from assay.instruments.circuits.nodes import Wiring
from assay.instruments.circuits.search import Circuit, Order, Searched, curve, order_nodes, smallest
from assay.instruments.circuits.sizes import FoundWeights, by_combination, read_weights, size_values, weights_of
from assay.instruments.circuits.weights import prunes_weights
from assay.objective import Objective
from assay.stats import MIN_UNITS
from assay.subject import Subject
from assay.task import Examples

LEARNED = 0.5  # the network's own loss must not exceed this share of the target
_LEAST = 16  # fewest examples of a condition


@dataclass(frozen=True)
class CircuitsDraw:
    """The data of every network. `reference`: inputs over which nodes are averaged; `elsewhere`: other tasks by address."""

    wiring: Wiring
    objective: Objective
    sets: Sets
    reference: Mapping[str, Tensor]
    answered: Bool[Tensor, " outputs"]
    parts: Mapping[str, Sequence[str]]
    target: float
    constant: float
    budget: CircuitBudget
    elsewhere: Mapping[str, tuple[Objective, Examples]]


@dataclass(frozen=True)
class Transferred:
    """A circuit found in one condition and tested in another.

    **Attributes:** `sizes`: edges of the circuits of the two conditions; `shared`, `by_chance`: their overlap, and that of
    random circuits; `own`, `there`: loss of the circuit in the condition where it was found, and where it is tested.
    """

    found: Condition
    tested: Condition
    sizes: tuple[int, int]
    shared: Overlap
    by_chance: float
    own: float
    there: float


@dataclass(frozen=True)
class FoundCircuits:
    """What the summary and the figures need of the network under test."""

    circuit: Circuit
    total: int
    nodes: int
    own_loss: float
    circuits: Sequence[Circuit]
    nonsense: Mapping[str, Sequence[Searched]]
    sizes: Mapping[str, Sequence[float]]
    ablations: Sequence[tuple[str, float, float]]
    frozen: float | None
    adversarial: tuple[float, float, float]
    interchanged: Sequence[float]
    random: Sequence[Bool[Tensor, " nodes"]]
    transfers: Sequence[Transferred]
    stages: Sequence[tuple[float, int, int, float]]
    weights: FoundWeights | None


def search(
    network: WiredNetwork, sets: Sets, budget: CircuitBudget, *, generator: Generator, target: float | None = None
) -> Searched:
    """The search for a circuit, the same for every labelling, network and condition. `target`: by default `TARGET` times the
    loss of a constant answer."""
    order = order_nodes(network, sets.searching, budget.gates, generator=generator)
    found = curve(network, order, sets.choosing, points=budget.points)
    target = TARGET * constant_loss(network.objective, sets.choosing.targets) if target is None else target
    return Searched(order, found, smallest(network, order, found, sets.choosing, target=target))


def circuits_of(subject: Subject, data: CircuitsDraw) -> WiredNetwork:
    """A network with its nodes and edges."""
    return WiredNetwork(subject, data.wiring, data.objective, reference=data.reference, answered=data.answered)


def read_network(subject: Subject, data: CircuitsDraw, rng: Random) -> Reading:
    """Read the network under test."""
    network, budget, sets = circuits_of(subject, data), data.budget, data.sets
    own = network.losses(sets.judging, None)
    if float(own.mean()) > LEARNED * data.target:
        raise NotEnough(
            f"the loss of the whole network is {number(float(own.mean()))}, and the target for a circuit is "
            f"{number(data.target)}: train the network until its loss is at most half of the target"
        )
    found = search(network, sets, budget, generator=rng("gates"))
    if found.order.collapsed:
        raise NotEnough(
            f"the gates of all nodes closed at the lowest price, {min(budget.prices):g}: lower `prices` or `learning_rate`"
        )
    if found.smallest is None:
        raise NotEnough(
            f"no circuit reaches the target, {number(data.target)}, on the examples on which a size is chosen; the whole "
            f"network's loss there is {number(found.circuits[-1].loss)}: train it further, or raise `examples`"
        )
    circuit = found.smallest
    reader = _Reader(network, data, circuit, rng)
    values, kept = reader.read(found, own)
    return Reading(values, kept)


def read_other(subject: Subject, data: CircuitsDraw, own: FoundCircuits, rng: Random) -> Reading:
    """Read a copy or a reference: the size of its own circuit, and the scores of a circuit with as many edges as that of the
    network under test."""
    network, sets = circuits_of(subject, data), data.sets
    found = search(network, sets, data.budget, generator=rng("gates"))
    kept = _with_edges(network, found.order, own.circuit.edges)
    units, ids = by_combination(network.scores(sets.judging, kept), sets.judging.combination)
    lost, _ = by_combination(network.scores(sets.judging, None) - network.scores(sets.judging, ~kept), sets.judging.combination)
    size = found.size(network)
    values = [
        Values(metric=metrics.SIZE.key, units=torch.full((len(units),), size), value=size, variance=0.0),
        Values(metric=metrics.NECESSITY.key, units=lost, ids=ids),
        Values(metric=metrics.SUFFICIENCY.key, units=units, ids=ids),
    ]
    if data.budget.weights and prunes_weights(network):
        pruned = weights_of(network, found, sets, data.budget, rng)
        share = 1.0 if pruned is None else pruned.circuit.edges / max(1, network.edges.total)
        values.append(Values(metric=metrics.WEIGHTS.key, units=torch.full((len(units),), share), value=share, variance=0.0))
    return Reading(values, found.circuits)


def _with_edges(network: WiredNetwork, order: Order, edges: int) -> Bool[Tensor, " nodes"]:
    """The longest prefix of the order with at most so many edges, of at least one node."""
    low, high = 1, len(order.nodes)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if network.edges.count(order.first(middle)) <= edges else (low, middle - 1)
    return order.first(low)


@dataclass
class _Reader:
    """All measures of one circuit."""

    network: WiredNetwork
    data: CircuitsDraw
    circuit: Circuit
    rng: Random

    def __post_init__(self):
        budget, wiring = self.data.budget, self.data.wiring
        self.judging = self.data.sets.judging
        self.random = [
            random_circuit(wiring, self.network.edges, self.circuit.kept, generator=self.rng("random circuit", k))
            for k in range(budget.draws)
        ]

    def read(self, found: Searched, own: Float[Tensor, " n"]) -> tuple[list[Values], FoundCircuits]:
        """The values of every metric, and what the summary needs."""
        network, kept, budget = self.network, self.circuit.kept, self.data.budget
        labelled = self._nonsense()
        nonsense = {name: [one for _, one in some] for name, some in labelled.items()}
        sizes = {name: [one.size(network) for one in some] for name, some in nonsense.items()}
        values = [self._size(found, sizes), *self._by_ablation()]
        weights = None
        if budget.weights and prunes_weights(network):
            beside = {name: labelled[name] for name in ("permuted", "wrong")}
            if read := read_weights(network, found, self.data.sets, beside, budget, self.rng):
                values.append(read[0])
                weights = read[1]
        adversarial = self._adversarial()
        stochastic = stochastic_losses(network, kept, self.judging, draws=budget.few, generator=self.rng("stochastic"))
        transfers = list(self._transfers())
        values += [*adversarial, self._role(), self._stability(), *(one for one, _ in transfers), *self._off_target()]
        ablations = [
            (
                name,
                float(network.losses(self.judging, kept, name).mean()),
                float(network.losses(self.judging, ~kept, name).mean()),
            )
            for name in ABLATIONS
        ]
        frozen = float(network.losses(self.judging, kept, frozen=True).mean()) if has_norms(network.module) else None
        stages = [(s.price, int(s.kept.sum()), network.edges.count(s.kept), s.loss) for s in found.order.stages]
        return values, FoundCircuits(
            circuit=self.circuit,
            total=network.edges.total,
            nodes=self.data.wiring.num_nodes,
            own_loss=float(own.mean()),
            circuits=found.circuits,
            nonsense=nonsense,
            sizes=sizes,
            ablations=ablations,
            frozen=frozen,
            adversarial=(adversarial[0].mean, adversarial[1].mean, float(stochastic.mean())),
            interchanged=interchanged(network, kept, self.judging, generator=self.rng("interchange")),
            random=self.random[:1],
            transfers=[one for _, some in transfers for one in some],
            stages=stages,
            weights=weights,
        )

    def _nonsense(self) -> dict[str, list[tuple[Sets, Searched]]]:
        """The same search for nonsense labels."""
        sets, budget = self.data.sets, self.data.budget
        labelled = {
            "permuted": [permuted_labels(sets, generator=self.rng("permuted labels", k)) for k in range(budget.nonsense)],
            "wrong": [wrong] if (wrong := wrong_labels(sets)) is not None else [],
            "constant": [constant_labels(sets)],
        }
        targets = {"constant": self.data.target}  # the best constant answer has no loss for these labels
        return {
            name: [
                (one, search(self.network, one, budget, generator=self.rng("gates", name, k), target=targets.get(name)))
                for k, one in enumerate(some)
            ]
            for name, some in labelled.items()
        }

    def _size(self, found: Searched, nonsense: Mapping[str, Sequence[float]]) -> Values:
        """The share of edges between the nodes of the circuit."""
        network = self.network
        candidates = [*found.circuits, self.circuit]
        return size_values(
            metrics.SIZE.key,
            torch.stack(
                [by_combination(network.losses(self.judging, one.kept), self.judging.combination)[0] for one in candidates]
            ),
            self.judging.combination.unique(),
            torch.tensor([one.edges / max(1, network.edges.total) for one in candidates], dtype=torch.float64),
            target=self.data.target,
            nonsense=[*nonsense["permuted"], *nonsense["wrong"]],
            how="the smallest circuit for permuted or wrong labels, found by the same search; 1 where none was found",
            note=f"{self.circuit.edges} of {network.edges.total} edges, {int(self.circuit.kept.sum())} of "
            f"{self.data.wiring.num_nodes} nodes",
            generator=self.rng("resampled"),
        )

    def _losses(self, one: Circuit) -> Float[Tensor, " u"]:
        return by_combination(self.network.losses(self.judging, one.kept), self.judging.combination)[0]

    def _control(self, values: Sequence[Float[Tensor, " n"]], how: str = "") -> Control:
        rows = torch.stack([by_combination(one, self.judging.combination)[0] for one in values])
        how = how or f"{len(values)} random circuits with as many nodes at each site, matched by their number of edges"
        return Control(name=RANDOM, how=how, values=rows)

    def _by_ablation(self) -> Iterator[Values]:
        network, kept = self.network, self.circuit.kept
        own = network.scores(self.judging, None)
        for name in ABLATIONS:
            random = self.random if name == "mean" else self.random[: max(2, self.data.budget.few)]
            scores, ids = by_combination(network.scores(self.judging, kept, name), self.judging.combination)
            lost, _ = by_combination(own - network.scores(self.judging, ~kept, name), self.judging.combination)
            alone = self._control([network.scores(self.judging, one, name) for one in random])
            without = self._control([own - network.scores(self.judging, ~one, name) for one in random])
            about = {} if name == "mean" else {"ablation": name}
            sufficiency, necessity = (
                (metrics.SUFFICIENCY, metrics.NECESSITY) if name == "mean" else (metrics.ALONE, metrics.WITHOUT)
            )
            yield Values(metric=sufficiency.key, units=scores, ids=ids, about=about, controls=(alone,))
            yield Values(metric=necessity.key, units=lost, ids=ids, about=about, controls=(without,))

    def _adversarial(self) -> list[Values]:
        """The adversarial loss with one ablation for the whole batch, and with one for every example."""
        found = []
        for each, name in ((False, "for the whole batch"), (True, "for each example")):

            def losses(kept: Tensor, each: bool = each) -> Tensor:
                return adversarial_losses(self.network, kept, self.judging, steps=self.data.budget.ascent, each=each)

            units, ids = by_combination(losses(self.circuit.kept), self.judging.combination)
            random = [losses(one) for one in self.random[: self.data.budget.few]]
            how = f"the same adversary against {len(random)} random circuits"
            found.append(
                Values(
                    metric=metrics.ADVERSARIAL.key, units=units, ids=ids, about={"chosen": name},
                    controls=(self._control(random, how),),
                )
            )  # fmt: skip
        return found

    def _role(self) -> Values:
        own = roles(self.network, self.circuit.kept, self.judging)
        random = [roles(self.network, one, self.judging) for one in self.random]
        means = torch.stack([one.mean() if len(one) else torch.zeros((), dtype=torch.float64) for one in random])
        how = f"the mean over the nodes of {len(random)} random circuits"
        return Values(metric=metrics.ROLE.key, units=own, controls=(Control(name=RANDOM, how=how, values=means),))

    def _stability(self) -> Values:
        """Stability: searches with other seeds on random halves of the examples, each cut to the same number of nodes."""
        network, searching, num = self.network, self.data.sets.searching, int(self.circuit.kept.sum())
        found = []
        for seed in range(self.data.budget.seeds):
            rows = torch.randperm(len(searching), generator=self.rng("half", seed))[: max(1, len(searching) // 2)]
            half = searching.take(rows.sort().values)
            found.append(
                order_nodes(network, half, self.data.budget.gates, generator=self.rng("gates", "half", seed)).first(num)
            )
        pairs = [(a, b) for a in range(len(found)) for b in range(a)]
        units = torch.tensor([overlap(network.edges, found[a], found[b]).nodes for a, b in pairs], dtype=torch.float64)
        chance = [overlap(network.edges, self.random[k], self.circuit.kept).nodes for k in range(len(self.random))]
        how = f"overlap of {len(chance)} random circuits with the circuit"
        return Values(
            metric=metrics.STABILITY.key,
            units=units,
            controls=(Control(name=RANDOM, how=how, values=torch.tensor(chance, dtype=torch.float64)),),
            note=f"{len(found)} searches on halves of the examples; pairs share searches, so the interval is too narrow",
        )

    def _off_target(self) -> Iterator[Values]:
        """Off-target damage: the rise of the loss of other tasks without the circuit."""
        for name, (objective, examples) in self.data.elsewhere.items():

            def losses(kept: Tensor | None, objective: Objective = objective, examples: Examples = examples) -> Tensor:
                found = each_loss(objective, self.network.outputs(examples, kept), examples.targets)
                return by_combination(found, examples.combination)[0]

            own = losses(None)
            yield Values(
                metric=metrics.OFF_TARGET.key,
                units=losses(~self.circuit.kept) - own,
                ids=examples.combination.unique(),
                about={"task": name},
                controls=(
                    Control(
                        name=RANDOM,
                        how=f"the same without each of {len(self.random)} random circuits",
                        values=torch.stack([losses(~one) - own for one in self.random]),
                    ),
                ),
                note=f"the network's own loss is {number(float(own.mean()))}",
            )

    def _transfers(self) -> Iterator[tuple[Values, list[Transferred]]]:
        budget = self.data.budget
        for one, other in conditions(self.data.sets, self.data.parts, least=_LEAST)[: budget.conditions]:
            sides = [
                search(self.network, side.sets, budget, generator=self.rng("gates", side.part, side.values))
                for side in (one, other)
            ]
            if any(side.smallest is None for side in sides):
                continue
            tested, units, random = [], [], []
            for here, there, own, its in ((one, other, *sides), (other, one, *reversed(sides))):
                circuit, judging = own.smallest, there.sets.judging
                assert circuit is not None
                assert its.smallest is not None
                chance = random_circuit(
                    self.data.wiring, self.network.edges, circuit.kept, generator=self.rng("random", here.part, here.values)
                )
                units.append(by_combination(self.network.scores(judging, circuit.kept), judging.combination))
                random.append(by_combination(self.network.scores(judging, chance), judging.combination)[0])
                tested.append(
                    Transferred(
                        here, there, (circuit.edges, its.smallest.edges),
                        overlap(self.network.edges, circuit.kept, its.smallest.kept),
                        overlap(self.network.edges, chance, its.smallest.kept).edges,
                        float(self.network.losses(here.sets.judging, circuit.kept).mean()),
                        float(self.network.losses(judging, circuit.kept).mean()),
                    )
                )  # fmt: skip
            control = Control(name=RANDOM, how="a random circuit in the place of each", values=torch.cat(random)[None])
            values = Values(
                metric=metrics.TRANSFER.key,
                units=torch.cat([some for some, _ in units]),
                ids=torch.cat([ids for _, ids in units]),
                about={"part": one.part},
                controls=(control,),
            )
            yield values, tested


def enough(sets: Sets) -> str:
    """A message if there are too few examples, else an empty string."""
    combinations = len(sets.judging.combination.unique()) if len(sets.judging) else 0
    if combinations < MIN_UNITS or min(map(len, sets.every)) < MIN_UNITS:
        return f"{combinations} combinations to evaluate a circuit on, and an interval needs {MIN_UNITS}"
    return ""
