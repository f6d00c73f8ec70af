"""Synonyms and k-coverage: which novel combinations follow from the trained ones by substitution alone.

Everything here works on value indices: a combination is a row with one value index per part, an answer is an id. No model
is involved.

*Fragment and context.* A strict, non-empty subset I of the parts splits a combination into a fragment (its values on I) and
a context (the others). *Functional k-equivalence* (Chang et al. 2025, The Coverage Principle, arXiv 2505.20278, definition
3.1): two fragments on I are equivalent when they are observed with the same answer in at least k contexts, and in no context
with different answers. *k-coverage*: join two combinations of the product space when they differ by one fragment that is
replaced by an equivalent one; covered is whatever hangs together with a trained combination, through combinations that need
occur nowhere. The equivalence is not transitive, the hanging together is.

*Synonyms*. Two values of a part act identically when they are 1-equivalent as fragments: in every context in which both are
observed they have the same answer, and there is at least one such context. Contexts in which only one of them is observed say
nothing. A novel combination is a synonym of a trained one when each of its values equals, or acts identically to, the value
of that trained combination; with one exchange, when only one value differs. Every synonym lies inside 1-coverage, since the
values can be exchanged one after another.

A trained combination with contradicting answers agrees with nothing: it is evidence against every equivalence that it takes
part in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.errors import AssayError

KS = (1, 2, 3)
MOST_PARTS = 16  # that vary: all subsets of them are searched
MOST_STATES = 1_000_000  # combinations visited before a chain is called undecided
_ROWS_FOR_ALL = 200_000  # up to here the classes of all fragments are found at once; above, only those that are asked for
_PAIRS_AT_ONCE = 4_000_000
_PAIRS_TOO_MANY = 40_000_000  # to list; above, fragments are compared as rows of a matrix
_CELLS_AT_ONCE = 50_000_000
_MIX = np.uint64(0x9E3779B97F4A7C15)
NO_ANSWER = -1

Keys = UInt64[np.ndarray, "..."]


@dataclass(frozen=True, eq=False)
class Trained:
    """The distinct trained combinations.

    **Attributes:**

    - `values`: one row each.
    - `answers`: the id of the answer; of a combination with contradicting answers an id of its own, that equals no other.
    - `votes`: the commonest answer of each, the one that comes first in the file among equals.
    - `contradicted`: which have more than one answer.
    - `first`: the row of the data at which each occurs first.
    """

    values: Int[np.ndarray, "n p"]
    answers: Int[np.ndarray, " n"]
    votes: Int[np.ndarray, " n"]
    contradicted: Bool[np.ndarray, " n"]
    first: Int[np.ndarray, " n"]
    sizes: tuple[int, ...]
    num_answers: int

    @classmethod
    def of(cls, values: Int[np.ndarray, "r p"], answers: Int[np.ndarray, " r"], sizes: Sequence[int]) -> "Trained":
        """From rows with repeats. `sizes` are the numbers of values of the parts."""
        tables = key_tables([*sizes, int(answers.max(initial=0)) + 1])
        combined = key_of(values, tables[:-1])
        order = np.lexsort((np.arange(len(answers)), answers, combined))
        same_row = np.zeros(len(order), bool)
        same_row[1:] = combined[order][1:] == combined[order][:-1]
        group = np.cumsum(~same_row) - 1
        same_answer = same_row.copy()
        same_answer[1:] &= answers[order][1:] == answers[order][:-1]
        starts = np.flatnonzero(~same_answer)  # of runs with one combination and one answer
        lengths = np.diff(np.append(starts, len(order)))
        # The longest run of a combination first; among equals the one that comes first in the data.
        ranked = np.lexsort((order[starts], -lengths, group[starts]))
        best = ranked[np.flatnonzero(np.diff(group[starts][ranked], prepend=-1))]
        contradicted = np.bincount(group[starts], minlength=len(best)) > 1
        first = np.full(len(best), len(order))
        np.minimum.at(first, group, order)
        own = np.argsort(first)
        chosen = order[starts[best]]
        votes = answers[chosen][own]
        contradicted = contradicted[own]
        num_answers = int(answers.max(initial=-1)) + 1
        distinct = votes.copy()
        distinct[contradicted] = num_answers + np.arange(contradicted.sum())
        return cls(
            values=values[first[own]],
            answers=distinct,
            votes=votes,
            contradicted=contradicted,
            first=first[own],
            sizes=tuple(sizes),
            num_answers=num_answers + int(contradicted.sum()),
        )

    def __len__(self) -> int:
        return len(self.answers)

    @cached_property
    def tables(self) -> list[Keys]:
        """Keys of every value of every part, and last of every answer."""
        return key_tables([*self.sizes, max(1, self.num_answers)])

    @cached_property
    def columns(self) -> UInt64[np.ndarray, "p n"]:
        """The key of every value of every row."""
        return np.stack([table[column] for table, column in zip(self.tables, self.values.T, strict=False)])

    @cached_property
    def whole(self) -> UInt64[np.ndarray, " n"]:
        """The key of every combination."""
        return self.columns.sum(0, dtype=np.uint64)

    @cached_property
    def _sorted(self) -> tuple[Keys, Int[np.ndarray, " n"]]:
        order = np.argsort(self.whole)
        return self.whole[order], order

    def find(self, wanted: Keys) -> Int[np.ndarray, "..."]:
        """The row with each key, -1 where it is not trained."""
        if not len(self):
            return np.full(wanted.shape, -1)
        keys, order = self._sorted
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, order[at], -1)

    @cached_property
    def varying(self) -> tuple[int, ...]:
        """The parts with more than one trained value. The others can be replaced by nothing."""
        return tuple(part for part in range(self.values.shape[1]) if len(np.unique(self.values[:, part])) > 1)


def key_tables(sizes: Sequence[int]) -> list[Keys]:
    """A 64-bit number for every value of every column, so that the sum over some columns is the key of their values.

    As long as the product of the sizes fits in 64 bits the sums are those of a positional system, and a key stands for one
    combination. Beyond that they are drawn at random, once for all: among n keys two are equal with probability n^2 / 2^65.
    """
    product = 1
    for size in sizes:
        product *= max(1, size)
    if product < 2**64:
        tables, step = [], 1
        for size in sizes:
            tables.append(np.arange(size, dtype=np.uint64) * np.uint64(step))
            step *= max(1, size)
        return tables
    generator = np.random.default_rng(0)
    return [generator.integers(0, 2**64, size, dtype=np.uint64) for size in sizes]


def key_of(values: Int[np.ndarray, "n p"], tables: Sequence[Keys], parts: Sequence[int] | None = None) -> Keys:
    """The key of every row on some parts, all by default."""
    chosen = range(values.shape[1]) if parts is None else parts
    keys = np.zeros(len(values), np.uint64)
    for part in chosen:
        keys += tables[part][values[:, part]]
    return keys


# Equivalent fragments


class Links(NamedTuple):
    """Pairs of equivalent fragments, each named by a trained row that holds it."""

    left: Int[np.ndarray, " pairs"]
    right: Int[np.ndarray, " pairs"]


def links(trained: Trained, subset: Sequence[int], k: int, *, seeds: Keys | None = None, every: bool = False) -> Links:
    """Pairs of functionally k-equivalent fragments on `subset`.

    **Arguments:**

    - `seeds`: sorted keys of fragments; only pairs with one of them on the left are given.
    - `every`: all pairs. Otherwise pairs may be left out whose fragments hang together through others that are given.
    """
    fragment = trained.columns[list(subset)].sum(0, dtype=np.uint64)
    context = trained.whole - fragment
    bucket = context + trained.tables[-1][trained.answers]
    own = np.arange(len(trained)) if seeds is None else _members(fragment, seeds)
    near = _repeated(bucket, own) if seeds is None else _members(bucket, np.unique(bucket[own]))
    left_ids, left_index = np.unique(fragment[own], return_inverse=True)
    degree = np.bincount(left_index, minlength=len(left_ids))
    near_ids, near_index = np.unique(fragment[near], return_inverse=True)
    if k > 1:  # a fragment needs k contexts that it shares with an equal answer
        enough = np.bincount(near_index, minlength=len(near_ids)) >= k
        near, near_index = near[enough[near_index]], near_index[enough[near_index]]
        near_ids, near_index = near_ids[enough], np.cumsum(enough)[near_index] - 1
    search = _Search(trained, fragment, context, own[np.argsort(left_index, kind="stable")], left_ids, degree)
    found: list[Links] = []
    order = np.lexsort((near_index, bucket[near]))
    near, near_index = near[order], near_index[order]
    starts, ends = _runs(bucket[near])
    if k == 1 and not every and len(near):
        # A fragment with a single context is equivalent to all that have the same answer there.
        total = degree if seeds is None else _degrees(fragment, near_ids)
        alone = (total[np.searchsorted(left_ids, near_ids)] if seeds is None else total)[near_index] == 1
        anchor = np.where(alone, np.arange(len(near)), len(near))
        anchor = np.minimum.reduceat(anchor, starts)
        anchor = np.repeat(anchor, ends - starts)
        joined = anchor < len(near)
        found.append(Links(near[joined], near[anchor[joined]]))
        near, near_index = near[~joined], near_index[~joined]
        starts, ends = _runs(bucket[near])
    found += _pairs(search, near, near_index, near_ids, starts, ends, k, ordered=seeds is not None)
    return Links(*(np.concatenate([getattr(part, side) for part in found] or [np.zeros(0, int)]) for side in Links._fields))


class _Search(NamedTuple):
    """The fragments whose equivalents are wanted: `rows` are theirs, fragment by fragment."""

    trained: Trained
    fragment: Keys
    context: Keys
    rows: Int[np.ndarray, " own"]
    ids: Keys
    degree: Int[np.ndarray, " fragments"]

    @property
    def starts(self) -> Int[np.ndarray, " fragments"]:
        return np.cumsum(self.degree) - self.degree

    def agree(self, left: Int[np.ndarray, " pairs"], right: Keys) -> Bool[np.ndarray, " pairs"]:
        """Whether no context shows fragment `left` (an index into `ids`) and fragment `right` with different answers."""
        alive, done, width = np.arange(len(left)), 0, 4
        kept = np.ones(len(left), bool)
        starts = self.starts
        while len(alive):
            alive = alive[self.degree[left[alive]] > done]
            for some in np.array_split(alive, max(1, len(alive) * width // _PAIRS_AT_ONCE)):
                counts = np.minimum(self.degree[left[some]] - done, width)
                rows = self.rows[_ranges(starts[left[some]] + done, counts)]
                pair = np.repeat(some, counts)
                other = self.trained.find(right[pair] + self.context[rows])
                kept[pair[(other >= 0) & (self.trained.answers[other] != self.trained.answers[rows])]] = False
            alive = alive[kept[alive]]
            done, width = done + width, 4 * width
        return kept


def _pairs(
    search: _Search,
    near: Int[np.ndarray, " near"],
    near_index: Int[np.ndarray, " near"],
    near_ids: Keys,
    starts: Int[np.ndarray, " buckets"],
    ends: Int[np.ndarray, " buckets"],
    k: int,
    *,
    ordered: bool,
) -> Iterator[Links]:
    """Pairs within buckets, which have context and answer in common, counted and then checked."""
    if not len(near):
        return
    stop = np.repeat(ends, ends - starts)
    first = np.repeat(starts, ends - starts) if ordered else np.arange(len(near)) + 1
    at = np.searchsorted(search.ids, near_ids)
    wanted = (at < len(search.ids)) & (search.ids[np.minimum(at, len(search.ids) - 1)] == near_ids)
    left = np.flatnonzero(wanted[near_index])
    left = left[np.argsort(near_index[left], kind="stable")]
    counts = (stop - first)[left]
    some_row = np.zeros(len(near_ids), int)
    some_row[near_index] = near
    if counts.sum() > _PAIRS_TOO_MANY and (dense := _Dense.of(search, near_ids, left, near_index)):
        for a, b in dense.pairs(k):
            yield Links(some_row[a], some_row[b])
        return
    # Whole fragments go together, so that all contexts of a pair are counted at once.
    fragments, begin = np.unique(near_index[left], return_index=True)
    volume = np.add.reduceat(counts, begin) if len(left) else np.zeros(0, int)
    batch = np.cumsum(volume) // _PAIRS_AT_ONCE
    for rows in np.split(left, begin[1:][np.diff(batch) > 0]) if len(left) else ():
        number = (stop - first)[rows]
        partner = near_index[_ranges(first[rows], number)]
        pair = np.repeat(near_index[rows], number) * len(near_ids) + partner
        pair, shared = np.unique(pair, return_counts=True)
        pair = pair[shared >= k]
        a, b = pair // len(near_ids), pair % len(near_ids)
        a, b = a[a != b], b[a != b]
        good = search.agree(at[a], near_ids[b])
        yield Links(some_row[a[good]], some_row[b[good]])


class _Dense(NamedTuple):
    """Fragments by contexts as one matrix of answers, for data in which most fragments meet in most contexts."""

    answers: Int[np.ndarray, "fragments contexts"]
    left: Int[np.ndarray, " left"]

    @classmethod
    def of(
        cls, search: _Search, ids: Keys, left: Int[np.ndarray, " rows"], index: Int[np.ndarray, " near"]
    ) -> "_Dense | None":
        contexts = np.unique(search.context[search.rows])
        if len(ids) * len(contexts) > _CELLS_AT_ONCE:
            return None
        rows = _members(search.fragment, ids)
        at = np.minimum(np.searchsorted(contexts, search.context[rows]), len(contexts) - 1)
        known = contexts[at] == search.context[rows]
        answers = np.full((len(ids), len(contexts)), -1, np.int32)
        answers[np.searchsorted(ids, search.fragment[rows[known]]), at[known]] = search.trained.answers[rows[known]]
        # The contexts with most fragments first: they decide most pairs.
        return cls(answers[:, np.argsort(-(answers >= 0).sum(0), kind="stable")], np.unique(index[left]))

    def pairs(self, k: int) -> Iterator[tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]]:
        for a in self.left.tolist():
            own = self.answers[a]
            seen = np.flatnonzero(own >= 0)
            others = np.arange(len(self.answers))
            shared = np.zeros(len(others), int)
            for begin in range(0, len(seen), 64):
                some = seen[begin : begin + 64]
                theirs = self.answers[np.ix_(others, some)]
                good = ((theirs == own[some]) | (theirs < 0)).all(1)
                shared = shared[good] + (theirs[good] >= 0).sum(1)
                others = others[good]
            others = others[(shared >= k) & (others != a)]
            yield np.full(len(others), a), others


def _members(keys: Keys, wanted: Keys) -> Int[np.ndarray, " found"]:
    """Where the keys are among the sorted `wanted` ones. A table of hashes sorts most of the others out first."""
    if not len(wanted):
        return np.zeros(0, int)
    bits = np.uint64(max(1, min(22, int(len(wanted)).bit_length() + 4)))
    hashed = np.zeros(1 << int(bits), bool)
    hashed[(wanted * _MIX) >> (np.uint64(64) - bits)] = True
    maybe = np.flatnonzero(hashed[(keys * _MIX) >> (np.uint64(64) - bits)])
    at = np.minimum(np.searchsorted(wanted, keys[maybe]), len(wanted) - 1)
    return maybe[wanted[at] == keys[maybe]]


def _repeated(keys: Keys, rows: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " found"]:
    """Those of the rows whose key another one has too."""
    ordered = np.sort(keys[rows])
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    return rows[_members(keys[rows], again)]


def _degrees(fragment: Keys, ids: Keys) -> Int[np.ndarray, " ids"]:
    rows = _members(fragment, ids)
    return np.bincount(np.searchsorted(ids, fragment[rows]), minlength=len(ids))


def _runs(ordered: Keys) -> tuple[Int[np.ndarray, " runs"], Int[np.ndarray, " runs"]]:
    """Where runs of equal keys start and end."""
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, int)
    return starts, np.append(starts[1:], len(ordered))[: len(starts)]


def _ranges(starts: Int[np.ndarray, " n"], counts: Int[np.ndarray, " n"]) -> Int[np.ndarray, " total"]:
    """start, start + 1, ... for every start, `count` numbers each."""
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - before, counts)


# Synonyms


@dataclass(frozen=True)
class Synonyms:
    """Which novel combinations are synonyms of trained ones, and what these answer (`NO_ANSWER` elsewhere)."""

    one_exchange: Bool[np.ndarray, " m"]
    many: Bool[np.ndarray, " m"]
    answer: Int[np.ndarray, " m"]


def synonyms(trained: Trained, novel: Int[np.ndarray, "m p"]) -> Synonyms:
    """The synonyms among novel combinations; a value that is never trained makes a row no synonym."""
    alike = [_alike(trained, part) for part in range(novel.shape[1])]
    seen = _all_seen(trained, novel)
    rows = np.flatnonzero(seen)
    one = np.zeros(len(novel), bool)
    for part, (kind, neighbours) in enumerate(alike):
        if len(neighbours) == trained.sizes[part] and not neighbours.has_edges:
            continue  # no value acts like another
        tables = key_tables([*trained.sizes[:part], len(neighbours), *trained.sizes[part + 1 :]])
        own = key_of(_with(trained.values, part, kind), tables)
        pair, other = neighbours.expand(kind[novel[rows, part]])
        wanted = key_of(_with(novel[rows], part, kind), tables)[pair]
        wanted += tables[part][other] - tables[part][kind[novel[rows[pair], part]]]
        one[rows[pair[np.isin(wanted, own)]]] = True
    many, answer = _many(trained, novel, rows, alike)
    return Synonyms(one, many, answer)


def _with(values: Int[np.ndarray, "n p"], part: int, kind: Int[np.ndarray, " v"]) -> Int[np.ndarray, "n p"]:
    moved = values.copy()
    moved[:, part] = kind[values[:, part]]
    return moved


def _many(
    trained: Trained, novel: Int[np.ndarray, "m p"], rows: Int[np.ndarray, " seen"], alike: Sequence[tuple]
) -> tuple[Bool[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Every value may be exchanged. Parts in which acting alike is transitive need no search: their classes are compared."""
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
        known = np.isin(wanted, own)
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
    voters = order[_ranges((np.cumsum(counts) - counts)[place], each)]
    answer[rows] = majority(np.repeat(at, each), trained.votes[voters], len(rows))
    return many, answer


class _Neighbours(NamedTuple):
    """Which kinds of value act alike: `right[starts[a] : starts[a + 1]]` for kind a, itself among them."""

    starts: Int[np.ndarray, " kinds1"]
    right: Int[np.ndarray, " edges"]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def has_edges(self) -> bool:
        return len(self.right) > len(self)

    def expand(self, kinds: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
        """For every given kind all that act like it: index of the given one, and the other kind."""
        counts = np.diff(self.starts)[kinds]
        return np.repeat(np.arange(len(kinds)), counts), self.right[_ranges(self.starts[kinds], counts)]

    def classes(self) -> Int[np.ndarray, " kinds"] | None:
        """The class of every kind where acting alike is transitive, else None."""
        left = np.repeat(np.arange(len(self)), np.diff(self.starts))
        label = _components(len(self), left, self.right)
        size = np.bincount(label, minlength=len(self))
        return label if (np.diff(self.starts) == size[label]).all() else None


def _alike(trained: Trained, part: int) -> tuple[Int[np.ndarray, " values"], _Neighbours]:
    """Kinds of value, where values of one kind were observed in the same contexts with the same answers, and which kinds
    act identically. What holds for one value holds for its kind, and there are fewer of them."""
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
    """Values with the same observations have one number. A contradicted combination is like no other, so its value is alone."""
    values = trained.values[:, part]
    order = np.lexsort((trained.whole - trained.columns[part], values))
    context = (trained.whole - trained.columns[part])[order]
    answers = trained.answers[order]
    starts, ends = _runs(values[order].astype(np.uint64))
    known: dict[bytes, int] = {}
    kind = np.full(trained.sizes[part], -1)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        observed = context[start:end].tobytes() + answers[start:end].tobytes()
        kind[values[order[start]]] = known.setdefault(observed, len(known))
    unseen = kind < 0
    kind[unseen] = len(known) + np.arange(unseen.sum())
    return kind


def _all_seen(trained: Trained, novel: Int[np.ndarray, "m p"]) -> Bool[np.ndarray, " m"]:
    seen = np.ones(len(novel), bool)
    for part, size in enumerate(trained.sizes):
        occurs = np.zeros(size, bool)
        occurs[trained.values[:, part]] = True
        seen &= occurs[novel[:, part]]
    return seen


def majority(group: Int[np.ndarray, " n"], answers: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " count"]:
    """The commonest answer of every group, the smallest id among equals; `NO_ANSWER` for an empty group."""
    found = np.full(count, NO_ANSWER)
    if len(group):
        width = int(answers.max()) + 1
        pairs, times = np.unique(group * width + answers, return_counts=True)
        order = np.lexsort((-(pairs % width), times))  # the last to be written stays
        found[pairs[order] // width] = pairs[order] % width
    return found


def _components(count: int, left: Int[np.ndarray, " edges"], right: Int[np.ndarray, " edges"]) -> Int[np.ndarray, " nodes"]:
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


# k-coverage


@dataclass(frozen=True)
class Reach:
    """What substitution reaches at one k.

    **Attributes:**

    - `inside`: which novel combinations lie inside k-coverage.
    - `undecided`: which of the others could not be followed to the end within `MOST_STATES` combinations.
    - `answer`: the commonest answer of the trained combinations reached by the fewest and smallest substitutions.
    """

    inside: Bool[np.ndarray, " m"]
    undecided: Bool[np.ndarray, " m"]
    answer: Int[np.ndarray, " m"]


def k_coverage(trained: Trained, novel: Int[np.ndarray, "m p"], k: int) -> Reach:
    """Whether each novel combination lies inside the k-coverage of the trained ones. Exact where `undecided` is false.

    Values that hang together through k-equivalent values are one class (subsets of one part). On classes of values, larger
    fragments are replaced breadth-first, subset by subset, the smallest first.

    **Raises:** `AssayError` for more than 16 parts that vary in training.
    """
    if len(trained.varying) > MOST_PARTS:
        raise AssayError(
            f"k-coverage searches every subset of the parts, so at most {MOST_PARTS} of them may vary",
            given=f"{len(trained.varying)} parts",
            next_step="name fewer parts, or join several columns into one",
        )
    inside = np.zeros(len(novel), bool)
    undecided = np.zeros(len(novel), bool)
    answer = np.full(len(novel), NO_ANSWER)
    rows = np.flatnonzero(_all_seen(trained, novel))
    if len(rows) and len(trained):
        walk = _Walk(trained, k)
        states, of = walk.start(novel[rows])
        walk.run(states)
        inside[rows], undecided[rows], answer[rows] = walk.covered[of], walk.undecided[of], walk.answer[of]
    return Reach(inside, undecided, answer)


class _Classes(NamedTuple):
    """Fragments, as keys of classes of values, that hang together: their component, and a trained row that holds each."""

    keys: Keys
    label: Int[np.ndarray, " fragments"]
    row: Int[np.ndarray, " fragments"]

    def find(self, keys: Keys) -> Int[np.ndarray, " n"]:
        """The component of every key; -1 for a fragment that hangs together with no other."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.label[at], -1)


class _Walk:
    """The search for trained combinations from novel ones, at one k."""

    def __init__(self, trained: Trained, k: int):
        self.trained, self.k = trained, k
        self.value_class = [self._value_classes(part) for part in range(trained.values.shape[1])]
        self.tables = key_tables([int(labels.max(initial=0)) + 1 for labels in self.value_class])
        self.values = self._classed(trained.values)
        self.columns = np.stack([table[column] for table, column in zip(self.tables, self.values.T, strict=True)])
        self.whole = self.columns.sum(0, dtype=np.uint64)
        parts = trained.varying
        self.subsets = [subset for size in range(2, len(parts)) for subset in combinations(parts, size)]
        self._known: dict[tuple[int, ...], _Classes] = {}
        self.states = np.zeros((0, trained.values.shape[1]), int)
        self.covered = np.zeros(0, bool)
        self.undecided = np.zeros(0, bool)
        self.answer = np.zeros(0, int)

    def _value_classes(self, part: int) -> Int[np.ndarray, " values"]:
        found = links(self.trained, (part,), self.k)
        left, right = (self.trained.values[side, part] for side in found)
        return _components(self.trained.sizes[part], left, right)

    def _classed(self, values: Int[np.ndarray, "n p"]) -> Int[np.ndarray, "n p"]:
        return np.stack([labels[column] for labels, column in zip(self.value_class, values.T, strict=True)], 1)

    def start(self, novel: Int[np.ndarray, "m p"]) -> tuple[Int[np.ndarray, " s"], Int[np.ndarray, " m"]]:
        """The classes of the novel combinations; those that are trained under another name are covered at once."""
        classed = self._classed(novel)
        keys, first, of = np.unique(key_of(classed, self.tables), return_index=True, return_inverse=True)
        self.states = classed[first]
        ids, inverse = np.unique(self.whole, return_inverse=True)
        at = np.minimum(np.searchsorted(ids, keys), len(ids) - 1)
        self.covered = ids[at] == keys
        self.answer = np.where(self.covered, majority(inverse, self.trained.votes, len(ids))[at], NO_ANSWER)
        self.undecided = np.zeros(len(keys), bool)
        return np.flatnonzero(~self.covered), of

    def run(self, frontier: Int[np.ndarray, " s"]) -> None:
        """Replace fragments until everything is covered or followed to its end."""
        left: list[Int[np.ndarray, " e"]] = []
        right: list[Int[np.ndarray, " e"]] = []
        while len(frontier):
            moving = self._step(frontier)
            frontier = frontier[~self.covered[frontier]]
            grown = self._grow(frontier, moving)
            if grown is None:
                self.undecided[frontier] = True
            else:
                left.append(grown[0])
                right.append(grown[1])
            self._spread(np.concatenate([np.zeros(0, int), *left]), np.concatenate([np.zeros(0, int), *right]))
            frontier = np.zeros(0, int) if grown is None else grown[2]
            frontier = frontier[~self.covered[frontier]]

    def _step(self, frontier: Int[np.ndarray, " s"]) -> list[tuple[int, ...]]:
        """Cover what one replacement, or a chain of them on one subset, makes a trained combination. Gives the subsets on
        which others can be replaced."""
        moving = []
        for subset in self.subsets:
            frontier = frontier[~self.covered[frontier]]
            if not len(frontier):
                break
            states = self.states[frontier]
            own = key_of(states, self.tables, subset)
            classes = self._classes(subset, own)
            label = classes.find(own)
            able = label >= 0
            if not able.any():
                continue
            moving.append(subset)
            rest = (key_of(states, self.tables) - own)[able]
            contexts, context = np.unique(rest, return_inverse=True)
            theirs = self.columns[list(subset)].sum(0, dtype=np.uint64)
            rows = _members(self.whole - theirs, contexts)
            found = classes.find(theirs[rows])
            rows, found = rows[found >= 0], found[found >= 0]
            if not len(rows):
                continue
            width = int(classes.label.max()) + 1
            groups, group = np.unique(
                np.searchsorted(contexts, (self.whole - theirs)[rows]) * width + found, return_inverse=True
            )
            wanted = context * width + label[able]
            at = np.minimum(np.searchsorted(groups, wanted), len(groups) - 1)
            hit = groups[at] == wanted
            voted = majority(group, self.trained.votes[rows], len(groups))
            self.covered[frontier[able][hit]] = True
            self.answer[frontier[able][hit]] = voted[at[hit]]
        return moving

    def _classes(self, subset: tuple[int, ...], wanted: Keys) -> _Classes:
        everything = len(self.trained) <= _ROWS_FOR_ALL
        if everything and subset in self._known:
            return self._known[subset]
        keys = self.columns[list(subset)].sum(0, dtype=np.uint64)
        left, right = [np.zeros(0, int)], [np.zeros(0, int)]
        if everything:
            found = links(self.trained, subset, self.k)
            left, right = [found.left], [found.right]
        else:
            fragment = self.trained.columns[list(subset)].sum(0, dtype=np.uint64)
            known = frontier = np.unique(wanted)
            while len(frontier):
                seeds = np.unique(fragment[_members(keys, frontier)])
                found = links(self.trained, subset, self.k, seeds=seeds)
                left.append(found.left)
                right.append(found.right)
                frontier = np.setdiff1d(keys[np.concatenate(found)], known)
                known = np.union1d(known, frontier)
        rows = np.concatenate([*left, *right])
        ids, first, index = np.unique(keys[rows], return_index=True, return_inverse=True)
        half = len(rows) // 2
        label = _components(len(ids), index[:half], index[half:])
        several = np.bincount(label, minlength=len(ids))[label] > 1
        made = _Classes(ids[several], label[several], rows[first[several]])
        if everything:
            self._known[subset] = made
        return made

    def _grow(
        self, frontier: Int[np.ndarray, " s"], moving: Sequence[tuple[int, ...]]
    ) -> tuple[Int[np.ndarray, " e"], Int[np.ndarray, " e"], Int[np.ndarray, " new"]] | None:
        """Whatever the frontier becomes by one replacement: edges, and the combinations not met before. None when too many."""
        sources, made = [np.zeros(0, int)], [np.zeros((0, self.states.shape[1]), int)]
        total = 0
        for subset in moving:
            own = key_of(self.states[frontier], self.tables, subset)
            classes = self._classes(subset, own)
            label = classes.find(own)
            able = np.flatnonzero(label >= 0)
            order = np.argsort(classes.label, kind="stable")
            counts = np.bincount(classes.label, minlength=int(classes.label.max(initial=-1)) + 1)
            each = counts[label[able]]
            total += int(each.sum())
            if total > 4 * MOST_STATES:
                return None
            member = order[_ranges((np.cumsum(counts) - counts)[label[able]], each)]
            source = np.repeat(frontier[able], each)
            states = self.states[source]
            states[:, list(subset)] = self.values[np.ix_(classes.row[member], list(subset))]
            sources.append(source)
            made.append(states)
        source, states = np.concatenate(sources), np.concatenate(made)
        before = len(self.states)
        keys = np.concatenate([key_of(self.states, self.tables), key_of(states, self.tables)])
        _, first, index = np.unique(keys, return_index=True, return_inverse=True)
        place = first[index[before:]]  # the first one with this key: an old state, or a new one
        new = np.unique(place[place >= before])
        if before + len(new) > MOST_STATES:
            return None
        target = np.where(place < before, place, before + np.searchsorted(new, place))
        self.states = np.concatenate([self.states, states[new - before]])
        self.covered = np.append(self.covered, np.zeros(len(new), bool))
        self.undecided = np.append(self.undecided, np.zeros(len(new), bool))
        self.answer = np.append(self.answer, np.full(len(new), NO_ANSWER))
        return source, target, np.arange(before, before + len(new))

    def _spread(self, left: Int[np.ndarray, " e"], right: Int[np.ndarray, " e"]) -> None:
        """What hangs together with a covered combination is covered too, and with an undecided one undecided."""
        label = _components(len(self.states), left, right)
        count = int(label.max(initial=-1)) + 1
        inside = np.zeros(count, bool)
        inside[label[self.covered]] = True
        answers = majority(label[self.covered], self.answer[self.covered], count)
        late = inside[label] & ~self.covered
        self.answer[late] = answers[label[late]]
        self.covered |= late
        open_ended = np.zeros(count, bool)
        open_ended[label[self.undecided]] = True
        self.undecided = open_ended[label] & ~self.covered
