"""The metric of a site: how much each unit counts, so that a change of units that changes no function changes nothing.

Plain Euclidean distance depends on how a function is written into units: multiply what enters a ReLU and divide what
leaves it, and a patch that was perfect loses half of its value.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.subject import Inputs, Subject

Metric = Literal["balanced", "gradient", "outgoing", "euclidean"]
DIRECTIONS = 4  # random directions of the output for every example
DEAD = 1e-6  # a unit that spreads less than this share of the widest one is constant


def unit_weights(
    subject: Subject, inputs: Inputs, sites: Sequence[str], *, metric: Metric = "balanced", generator: Generator
) -> Mapping[str, Float[Tensor, " d"]]:
    """For every site the factor of each unit; weighted by it, states are compared by plain distance.

    With `g` the root-mean-square gradient of the output with respect to a unit and `s` its standard deviation over examples:

    | metric | factor | invariant to |
    | --- | --- | --- |
    | `balanced` | `sqrt(g / s)` | rescaled, permuted and split units |
    | `gradient` | `g` | rescaled and permuted units |
    | `outgoing` | norm of the weights into the next `Linear` | the same, for chains of `Linear` and ReLU |
    | `euclidean` | 1 | permuted units |

    A unit split into shares `a` and `1 - a` has gradients `a g` and `(1 - a) g`, so `g / s` is divided among the two and
    their squared distances add up to that of the one.

    **Raises:** `AssayError` for another metric.
    """
    if metric not in get_args(Metric):
        raise AssayError("there is no such metric", given=metric, choices=get_args(Metric))
    states = {site: values.flatten(1).float() for site, values in subject.read(inputs, sites).items()}
    if metric == "euclidean":
        return {site: torch.ones(values.shape[1]) for site, values in states.items()}
    if metric == "outgoing":
        return {site: _outgoing(subject, inputs, site, values.shape[1]) for site, values in states.items()}
    gradients = _gradients(subject, inputs, sites, generator)
    if metric == "gradient":
        return gradients
    return {site: _balanced(gradients[site], values) for site, values in states.items()}


def _gradients(subject: Subject, inputs: Inputs, sites: Sequence[str], generator: Generator) -> dict[str, Float[Tensor, " d"]]:
    """Root-mean-square gradient of the output: over examples, and over random signs in place of a sum over outputs."""
    outputs = subject(inputs)
    squares = {site: torch.tensor(0.0) for site in sites}
    for _ in range(DIRECTIONS):
        signs = torch.randint(2, outputs.shape, generator=generator) * 2.0 - 1
        for site, gradient in subject.gradients(inputs, sites, signs).items():
            squares[site] = squares[site] + gradient.flatten(1).float().square().mean(0)
    return {site: (total / DIRECTIONS).sqrt() for site, total in squares.items()}


def _balanced(gradient: Float[Tensor, " d"], states: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    spread = states.std(0, correction=0)
    alive = spread > DEAD * spread.max()
    return (gradient / spread.where(alive, 1.0)).sqrt().where(alive, 0.0)


def _outgoing(subject: Subject, inputs: Inputs, site: str, size: int) -> Float[Tensor, " d"]:
    """Where no later `Linear` takes the units, as at the output, every unit counts alike."""
    order = [known.name for known in subject.sites(inputs)]
    for later in order[order.index(site) + 1 :]:
        module = subject.module.get_submodule(later.rpartition(":")[0])
        if isinstance(module, nn.Linear) and module.in_features == size:
            return module.weight.detach().norm(dim=0)
    return torch.ones(size)
