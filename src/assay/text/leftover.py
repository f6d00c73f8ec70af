"""What counts leave of a model: variance of its word surprisal, bits over a mixture of n-grams, and likeliest tokens.

Chang et al. 2025 (arXiv 2510.24963): frequency, n-grams and likeness to the context explain up to 98 % of the variance of the
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
    """Squares of a model's word surprisal that a linear regression leaves, out of fold, and around the mean of the other folds:
    the ratio of the two sums is the share that is left.

    **Arguments:** `folds`: of every word, such as the excerpt that it is in; a fold is predicted from all others.
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
    """Code length of every stretch under the mixture of several models whose weights are fitted on the other folds by
    expectation and maximisation.

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
    """Rules of the form "behind these tokens comes this one", read off a text in a model's own tokens (after Nguyen 2024).

    **Arguments:** `tokens`: of the text to learn from; `order`: the longest context.

    Example::

        rules = TokenRules([1, 2, 3, 1, 2], order=2)
        assert rules.longest([1, 2, 3]).tolist() == [-1, 2, 3]
    """

    def __init__(self, tokens: Sequence[int] | Int[np.ndarray, " n"], *, order: int = 5):
        from collections import Counter, defaultdict

        text = [int(token) for token in tokens]
        self.order = order
        counts: list[dict[tuple[int, ...], Counter[int]]] = [defaultdict(Counter) for _ in range(order + 1)]
        for k in range(1, order + 1):
            for at in range(k, len(text)):
                counts[k][tuple(text[at - k : at])][text[at]] += 1
        self._top = [
            {context: max(found, key=lambda t: (found[t], -t)) for context, found in level.items()} for level in counts
        ]

    def longest(self, tokens: Sequence[int] | Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """At every place what the longest known context says; -1 where none is known."""
        return self._said(tokens)[0]

    def agrees(self, tokens: Sequence[int] | Int[np.ndarray, " n"], top: Int[np.ndarray, " n"]) -> Bool[np.ndarray, "n 2"]:
        """At every place whether the longest known context says what the model holds likeliest, and whether any does: the rule
        is then chosen after the fact, as in the published figure."""
        longest, said = self._said(tokens)
        any_says = np.array([t in one for one, t in zip(said, top.tolist(), strict=True)], dtype=bool)
        return np.stack([longest == top, any_says], 1)

    def _said(self, tokens: Sequence[int] | Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " n"], list[set[int]]]:
        text = [int(token) for token in tokens]
        longest, every = np.full(len(text), -1), []
        for at in range(len(text)):
            known = [self._top[k].get(tuple(text[at - k : at]), -1) for k in range(min(self.order, at), 0, -1)]
            known = [token for token in known if token >= 0]
            longest[at] = known[0] if known else -1
            every.append(set(known))
        return longest, every
