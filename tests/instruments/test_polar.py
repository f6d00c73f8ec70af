"""The instrument as a whole: what is planted in states is found and its nulls stay low; what cannot be asked is said."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from knowing_trees import LONGEST, WIDTH, Trees, seeded, subject
from polar_for_tests import RELATIONS, planted
from torch import Tensor

from assay.evidence import Evidence, Measure
from assay.figure import RelationGraphs, Scatter
from assay.instrument import run
from assay.instrument.run import measure_of
from assay.instruments.polar import Polar, instrument
from assay.instruments.polar.behaviour import (
    LOST,
    SUBSPACE,
    lost_without,
    orthonormal,
    task_behaviour,
    without,
)
from assay.instruments.polar.instrument import BUDGETS
from assay.instruments.polar.targets import principal_components
from assay.report.tables import as_table
from assay.subject import Subject

pytestmark = pytest.mark.slow

# Fewer texts and epochs: what is planted here is easy.
POLAR = Polar(budgets={"quick": dataclasses.replace(BUDGETS["quick"], train=100, dev=20, test=40, epochs=8)})


def measured(subject: Subject, task: Trees, **options) -> Evidence:
    return run(POLAR, subject, task, effort="quick", **options)


@pytest.fixture(scope="module")
def found() -> Evidence:
    return measured(subject(), Trees())


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

    def lost(directions: Tensor) -> Measure:
        values = lost_without(behaviour, SUBSPACE, [directions], still, repeats=10, generator=seeded())
        return measure_of(LOST["score", SUBSPACE], values)

    read, idle = lost(torch.eye(WIDTH)[:, :used]), lost(torch.eye(WIDTH)[:, used:])
    assert read.ceiling == 1
    assert read.value > 0.3
    assert read.p is not None
    assert next(null for null in read.nulls if null.name == "random subspaces").p < 0.1
    assert idle.value == 0
    for of in ("polar_subspace", "relation_axes"):
        assert found.measure(f"score_lost_without_the_{of}").nulls


def test_the_interval_is_over_texts_and_fits(found):
    for key in ("uuas", "las", "depth_correlation", "selectivity_of_uuas", "score_lost_without_the_polar_subspace"):
        assert found.measure(key).interval.method.endswith("joined with t over 3 fits")
    assert "3 fits, which give " in found.measure("las").note
    alone = Polar(budgets={"quick": dataclasses.replace(POLAR.budgets["quick"], epochs=1, seeds=1)})
    las = run(alone, subject(), Trees(), effort="quick").measure("las")
    assert "does not cover the variance between fits" in las.interval.method
    assert "the interval leaves out differences between fits" in las.note


def test_the_curves_are_whole(found):
    layers, depth = (figure for figure in found.figures if figure.kind == "curve")
    assert [plot.title for plot in layers.plots] == ["UUAS", "LAS", "DSpr"]
    assert [plot.title for plot in depth.plots] == ["root accuracy of depth", "depth correlation", "NSpr"]
    for plot in layers.plots[:2]:
        measured, *nulls = plot.lines
        (value,), (low,), (high,) = measured.y, measured.low, measured.high
        assert measured.x == ("states:in",)
        assert not measured.null
        assert low <= value <= high
        named = {line.name: line for line in nulls}
        assert all(line.null for line in nulls)
        assert set(named) == {null.name for null in found.measure(plot.title.lower()).nulls}  # copies are one line with a band
        assert value > max(named["untrained copies"].high[0], named["chain"].y[0], named["permuted graphs"].y[0])


def test_the_tables_are_whole(found):
    tables = {figure.name: as_table(figure) for figure in found.figures}
    assert sum(row[1] for row in tables["By relation"].rows) == 40 * (LONGEST - 1)
    assert {"By |i - j|", "By depth", "By length", "Conventions", "Angle losses", "Plane of relations", "Sentences"} <= set(
        tables
    )
    assert [row[0] for row in tables["By rank"].rows] == [4, 16]
    assert tables["By rank"].rows[0][1] < tables["By rank"].rows[1][1]
    assert tables["By number of training texts"].rows == ()  # there are fewer
    assert "parts of speech" in found.not_tested[0]


def test_relations_have_arrows_and_sentences_both_trees(found):
    (plane,) = (figure for figure in found.figures if isinstance(figure, Scatter))
    assert plane.arrows
    assert {point.name for point in plane.points} == set(RELATIONS)
    assert sum(point.size for point in plane.points) == 100 * (LONGEST - 1)
    assert all(point.x**2 + point.y**2 <= 1 + 1e-5 for point in plane.points)
    (drawn,) = (figure for figure in found.figures if isinstance(figure, RelationGraphs))
    assert len(drawn.texts) == 8
    assert all(len(text.words) == LONGEST and len(text.declared) == LONGEST - 1 for text in drawn.texts)
    assert all(text.name == " ".join(text.words) for text in drawn.texts), "a text without an identifier is headed by itself"
    right = sum(len({*text.declared} & {*text.predicted}) for text in drawn.texts) / (8 * (LONGEST - 1))
    assert right > 0.6


def test_nonsense_that_is_the_same_words_changes_no_rate(monkeypatch):
    monkeypatch.setattr(instrument, "read_nonsense", lambda encoder, sample, *, generator: sample)
    short = Polar(budgets={"quick": dataclasses.replace(POLAR.budgets["quick"], epochs=1)})
    evidence = run(short, subject(), Trees(), effort="quick")
    for of in ("uuas", "las"):
        plain, again = evidence.measure(of), evidence.measure(f"{of}_on_nonsense_words")
        assert again.value == plain.value
        assert again.interval == plain.interval
        beside = [null for null in plain.nulls if null.name in ("chain", "position-only probe")]
        assert list(again.nulls) == beside
    assert not any("nonsense" in gap for gap in evidence.not_tested)


def test_nothing_is_kept_where_held_out_texts_are_not_to_be_had(found):
    """Every number and every table is of gold graphs of held-out texts."""
    for level in (0, 1):
        kept = found.at_level(level)
        assert kept.measures == kept.figures == ()


def test_the_same_seed_gives_the_same_evidence_in_one_process_or_two(found):
    assert measured(subject(), Trees(), jobs=2) == found


def test_a_network_that_knows_nothing_is_no_finding():
    evidence = measured(subject(knows=False), Trees(), seed=1)
    assert evidence.measure("uuas") not in evidence.findings()
    assert evidence.measure("las") not in evidence.findings()


@pytest.mark.parametrize("num", [0, 1, 4])
def test_too_few_texts_are_not_enough_data(num):
    evidence = measured(subject(), Trees(num))
    assert evidence.not_enough
    assert not evidence.measures


def test_where_nothing_is_asked_use_is_not_tested():
    why = task_behaviour(subject(), Trees(answered=False), "states:in", num=5, generator=seeded())
    assert "defines no answer" in why
    nowhere = SimpleNamespace(site=lambda layer: "")
    (why,) = instrument._behaviours(subject(), None, nowhere, "last", None)
    assert "no site" in why


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
    basis = orthonormal(maps)
    assert basis.shape == (5, 2)
    assert torch.allclose(basis @ basis.mT @ maps, maps, atol=1e-5)


def test_the_principal_subspace_is_where_states_vary():
    task = Trees()
    sample = planted(20)
    wide = sample.with_states(sample.states * 0.01 + torch.eye(54)[3] * torch.randn(1, sample.states.shape[1], 1))
    basis, _ = principal_components(wide, 1, generator=seeded())
    assert float(basis[0, 3].abs()) == pytest.approx(1, abs=0.01)
    behaviour = task_behaviour(subject(), task, "states:in", num=3, generator=seeded())
    small = sample.with_states(torch.zeros(1, sample.states.shape[1], WIDTH))
    values = lost_without(behaviour, SUBSPACE, [torch.eye(WIDTH)[:, :2]], small, repeats=2, generator=seeded())
    measure = measure_of(LOST["score", SUBSPACE], values)
    assert measure.value is None
    assert "3 combinations" in measure.note
