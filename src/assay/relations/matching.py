"""Label-free matching of two systems of relations by quadratic assignment, with a diagnosis of failures.

A map is an array: word `i` of the first system is word `found[i]` of the second.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from assay.display import brief
from assay.errors import AssayError
from assay.relations.vectors import check_same_words

_SINKHORN, _STEPS = 400, 60
_TEMPERATURES = (0.03, 0.06, 0.1, 0.2, 0.4, 1.0)
"""Temperatures of the soft assignment, in medians of the cost. Which of them leads to the true map varies."""
TEN = 10
Start = Literal["profiles", "barycentre"]
Outcome = Literal["recovered", "in part", "solver failed", "below power"]


@dataclass(frozen=True)
class Match:
    """A match of the words of two systems.

    **Attributes:**

    - `found`: `(n,)`, the word of the second system for every word of the first.
    - `accuracy`: the share of words, without the given ones, that are matched to themselves; `chance`: 1 over their number.
    - `best_ten`: the share of words whose true partner is among the ten that fit best under the map; ties for the last places
      count by their probability.
    - `objective`, `true_objective`: mean product of standardised similarities under the map found, and under the true one.
      Where the true one is higher, the solver failed; where it is not, the structures do not identify the words.
    """

    __repr__ = brief

    found: Int[np.ndarray, " n"]
    accuracy: float
    best_ten: float
    chance: float
    objective: float
    true_objective: float

    @property
    def outcome(self) -> Outcome:
        """`recovered`: an accuracy of at least .9. Else `solver failed` where the true map has the higher objective, `below
        power` where it has not and the accuracy is at most five times chance, and `in part` between. Below power is not
        evidence of absence: more words, or more given ones, may succeed."""
        if self.accuracy >= 0.9:
            return "recovered"
        if self.true_objective > self.objective + 1e-9:
            return "solver failed"
        return "below power" if self.accuracy <= 5 * self.chance else "in part"


def match(
    a: Float[np.ndarray, "n n"],
    b: Float[np.ndarray, "n n"],
    *,
    generator: np.random.Generator,
    given: Sequence[int] = (),
    start: Start = "profiles",
) -> Match:
    """Match words by their similarities alone: the quadratic assignment by FAQ (Vogelstein et al. 2015).

    Both matrices get mean 0 and standard deviation 1 outside of the diagonal, which is 0. The words of the second system are
    permuted by `generator`, so that no solver profits from their order. It starts from a soft assignment of words with similar
    sorted profiles (rows of similarities sorted by value), at several temperatures; the map of the highest objective is kept.

    **Arguments:**

    - `given`: words whose partners are known, and not counted.
    - `start`: `barycentre` is the default of scipy, which fails even on noiseless data.

    **Raises:** `AssayError` for fewer than three words that are not given, matrices of different numbers of words, numbers that
    are not finite, and given words that are no rows.

    Example::

        found = match(cosine(x), cosine(y), generator=np.random.default_rng(0))
        print(found.accuracy, found.outcome)
    """
    check_same_words(a, b)
    num, seeds = len(a), np.asarray(sorted(set(given)), dtype=np.int64)
    if len(seeds) and not (seeds[0] >= 0 and seeds[-1] < num):
        raise AssayError("words that are given must be rows", given=f"{seeds[0]} to {seeds[-1]}, of {num} words")
    if num - len(seeds) < 3:
        raise AssayError("a match needs three words at least besides those given", given=f"{num}, {len(seeds)} of them given")
    one, other = _standardised(a), _standardised(b)
    order = generator.permutation(num)
    hidden = other[order][:, order]
    back = np.argsort(order)  # position of the partner of every word after the permutation
    options: dict = {"maximize": True, "maxiter": _STEPS, "rng": generator}
    if len(seeds):
        options["partial_match"] = np.stack([seeds, back[seeds]], 1)
    begins = [{"P0": soft} for soft in _profile_starts(one, hidden, seeds, back[seeds])] if start == "profiles" else [{}]
    from scipy.optimize import quadratic_assignment

    results = [quadratic_assignment(one, hidden, method="faq", options={**options, **begin}) for begin in begins]
    best = max(results, key=lambda result: float(result.fun))
    return _judged(one, other, order[best.col_ind], seeds)


def judged(a: Float[np.ndarray, "n n"], b: Float[np.ndarray, "n n"], found: Int[np.ndarray, " n"]) -> Match:
    """The result of another solver on the same scale."""
    return _judged(_standardised(a), _standardised(b), found, np.zeros(0, dtype=np.int64))


def power_curve(
    a: Float[np.ndarray, "n n"],
    b: Float[np.ndarray, "n n"],
    *,
    sizes: Sequence[int],
    generator: np.random.Generator,
    given: Sequence[int] = (0,),
    subsets: int = 1,
) -> list[tuple[int, int, Match]]:
    """Matches of random subsets: size, number of given words and match, for every size up to `n` and every number of given
    words.

    **Arguments:** `subsets`: repeats of each, in succession."""
    found = []
    for size in (size for size in sizes if 3 <= size <= len(a) for _ in range(subsets)):
        rows = np.sort(generator.choice(len(a), size, replace=False))
        for seeds in given:
            if size - seeds >= 3:
                some = generator.choice(size, seeds, replace=False).tolist()
                one, other = (matrix[np.ix_(rows, rows)] for matrix in (a, b))
                found.append((size, seeds, match(one, other, generator=generator, given=some)))
    return found


def _judged(
    one: Float[np.ndarray, "n n"], other: Float[np.ndarray, "n n"], found: Int[np.ndarray, " n"], seeds: Int[np.ndarray, " s"]
) -> Match:
    num = len(one)
    free = np.setdiff1d(np.arange(num), seeds)
    pairs = num * (num - 1)
    # The fit of each word of the second in the place of each of the first, with the others mapped as found.
    fit = one @ other[found]
    own = fit[np.arange(num), np.arange(num)]
    tie = 1e-9 * np.abs(fit).max(initial=0)
    above, equal = (fit > own[:, None] + tie).sum(1), (np.abs(fit - own[:, None]) <= tie).sum(1)
    among = np.clip((TEN - above) / equal, 0, 1)
    return Match(
        found=found,
        accuracy=float((found[free] == free).mean()),
        best_ten=float(among[free].mean()),
        chance=1 / len(free),
        objective=float((one * other[np.ix_(found, found)]).sum() / pairs),
        true_objective=float((one * other).sum() / pairs),
    )


def _standardised(matrix: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    off = ~np.eye(len(matrix), dtype=bool)
    values = matrix[off]
    # variation by rounding alone counts as constant
    spread = float(values.std()) if np.ptp(values) > 1e-12 * np.abs(values).max() else np.inf
    found = (matrix - values.mean()) / spread
    np.fill_diagonal(found, 0.0)
    return found


def _profile_starts(
    one: Float[np.ndarray, "n n"], hidden: Float[np.ndarray, "n n"], seeds: Int[np.ndarray, " s"], theirs: Int[np.ndarray, " s"]
) -> Iterator[Float[np.ndarray, "m m"]]:
    """Initial doubly stochastic matrices over the words that are not given: entropic assignments of sorted profiles (Cuturi
    2013), one for each temperature. Similarities to given words need no sorting. A hard assignment is a worse start: FAQ cannot
    leave it where it is wrong."""
    ours, others = np.setdiff1d(np.arange(len(one)), seeds), np.setdiff1d(np.arange(len(one)), theirs)
    profiles = [np.sort(matrix[rows][:, rows], axis=1) for matrix, rows in ((one, ours), (hidden, others))]
    if len(seeds):
        profiles = [
            np.concatenate([profile, matrix[rows][:, known]], 1)
            for profile, matrix, rows, known in zip(profiles, (one, hidden), (ours, others), (seeds, theirs), strict=True)
        ]
    p, q = profiles
    cost = np.maximum((p**2).sum(1)[:, None] + (q**2).sum(1)[None] - 2 * p @ q.T, 0)
    cost = (cost - cost.min(1, keepdims=True)) / max(float(np.median(cost)), 1e-12)
    for temperature in _TEMPERATURES:
        yield _doubly_stochastic(np.exp(-cost / temperature))


def _doubly_stochastic(matrix: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    """Rows and columns scaled in turn until they sum to 1 within the tolerance of FAQ; a matrix that does not converge is mixed
    with the barycentre, which is doubly stochastic."""
    found = matrix + 1e-9
    for step in range(_SINKHORN):
        if step == _SINKHORN // 2:
            found = found / found.sum() * len(found) + 0.1 / len(found)
        found = found / found.sum(0, keepdims=True)
        found = found / found.sum(1, keepdims=True)
        if np.abs(found.sum(0) - 1).max() < 1e-6:
            break
    return found
