"""Depth probes find what is planted at its layer; what is read off them is what counting gives."""

import dataclasses

import pytest
import torch
from polar_for_tests import planted, sample_of_trees
from torch import Generator

from assay.graph import tree
from assay.instruments.polar.controls import Case, Source
from assay.instruments.polar.correlation import rank_correlation
from assay.instruments.polar.depth import CORRELATION, ROOT, deep, depth_evidence, plain_depth
from assay.instruments.polar.fit import Fitting, Probes, fit_depth
from assay.instruments.polar.measures import Control
from assay.instruments.polar.readings import Reading
from assay.instruments.polar.search import Found

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
    assert found.root[:3].tolist() == [1, 0, 1]
    assert found.root[3:].isnan().all()
    assert found.correlation[:4].tolist() == pytest.approx([1, 0, 0, 0])  # norms that tie tell nothing
    assert found.correlation[4].isnan()
    assert ROOT.units([found]).tolist() == [1, 0, 1]
    assert len(CORRELATION.units([found, found])) == 4


def test_ranks_agree_with_another_route():
    from scipy.stats import spearmanr

    rows = torch.randint(0, 5, (2, 12), generator=draws()).numpy()
    assert rank_correlation(rows[:1], rows[1:])[0] == pytest.approx(spearmanr(rows[0], rows[1]).statistic)


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
    assert float(ROOT.units([real]).mean()) > 0.9
    assert float(CORRELATION.units([real]).mean()) > 0.85
    assert float(ROOT.units([noise]).mean()) < 0.5
    assert abs(float(CORRELATION.units([noise]).mean())) < 0.2


def test_measures_stand_beside_their_nulls_and_the_curve_has_every_layer(samples):
    train, test = samples
    flat = [sample.with_states(torch.randn(sample.states.shape, generator=draws(5))) for sample in samples]
    own, twin = (Reading(one, one, other, (), (), ("0", "1"), ()) for one, other in (samples, flat))
    at = train.at([0])
    probes = norm_of_states(train.states.shape[2])
    found = Found(0, "prototype", 1.0, probes, probes, ())
    sources = [
        Source("no probe", "as they are", (Case(at, test.at([0]), probes),)),
        Source("noise", "fitted on noise", (Case(flat[0].at([0]), flat[1].at([0])),) * 2),
    ]
    nulls = plain_depth(sources, fitting=FITTING, generator=draws())
    copies = [deep(fit_depth(twin.train, fitting=FITTING, generator=draws(k)), twin.test) for k in range(3)]
    nulls.append(Control("untrained copies", "noise too", tuple(copy[0] for copy in copies), networks=True))
    (root, correlation), curve = depth_evidence(own, found, nulls, copies, fitting=FITTING, seeds=2, generator=draws())
    for measure in (root, correlation):
        assert [null.name for null in measure.nulls] == ["no probe", "noise", "untrained copies"]
        assert [len(null.values) for null in measure.nulls] == [1, 2, 3]
        assert measure.interval.low <= measure.value <= measure.interval.high
        assert all(null.mean < measure.value and null.p < 0.01 for null in measure.nulls[1:])
        assert measure.units == 60
    assert [row[:2] for row in curve.rows[:2]] == [("0", root.name), ("1", root.name)]
    assert {row[1] for row in curve.rows} == {root.name, correlation.name, "NSpr"}
    by_layer = {row[0]: row[2] for row in curve.rows if row[1] == root.name}
    assert by_layer["0"] > 0.9 > 0.5 > by_layer["1"]
    for row in curve.rows:
        named = dict(zip(curve.columns, row, strict=True))
        assert named["lowest copy"] <= named["untrained copies"] <= named["highest copy"]


@pytest.mark.parametrize("num", [0, 1])
def test_no_text_and_one(samples, num):
    train, test = samples
    few = test.first(num)
    probes = fit_depth(train.first(8), fitting=dataclasses.replace(FITTING, epochs=1), generator=draws())
    assert [len(one.root) for one in deep(probes, few)] == [num, num]
