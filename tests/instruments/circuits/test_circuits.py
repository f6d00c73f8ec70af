"""The instrument on networks whose circuit is known, or whose task has none."""

import dataclasses
import math

import pytest
import torch
from planted_circuits import EDGES, Planted, SameSign, subject
from torch import Generator, nn

from assay.evidence import UNTRAINED
from assay.instrument import NotEnough, Random, run
from assay.instruments.circuits import Circuits
from assay.instruments.circuits.controls import (
    Sets,
    conditions,
    constant_labels,
    permuted_labels,
    wrong_labels,
)
from assay.instruments.circuits.metrics import BUDGETS, NONSENSE, RANDOM
from assay.subject import Subject

pytestmark = pytest.mark.slow

QUICK = dataclasses.replace(BUDGETS["quick"], examples=96, points=6, draws=4, ascent=2)
GATES = dataclasses.replace(
    QUICK, copies=5, seeds=2, prices=(0.2, 0.5), steps=(60, 20), batch_size=48, conditions=0, nonsense=2
)
TASK = SameSign()


def read(of: Subject | None = None, budget=QUICK, seed: int = 0):
    return run(Circuits(budgets={"quick": budget}), of or subject(), TASK, effort="quick", seed=seed)


@pytest.fixture(scope="module")
def quick():
    return read()


def table(evidence, name: str):
    return next(figure for figure in evidence.figures if figure.name == name)


@pytest.mark.parametrize("budget", [QUICK, GATES], ids=["effects", "gates"])
def test_it_finds_the_planted_circuit_to_the_edge(budget, quick):
    evidence = quick if budget is QUICK else read(budget=budget)
    size = evidence.measure("circuit_size")
    assert size.value == pytest.approx(EDGES / 102)
    assert evidence.measure("circuit_sufficiency").value == 1.0
    assert [(place, which) for place, _, _, which in table(evidence, "Nodes of the circuit").rows] == [
        ("layers.0:in", "0, 1"),
        ("layers.2:in", "3, 9"),
    ]
    assert "necessary" in evidence.summary
    assert "no circuit" in evidence.summary
    if budget is GATES:
        assert [row[1:3] for row in table(evidence, "Path of the gates").rows] == [(4, EDGES), (4, EDGES)]
    else:
        assert any("learned gates" in told for told in evidence.not_tested)


def test_single_weights_are_pruned_by_the_same_search_in_every_null_and_reference():
    """A reference that is the network answers as it does, and one pruned by magnitude, whose circuit is cut, has none."""
    pruned = Planted()
    with torch.no_grad():
        pruned.layers[2].weight[:, [3, 9]] = 0
    budget = dataclasses.replace(GATES, weights=True, prices=(0.2, 2.0), few=2)
    references = {"twin": subject(), "pruned by magnitude": Subject(pruned.eval())}
    instrument = Circuits(budgets={"quick": budget})
    evidence = run(instrument, subject(), TASK, effort="quick", seed=0, references=references)
    size, weights = (evidence.measure(key) for key in ("circuit_size", "circuit_weights"))
    nulls = {null.name: null.values for null in weights.nulls}
    assert weights.value <= size.value == pytest.approx(EDGES / 102)
    assert min(nulls[UNTRAINED]) == 1.0
    assert list(nulls[NONSENSE]) == [1.0] * 3
    assert list(nulls["pruned by magnitude"]) == [1.0]
    assert nulls["twin"][0] == pytest.approx(weights.value, abs=2 / 102)
    rows = table(evidence, "Pruned weight by weight").rows
    assert [row[0] for row in rows] == [
        "gates", "largest weights by magnitude", *["gates, permuted labels"] * 2, "gates, wrong labels",
    ]  # fmt: skip
    assert rows[0][3] < 0.15 < 0.6 < rows[0][4]
    assert not any("single weights" in told for told in evidence.not_tested)


def test_nonsense_labels_and_untrained_copies_have_no_circuit_as_small(quick):
    nulls = {null.name: null for null in quick.measure("circuit_size").nulls}
    assert set(nulls) == {UNTRAINED, NONSENSE}
    assert min(nulls[UNTRAINED].values) == 1.0
    assert min(nulls[NONSENSE].values) == 1.0
    assert len(nulls[NONSENSE].values) == 7
    assert quick.measure("circuit_size") in quick.findings()
    rows = table(quick, "Circuits for nonsense labels").rows
    assert [row[0] for row in rows] == ["the task", *["permuted labels"] * 6, "wrong labels", "constant labels"]


def test_without_the_circuit_the_loss_is_that_of_chance(quick):
    rows = {row[0]: row[1:] for row in table(quick, "Ablations").rows}
    assert rows["mean"][1] >= math.log(2) - 0.05
    assert {"mean", "zero", "task mean", "resample"} <= set(rows)
    assert all(rows[name][0] < 0.15 for name in rows)  # alone, and whatever an adversary does outside
    assert quick.measure("circuit_necessity").value > quick.measure("circuit_necessity").nulls[1].mean
    assert quick.measure("circuit_necessity").nulls[1].name == RANDOM


def test_a_circuit_of_one_condition_does_not_serve_the_other_and_shares_no_edge(quick):
    """With bit 0 off only the unit that sees both off decides, with bit 0 on the other one."""
    rows = [row for row in table(quick, "Transfer between conditions").rows if row[0] == "bit 0"]
    assert [row[3:6] for row in rows] == [(3, 3, 0.0), (3, 3, 0.0)]
    assert all(row[-2] < 0.15 < row[-1] for row in rows)
    assert quick.measure("circuit_transfer", part="bit 0").value < 0.75


def test_what_is_not_learned_is_not_searched():
    evidence = read(Subject(Planted().requires_grad_(False), name="blank"))
    assert not evidence.not_enough
    torch.manual_seed(0)
    blank = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    assert "train the network until its loss" in read(Subject(blank)).not_enough


def test_a_path_that_collapses_names_what_to_change():
    told = read(budget=dataclasses.replace(GATES, prices=(1e5, 1e6))).not_enough
    assert "closed at the lowest price, 100000" in told or "closed at the lowest price, 1e+05" in told
    assert "`prices`" in told


def test_a_target_out_of_reach_where_the_size_is_chosen_names_what_to_change():
    """The network answers the examples that it is judged on, and not those that a size is chosen on."""
    instrument = Circuits(budgets={"quick": QUICK})
    data = instrument.data(subject(), TASK, QUICK, Random(0, "circuits"))
    wrong = wrong_labels(data.sets)
    assert wrong is not None
    data = dataclasses.replace(data, sets=dataclasses.replace(data.sets, choosing=wrong.choosing))
    with pytest.raises(NotEnough, match=r"no circuit reaches the target.* train it further, or raise `examples`"):
        instrument.read(subject(), data, Random(0, "circuits"))


def test_off_target_damage_is_the_loss_that_another_task_gains_without_the_circuit(quick):
    """Of the task itself it is what the circuit is necessary for; a random circuit that misses its nodes does no damage."""
    assert "circuit_off_target" not in {one.key for one in quick.measures}
    assert any("Damage to other tasks" in told for told in quick.not_tested)
    instrument = Circuits(elsewhere=[TASK], budgets={"quick": QUICK})
    evidence = run(instrument, subject(), TASK, effort="quick", seed=0)
    found = evidence.measure("circuit_off_target", task=TASK.address)
    without = {row[0]: row[2] for row in table(evidence, "Ablations").rows}["mean"]
    assert found.value == pytest.approx(without, abs=0.1)  # on other examples, and the network's own loss is next to none
    assert found.value > 0.5 > 1e-3 > min(found.nulls[0].values)
    assert not any("Damage to other tasks" in told for told in evidence.not_tested)


def test_a_network_too_large_for_the_effort_says_so():
    assert "choose a higher effort" in read(budget=dataclasses.replace(QUICK, work=100.0)).not_enough


class Bare(nn.Module):
    """Its weights are bare parameters."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 6))

    def forward(self, x):
        return x @ self.weight.T


def test_a_network_without_modules_of_linear_maps_has_no_edges():
    assert "no linear map" in read(Subject(Bare())).not_enough


def test_recorded_nodes_of_another_input_are_averaged_over_it():
    """With means over inputs whose bits 0 and 1 are on, ablated bits are on."""
    far = {"x": torch.ones(50, 6)}
    evidence = run(Circuits(far, budgets={"quick": QUICK}), subject(), TASK, effort="quick", seed=0)
    assert (
        evidence.measure("circuit_size").value != pytest.approx(EDGES / 102)
        or evidence.measure("circuit_sufficiency").value == 1
    )


# Labels


def sets() -> Sets:
    return Sets(*(TASK.examples("train", 200, generator=Generator().manual_seed(seed)) for seed in range(3)))


def test_permuted_labels_are_those_of_combinations_and_always_the_same():
    own = sets()
    found = permuted_labels(own, generator=Generator().manual_seed(0))
    of = {}
    for examples in found.every:
        for combination, target in zip(examples.combination.tolist(), examples.targets.tolist(), strict=True):
            assert of.setdefault(combination, target) == target
    assert len(of) == 48
    agree = (found.searching.targets == own.searching.targets).double().mean()
    assert 0.2 < float(agree) < 0.8


def test_wrong_labels_are_wrong_everywhere_and_constant_ones_one():
    own = sets()
    wrong = wrong_labels(own)
    assert wrong is not None
    assert all(bool((a.targets != b.targets).all()) for a, b in zip(own.every, wrong.every, strict=True))
    assert len(constant_labels(own).judging.targets.unique()) == 1
    assert wrong_labels(constant_labels(own)) is None


def test_conditions_are_halves_of_a_part_with_both_answers():
    parts = {part.name: part.values for part in TASK.parts}
    found = conditions(sets(), parts, least=16)
    assert [one.part for one, _ in found] == list(parts)
    one, other = found[0]
    assert (one.values, other.values) == ("off", "on")
    assert bool((one.sets.searching.parts["bit 0"] == 0).all())
    assert conditions(sets(), parts, least=10**6) == []
