"""k-coverage: combinations that are connected to a trained one by replacing functionally k-equivalent fragments."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from assay.errors import AssayError
from assay.substitution.fragments import kept_rows, links, ranges
from assay.substitution.keys import Keys, distinct, key_of, key_tables, members, numbered, places, sum_of
from assay.substitution.trained import NO_ANSWER, Trained, all_seen, components, majority

KS = (1, 2, 3)
MOST_PARTS = 16  # most varying parts, since all subsets of them are searched
MOST_STATES = 1_000_000  # combinations visited before the search is stopped as undecided
_ROWS_FOR_ALL = 200_000  # up to this number the classes of all fragments are computed at once; above, only the needed ones


@dataclass(frozen=True)
class Reach:
    """Result of the search at one k.

    **Attributes:**

    - `inside`: mask of the novel combinations inside k-coverage.
    - `undecided`: mask of those whose search was stopped after `MOST_STATES` combinations.
    - `answer`: the majority answer of the trained combinations reached by the fewest and smallest substitutions.
    """

    inside: Bool[np.ndarray, " m"]
    undecided: Bool[np.ndarray, " m"]
    answer: Int[np.ndarray, " m"]


def k_coverage(trained: Trained, novel: Int[np.ndarray, "m p"], k: int) -> Reach:
    """Whether each novel combination lies inside the k-coverage of the trained ones. Exact where `undecided` is false.

    Values connected by k-equivalence form one class (subsets of one part). On classes, larger fragments are replaced
    breadth-first, subset by subset, the smallest first.

    **Raises:** `AssayError` for more than 16 parts that vary in training.
    """
    if len(trained.varying) > MOST_PARTS:
        raise AssayError(
            f"k-coverage searches every subset of the parts, so at most {MOST_PARTS} of them may vary",
            given=f"{len(trained.varying)} parts",
            next_step="name fewer parts, or merge several columns into one",
        )
    inside = np.zeros(len(novel), bool)
    undecided = np.zeros(len(novel), bool)
    answer = np.full(len(novel), NO_ANSWER)
    rows = np.flatnonzero(all_seen(trained, novel))
    if len(rows) and len(trained):
        walk = _Walk(trained, k)
        states, of = walk.start(novel[rows])
        walk.run(states)
        inside[rows], undecided[rows], answer[rows] = walk.covered[of], walk.undecided[of], walk.answer[of]
    return Reach(inside, undecided, answer)


class _Classes(NamedTuple):
    """Connected fragments, as keys of classes of values: the component of each, and a trained row that holds it."""

    keys: Keys
    label: Int[np.ndarray, " fragments"]
    row: Int[np.ndarray, " fragments"]

    def find(self, keys: Keys) -> Int[np.ndarray, " n"]:
        """The component of every key; -1 for a fragment that is equivalent to no other."""
        at = places(keys, self.keys)
        return np.where(at >= 0, self.label[at], -1) if len(self.keys) else at


class _Walk:
    """Breadth-first search for trained combinations from novel ones, at one k."""

    def __init__(self, trained: Trained, k: int):
        self.trained, self.k = trained, k
        self.large = len(trained) > _ROWS_FOR_ALL
        self.value_class = [self._value_classes(part) for part in range(trained.values.shape[1])]
        self.tables = key_tables([int(labels.max(initial=0)) + 1 for labels in self.value_class])
        self.values = self._classed(trained.values)
        self.columns = np.stack([table[column] for table, column in zip(self.tables, self.values.T, strict=True)])
        self.whole = self.columns.sum(0, dtype=np.uint64)
        parts = trained.varying
        sizes = sorted(range(2, len(parts)), key=lambda size: abs(2 * size - len(parts)) if self.large else size)
        self.subsets = [subset for size in sizes for subset in combinations(parts, size)]
        self._known: dict[tuple[int, ...], _Classes] = {}
        self.states = np.zeros((0, trained.values.shape[1]), int)
        self.covered = np.zeros(0, bool)
        self.undecided = np.zeros(0, bool)
        self.answer = np.zeros(0, int)

    def _value_classes(self, part: int) -> Int[np.ndarray, " values"]:
        found = links(self.trained, (part,), self.k)
        left, right = (self.trained.values[side, part] for side in found)
        return components(self.trained.sizes[part], left, right)

    def _classed(self, values: Int[np.ndarray, "n p"]) -> Int[np.ndarray, "n p"]:
        return np.stack([labels[column] for labels, column in zip(self.value_class, values.T, strict=True)], 1)

    def start(self, novel: Int[np.ndarray, "m p"]) -> tuple[Int[np.ndarray, " s"], Int[np.ndarray, " m"]]:
        """Classes of the novel combinations; those with the classes of a trained one are covered at once."""
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
        """Replace fragments until every combination is covered or its search is exhausted."""
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
        """Cover combinations that one replacement, or a chain of them on one subset, turns into a trained one. Returns the
        subsets on which others can be replaced."""
        moving = []
        whole = key_of(self.states, self.tables)
        for subset in self.subsets:
            frontier = frontier[~self.covered[frontier]]
            if not len(frontier):
                break
            supported = kept_rows(self.trained, subset, agreeing=True)
            if not len(supported):
                continue
            states = self.states[frontier]
            own = key_of(states, self.tables, subset)
            # With few rows of evidence, most subsets have none for these combinations.
            if len(supported) < len(self.trained) and not len(
                members(own, distinct(sum_of(self.columns[:, supported], subset)))
            ):
                continue
            classes = self._classes(subset, own)
            label = classes.find(own)
            able = label >= 0
            if not able.any():
                continue
            moving.append(subset)
            rest = (whole[frontier] - own)[able]
            contexts, context = numbered(rest)
            theirs = sum_of(self.columns, subset)
            met = places(self.whole - theirs, contexts)
            rows = np.flatnonzero(met >= 0)
            found = classes.find(theirs[rows])
            rows, found = rows[found >= 0], found[found >= 0]
            if not len(rows):
                continue
            width = int(classes.label.max()) + 1
            groups, group = np.unique(met[rows] * width + found, return_inverse=True)
            wanted = context * width + label[able]
            at = np.minimum(np.searchsorted(groups, wanted), len(groups) - 1)
            hit = groups[at] == wanted
            voted = majority(group, self.trained.votes[rows], len(groups))
            self.covered[frontier[able][hit]] = True
            self.answer[frontier[able][hit]] = voted[at[hit]]
        return moving

    def _classes(self, subset: tuple[int, ...], wanted: Keys) -> _Classes:
        if subset in self._known:
            return self._known[subset]
        keys = sum_of(self.columns, subset)
        left, right = [np.zeros(0, int)], [np.zeros(0, int)]
        if not self.large:
            found = links(self.trained, subset, self.k)
            left, right = [found.left], [found.right]
        else:
            fragment = self.trained.on(subset)
            known = frontier = distinct(wanted)
            while len(frontier):
                seeds = distinct(fragment[members(keys, frontier)])
                found = links(self.trained, subset, self.k, seeds=seeds)
                left.append(found.left)
                right.append(found.right)
                met = distinct(keys[np.concatenate(found)])
                new = np.ones(len(met), bool)
                new[members(met, known)] = False
                frontier = met[new]
                known = distinct(np.concatenate([known, frontier]))
        rows = np.concatenate([*left, *right])
        ids, index = numbered(keys[rows])
        holder = np.zeros(len(ids), int)  # one row for every fragment
        holder[index] = rows
        half = len(rows) // 2
        label = components(len(ids), index[:half], index[half:])
        several = np.bincount(label, minlength=len(ids))[label] > 1
        made = _Classes(ids[several], label[several], holder[several])
        if not self.large:
            self._known[subset] = made
        return made

    def _grow(
        self, frontier: Int[np.ndarray, " s"], moving: Sequence[tuple[int, ...]]
    ) -> tuple[Int[np.ndarray, " e"], Int[np.ndarray, " e"], Int[np.ndarray, " new"]] | None:
        """Combinations reached from the frontier by one replacement: edges, and the new combinations. None when too many."""
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
            member = order[ranges((np.cumsum(counts) - counts)[label[able]], each)]
            source = np.repeat(frontier[able], each)
            states = self.states[source]
            states[:, list(subset)] = self.values[classes.row[member][:, None], list(subset)]
            sources.append(source)
            made.append(states)
        source, states = np.concatenate(sources), np.concatenate(made)
        before = len(self.states)
        keys = np.concatenate([key_of(self.states, self.tables), key_of(states, self.tables)])
        _, first, index = np.unique(keys, return_index=True, return_inverse=True)
        place = first[index[before:]]  # the first state with this key, old or new
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
        """Propagate along edges: combinations connected to a covered one are covered, to an undecided one undecided."""
        label = components(len(self.states), left, right)
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
