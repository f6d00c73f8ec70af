"""The searched alignment finds a part that has units of its own, and nothing in a network that does not hold it."""

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.instruments.former.search import Inside
from assay.observed import Observed, observe
from assay.subject import Subject
from assay.tasks.modular import Modular
from assay.zoo.alignment import alignment

pytestmark = pytest.mark.slow

TASK = Modular(p=5, num_first=4, num_second=8, synonyms=True, coverage=0.8)


class Sums(nn.Module):
    """Answers exactly: one layer holds i, j and x in units of their own, another looks the answer up."""

    def __init__(self, *, blind: bool = False):
        super().__init__()
        self.held, self.blind = nn.Identity(), blind
        tokens = TASK.examples("seen", 1000, generator=Generator().manual_seed(0))
        more = TASK.examples("novel", 1000, generator=Generator().manual_seed(0))
        self.known = torch.cat([tokens.inputs["tokens"], more.inputs["tokens"]])
        self.answers = torch.cat([tokens.targets, more.targets])

    def forward(self, tokens: Tensor) -> Tensor:
        code = self.held(F.one_hot(tokens, 17).flatten(1).float())
        if self.blind:
            return code[:, :5] * 0
        shared = code @ F.one_hot(self.known, 17).flatten(1).float().T
        return (shared * 4).softmax(1) @ F.one_hot(self.answers, 5).float() * 10


def inside(module: nn.Module) -> Inside:
    observed = observe(
        TASK, num_examples=200, num_pairs=400, num_scrambles=0, num_folds=4, generator=Generator().manual_seed(0)
    )
    return Inside.of(
        Subject(module), observed, ["held:in", "held:out"], metric="euclidean", generator=Generator().manual_seed(0)
    )


def test_a_part_with_units_of_its_own_is_found_by_a_long_search(monkeypatch):
    monkeypatch.setattr("assay.zoo.alignment.STEPS", 1000)
    assert alignment(inside(Sums()), generator=Generator().manual_seed(0)) == pytest.approx(1.0, abs=0.1)


def test_nothing_is_found_where_the_output_depends_on_nothing():
    found = alignment(inside(Sums(blind=True)), generator=Generator().manual_seed(0))
    assert found is not None
    assert found < 0.6


def test_the_same_generator_gives_the_same_number_and_the_network_stays():
    looked = inside(Sums())
    before = {name: value.clone() for name, value in looked.subject.module.state_dict().items()}
    first, second = (alignment(looked, generator=Generator().manual_seed(3)) for _ in range(2))
    assert first == second
    assert all(torch.equal(value, before[name]) for name, value in looked.subject.module.state_dict().items())
    assert not looked.subject.module.held._forward_hooks


def test_no_exchange_is_no_number():
    looked = inside(Sums())
    nothing: Observed = replace(looked.observed, exchanges={})
    assert alignment(replace(looked, observed=nothing), generator=Generator().manual_seed(0)) is None
