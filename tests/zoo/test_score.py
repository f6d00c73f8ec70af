"""The table on zoos whose figures are known, since every measurement was planted."""

import json
from pathlib import Path

import numpy as np
import pytest
from planted_records import composer, imitator, planted, value

from assay.errors import AssayError
from assay.store import write_json
from assay.verdict.rates import ErrorRates, shipped_rates
from zoo import score as scoring
from zoo.blind import BlindSpots, blind_path
from zoo.conformal import Conformal, answers_left_out, level_1
from zoo.leak import recipe_scores
from zoo.manifest import manifest
from zoo.measure import C, Measured, measured_of, measured_path
from zoo.score import BOUNDS, change, holds_the_call, main, pairs, read_measured, score, where_broken
from zoo.scores import at_random, baselines

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("zoo.figures.DRAWS", 4)
    monkeypatch.setattr("zoo.leak.TREES", 3)


def families(composers=("composer-a", "composer-b", "composer-c"), imitators=("x", "y", "z")) -> list[Measured]:
    """Three families, each ranked without a mistake."""
    rows = []
    for family in ("codes", "sounds", "pictures"):
        rows += [composer(f"{family}-{name}", family=family) for name in composers]
        rows += [imitator(f"{family}-{name}", family=family) for name in imitators]
    return rows


def test_every_key_is_there_with_value_and_interval():
    table = json.loads(score(families(), blind=BlindSpots(carried=("not found",), untold=0)).as_json())
    assert set(BOUNDS) <= set(table)
    assert table["subjects"] == 18
    for key in BOUNDS:
        assert {"value", "low", "high"} <= set(table[key])
    assert table["level0_auroc"]["value"] == table["level0_auroc_worst_family"]["value"] == 1.0
    assert table["ignored_shown_carried"]["value"] == 0.0


def test_a_network_without_a_headline_cut_has_the_middle_score():
    rows = families()
    table = score([*rows, composer("codes-none", None)])
    # Nine composers above nine imitators; the tenth is above all imitators, at .5.
    assert table.figures["level0_auroc"].value == 1.0
    table = score([*rows, imitator("codes-none", None), composer("codes-too", None)])
    assert table.figures["level0_auroc"].value == pytest.approx((10 * 10 - 0.5) / 100)
    assert table.beside["without a headline cut, composers"].value == pytest.approx(1 / 10)
    assert table.beside["auroc of C, networks with a headline cut"].value == 1.0


def test_the_worst_family_is_the_lowest_of_those_with_three_of_each_class():
    rows = families()
    rows += [composer(f"scenes-{k}", 0.0, family="scenes") for k in range(3)]
    rows += [imitator(f"scenes-i{k}", 1.0, family="scenes") for k in range(2)]
    assert score(rows).figures["level0_auroc_worst_family"].value == 1.0
    rows.append(imitator("scenes-i2", 1.0, family="scenes"))
    assert score(rows).figures["level0_auroc_worst_family"].value == 0.0


@pytest.mark.parametrize(
    "more",
    [{"entangled": False}, {"behavioural": True}, {"seen": 0.9}, {"kind": "ensemble"}, {"failed": "recombination: broke"}],
)
def test_what_does_not_count_moves_no_ranking(more):
    rows = [*families(), composer("codes-odd", 0.0, **more)]
    assert score(rows).figures["level0_auroc"].value == 1.0
    assert score([*families(), composer("codes-odd", 0.0)]).figures["level0_auroc"].value < 1.0


def test_a_perfect_measure_is_above_the_baselines_by_what_they_lack():
    rows = families()
    table = score(rows)
    # Coverage and all others are the same for every network; a product of random C and E is not.
    drawn = baselines(rows)["C*E drawn at random"](rows)
    assert 0.5 < drawn < 1.0
    assert table.figures["level0_over_baseline"].value == pytest.approx(1.0 - drawn)


def test_random_products_obey_the_identity():
    assert all(0 <= one <= 1 for one in at_random(composer("a", novel=1.0)))
    assert max(at_random(imitator("b", novel=0.0))) <= 0.25, "C + E - 1 <= 0"


def test_e_tells_broken_ways_in_and_the_worst_kind_counts():
    rows = families()
    for k in range(3):
        rows.append(planted(f"codes-w{k}", novel=0.0, c=1.0, e=0.0, meant="way in", kind="way-in"))
        rows.append(planted(f"codes-f{k}", novel=0.0, c=1.0, e=1.0, meant="attack", kind="front"))
        # Not among them: one that works after all, and one whose combining is broken.
        rows.append(planted(f"codes-v{k}", novel=1.0, c=1.0, e=0.0, meant="way in", kind="way-in"))
        rows.append(planted(f"codes-c{k}", novel=0.0, c=0.0, e=1.0, meant="combining", kind="combining"))
    figures = score(rows).figures
    assert figures["e_auroc"].value == 0.75
    assert figures["e_auroc_worst_kind"].value == 0.5
    assert figures["e_auroc"].subjects == 15


def test_rates_of_wrong_answers():
    rows = [imitator(f"codes-{k}") for k in range(9)]
    rows.append(imitator("codes-called", calls=("works", "works in part", "does not work")))
    rows.append(planted("codes-w", novel=0.2, c=1.0, e=0.2, meant="way in", kind="way-in", calls=("works",) * 3))
    rows.append(planted("codes-p", novel=0.7, c=0.7, meant="partial", kind="told", calls=("works", "works in part", "works")))
    rows.append(
        planted("codes-q", novel=0.7, c=0.7, meant="partial", kind="told", calls=("works", "not resolved", "not resolved"))
    )
    table = score(rows)
    false = table.figures["level0_false_composes_upper"]
    assert false.value == false.high > 0.1
    assert false.subjects == 10
    assert table.figures["level0_contradicted_called_composing"].value == 1.0
    assert table.figures["partial_called_composing"].value == 0.5
    assert table.beside["partial called composing, level 0"].value == 1.0
    assert table.figures["share_judged"].value == pytest.approx(12 / 13)
    told = next(one for one in table.calls if (one.rule, one.level, one.kind) == ("fixed", 0, "natural imitators"))
    assert told.answers == {"works": 1, "does not work": 9}
    assert told.wrong is not None
    assert told.wrong.value == 0.1


def test_the_rank_correlation_is_over_partial_networks_whose_inputs_get_there():
    rows = [planted(f"codes-{k}", novel=k / 10, c=k / 10, meant="partial", kind="told") for k in range(2, 9)]
    rows.append(planted("codes-lost", novel=0.2, c=1.0, e=0.2, meant="way in", kind="way-in"))
    figure = score(rows).figures["c_spearman_partial"]
    assert (figure.value, figure.subjects) == (pytest.approx(1.0), 7)


def test_planted_faults_are_named_or_not():
    rows = [
        planted("codes-a", novel=0.5, c=1.0, e=0.5, meant="way in", kind="retaught", breaks="the way in"),
        planted("codes-b", novel=0.5, c=0.5, e=1.0, meant="combining", kind="combining", breaks="the way in"),
        planted("codes-c", novel=0.5, c=None, meant="way in", kind="way-in", breaks="not resolved"),
        planted("codes-d", novel=0.95, c=0.95, meant="combining", kind="combining", breaks="nothing found"),
    ]
    assert [where_broken(row) for row in rows] == [True, False, False, False]
    figure = score(rows).figures["where_broken"]
    assert (figure.value, figure.subjects) == (pytest.approx(1 / 3), 3), "a fault without an effect is not asked for"


def test_the_combining_interval_holds_the_planted_call():
    assert holds_the_call(composer("a"))
    assert not holds_the_call(composer("a", combined=(1, 4))), "three calls wide"
    assert holds_the_call(composer("a", combined=(2, 4)))
    assert not holds_the_call(composer("a", combined=None))
    assert not holds_the_call(composer("a", combining="head.layers.10"))
    assert not holds_the_call(composer("a", combining="encoder.layers.1"))


def test_refactors_and_twins_are_paired_with_their_originals():
    first = composer("codes-composer")
    same = composer("codes-refactor", kind="refactor", of="codes-composer")
    assert change(same, first) == 0.0
    renamed = same.model_copy(
        update={"values": tuple(value(one.key, one.value, one.level, cut="4 mul#1") for one in same.values)}
    )
    assert change(renamed, first) == 0.0, "cuts have other names"
    other = same.model_copy(update={"values": (value(C, 0.75, 0), *same.values[1:])})
    assert change(other, first) == 0.25
    assert change(same.model_copy(update={"values": same.values[1:]}), first) == 1.0
    lost = composer("codes-lost", kind="refactor", of="codes-missing")
    assert pairs([first, same, lost], "refactor") == [(same, first)]
    twins = [composer(f"codes-t{k}", kind="twin", of="codes-composer") for k in range(3)]
    twins.append(composer("codes-t3", kind="twin", of="codes-composer", calls=("not resolved", "works", "works")))
    figures = score([first, other, *twins]).figures
    assert figures["refactor_change"].value == 0.25
    assert figures["twin_flips"].value == 0.25


def test_conformal_answers_by_hand():
    """Of 19 composers and 19 imitators none is excluded at 5 % that lies within their own range."""
    composers, imitators = tuple(np.linspace(0.8, 1.0, 39).tolist()), tuple(np.linspace(0.0, 0.4, 39).tolist())
    fitted = Conformal(composers, imitators)
    # p > .05 needs two networks of 39 that fit no better, so that the second lowest composer bounds the band.
    assert fitted.answer(composers[1]) == "works"
    assert fitted.answer(composers[0]) == "not resolved"
    assert fitted.answer(imitators[-2]) == "does not work"
    assert fitted.answer(imitators[-1]) == "not resolved"
    assert fitted.answer(0.6) == "not resolved"
    assert fitted.answer(None) == "not resolved"
    low, high = fitted.band
    assert low == pytest.approx(imitators[-2], abs=1e-3)
    assert high == pytest.approx(composers[1], abs=1e-3)


def test_conformal_answers_need_enough_networks():
    """Of 18 and one new network no p-value falls to .05, so that nothing is excluded."""
    assert Conformal((1.0,) * 18, (0.0,) * 18).answer(1.0) == "not resolved"
    assert Conformal((1.0,) * 19, (0.0,) * 19).answer(1.0) == "works"
    assert Conformal((1.0,) * 18, (0.0,) * 19).answer(0.5) == "not resolved", "unlike imitators is not like composers"
    assert Conformal((1.0,) * 19, (0.0,) * 18).answer(0.5) == "not resolved"
    assert Conformal((), ()).answer(1.0) == "not resolved"


def test_a_family_does_not_set_its_own_thresholds():
    rows = [composer(f"codes-{k}", family="codes") for k in range(30)]
    rows += [imitator(f"codes-i{k}", family="codes") for k in range(30)]
    rows += [composer("sounds-a", family="sounds"), imitator("sounds-b", family="sounds")]
    answers = answers_left_out(rows, 0)
    assert answers["sounds-a"] == "works"
    assert answers["sounds-b"] == "does not work"
    assert answers["codes-0"] == "not resolved", "one composer of another family is not enough"


def test_at_level_1_the_number_is_the_lower_bound_of_the_novel_score():
    assert level_1(composer("a", 0.9, e=0.8)) == pytest.approx(0.7)
    assert level_1(composer("a", 0.2, e=0.3)) == 0.0
    assert level_1(composer("a", None)) is None


def test_the_leak_detector_finds_a_planted_leak_and_no_other():
    def told(leak: bool) -> float:
        rows = []
        for family in ("codes", "sounds", "pictures"):
            for k in range(12):
                scale = (2.0 if leak else (0.5, 2.0)[k % 2]) * (1 + 0.01 * k)
                rows.append(composer(f"{family}-c{k}", family=family, scale=scale))
                rows.append(imitator(f"{family}-i{k}", family=family, scale=scale / 4 if leak else scale))
        return score(rows).beside["leak: auroc of the recipe, linear"].value

    assert told(leak=True) == 1.0
    assert told(leak=False) == pytest.approx(0.5, abs=0.05)
    assert recipe_scores([composer("a")], lambda row: True, lambda row: False) == {"linear": {}, "forest": {}}


@pytest.mark.parametrize("rows", [[], [composer("codes-a")], [imitator("codes-a", None)]])
def test_an_empty_zoo_and_one_network_have_no_ranking(rows):
    table = score(rows)
    assert table.subjects == len(rows)
    for key in ("level0_auroc", "level0_auroc_worst_family", "level0_over_baseline", "e_auroc", "c_spearman_partial"):
        assert table.figures[key].value is None
    assert f"{len(rows)} of {len(rows)} networks" in table.as_text()


# Files


def stored(folder: Path, row: Measured, **more) -> None:
    measured_path(folder, "").parent.mkdir(parents=True, exist_ok=True)
    write_json(measured_path(folder, row.name), row.model_copy(update=more))


def member(name: str):
    return next(one for one in manifest().members() if one.name == name)


def test_records_are_read_back_and_others_are_not(tmp_path):
    own, sealed = member("codes-mlp-composer"), member("strokes-mlp-composer")
    for one in (own, sealed):
        stored(tmp_path, composer(one.name, family=one.instance.family), recipe_sha256=one.sha256)
    assert [row.name for row in read_measured(tmp_path, [own, sealed])] == [own.name]
    assert [row.name for row in read_measured(tmp_path, [own, sealed], sealed=True)] == [sealed.name]
    stored(tmp_path, composer(own.name), recipe_sha256="of another recipe")
    assert read_measured(tmp_path, [own]) == []
    stored(tmp_path, composer(own.name), recipe_sha256=own.sha256, edition=-1)
    assert read_measured(tmp_path, [own]) == []


def test_the_sealed_family_is_not_even_opened(tmp_path):
    sealed = member("strokes-mlp-composer")
    stored(tmp_path, composer(sealed.name))
    measured_path(tmp_path, sealed.name).write_text("{")
    assert read_measured(tmp_path, [sealed]) == []
    with pytest.raises(AssayError):
        read_measured(tmp_path, [sealed], sealed=True)


@pytest.mark.parametrize("harm", ["{", "[]", '{"schema_version": 1}'])
def test_a_damaged_record_is_refused_by_its_name(tmp_path, harm):
    own = member("codes-mlp-composer")
    stored(tmp_path, composer(own.name), recipe_sha256=own.sha256)
    measured_path(tmp_path, own.name).write_text(harm)
    with pytest.raises(AssayError, match=own.name):
        measured_of(tmp_path, own)


def test_a_value_out_of_place_is_refused(tmp_path):
    own = member("codes-mlp-composer")
    stored(tmp_path, composer(own.name), recipe_sha256=own.sha256)
    path = measured_path(tmp_path, own.name)
    path.write_text(path.read_text().replace('"level": 0', '"level": 7'))
    with pytest.raises(AssayError, match="level"):
        measured_of(tmp_path, own)


def test_what_is_written_is_what_is_printed(tmp_path, monkeypatch, capsys):
    rows = families()
    monkeypatch.setattr(scoring, "read_measured", lambda folder, members, sealed: rows)
    write_json(blind_path(tmp_path), BlindSpots(carried=("not found", "2 layers.1"), untold=3))
    monkeypatch.setattr("sys.argv", ["score", "--measured", str(tmp_path), "--out", str(tmp_path / "rates.json")])
    main()
    table = shipped_rates(tmp_path / "rates.json")
    assert isinstance(table, ErrorRates)
    assert table.figures["ignored_shown_carried"].value == 0.5
    assert capsys.readouterr().out.strip() == table.as_text()
    assert "level0_auroc " in table.as_text()


def test_a_missing_table_says_so(tmp_path):
    with pytest.raises(AssayError, match="error rates"):
        shipped_rates(tmp_path / "none.json")
