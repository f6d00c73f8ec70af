"""An untrained copy is searched as the network is, its probes are moved through the components of both, and copies, not texts
alone, decide what is above them."""

import dataclasses

import pytest
import torch
from polar_for_tests import planted_states, random_tree, sample_of_trees
from torch import Generator

from assay.instruments.polar.controls import control_tasks
from assay.instruments.polar.depth import ROOT
from assay.instruments.polar.fit import Fitting
from assay.instruments.polar.measures import UUAS, Control, rate_measure
from assay.instruments.polar.readings import Reading
from assay.instruments.polar.reduction import Reduction
from assay.instruments.polar.search import fitted_pair, rated, search
from assay.instruments.polar.untrained import untrained, untrained_controls, untrained_depth

pytestmark = pytest.mark.slow

FITTING = Fitting(rank=16, epochs=8, batch=16, learning_rate=1e-2)
LONGEST = 7


def draws(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def reading(*, share: float = 1.0, seed: int = 0) -> Reading:
    """Planted trees in layer 1 and noise in layer 0; `share` of the planted steps is left, the rest is noise of the seed."""
    samples, kept = [], []
    for num, first in ((160, 0), (40, 10_000), (60, 20_000)):
        graphs = [random_tree(4 + k % 4, draws(first + k)) for k in range(num)]
        states = torch.cat([planted_states(graph, LONGEST) for graph in graphs]) + 1
        noise = torch.randn(states.shape, generator=draws(seed + first))
        samples.append(sample_of_trees(graphs, torch.stack([noise, share * states + (1 - share) * noise])))
        kept.append(tuple(graphs))
    return Reading(*samples, kept[0], kept[2], ("0", "1"), ())


def turned(one: Reading, *, seed: int) -> Reading:
    """The same states in coordinates of its own, as principal components are."""
    width = one.train.states.shape[2]
    bases = torch.stack([torch.linalg.qr(torch.randn(width, width, generator=draws(seed + k))).Q for k in range(2)])
    components = Reduction(bases, torch.ones(2))
    found = {name: components.applied(getattr(one, name)) for name in ("train", "dev", "test")}
    return dataclasses.replace(one, **found, components=components)


def searched(one: Reading):
    return search(one.train, one.dev, layers=one.candidates, fitting=FITTING, generator=draws())


@pytest.fixture(scope="module")
def real() -> Reading:
    return reading()


@pytest.fixture(scope="module")
def found(real):
    return searched(real)


def copy_of(twin: Reading, real: Reading, found, *, seed: int = 0):
    return untrained(twin, real.place(found.layer), fitting=FITTING, seeds=(0,), generator=draws(seed))


def test_probes_are_moved_through_the_components_of_both_networks(real, found):
    assert found.layer == 1
    here = turned(real, seed=5)
    copy = copy_of(turned(real, seed=50), here, searched(here))
    assert copy.own.structural.micro("UUAS") > 0.9
    assert copy.moved.structural.micro("UUAS") == pytest.approx(copy.own.structural.micro("UUAS"), abs=1e-6)
    assert copy.moved.polar.micro("LAS") == pytest.approx(copy.own.polar.micro("LAS"), abs=1e-6)
    assert ROOT.mean(copy.own_depth) > 0.9
    assert ROOT.mean(copy.moved_depth) == pytest.approx(ROOT.mean(copy.own_depth), abs=1e-6)
    # Without components the coordinates are the network's own, and another's probe means nothing there, but for distances:
    # planted trees have them in any coordinates.
    lost = copy_of(dataclasses.replace(turned(real, seed=50), components=None), real, found)
    assert lost.moved.polar.micro("LAS") < 0.6
    assert ROOT.mean(lost.moved_depth) < 0.7


def test_a_copy_chooses_its_own_layer_and_has_a_curve(real, found):
    switched = {name: getattr(real, name).at([1, 0]) for name in ("train", "dev", "test")}
    copy = copy_of(dataclasses.replace(real, **switched), real, found)
    assert copy.own.structural.micro("UUAS") > 0.9
    first, second = (scored.micro("UUAS") for scored in copy.curve.structural)
    assert first > 0.9 > 0.6 > second
    assert ROOT.mean(copy.depth_curve[0]) > ROOT.mean(copy.depth_curve[1])
    assert [len(scores) for scores in (copy.of_relations, copy.of_heads)] == [1, 1]
    train, test = real.train.at([1]), real.test.at([1])
    _, heads = control_tasks(train, test, real, found, fitting=FITTING, seeds=(0,), generator=draws(3))
    assert copy.of_heads[0].micro("UUAS") == pytest.approx(heads[0].micro("UUAS"), abs=0.1)


def test_copies_that_differ_make_one_more_of_them_no_finding(real, found):
    """Texts alone would call the network above its copies, where one of them is as good as it is."""
    good, bad = (copy_of(reading(share=share, seed=7), real, found, seed=3) for share in (1.0, 0.0))
    at = real.test.at([1])
    own = [rated(*fitted_pair(real.train.at([1]), found, fitting=FITTING, generator=draws(k)), at) for k in range(2)]

    def p(copies) -> float:
        controls = untrained_controls(copies)
        assert [control.name for control in controls] == ["untrained copies", "probe of another network"]
        return rate_measure(UUAS, own, controls, headline=True).nulls[0].p

    assert p([bad, bad, bad]) < 0.005
    assert p([bad, bad, good]) > 0.05
    assert p([bad]) == 1.0  # one copy does not tell how copies differ
    one = Control("untrained copies", "", (bad.own, bad.own, good.own))
    assert rate_measure(UUAS, own, [one], headline=True).nulls[0].p < 0.001
    assert [len(null.repeats) for null in untrained_depth([bad, good])] == [2, 2]
