"""The curves of `experiments/cuts` on networks that were built so that the right answer is known."""

import math
from itertools import pairwise

import pytest
import torch
from curves import (
    Data,
    Effects,
    Rows,
    call,
    combined_between,
    curves,
    headline,
    lower_bound,
    scrambled,
    upper_bound,
    what_breaks,
)
from torch import Generator, Tensor, nn

from assay.subject import Subject

P = 17
PAIRS = torch.cartesian_prod(torch.arange(P), torch.arange(P))


def trained(coverage: float = 0.7) -> Tensor:
    order = torch.randperm(len(PAIRS), generator=Generator().manual_seed(0))
    return torch.zeros(len(PAIRS), dtype=torch.bool).index_fill(0, order[: round(coverage * len(PAIRS))], True)


class Planted(nn.Module):
    """Reads each part off a point on a circle (softmax), and looks the pair up in a table (product).

    - `table`: the answer to every pair.
    - `intercept`: pairs that it takes for others, which it knows from both parts together.
    - `detour`: how many more softmaxes the first part goes through than the second.
    - `norm`: puts a LayerNorm between reading and combining.
    """

    def __init__(self, table: Tensor, *, intercept: Tensor | None = None, detour: int = 0, norm: bool = False):
        super().__init__()
        angles = 2 * math.pi * torch.arange(P) / P
        self.read = nn.Linear(2, P, bias=False)
        self.read.weight = nn.Parameter(300 * torch.stack([angles.cos(), angles.sin()], 1))
        self.table, self.intercept, self.detour, self.norm = table, intercept, detour, norm

    def forward(self, x: Tensor) -> Tensor:
        first = torch.softmax(self.read(x[:, :2]), -1)
        second = torch.softmax(self.read(x[:, 2:4]), -1)
        if self.intercept is not None:
            wrong = torch.relu(torch.einsum("ni,nj,ij->n", first, second, self.intercept.float()))[:, None]
            first = first + wrong * (first.roll(1, -1) - first)
        for _ in range(self.detour):
            first = torch.softmax(300 * first, -1)
        both = torch.cat([first, second], -1)
        if self.norm:
            both = nn.functional.layer_norm(both, (2 * P,))
            both = both * math.sqrt((2 / (2 * P)) * (1 - 1 / P)) + 1 / P  # what it does to two one-hot vectors, undone
        return torch.einsum("ni,nj,ijk->nk", both[:, :P], both[:, P:], self.table)


class Towers(nn.Module):
    """Two towers that read both parts and look the pair up: one knows pairs whose first part is even, the other the rest.

    They read points whose angle is halved and whose sign says nothing. `later` is how many more times than the first the
    second does something and undoes it before it reads.
    """

    def __init__(self, table: Tensor, *, later: int):
        super().__init__()
        self.read = Planted(table).read
        even = (torch.arange(P) % 2 == 0)[:, None, None]
        self.tables, self.later = (table * even, table * ~even), later

    def forward(self, x: Tensor) -> Tensor:
        late = x
        for _ in range(self.later):
            late = torch.sinh(torch.asinh(late))
        return self.tower(x, self.tables[0]) + self.tower(late, self.tables[1])

    def tower(self, x: Tensor, table: Tensor) -> Tensor:
        cosines, sines = x[:, ::2], x[:, 1::2]
        points = torch.stack([cosines**2 - sines**2, 2 * cosines * sines], -1)
        first, second = torch.softmax(self.read(points), -1).unbind(1)
        return torch.einsum("ni,nj,ijk->nk", first, second, table)


def table(answers: Tensor, num: int) -> Tensor:
    return nn.functional.one_hot(answers.view(P, P), num).float()


def data(answers: Tensor, num: int, *, coverage: float = 0.7, nuisance: int = 0, held: int = 40, folded: bool = False) -> Data:
    """Points on circles at a random distance; `nuisance` more numbers say nothing.

    `folded`: points with half the angle instead, at one distance, and turned by half a circle in the second half of the rows,
    so that their mean is zero where each pair has two rows.
    """
    generator = Generator().manual_seed(1)
    chosen = trained(coverage)
    seen = PAIRS[chosen][torch.randperm(int(chosen.sum()), generator=generator)]

    def rows(pairs: Tensor) -> Rows:
        angles = 2 * math.pi * pairs / P
        far = 0.8 + 0.4 * torch.rand(len(pairs), 2, 1, generator=generator)
        points = far * torch.stack([angles.cos(), angles.sin()], -1)
        if folded:
            sign = torch.where(torch.arange(len(pairs)) < len(pairs) / 2, 1.0, -1.0)[:, None, None]
            points = sign * torch.stack([(angles / 2).cos(), (angles / 2).sin()], -1)
        x = torch.cat([points.flatten(1), torch.randn(len(pairs), nuisance, generator=generator)], 1)
        return Rows(x, pairs, answers[pairs[:, 0] * P + pairs[:, 1]])

    return Data(rows(seen[held:].repeat(2, 1)), rows(seen[:held]), rows(PAIRS[~chosen]), (P, P), num)


def random_answers(num: int = P) -> Tensor:
    """No rule at all: only a table knows them."""
    return torch.randint(num, (P * P,), generator=Generator().manual_seed(2))


def wrong_where_novel(answers: Tensor, num: int, coverage: float = 0.7) -> Tensor:
    return torch.where(trained(coverage), answers, (answers + 1) % num)


@pytest.mark.parametrize("num", [P, 2])
@pytest.mark.parametrize(
    ("options", "nuisance", "coverage"),
    [({}, 0, 0.7), ({"detour": 2}, 0, 0.7), ({"norm": True}, 0, 0.7), ({}, 5, 0.7), ({}, 0, 0.4)],
    ids=["plain", "unequal branches", "LayerNorm", "nuisance", "low coverage"],
)
def test_a_table_of_all_pairs_composes_and_one_of_trained_pairs_does_not(num, options, nuisance, coverage):
    answers = random_answers(num)
    given = data(answers, num, coverage=coverage, nuisance=nuisance)
    right = curves(Subject(Planted(table(answers, num), **options)), given, seed=0)
    assert all(headline(right).rate(letter, form) == 1 for letter in ("cs", "es", "c", "e", "p") for form in ("sum", "shift"))
    assert (what_breaks(right), call(right)) == ("nothing found", "composes")
    memorised = Planted(table(wrong_where_novel(answers, num, coverage), num), **options)
    found = curves(Subject(memorised), given, seed=0)
    assert headline(found).rate("es") == headline(found).rate("e") == 1
    assert headline(found).rate("c") == 0
    assert (what_breaks(found), call(found)) == ("the combining", "does not compose")


def test_agreement_with_the_network_is_not_agreement_with_the_declared_answer():
    answers = random_answers()
    at = headline(curves(Subject(Planted(table((answers + 1) % P, P))), data(answers, P), seed=0))
    assert [at.rate(letter) for letter in ("cs", "es", "c", "e")] == [0, 1, 0, 1]


def test_too_few_held_out_pairs_resolve_nothing():
    answers = random_answers()
    found = curves(Subject(Planted(table(answers, P))), data(answers, P, held=30), seed=0)
    assert (what_breaks(found), call(found)) == ("not resolved", "not resolved"), "30 of 30 are at least .88"


def test_a_network_that_takes_novel_pairs_for_others_has_a_broken_way_in():
    answers = random_answers()
    found = curves(Subject(Planted(table(answers, P), intercept=~trained().view(P, P))), data(answers, P), seed=0)
    at = headline(found)
    assert (at.rate("c"), at.rate("es")) == (1, 1)
    assert at.rate("e") < 0.3
    assert what_breaks(found) == "the way in"
    assert call(found) == "composes", "level 0 cannot know"


def test_where_parts_are_combined_is_found():
    answers = random_answers()
    found = curves(Subject(Planted(table(answers, P))), data(answers, P), seed=0)
    low, high = combined_between(found, chance=data(answers, P).chance)
    assert high == low + 1
    assert any("mul" in name or "bmm" in name for name in found[low].leads)


def test_towers_that_combine_at_different_depths_are_not_resolved():
    answers = random_answers()
    given = data(answers, P, folded=True)
    together, apart = (curves(Subject(Towers(table(answers, P), later=later)), given, seed=0) for later in (0, 2))
    assert (what_breaks(together), call(together)) == ("nothing found", "composes")
    assert headline(apart) is None, "no depth lies behind both readings and before both ways of combining"
    assert call(apart) == "not resolved"


def test_scrambled_labels_have_no_headline_cut():
    answers = random_answers()
    subject = Subject(Planted(table(answers, P)))
    for seed in range(3):
        assert headline(curves(subject, scrambled(data(answers, P), seed=seed), seed=0)) is None


def test_values_that_are_not_connected_are_refused():
    parts = torch.tensor([[0, 0], [0, 1], [1, 2], [1, 3]])
    with pytest.raises(AssertionError, match="not connected"):
        Effects.of(torch.randn(4, 3), parts, (2, 4))


def test_effects_are_those_that_were_planted():
    generator = Generator().manual_seed(3)
    first, second = torch.randn(4, 6, generator=generator), torch.randn(5, 6, generator=generator)
    parts = torch.cartesian_prod(torch.arange(4), torch.arange(5))
    states = first[parts[:, 0]] + second[parts[:, 1]]
    chosen = torch.randperm(20, generator=generator)[:14]
    effects = Effects.of(states[chosen], parts[chosen], (4, 5))
    assert torch.allclose(effects.state(parts), states, atol=1e-5)
    assert effects.explained(states, parts) == pytest.approx(1, abs=1e-5)


def test_bounds_are_those_of_the_binomial():
    for right, total in ((0, 10), (10, 10), (7, 10)):
        hits = torch.arange(total) < right
        low, high = lower_bound(hits), upper_bound(hits)
        assert low <= right / total <= high
        assert upper_bound(~hits) == pytest.approx(1 - low)
    assert lower_bound(torch.ones(35, dtype=torch.bool)) == pytest.approx(0.025 ** (1 / 35))


def test_depths_rise():
    answers = random_answers()
    found = curves(Subject(Planted(table(answers, P), detour=1)), data(answers, P), seed=0)
    assert [cut.depth for cut in found] == list(range(len(found)))
    assert all(not earlier.last for earlier, _ in pairwise(found))
    assert found[0].affine
    assert found[-1].last
