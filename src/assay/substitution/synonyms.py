"""Synonyms: novel combinations that differ from trained ones only in values that act identically."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from assay.substitution.fragments import Links, links, ranges, runs
from assay.substitution.keys import distinct, key_of, key_tables, members
from assay.substitution.trained import NO_ANSWER, Trained, all_seen, components, majority


@dataclass(frozen=True)
class Synonyms:
    """Masks of the novel combinations that are synonyms of trained ones, and the answers of these (`NO_ANSWER` elsewhere)."""

    one_exchange: Bool[np.ndarray, " m"]
    many: Bool[np.ndarray, " m"]
    answer: Int[np.ndarray, " m"]


def synonyms(trained: Trained, novel: Int[np.ndarray, "m p"]) -> Synonyms:
    """Synonyms among novel combinations; a combination with an untrained value is none."""
    alike = [_alike(trained, part) for part in range(novel.shape[1])]
    seen = all_seen(trained, novel)
    rows = np.flatnonzero(seen)
    one = np.zeros(len(novel), bool)
    for part, (kind, neighbours) in enumerate(alike):
        if len(neighbours) == trained.sizes[part] and not neighbours.has_edges:
            continue  # no two values act identically
        tables = key_tables([*trained.sizes[:part], len(neighbours), *trained.sizes[part + 1 :]])
        own = key_of(_with(trained.values, part, kind), tables)
        pair, other = neighbours.expand(kind[novel[rows, part]])
        wanted = key_of(_with(novel[rows], part, kind), tables)[pair]
        wanted += tables[part][other] - tables[part][kind[novel[rows[pair], part]]]
        one[rows[pair[members(wanted, distinct(own))]]] = True
    many, answer = _many(trained, novel, rows, alike)
    return Synonyms(one, many, answer)


def _with(values: Int[np.ndarray, "n p"], part: int, kind: Int[np.ndarray, " v"]) -> Int[np.ndarray, "n p"]:
    moved = values.copy()
    moved[:, part] = kind[values[:, part]]
    return moved


def _many(
    trained: Trained, novel: Int[np.ndarray, "m p"], rows: Int[np.ndarray, " seen"], alike: Sequence[tuple]
) -> tuple[Bool[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Synonyms with exchanges in any number of parts. Parts in which acting identically is transitive need no search: their
    classes are compared."""
    classes = [neighbours.classes() for _, neighbours in alike]
    tables = key_tables([len(neighbours) for _, neighbours in alike])
    searched = [part for part, found in enumerate(classes) if found is None]
    own = np.zeros(len(trained), np.uint64)
    wanted = np.zeros(len(rows), np.uint64)
    at = np.arange(len(rows))
    for part in sorted(range(len(alike)), key=searched.__contains__):
        kind, neighbours = alike[part]
        mine, theirs = kind[trained.values[:, part]], kind[novel[rows, part]]
        if (found := classes[part]) is not None:
            own += tables[part][found[mine]]
            wanted += tables[part][found[theirs]]
            continue
        own += tables[part][mine]
        pair, other = neighbours.expand(theirs[at])
        at, wanted = at[pair], wanted[pair] + tables[part][other]
        known = members(wanted, distinct(own))
        at, wanted = at[known], wanted[known]
    many = np.zeros(len(novel), bool)
    answer = np.full(len(novel), NO_ANSWER)
    ids, inverse = np.unique(own, return_inverse=True)
    place = np.minimum(np.searchsorted(ids, wanted), max(0, len(ids) - 1))
    hit = ids[place] == wanted if len(ids) else np.zeros(len(wanted), bool)
    at, place = at[hit], place[hit]
    many[rows[at]] = True
    order, counts = np.argsort(inverse, kind="stable"), np.bincount(inverse, minlength=len(ids))
    if not searched:  # one group of trained rows for every novel row
        answer[rows[at]] = majority(inverse, trained.votes, len(ids))[place]
        return many, answer
    each = counts[place]
    voters = order[ranges((np.cumsum(counts) - counts)[place], each)]
    answer[rows] = majority(np.repeat(at, each), trained.votes[voters], len(rows))
    return many, answer


class _Neighbours(NamedTuple):
    """Adjacency lists of the kinds that act identically: `right[starts[a] : starts[a + 1]]` for kind a, including itself."""

    starts: Int[np.ndarray, " kinds1"]
    right: Int[np.ndarray, " edges"]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def has_edges(self) -> bool:
        return len(self.right) > len(self)

    def expand(self, kinds: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
        """All pairs of a given kind and one that acts identically: index of the given one, and the other kind."""
        counts = np.diff(self.starts)[kinds]
        return np.repeat(np.arange(len(kinds)), counts), self.right[ranges(self.starts[kinds], counts)]

    def classes(self) -> Int[np.ndarray, " kinds"] | None:
        """The class of every kind if acting identically is transitive, else None."""
        left = np.repeat(np.arange(len(self)), np.diff(self.starts))
        label = components(len(self), left, self.right)
        size = np.bincount(label, minlength=len(self))
        return label if (np.diff(self.starts) == size[label]).all() else None


def _alike(trained: Trained, part: int) -> tuple[Int[np.ndarray, " values"], _Neighbours]:
    """Kind of every value (values of one kind were observed in the same contexts with the same answers), and which kinds act
    identically. There are fewer kinds than values."""
    size = trained.sizes[part]
    kind = _kinds(trained, part)
    first = np.unique(kind, return_index=True)[1]
    rows = np.flatnonzero(np.isin(trained.values[:, part], first))
    few = Trained(
        trained.values[rows],
        trained.answers[rows],
        trained.votes[rows],
        trained.contradicted[rows],
        trained.first[rows],
        trained.sizes,
        trained.num_answers,
    )
    found = links(few, (part,), 1, every=True) if len(few) else Links(np.zeros(0, int), np.zeros(0, int))
    a, b = (kind[few.values[side, part]] for side in found)
    count = int(kind.max(initial=-1)) + 1
    edges = np.unique(np.concatenate([a, b, np.arange(count)]) * count + np.concatenate([b, a, np.arange(count)]))
    starts = np.searchsorted(edges, np.arange(count + 1) * count) if count else np.zeros(1, int)
    assert len(kind) == size
    return kind, _Neighbours(starts, edges % max(1, count))


def _kinds(trained: Trained, part: int) -> Int[np.ndarray, " values"]:
    """Kind of every value: equal for values with the same observations. A value with a contradicted combination is alone in its
    kind."""
    values = trained.values[:, part]
    order = np.lexsort((trained.whole - trained.columns[part], values))
    context = (trained.whole - trained.columns[part])[order]
    answers = trained.answers[order]
    starts, ends = runs(values[order].astype(np.uint64))
    known: dict[bytes, int] = {}
    kind = np.full(trained.sizes[part], -1)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        observed = context[start:end].tobytes() + answers[start:end].tobytes()
        kind[values[order[start]]] = known.setdefault(observed, len(known))
    unseen = kind < 0
    kind[unseen] = len(known) + np.arange(unseen.sum())
    return kind
