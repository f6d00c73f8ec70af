"""Searches: what every engine must do, budgets, stops, races; and that each finds an optimum that was planted."""

import numpy as np
import pytest
import torch
from worlds_for_tests import network, pool_of, utility

from assay.errors import AssayError
from assay.swarm.engines import Coordinates, CovarianceAdaptation, GradientAscent, LoraHub, ParticleSwarm
from assay.swarm.evaluate import Evaluator
from assay.swarm.search import ENGINES, search_once

GOAL = np.array([1.0, 1.0, 0.0, -0.5])


def planted(network, inputs, targets):
    """Higher the nearer the candidate's answers are to those of the goal."""
    return -(network(inputs) - targets).square().mean(-1)


def evaluator(span="linear", *, goal=GOAL, graded=True, score=planted, **options):
    base, pool = network(), pool_of(4, span=span)
    mine = utility()
    make = lambda inputs: torch.func.functional_call(network(), pool.weights(goal), (inputs,)).detach()  # noqa: E731
    planted_utility = utility(
        items=type(mine.items)(mine.items.inputs, make(mine.items.inputs)),
        test=type(mine.items)(mine.test.inputs, make(mine.test.inputs)),
        score=score,
        graded=planted,
    )
    return Evaluator(base, pool, utility=planted_utility, graded=graded, **options)


@pytest.mark.parametrize("span", ["affine", "linear"])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_keeps_budget_span_and_seed(engine, span):
    if engine == LoraHub.name and span == "affine":
        with pytest.raises(AssayError, match="need not sum to 1"):
            search_once(evaluator(span), engine, budget=40, seed=0)
        return
    first, again, other = (search_once(evaluator(span), engine, budget=90, seed=seed) for seed in (3, 3, 4))
    assert 80 <= first.spent <= 90
    np.testing.assert_array_equal(first.best, again.best)
    assert first.values == again.values
    assert first.values != other.values
    assert list(first.values) == sorted(first.values)
    assert max(first.evaluations) <= first.spent
    assert first.value >= evaluator(span).values(np.eye(4)).max()
    if span == "affine":
        np.testing.assert_allclose(first.candidates.sum(1), 1, atol=1e-9)
    np.testing.assert_array_equal(first.best_after(first.spent), first.best)
    np.testing.assert_array_equal(first.best_after(0), first.candidates[0])


@pytest.mark.parametrize(("engine", "near"), [("cmaes", 0.05), ("pso", 0.05), ("gradient", 0.1)])
def test_a_planted_optimum_is_found(engine, near):
    trace = search_once(evaluator(), engine, budget=600, seed=0)
    assert np.abs(trace.best - GOAL).max() < near


def test_an_affine_optimum_is_found_in_the_affine_span():
    goal = np.array([1.5, -1.0, 0.25, 0.25])
    trace = search_once(evaluator("affine", goal=goal), "cmaes", budget=600, seed=0)
    assert np.abs(trace.best - goal).max() < 0.05


def test_the_penalty_of_lorahub_shrinks():
    values = [search_once(evaluator(), engine, budget=400, seed=0).best for engine in ("lorahub", "cmaes")]
    assert np.abs(values[0]).sum() < np.abs(values[1]).sum()
    assert np.abs(values[0]).max() <= 1.5


@pytest.mark.parametrize("size", [2, 3, 7])
def test_coordinates_of_the_affine_span_are_orthonormal(size):
    space = Coordinates(size, "affine")
    np.testing.assert_allclose(space.basis @ space.basis.T, np.eye(size - 1), atol=1e-12)
    np.testing.assert_allclose(space.basis.sum(1), 0, atol=1e-12)
    z = np.random.default_rng(0).standard_normal((3, size - 1))
    np.testing.assert_allclose(space.coordinates(space.coefficients(z)), z, atol=1e-12)


def test_two_experts_on_a_line():
    base = network()
    one = Evaluator(base, pool_of(2, base=base), utility=utility())
    for engine in ("cmaes", "pso", "swarm", "random"):
        trace = search_once(one.fresh(), engine, budget=50, seed=0)
        np.testing.assert_allclose(trace.best.sum(), 1)


def test_numpys_generator_is_left_alone():
    np.random.seed(5)
    before = np.random.get_state()[1:3]
    search_once(evaluator(), "cmaes", budget=60, seed=0)
    after = np.random.get_state()[1:3]
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1] == after[1]


def test_a_budget_below_the_pool_and_an_unknown_engine_are_refused():
    with pytest.raises(AssayError, match=r"pay for each expert once. Given: 3 evaluations and 4 experts"):
        search_once(evaluator(), "cmaes", budget=3, seed=0)
    with pytest.raises(AssayError, match=r"Given: cmeas.*Did you mean cmaes"):
        search_once(evaluator(), "cmeas", budget=40, seed=0)


def test_a_budget_of_the_experts_alone_gives_the_best_expert():
    one = evaluator()
    trace = search_once(one, "cmaes", budget=4, seed=0)
    np.testing.assert_array_equal(trace.best, np.eye(4)[one.values(np.eye(4)).argmax()])
    assert (trace.spent, trace.starts) == (4, 0)


def test_a_search_begins_anew_when_it_has_converged():
    trace = search_once(evaluator(), lambda size, span, *, rng: GradientAscent(size, span, rng=rng, steps=5), budget=60, seed=0)
    assert trace.starts == 4


def stopping(after):
    """A score that raises at the call after so many."""
    calls = []

    def score(network, inputs, targets):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return planted(network, inputs, targets)

    return score


@pytest.mark.parametrize("race", [False, True])
@pytest.mark.parametrize("engine", ["cmaes", "swarm", "pso"])
def test_a_stopped_search_goes_on_to_the_same_end(engine, race, tmp_path, monkeypatch):
    monkeypatch.setattr("assay.swarm.search.SECONDS_KEPT", 0.0)
    whole = search_once(evaluator(graded=False), engine, budget=150, seed=1, race=race)
    journal = tmp_path / "journal.safetensors"
    with pytest.raises(KeyboardInterrupt):
        search_once(
            evaluator(graded=False, score=stopping(12 if race else 8)), engine, budget=150, seed=1, race=race, journal=journal
        )
    calls = []

    def counted(network, inputs, targets):
        calls.append(1)
        return planted(network, inputs, targets)

    resumed = search_once(evaluator(graded=False, score=counted), engine, budget=150, seed=1, race=race, journal=journal)
    np.testing.assert_array_equal(resumed.best, whole.best)
    assert (resumed.values, resumed.evaluations, resumed.spent) == (whole.values, whole.evaluations, whole.spent)
    fresh = len(calls)
    calls.clear()
    search_once(evaluator(graded=False, score=counted), engine, budget=150, seed=1, race=race)
    assert fresh < len(calls)  # some were read from the journal


def test_a_stopped_gradient_search_goes_on(tmp_path):
    journal = tmp_path / "journal.safetensors"
    short = search_once(evaluator(), "gradient", budget=60, seed=1, journal=journal)
    longer = search_once(evaluator(), "gradient", budget=120, seed=1, journal=journal)
    whole = search_once(evaluator(), "gradient", budget=120, seed=1)
    np.testing.assert_array_equal(longer.best, whole.best)
    assert longer.spent == whole.spent > short.spent


def test_a_journal_of_another_pool_is_refused(tmp_path):
    journal = tmp_path / "journal.safetensors"
    search_once(evaluator(), "cmaes", budget=30, seed=1, journal=journal)
    base = network()
    other = Evaluator(base, pool_of(3, base=base), utility=utility())
    with pytest.raises(AssayError, match="resumes only with the pool and the items"):
        search_once(other, "cmaes", budget=30, seed=1, journal=journal)


def test_a_race_tries_more_candidates_and_its_best_was_scored_on_all_items():
    plain, raced = evaluator(graded=False), evaluator(graded=False)
    search_once(plain, "random", budget=100, seed=0)
    trace = search_once(raced, "random", budget=100, seed=0, race=True)
    assert trace.spent <= 100
    assert len(raced._kept) > 1.4 * len(plain._kept)
    np.testing.assert_allclose(evaluator(graded=False).values(trace.best[None]), trace.value)


def test_engines_without_pycma_say_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cma", None)
    with pytest.raises(AssayError, match=r"need pycma.*pip install 'assay\[swarm\]', or choose the engine pso"):
        CovarianceAdaptation(3, "linear", rng=np.random.default_rng(0))
    ParticleSwarm(3, "linear", rng=np.random.default_rng(0))
