"""Principal components change what a probe costs, not what it finds."""

import dataclasses

import pytest
import torch
from knowing_trees import Trees, subject
from polar_for_tests import planted
from torch import Generator

from assay.instrument import run
from assay.instruments.polar import Polar, targets
from assay.instruments.polar.fit import Fitting, fit_depprobe, fit_polar, squared_distances, unfitted
from assay.instruments.polar.instrument import PolarBudget
from assay.instruments.polar.scores import score
from assay.instruments.polar.targets import Batch, TextStates, in_components, principal_components

pytestmark = pytest.mark.slow

FITTING = Fitting(rank=16, epochs=8, batch=16, learning_rate=1e-2)


def draws(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def samples():
    """Two layers; the second is ten times the first."""
    found = [planted(num, sizes=(3, 6), seed=seed, noise=0.3) for num, seed in ((200, 0), (50, 1))]
    return [one.with_states(torch.cat([one.states, 10 * one.states])) for one in found]


def test_components_of_full_rank_change_no_score(samples):
    train, test = samples
    width = train.states.shape[2]
    basis, share = principal_components(train, width, generator=draws())
    assert basis.shape == (2, width, width)
    assert share.tolist() == pytest.approx([1, 1])
    turned = [in_components(sample, basis) for sample in samples]
    for one, other in zip(samples, turned, strict=True):
        assert not torch.allclose(one.states, other.states, atol=0.1)
        assert torch.allclose(squared_distances(one.states), squared_distances(other.states), rtol=1e-3, atol=1e-2)
    as_it_is, as_turned = (score(unfitted(one, None, generator=draws()), one) for one in (test, turned[1]))
    plain, rotated = (
        score(fit_polar(one, angle="prototype", weights=[1.0] * 2, fitting=FITTING, generator=draws()), other)
        for one, other in (samples, turned)
    )
    for layer in range(2):
        for rate in ("UUAS", "UAS", "LAS", "type accuracy"):
            assert as_it_is[layer].micro(rate) == pytest.approx(as_turned[layer].micro(rate), abs=0.02)
            # Another start of the same fit, so that single edges differ.
            assert plain[layer].micro(rate) == pytest.approx(rotated[layer].micro(rate), abs=0.05)
        assert plain[layer].micro("LAS") > 0.8


def test_a_probe_of_components_is_one_of_the_states(samples):
    train, test = samples
    basis, _ = principal_components(train, 10, generator=draws())
    assert torch.allclose(basis.mT @ basis, torch.eye(10).expand(2, -1, -1), atol=1e-4)
    small = in_components(train, basis)
    assert small.states.shape == (2, train.states.shape[1], 10)
    probes = fit_depprobe(small, fitting=dataclasses.replace(FITTING, rank=4, epochs=1), generator=draws())
    batch = Batch.of(test, [0, 1, 2])
    for layer in range(2):
        whole = probes.at([layer]).after(basis[[layer]])
        assert whole.labels.shape[1] == train.states.shape[2]
        turned = probes.at([layer]).vectors(in_components(test, basis).at([layer]), batch)
        assert torch.allclose(whole.vectors(test.at([layer]), batch), turned, rtol=1e-3, atol=1e-3)
        back = whole.after(basis[[layer]].mT)
        assert torch.allclose(back.maps, probes.at([layer]).maps, rtol=1e-3, atol=1e-4)


def test_components_are_those_of_training_words_and_only_wide_states_have_them(samples, monkeypatch):
    train, test = samples
    texts = TextStates(train, test, test, ("0", "1"))
    assert texts.reduced(generator=draws()) is texts
    assert texts.components == "not taken"
    monkeypatch.setattr(targets, "WIDEST", 8)
    found = texts.reduced(generator=draws())
    assert found.train.states.shape[2] == found.test.states.shape[2] == 8
    elsewhere = dataclasses.replace(texts, test=test.with_states(torch.randn(test.states.shape, generator=draws())))
    assert torch.equal(elsewhere.reduced(generator=draws()).basis, found.basis)
    assert torch.allclose(found.test.states[1], test.states[1] @ found.basis[1], atol=1e-4)
    _, share = principal_components(train, 8, generator=draws())
    assert found.components.startswith("8 of ")
    spread = train.states[0].var(0).sum()
    assert float(found.train.states[0].var(0).sum() / spread) == pytest.approx(float(share[0]), abs=1e-3)


def test_the_evidence_says_so_and_every_null_is_reduced(monkeypatch):
    budget = PolarBudget(train=30, dev=8, test=12, epochs=1, seeds=1, copies=2, repeats=1, removals=2)
    monkeypatch.setattr(targets, "WIDEST", 12)
    evidence = run(Polar(budgets={"quick": budget}), subject(), Trees(), effort="quick", seed=0)
    assert evidence.settings["width of states"] == 48
    assert evidence.settings["principal components"].startswith("12 of 48 dimensions, 0.")
    assert evidence.settings["rank"] == 6
    assert len(evidence.measure("uuas").nulls) == 7
    assert "rank 6 of 48" in evidence.measure("score_lost_without_the_polar_subspace").note


def test_few_words_have_few_components():
    few = planted(1, sizes=(3, 3))
    assert principal_components(few, 20, generator=draws())[0].shape[2] == 3
