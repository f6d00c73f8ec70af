"""Features that probes are fitted on: the activations of a site, and the encoded input as baseline, each on principal axes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.instrument import report
from assay.spectra import eigh, unit_scale, varying
from assay.subject import Inputs

INPUT = "input"
FLAT = 512  # the largest sequence of activations that is read whole
WIDTH = 64  # the common width of every site
INPUT_WIDTH = 1024


@dataclass(frozen=True)
class ProbeFeatures:
    """Features of one place: `scores` `(n, e)` of the seen examples, and the projection of the `novel` ones `(m, d)`.

    `scores` are `(seen - mean) @ span @ turn`, with `span` `(d, s)` and `turn` `(s, e)`: principal components in falling order
    of variance. Novel rows are not projected until a probe needs them: it is cheaper to project the few weights of a probe than
    many rows. Where `limited`, a probe fitted on few examples may read the leading axes only.
    """

    scores: Float[Tensor, "n e"]
    novel: Float[Tensor, "m d"]
    mean: Float[Tensor, " d"]
    span: Float[Tensor, "d s"]
    turn: Float[Tensor, "s e"]
    limited: bool

    @classmethod
    def of(cls, table: Float[Tensor, "n d"], *, num_seen: int, width: int, seed: int, limited: bool) -> "ProbeFeatures":
        """Features from a table whose first `num_seen` rows are the seen ones; every choice from the data uses these alone.

        A table wider than `width` is projected onto the span of `width` random examples first: a wide site decodes anything, so
        all sites get one width. Neither the span nor its principal axes depend on the order of units, nor on any rotation of
        them.
        """
        scale = unit_scale(table[:num_seen])
        table = table if scale == 1 else table * scale
        seen = table[:num_seen]
        mean = seen.mean(0)
        offset = mean.square().sum()
        if table.shape[1] > width and num_seen > width:
            landmarks = seen[torch.randperm(num_seen, generator=Generator().manual_seed(seed))[:width]] - mean
            span = landmarks.T @ _principal(landmarks @ landmarks.T, width * offset, normalised=True)
        else:
            span = torch.eye(table.shape[1])
        # Not centred here: that would copy the table.
        inside = seen @ span - mean @ span
        turn = _principal(inside.T @ inside, num_seen * offset)
        return cls(inside @ turn, table[num_seen:], mean, span, turn, limited)

    def predict_novel(self, weights: Float[Tensor, "e c"], offset: Float[Tensor, " c"]) -> Float[Tensor, "m c"]:
        """Values of linear maps of the scores on the novel rows."""
        through = self.span @ (self.turn @ weights)
        return self.novel @ through + (offset - self.mean @ through)


def _principal(gram: Float[Tensor, "k k"], offset: Float[Tensor, ""], *, normalised: bool = False) -> Float[Tensor, "k r"]:
    """Eigenvectors in falling order of variance, without those of zero variance; divided by their spread if `normalised`.
    `offset`: squared lengths of the mean subtracted from every row."""
    variances, directions = eigh(gram)
    kept = varying(variances, variances.sum() + offset, least=1e-6)
    directions = directions[:, kept]
    return (directions / variances[kept].sqrt() if normalised else directions).flip(1)


def input_place(inputs: Inputs, *, num_seen: int, seed: int) -> ProbeFeatures:
    """The encoded input. It keeps `INPUT_WIDTH` and all its axes, which makes it the stronger null."""
    return ProbeFeatures.of(_encoded(inputs, num_seen), num_seen=num_seen, width=INPUT_WIDTH, seed=seed, limited=False)


def site_places(tables: Mapping[str, Float[Tensor, "n _"]], *, num_seen: int, seed: int) -> Iterator[tuple[str, ProbeFeatures]]:
    """Every site in turn, from tables as `as_table` gives them. One seed narrows all networks in the same way."""
    for number, (site, table) in enumerate(tables.items()):
        report(f"probing {site}", 0.5 * number / len(tables))
        yield site, ProbeFeatures.of(table, num_seen=num_seen, width=WIDTH, seed=seed, limited=True)


def _encoded(inputs: Mapping[str, Tensor], num_seen: int) -> Float[Tensor, "n d"]:
    """The input as numbers: integers one-hot per position, other values unchanged; constant columns are dropped."""
    columns = []
    for values in inputs.values():
        if values.is_floating_point():
            columns.append(values.flatten(1).float())
        else:
            columns.append(F.one_hot(values - values.min(), int(values.max() - values.min()) + 1).flatten(1).float())
    table = torch.cat(columns, 1)
    return table[:, table[:num_seen].std(0) > 0]


def as_table(values: Tensor) -> Float[Tensor, "n d"]:
    """Activations as one row per example. A sequence too long to be read whole becomes its mean and its last position."""
    values = values.float()
    if values.ndim == 2:
        return values
    if values.shape[1:].numel() <= FLAT:
        return values.flatten(1)
    positions = values.flatten(1, -2)
    return torch.cat([positions.mean(1), positions[:, -1]], 1)
