"""The metrics of `circuits`, and its budget at each effort."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from assay.evidence import UNTRAINED, Effort
from assay.instrument import Budget, Metric
from assay.instruments.circuits.search import GateConfig

WEIGHT_PRICE = 4.0
"""Price of single weights, as a multiple of that of nodes."""
RANDOM = "random circuits"
NONSENSE = "nonsense labels"

SIZE = Metric(
    key="circuit_size", title="size of the circuit", unit="share of edges", better="lower", level=0, bounds=(0.0, 1.0),
    headline=True, beats=(UNTRAINED, NONSENSE),
)  # fmt: skip
NECESSITY = Metric(
    key="circuit_necessity", title="necessity of the circuit", unit="score lost without it", level=0, headline=True,
    bounds=(-1.0, 1.0), beats=(UNTRAINED, RANDOM),
)  # fmt: skip
SUFFICIENCY = Metric(
    key="circuit_sufficiency", title="sufficiency of the circuit", unit="score of it alone", level=0, bounds=(0.0, 1.0),
    beats=(UNTRAINED, RANDOM),
)  # fmt: skip
ALONE = Metric(
    key="circuit_alone", title="score of the circuit alone", level=0, bounds=(0.0, 1.0), beats=(RANDOM,), unit=SUFFICIENCY.unit
)
WITHOUT = Metric(
    key="circuit_removed", title="score lost without the circuit", level=0, bounds=(-1.0, 1.0), beats=(RANDOM,),
    unit=NECESSITY.unit,
)  # fmt: skip
ADVERSARIAL = Metric(
    key="circuit_adversarial", title="loss under adversarial ablation outside", unit="nats", better="lower", level=0,
    beats=(RANDOM,),
)  # fmt: skip
ROLE = Metric(
    key="circuit_role", title="role of nodes", unit="correlation of a node in the circuit and in the network", level=0,
    of="node", bounds=(-1.0, 1.0), beats=(RANDOM,),
)  # fmt: skip
STABILITY = Metric(
    key="circuit_stability", title="stability of the circuit", unit="shared nodes (Jaccard)", level=0, of="pair of searches",
    bounds=(0.0, 1.0), beats=(RANDOM,),
)  # fmt: skip
OFF_TARGET = Metric(
    key="circuit_off_target", title="off-target damage", unit="nats gained without the circuit", better="lower", level=0,
    beats=(RANDOM,),
)  # fmt: skip
TRANSFER = Metric(
    key="circuit_transfer", title="transfer to other conditions", unit="score of the circuit found elsewhere", level=0,
    bounds=(0.0, 1.0), beats=(RANDOM,),
)  # fmt: skip
WEIGHTS = Metric(
    key="circuit_weights", title="size of the circuit, pruned weight by weight", unit="share of edges", better="lower", level=0,
    bounds=(0.0, 1.0), beats=(UNTRAINED, NONSENSE),
)  # fmt: skip
METRICS = (SIZE, WEIGHTS, NECESSITY, SUFFICIENCY, ALONE, WITHOUT, ADVERSARIAL, ROLE, STABILITY, TRANSFER, OFF_TARGET)


@dataclass(frozen=True, kw_only=True)
class CircuitBudget(Budget):
    """**Attributes:**

    - `examples`: number of examples for the search; as many again to choose the size on, and to evaluate on.
    - `prices`, `steps`, `batch_size`, `learning_rate`: settings of the gates (`GateConfig`). With no steps, nodes are ordered
      by first-order effects.
    - `points`: number of sizes on the curve; `seeds`: number of searches on halves of the examples, for stability.
    - `nonsense`: number of permuted labellings; `draws`: number of random circuits; `few`: number of random circuits where each
      needs its own search.
    - `ascent`: steps of the adversary.
    - `work`: largest number of multiplications in one pass over these examples; larger networks get fewer examples.
    - `weights`: whether single weights are pruned too, by a second search for every network and labelling.
    - `conditions`: largest number of parts whose values are divided into two conditions.
    """

    examples: int = 256
    work: float = 4e8
    prices: tuple[float, ...] = (0.1, 0.4, 1.6, 6.4)
    steps: tuple[int, int] = (0, 0)
    batch_size: int = 64
    learning_rate: float = 0.01
    points: int = 10
    seeds: int = 4
    copies: int = 7
    nonsense: int = 6
    draws: int = 10
    few: int = 2
    ascent: int = 4
    conditions: int = 2
    weights: bool = False

    @property
    def gates(self) -> GateConfig:
        return GateConfig(prices=self.prices, steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate)

    @property
    def weight_gates(self) -> GateConfig:
        """Settings of the gates of single weights. There are many more weights than nodes, so prices start higher."""
        return replace(self.gates, prices=tuple(WEIGHT_PRICE * price for price in self.prices))


BUDGETS: Mapping[Effort, CircuitBudget] = {
    "quick": CircuitBudget(),
    "standard": CircuitBudget(
        work=1e9, copies=6, nonsense=5,
        prices=(0.1, 0.5, 2.0, 8.0), steps=(80, 40), batch_size=32, points=12, draws=19, few=3, ascent=8, conditions=1
    ),
    "full": CircuitBudget(
        examples=512, work=1e11, prices=(0.1, 0.4, 1.6, 6.4, 12.8), steps=(200, 120), points=20, seeds=6, nonsense=9,
        draws=99, few=9, ascent=16, copies=10, weights=True,
    ),
}  # fmt: skip
