"""The trained combinations of a data set as value indices."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int, UInt64

from assay.substitution.keys import Keys, key_of, key_tables, places, sum_of

NO_ANSWER = -1


@dataclass(frozen=True, eq=False)
class Trained:
    """The distinct trained combinations.

    **Attributes:**

    - `values`: one row each.
    - `answers`: the id of the answer; a unique id for a combination with contradicting answers.
    - `votes`: the majority answer of each; among equals the one that comes first in the data.
    - `contradicted`: mask of those with more than one answer.
    - `first`: row of the data at which each occurs first.
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
        """Distinct combinations of rows with repeats. `sizes`: numbers of values of the parts."""
        tables = key_tables([*sizes, int(answers.max(initial=0)) + 1])
        combined = key_of(values, tables[:-1])
        order = np.lexsort((np.arange(len(answers)), answers, combined))
        same_row = np.zeros(len(order), bool)
        same_row[1:] = combined[order][1:] == combined[order][:-1]
        group = np.cumsum(~same_row) - 1
        same_answer = same_row.copy()
        same_answer[1:] &= answers[order][1:] == answers[order][:-1]
        starts = np.flatnonzero(~same_answer)  # starts of runs with one combination and one answer
        lengths = np.diff(np.append(starts, len(order)))
        # Longest run of a combination first; among equals the one that comes first in the data.
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
        """Keys of the values of every part, and last of the answers."""
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
    def answer_keys(self) -> UInt64[np.ndarray, " n"]:
        """The key of every row's answer."""
        return self.tables[-1][self.answers]

    def on(self, subset: Sequence[int]) -> UInt64[np.ndarray, " n"]:
        """The key of every row on some parts."""
        if 2 * len(subset) <= len(self.columns):
            return sum_of(self.columns, subset)
        return self.whole - sum_of(self.columns, [part for part in range(len(self.columns)) if part not in subset])

    @cached_property
    def every(self) -> Int[np.ndarray, " n"]:
        """All rows."""
        return np.arange(len(self))

    @cached_property
    def kept(self) -> dict[tuple[bool, tuple[int, ...]], Int[np.ndarray, " some"]]:
        """Cache of a search by subset, reused by the next."""
        return {}

    @cached_property
    def _sorted(self) -> tuple[Keys, Int[np.ndarray, " n"]]:
        order = np.argsort(self.whole)
        return self.whole[order], order

    def find(self, wanted: Keys) -> Int[np.ndarray, "..."]:
        """The row with each key, -1 where it is not trained."""
        if not len(self):
            return np.full(wanted.shape, -1)
        keys, order = self._sorted
        at = places(wanted, keys)
        return np.where(at >= 0, order[at], -1)

    @cached_property
    def varying(self) -> tuple[int, ...]:
        """The parts with more than one trained value; values of the others cannot be replaced."""
        return tuple(part for part in range(self.values.shape[1]) if len(np.unique(self.values[:, part])) > 1)


def all_seen(trained: Trained, novel: Int[np.ndarray, "m p"]) -> Bool[np.ndarray, " m"]:
    """Whether every value of each combination occurs in training."""
    seen = np.ones(len(novel), bool)
    for part, size in enumerate(trained.sizes):
        occurs = np.zeros(size, bool)
        occurs[trained.values[:, part]] = True
        seen &= occurs[novel[:, part]]
    return seen


def majority(group: Int[np.ndarray, " n"], answers: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " count"]:
    """Majority answer of every group, the smallest id among equals; `NO_ANSWER` for an empty group."""
    found = np.full(count, NO_ANSWER)
    if len(group):
        width = int(answers.max()) + 1
        pairs, times = np.unique(group * width + answers, return_counts=True)
        order = np.lexsort((-(pairs % width), times))  # the last write wins
        found[pairs[order] // width] = pairs[order] % width
    return found


def components(count: int, left: Int[np.ndarray, " edges"], right: Int[np.ndarray, " edges"]) -> Int[np.ndarray, " nodes"]:
    """Index of the connected component of every node."""
    if not len(left):
        return np.arange(count)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    return connected_components(graph, directed=False)[1]
