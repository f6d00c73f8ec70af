"""An untrained copy is searched as the network is, its probes are moved through the components of both, and copies, not texts
alone, decide what is above them."""

import dataclasses

import pytest
import torch
from polar_for_tests import planted_states, random_tree, sample_of_trees
from torch import Generator

from assay.instrument import Random, Reading
from assay.instrument.run import Nulls, measure_of
from assay.instruments.polar.fit import Fitting
from assay.instruments.polar.instrument import FITTED, PolarKept, copy_reading, fitted_values
from assay.instruments.polar.scores import ROOT, score_fit
from assay.instruments.polar.search import FoundProbes, control_scores, search
from assay.instruments.polar.targets import TextStates, in_components

pytestmark = pytest.mark.slow

FITTING = Fitting(rank=16, epochs=8, batch=16, learning_rate=1e-2)
LONGEST = 7


def draws(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def reading(*, share: float = 1.0, seed: int = 0) -> TextStates:
    """Planted trees in layer 1 and noise in layer 0; `share` of the planted steps is left, the rest is noise of the seed."""
    samples = []
    for num, first in ((160, 0), (40, 10_000), (60, 20_000)):
        graphs = [random_tree(4 + k % 4, draws(first + k)) for k in range(num)]
        states = torch.cat([planted_states(graph, LONGEST) for graph in graphs]) + 1
        noise = torch.randn(states.shape, generator=draws(seed + first))
        samples.append(sample_of_trees(graphs, torch.stack([noise, share * states + (1 - share) * noise])))
    return TextStates(*samples, ("0", "1"))


def turned(one: TextStates, *, seed: int) -> TextStates:
    """The same states in coordinates of its own, as principal components are."""
    width = one.train.states.shape[2]
    basis = torch.stack([torch.linalg.qr(torch.randn(width, width, generator=draws(seed + k))).Q for k in range(2)])
    found = {name: in_components(getattr(one, name), basis) for name in ("train", "dev", "test")}
    return dataclasses.replace(one, **found, basis=basis)


def searched(one: TextStates) -> FoundProbes:
    return search(one, fitting=FITTING, generator=draws())


@pytest.fixture(scope="module")
def real() -> TextStates:
    return reading()


@pytest.fixture(scope="module")
def found(real) -> FoundProbes:
    return searched(real)


def copy_of(twin: TextStates, found: FoundProbes, *, seed: int = 0) -> Reading:
    kept = PolarKept(found.test, found.basis, {}, None)
    return copy_reading(searched(twin), kept, repeats=1, rng=Random(seed, "copy"))


def values_of(copy: Reading) -> dict[str, tuple[float, float]]:
    """Of every metric the copy's own value, and that of its probe in the states of the network."""
    return {one.metric: (one.mean, float(one.moved[0].values.mean())) for one in copy.values if one.moved}


def test_probes_are_moved_through_the_components_of_both_networks(real, found):
    assert found.layer == 1
    there = searched(turned(real, seed=5))
    copy = values_of(copy_of(turned(real, seed=50), there))
    assert set(copy) == {metric.key for metric in FITTED}
    assert copy["uuas"][0] > 0.9
    assert copy["root_accuracy_of_depth"][0] > 0.9
    for own, moved in copy.values():
        assert moved == pytest.approx(own, abs=1e-6)
    # Without components the coordinates are the network's own, and another's probe means nothing there, but for distances:
    # planted trees have them in any coordinates.
    lost = values_of(copy_of(dataclasses.replace(turned(real, seed=50), basis=None), found))
    assert lost["las"][1] < 0.6
    assert lost["root_accuracy_of_depth"][1] < 0.7


def test_a_copy_chooses_its_own_layer_and_has_a_curve(real, found):
    switched = {name: getattr(real, name).at([1, 0]) for name in ("train", "dev", "test")}
    copy = copy_of(dataclasses.replace(real, **switched), found)
    assert values_of(copy)["uuas"][0] > 0.9
    first, second = (value for value, _, _ in copy.kept["UUAS"].values())
    assert first > 0.9 > 0.6 > second
    first, second = (value for value, _, _ in copy.kept[ROOT].values())
    assert first > second
    (selectivity,) = (one for one in copy.values if one.metric == "selectivity_of_uuas")
    assert len(selectivity.units) == 60
    _, heads = control_scores(found, seeds=[0], rng=Random(3, "control"))["UUAS"]
    assert selectivity.mean == pytest.approx(values_of(copy)["uuas"][0] - float(heads.mean()), abs=0.1)


def test_copies_that_differ_make_one_more_of_them_no_finding(real, found):
    """Texts alone would call the network above its copies, where one of them is as good as it is."""
    good, bad = (copy_of(reading(share=share, seed=7), found, seed=3) for share in (1.0, 0.0))
    own = [score_fit(found.fit(found.train, generator=draws(k)), found.test) for k in range(2)]
    metric = dataclasses.replace(next(iter(FITTED)), beats=())
    values = fitted_values(metric, "UUAS", own, {}, note="")

    def p(copies: list[Reading]) -> float:
        nulls = measure_of(metric, values, Nulls.of(copies, {}, {})).nulls
        assert [null.name for null in nulls] == ["untrained copies", "probe of another network"]
        assert [len(null.values) for null in nulls] == [len(copies)] * 2
        return nulls[0].p

    assert p([bad, bad, bad]) < 0.005
    assert p([bad, bad, good]) > 0.05
    alone = measure_of(metric, values, Nulls.of([], {}, {"good": bad})).nulls
    assert alone[0].p < 0.001
