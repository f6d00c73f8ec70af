"""Binding in lists of entities: the lists that are drawn, and the reading of one network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.entities import NOVEL, Contexts, ListsEntities, Pairs, Written
from assay.errors import AssayError
from assay.evidence import Interval
from assay.instrument import Control, NotEnough, Random, Reading, Values
from assay.instruments.binding import metrics
from assay.instruments.binding.asked import Asked, ask, contrast, listed, logits, right, unlisted
from assay.instruments.binding.metrics import BindingBudget, values_of, values_of_lowest
from assay.instruments.binding.mixture import LEAST, CrossedLists, Mixture, crossed, fit_mixture, said_of_places
from assay.instruments.binding.scores import LEARNED, NormalisedScore, Word, composite, normalised, word
from assay.instruments.binding.swaps import (
    NULL_PATCHES,
    Pairing,
    Patched,
    Signature,
    Swap,
    pairing,
    patch_all,
    signature,
    stream,
    swap_curve,
    swapped,
    who_swaps,
)
from assay.stats import MIN_UNITS, ClusterMeans, cluster_means, mean_interval
from assay.subject import Subject
from assay.task import Task

SIGNED_AT = 3
"""Length of the lists whose states are patched: in lists of two, excluding one entity looks like naming the other."""
HOW = {
    "unlisted names": "the paired contrast of queries for entities that are not in the list",
    "co-occurrence": "the listed attribute that the queried entity had most often in training",
    "place": "the attribute at one fixed place of the list, that with the highest accuracy",
    "guess": "one of the listed attributes at random",
    "world pairing": "the attribute that the queried entity had most often in training, listed or not",
    "unrelated token": "the state of an unrelated token is patched, not those of the pair",
    "random vector": "a random vector of equal norm is patched in, not the states of the pair",
}


@dataclass(frozen=True)
class Inside:
    """Results of patches and swaps. `curve`: the contrast, -1 to 1, after each swap at every site; `mixtures`: the mixture of
    mechanisms at every site; `tables`: for each swap at the patched site, the place from which each query is answered."""

    sites: tuple[str, ...]
    patched: Patched
    signature: Signature
    curve: Mapping[Swap, Float[Tensor, "sites n"]]
    mixtures: Mapping[str, Mixture]
    tables: Mapping[Swap, Float[Tensor, "k others"]]


@dataclass(frozen=True)
class ListsKept:
    """What the summary and figures need. `base`: the list length at which scores are read; `ceiling`: the accuracy there;
    `answered`: by list length, the attribute answered for every entity of the lists."""

    base: int
    ceiling: float
    accuracy: Mapping[int, Float[Tensor, " n"]]
    answered: Mapping[int, Int[Tensor, "n k"]]
    novel: Mapping[tuple[Pairs, int], Float[Tensor, " c"]]
    scores: Mapping[str, NormalisedScore]
    learned: Interval | None
    word: Word
    inside: Inside | None


@dataclass(frozen=True)
class ListsDraw:
    """The data. `asked`: by list length, queries for all listed entities and for as many unlisted ones; `changed`: the same
    lists with another attribute at the first place, and queries for the first and last entity; `novel`: queries for the pair
    never bound in training, by kind of novelty and list length."""

    task: Task
    budget: BindingBudget
    sizes: tuple[int, ...]
    asked: Mapping[int, Asked]
    changed: Mapping[int, Asked]
    novel: Mapping[tuple[Pairs, int], Asked]
    pairs: tuple[Pairing, Pairing] | None
    crossed: CrossedLists | None
    known: Float[Tensor, "entities attributes"]
    not_drawn: tuple[str, ...]

    @classmethod
    def draw(cls, task: Task, budget: BindingBudget, rng: Random) -> "ListsDraw":
        """**Raises:** `NotEnough` for fewer than five trained lists of some size."""
        if not isinstance(task, ListsEntities):
            raise AssayError("a task that binds entities in lists must be a ListsEntities", given=type(task).__name__)
        lists: ListsEntities = task
        _check_answers(task, lists)

        def drawn(size: int, pairs: Pairs, *key: str | int) -> Contexts:
            found = lists.contexts(budget.contexts, size=size, pairs=pairs, generator=rng(pairs, size, *key))
            return found.in_canonical_order()

        asked, changed = {}, {}
        for size in (*lists.sizes, *lists.larger):
            contexts = drawn(size, "trained")
            if len(contexts) < MIN_UNITS:
                raise NotEnough(f"{len(contexts)} lists of {size} trained pairs, and {MIN_UNITS} are needed")
            others = unlisted(contexts, lists.num_entities, num=size, generator=rng("unlisted", size))
            asked[size] = ask(lists, contexts, torch.cat([contexts.entities, others], 1))
            changed[size] = ask(lists, _changed(contexts, lists.trained_with(), rng), contexts.entities[:, [0, -1]])
        novel, not_drawn = {}, []
        for size in lists.sizes:
            for pairs in NOVEL:
                if pairs == "role" and size == 2:
                    continue  # the queried pair would always be at the second place
                try:
                    contexts = drawn(size, pairs)
                except AssayError as error:
                    not_drawn.append(
                        f"New pairs of the kind {pairs} in lists of {size}, which could not be drawn ({error.rule})."
                    )
                    continue
                novel[pairs, size] = ask(lists, contexts, contexts.at(contexts.queried)[0][:, None])
        both = None
        if SIGNED_AT in asked:
            halves = [pairing(lists, drawn(SIGNED_AT, "trained", side), drawn(SIGNED_AT, "trained", side, "source"))
                      for side in ("choosing", "judging")]  # fmt: skip
            if all(len(half.target.contexts) >= MIN_UNITS for half in halves):
                both = halves[0], halves[1]
        longest = max(lists.sizes)
        mixed = None
        if longest >= SIGNED_AT and len(asked[longest].contexts) >= 2 * LEAST:
            mixed = crossed(lists, drawn(longest, "trained", "mixed"), generator=rng("mixed"))
        known = lists.trained_with()
        return cls(task, budget, lists.sizes, asked, changed, novel, both, mixed, known, tuple(not_drawn))

    def read(self, network: Subject, rng: Random, own: ListsKept | None) -> Reading:
        """Read one network. `own`: for an untrained copy, the reading of the network under test."""
        said = {size: logits(network, asked) for size, asked in self.asked.items()}
        accuracy = {size: right(said[size], asked)[:, :size].float().mean(1) for size, asked in self.asked.items()}
        base = own.base if own else self._base(accuracy)
        ceiling = own.ceiling if own else float(accuracy[base].mean())
        values = [self._accuracy(size, units) for size, units in accuracy.items()]
        values += [one for size in self.asked if (one := self._illusory(size, said[size])) is not None]
        values.append(self._isolation(network, base, said[base]))
        scores = {"separation": self._separation(base, said[base])}
        raw = {"separation": metrics.raw_of(scores["separation"], "paired contrast, chance .5")}
        values.append(values_of(metrics.SEPARATION, scores["separation"], HOW, raw=raw["separation"]))
        found: dict[tuple[Pairs, int], Tensor] = {}
        for (pairs, size), asked in self.novel.items():
            combined, nulls = self._of_novel(network, asked)
            found[pairs, size] = combined.means
            values.append(self._novel_accuracy(pairs, size, combined, nulls))
            if size == base:
                # With an accuracy on trained pairs below that of the nulls, the ceiling is below the null: no score exists.
                name = f"reuse, {pairs}"
                scores[name] = normalised(combined.means, nulls, ceiling=ceiling)
                raw[name] = metrics.raw_of(scores[name], "accuracy", combined.ids if scores[name].value is not None else None)
                values.append(values_of(metrics.REUSE, scores[name], HOW, raw=raw[name], about={"pairs": pairs}))
        reused = len(scores) > 1
        lowest = composite(scores, generator=rng("lowest")) if reused else None
        values.append(values_of_lowest(lowest, scores["separation"].units, raw))
        inside = self._inside(network, said, rng) if self.pairs else None
        if inside is not None:
            values += self._transplant(inside)
        learned = mean_interval(accuracy[base], bounds=(0.0, 1.0))
        told: Word = word(learned, list(scores.values())) if reused else "undecided"
        answered = {size: each.argmax(2)[:, :size] for size, each in said.items()}
        return Reading(values, ListsKept(base, ceiling, accuracy, answered, found, scores, learned, told, inside))

    def _base(self, accuracy: Mapping[int, Tensor]) -> int:
        """The largest list length in training that was learned; if none was, the smallest."""
        intervals = {size: mean_interval(accuracy[size], bounds=(0.0, 1.0)) for size in self.sizes}
        learned = [size for size, interval in intervals.items() if interval is not None and interval.low >= LEARNED]
        return max(learned, default=min(self.sizes))

    def _separation(self, size: int, said: Float[Tensor, "n q attributes"]) -> NormalisedScore:
        asked = self.asked[size]
        known = self.known[asked.contexts.entities]
        nulls = {
            "unlisted names": contrast(listed(said, asked.contexts)[:, size:]),
            "co-occurrence": contrast(listed(known, asked.contexts)),
        }
        return normalised(contrast(listed(said, asked.contexts)[:, :size]), nulls)

    def _accuracy(self, size: int, units: Float[Tensor, " n"]) -> Values:
        guess = Control(name="guess", how=HOW["guess"], values=torch.full((1, len(units)), 1 / size))
        note = "" if size in self.sizes else "longer than any trained list"
        return Values(metric=metrics.ACCURACY.key, about={"entities": str(size)}, units=units, controls=(guess,), note=note)

    def _illusory(self, size: int, said: Float[Tensor, "n q attributes"]) -> Values | None:
        """The share of errors that name another listed attribute."""
        asked = self.asked[size]
        wrong = ~right(said, asked)[:, :size]
        ids = wrong.any(1).nonzero()[:, 0]
        if len(ids) < MIN_UNITS:
            return None
        named = asked.places_of(said.argmax(2))[:, :size] < size
        share = (named & wrong).float().sum(1)[ids] / wrong.float().sum(1)[ids]
        chance = (size - 1) / (said.shape[2] - 1)
        control = Control(name="any attribute", how="wrong attributes at random", values=torch.full((1, len(ids)), chance))
        about = {"entities": str(size)}
        return Values(metric=metrics.ILLUSORY.key, about=about, units=share, ids=ids, controls=(control,))

    def _isolation(self, network: Subject, size: int, said: Float[Tensor, "n q attributes"]) -> Values:
        """1 minus leakage when the attribute of the first entity changes: the movement of the answer for the last entity, as a
        share of that for the first. Movement is the total variation distance of the answer distributions."""
        after = logits(network, self.changed[size]).softmax(2)
        before = said[:, [0, size - 1]].softmax(2)
        first, last = (((after - before).abs().sum(2) / 2).double()).unbind(1)
        if float(first.mean()) < 1e-6:
            return Values(metric=metrics.ISOLATION.key, units=torch.zeros(0), reason="no answer moves with its own attribute")
        value = 1 - float(last.mean() / first.mean())
        units = value - (last - (1 - value) * first) / first.mean()
        return Values(metric=metrics.ISOLATION.key, units=units, bounds=None if value < 0 else (-1.0, 1.0))

    def _of_novel(self, network: Subject, asked: Asked) -> tuple[ClusterMeans, dict[str, Tensor]]:
        """Accuracy for every pair that was queried, and the same of the nulls."""
        contexts, (entity, attribute) = asked.contexts, asked.contexts.at(asked.contexts.queried)
        pair = self.pair_of(asked)

        def by_pair(units: Tensor) -> Tensor:
            return cluster_means(units.float(), pair).means

        known = self.known[entity]
        here = known.gather(1, contexts.attributes)
        highest = here == here.amax(1, keepdim=True)
        rows = torch.arange(len(contexts))
        best_place = int(torch.bincount(contexts.queried).argmax()) if len(contexts) else 0
        of_world = (known == known.amax(1, keepdim=True)).float()
        nulls = {
            "co-occurrence": by_pair(highest[rows, contexts.queried].float() / highest.sum(1)),
            "place": by_pair((contexts.queried == best_place).float()),
            "guess": by_pair(torch.full((len(contexts),), 1 / contexts.size)),
            "world pairing": by_pair(of_world[rows, attribute] / of_world.sum(1)),
        }
        return cluster_means(right(logits(network, asked), asked)[:, 0].float(), pair), nulls

    def pair_of(self, asked: Asked) -> Int[Tensor, " n"]:
        """The queried pair of every list, as a number."""
        entity, attribute = asked.contexts.at(asked.contexts.queried)
        return entity * self.known.shape[1] + attribute

    def _novel_accuracy(self, pairs: Pairs, size: int, combined: ClusterMeans, nulls: Mapping[str, Tensor]) -> Values:
        controls = tuple(Control(name=name, how=HOW[name], values=null[None]) for name, null in nulls.items())
        about = {"pairs": pairs, "entities": str(size)}
        return Values(metric=metrics.NOVEL.key, about=about, units=combined.means.float(), ids=combined.ids, controls=controls)

    def _inside(self, network: Subject, said: Mapping[int, Tensor], rng: Random) -> Inside | None:
        assert self.pairs is not None
        choosing, judging = self.pairs
        sites = stream(network, choosing.target, choosing.source, most=self.budget.sites)
        patched = patch_all(network, choosing, judging, sites, generator=rng("patches"))
        asked = self.asked[SIGNED_AT]
        contexts = asked.contexts
        listing = replace(asked, entities=contexts.entities, written=_first(asked, SIGNED_AT))
        curve = swap_curve(network, listing, sites) if sites else {}
        kinds = cast(Sequence[Swap], ("attributes", "entities")) if patched.site else ()
        said_after = swapped(network, listing, patched.site, kinds) if kinds else {}
        tables = {what: who_swaps(after, listing) for what, after in said_after.items()}
        return Inside(tuple(sites), patched, signature(patched), curve, self._mixtures(network, sites), tables)

    def _mixtures(self, network: Subject, sites: Sequence[str]) -> dict[str, Mixture]:
        lists = self.crossed
        if lists is None:
            return {}
        train = torch.arange(len(lists.places)) % 2 == 0
        size = lists.into.contexts.size
        answered = {site: said_of_places(network, lists, site).argmax(1) for site in sites}
        return {site: fit_mixture(places, lists.places, size=size, train=train) for site, places in answered.items()}

    def _transplant(self, inside: Inside) -> list[Values]:
        """Transplantation: how often a pair that is patched into another list determines the answer there."""
        patched = inside.patched
        if not patched.site:
            return []
        controls = tuple(
            Control(name=name, how=HOW[name], values=patched.patched[name][None, :, 1, 1]) for name in NULL_PATCHES
        )
        units = patched.patched["both"][:, 1, 1]
        return [Values(metric=metrics.TRANSPLANT.key, units=units, controls=controls, where={"site": patched.site})]


def _changed(contexts: Contexts, known: Float[Tensor, "entities attributes"], rng: Random) -> Contexts:
    """The lists with another attribute at the first place: an unlisted one, if possible trained with the entity there."""
    cost = torch.zeros(len(contexts), known.shape[1]).scatter_(1, contexts.attributes, 4.0)
    cost += 2 * (known[contexts.entities[:, 0]] == 0)
    new = (torch.rand(cost.shape, generator=rng("changed", contexts.size)) + cost).argmin(1)
    attributes = contexts.attributes.clone()
    attributes[:, 0] = new
    return replace(contexts, attributes=attributes)


def _first(asked: Asked, num: int) -> Written:
    """The written rows of the first `num` queries of each context."""
    total = asked.entities.shape[1]
    kept = (torch.arange(len(asked.contexts) * total) % total) < num
    written = asked.written
    return replace(
        written,
        inputs={name: column[kept] for name, column in written.inputs.items()},
        entity_at=written.entity_at[kept],
        attribute_at=written.attribute_at[kept],
        unrelated_at=written.unrelated_at[kept],
    )


def _check_answers(task: Task, lists: ListsEntities) -> None:
    width = task.objective.width()
    if len(lists.answers) and int(lists.answers.max()) >= width:
        raise AssayError("every attribute must have an output of its own", given=f"{width} outputs")
