"""Networks of different architectures, each of which knows one token of an answer of two: mixed, they know both."""

import numpy as np
import pytest
import torch
from torch import Generator, nn

from assay.errors import AssayError
from assay.swarm.evaluate import Evaluator
from assay.swarm.judge import judged
from assay.swarm.mixed_experts import mixture_of
from assay.swarm.problem import Problem
from assay.swarm.scores import exact_match, log_probability
from assay.swarm.study import StudyPlan, study
from assay.swarm.utility import ScoredItems, Utility

TOKENS, SURE = 12, 4.0


class Recurrent(nn.Module):
    """Of another architecture: what it holds is a sum over positions."""

    def __init__(self, table):
        super().__init__()
        self.table = nn.Embedding.from_pretrained(table)

    def forward(self, tokens):
        return self.table(tokens).cumsum(1) - self.table(tokens).cumsum(1).roll(1, 1) * torch.tensor([[[0.0], [1.0]]])


def table(names, knows):
    """Logits behind each token: sure of the answers of these, and of a little of a wrong one for all others."""
    found = torch.zeros(TOKENS, TOKENS)
    for token in range(TOKENS):
        right = token in knows
        found[token, names[token] if right else (names[token] + 1) % TOKENS] = SURE if right else 0.5 * SURE
    return found


def networks():
    names = torch.randperm(TOKENS, generator=Generator().manual_seed(0)).tolist()
    low, high = range(TOKENS // 2), range(TOKENS // 2, TOKENS)
    one = nn.Embedding.from_pretrained(table(names, low))
    linear = nn.Linear(TOKENS, TOKENS, bias=False)
    linear.weight.data = table(names, ()).T.clone()
    third = nn.Sequential(nn.Embedding.from_pretrained(torch.eye(TOKENS)), linear)
    return names, {"low": one, "high": Recurrent(table(names, high)), "neither": third}


def problem():
    names, made = networks()
    pairs = torch.cartesian_prod(torch.arange(TOKENS // 2), torch.arange(TOKENS // 2, TOKENS))
    pairs = pairs[torch.randperm(len(pairs), generator=Generator().manual_seed(1))]
    items = ScoredItems(pairs, torch.tensor(names)[pairs])
    network, pool = mixture_of(made, vocabulary=TOKENS)
    split = (torch.arange(20), torch.arange(20, len(pairs)))
    utility = Utility(
        items=items.take(split[0]), test=items.take(split[1]), score=exact_match, graded=log_probability,
    )  # fmt: skip
    return Problem(network=network, pool=pool, utility=utility, chance=1 / TOKENS**2)


@pytest.mark.parametrize("way", ["vmap", "loop"])
def test_a_mixture_has_the_weighted_distribution(way):
    one = problem()
    evaluator = Evaluator(one.network, one.pool, utility=one.utility, way=way)
    c = np.array([[1.0, 0.0, 0.0], [0.25, 0.5, 0.25], [1.5, 0.0, -0.5]])
    found = evaluator.scores(c, graded=True)
    inputs, targets = one.utility.items.inputs, one.utility.items.targets
    each = torch.stack([network(inputs).softmax(-1) for network in one.network.networks])
    for weights, row in zip(c, found, strict=True):
        mixed = torch.einsum("k,knlv->nlv", torch.tensor(weights).float(), each).clamp(min=1e-9)
        by_hand = (mixed / mixed.sum(-1, keepdim=True)).log().gather(-1, targets[..., None])[..., 0].mean(1)
        np.testing.assert_allclose(row, by_hand.detach(), atol=1e-5)


def test_what_no_network_answers_their_mixture_does():
    """Each answers one token of two, so no item; both together all of them; random directions few."""
    found = study(problem(), StudyPlan(engines=("cmaes",), budget=30, seeds=3, nulls=5, beyond=0, graded=True))
    assert found.way == "vmap"  # networks are run once for all candidates
    assert not found.experts.any()
    np.testing.assert_array_equal(found.tested["own", "cmaes"], 1.0)
    assert judged(found).word == "composed"


def test_another_vocabulary_is_refused():
    network, _ = mixture_of({"a": nn.Embedding(5, 5), "b": nn.Embedding(5, 4)}, vocabulary=5)
    with pytest.raises(AssayError, match=r"share one vocabulary. Given: 4 tokens of b, where 5"):
        network(torch.zeros(1, 2, dtype=torch.long))
    with pytest.raises(AssayError, match="at least two experts"):
        mixture_of({"a": nn.Embedding(5, 5)}, vocabulary=5)
