"""Two stages joined into one plain mlp.

The hidden units of the first stage lie side by side, those of every derived part by themselves, and behind them one unit for
every token that is handed through. The readout of the first stage is linear, and so is what takes it: their product is the
layer between.
"""

from collections.abc import Sequence

import torch
from torch import nn

from assay.errors import AssayError
from assay.models import ModelConfig
from assay.models.mlp import TokenMLP, VectorMLP
from assay.training import fit_many
from assay.zoo.kinds.stages import Stages


def joined_mlps(stages: Sequence[Stages]) -> list[TokenMLP]:
    """Trained and joined, one for every task. **Raises:** `AssayError` when an mlp is too small to hold its stages."""
    firsts = [[_first_mlp(one, k) for k in range(len(one.derived))] for one in stages]
    seconds = [_second_mlp(one) for one in stages]
    data = [one.first(k) for one in stages for k in range(len(one.derived))]
    configs = [one.order.config for one in stages for _ in one.derived]
    fit_many([model for models in firsts for model in models], data, configs=configs, strategy="rule")
    fit_many(seconds, [one.second() for one in stages], configs=[one.order.config for one in stages], strategy="rule")
    return [_joined(*pieces) for pieces in zip(stages, firsts, seconds, strict=True)]


def _depths(model: ModelConfig) -> tuple[int, int]:
    """Hidden layers of the first and of the second stage."""
    depth = int(model.options["depth"])
    if depth < 2:
        raise AssayError("two stages need an mlp with at least two hidden layers", given=f"depth {depth}")
    return (depth + 1) // 2, depth // 2


def _first_mlp(stages: Stages, k: int) -> VectorMLP:
    model = stages.order.model
    free, width = int(model.options["width"]) - len(stages.through), int(model.options["width"])
    share = free * (k + 1) // len(stages.derived) - free * k // len(stages.derived)
    if share < 1:
        raise AssayError(
            "the first stage needs a unit for every token that is handed through, and some of its own",
            given=f"width {width}, {len(stages.through)} handed through",
            next_step="choose a greater width",
        )
    sizes = {"width": share, "depth": _depths(model)[0]}
    return stages.mlp(f"first stage {k}", len(stages.read[k]), stages.sizes[k], **sizes)


def _second_mlp(stages: Stages) -> VectorMLP:
    sizes = {"width": int(stages.order.model.options["width"]), "depth": _depths(stages.order.model)[1]}
    return stages.second_mlp(**sizes)


@torch.no_grad()
def _joined(stages: Stages, firsts: Sequence[VectorMLP], second: VectorMLP) -> TokenMLP:
    model = stages.order.initial()
    assert isinstance(model, TokenMLP)
    layers, before, after = _linears(model), [_linears(first) for first in firsts], _linears(second)
    hidden, held = len(before[0]) - 1, torch.eye(len(stages.through))
    nothing = torch.zeros(len(stages.through))
    for k, layer in enumerate(layers[:hidden]):
        # Ones and zeros are handed through: a ReLU leaves them as they are.
        block = torch.block_diag(*(first[k].weight for first in before), held)
        columns = torch.cat([*stages.read, stages.through]) if k == 0 else torch.arange(block.shape[1])
        layer.weight.zero_()
        layer.weight[:, columns] = block
        layer.bias.copy_(torch.cat([*(first[k].bias for first in before), nothing]))
    told = torch.block_diag(*(first[-1].weight for first in before), held)
    layers[hidden].weight.copy_(after[0].weight @ told)
    layers[hidden].bias.copy_(after[0].bias + after[0].weight @ torch.cat([*(first[-1].bias for first in before), nothing]))
    for layer, given in zip(layers[hidden + 1 :], after[1:], strict=True):
        layer.load_state_dict(given.state_dict())
    return model


def _linears(model: TokenMLP | VectorMLP) -> list[nn.Linear]:
    return [layer for layer in model.layers if isinstance(layer, nn.Linear)]
