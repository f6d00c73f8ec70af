"""Mixtures with planted shares."""

import mechanisms
import pytest
import torch

from assay.errors import AssayError
from assay.instruments.binding.mixture import crossed, fit_mixture, said_of_places

SIZE, NUM = 6, 3_000


def planted(shares, generator, *, spread=0.0):
    places = torch.rand(NUM, SIZE, generator=generator).argsort(1)[:, :3]
    which = torch.multinomial(torch.tensor([shares]).expand(NUM, -1), 1, generator=generator)[:, 0]
    answered = places[torch.arange(NUM), which]
    near = (torch.rand(NUM, generator=generator) < spread) & (which == 0)
    moved = (answered + torch.randint(2, (NUM,), generator=generator) * 2 - 1).clamp(0, SIZE - 1)
    return torch.where(near, moved, answered), places


def test_planted_shares_are_found(generator):
    answered, places = planted([0.2, 0.7, 0.1], generator)
    found = fit_mixture(answered, places, size=SIZE, train=torch.arange(NUM) % 2 == 0)
    assert found.shares == pytest.approx({"positional": 0.2, "lexical": 0.7, "reflexive": 0.1, "elsewhere": 0.0}, abs=0.03)
    assert sum(found.shares.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(("k", "name"), [(0, "positional"), (1, "lexical"), (2, "reflexive")])
def test_one_mechanism_predicts_all_and_the_others_do_not(k, name, generator):
    shares = [0.0, 0.0, 0.0]
    shares[k] = 1.0
    answered, places = planted(shares, generator)
    found = fit_mixture(answered, places, size=SIZE, train=torch.arange(NUM) % 2 == 0)
    assert float(found.predicted.mean()) == float(found.alone[name].mean()) == 1.0
    assert all(float(alone.mean()) < 0.35 for other, alone in found.alone.items() if other != name)


def test_a_mixture_that_depends_on_the_place_beats_every_mechanism_alone(generator):
    """Positional at the ends of the list, lexical within: distance alone tells the one from the other."""
    places = torch.rand(NUM, SIZE, generator=generator).argsort(1)[:, :3]
    near = (places[:, 1] - places[:, 0]).abs() <= 2
    answered = torch.where(near, places[:, 1], places[:, 0])
    found = fit_mixture(answered, places, size=SIZE, train=torch.arange(NUM) % 2 == 0)
    best = max(float(alone.mean()) for alone in found.alone.values())
    assert float(found.predicted.mean()) > best + 0.05


def test_a_favoured_place_is_a_term_of_its_own(generator):
    """The last place answers half of the time, regardless of the query, and the lexical mechanism otherwise."""
    answered, places = planted([0.0, 1.0, 0.0], generator)
    answered = torch.where(torch.rand(NUM, generator=generator) < 0.6, SIZE - 1, answered)
    found = fit_mixture(answered, places, size=SIZE, train=torch.arange(NUM) % 2 == 0)
    favoured, without = float(found.favoured.mean()), float(found.predicted.mean())
    assert favoured == pytest.approx(0.6 + 0.4 / SIZE, abs=0.05)  # the last place, and the lexical one where it is that
    assert without < favoured - 0.1


def test_without_a_favoured_place_its_term_predicts_no_more(generator):
    answered, places = planted([0.2, 0.7, 0.1], generator)
    found = fit_mixture(answered, places, size=SIZE, train=torch.arange(NUM) % 2 == 0)
    assert torch.equal(found.favoured, found.predicted)


def test_too_few_answers_fit_nothing():
    with pytest.raises(AssayError, match="20 answers or more"):
        fit_mixture(
            torch.zeros(30, dtype=torch.int64), torch.zeros(30, 3, dtype=torch.int64), size=3, train=torch.arange(30) < 5
        )
    with pytest.raises(AssayError, match="Given: 0 and 0"):
        fit_mixture(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3, dtype=torch.int64), size=3, train=torch.zeros(0))


@pytest.mark.parametrize("size", [3, 5])
def test_every_mechanism_has_a_place_of_its_own(size, generator):
    task = mechanisms.TASK
    contexts = task.contexts(100, size=size, pairs="trained", generator=generator)
    lists = crossed(task, contexts, generator=generator)
    assert bool((lists.places.sort(1).values.diff(dim=1) > 0).all())
    rows, (place, lexical, reflexive) = torch.arange(100), lists.places.unbind(1)
    other = lists.whence.contexts
    assert torch.equal(other.entities[rows, place], lists.whence.entities[:, 0])
    assert torch.equal(contexts.entities[rows, lexical], lists.whence.entities[:, 0])
    assert torch.equal(contexts.attributes[rows, reflexive], other.attributes[rows, place])
    assert not bool((lists.into.entities == contexts.entities).any())


def test_a_network_that_looks_its_entity_up_is_lexical(generator):
    task = mechanisms.TASK
    contexts = task.contexts(200, size=3, pairs="trained", generator=generator)
    lists = crossed(task, contexts, generator=generator)
    answered = said_of_places(mechanisms.subject("direct"), lists, "bound:in").argmax(1)
    assert torch.equal(answered, lists.places[:, 1])
    found = fit_mixture(answered, lists.places, size=3, train=torch.arange(200) % 2 == 0)
    assert found.shares["lexical"] == 1.0
    with pytest.raises(AssayError, match="three places"):
        crossed(task, task.contexts(5, size=2, pairs="trained", generator=generator), generator=generator)
