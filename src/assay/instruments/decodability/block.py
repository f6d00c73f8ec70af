"""Readouts that are decoded together: examples in folds, labels as columns, scores per unit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.instruments.decodability.features import ProbeFeatures
from assay.instruments.decodability.readouts import Readout
from assay.probe import Design, Fit, one_hot

ROWS_PER_AXIS = 3  # fitted examples per principal axis that the probe of a site may read


@dataclass(frozen=True)
class ReadoutBlock:
    """`k` readouts of classes that share one set of examples, or of amounts, each with a set of its own: `b` sets in all.

    **Attributes:**

    - `readouts`: in the order of the columns (classes) or of the sets (amounts).
    - `num_classes`: 0 for amounts.
    - `rows`, `used` `(b, f, w)`: the examples in every fold, and where a fold of `w` places has one.
    - `units` `(b, f, w)`: which of `num_units` combinations the example has.
    - `labels` `(b, f, w, k)`: class indices, or amounts minus their mean (`k` is 1); 0 where there is no example.
    """

    readouts: tuple[Readout, ...]
    num_classes: int
    rows: Int[Tensor, "b f w"]
    used: Bool[Tensor, "b f w"]
    units: Int[Tensor, "b f w"]
    num_units: int
    labels: Float[Tensor, "b f w k"]

    @classmethod
    def of(cls, readouts: Sequence[Readout], folds: Int[Tensor, " n"]) -> "ReadoutBlock":
        """The block of readouts with one number of classes, on one set of examples unless they are amounts."""
        first = readouts[0]
        sets = [[readout] for readout in readouts] if first.num_classes == 0 else [list(readouts)]
        places = [_in_folds(members[0].rows, folds) for members in sets]
        width = max(place.shape[1] for place in places)
        rows = torch.stack([torch.nn.functional.pad(place, (0, width - place.shape[1]), value=-1) for place in places])
        used, rows = rows >= 0, rows.clamp(min=0)
        ids, inverse = first.combination.unique(return_inverse=True)
        labels = torch.stack([torch.stack([_centred(readout) for readout in members], 1) for members in sets])
        taken = torch.stack([table[place] for table, place in zip(labels, rows, strict=True)])
        return cls(tuple(readouts), first.num_classes, rows, used, inverse[rows], len(ids), taken * used[..., None])

    @property
    def group(self) -> int:
        """Columns of targets per column of labels. Two classes need one column, since the other is its complement."""
        return self.num_classes if self.num_classes > 2 else 1

    @cached_property
    def real_targets(self) -> Float[Tensor, "b f w t"]:
        """Targets of the true labels."""
        return self.targets(self.labels)

    @cached_property
    def real_known(self) -> Bool[Tensor, "b f w k"]:
        """Where an example can be scored on its true label."""
        return self.known(self.real_targets, self.labels)

    def num_unscored(self) -> list[int]:
        """The number of examples of every readout that cannot be scored."""
        return (self.used[..., None] & ~self.real_known).expand_as(self.labels).sum((1, 2)).flatten().tolist()

    def features(self, place: ProbeFeatures) -> Float[Tensor, "b f w d"]:
        """Principal components of the examples; at a limited place only as many leading ones as the examples per set allow."""
        num_folds = self.rows.shape[1]
        fitted = int(self.used.sum()) * (num_folds - 1) // (num_folds * len(self.rows))  # in a set, on average
        # A multiple of eight with the intercept's column: such products are up to a half faster than those of other widths.
        axes = max(1, (fitted // ROWS_PER_AXIS + 1) // 8 * 8 - 1)
        return (place.scores[:, :axes] if place.limited else place.scores)[self.rows]

    def design(self, place: ProbeFeatures) -> Design:
        """The factorised features of a place. Those of all examples are uncorrelated by construction."""
        return Design.of(self.features(place), self.used, uncorrelated=bool(self.readouts[0].rows.all()))

    def targets(self, labels: Float[Tensor, "b f w c"]) -> Float[Tensor, "b f w t"]:
        """Regression targets of the probes."""
        if self.num_classes <= 2:
            return labels
        return (one_hot(labels.long(), self.num_classes) * self.used[..., None, None]).flatten(3)

    def scores(self, fit: Fit, labels: Float[Tensor, "b f w c"]) -> Float[Tensor, "b f w c"]:
        """Score of every example by the probe fitted without its fold.

        Classes score 1 when right; amounts score 1 - squared error / variance, whose mean is R2.
        """
        predictions = fit.left_out()
        if self.num_classes:
            return self.right(predictions, labels).float()
        return 1 - (predictions - labels).square() / self._variance(labels)[:, None, None]

    def right(self, predictions: Float[Tensor, "*rows t"], labels: Float[Tensor, "*rows c"]) -> Bool[Tensor, "*rows c"]:
        """Whether the predicted class is the label."""
        if self.num_classes == 2:
            return (predictions > 0.5) == (labels > 0.5)
        return predictions.unflatten(-1, (-1, self.num_classes)).argmax(-1) == labels

    def known(self, targets: Float[Tensor, "b f w t"], labels: Float[Tensor, "b f w c"]) -> Bool[Tensor, "b f w k"]:
        """Where an example can be scored: at least two others are fitted, and one of them has its label.

        One column stands for all where they agree.
        """
        sizes = self.used.sum(2)
        enough = self.used & ((sizes.sum(1, keepdim=True) - sizes) >= 2)[..., None]
        if not self.num_classes:
            return enough[..., None]
        counts = targets.sum(2)
        held = (
            torch.stack([sizes[..., None] - counts, counts], -1)
            if self.num_classes == 2
            else counts.unflatten(2, (-1, self.num_classes))
        )
        elsewhere = held.sum(1, keepdim=True) - held > 0
        if bool(elsewhere.all()):
            return enough[..., None]
        return enough[..., None] & elsewhere.mT.gather(2, labels.long())

    def unit_means(self, scores: Float[Tensor, "b f w c"], known: Bool[Tensor, "b f w k"]) -> Float[Tensor, "b u c"]:
        """Mean score of every combination over the examples that can be scored; NaN where none can."""
        sums, counts = (self._unit_sums(values) for values in (scores.where(known, 0.0), known.float()))
        return sums / counts

    def shuffled_means(self, scores: Float[Tensor, "b f w c"], known: Bool[Tensor, "b f w k"]) -> Float[Tensor, "b c"]:
        """Mean of the scores over combinations, each combination counted once."""
        if known.shape[-1] == 1:
            scored = known.float()
            counts = self._unit_sums(scored)
            weights = scored[..., 0] / counts[..., 0].gather(1, self.units.flatten(1)).view_as(self.units).clamp(min=1.0)
            means = weights.flatten(1)[:, None] @ scores.flatten(1, 2) / (counts > 0).sum(1, keepdim=True)
            return means[:, 0]
        return self.unit_means(scores, known).nanmean(1)

    def dealt(self, deals: Sequence[Int[Tensor, "r n"]]) -> Float[Tensor, "b f w c"]:
        """Shuffled labels, one permutation `(r, n)` for every readout (see `Readout.deal`): `r` columns for each in turn."""
        columns = [_centred(readout)[deal] for readout, deal in zip(self.readouts, deals, strict=True)]
        if self.num_classes:
            return (torch.cat(columns).T[self.rows[0]] * self.used[0, ..., None])[None]
        tables = [column.T[rows] for column, rows in zip(columns, self.rows, strict=True)]
        return torch.stack(tables) * self.used[..., None]

    def only(self, wanted: Sequence[int]) -> "ReadoutBlock":
        """The same block with the chosen readouts only. Classes only."""
        return replace(self, readouts=tuple(self.readouts[index] for index in wanted), labels=self.labels[..., list(wanted)])

    def _variance(self, labels: Float[Tensor, "b f w c"]) -> Float[Tensor, "b c"]:
        counts = self.used.sum((1, 2))[:, None]
        return labels.square().sum((1, 2)) / counts - (labels.sum((1, 2)) / counts).square()

    def _unit_sums(self, values: Float[Tensor, "b f w c"]) -> Float[Tensor, "b u c"]:
        index = self.units + self.num_units * torch.arange(len(values))[:, None, None]
        sums = torch.zeros(len(values) * self.num_units, values.shape[-1])
        return sums.index_add_(0, index.flatten(), values.flatten(0, 2)).unflatten(0, (len(values), -1))


def deal_all(readouts: Sequence[Readout], repeats: int, generator: Generator) -> list[Int[Tensor, "r n"]]:
    """A permutation for every readout; readouts whose labels belong to the same units share theirs."""
    deals: list[Tensor] = []
    for index, readout in enumerate(readouts):
        before = readouts[index - 1]
        same = index > 0 and torch.equal(readout.units, before.units) and torch.equal(readout.rows, before.rows)
        deals.append(deals[-1] if same else readout.deal(repeats, generator))
    return deals


def _in_folds(defined: Bool[Tensor, " n"], folds: Int[Tensor, " n"]) -> Int[Tensor, "f w"]:
    """The examples of every fold, padded with -1."""
    members = [(defined & (folds == fold)).nonzero()[:, 0] for fold in range(int(folds.max()) + 1)]
    return torch.nn.utils.rnn.pad_sequence(members, batch_first=True, padding_value=-1)


def _centred(readout: Readout) -> Float[Tensor, " n"]:
    labels = readout.labels.float()
    return labels if readout.num_classes else (labels - labels[readout.rows].mean()) * readout.rows
