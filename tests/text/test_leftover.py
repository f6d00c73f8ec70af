"""What counts leave: planted shares of variance, mixtures that gain nothing or much, rules by hand, and sizes 0 and 1."""

import numpy as np
import pytest

from assay.text.leftover import TokenRules, mixture_bits, unexplained


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def share(surprisal: np.ndarray, explains: np.ndarray) -> float:
    squares = unexplained(surprisal, explains, np.arange(len(surprisal)) % 10)
    return float(squares[:, 0].sum() / squares[:, 1].sum())


@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0])
def test_the_share_left_is_the_planted_one(noise):
    explains = rng().normal(size=(4_000, 3)) * (1, 100, 0.01)
    linear = explains @ (1.0, 0.02, 50.0) + 7
    found = share(linear + noise * rng(1).normal(size=4_000), explains)
    assert found == pytest.approx(noise**2 / (linear.var() + noise**2), abs=0.02)


def test_what_explains_nothing_leaves_everything_and_is_not_rewarded_for_fitting():
    found = share(rng().normal(size=200), rng(1).normal(size=(200, 3)))
    assert 0.98 < found < 1.1
    assert unexplained(np.zeros(0), np.zeros((0, 3)), np.zeros(0, dtype=int)).shape == (0, 2)
    assert unexplained(np.ones(1), np.ones((1, 3)), np.zeros(1, dtype=int)).tolist() == [[1.0, 1.0]]


def test_predictions_are_out_of_fold():
    explains, surprisal = rng().normal(size=(50, 3)), rng(1).normal(size=50)
    folds = np.arange(50) % 5
    changed = surprisal.copy()
    changed[folds == 2] += 100  # what is held out moves no weight of its own prediction
    held = folds == 2
    before, after = (unexplained(one, explains, folds)[held, 0] for one in (surprisal, changed))
    np.testing.assert_allclose(
        np.sqrt(after), np.abs(100 + (surprisal[held] - _predicted(explains, surprisal, held))), rtol=1e-6
    )
    assert (after > before).all()


def _predicted(explains: np.ndarray, surprisal: np.ndarray, held: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(explains)), explains])
    return design[held] @ np.linalg.lstsq(design[~held], surprisal[~held], rcond=None)[0]


def test_a_mixture_takes_what_either_knows_and_nothing_from_a_copy():
    """Two models, each sure of half of the places and wrong elsewhere."""
    knows = rng().random(2_000) < 0.5
    bits = np.stack([np.where(knows, 1.0, 9.0), np.where(knows, 9.0, 1.0)])
    folds = np.arange(2_000) % 10
    both = mixture_bits(bits, folds)
    assert both.mean() == pytest.approx(2.0, abs=0.02)
    assert mixture_bits(bits[:1], folds).mean() == bits[0].mean()
    np.testing.assert_allclose(mixture_bits(np.vstack([bits, bits[:1]]), folds), both, atol=0.01)


def test_a_model_that_is_worse_everywhere_gains_nothing():
    good = rng().gamma(2.0, size=1_000)
    gain = mixture_bits(good[None], np.arange(1_000) % 5) - mixture_bits(np.stack([good, good + 3]), np.arange(1_000) % 5)
    assert abs(gain.mean()) < 1e-3


def test_rules_are_those_of_a_dictionary():
    for seed in range(60):
        draw = rng(seed)
        text, asked = (draw.integers(0, 4 + extra, draw.integers(0, 40)).tolist() for extra in (0, 2))
        rules, top = TokenRules(text, order=3), draw.integers(-1, 5, len(asked))
        said = [[_said(text, asked[max(0, at - k) : at], k) for k in (3, 2, 1)] for at in range(len(asked))]
        longest = [next((token for token in some if token >= 0), -1) for some in said]
        assert rules.longest(asked).tolist() == longest
        any_says = [token >= 0 and token in some for token, some in zip(top.tolist(), said, strict=True)]
        assert rules.agrees(asked, top)[:, 1].tolist() == any_says
        assert rules.agrees(asked, top)[:, 0].tolist() == [a == b for a, b in zip(longest, top.tolist(), strict=True)]


def _said(text: list[int], context: list[int], order: int) -> int:
    followed = [text[at] for at in range(order, len(text)) if text[at - order : at] == context]
    return max(sorted(set(followed)), key=followed.count, default=-1)


def test_rules_say_what_follows_the_longest_known_context():
    rules = TokenRules([1, 2, 3, 9, 2, 4, 8, 2, 4], order=2)
    assert rules.longest([1, 2, 3]).tolist() == [-1, 2, 3]
    assert rules.longest([7, 2, 4]).tolist() == [-1, -1, 4]
    agrees = rules.agrees([1, 2, 3], np.array([0, 2, 4]))
    assert agrees.tolist() == [[False, False], [True, True], [False, True]]  # behind 1 2 comes 3, behind 2 alone 4
    assert rules.agrees([], np.zeros(0, dtype=int)).shape == (0, 2)
    assert TokenRules([]).longest([5]).tolist() == [-1]
