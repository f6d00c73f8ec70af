"""The control task of Hewitt and Liang 2019: the score of a probe on random labels, on the combinations it was fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.instruments.decodability.block import ReadoutBlock, deal_all
from assay.instruments.decodability.crossfit import Decoded, Places, example_folds
from assay.instruments.decodability.features import ProbeFeatures

_REPEATS = 5


@dataclass(frozen=True)
class ControlTask:
    """Mean score of every combination with other examples of it among the fitted ones: for the true labels, and for random
    ones."""

    real: Float[Tensor, " c"]
    random: Float[Tensor, "r c"]


def control_tasks(
    decoded: Sequence[Decoded], places: Places, combination: Int[Tensor, " n"], *, generator: Generator
) -> dict[str, ControlTask]:
    """The control task of every readout at its best place, by the readout's name.

    It exists only where each combination has one label and several examples.
    """
    found: dict[str, ControlTask] = {}
    if len(combination.unique()) * 2 > len(combination):
        return found
    fitting = [one for one in decoded if one.readout.num_classes and torch.equal(one.readout.units, combination)]
    for num_classes in dict.fromkeys(one.readout.num_classes for one in fitting):
        alike = [one for one in fitting if one.readout.num_classes == num_classes]
        block = ReadoutBlock.of([one.readout for one in alike], example_folds(combination))
        deals = deal_all(block.readouts, _REPEATS, generator)
        for best in dict.fromkeys(one.best for one in alike):
            columns = [k for k, one in enumerate(alike) if one.best == best]
            name = alike[columns[0]].places[best]
            found |= _at(places[name], block.only(columns), [deals[k] for k in columns])
    return found


def _at(place: ProbeFeatures, block: ReadoutBlock, deals: Sequence[Int[Tensor, "r n"]]) -> dict[str, ControlTask]:
    labels = torch.cat([block.labels, block.dealt(deals)], -1)
    targets = block.targets(labels)
    fit = block.design(place).fit(targets, group=block.group)
    units = block.unit_means(block.scores(fit, labels), block.known(targets, labels))[0]
    real, random = units[:, : len(block.readouts)], units[:, len(block.readouts) :].unflatten(1, (-1, _REPEATS))
    known = ~(real.isnan() | random.isnan().any(2))
    return {
        readout.name: ControlTask(real[known[:, k], k], random[known[:, k], k].T) for k, readout in enumerate(block.readouts)
    }
