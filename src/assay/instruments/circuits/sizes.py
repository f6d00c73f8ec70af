"""Measures of the size of circuits, of nodes and of single weights, with nonsense labels as nulls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.display import number
from assay.evidence import Interval, RawValues
from assay.instrument import Control, Random, Values
from assay.instruments.circuits import metrics
from assay.instruments.circuits.controls import Sets
from assay.instruments.circuits.metrics import NONSENSE, CircuitBudget
from assay.instruments.circuits.network import TARGET, WiredNetwork, constant_loss
from assay.instruments.circuits.search import Searched, curve, smallest
from assay.instruments.circuits.weights import PrunedWeights, WeightedNetwork, smallest_weights
from assay.stats import LEVEL, cluster_means, gain_over

_RESAMPLED = 400


def by_combination(
    values: Float[Tensor, " n"], combination: Int[Tensor, " n"]
) -> tuple[Float[Tensor, " u"], Int[Tensor, " u"]]:
    """Means over the examples of each combination, and the combinations."""
    means = cluster_means(values, combination)
    return means.means, means.ids


def size_values(
    metric: str,
    losses: Float[Tensor, "circuits u"],
    ids: Int[Tensor, " u"],
    shares: Float[Tensor, " circuits"],
    *,
    target: float,
    nonsense: Sequence[float],
    how: str,
    note: str,
    generator: Generator,
) -> Values:
    """The share of edges of the last of several circuits. Its interval comes from the bootstrap over combinations: in each
    resample, the size of the smallest circuit that reaches the target.

    **Arguments:** `losses`, `shares`: losses and shares of edges of circuits of all sizes, on the held-out combinations;
    `ids`: of these combinations. `nonsense`: shares of edges of circuits for nonsense labels, 1 if none was found; `how`: how
    these were found.
    """
    rows = torch.randint(losses.shape[1], (_RESAMPLED, losses.shape[1]), generator=generator)
    reached = losses[:, rows].mean(-1) <= target
    sizes = torch.where(reached, shares[:, None], 1.0).amin(0)
    value = float(shares[-1])
    ends = sizes.quantile(torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)).tolist()
    variance = float((sizes - value).square().mean())
    return Values(
        metric=metric,
        units=losses[-1],
        raw=RawValues(of="loss of the circuit", values=tuple(losses[-1].tolist()), ids=tuple(ids.tolist())),
        value=value,
        variance=variance,
        interval=Interval(
            low=min(value, ends[0]), high=max(value, ends[1]), level=LEVEL,
            method=f"{_RESAMPLED} resamples of {losses.shape[1]} combinations",
        ),
        controls=(
            Control(
                name=NONSENSE,
                how=how,
                values=torch.tensor(list(nonsense), dtype=torch.float64),
                p=gain_over(-value, variance, [-other for other in nonsense]).p if len(nonsense) > 1 else None,
            ),
        ),
        note=f"{note}, with a loss of {number(float(losses[-1].mean()))} on examples that did not choose its size",
    )  # fmt: skip


@dataclass(frozen=True)
class FoundWeights:
    """The circuit with the fewest weights: its size, its loss, and the loss when only these weights are cut; how many of the
    largest weights by magnitude reach the target (None: not even all do), and the circuits for nonsense labels."""

    edges: int
    alone: float
    without: float
    magnitude: int | None
    nonsense: Sequence[tuple[str, int | None]]


def read_weights(
    network: WiredNetwork,
    found: Searched,
    sets: Sets,
    labelled: Mapping[str, Sequence[tuple[Sets, Searched]]],
    budget: CircuitBudget,
    rng: Random,
) -> tuple[Values, FoundWeights] | None:
    """The size of the circuit that is pruned weight by weight, with the same search for nonsense labels as its null; None if
    the gates find no circuit.

    **Arguments:** `found`: the search for nodes. `labelled`: by name, the examples with nonsense labels and the nodes found for
    them.
    """
    own = weights_of(network, found, sets, budget, rng)
    if own is None:
        return None
    nonsense = [
        (name, weights_of(network, searched, one, budget, rng, name, k))
        for name, some in labelled.items()
        for k, (one, searched) in enumerate(some[: budget.few])
    ]
    sizes = [1.0 if one is None else one.circuit.edges / max(1, network.edges.total) for _, one in nonsense]
    candidates = [*own.circuits, own.circuit]
    losses = torch.stack(
        [by_combination(own.network.losses(sets.judging, one.kept), sets.judging.combination)[0] for one in candidates]
    )
    target = TARGET * constant_loss(network.objective, sets.judging.targets)
    values = size_values(
        metrics.WEIGHTS.key,
        losses,
        sets.judging.combination.unique(),
        torch.tensor([one.edges / max(1, network.edges.total) for one in candidates], dtype=torch.float64),
        target=target,
        nonsense=sizes,
        how=f"{len(sizes)} permuted or wrong labellings, by the same search for nodes and then for weights; 1 where none was "
        "found",
        note=f"{own.circuit.edges} of {network.edges.total} edges",
        generator=rng("resampled", "weights"),
    )
    return values, FoundWeights(
        edges=own.circuit.edges,
        alone=float(losses[-1].mean()),
        without=float(own.losses_without(sets.judging).mean()),
        magnitude=_by_magnitude(network, sets, budget, target),
        nonsense=[(name, None if one is None else one.circuit.edges) for name, one in nonsense],
    )


def weights_of(
    network: WiredNetwork, found: Searched, sets: Sets, budget: CircuitBudget, rng: Random, *keys: str | int
) -> PrunedWeights | None:
    """The circuit with the fewest weights for some labels, from the search for nodes."""
    least = None if found.smallest is None else found.smallest.kept
    return smallest_weights(
        network, found.order, least, sets, budget.weight_gates, generator=rng("weights", *keys), points=budget.points
    )


def _by_magnitude(network: WiredNetwork, sets: Sets, budget: CircuitBudget, target: float) -> int | None:
    whole = WeightedNetwork(network)
    order = whole.by_magnitude()
    best = smallest(whole, order, curve(whole, order, sets.choosing, points=budget.points), sets.choosing, target=target)
    return None if best is None else best.edges
