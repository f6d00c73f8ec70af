"""The effort bounds what is read of a large network: fewer texts and layers, in its copies as in itself, and that is said."""

import dataclasses

import torch
from knowing_trees import LONGEST, Trees, seeded, subject
from polar_for_tests import planted

from assay.audit import audit
from assay.competence import NUM_UNSCORED_EXAMPLES
from assay.instrument import Random, run
from assay.instruments.polar import Polar
from assay.instruments.polar.instrument import BUDGETS, FEWEST
from assay.instruments.polar.targets import in_components
from assay.places import EXAMPLES

QUICK = dataclasses.replace(BUDGETS["quick"], train=60, dev=30, test=40, epochs=1, seeds=1, copies=2)
COST = (60 + 30 + 40) * LONGEST * (1 + 2) * subject().num_weights()  # words, networks, weights


def drawn(**changes):
    budget = dataclasses.replace(QUICK, **changes)
    return Polar(budgets={"quick": budget}).data(subject(), Trees(), budget, Random(0, "polar"))


def test_a_small_network_reads_all_texts():
    for reading in (None, float(COST)):
        data = drawn(reading=reading)
        assert {split: len(graphs) for split, graphs in data.graphs.items()} == {"train": 60, "dev": 30, "test": 40}
        assert data.share == 1


def test_of_a_large_network_every_split_has_its_share_and_never_too_few():
    data = drawn(reading=COST / 2)
    assert data.share == 0.5
    assert {split: len(graphs) for split, graphs in data.graphs.items()} == {"train": 30, "dev": FEWEST, "test": FEWEST}
    least = drawn(reading=1.0)
    assert {len(graphs) for graphs in least.graphs.values()} == {FEWEST}
    few = drawn(reading=1.0, dev=5)
    assert len(few.graphs["dev"]) == 5  # no more than the effort has


def test_what_was_left_out_is_said_and_progress_is_told_from_within():
    told: list[tuple[str, float]] = []
    polar = Polar(budgets={"quick": dataclasses.replace(QUICK, reading=COST / 2)})
    evidence = run(polar, subject(), Trees(), effort="quick", progress=lambda doing, done: told.append((doing, done)))
    assert any("50% of the texts that it reads for a small one" in gap for gap in evidence.not_tested)
    assert evidence.settings["texts, train"] == 30
    assert evidence.settings["layers read"] == "states:in"
    stages = ("reading texts", "choosing the layer", "fits and baselines", "use", "tables and curves")
    for stage in stages:
        assert any(doing.startswith(f"reading the network: {stage}: ") for doing, _ in told), stage
    for copy in ("1 of 2", "2 of 2"):
        assert any(doing.startswith(f"reading untrained copies: {copy}: choosing the layer: fitting") for doing, _ in told)
    shares = [done for _, done in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1


def test_components_are_taken_piece_by_piece_to_the_bit(monkeypatch):
    monkeypatch.setattr("assay.instruments.polar.targets._CHUNK", 7)
    sample = planted(5)
    sample = sample.with_states(torch.cat([sample.states, 2 * sample.states]).half())
    basis = torch.randn(2, sample.states.shape[2], 3, generator=seeded())
    at_once = [
        torch.cat([some.float() @ columns for some in states.split(7)])
        for states, columns in zip(sample.states, basis, strict=True)
    ]
    assert torch.equal(in_components(sample, basis).states, torch.stack(at_once))
    none = planted(0)
    assert in_components(none, torch.randn(1, none.states.shape[2], 3)).states.shape == (1, 0, 3)


def test_where_nothing_is_asked_of_the_output_a_few_examples_show_that_the_network_runs():
    network, num = subject(), []
    network.module.register_forward_hook(lambda module, args, output: num.append(len(output)))
    found = audit(network, Trees(answered=False), effort="quick", instruments=[])
    assert found.integrity.num_examples == NUM_UNSCORED_EXAMPLES
    assert max(num) == EXAMPLES  # sites are told apart on that many; all other passes are on those few
    num.clear()
    audit(network, Trees(), effort="quick", instruments=[])
    assert max(num) > EXAMPLES
