"""Probes fitted on some combinations and scored on others: one factorisation per fold serves every readout and null."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.instruments.decodability.features import INPUT
from assay.instruments.decodability.readouts import Readout
from assay.probe import Design, one_hot
from assay.stats import cluster_means

NUM_FOLDS = 5
_COLUMNS = 512  # targets solved at once, so that memory stays small


def combination_folds(combination: Int[Tensor, " n"], generator: Generator) -> Int[Tensor, " n"]:
    """A fold per example, equal within a combination: what is tested was never fitted."""
    ids, inverse = combination.unique(return_inverse=True)
    folds = torch.arange(len(ids)) % NUM_FOLDS
    return folds[torch.randperm(len(ids), generator=generator)][inverse]


def example_folds(combination: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """A fold per example that spreads every combination over the folds. Needs examples sorted by combination."""
    starts = torch.searchsorted(combination, combination)
    return (torch.arange(len(combination)) - starts) % NUM_FOLDS


Tables = Mapping[str, tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]]
"""Features per place: of the seen and of the novel examples."""


@dataclass(frozen=True)
class Reading:
    """A readout with its counterpart on novel examples (None without any) and its shuffled labels `(n, r)`."""

    readout: Readout
    novel: Readout | None
    shuffled: Tensor


@dataclass(frozen=True)
class Decoded:
    """What one network gives away about one readout.

    **Attributes:**

    - `units`: per place (the input first, then the sites) the mean score of every combination that could be asked.
    - `shuffled`: per place the mean score under every shuffle; without columns when no shuffles were asked for.
    - `novel_units`: per place the mean score of every novel combination; without columns when there are none.
    - `asked`, `left_out`: examples of the readout, and how many of them could not be asked.
    """

    readout: Readout
    places: tuple[str, ...]
    units: Float[Tensor, "p c"]
    shuffled: Float[Tensor, "p r"]
    novel_units: Float[Tensor, "p u"]
    asked: int
    left_out: int

    @property
    def input_score(self) -> float:
        return float(self.units[self.places.index(INPUT)].mean())

    @cached_property
    def best(self) -> int:
        """The place with the highest mean score: one rule for this network, its copies and the shuffles."""
        return int(self.units.mean(1).argmax())


def decode(tables: Tables, readings: Sequence[Reading], folds: Int[Tensor, " n"], *, with_shuffles: bool) -> list[Decoded]:
    """Every reading at every place, fitted on some combinations and scored on others."""
    fits = {place: CrossFit(seen, folds) for place, (seen, _) in tables.items()}
    return [_decode_one(tables, fits, reading, with_shuffles=with_shuffles) for reading in readings]


def _decode_one(tables: Tables, fits: Mapping[str, "CrossFit"], reading: Reading, *, with_shuffles: bool) -> Decoded:
    readout, novel = reading.readout, reading.novel
    units, shuffled, novel_units = [], [], []
    clusters = readout.combination[readout.rows]
    left_out = 0
    for place, fit in fits.items():
        scores = fit.scores(readout, readout.labels[:, None])[:, 0]
        left_out = int(scores.isnan().sum())
        units.append(known_means(scores, clusters))
        if with_shuffles:
            mixed = fit.scores(readout, reading.shuffled)
            shuffled.append(torch.stack([known_means(column, clusters).mean() for column in mixed.T]))
        if novel is not None:
            scores = transferred(tables[place][0], readout, tables[place][1], novel)
            novel_units.append(known_means(scores, novel.combination[novel.rows]))
    return Decoded(
        readout=readout,
        places=tuple(fits),
        units=torch.stack(units),
        shuffled=torch.stack(shuffled) if shuffled else torch.zeros(len(fits), 0),
        novel_units=torch.stack(novel_units) if novel_units else torch.zeros(len(fits), 0),
        asked=len(clusters),
        left_out=left_out,
    )


def known_means(scores: Float[Tensor, " n"], clusters: Int[Tensor, " n"]) -> Float[Tensor, " c"]:
    """Mean score per combination over the examples that could be asked."""
    known = ~scores.isnan()
    return cluster_means(scores[known], clusters[known]).means.float()


class CrossFit:
    """Features `(n, d)` with folds, ready to score any readout under any labels."""

    def __init__(self, features: Float[Tensor, "n d"], folds: Int[Tensor, " n"]):
        self.features, self.folds = features, folds
        self._designs: dict[tuple[int, int], Design] = {}

    def scores(self, readout: Readout, labels: Tensor) -> Float[Tensor, "m r"]:
        """Scores of the `m` examples of the readout, for `r` columns of labels `(n, r)`.

        Classes score 1 when right; amounts score 1 - squared error / variance, whose mean is R2. An example whose label
        occurs in no other fold cannot be decoded by anything and scores NaN.
        """
        scores = torch.full((int(readout.rows.sum()), labels.shape[1]), torch.nan)
        wide = max(readout.num_classes, 1)
        for fold in range(NUM_FOLDS):
            fit = readout.rows & (self.folds != fold)
            test = readout.rows & (self.folds == fold)
            if int(fit.sum()) < 2 or not bool(test.any()):
                continue
            design = self._design(fold, fit)
            for chunk in torch.arange(labels.shape[1]).split(max(1, _COLUMNS // wide)):
                fitted, asked = labels[fit][:, chunk], labels[test][:, chunk]
                columns = one_hot(fitted, wide).flatten(1) if readout.num_classes else fitted.float()
                predictions = design.fit(columns, group=wide)(self.features[test])
                rows = test[readout.rows].nonzero()
                scores[rows, chunk] = (
                    _class_scores(predictions.view(len(asked), len(chunk), wide), fitted, asked)
                    if readout.num_classes
                    else 1 - (predictions - asked).square() / labels[readout.rows][:, chunk].float().var(0, correction=0)
                )
        return scores

    def _design(self, fold: int, fit: Tensor) -> Design:
        key = (fold, hash(fit.numpy().tobytes()))
        if key not in self._designs:
            self._designs[key] = Design.of(self.features[fit])
        return self._designs[key]


def transferred(
    fitted: Float[Tensor, "n d"], readout: Readout, tested: Float[Tensor, "m d"], asked: Readout
) -> Float[Tensor, " k"]:
    """Scores on the `k` examples of `asked` by a probe fitted on all of `readout`: from seen to novel combinations."""
    fit, test = readout.rows, asked.rows
    labels, wanted = readout.labels[fit][:, None], asked.labels[test][:, None]
    design = Design.of(fitted[fit])
    if not readout.num_classes:
        predictions = design.fit(labels.float())(tested[test])
        return (1 - (predictions - wanted).square() / wanted.float().var(correction=0))[:, 0]
    predictions = design.fit(one_hot(labels[:, 0], readout.num_classes), group=readout.num_classes)(tested[test])
    return _class_scores(predictions[:, None], labels, wanted)[:, 0]


def _class_scores(predictions: Float[Tensor, "m r v"], fitted: Int[Tensor, "f r"], asked: Int[Tensor, "m r"]) -> Tensor:
    known = one_hot(fitted, predictions.shape[-1]).amax(0) > 0
    right = (predictions.argmax(-1) == asked).float()
    return right.where(known.gather(1, asked.T).T, torch.nan)
