"""Merges: their formulas by hand, what must not change them, and that each counts what it scores."""

import numpy as np
import pytest
import torch
from worlds_for_tests import low_rank_expert, network, pool_of, utility

from assay.swarm import merges
from assay.swarm.evaluate import Evaluator
from assay.swarm.pool import ExpertPool

ONE = {"w": torch.tensor([[1.0, 2.0, -3.0, 0.5]])}
TWO = {"w": torch.tensor([[3.0, -1.0, -1.0, 0.1]])}


def pool(*experts):
    return ExpertPool({"w": torch.zeros(1, 4)}, {f"e{k}": expert for k, expert in enumerate(experts)}, space="full")


def evaluator(num=3):
    base = network()
    return Evaluator(base, pool_of(num, base=base, span="linear"), utility=utility())


def test_ties_by_hand():
    # Half of the entries: (0, 2, -3, 0) and (3, 0 or -1, -1, 0): ties at the threshold are kept.
    found = merges.ties_changes(pool(ONE, TWO), density=0.5, weight=2.0)["w"]
    assert found.tolist() == [[6.0, 4.0, -4.0, 0.0]]
    whole = merges.ties_changes(pool(ONE, TWO), density=1.0, weight=1.0)["w"]
    torch.testing.assert_close(whole, torch.tensor([[2.0, 2.0, -2.0, 0.3]]))


def test_ties_of_equal_experts_is_the_expert():
    assert torch.equal(merges.ties_changes(pool(ONE, ONE), density=1.0, weight=1.0)["w"], ONE["w"])


def test_dare_is_task_arithmetic_on_average_and_without_drops():
    rng = torch.Generator().manual_seed(0)
    none = merges.dare_changes(pool(ONE, TWO), drop=0.0, weight=0.5, rng=rng)["w"]
    torch.testing.assert_close(none, (ONE["w"] + TWO["w"]) / 2)
    many = torch.stack([merges.dare_changes(pool(ONE, TWO), drop=0.7, weight=0.5, rng=rng)["w"] for _ in range(4000)])
    torch.testing.assert_close(many.mean(0), none, atol=0.15, rtol=0)
    assert {round(value, 3) for value in (many[:, 0, 1] * 0.3).tolist()} == {0.0, 1.0, -0.5, 0.5}


def test_model_stock_by_its_formula_and_at_its_ends():
    for second, ratio in ((ONE, 1.0), ({"w": torch.tensor([[2.0, -1.0, 0.0, 0.0]])}, 0.0)):  # equal, orthogonal
        changes = merges.stock_changes(pool(ONE, second))
        torch.testing.assert_close(changes["w"], ratio * (ONE["w"] + second["w"]) / 2, atol=1e-6, rtol=0)
    cosine = float(torch.cosine_similarity(ONE["w"], TWO["w"]))
    torch.testing.assert_close(merges.stock_changes(pool(ONE, TWO))["w"], (ONE["w"] + TWO["w"]) / 2 * 2 * cosine / (1 + cosine))


def test_similarity_sums_what_is_orthogonal_and_averages_what_is_equal():
    apart = {"w": torch.tensor([[2.0, -1.0, 0.0, 0.0]])}
    np.testing.assert_allclose(merges.similar(pool(ONE, apart)), [1, 1], atol=1e-6)
    np.testing.assert_allclose(merges.similar(pool(ONE, ONE)), [0.5, 0.5], atol=1e-6)


def test_slerp_keeps_the_length_of_equally_long_changes():
    first, second = low_rank_expert(0), low_rank_expert(0)
    base = network()
    turned = {w: type(c)(down=c.down.flip(1), up=c.up, scale=c.scale) for w, c in second.changes.items()}
    pair = ExpertPool(base, {"a": first, "b": type(first)(changes=turned)}, span="linear")
    c, _ = merges.slerp(Evaluator(base, pair, utility=utility()), 100, 0)
    gram = pair.gram()
    assert gram[0, 0] == pytest.approx(gram[1, 1])
    assert c @ gram @ c == pytest.approx(gram[0, 0])


def test_soups():
    one = evaluator()
    alone = one.score_values(np.eye(3))
    c, _ = merges.greedy_soup(one.fresh(), 100, 0)
    kept = np.flatnonzero(c)
    np.testing.assert_allclose(c[kept], 1 / len(kept))
    assert alone.argmax() in kept
    assert one.score_values(c[None])[0] >= alone.max()
    assert merges.uniform_soup(one, 100, 0)[0].tolist() == [1 / 3] * 3
    assert merges.best_expert(one, 100, 0)[0].tolist() == np.eye(3)[alone.argmax()].tolist()


def test_every_merge_counts_what_it_scores_and_keeps_the_budget():
    found = {merge.name: merge for merge in merges.merges(evaluator(), budget=40)}
    assert set(found) == set(merges.METHODS)
    spent = {name: merge.evaluations for name, merge in found.items()}
    assert spent == {
        "best expert": 3, "scaled expert": 30, "uniform soup": 1, "greedy soup": pytest.approx(5), "SLERP": 12,
        "task arithmetic": 31, "similarity": 0, "model stock": 0, "TIES": 15, "DARE": 36,
    }  # fmt: skip
    assert all(np.isnan(found[name].value) == (name in merges.FREE) for name in found)
    for merge in found.values():
        one = evaluator()
        scores = one.scores(merge.coefficients[None])[0] if merge.changes is None else one.score_changes(merge.changes)
        assert np.isnan(merge.value) or scores.mean() == pytest.approx(merge.value)
    short = {merge.name: merge.evaluations for merge in merges.merges(evaluator(), budget=7)}
    assert max(short.values()) <= 7
    assert short["TIES"] == 7


def test_the_best_of_a_grid_is_no_worse_than_any_of_it():
    one = evaluator()
    (found,) = [merge for merge in merges.merges(one, budget=50) if merge.name == "task arithmetic"]
    grid = one.score_values(np.array(merges.SCALES)[:, None] * np.ones(3))
    assert found.value == pytest.approx(grid.max())
