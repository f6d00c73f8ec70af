"""Cross-fitted probes: fitted on some combinations and scored on others, with one factorisation per place for all readouts and
nulls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.instrument import report
from assay.instruments.decodability.block import ReadoutBlock
from assay.instruments.decodability.features import INPUT, ProbeFeatures
from assay.instruments.decodability.readouts import Readout
from assay.probe import Design

NUM_FOLDS = 5
_CHUNK = 2**19  # numbers in the labels of shuffles that are scored at once, so that they fit into the cache


def combination_folds(combination: Int[Tensor, " n"], generator: Generator) -> Int[Tensor, " n"]:
    """A fold per example, equal within a combination, so that no combination is both fitted and scored."""
    ids, inverse = combination.unique(return_inverse=True)
    folds = torch.arange(len(ids)) % NUM_FOLDS
    return folds[torch.randperm(len(ids), generator=generator)][inverse]


def example_folds(combination: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """A fold per example that spreads every combination over the folds. `combination`: in ascending order."""
    starts = torch.searchsorted(combination, combination)
    return (torch.arange(len(combination)) - starts) % NUM_FOLDS


@dataclass(frozen=True)
class NovelReadouts:
    """The readouts of a block on novel examples: where each is defined, and its labels on the scale of the block's.

    **Attributes:** `defined`: where an example has a label that was also fitted; `ids`: of the combinations; `units`: the
    combination of each example.
    """

    block: ReadoutBlock
    defined: Bool[Tensor, "m k"]
    labels: Float[Tensor, "m k"]
    ids: Int[Tensor, " u"]
    units: Int[Tensor, " m"]

    @classmethod
    def of(cls, block: ReadoutBlock, counterparts: Sequence[Readout | None], combination: Int[Tensor, " m"]) -> "NovelReadouts":
        """`counterparts`: the block's readouts on the novel examples in its order, None where the part never occurs."""
        defined = torch.zeros(len(combination), len(block.readouts), dtype=torch.bool)
        labels = torch.zeros(defined.shape)
        for k, (readout, novel) in enumerate(zip(block.readouts, counterparts, strict=True)):
            if novel is None:
                continue
            fitted = readout.labels[readout.rows]
            defined[:, k] = novel.rows & torch.isin(novel.labels, fitted) if block.num_classes else novel.rows
            labels[:, k] = novel.labels.float() - (0.0 if block.num_classes else fitted.float().mean())
        return cls(block, defined, labels, *combination.unique(return_inverse=True))

    def take(self, rows: Int[Tensor, " r"]) -> "NovelReadouts":
        """The same on some of the examples."""
        return replace(self, defined=self.defined[rows], labels=self.labels[rows], units=self.units[rows])

    def unit_means(self, predictions: Float[Tensor, "m t"], columns: Int[Tensor, " c"]) -> Float[Tensor, "u c"]:
        """Mean score of every novel combination in the chosen readouts; NaN where it has no defined example."""
        defined, labels = self.defined[:, columns], self.labels[:, columns]
        if self.block.num_classes:
            scores = self.block.right(predictions, labels).float()
        else:
            counts = defined.sum(0)
            means = labels.where(defined, 0.0).sum(0) / counts
            variance = (labels - means).where(defined, 0.0).square().sum(0) / counts
            scores = 1 - (predictions - labels).square() / variance
        zeros = torch.zeros(len(self.ids), len(columns))
        sums, counts = (zeros.index_add(0, self.units, values) for values in (scores.where(defined, 0.0), defined.float()))
        return sums / counts


@dataclass(frozen=True)
class ProbedBlock:
    """A block of readouts with its counterpart on novel examples (None without any) and the permutations of its shuffles, one
    per readout."""

    block: ReadoutBlock
    novel: NovelReadouts | None
    deals: Sequence[Int[Tensor, "r n"]]


@dataclass(frozen=True)
class BlockFit:
    """Cross-fitted probes of one block of `k` readouts at one place.

    **Attributes:** the `design` fitted; `units` `(k, u)`, mean score of every combination, NaN where none of its examples can
    be scored; the probes' `weights` `(e, k, g)` on the place's scores and their `offset` `(k, g)`.
    """

    design: Design
    units: Float[Tensor, "k u"]
    weights: Float[Tensor, "e k g"]
    offset: Float[Tensor, "k g"]

    @classmethod
    def of(cls, place: ProbeFeatures, block: ReadoutBlock) -> "BlockFit":
        """Fit on some combinations and score on the others, and fit on all."""
        design = block.design(place)
        fit = design.fit(block.real_targets, group=block.group)
        units = block.unit_means(block.scores(fit, block.labels), block.real_known)
        probe = fit.probe()
        weights = probe.weights.movedim(1, 0).flatten(1)  # classes share one set of examples, amounts have one each
        weights = torch.nn.functional.pad(weights, (0, 0, 0, place.scores.shape[1] - len(weights)))
        offset = (probe.offset - (probe.mean[:, None] @ probe.weights)[:, 0]).flatten()
        shape = (len(block.readouts), block.group)
        return cls(design, units.mT.flatten(0, 1), weights.unflatten(1, shape), offset.view(shape))


def shuffled_scores(fits: Sequence[BlockFit], probed: ProbedBlock) -> Float[Tensor, "k p r"]:
    """The mean score of every readout at `p` places under every shuffle of its labels."""
    block = probed.block
    size = max(1, _CHUNK // (block.labels.numel() * block.group))
    means = []
    for deals in zip(*(deal.split(size) for deal in probed.deals), strict=True):
        labels = block.dealt(deals)
        targets = block.targets(labels)
        known = block.known(targets, labels)
        scores = (block.scores(fit.design.fit(targets, group=block.group), labels) for fit in fits)
        means.append(torch.stack([block.shuffled_means(score, known).view(len(block.readouts), -1) for score in scores], 1))
    return torch.cat(means, 2)


@dataclass(frozen=True)
class Decoded:
    """Scores of one readout of one network at all places.

    **Attributes:**

    - `units`: per place (the input first, then the sites) the mean score of every combination that can be scored, and `ids` of
      these.
    - `shuffled`: per place the mean score under every shuffle; without columns when shuffles are not computed.
    - `novel`, `novel_input`: the mean score of every novel combination that can be scored, at the best place and from the
      input, and `novel_ids` of these; empty when there are none.
    """

    readout: Readout
    places: tuple[str, ...]
    units: Float[Tensor, "p c"]
    shuffled: Float[Tensor, "p r"]
    novel: Float[Tensor, " u"]
    novel_input: Float[Tensor, " u"]
    novel_ids: Int[Tensor, " u"]
    ids: Int[Tensor, " c"]

    @property
    def input_score(self) -> float:
        return float(self.units[self.places.index(INPUT)].mean())

    @property
    def shuffled_best(self) -> Float[Tensor, " r"]:
        """The score at the best place under every shuffle, the place chosen anew in each."""
        return self.shuffled.amax(0)

    @cached_property
    def best(self) -> int:
        """The place with the highest mean score. Copies and shuffles choose by the same rule."""
        return int(self.units.mean(1).argmax())


Places = Mapping[str, ProbeFeatures]
BlockFits = Mapping[str, Sequence[BlockFit]]
"""By place, the probes of every block."""


def decode(places: Places, fits: BlockFits, blocks: Sequence[ProbedBlock], *, with_shuffles: bool) -> dict[str, Decoded]:
    """Every readout by name, from the probes of all places.

    Novel examples are scored at the best place alone.
    """
    decoded: dict[str, Decoded] = {}
    for index, probed in enumerate(blocks):
        report("scoring readouts", 0.5 + 0.5 * index / len(blocks))
        found = [fits[place][index] for place in places]
        units = torch.stack([fit.units for fit in found], 1)
        shuffled = shuffled_scores(found, probed) if with_shuffles else torch.zeros(len(units), len(found), 0)
        best = units.nanmean(2).nan_to_num(-torch.inf).argmax(1)
        at_best = _novel_units(probed, places, found, best)
        from_input = _novel_units(probed, places, found, torch.full_like(best, list(places).index(INPUT)))
        for k, readout in enumerate(probed.block.readouts):
            scored, known = ~units[k, 0].isnan(), ~at_best[k].isnan()
            novel = at_best[k][known], from_input[k][known], probed.novel.ids[known] if probed.novel else at_best[k].long()
            ids = probed.block.readouts[0].combination.unique()[scored]
            decoded[readout.name] = Decoded(readout, tuple(places), units[k][:, scored], shuffled[k], *novel, ids)
    return decoded


def _novel_units(
    probed: ProbedBlock, places: Places, fits: Sequence[BlockFit], where: Int[Tensor, " k"]
) -> list[Float[Tensor, " u"]]:
    """For every readout the mean scores of the novel combinations at its own place; NaN where undefined."""
    units = [torch.zeros(0)] * len(where)
    if probed.novel is None:
        return units
    for index, (place, fit) in enumerate(zip(places.values(), fits, strict=True)):
        columns = (where == index).nonzero()[:, 0]
        if len(columns):
            predictions = place.predict_novel(fit.weights[:, columns].flatten(1), fit.offset[columns].flatten())
            means = probed.novel.unit_means(predictions, columns)
            for k, column in zip(columns.tolist(), means.T, strict=True):
                units[k] = column
    return units
