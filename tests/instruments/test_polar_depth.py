"""Depth probes find what is planted at its layer; what is read off them is what counting gives."""

import dataclasses

import pytest
import torch
from polar_for_tests import planted, sample_of_trees
from torch import Generator

from assay.graph import tree
from assay.instrument import Random
from assay.instruments.polar.figures import layer_curves
from assay.instruments.polar.fit import Fitting, Probes, fit_depth
from assay.instruments.polar.instrument import FITTED, fitted_values
from assay.instruments.polar.scores import CORRELATION, ROOT, Fitted, deep, score_fit
from assay.instruments.polar.search import FoundProbes, baselines, curve_rows
from assay.instruments.polar.targets import TextStates

FITTING = Fitting(rank=16, epochs=12, batch=16, learning_rate=1e-2)


def draws(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def norm_of_states(width: int) -> Probes:
    return Probes(torch.eye(width)[None], torch.zeros(1, width), torch.zeros(1, 3, width))


def test_root_and_correlation_are_what_counting_gives():
    graphs = [
        tree("abc", [-1, 0, 1], relation=["root", "x", "x"]),  # depths 0, 1, 2 and norms 0, 1, 4
        tree("abc", [1, -1, 1], relation=["x", "root", "x"]),  # depths 1, 0, 1 and norms 4, 1, 0
        tree("ab.", [1, -1, 1], relation=["x", "root", "x"], punctuation=[False, False, True]),  # the point has norm 0
        tree("a.", [-1, 0], relation=["root", "x"], punctuation=[False, True]),  # one word, so that no root can be chosen
        tree("a", [-1], relation=["root"]),
    ]
    states = torch.tensor([0.0, 1, 2, 2, 1, 0, 2, 1, 0, 1, 1, 0])[None, :, None]
    (found,) = deep(norm_of_states(1), sample_of_trees(graphs, states))
    assert found[ROOT][:3].tolist() == [1, 0, 1]
    assert found[ROOT][3:].isnan().all()
    assert found[CORRELATION][:4].tolist() == pytest.approx([1, 0, 0, 0])  # norms that tie tell nothing
    assert found[CORRELATION][4].isnan()
    probes = norm_of_states(1)
    units = score_fit(Fitted(probes, probes, probes), sample_of_trees(graphs, states)).units
    assert units[ROOT].tolist() == [1, 0, 1]
    assert len(units[CORRELATION]) == 4


@pytest.fixture(scope="module")
def samples():
    """Trees in layer 0, away from the origin, or the root would have the least norm under every map; noise in layer 1."""
    found = []
    for num, seed in ((240, 0), (60, 1)):
        sample = planted(num, sizes=(4, 7), seed=seed)
        found.append(
            sample.with_states(torch.cat([sample.states + 1, torch.randn(sample.states.shape, generator=draws(seed))]))
        )
    return found


def test_depth_is_found_where_it_is_planted(samples):
    train, test = samples
    real, noise = deep(fit_depth(train, fitting=FITTING, generator=draws()), test)
    assert float(real[ROOT].nanmean()) > 0.9
    assert float(real[CORRELATION].nanmean()) > 0.85
    assert float(noise[ROOT].nanmean()) < 0.5
    assert abs(float(noise[CORRELATION].nanmean())) < 0.2


def found_at_the_first_layer(train, test) -> FoundProbes:
    width = train.states.shape[2]
    probes = Probes(torch.eye(width).expand(2, -1, -1), torch.zeros(2, width), torch.zeros(2, 3, width))
    at = [sample.at([0]) for sample in (train, test)]
    texts = TextStates(train, train, test, ("0", "1"))
    return FoundProbes(texts, FITTING, 0, *at, torch.eye(width)[None], "prototype", 1.0, probes, probes, ())


def test_measures_stand_beside_their_nulls_and_the_curve_has_every_layer(samples):
    found = found_at_the_first_layer(*samples)
    flat = [sample.with_states(torch.randn(sample.states.shape, generator=draws(5))) for sample in samples]
    own = [score_fit(found.fit(found.train, generator=draws(k)), found.test) for k in range(2)]
    made = baselines(found, repeats=2, rng=Random(0, "nulls"))
    nulls = {name: made[name] for name in ("no probe", "permuted graphs", "random projection")}
    metrics = {metric.title: metric for metric in FITTED}
    root, correlation = (fitted_values(metrics[of], of, own, nulls, note="") for of in (ROOT, CORRELATION))
    for values in (root, correlation):
        assert [control.name for control in values.controls] == list(nulls)
        assert [control.values.shape for control in values.controls] == [(1, 60), (2, 60), (2, 60)]
        assert values.interval.low <= values.mean <= values.interval.high
        assert "joined with t over 2 fits" in values.interval.method
        assert len(values.units) == 60
    noise = found_at_the_first_layer(*flat)
    copies = [curve_rows(noise, generator=draws(k)) for k in range(3)]
    rows = curve_rows(found, generator=draws())
    assert all(list(rows[of]) == ["0", "1"] for of in (ROOT, CORRELATION, "NSpr"))
    (low, *_), (lowest, *_) = (found[ROOT]["0"] for found in (copies[0], rows))
    assert low < 0.5 < lowest
    _, depth = layer_curves("0", rows, copies, (), num=5)
    assert [plot.title for plot in depth.plots] == [ROOT, CORRELATION, "NSpr"]
    for plot in depth.plots:
        measured, beside = plot.lines
        assert (measured.name, beside.name) == ("measured", "untrained copies")
        assert beside.null
        assert measured.marked == (0,)
        assert measured.y[0] > max(beside.high)
        assert all(low <= mean <= high for low, mean, high in zip(beside.low, beside.y, beside.high, strict=True))
    by_layer = dict(zip(depth.plots[0].lines[0].x, depth.plots[0].lines[0].y, strict=True))
    assert by_layer["0"] > 0.9 > 0.5 > by_layer["1"]


@pytest.mark.parametrize("num", [0, 1])
def test_no_text_and_one(samples, num):
    train, test = samples
    few = test.first(num)
    probes = fit_depth(train.first(8), fitting=dataclasses.replace(FITTING, epochs=1), generator=draws())
    assert [len(one[ROOT]) for one in deep(probes, few)] == [num, num]
