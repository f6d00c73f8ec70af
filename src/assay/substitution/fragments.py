"""Functionally k-equivalent fragments (Chang et al. 2025, arXiv 2505.20278, definition 3.1).

Two fragments can be equivalent only if they share a context with the same answer. Rows are therefore sorted into buckets of one
context and one answer; pairs within buckets are counted, and those with enough common buckets are checked for a context with
different answers.
"""

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from assay.substitution.keys import Keys, distinct, members, numbered, order_of, places, repeated
from assay.substitution.trained import Trained

_PAIRS_AT_ONCE = 4_000_000
_PAIRS_TOO_MANY = 40_000_000  # most pairs to list; above, fragments are compared as rows of a matrix
_CELLS_AT_ONCE = 50_000_000

Rows = Int[np.ndarray, "..."]


class Links(NamedTuple):
    """Pairs of equivalent fragments, each named by a trained row that holds it."""

    left: Int[np.ndarray, " pairs"]
    right: Int[np.ndarray, " pairs"]


def links(trained: Trained, subset: Sequence[int], k: int, *, seeds: Keys | None = None, every: bool = False) -> Links:
    """Pairs of functionally k-equivalent fragments on `subset`.

    **Arguments:**

    - `seeds`: sorted keys of fragments; only pairs with one of them on the left are returned.
    - `every`: return all pairs. Otherwise pairs may be left out whose fragments are connected through other returned pairs.
    """
    # A row that shares context and answer with no other is no evidence for an equivalence.
    agreeing = kept_rows(trained, tuple(subset), agreeing=True)
    if not len(agreeing):
        return Links(np.zeros(0, int), np.zeros(0, int))
    fragment = trained.on(subset)
    context = trained.whole - fragment
    own = agreeing if seeds is None else agreeing[members(fragment[agreeing], seeds)]
    bucket = context[agreeing] + trained.tables[-1][trained.answers[agreeing]]
    near = own if seeds is None else agreeing[members(bucket, distinct(context[own] + trained.answer_keys[own]))]
    search = _FragmentSearch(trained, tuple(subset), fragment, context, k, seeds)
    ids, index = numbered(fragment[near])
    if k > 1:  # a fragment needs k contexts in which another one has the same answer
        enough = np.bincount(index, minlength=len(ids)) >= k
        near, index = near[enough[index]], index[enough[index]]
        ids, index = ids[enough], np.cumsum(enough)[index] - 1
    if not len(near):
        return Links(np.zeros(0, int), np.zeros(0, int))
    holder = np.zeros(len(ids), int)  # one row for every fragment
    holder[index] = near
    bucket = context[near] + trained.answer_keys[near]
    order = np.argsort(bucket)
    index = index[order]
    starts, ends = runs(bucket[order])
    left, right = [np.zeros(0, int)], [np.zeros(0, int)]
    if k == 1 and not every:
        # A fragment with a single context is equivalent to all that have the same answer there.
        alone = (search.degrees(ids) == 1)[index]
        anchor = np.minimum.reduceat(np.where(alone, np.arange(len(index)), len(index)), starts)
        anchor = np.repeat(anchor, ends - starts)
        joined = anchor < len(index)
        left.append(holder[index[joined]])
        right.append(holder[index[anchor[joined]]])
        index = index[~joined]
        starts, ends = runs(bucket[order][~joined])
    for a, b in _pairs(search, index, ids, starts, ends):
        left.append(holder[a])
        right.append(holder[b])
    return Links(np.concatenate(left), np.concatenate(right))


def kept_rows(trained: Trained, subset: tuple[int, ...], *, agreeing: bool) -> Rows:
    """Rows whose context occurs in another row too (with the same answer, if `agreeing`); all rows where these are many.

    A context on more parts can be repeated only where that on fewer parts is, so only those rows are searched. With fewer
    possible contexts than a third of the rows most are repeated.
    """
    if (kept := trained.kept.get((agreeing, subset))) is not None:
        return kept
    rest = [part for part in trained.varying if part not in subset]
    possible = prod(trained.sizes[part] for part in rest) * (trained.num_answers if agreeing else 1)
    kept = trained.every
    if 3 * possible > len(trained):
        if len(rest) > 1:
            kept = kept_rows(trained, tuple(sorted((*subset, rest[0]))), agreeing=agreeing)
        whole = len(kept) == len(trained)
        keys = trained.answer_keys[kept] if agreeing else np.zeros(len(kept), np.uint64)
        for part in rest:
            keys = keys + (trained.columns[part] if whole else trained.columns[part][kept])
        found = repeated(keys)
        if not whole or 3 * len(found) < len(trained):
            kept = kept[found].astype(np.int32)
    trained.kept[agreeing, subset] = kept
    return kept


class _FragmentSearch(NamedTuple):
    """Input of a search for equivalent fragments: the key of every row's fragment and context, k, and the requested
    fragments."""

    trained: Trained
    subset: tuple[int, ...]
    fragment: Keys
    context: Keys
    k: int
    seeds: Keys | None

    def rows_of(self, ids: Keys) -> tuple[Rows, Rows]:
        """Rows with one of the fragments in a shared context, and the index of the fragment."""
        met = kept_rows(self.trained, self.subset, agreeing=False)
        fragment = self.fragment[met]
        at = places(fragment, ids)
        found = np.flatnonzero(at >= 0)
        return met[found], at[found]

    def degrees(self, ids: Keys) -> Int[np.ndarray, " ids"]:
        """Number of contexts that each fragment shares with others (an upper bound where rows are many)."""
        return np.bincount(self.rows_of(ids)[1], minlength=len(ids))

    def wanted(self, ids: Keys) -> Bool[np.ndarray, " ids"]:
        """Mask of the requested fragments."""
        wanted = np.full(len(ids), self.seeds is None)
        if self.seeds is not None:
            wanted[members(ids, self.seeds)] = True
        return wanted

    def agree(self, left: Keys, right: Keys) -> Bool[np.ndarray, " pairs"]:
        """Mask of the pairs of fragments that have different answers in no context."""
        kept = np.ones(len(left), bool)
        if not len(left):
            return kept
        ids, at = numbered(left)
        rows, owner = self.rows_of(ids)
        rows = rows[order_of(owner, len(ids))]
        degree = np.bincount(owner, minlength=len(ids))
        starts = (np.cumsum(degree) - degree)[at]
        degree = degree[at]
        alive, done, width = np.arange(len(left)), 0, 4
        while len(alive := alive[kept[alive] & (degree[alive] > done)]):
            for some in np.array_split(alive, max(1, len(alive) * width // _PAIRS_AT_ONCE)):
                counts = np.minimum(degree[some] - done, width)
                theirs = rows[ranges(starts[some] + done, counts)]
                pair = np.repeat(some, counts)
                other = self.trained.find(right[pair] + self.context[theirs])
                kept[pair[(other >= 0) & (self.trained.answers[other] != self.trained.answers[theirs])]] = False
            done, width = done + width, 4 * width
        return kept


Pairs = tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]


def _pairs(search: _FragmentSearch, index: Rows, ids: Keys, starts: Rows, ends: Rows) -> Iterator[Pairs]:
    """Equivalent pairs of fragments, as indices into `ids`. `index` are the fragments of the rows, bucket by bucket."""
    wanted = search.wanted(ids)
    left = np.flatnonzero(wanted[index])
    left = left[order_of(index[left], len(ids))]
    if not len(left):
        return
    # If all fragments are requested, each pair occurs once in a bucket; else once with each requested fragment on the left.
    first = np.arange(len(index)) + 1 if search.seeds is None else np.repeat(starts, ends - starts)
    counts = (np.repeat(ends, ends - starts) - first)[left]
    if counts.sum() > _PAIRS_TOO_MANY and len(ids) * len(distinct(search.context[search.rows_of(ids)[0]])) <= _CELLS_AT_ONCE:
        yield from _compared_as_rows(search, ids, np.unique(index[left]))
        return
    # Chunks hold whole fragments, so that all buckets of a pair are counted together.
    begin = np.unique(index[left], return_index=True)[1]
    batch = np.cumsum(np.add.reduceat(counts, begin)) // _PAIRS_AT_ONCE
    if search.seeds is None and batch[-1]:  # either fragment of a pair may be on the left
        first = np.repeat(starts, ends - starts)
        counts = (np.repeat(ends, ends - starts) - first)[left]
        batch = np.cumsum(np.add.reduceat(counts, begin)) // _PAIRS_AT_ONCE
    once = search.seeds is None and not batch[-1]
    at = 0
    for some in np.split(left, begin[1:][np.diff(batch) > 0]):
        number = counts[at : at + len(some)]
        at += len(some)
        mine, theirs = np.repeat(index[some], number), index[ranges(first[some], number)]
        a, b = (np.minimum(mine, theirs), np.maximum(mine, theirs)) if once else (mine, theirs)
        pair, shared = np.unique(a * len(ids) + b, return_counts=True)
        pair = pair[shared >= search.k]
        a, b = pair // len(ids), pair % len(ids)
        a, b = a[a != b], b[a != b]
        good = search.agree(ids[a], ids[b])
        yield a[good], b[good]


def _compared_as_rows(search: _FragmentSearch, ids: Keys, left: Rows) -> Iterator[Pairs]:
    """Comparison of fragments as rows of a matrix of answers by context, for data in which most fragments share most
    contexts."""
    rows, owner = search.rows_of(ids)
    contexts, column = np.unique(search.context[rows], return_inverse=True)
    answers = np.full((len(ids), len(contexts)), -1, np.int32)
    answers[owner, column] = search.trained.answers[rows]
    # Contexts with most fragments first, since they decide most pairs.
    answers = answers[:, np.argsort(-(answers >= 0).sum(0), kind="stable")]
    for a in left.tolist():
        own = answers[a]
        seen = np.flatnonzero(own >= 0)
        others = np.arange(len(answers))
        shared = np.zeros(len(others), int)
        for begin in range(0, len(seen), 64):
            some = seen[begin : begin + 64]
            theirs = answers[np.ix_(others, some)]
            good = ((theirs == own[some]) | (theirs < 0)).all(1)
            shared = shared[good] + (theirs[good] >= 0).sum(1)
            others = others[good]
        others = others[(shared >= search.k) & (others != a)]
        yield np.full(len(others), a), others


# Runs and ranges


def runs(ordered: Keys) -> tuple[Rows, Rows]:
    """Where runs of equal keys start and end."""
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, int)
    return starts, np.append(starts[1:], len(ordered))[: len(starts)]


def ranges(starts: Rows, counts: Rows) -> Rows:
    """start, start + 1, ... for every start, `count` numbers each."""
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - before, counts)
