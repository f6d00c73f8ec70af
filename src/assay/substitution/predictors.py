"""Predictors of novel combinations from the training data alone, without a network."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from assay.substitution.coverage import Reach
from assay.substitution.fragments import ranges
from assay.substitution.keys import key_of, members, sum_of
from assay.substitution.synonyms import Synonyms
from assay.substitution.trained import NO_ANSWER, Trained, majority

MOST_ANSWERS = 1000  # most answers for predictors that fit one column for each
MOST_FEATURES = 4000
MOST_CELLS = 200_000  # most cells of an answer table for completion
MOST_COMPARED = 1_000_000_000  # most pairs of a novel and a trained combination
MOST_SEARCHED = 10  # most parts whose subsets are searched where there are more pairs
RANKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
HELD_OUT = 0.1
_SWEEPS = 50


@dataclass(frozen=True)
class Prediction:
    """Answers of one predictor: an answer id for every novel combination, `NO_ANSWER` where it has none.

    `how`: what it does, or why it has no answers.
    """

    name: str
    how: str
    answers: Int[np.ndarray, " m"]


def predictions(
    trained: Trained,
    novel: Int[np.ndarray, "m p"],
    *,
    synonyms: Synonyms,
    reach: Mapping[int, Reach],
    names: int,
) -> list[Prediction]:
    """Predictions of every predictor. `names`: number of answers in training."""
    found = [Prediction("synonym", "the majority answer of the trained combinations of which it is a synonym", synonyms.answer)]
    for k, reached in reach.items():
        how = f"the majority answer of the trained combinations reached first by substitution, with k = {k}"
        found.append(Prediction(f"{k}-substitution", how, reached.answer))
    found.append(nearest(trained, novel))
    found.append(main_effects(trained, novel, names))
    found.append(low_rank(trained, novel, names))
    return found


def nearest(trained: Trained, novel: Int[np.ndarray, "m p"]) -> Prediction:
    """Nearest neighbours: the majority answer of the trained combinations that differ in the fewest parts."""
    name, how = "nearest example", "the majority answer of the trained combinations that differ in the fewest parts"
    if len(trained) * len(novel) <= MOST_COMPARED:
        return Prediction(name, how, _nearest_of_all(trained, novel))
    if len(trained.varying) > MOST_SEARCHED:
        how = f"left out: more than {MOST_COMPARED:,} pairs to compare, in more than {MOST_SEARCHED} parts"
        return Prediction(name, how, np.full(len(novel), NO_ANSWER))
    return Prediction(name, how, _nearest_by_subsets(trained, novel))


def _nearest_of_all(trained: Trained, novel: Int[np.ndarray, "m p"]) -> Int[np.ndarray, " m"]:
    """Nearest neighbours by comparing every novel combination with every trained one."""
    found = [np.zeros(0, int)]
    theirs = [np.ascontiguousarray(trained.values[:, part], np.int32) for part in trained.varying]
    for some in np.array_split(novel, 1 + len(novel) * len(trained) // 20_000_000):
        same = np.zeros((len(some), len(trained)), np.int8)
        for part, column in zip(trained.varying, theirs, strict=True):
            same += some[:, [part]].astype(np.int32) == column
        at, voters = np.nonzero(same == same.max(1, keepdims=True))
        found.append(majority(at, trained.votes[voters], len(some)))
    return np.concatenate(found)


def _nearest_by_subsets(trained: Trained, novel: Int[np.ndarray, "m p"]) -> Int[np.ndarray, " m"]:
    """Nearest neighbours by look-up on subsets of the parts, the smallest differences first."""
    parts = trained.varying  # untrained values differ from every trained combination alike
    answers = np.full(len(novel), NO_ANSWER)
    pending = np.arange(len(novel))
    for distance in range(len(parts)):
        voters, voted = [np.zeros(0, int)], [np.zeros(0, int)]
        for subset in combinations(parts, distance):
            rest = [part for part in parts if part not in subset]
            keys, index = np.unique(key_of(novel[pending], trained.tables, rest), return_inverse=True)
            context = sum_of(trained.columns, rest)
            rows = members(context, keys)
            place = np.searchsorted(keys, context[rows])
            rows = rows[np.argsort(place, kind="stable")]
            counts = np.bincount(place, minlength=len(keys))
            each = counts[index]
            voters.append(np.repeat(np.arange(len(pending)), each))
            voted.append(trained.votes[rows[ranges((np.cumsum(counts) - counts)[index], each)]])
        found = majority(np.concatenate(voters), np.concatenate(voted), len(pending))
        answers[pending] = found
        pending = pending[found == NO_ANSWER]
        if not len(pending):
            break
    return answers


def main_effects(trained: Trained, novel: Int[np.ndarray, "m p"], names: int) -> Prediction:
    """Least squares of one-hot answers on one-hot values; a combination with an untrained value has no answer."""
    name, none = "main effects", np.full(len(novel), NO_ANSWER)
    starts = np.cumsum([0, *trained.sizes])
    if names > MOST_ANSWERS or starts[-1] > MOST_FEATURES:
        how = f"left out: {names:,} answers and {starts[-1]:,} values, at most {MOST_ANSWERS:,} and {MOST_FEATURES:,}"
        return Prediction(name, how, none)
    columns = trained.values + starts[:-1]
    size = int(starts[-1])
    gram, moments = np.zeros((size, size)), np.zeros((size, names))
    for left in columns.T:
        moments += np.bincount(left * names + trained.votes, minlength=size * names).reshape(size, names)
        for right in columns.T:
            gram += np.bincount(left * size + right, minlength=size * size).reshape(size, size)
    effects = np.linalg.lstsq(gram, moments, rcond=None)[0]
    seen = gram.diagonal()[novel + starts[:-1]].all(1)
    best = np.concatenate(
        [effects[some].sum(1).argmax(1) for some in np.array_split(novel + starts[:-1], 1 + len(novel) * names // 4_000_000)]
    )
    how = "least squares of one-hot answers on one-hot values: the sum of what each value adds"
    return Prediction(name, how, np.where(seen, best, NO_ANSWER))


def low_rank(trained: Trained, novel: Int[np.ndarray, "m p"], names: int) -> Prediction:
    """Low-rank completion of the table of one-hot answers.

    Rows are values of the first half of the parts, columns those of the other half with an answer. Missing cells are filled
    iteratively by the truncated singular value decomposition (Mazumder, Hastie and Tibshirani 2010, with a hard threshold). The
    rank is the one with most right answers on a held-out tenth of the trained combinations.
    """
    name, none = "rank-k completion", np.full(len(novel), NO_ANSWER)
    half = (novel.shape[1] + 1) // 2
    sides = [range(half), range(half, novel.shape[1])]
    keys = [np.unique(key_of(trained.values, trained.tables, side)) for side in sides]
    shape = (len(keys[0]), len(keys[1]), names)
    if np.prod(shape, dtype=float) > MOST_CELLS or len(trained) < 20:
        how = f"left out: a table of {shape[0]:,} x {shape[1]:,} x {names:,} cells, at most {MOST_CELLS:,}, or too few rows"
        return Prediction(name, how, none)

    def place(values: Int[np.ndarray, "n p"]) -> tuple[Int[np.ndarray, "n 2"], Bool[np.ndarray, " n"]]:
        found = []
        for side, known in zip(sides, keys, strict=True):
            wanted = key_of(values, trained.tables, side)
            at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
            found.append(np.where(known[at] == wanted, at, -1))
        where = np.stack(found, 1)
        return where, np.asarray((where >= 0).all(1))

    where = place(trained.values)[0]
    held = np.random.default_rng(0).random(len(trained)) < HELD_OUT
    ranks = [rank for rank in RANKS if rank <= min(shape[0], shape[1] * names)]
    scores = [
        np.mean(
            _completed(where[~held], trained.votes[~held], shape, rank)[tuple(where[held].T)].argmax(1) == trained.votes[held]
        )
        if held.any()
        else 0.0
        for rank in ranks
    ]
    rank = ranks[int(np.argmax(scores))]
    at, known = place(novel)
    best = _completed(where, trained.votes, shape, rank)[tuple(at.T)].argmax(1)
    how = (
        f"completion of the table of one-hot answers, {shape[0]:,} by {shape[1]:,} cells, by rank {rank}, which answers "
        f"{max(scores):.0%} of a held-out tenth of the trained combinations"
    )
    return Prediction(name, how, np.where(known, best, NO_ANSWER))


def _completed(
    where: Int[np.ndarray, "n 2"], answers: Int[np.ndarray, " n"], shape: tuple[int, int, int], rank: int
) -> Float[np.ndarray, "a b y"]:
    target = np.zeros(shape, np.float32)
    target[where[:, 0], where[:, 1], answers] = 1
    known = np.zeros(shape[:2], bool)
    known[where[:, 0], where[:, 1]] = True
    known = np.repeat(known.reshape(shape[0], -1), shape[2], 1)
    target = target.reshape(shape[0], -1)
    filled = np.where(known, target, np.float32(1 / shape[2]))
    low = filled
    for _ in range(_SWEEPS):
        # Leading left singular vectors from the smaller Gram matrix, whose eigendecomposition is fast.
        if filled.shape[0] <= filled.shape[1]:
            leading = np.linalg.eigh(filled @ filled.T)[1][:, -rank:]
            low = leading @ (leading.T @ filled)
        else:
            leading = np.linalg.eigh(filled.T @ filled)[1][:, -rank:]
            low = (filled @ leading) @ leading.T
        filled = np.where(known, target, low)
    return low.reshape(shape)
