"""What a probe reads: the activations of a site, and the encoded input it must beat, as one table each."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.subject import Inputs, Subject

INPUT = "input"
FLAT = 512  # a sequence of activations up to this size is read whole
WIDTH = 64  # the common width of every site
INPUT_WIDTH = 1024


def read_features(
    subject: Subject, inputs: Inputs, sites: Sequence[str], *, num_fit: int, generator: Generator
) -> dict[str, Float[Tensor, "n d"]]:
    """The encoded input (under `INPUT`) and every site, one row per example.

    Whatever is chosen from the data (columns, directions) is chosen on the first `num_fit` rows.
    """
    seed = int(torch.randint(2**62, (1,), generator=generator))
    tables = {INPUT: _narrowed(_encoded(inputs, num_fit), INPUT_WIDTH, num_fit, Generator().manual_seed(seed))}
    for site, values in subject.read(inputs, sites).items():
        tables[site] = _narrowed(_table(values), WIDTH, num_fit, Generator().manual_seed(seed))
    return tables


def _encoded(inputs: Mapping[str, Tensor], num_fit: int) -> Float[Tensor, "n d"]:
    """The input as numbers: integers one-hot per position, the rest as it is; columns that never change are dropped."""
    columns = []
    for values in inputs.values():
        if values.is_floating_point():
            columns.append(values.flatten(1).float())
        else:
            columns.append(F.one_hot(values - values.min(), int(values.max() - values.min()) + 1).flatten(1).float())
    table = torch.cat(columns, 1)
    return table[:, table[:num_fit].std(0) > 0]


def _table(values: Tensor) -> Float[Tensor, "n d"]:
    """A sequence too long to be read whole is read as its mean and its last position."""
    values = values.float()
    if values.ndim == 2:
        return values
    if values[0].numel() <= FLAT:
        return values.flatten(1)
    positions = values.flatten(1, -2)
    return torch.cat([positions.mean(1), positions[:, -1]], 1)


def _narrowed(table: Float[Tensor, "n d"], width: int, num_fit: int, generator: Generator) -> Float[Tensor, "n e"]:
    """Project onto the span of `width` random examples when wider than that.

    A wide site decodes anything, so all sites get one width; the input keeps `INPUT_WIDTH`,
    which makes it the stronger null. The span of examples does not depend on the order of units nor on any rotation.
    """
    if table.shape[1] <= width or num_fit <= width:
        return table
    centred = table - table[:num_fit].mean(0)
    landmarks = centred[torch.randperm(num_fit, generator=generator)[:width]]
    variances, directions = torch.linalg.eigh(landmarks @ landmarks.T)
    kept = variances > variances[-1] * 1e-6
    return (centred @ landmarks.T) @ (directions[:, kept] / variances[kept].sqrt())
