"""A study and its verdict: in worlds with a known answer, and on made-up scores of which every number can be counted."""

from dataclasses import replace

import numpy as np
import pytest
from worlds_for_tests import network, pool_of, utility

from assay.errors import AssayError
from assay.swarm.connected import barriers
from assay.swarm.evaluate import Evaluator
from assay.swarm.judge import judged, optimism, unanswered
from assay.swarm.problem import SHARED, Problem
from assay.swarm.study import StudyPlan, study
from assay.swarm.worlds import WorldSize, make_world

pytestmark = pytest.mark.slow
TINY = WorldSize(
    modulus=7, old=4, experts=3, state=32, operation=32, hidden=96, base_steps=500, expert_steps=300, validation=80
)
PLAN = StudyPlan(engines=("cmaes",), budget=100, seeds=4, nulls=6, beyond=1)


@pytest.fixture(scope="module")
def worlds():
    return {kind: make_world(kind, seed=1, size=TINY) for kind in ("composable", "missing skill", "other initialisations")}


@pytest.fixture(scope="module")
def studies(worlds):
    return {kind: study(world, PLAN) for kind, world in worlds.items()}


def test_each_expert_can_do_its_own_and_none_the_composed_task(worlds):
    for world in worlds.values():
        one = Evaluator(world.network, world.pool, utility=world.utility)
        for k, name in enumerate(world.pool.names):
            assert one.score_items(np.eye(3)[k : k + 1], world.kept[name]).mean() > 0.9
        assert one.score_items(np.eye(3), world.kept[SHARED]).mean() > 0.95
        assert one.scores(np.eye(3)).mean() < 0.4


@pytest.mark.parametrize(
    ("kind", "word"), [("composable", "composed"), ("missing skill", "nothing"), ("other initialisations", "nothing")]
)
def test_the_verdict_is_that_of_the_world(kind, word, studies):
    found = judged(studies[kind])
    assert found.word == word, found.reason
    assert found.evidence.summary.lower().startswith(word)
    if word == "composed":
        assert set(found.necessary) == {"expert 0", "expert 1"}


def test_the_test_items_are_spent(worlds, studies):
    assert studies
    world = worlds["composable"]
    assert world.utility.is_tested
    with pytest.raises(AssayError, match="scored once"):
        study(world, PLAN)


def test_everything_is_reported_with_its_null_and_interval(studies):
    evidence = judged(studies["composable"]).evidence
    keys = [measure.key for measure in evidence.measures]
    assert {"selected_score", "gain_over_best", "gain_over_scaled", "emergence", "union_emergence", "validation_gap"} <= set(
        keys
    )
    assert keys.count("necessity") == 3
    assert keys.count("forgetting") == 4
    assert all(measure.interval is not None and measure.nulls for measure in evidence.measures)
    methods = [row[0] for row in evidence.figures[1].rows]
    assert {"cmaes", "cmaes, noise experts", "cmaes, renamed answers", "cmaes, with random directions", "TIES", "base"} <= set(
        methods
    )
    line = evidence.figures[0].plots[0].lines[0]
    assert line.x[-1] == PLAN.budget
    assert line.y[-1] == pytest.approx(evidence.measure("selected_score").value)


def test_siblings_are_connected_and_strangers_are_not(worlds):
    kin, strangers = (
        barriers(Evaluator(world.network, world.pool, utility=world.utility), world.kept[SHARED])
        for world in (worlds["composable"], worlds["other initialisations"])
    )
    assert kin.pairs.max() < 0.1
    assert kin.warning == ""
    assert strangers.pairs[np.triu_indices(3, 1)].min() > 0.5
    assert "the worst of 3 such pairs" in strangers.warning
    np.testing.assert_array_equal(kin.pairs, kin.pairs.T)


def test_a_study_in_two_processes_that_goes_on_is_the_same(worlds, tmp_path):
    """Searches are jobs of their own, and what they have scored lies in their journals."""
    world = worlds["composable"]
    plan = replace(PLAN, engines=("swarm",), budget=30, seeds=3, nulls=5, beyond=0)
    found = [
        study(replace(world, utility=replace(world.utility)), plan, jobs=jobs, journals=tmp_path / "journals")
        for jobs in (2, 1)
    ]
    plain = study(replace(world, utility=replace(world.utility)), plan)
    for other in found:
        for key, scores in plain.tested.items():
            np.testing.assert_array_equal(scores, other.tested[key])
    assert len(list((tmp_path / "journals").iterdir())) == 13


# On made-up scores


def made_up(studies, *, own, best, scaled, experts, ablated, noise, renamed):
    """A study of 40 test items in which each method answers so many of the first ones; `experts` are sets of items."""
    row = lambda num: (np.arange(40) < num).astype(float)  # noqa: E731
    plain = studies["composable"]
    rng = np.random.default_rng(0)
    shaken = lambda num: np.array([np.roll(row(max(0, num + rng.integers(-1, 2))), rng.integers(40)) for _ in range(6)])  # noqa: E731
    return replace(
        plain,
        tested={
            ("own", "cmaes"): np.array([row(own)] * 4),
            ("noise", "cmaes"): shaken(noise),
            ("renamed", "cmaes"): shaken(renamed),
        },
        traces={key: value for key, value in plain.traces.items() if key[0] != "beyond"},
        merged={**{name: row(0) for name in plain.merged}, "best expert": row(best), "scaled expert": row(scaled)},
        experts=np.array(experts),
        base=row(0),
        ablated=np.array([[row(num) for num in ablated]] * 4),
        union=np.array([row(own)] * 4),
        experts_renamed=np.zeros((6, 3, 40)),
        shared={},
    )


def answers(*numbers):
    return (np.arange(40) < np.array(numbers)[:, None]).astype(float)


COMPOSED = {"own": 36, "best": 8, "scaled": 10, "experts": answers(8, 6, 4), "ablated": (8, 6, 36), "noise": 4, "renamed": 4}


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "composed"),
        ({"noise": 35}, "nothing"),
        ({"renamed": 35}, "nothing"),
        ({"best": 36}, "selected"),
        ({"scaled": 36}, "scaled"),
        ({"ablated": (8, 36, 36)}, "scaled"),
        ({"experts": answers(8, 6, 37)}, "selected"),
    ],
)
def test_each_condition_decides(changed, word, studies):
    found = judged(made_up(studies, **(COMPOSED | changed)))
    assert found.word == word, found.reason


def test_one_lucky_fact_is_no_finding(studies):
    """Half of the items are right, all of one of five facts that they share: beyond the nulls over items, not over facts."""
    lucky = COMPOSED | {"own": 20, "best": 20, "experts": answers(20, 6, 4)}
    assert judged(made_up(studies, **lucky)).word == "selected"
    shared = {"fact": np.repeat(np.arange(5), [20, 5, 5, 5, 5])}
    assert judged(replace(made_up(studies, **lucky), shared=shared)).word == "nothing"
    many = {"fact": np.arange(40)}
    assert judged(replace(made_up(studies, **lucky), shared=many)).word == "selected"


def test_emergence_counts_items_that_nobody_answers(studies):
    one = made_up(studies, **COMPOSED)
    assert unanswered(one).sum() == 32
    found = judged(one).evidence.measure("emergence")
    noise = (one.tested["noise", "cmaes"][:, 8:] >= 0.5).mean()
    renamed = one.tested["renamed", "cmaes"].mean()
    assert found.value == pytest.approx(28 / 32 - max(noise, renamed))
    union = judged(one).evidence.measure("union_emergence")
    assert union.nulls[0].values[0] == pytest.approx(1 - (6 / 7) ** one.swarm)


def test_optimism_is_that_of_the_best_of_independent_candidates():
    rng = np.random.default_rng(0)
    best = rng.binomial(200, 0.5, (4000, 100)).max(1) / 200 - 0.5
    assert optimism(0.5, 100, 200) == pytest.approx(best.mean(), abs=0.004)
    assert optimism(0.5, 1, 200) == 0


def test_plans_that_make_no_sense_are_refused():
    with pytest.raises(AssayError, match="seeds must be at least 3"):
        StudyPlan(seeds=1)
    with pytest.raises(AssayError, match=r"Given: cma\..*Did you mean cmaes"):
        StudyPlan(engines=("cma",))
    base = network()
    with pytest.raises(AssayError, match="pay for each expert once"):
        study(Problem(network=base, pool=pool_of(base=base), utility=utility()), StudyPlan(budget=2))
    with pytest.raises(AssayError, match="needs test items"):
        study(Problem(network=base, pool=pool_of(base=base), utility=utility(test=None)), StudyPlan(budget=30))
