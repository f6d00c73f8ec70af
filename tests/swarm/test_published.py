"""The published update on coefficients against a plain implementation on whole weights, and what its options do."""

import numpy as np
import pytest
import torch
from worlds_for_tests import network, pool_of, utility

from assay.errors import AssayError
from assay.swarm.evaluate import Evaluator
from assay.swarm.published import PublishedSwarm, RandomSteps, SwarmOptions
from assay.swarm.search import search_once

NUM = 5


class Recorded:
    """The same random numbers for two searches."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def random(self):
        return self.rng.random()

    def integers(self, high):
        return int(self.rng.integers(high))


def plain_swarm(experts, value, options, draws, iterations):
    """Model Swarms as the paper writes it (section 2), particle by particle on vectors of all weights."""
    x = [expert.clone() for expert in experts]
    while len(x) < options.particles:
        a = draws.integers(len(x))
        b = draws.integers(len(x) - 1)
        b = b + 1 if b >= a else b
        w = draws.random() * (2 if options.crossover == "double" else 1)
        x.append(w * x[a] + (1 - w) * x[b])
    f = [value(one) for one in x]
    p, fp = [one.clone() for one in x], list(f)
    top, bottom = int(np.argmax(f)), int(np.argmin(f))
    g, fg, w_, fw = x[top].clone(), f[top], x[bottom].clone(), f[bottom]
    v = []
    for k in range(len(x)):
        j = draws.integers(len(x) - 1)
        v.append(x[j + 1 if j >= k else j] - x[k])
    age, length, path = [0] * len(x), options.step, []
    for _ in range(iterations):
        for k in range(len(x)):
            if options.restart is not None and age[k] > options.restart * options.patience:
                x[k], v[k] = p[k].clone(), torch.zeros_like(v[k])
                age[k] = 0 if options.forget else age[k]
            r = [draws.random() * phi for phi in (options.inertia, options.own, options.leader, options.repel)]
            total = sum(r)
            v[k] = (r[0] * v[k] + r[1] * (p[k] - x[k]) + r[2] * (g - x[k]) + r[3] * (x[k] - w_)) / total
            x[k] = x[k] + length * v[k]
        length = max(0.95 * length, 0.1)
        f = [value(one) for one in x]
        for k, each in enumerate(f):
            age[k] += 1
            if each > fp[k]:
                p[k], fp[k], age[k] = x[k].clone(), each, 0
        if max(f) > fg:
            g, fg = x[int(np.argmax(f))].clone(), max(f)
        if min(f) < fw:
            w_, fw = x[int(np.argmin(f))].clone(), min(f)
        path.append(torch.stack(x))
    return path


@pytest.mark.parametrize("crossover", ["unit", "double"])
@pytest.mark.parametrize(("restart", "forget"), [(None, False), (0.2, False), (0.2, True)])
@pytest.mark.parametrize("repel", [0.0, 0.1])
def test_ten_iterations_agree_with_the_update_on_whole_weights(crossover, restart, forget, repel):
    torch.manual_seed(0)
    experts = torch.randn(NUM, 400, dtype=torch.float64)
    along = torch.randn(400, dtype=torch.float64)
    value = lambda weights: float(torch.sin(0.5 * weights @ along))  # noqa: E731 - rugged, so that particles stop improving
    options = SwarmOptions(crossover=crossover, restart=restart, forget=forget, repel=repel, patience=10, most=100)
    path = plain_swarm(experts, value, options, Recorded(1), 10)
    engine = PublishedSwarm(NUM, "affine", rng=np.random.default_rng(0), options=options, draws=Recorded(1))
    mine = []
    for _ in range(11):
        asked = engine.ask()
        mine.append(torch.from_numpy(asked.copy()) @ experts)
        engine.tell(asked, np.array([value(one) for one in mine[-1]]))
    for by_hand, found in zip(path, mine[1:], strict=True):
        torch.testing.assert_close(found, by_hand, rtol=0, atol=1e-12)
    if restart is not None:  # the branch was taken
        assert (engine.age > 2).any() or forget


def run(iterations=8, span="affine", value=lambda c: c[:, 0], **options):
    engine = PublishedSwarm(NUM, span, rng=np.random.default_rng(0), options=SwarmOptions(**options))
    asked = []
    while len(asked) < iterations and not engine.finished:
        asked.append(engine.ask().copy())
        engine.tell(asked[-1], value(asked[-1]))
    return engine, asked


def test_the_affine_search_never_leaves_the_affine_span():
    for restart in (None, 0.1):
        _, asked = run(20, restart=restart, most=20)
        np.testing.assert_allclose(np.vstack(asked).sum(1), 1, atol=1e-13)


def test_the_base_is_a_particle_in_the_linear_span_and_lifts_the_constraint():
    engine, asked = run(span="linear")
    np.testing.assert_array_equal(asked[0][NUM], 0)
    assert np.abs(np.vstack(asked[1:]).sum(1) - 1).max() > 0.05
    assert len(engine.x) == 20


def test_a_step_is_never_longer_than_the_longest_way():
    engine, _ = run(1)
    before = engine.x.copy()
    ways = [engine.v, engine.best - before, engine.top - before, before - engine.bottom]
    longest = np.max([np.linalg.norm(way, axis=1) for way in ways], 0)
    engine.ask()
    moved = np.linalg.norm(engine.x - before, axis=1)
    assert moved.max() > 0
    assert (moved <= 0.8 * longest + 1e-12).all()


def test_children_of_the_paper_lie_between_their_parents_and_those_of_the_code_beyond():
    assert run(1, crossover="unit")[1][0].min() >= 0
    assert run(1, crossover="double")[1][0].min() < 0


@pytest.mark.parametrize(("velocity", "moves"), [("zero", False), ("best", True), ("random", True)])
def test_velocity_at_the_start(velocity, moves):
    engine, _ = run(1, velocity=velocity)
    assert engine.v.any() == moves
    if velocity == "best":
        np.testing.assert_allclose(engine.v, engine.top - engine.x)


def test_patience_ends_a_flat_search():
    engine, asked = run(100, value=lambda c: np.zeros(len(c)), patience=4, most=100)
    assert engine.finished
    assert len(asked) == 5  # the start, whose values are the first bests, and four iterations in vain


def test_without_memory_of_the_restart_a_particle_goes_back_each_time():
    """The quirk: its age is not reset, so that from then on each move begins at its personal best."""
    for forget, back in ((False, True), (True, False)):
        engine, _ = run(6, value=lambda c: -np.square(c).sum(1), restart=0.2, patience=10, most=100, forget=forget)
        old = engine.age > 2
        assert old.any()
        engine.tell(engine.ask(), np.full(20, -1e9))
        assert (engine.age[old] > 2).all() == back


def test_dropout_evaluates_less_and_moves_as_much():
    _, all_ = run(8)
    _, fewer = run(8, dropout_particle=0.5)
    assert 0.3 < np.mean([len(one) for one in fewer[1:]]) / 20 < 0.7
    assert len(fewer[0]) == len(all_[0]) == 20
    engine, some = run(4, dropout_iteration=0.6, most=100, patience=50)
    assert engine._iteration > len(some) - 1
    stuck, _ = run(50, dropout_iteration=0.99, most=3)
    assert stuck.finished


def test_random_steps_have_the_lengths_and_not_the_directions():
    mine, null = run(1)[0], run(1, directions="random")[0]
    before = mine.x.copy()
    np.testing.assert_allclose(null.x, before)
    mine.ask(), null.ask()
    steps = [engine.x - before for engine in (mine, null)]
    np.testing.assert_allclose(*(np.linalg.norm(step, axis=1)[:1] for step in steps))
    assert np.abs(steps[0] - steps[1]).max() > 0.01
    np.testing.assert_allclose(null.x.sum(1), 1)


def test_settings_are_those_of_the_published_scripts():
    rng = np.random.default_rng(0)
    drawn = [SwarmOptions.drawn(rng) for _ in range(200)]
    for name, low, high in (("inertia", 0.1, 0.3), ("own", 0.1, 0.5), ("leader", 0.2, 0.6), ("step", 0.5, 1.0)):
        values = {getattr(one, name) for one in drawn}
        assert (min(values), max(values)) == (low, high)
    assert {one.repel for one in drawn} == {0.01, 0.05, 0.1}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"inertia": -0.1}, "inertia must not be negative"),
        ({"dropout_particle": 1.0}, "a chance below 1"),
        ({"inertia": 0.0, "own": 0.0, "leader": 0.0, "repel": 0.0}, "one of inertia"),
    ],
)
def test_settings_without_sense_are_refused(wrong, told):
    with pytest.raises(AssayError, match=told):
        SwarmOptions(**wrong)


def test_the_null_is_an_engine_of_its_own():
    trace = search_once(Evaluator(network(), pool_of(), utility=utility()), "random steps", budget=60, seed=0)
    assert trace.engine == RandomSteps.name
    assert trace.spent <= 60
