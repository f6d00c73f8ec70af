"""The instrument as a whole: what is planted in states is found and its nulls stay low; what cannot be asked is said."""

import dataclasses

import pytest
import torch
from knowing_trees import LONGEST, WIDTH, Trees, seeded, subject
from polar_for_tests import RELATIONS, planted
from torch import Tensor

from assay.evidence import Evidence
from assay.instruments.polar import Polar
from assay.instruments.polar.causal import polar_basis, principal_basis, task_behaviour, used_measure, without
from assay.instruments.polar.fit import Probes
from assay.instruments.polar.instrument import BUDGETS

pytestmark = pytest.mark.slow

# Fewer texts and epochs: what is planted here is easy.
POLAR = Polar(budgets={"quick": dataclasses.replace(BUDGETS["quick"], train=100, dev=20, test=40, epochs=8)})


@pytest.fixture(scope="module")
def found() -> Evidence:
    return POLAR.measure(subject(), Trees(), effort="quick", generator=seeded())


def test_what_is_planted_is_found_beside_nulls_that_find_less(found):
    assert not found.not_enough
    uuas, las = found.measure("uuas"), found.measure("las")
    assert uuas.value > 0.8
    assert las.value > 0.6
    names = {null.name for null in uuas.nulls}
    assert names == {
        "chain",
        "position-only probe",
        "no probe",
        "random projection",
        "permuted graphs",
        "untrained copies",
        "probe of another network",
    }
    # Distances are planted as they are, so that other maps keep the tree; directions they do not keep.
    for measure, beaten in ((uuas, ("chain", "position-only probe", "untrained copies")), (las, names - {"no probe"})):
        assert measure.interval.low <= measure.value <= measure.interval.high
        nulls = [null for null in measure.nulls if null.name in beaten]
        assert len(nulls) == len(beaten)
        assert all(max(null.values) < measure.value and null.p < 0.01 for null in nulls), measure.name
    assert found.measure("selectivity_of_uuas").value > 0.2


def test_a_subspace_that_is_used_is_missed_and_another_is_not(found):
    behaviour = task_behaviour(subject(), Trees(), "states:in", num=40, generator=seeded())
    used = LONGEST * len(RELATIONS)
    sample = planted(20)
    still = sample.with_states(torch.zeros(1, sample.states.shape[1], WIDTH))

    def lost(directions: Tensor):
        return used_measure(behaviour, directions, still, repeats=10, generator=seeded())

    read, idle = lost(torch.eye(WIDTH)[:, :used]), lost(torch.eye(WIDTH)[:, used:])
    assert read.ceiling == 1
    assert read.value > 0.3
    assert read.p is not None
    assert next(null for null in read.nulls if null.name == "random subspaces").p < 0.1
    assert idle.value == 0
    for of in ("polar subspace", "relation axes"):
        assert found.measure(f"score_lost_without_the_{of}").nulls


def test_the_tables_are_whole(found):
    tables = {table.name: table for table in found.figures}
    curve = tables["Layer curve"]
    assert [row[:2] for row in curve.rows] == [("states:in", rate) for rate in ("UUAS", "LAS", "DSpr")]
    for row in curve.rows[:2]:
        named = dict(zip(curve.columns, row, strict=True))
        assert named["low"] <= named["value"] <= named["high"]
        assert named["value"] > max(named[null] for null in ("highest copy", "chain", "permuted graphs"))
    assert sum(row[1] for row in tables["By relation"].rows) == 40 * (LONGEST - 1)
    assert {"By |i - j|", "By depth", "By length", "Conventions", "Angle losses", "Plane of relations", "Sentences"} <= set(
        tables
    )
    assert [row[0] for row in tables["By rank"].rows] == [4, 16]
    assert tables["By rank"].rows[0][1] < tables["By rank"].rows[1][1]
    assert tables["By number of training texts"].rows == ()  # there are fewer
    drawn = tables["Sentences"].rows
    assert {row[1] for row in drawn} == set(range(LONGEST))
    right = sum(row[3] == row[5] for row in drawn) / len(drawn)
    assert right > 0.6
    assert "parts of speech" in found.not_tested[0]


def test_nothing_is_kept_where_held_out_texts_are_not_to_be_had(found):
    """Every number and every table is of gold graphs of held-out texts."""
    for level in (0, 1):
        kept = found.at_level(level)
        assert kept.measures == kept.figures == ()


def test_the_same_seed_gives_the_same_evidence_in_one_process_or_two(found):
    again = POLAR.in_processes(2).measure(subject(), Trees(), effort="quick", generator=seeded())
    assert again == found


def test_a_network_that_knows_nothing_is_no_finding():
    evidence = POLAR.measure(subject(knows=False), Trees(), effort="quick", generator=seeded(1))
    assert evidence.measure("uuas") not in evidence.findings()
    assert evidence.measure("las") not in evidence.findings()


@pytest.mark.parametrize("num", [0, 1, 4])
def test_too_few_texts_are_not_enough_data(num):
    evidence = POLAR.measure(subject(), Trees(num), effort="quick", generator=seeded())
    assert evidence.not_enough
    assert not evidence.measures


def test_where_nothing_is_asked_use_is_not_tested():
    why = task_behaviour(subject(), Trees(answered=False), "states:in", num=5, generator=seeded())
    assert "asks for no answer" in why
    assert "no site" in task_behaviour(subject(), Trees(), "", num=5, generator=seeded())


def test_what_is_taken_out_is_gone_and_the_rest_stays():
    basis = torch.linalg.qr(torch.randn(6, 2, generator=seeded())).Q
    mean, states = torch.randn(6, generator=seeded(1)), torch.randn(3, 5, 6, generator=seeded(2))
    changed = without(basis, mean)(states)
    assert torch.allclose(changed @ basis, (mean @ basis).expand(3, 5, 2), atol=1e-5)
    across = torch.eye(6) - basis @ basis.mT
    assert torch.allclose(changed @ across, states @ across, atol=1e-5)
    twice = without(basis, mean)(changed)
    assert torch.allclose(twice, changed, atol=1e-5)


def test_the_basis_is_what_the_probe_reads():
    maps = torch.randn(5, 2, generator=seeded()) @ torch.randn(2, 4, generator=seeded(1))
    basis = polar_basis(Probes(maps[None], torch.zeros(1, 4), torch.zeros(1, 1, 4)))
    assert basis.shape == (5, 2)
    assert torch.allclose(basis @ basis.mT @ maps, maps, atol=1e-5)


def test_the_principal_subspace_is_where_states_vary():
    task = Trees()
    sample = planted(20)
    wide = sample.with_states(sample.states * 0.01 + torch.eye(54)[3] * torch.randn(1, sample.states.shape[1], 1))
    assert float(principal_basis(wide, 1)[3].abs()) == pytest.approx(1, abs=0.01)
    behaviour = task_behaviour(subject(), task, "states:in", num=3, generator=seeded())
    small = sample.with_states(torch.zeros(1, sample.states.shape[1], WIDTH))
    measure = used_measure(behaviour, torch.eye(WIDTH)[:, :2], small, repeats=2, generator=seeded())
    assert measure.value is None
    assert "3 independent units" in measure.note
