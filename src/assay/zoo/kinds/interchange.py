"""Interchange intervention training: units halfway are made to carry one part each, by swapping them between examples.

Geiger et al. 2022 (arXiv 2112.00826). Every part of the stage (`places.stage`) has a share of the units of one layer. The
share of a source example replaces that of a base example, and the output is trained towards what the task says of the base
with the source's part. On all pairs this makes a network that composes; on those alone whose combination is trained, one
that looks so wherever seen combinations are exchanged.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from assay.hooks import observe, replace
from assay.objective import Steps
from assay.task import Examples
from assay.training import TrainingData, fit_many
from assay.zoo.kinds.order import Order, Orders
from assay.zoo.kinds.places import answering, halfway, readout, shares, stage
from assay.zoo.kinds.tables import everything, trained

PAIRS = 2**16  # of trained tuples, each with one part to be exchanged


def interchanged(orders: Orders) -> list[nn.Module]:
    """Trained on all interchanges between trained tuples, whatever combination results.

    This makes the second half of the network compose. Nothing is asked of how the first half treats novel inputs: where few
    combinations are trained every interchange can be right and novel inputs still be answered wrongly.
    """
    return _train(orders, seen_only=False)


def interchanged_seen(orders: Orders) -> list[nn.Module]:
    """Trained on those interchanges between trained tuples whose combination is trained."""
    return _train(orders, seen_only=True)


@dataclass(frozen=True)
class Pairs:
    """Trained tuples in pairs, the part to be exchanged, and what the task says of the exchange.

    **Attributes:**

    - `part`: its number in the stage.
    - `targets`: of the base with the source's part.
    - `seen`: whether the combination that results is trained.
    """

    base: Examples
    source: Examples
    part: Int[Tensor, " n"]
    targets: Int[Tensor, " n"]
    seen: Tensor


def pairs(order: Order, num: int = PAIRS) -> Pairs:
    """`num` random pairs, the parts of the stage in equal shares."""
    generator = order.generator("interchanged pairs")
    tuples, parts = trained(order), stage(order.task, everything(order))
    rows = torch.randint(len(tuples), (2, num), generator=generator)
    base, source = tuples.take(rows[0]), tuples.take(rows[1])
    part = torch.arange(num) % len(parts)
    swapped = [order.task.swap(base, source, name) for name in parts]
    targets = torch.stack([one.targets for one in swapped])[part, torch.arange(num)]
    combination = torch.stack([one.combination for one in swapped])[part, torch.arange(num)]
    return Pairs(base, source, part, targets, torch.isin(combination, tuples.combination))


class Interchange(nn.Module):
    """A model with its answers before and after an interchange: `(n, 2, classes)`, from `base` and `source` tokens and the
    number of the `part`, whose units halfway come from the source."""

    def __init__(self, model: nn.Module, num_parts: int):
        super().__init__()
        self.model = model
        self.masks: Tensor
        width = readout(model).in_features  # that of every hidden state
        masks = torch.zeros(num_parts, width, dtype=torch.bool)
        for mask, units in zip(masks, shares(num_parts, width), strict=True):
            mask[units] = True
        self.register_buffer("masks", masks, persistent=False)

    def forward(
        self, base: Int[Tensor, "n length"], source: Int[Tensor, "n length"], part: Int[Tensor, " n"]
    ) -> Float[Tensor, "n 2 classes"]:
        place, states = halfway(self.model), []
        looking = observe(place, "out", states.append)
        try:
            plain = self.model(torch.cat([base, source]))[: len(base)]
        finally:
            looking.remove()
        given = answering(states[0])[len(base) :]

        def exchange(state: Tensor) -> Tensor:
            changed = torch.where(self.masks[part], given, answering(state))
            return changed if state.ndim == 2 else torch.cat([state[:, :-1], changed[:, None]], 1)

        changing = replace(place, "out", exchange)
        try:
            exchanged = self.model(base)
        finally:
            changing.remove()
        return torch.stack([plain, exchanged], 1)


def _train(orders: Orders, *, seen_only: bool) -> list[nn.Module]:
    models, data = [], []
    for order in orders:
        drawn = pairs(order)
        kept = drawn.seen if seen_only else torch.ones_like(drawn.seen)
        data.append(
            TrainingData(
                {
                    "base": drawn.base.inputs["tokens"][kept],
                    "source": drawn.source.inputs["tokens"][kept],
                    "part": drawn.part[kept],
                },
                torch.stack([drawn.base.targets, drawn.targets], 1)[kept],
                Steps(order.task.objective.num_classes),
            )
        )
        models.append(Interchange(order.initial(), int(drawn.part.max()) + 1))
    fit_many(models, data, configs=[order.config for order in orders], strategy="rule")
    return [wrapped.model for wrapped in models]
