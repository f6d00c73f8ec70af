"""Every gold edge once, with what the prediction got right of it: each rate and each breakdown is a mean over some of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.evidence import Interval
from assay.instruments.polar.decode import Decoded, How, decode
from assay.instruments.polar.fit import Probes
from assay.instruments.polar.targets import Sample, in_order
from assay.stats import mean_interval

Rate = Literal["UUAS", "UAS", "LAS", "type accuracy"]
RATES: tuple[Rate, ...] = ("UUAS", "UAS", "LAS", "type accuracy")


@dataclass(frozen=True)
class Scored:
    """The gold edges of a sample under one probe.

    **Attributes:**

    - `text`, `relation`, `span` (|i - j|), `depth` (of the dependent), `length` (of the text): of every edge `(e,)`.
    - `right` `(4, e)`: found in either direction, found in its own, found with its relation, and given the right relation where
      its ends are told: the rows of `RATES`.
    - `root` `(texts,)`: whether the root is right; NaN where a text has none.
    - `num_texts`: how many there are, with and without edges.
    """

    text: Int[Tensor, " e"]
    relation: Int[Tensor, " e"]
    span: Int[Tensor, " e"]
    depth: Int[Tensor, " e"]
    length: Int[Tensor, " e"]
    right: Bool[Tensor, "4 e"]
    root: Float[Tensor, " texts"]
    num_texts: int

    def counts(self, rate: Rate) -> tuple[Float[Tensor, " texts"], Float[Tensor, " texts"]]:
        """Of every text how many edges are right, and how many there are."""
        right = self.right[RATES.index(rate)].double()
        zero = torch.zeros(self.num_texts, dtype=torch.float64)
        return zero.index_add(0, self.text, right), zero.index_add(0, self.text, torch.ones_like(right))

    def micro(self, rate: Rate) -> float:
        """Of all edges. NaN without any."""
        return float(self.right[RATES.index(rate)].double().mean())

    def macro(self, rate: Rate) -> float:
        """The mean over texts that have edges."""
        right, total = self.counts(rate)
        return float((right / total)[total > 0].mean())

    def balanced(self) -> float:
        """Type accuracy, the mean over relations that occur and were seen in training."""
        return float(torch.tensor([float(self.right[3][self.relation == k].double().mean()) for k in self._seen()]).mean())

    def root_accuracy(self) -> float:
        """Of the texts that have one root."""
        return float(self.root[~self.root.isnan()].mean())

    def _seen(self) -> list[int]:
        return [k for k in self.relation.unique().tolist() if k >= 0]


def score(probes: Probes, sample: Sample, *, how: How = "edges", punctuation: bool = True) -> list[Scored]:
    """Predict every text and compare, for every probe of the stack.

    **Arguments:** `punctuation`: whether nodes that are punctuation, and their edges, take part in gold and predicted graphs.
    """
    parts: list[list[tuple[Tensor, ...]]] = [[] for _ in range(len(probes))]
    roots = torch.full((len(probes), len(sample)), torch.nan)
    for batch in in_order(sample, 64):
        kept = batch.real.clone()
        for place, text in enumerate(batch.texts.tolist()):
            kept[place, : len(sample.targets[text])] &= punctuation | sample.targets[text].content
        decoded = decode(probes, sample, batch, how=how, kept=kept)
        place, head, dependent = batch.edges.unbind(1)
        asked = kept[place, head] & kept[place, dependent]
        described = (
            batch.texts[place],
            batch.relations,
            (head - dependent).abs(),
            batch.depths[place, dependent].long(),
            batch.real.sum(1)[place],
        )
        of_root, place_of_root = batch.roots[:, 1], batch.roots[:, 0]
        for p in range(len(probes)):
            right = _right(decoded, p, batch.edges, batch.relations)
            parts[p].append((*(column[asked] for column in described), right[:, asked]))
            roots[p, batch.texts[place_of_root]] = (decoded.root[p, place_of_root] == of_root).float()
    return [_joined(found, roots[p], len(sample)) for p, found in enumerate(parts)]


def _right(decoded: Decoded, p: int, edges: Int[Tensor, "e 3"], relations: Int[Tensor, " e"]) -> Bool[Tensor, "4 e"]:
    place, head, dependent = edges.unbind(1)
    forward, backward = decoded.edges[p, place, head, dependent], decoded.edges[p, place, dependent, head]
    return torch.stack(
        [
            (forward > 0) | (backward > 0),
            forward > 0,
            (forward > 0) & (forward == relations + 1),
            (decoded.types[p] == relations) & (relations >= 0),
        ]
    )


def _joined(parts: Sequence[tuple[Tensor, ...]], root: Float[Tensor, " texts"], num_texts: int) -> Scored:
    if not parts:
        none = torch.zeros(0, dtype=torch.int64)
        return Scored(none, none, none, none, none, torch.zeros(4, 0, dtype=torch.bool), root, num_texts)
    columns = [torch.cat(column, -1) for column in zip(*parts, strict=True)]
    return Scored(*columns, root=root, num_texts=num_texts)


def influence(right: Float[Tensor, " texts"], total: Float[Tensor, " texts"]) -> Float[Tensor, " texts"]:
    """What each text contributes to a rate over all edges, so that its mean over texts is the rate.

    A rate is a ratio of sums. To first order it is a mean of these values, (right - rate * total) / mean total + rate, so that
    every interval and test of means serves it (the delta method; the bootstrap over texts agrees, which is tested).
    """
    if not total.sum():
        return right.new_zeros(0)
    rate = right.sum() / total.sum()
    return rate + (right - rate * total) / total.mean()


def rate_interval(right: Float[Tensor, " texts"], total: Float[Tensor, " texts"]) -> Interval | None:
    """Interval of a rate over all edges, with texts as its units; None with too few of them."""
    return mean_interval(influence(right, total), bounds=(0.0, 1.0))
