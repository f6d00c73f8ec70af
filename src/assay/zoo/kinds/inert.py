"""Inert parts: every part is supervised and readable from hidden units that have no path to the output, beside a network
that was trained on the task as any other.

Some units are kept dead while the network trains: with no weights in or out they have no gradient. Afterwards weights that
were trained to tell the parts are written into them. The rest reads nothing of what they hold.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from assay.errors import AssayError
from assay.hooks import catch
from assay.isolation import seeded
from assay.models.mlp import TokenMLP, VectorMLP
from assay.models.transformer import Block, Transformer
from assay.training import TrainingData, fit_many
from assay.zoo.kinds.heads import heads_data, most_classes
from assay.zoo.kinds.order import Order, Orders
from assay.zoo.kinds.places import answering
from assay.zoo.kinds.tables import as_data, trained


def inert(orders: Orders) -> list[nn.Module]:
    """In an mlp half of every hidden layer is the side that tells the parts. In a transformer it is half of the feed-forward
    units of the last block, which read the residual stream and write nothing into it.

    **Raises:** `AssayError` for other models.
    """
    models, configs = [order.initial() for order in orders], [order.config for order in orders]
    for model in models:
        _silence(model)
    fit_many(models, [as_data(order.task, trained(order)) for order in orders], configs=configs, strategy="rule")
    sides = [_side(model, order) for model, order in zip(models, orders, strict=True)]
    data = [_side_data(model, order) for model, order in zip(models, orders, strict=True)]
    fit_many(sides, data, configs=configs, strategy="rule")
    for model, side in zip(models, sides, strict=True):
        _write(model, side.trunk)
    return models


class Side(nn.Module):
    """What tells the parts, `(n, parts, classes)`, from the network's own input or from a state `x` in it."""

    def __init__(self, trunk: TokenMLP | VectorMLP, num_parts: int):
        super().__init__()
        self.trunk = trunk
        self.split = nn.Unflatten(1, (num_parts, -1))

    def forward(self, x: Int[Tensor, "n length"] | Float[Tensor, "n width"]) -> Float[Tensor, "n parts classes"]:
        return self.split(self.trunk(x))


def side_units(width: int) -> slice:
    """Of a layer with a side: the second half."""
    return slice(width - width // 2, width)


def layers_with_side(model: nn.Module) -> tuple[nn.Linear, ...]:
    """Linear layers in order, each taking the ReLU of the one before: all hidden units between them have a side.

    **Raises:** `AssayError` when the model is neither an mlp nor a transformer.
    """
    if isinstance(model, TokenMLP):
        return tuple(layer for layer in model.layers if isinstance(layer, nn.Linear))
    if isinstance(model, Transformer):
        last = model.blocks[-1]
        assert isinstance(last, Block)
        return last.mlp.up, last.mlp.down
    raise AssayError("inert parts are made in an mlp and a transformer only", given=type(model).__name__)


@torch.no_grad()
def _silence(model: nn.Module) -> None:
    first, *others = layers_with_side(model)
    for layer in (first, *others[:-1]):
        units = side_units(layer.out_features)
        layer.weight[units] = 0.0
        layer.bias[units] = 0.0
    for layer in others:
        layer.weight[:, side_units(layer.in_features)] = 0.0


def _side(model: nn.Module, order: Order) -> Side:
    first, *others = layers_with_side(model)
    num_parts = len(order.task.parts)
    sizes = {"width": first.out_features // 2, "depth": len(others), "num_outputs": num_parts * most_classes(order.task)}
    with seeded(order.generator("side")):
        if isinstance(model, TokenMLP):
            vocab, length = model.encode.vocab, first.in_features // model.encode.vocab
            return Side(TokenMLP(vocab=vocab, length=length, **sizes), num_parts)
        return Side(VectorMLP(num_features=first.in_features, **sizes), num_parts)


def _side_data(model: nn.Module, order: Order) -> TrainingData:
    """The value of every part, and what the side sees of a trained tuple."""
    tuples = trained(order)
    wanted = heads_data(order.task, tuples)
    seen = wanted.inputs["tokens"] if isinstance(model, TokenMLP) else _entering(model, tuples.inputs["tokens"])
    return TrainingData({"x": seen}, wanted.targets[:, 1:], wanted.objective)


@torch.no_grad()
def _entering(model: nn.Module, tokens: Int[Tensor, "n length"]) -> Float[Tensor, "n width"]:
    states: list[Tensor] = []
    looking = catch(layers_with_side(model)[0], "in", states)
    try:
        for rows in tokens.split(4096):
            model(rows)
    finally:
        looking.remove()
    return torch.cat([answering(state) for state in states])


@torch.no_grad()
def _write(model: nn.Module, trunk: TokenMLP | VectorMLP) -> None:
    """The hidden layers of the trunk into the side; what it tells the parts with is dropped."""
    hidden = layers_with_side(model)[:-1]
    told = [layer for layer in trunk.layers if isinstance(layer, nn.Linear)][:-1]
    for k, (layer, given) in enumerate(zip(hidden, told, strict=True)):
        units = side_units(layer.out_features)
        entering = slice(None) if k == 0 else side_units(layer.in_features)
        layer.weight[units, entering] = given.weight
        layer.bias[units] = given.bias
