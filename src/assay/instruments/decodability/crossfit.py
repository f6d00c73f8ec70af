"""Probes fitted on some combinations and scored on others: one factorisation per place serves every readout and null."""

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
_CHUNK = 2**19  # numbers in the labels of the shuffles that are scored at once, so that they stay in the cache


def combination_folds(combination: Int[Tensor, " n"], generator: Generator) -> Int[Tensor, " n"]:
    """A fold per example, equal within a combination: what is tested was never fitted."""
    ids, inverse = combination.unique(return_inverse=True)
    folds = torch.arange(len(ids)) % NUM_FOLDS
    return folds[torch.randperm(len(ids), generator=generator)][inverse]


def example_folds(combination: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """A fold per example that spreads every combination over the folds. Needs examples sorted by combination."""
    starts = torch.searchsorted(combination, combination)
    return (torch.arange(len(combination)) - starts) % NUM_FOLDS


@dataclass(frozen=True)
class NovelReadouts:
    """The readouts of a block on novel examples: which of them are defined, and their labels as the block's are made.

    `ids`: of the combinations; `units`: which of these each example is.
    """

    block: ReadoutBlock
    asked: Bool[Tensor, "m k"]
    labels: Float[Tensor, "m k"]
    ids: Int[Tensor, " u"]
    units: Int[Tensor, " m"]

    @classmethod
    def of(cls, block: ReadoutBlock, counterparts: Sequence[Readout | None], combination: Int[Tensor, " m"]) -> "NovelReadouts":
        """`counterparts` are the block's readouts in its order, None where the part never occurs. A class that was never
        fitted cannot be asked."""
        asked = torch.zeros(len(combination), len(block.readouts), dtype=torch.bool)
        labels = torch.zeros(asked.shape)
        for k, (readout, novel) in enumerate(zip(block.readouts, counterparts, strict=True)):
            if novel is None:
                continue
            fitted = readout.labels[readout.rows]
            asked[:, k] = novel.rows & torch.isin(novel.labels, fitted) if block.num_classes else novel.rows
            labels[:, k] = novel.labels.float() - (0.0 if block.num_classes else fitted.float().mean())
        return cls(block, asked, labels, *combination.unique(return_inverse=True))

    def take(self, rows: Int[Tensor, " r"]) -> "NovelReadouts":
        """On some of the examples."""
        return replace(self, asked=self.asked[rows], labels=self.labels[rows], units=self.units[rows])

    def unit_means(self, predictions: Float[Tensor, "m t"], columns: Int[Tensor, " c"]) -> Float[Tensor, "u c"]:
        """Mean score of every novel combination in the chosen readouts; NaN where it has no such example."""
        asked, labels = self.asked[:, columns], self.labels[:, columns]
        if self.block.num_classes:
            scores = self.block.right(predictions, labels).float()
        else:
            counts = asked.sum(0)
            means = labels.where(asked, 0.0).sum(0) / counts
            variance = (labels - means).where(asked, 0.0).square().sum(0) / counts
            scores = 1 - (predictions - labels).square() / variance
        zeros = torch.zeros(len(self.ids), len(columns))
        sums, counts = (zeros.index_add(0, self.units, values) for values in (scores.where(asked, 0.0), asked.float()))
        return sums / counts


@dataclass(frozen=True)
class BlockQuestion:
    """A block with what it is asked on novel examples (None without any) and the deals of its shuffles, one per readout."""

    block: ReadoutBlock
    novel: NovelReadouts | None
    deals: Sequence[Int[Tensor, "r n"]]


@dataclass(frozen=True)
class Answer:
    """What one place gives away about one block of `k` readouts.

    **Attributes:** the `design` fitted; `units` `(k, u)`, mean score of every combination, NaN where it was not asked; the
    probes' `weights` `(e, k, g)` on the place's scores and their `offset` `(k, g)`.
    """

    design: Design
    units: Float[Tensor, "k u"]
    weights: Float[Tensor, "e k g"]
    offset: Float[Tensor, "k g"]

    @classmethod
    def of(cls, place: ProbeFeatures, block: ReadoutBlock) -> "Answer":
        """Fit on some combinations and score on the others, and fit on all."""
        design = block.design(place)
        fit = design.fit(block.real_targets, group=block.group)
        units = block.unit_means(block.scores(fit, block.labels), block.real_known)
        probe = fit.probe()
        weights = probe.weights.movedim(1, 0).flatten(1)  # of the classes of one set, or of the amounts, one in each set
        weights = torch.nn.functional.pad(weights, (0, 0, 0, place.scores.shape[1] - len(weights)))
        offset = (probe.offset - (probe.mean[:, None] @ probe.weights)[:, 0]).flatten()
        shape = (len(block.readouts), block.group)
        return cls(design, units.mT.flatten(0, 1), weights.unflatten(1, shape), offset.view(shape))


def shuffled_scores(answers: Sequence[Answer], question: BlockQuestion) -> Float[Tensor, "k p r"]:
    """The mean score of every readout at `p` places, whose answers are given, under every shuffle of its labels."""
    block = question.block
    size = max(1, _CHUNK // (block.labels.numel() * block.group))
    means = []
    for deals in zip(*(deal.split(size) for deal in question.deals), strict=True):
        labels = block.dealt(deals)
        targets = block.targets(labels)
        known = block.known(targets, labels)
        scores = (block.scores(answer.design.fit(targets, group=block.group), labels) for answer in answers)
        means.append(torch.stack([block.shuffled_means(score, known).view(len(block.readouts), -1) for score in scores], 1))
    return torch.cat(means, 2)


@dataclass(frozen=True)
class Decoded:
    """What one network gives away about one readout.

    **Attributes:**

    - `units`: per place (the input first, then the sites) the mean score of every combination that could be asked, and `ids`
      of these.
    - `shuffled`: per place the mean score under every shuffle; without columns when no shuffles were asked for.
    - `novel`, `novel_input`: the mean score of every novel combination that could be asked, at the best place and from the
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
        """The best place again, under every shuffle."""
        return self.shuffled.amax(0)

    @cached_property
    def best(self) -> int:
        """The place with the highest mean score: one rule for this network, its copies and the shuffles."""
        return int(self.units.mean(1).argmax())


Places = Mapping[str, ProbeFeatures]
Answers = Mapping[str, Sequence[Answer]]
"""By place, an answer to every question."""


def decode(places: Places, answers: Answers, questions: Sequence[BlockQuestion], *, with_shuffles: bool) -> dict[str, Decoded]:
    """Every readout by name, from the answers of all places to all questions.

    Novel examples are asked at the best place alone.
    """
    decoded: dict[str, Decoded] = {}
    for index, question in enumerate(questions):
        report("scoring readouts", 0.5 + 0.5 * index / len(questions))
        found = [answers[place][index] for place in places]
        units = torch.stack([answer.units for answer in found], 1)
        shuffled = shuffled_scores(found, question) if with_shuffles else torch.zeros(len(units), len(found), 0)
        best = units.nanmean(2).nan_to_num(-torch.inf).argmax(1)
        at_best = _novel_units(question, places, found, best)
        from_input = _novel_units(question, places, found, torch.full_like(best, list(places).index(INPUT)))
        for k, readout in enumerate(question.block.readouts):
            asked, known = ~units[k, 0].isnan(), ~at_best[k].isnan()
            novel = at_best[k][known], from_input[k][known], question.novel.ids[known] if question.novel else at_best[k].long()
            ids = question.block.readouts[0].combination.unique()[asked]
            decoded[readout.name] = Decoded(readout, tuple(places), units[k][:, asked], shuffled[k], *novel, ids)
    return decoded


def _novel_units(
    question: BlockQuestion, places: Places, answers: Sequence[Answer], where: Int[Tensor, " k"]
) -> list[Float[Tensor, " u"]]:
    """For every readout the mean scores of the novel combinations, each read at a place of its own; NaN where not asked."""
    units = [torch.zeros(0)] * len(where)
    if question.novel is None:
        return units
    for index, (place, answer) in enumerate(zip(places.values(), answers, strict=True)):
        columns = (where == index).nonzero()[:, 0]
        if len(columns):
            predictions = place.predict_novel(answer.weights[:, columns].flatten(1), answer.offset[columns].flatten())
            means = question.novel.unit_means(predictions, columns)
            for k, column in zip(columns.tolist(), means.T, strict=True):
                units[k] = column
    return units
