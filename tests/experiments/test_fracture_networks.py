"""The networks of the experiments on fracture: joined copies, mixtures, scrambles and nulls are what they are said to be."""

import drawn_pictures
import pytest
import recipes
import sides
import standard
import torch
from contexts import CONTENT, Net, Sides, copied, shared
from torch import Generator

from assay.data.genomes import picture_genome
from assay.models.cppn import coordinates
from assay.models.evolved import dense
from assay.tasks.evolved_picture import Picture


@pytest.fixture(scope="module")
def skull():
    return dense(picture_genome("skull"))


@torch.no_grad()
def test_joined_modules_answer_each_in_its_context():
    task = Sides("contexts", items=5)
    torch.manual_seed(0)
    modules = [Net(1 + CONTENT, 7, 7, 3) for _ in range(3)]
    network = sides.joined(modules, task)
    for side, module in enumerate(modules):
        rows = torch.arange(side, len(task.x), 3)
        own = torch.cat([torch.ones(len(rows), 1), task.x[rows, -CONTENT:]], 1)
        torch.testing.assert_close(network(task.x[rows]), module(own), atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mixture_answers_a_share_of_each(share):
    task = Sides("contexts", items=4)
    one = shared(task, Generator().manual_seed(0))
    other = copied(Sides("contexts", items=4, seed=1), Generator().manual_seed(1))
    expected = share * one(task.x) + (1 - share) * other(task.x)
    torch.testing.assert_close(sides.mixed(one, other, share)(task.x), expected, atol=1e-4, rtol=1e-4)


def test_networks_that_are_fitted_side_by_side_are_those_fitted_alone():
    task = Sides("contexts", items=4)
    torch.manual_seed(0)
    networks = [Net(task.x.shape[1], width, width, 3) for width in (4, 4, 6)]
    alone = [Net(task.x.shape[1], width, width, 3) for width in (4, 4, 6)]
    for one, other in zip(alone, networks, strict=True):
        one.load_state_dict(other.state_dict())
    arguments = {"decays": [0.0, 0.5, 0.1], "steps": 20}
    sides.fit(networks, [task.x] * 3, [task.values] * 3, **arguments)
    for k, (one, other) in enumerate(zip(alone, networks, strict=True)):
        before = sides.error_of(one, task.x, task.values)
        sides.fit([one], [task.x], [task.values], decays=arguments["decays"][k : k + 1], steps=20)
        torch.testing.assert_close(one(task.x), other(task.x), atol=1e-4, rtol=1e-3)
        assert sides.error_of(one, task.x, task.values) < before
    assert len(sides.RECIPES) == 11


def test_every_form_tells_planted_copies_from_one_module():
    task, draws = Sides("contexts", items=sides.ITEMS), Generator().manual_seed(0)
    one, many = (recipes.forms_of(sides.Made("planted", 0, task, make(task, draws), 0.0)) for make in (shared, copied))
    for form in one:
        assert one[form] > many[form] + 0.3 or form == "mean over layers", form
    assert one["sharing"] > 0.95
    assert many["sharing"] < 0.1


def test_transfer_is_whole_in_one_module_and_absent_in_copies():
    task, draws = Sides("contexts", items=sides.ITEMS), Generator().manual_seed(0)
    one, many = (recipes.transfer(sides.Made("planted", 0, task, make(task, draws), 0.0)) for make in (shared, copied))
    assert one > 0.6 > 0.2 > many


@torch.no_grad()
@pytest.mark.parametrize("how", drawn_pictures.SCRAMBLES)
def test_scrambles_change_weights_and_no_picture(skull, how):
    x = coordinates(16).float()
    other = drawn_pictures.SCRAMBLES[how](skull, Generator().manual_seed(1))
    torch.testing.assert_close(other(x), skull(x), atol=1e-3, rtol=0)
    mine, theirs = drawn_pictures.matrices(skull), drawn_pictures.matrices(other)
    assert any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_shuffled_links_are_the_same_weights_in_the_same_graph(skull):
    other = drawn_pictures.shuffled(skull, Generator().manual_seed(0))
    moved = 0
    for mine, theirs in zip(drawn_pictures.matrices(skull), drawn_pictures.matrices(other), strict=True):
        assert torch.equal(mine != 0, theirs != 0)
        assert torch.equal(mine == 1, theirs == 1)
        assert torch.equal(mine.flatten().sort().values, theirs.flatten().sort().values)
        moved += int((mine != theirs).sum())
    assert moved > 40


def test_noise_reaches_the_loss_that_is_wanted(skull):
    x, target = coordinates(16).float(), Picture(name="skull", size=16).pixels
    for wanted in (0.01, 0.05):
        found = drawn_pictures.to_loss(skull, x, target, wanted, Generator().manual_seed(0))
        assert drawn_pictures.error(found, x, target) == pytest.approx(wanted, rel=0.05)


def test_training_keeps_moments_and_lowers_the_error():
    genome, x = picture_genome("skull"), coordinates(8).float()
    target = Picture(name="skull", size=8).pixels
    start = [drawn_pictures.fresh(genome, seed) for seed in range(2)]
    moments = drawn_pictures.trained(start, [target] * 2, x, steps=100)
    assert len(moments) > 10
    assert [drawn_pictures.error(one, x, target) for one in moments[-1]] < [
        drawn_pictures.error(one, x, target) for one in start
    ]
    assert drawn_pictures.read(moments[-1][0], x) is not None


@pytest.mark.slow
def test_the_standard_evidence_names_every_network(capsys):
    standard.evidence_on("skull", size=8, steps=2, jobs=1, effort="quick")
    out = capsys.readouterr().out
    for name in ("gradient descent, seed 1", "smooth target 2", "untrained copies", "weights in another order"):
        assert f"  {name}: " in out
    assert "flip of the columns" in out
