"""Experts of the task `language`: what each learns, and what none has seen."""

import torch

from assay.swarm.language import EXPERTS, language_problem
from assay.swarm.problem import SHARED
from assay.tasks.language_words import ADJECTIVES, WORDS


def told(items):
    return {tuple(WORDS[k] for k in row if k) for row in items.inputs.tolist()}


def test_no_expert_has_what_is_composed():
    problem = language_problem(base_steps=1, expert_steps=1)
    assert problem.pool.names == tuple(EXPERTS)
    assert problem.utility.test is not None
    composed = told(problem.utility.items) | told(problem.utility.test)
    assert len(composed) == 4 * 16 * 2
    assert {line[-1] for line in composed} == {"earns"}
    adjectives = {word for line in composed for word in line if word in ADJECTIVES}
    assert adjectives == set(ADJECTIVES[8:12])
    for name in (*EXPERTS, SHARED):
        assert not told(problem.kept[name]) & composed
    assert adjectives <= {word for line in told(problem.kept["adjectives 9-12"]) for word in line}
    assert {line[-1] for line in told(problem.kept["verb earns"])} == {"earns"}
    weights = problem.pool.weights([0.0] * len(EXPERTS))
    assert all(torch.equal(weights[name], value) for name, value in problem.network.state_dict().items())
