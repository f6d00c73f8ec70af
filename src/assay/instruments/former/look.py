"""What one network shows of one part: the rule applied to the pairs that lead to novel combinations, and to the others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.instruments.former.forms import Form
from assay.instruments.former.search import Chosen, Inside, Tried, choose, transplants
from assay.instruments.former.states import Design
from assay.observed import Exchange, Observed, Scramble
from assay.stats import MIN_UNITS, cluster_means

Kind = Literal["novel, side by side", "novel", "seen", "novel, past the mixing", "novel, of prototypes"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The first that can be asked comes first in a report, as it does in the verdict. Where no exchange leads to a novel
combination, the weaker evidence of trained ones is all there is."""


@dataclass(frozen=True)
class Units:
    """Scores by combination: `ids` and `means` `(c,)`, and the share of pairs that counted."""

    ids: Int[Tensor, " c"]
    means: Float[Tensor, " c"]
    counted: float

    def of(self, ids: Int[Tensor, " k"]) -> Float[Tensor, " k"]:
        """The means of these combinations; the overall one where there is none, 0 where nothing counted at all."""
        overall = float(self.means.mean()) if len(self.means) else 0.0
        same = ids[:, None] == self.ids
        found = (same.double() @ self.means) if len(self.ids) else torch.zeros(len(ids), dtype=torch.float64)
        return found.where(same.any(1), overall)


@dataclass(frozen=True)
class Look:
    """Everything tried on one part.

    **Attributes:**

    - `mixed`: the sites past which parts no longer stand side by side.
    - `known`: the pairs that have a target.
    """

    observed: Observed
    exchange: Exchange
    tried: Tried
    mixed: Sequence[str]
    known: Bool[Tensor, " p"]

    @classmethod
    def at(
        cls,
        inside: Inside,
        exchange: Exchange,
        design: Design,
        *,
        mixed: Sequence[str],
        random: Generator | None = None,
        scrambled: Sequence[Scramble] = (),
    ) -> "Look":
        """Try; `random` as in `transplants`, `scrambled`: what else the outputs are scored against."""
        known = torch.ones(len(exchange), dtype=torch.bool)
        others = [scramble.targets for scramble in scrambled]
        tried = transplants(inside, design, exchange, random=random, others=others)
        return cls(inside.observed, exchange, tried, mixed, known)

    def rescored(self, number: int, known: Bool[Tensor, " p"]) -> "Look":
        """The same against one of the other targets, where these are known."""
        return replace(self, tried=self.tried.rescored(number), known=known)

    def pairs(self, kind: Kind) -> Bool[Tensor, " p"]:
        """Which pairs are of the kind and have a target."""
        return self.known & (~self.exchange.novel if kind == "seen" else self.exchange.novel)

    def open(self, kind: Kind) -> Tried:
        """The candidates among which the rule may choose."""
        forms: tuple[Form, ...] = ("prototypes",) if kind == "novel, of prototypes" else ("subspace", "prototype")
        sites = {site for site, _ in self.tried.candidates}
        if kind == "novel, side by side":
            sites -= set(self.mixed)
        elif kind == "novel, past the mixing":
            sites &= set(self.mixed)
        return self.tried.only(sites, forms)

    def chosen(self, kind: Kind) -> Chosen:
        """What the rule chooses among them."""
        fold = self.observed.fold[self.exchange.base]
        return choose(self.open(kind), fold, self.pairs(kind), num_folds=self.observed.num_folds)

    def units(self, kind: Kind) -> Units:
        """The mean score of every combination that the pairs which count lead to."""
        chosen, wanted = self.chosen(kind), self.pairs(kind)
        counted = chosen.counted & wanted
        ids, means, _ = cluster_means(chosen.scores[counted], self.exchange.combination[counted])
        return Units(ids, means, float(counted.sum()) / max(1, int(wanted.sum())))

    def ceiling(self, inside: Inside, kind: Kind) -> float | None:
        """The better of two controls: the whole state of the source at the places chosen, scored against the source's own
        targets; and what the same search finds for the exchanges that lead to trained combinations. The second is for places
        that hold one part alone: the whole state there decides nothing."""
        chosen, tried = self.chosen(kind), self.open(kind)
        fold = self.observed.fold[self.exchange.base]
        whole = []
        for k, number in enumerate(chosen.candidates):
            rows = (fold == k) & chosen.counted
            if number < 0 or not bool(rows.any()):
                continue
            site, source = tried.candidates[number][0], self.exchange.source[rows]
            outputs = inside.outputs(site, inside.states[site][source], self.exchange.base[rows])
            whole.append(self.observed.objective.score(outputs, self.observed.examples.targets[source]))
        controls = [torch.cat(whole)] if whole else []
        if kind != "seen":
            trained = choose(tried, fold, self.pairs("seen"), num_folds=self.observed.num_folds)
            controls.append(trained.scores[trained.counted])
        return max((float(scores.mean()) for scores in controls if len(scores) >= MIN_UNITS), default=None)

    def rows(self, part: str) -> list[tuple[str | float | int | None, ...]]:
        """A row for every candidate: its mean score on the pairs that count, novel and seen, and the share of these."""
        found: list[tuple[str | float | int | None, ...]] = []
        for (site, form), scores, counted in zip(self.tried.candidates, self.tried.scores, self.tried.counted, strict=True):
            of_kind = [scores[counted & self.pairs(kind)] for kind in ("novel", "seen")]
            means = [float(one.mean()) if len(one) else None for one in of_kind]
            found.append((part, site, form, *means, float(counted.float().mean())))
        return found
