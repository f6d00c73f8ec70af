"""Feature maps, the activations of units over the examples: their dimensions, predictability and decodability."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from assay.responses import Layer
from assay.spectra import eigh

SHARE = 0.99
_RIDGE = 1e-3  # ridge penalty, as a share of the mean variance


def standardised(values: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
    """The maps scaled to mean 0 and variance 1, without constant ones."""
    centred = values.double() - values.double().mean(0)
    spread = centred.square().mean(0).sqrt()
    live = spread > 1e-6 * spread.max() if len(spread) else spread > 0
    return centred[:, live] / spread[live]


def hidden_maps(layers: Sequence[Layer]) -> list[Float[Tensor, "n d"]]:
    """The inputs of each layer except the first, averaged over positions, without the 1 of a bias."""
    return [layer.inputs.mean(1)[:, _varying(layer)] for layer in layers[1:]]


def _varying(layer: Layer) -> Bool[Tensor, " i"]:
    flat = layer.inputs.flatten(0, 1)
    return flat.amax(0) > flat.amin(0)


def dimensions(maps: Sequence[Float[Tensor, "n _d"]]) -> int:
    """Number of principal axes that hold 99 % of the variance of all maps together, after centring."""
    if not len(maps) or not sum(one.shape[1] for one in maps):
        return 0
    pooled = torch.cat([one.double() - one.double().mean(0) for one in maps], 1)
    gram = pooled.T @ pooled if pooled.shape[1] <= len(pooled) else pooled @ pooled.T
    variances = eigh(gram)[0].flip(0).clamp(min=0)
    reached = variances.cumsum(0) >= SHARE * variances.sum()
    return int(reached.int().argmax()) + 1 if float(variances.sum()) > 0 else 0


def predictability(maps: Sequence[Float[Tensor, "n _d"]], first: Bool[Tensor, " n"]) -> float | None:
    """How well a unit is predicted from the other units of its layer, which do not feed it: R2 of ridge regression, fitted on
    the examples in `first` and tested on the others and vice versa, at least 0, averaged over units. None with fewer than two
    units."""
    found = []
    for one in maps:
        values = standardised(one)
        if values.shape[1] < 2:
            continue
        residual = torch.empty_like(values)
        for train in (first, ~first):
            held = ~train
            mean = values[train].mean(0)
            inside = values[train] - mean
            moment = inside.T @ inside / len(inside)
            precision = torch.linalg.inv(moment + _RIDGE * torch.eye(len(moment), dtype=torch.float64))
            residual[held] = (values[held] - mean) @ precision / precision.diagonal()
        found.append((1 - residual.square().mean(0)).clamp(min=0))
    return float(torch.cat(found).mean()) if found else None


def decodability(values: Float[Tensor, "n d"], targets: Float[Tensor, "n q"], first: Bool[Tensor, " n"]) -> float:
    """R2 of a ridge probe, fitted on one half of the examples and tested on the other, and vice versa; at least 0."""
    maps = standardised(values)
    residual = torch.empty_like(targets)
    for train in (first, ~first):
        held = ~train
        offset, mean = targets[train].mean(0), maps[train].mean(0)
        inside = maps[train] - mean
        moment = inside.T @ inside / len(inside) + _RIDGE * torch.eye(maps.shape[1], dtype=torch.float64)
        weights = torch.linalg.solve(moment, inside.T @ (targets[train] - offset) / len(inside))
        residual[held] = targets[held] - offset - (maps[held] - mean) @ weights
    spread = (targets - targets.mean(0)).square().sum()
    return max(0.0, 1 - float(residual.square().sum() / spread))


def jackknife(value: float, without: Sequence[float | None]) -> tuple[Float[Tensor, " g"], float] | None:
    """Jackknife pseudo-values of an estimate, from its values with one group left out each, and its squared standard error."""
    if any(one is None for one in without):
        return None
    left = torch.tensor([float(one or 0.0) for one in without], dtype=torch.float64)
    num = len(left)
    pseudo = value + (num - 1) * (left.mean() - left)
    return pseudo, float(pseudo.var() / num)


def half_width(variance: float, groups: int, level: float) -> float:
    """Half-width of a jackknife interval: Student's t with one degree of freedom less than groups."""
    from scipy.special import stdtrit

    return float(stdtrit(groups - 1, (1 + level) / 2)) * variance**0.5
