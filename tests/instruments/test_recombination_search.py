"""The forms of a transplant by a second route, and the rule that chooses among places."""

import pytest
import torch
from planted import OBSERVED_SIZES, SIZES, TASK, blocks, by_rule, soft, subject
from torch import Generator, Tensor

from assay.instruments.former.forms import FORMS, Basis, exchanged
from assay.instruments.former.look import Look
from assay.instruments.former.search import Inside, Tried, choose
from assay.instruments.former.states import Design
from assay.observed import observe

OBSERVED = observe(TASK, **OBSERVED_SIZES, generator=Generator().manual_seed(0))


def shown(rows: Tensor) -> Tensor:
    """The values (i, j, x) of observed examples."""
    return torch.stack([OBSERVED.examples.parts[name][rows] for name in "ijx"], 1)


@pytest.mark.parametrize("name", ["i", "j", "x"])
def test_on_a_sum_of_parts_every_form_is_the_state_of_the_new_tuple(name):
    exchange = OBSERVED.exchanges[name]
    states = blocks(shown(torch.arange(len(OBSERVED.examples))))
    wanted = shown(exchange.base)
    place = "ijx".index(name)
    wanted[:, place] = shown(exchange.source)[:, place]
    design = Design.of(OBSERVED, OBSERVED.part(name))
    fold = OBSERVED.fold[exchange.base]
    moved = design.moved(exchange.base, exchange.source)
    whole = design.determined(moved, fold) & design.determined(design.table[exchange.base] + moved, fold)
    effects = design.effects(states)
    basis = Basis.of(effects[:, : design.num_own], torch.ones(17))
    made = exchanged(states, effects, basis, design, exchange.base, exchange.source, fold)
    assert set(made) == set(FORMS)
    assert float(whole.float().mean()) > 0.5
    for form, patched in made.items():
        torch.testing.assert_close(patched[whole], blocks(wanted)[whole], atol=1e-4, rtol=0, msg=form)


def tried(scores: list[list[float]], counted: list[list[bool]] | None = None) -> Tried:
    table = torch.tensor(scores)
    places = tuple((f"site {k}", FORMS[0]) for k in range(len(table)))
    valid = torch.ones_like(table).bool() if counted is None else torch.tensor(counted)
    return Tried(places, table, valid, table.new_zeros(0, *table.shape))


FOLD = torch.tensor([0, 0, 1, 1, 2, 2])
ALL = torch.ones(6).bool()


def test_a_place_that_is_right_on_one_fold_alone_is_not_chosen_there():
    """Chosen for each fold on the others, so that no place is scored where it was picked."""
    chosen = choose(tried([[1, 1, 0, 0, 0, 0], [0, 0, 0.4, 0.4, 0.4, 0.4]]), FOLD, ALL, num_folds=3)
    assert chosen.candidates == (1, 0, 0)
    assert float(chosen.scores.mean()) == 0.0


def test_a_place_that_is_right_everywhere_is():
    chosen = choose(tried([[0.5] * 6, [1.0] * 6]), FOLD, ALL, num_folds=3)
    assert chosen.candidates == (1, 1, 1)
    assert float(chosen.scores.mean()) == 1.0


def test_pairs_off_the_manifold_do_not_count():
    some = [True, False, True, True, True, True]
    chosen = choose(tried([[1.0, 0.0, 1.0, 1.0, 1.0, 1.0]], [some]), FOLD, ALL, num_folds=3)
    assert chosen.counted.tolist() == some
    few = choose(tried([[1.0] * 6, [0.2] * 6], [[True, False, False, False, False, False], [True] * 6]), FOLD, ALL, num_folds=3)
    assert few.candidates == (1, 1, 1), "most pairs leave the first place"


def test_a_mean_is_over_the_pairs_that_were_summed():
    """The second place counts nowhere in the large fold, for which the small fold alone chooses."""
    fold = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])
    counted = [[True] * 8, [False] * 6 + [True] * 2]
    chosen = choose(tried([[0.6] * 8, [0.5] * 8], counted), fold, torch.ones(8).bool(), num_folds=2)
    assert chosen.candidates == (0, 0)


def test_with_nothing_to_choose_from_nothing_counts():
    for given in (tried([[1.0] * 6], [[False] * 6]), tried([[1.0] * 6]).only([], FORMS)):
        chosen = choose(given, FOLD, ALL, num_folds=3)
        assert chosen.candidates == (-1, -1, -1)
        assert not bool(chosen.counted.any())


@pytest.fixture(scope="module")
def inside() -> Inside:
    network = subject(blocks, lambda state: by_rule(*(soft(code) for code in state.split(SIZES, 1))))
    return Inside.of(network, OBSERVED, ["hidden:in"], generator=Generator().manual_seed(0))


def test_far_states_are_off_the_manifold(inside):
    states = inside.states["hidden:in"]
    assert bool(inside.natural("hidden:in", states).all())
    assert not bool(inside.natural("hidden:in", 3 * states).any())


def test_wrong_declarations_count_only_where_they_are_known(inside):
    exchange = OBSERVED.exchanges["i"]
    wrong = exchange.scrambled[0]
    look = Look.at(inside, exchange, Design.of(OBSERVED, OBSERVED.part("i")), mixed=["hidden:in"], scrambled=[wrong])
    none, half = torch.zeros(len(exchange)).bool(), torch.arange(len(exchange)) % 2 == 0
    assert not len(look.rescored(0, none).units("novel").ids)
    units = look.rescored(0, half).units("novel")
    assert set(units.ids.tolist()) <= set(exchange.combination[half & exchange.novel].tolist())
    assert len(units.ids)


def test_random_subspaces_take_at_most_half_of_what_the_states_take(generator):
    states = torch.randn(40, 6, generator=generator) @ torch.randn(6, 20, generator=generator)
    weights = torch.rand(20, generator=generator) + 0.5
    basis = Basis.of(torch.randn(2, 9, 20, generator=generator), weights).random(states, weights, generator=generator)
    ranks = torch.linalg.matrix_rank(basis.directions)
    assert ranks.tolist() == [3, 3]
    small = Basis.of(torch.randn(2, 3, 20, generator=generator), weights).random(states, weights, generator=generator)
    assert torch.linalg.matrix_rank(small.directions).tolist() == [2, 2]
