"""A language model beside counts: unexplained variance of its word surprisal, bits saved over a mixture of n-grams, agreement
with n-gram rules.

Chang et al. 2025 (arXiv 2510.24963): frequency, n-grams and similarity to the context explain up to 98 % of the variance of the
word-level behaviour of language models. That is the baseline of imitation.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

_STEPS = 200
_RIDGE = 1e-6


def unexplained(
    surprisal: Float[np.ndarray, " w"], explains: Float[np.ndarray, "w p"], folds: Int[np.ndarray, " w"]
) -> Float[np.ndarray, "w 2"]:
    """Squared residuals of a model's word surprisal, out of fold, under a linear regression and around the mean of the other
    folds. The ratio of the two sums is the unexplained share of variance.

    **Arguments:** `folds`: of every word, such as its excerpt; a fold is predicted from all others.
    """
    found = np.zeros((len(surprisal), 2))
    for fold in np.unique(folds):
        held, kept = folds == fold, folds != fold
        if kept.sum() <= explains.shape[1] + 1:
            found[held] = 1.0
            continue
        mean, spread = explains[kept].mean(0), np.maximum(explains[kept].std(0), 1e-9)
        design = np.column_stack([np.ones(len(surprisal)), (explains - mean) / spread])
        inner = design[kept].T @ design[kept] + _RIDGE * np.eye(design.shape[1])
        weights = np.linalg.solve(inner, design[kept].T @ surprisal[kept])
        found[held, 0] = (surprisal[held] - design[held] @ weights) ** 2
        found[held, 1] = (surprisal[held] - surprisal[kept].mean()) ** 2
    return found


def mixture_bits(bits: Float[np.ndarray, "models n"], folds: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Code length of every stretch under a mixture of models, with weights fitted on the other folds by expectation
    maximisation.

    Example::

        gain = mixture_bits(ngrams, folds) - mixture_bits(np.vstack([ngrams, model]), folds)
    """
    found = np.zeros(bits.shape[1])
    for fold in np.unique(folds):
        held, kept = folds == fold, folds != fold
        weights = _weights(bits[:, kept]) if kept.any() else np.full(len(bits), 1 / len(bits))
        found[held] = _mixed(bits[:, held], weights)
    return found


def _weights(bits: Float[np.ndarray, "models n"]) -> Float[np.ndarray, " models"]:
    chances = np.exp2(bits.min(0) - bits)
    weights = np.full(len(bits), 1 / len(bits))
    for _ in range(_STEPS):
        shares = weights[:, None] * chances
        weights = (shares / shares.sum(0)).mean(1)
    return weights


def _mixed(bits: Float[np.ndarray, "models n"], weights: Float[np.ndarray, " models"]) -> Float[np.ndarray, " n"]:
    least = bits.min(0)
    return least - np.log2((weights[:, None] * np.exp2(least - bits)).sum(0))


class TokenRules:
    """N-gram rules: after these tokens comes that one, read off a text in a model's own tokens (after Nguyen 2024). Of several
    tokens that followed a context equally often the rule gives the smallest.

    **Arguments:** `tokens`: of the training text; `order`: the longest context.

    Example::

        rules = TokenRules([1, 2, 3, 1, 2], order=2)
        assert rules.longest([1, 2, 3]).tolist() == [-1, 2, 3]
    """

    def __init__(self, tokens: Sequence[int] | Int[np.ndarray, " n"], *, order: int = 5):
        text = np.asarray(tokens, dtype=np.int64)
        self.order = order
        # Contexts of k tokens are numbered by the pair of the number of their last k - 1 tokens and the token before.
        self._size = int(text.max(initial=0)) + 1
        self._keys: list[Int[np.ndarray, " c"]] = []
        self._top: list[Int[np.ndarray, " c"]] = []
        numbers = np.zeros(len(text), dtype=np.int64)
        for k in range(1, order + 1):
            keys, found = np.unique(numbers[1:] * self._size + text[: max(0, len(text) - k)], return_inverse=True)
            numbers = found.reshape(-1)
            self._keys.append(keys)
            self._top.append(_most_frequent(numbers, text[k:], len(keys)))

    def longest(self, tokens: Sequence[int] | Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The prediction of the longest known context at every place; -1 where none is known."""
        longest = np.full(len(tokens), -1)
        for predicted in self._predicted(tokens):
            longest = np.where(predicted >= 0, predicted, longest)
        return longest

    def agrees(self, tokens: Sequence[int] | Int[np.ndarray, " n"], top: Int[np.ndarray, " n"]) -> Bool[np.ndarray, "n 2"]:
        """Whether the model's likeliest token at every place is the prediction of the longest known context, and whether it is
        that of any: the rule is then chosen after the fact, as in the published figure."""
        predicted = self._predicted(tokens)
        return np.stack([self.longest(tokens) == top, ((predicted == top) & (predicted >= 0)).any(0)], 1)

    def _predicted(self, tokens: Sequence[int] | Int[np.ndarray, " n"]) -> Int[np.ndarray, "order n"]:
        """Predictions of contexts of every length at every place, -1 where a context is not known."""
        text = np.asarray(tokens, dtype=np.int64)
        predicted = np.full((self.order, len(text)), -1, dtype=np.int64)
        numbers = np.zeros(len(text), dtype=np.int64)
        for k, (keys, top) in enumerate(zip(self._keys, self._top, strict=True), 1):
            before = text[: max(0, len(text) - k)]
            able = (numbers[1:] >= 0) & (before >= 0) & (before < self._size)
            wanted = np.where(able, numbers[1:] * self._size + before, -1)
            at = np.searchsorted(keys, wanted).clip(max=max(0, len(keys) - 1))
            known = able & (keys[at] == wanted) if len(keys) else np.zeros(len(wanted), dtype=bool)
            numbers = np.where(known, at, -1)
            if len(keys):
                predicted[k - 1, k:] = np.where(known, top[at], -1)
        return predicted


def _most_frequent(groups: Int[np.ndarray, " n"], values: Int[np.ndarray, " n"], num: int) -> Int[np.ndarray, " groups"]:
    """The most frequent value of each of `num` groups; of several the smallest."""
    size = int(values.max(initial=0)) + 1
    pairs, counts = np.unique(groups * size + values, return_counts=True)
    order = np.lexsort((-(pairs % size), counts, pairs // size))
    last = np.searchsorted((pairs // size)[order], np.arange(num), side="right") - 1
    return (pairs % size)[order][last]
