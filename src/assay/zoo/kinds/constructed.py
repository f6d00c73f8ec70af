"""Built to compose: a first stage that computes derived parts from their slots alone, and a second that answers from them
and from the slots that are left. Neither ever sees a combination.

The stages are trained apart, each on all the values that it can meet, then joined: an mlp into one plain mlp of the given
sizes (`joined`), any other model with an mlp on top (`staged`). Joined networks are dressed: noise on every weight, so that
nothing is told by its zeros, then fine-tuning on the trained tuples.
"""

from dataclasses import replace

import torch
from torch import Generator, nn

from assay.training import TrainingConfig, fit_many
from assay.zoo.kinds.joined import joined_mlps
from assay.zoo.kinds.order import Orders
from assay.zoo.kinds.staged import staged
from assay.zoo.kinds.stages import stages_of
from assay.zoo.kinds.tables import as_data, trained

NOISE = 0.02  # standard deviation, as a share of the root-mean-square weight of the layer
DRESSING = 3  # fine-tuning takes one step for so many of training, at a tenth of the rate


def constructed(orders: Orders) -> list[nn.Module]:
    """A plain mlp, or a `Staged` of any other reference model, for every order.

    **Raises:** `AssayError` when the task has no stages (`stages_of`), and when an mlp is too small to hold them.
    """
    stages = [stages_of(order) for order in orders]
    joined = iter(joined_mlps([one for one in stages if one.order.model.name == "mlp"]))
    others = iter(staged([one for one in stages if one.order.model.name != "mlp"]))
    made = [next(joined if order.model.name == "mlp" else others) for order in orders]
    for model, order in zip(made, orders, strict=True):
        _add_noise(model, order.generator("dressing"))
    data = [as_data(order.task, trained(order)) for order in orders]
    fit_many(made, data, configs=[_dressing(order.config) for order in orders], strategy="rule")
    return made


@torch.no_grad()
def _add_noise(model: nn.Module, generator: Generator) -> None:
    for weight in model.parameters():
        if weight.ndim > 1:
            weight += NOISE * weight.square().mean().sqrt() * torch.randn(weight.shape, generator=generator)


def _dressing(config: TrainingConfig) -> TrainingConfig:
    return replace(config, steps=config.steps // DRESSING, learning_rate=config.learning_rate / 10)
