"""Sorting measures: none is lost, none is told twice."""

from dataclasses import replace

import pytest

from assay.report.families import MAX_GROUPS, MIN_FAMILY, singles_and_families


def made(examples, name="m", **about):
    more = {"unit": about.pop("unit", "accuracy"), "headline": about.pop("headline", False)}
    return examples.measure(name, 0.5, 0.1, [examples.null("n", 0.1)], about=about, **more)


def told(measures):
    alone, families = singles_and_families(measures)
    return [*alone, *(measure for family in families for measure in family.measures)]


def test_none_is_lost_and_none_told_twice(examples):
    for evidence in (examples.systematicity(), examples.decodability(), examples.lean()):
        everything = told(evidence.measures)
        assert sorted(map(id, everything)) == sorted(map(id, evidence.measures))


def test_one_name_in_two_units_is_two_families(examples):
    measures = [made(examples, unit=unit, site=f"s{k}") for unit in ("accuracy", "bits") for k in range(3)]
    _, families = singles_and_families(measures)
    assert [family.key_and_unit for family in families] == [("m", "accuracy"), ("m", "bits")]
    assert len(told(measures)) == 6


def test_measures_of_one_title_and_two_keys_are_two_families(examples):
    measures = [replace(made(examples, site=f"s{k}"), key=key) for key in ("first", "second") for k in range(3)]
    _, families = singles_and_families(measures)
    assert [family.key_and_unit for family in families] == [("first", "accuracy"), ("second", "accuracy")]
    assert {family.title for family in families} == {"m"}


@pytest.mark.parametrize("num", [0, 1, MIN_FAMILY - 1, MIN_FAMILY])
def test_few_are_told_one_by_one(examples, num):
    alone, families = singles_and_families([made(examples, site=f"s{k}") for k in range(num)])
    assert len(families) == (num >= MIN_FAMILY)
    assert len(alone) == (0 if families else num)


def test_two_differences_give_a_family_for_every_value_of_the_first(examples):
    _, families = singles_and_families([made(examples, part=part, site=f"site {k}") for part in "ij" for k in range(3)])
    assert [family.subtitle for family in families] == ["part i, by site", "part j, by site"]
    assert [label for label, _ in families[0].rows] == ["site 0", "site 1", "site 2"]


def test_what_all_have_in_common_is_said_once(examples):
    _, (family,) = singles_and_families([made(examples, part=part, site="encode:out") for part in "ijx"])
    assert family.subtitle == "by part, site encode:out"
    assert [label for label, _ in family.rows] == ["part i", "part j", "part x"]


def test_a_title_that_says_it_is_not_told_again(examples):
    _, (family,) = singles_and_families([made(examples, "novel score by pairs", pairs=str(k)) for k in range(3)])
    assert (family.title, family.subtitle) == ("novel score by pairs", "")


def test_too_many_groups_stay_one_family(examples):
    _, families = singles_and_families(
        [made(examples, part=f"p{k}", site=s) for k in range(MAX_GROUPS + 1) for s in ("in", "out")]
    )
    assert len(families) == 1


def test_headlines_come_first(examples):
    measures = [made(examples, "plain", site=f"s{k}") for k in range(3)]
    measures += [made(examples, "head", site=f"s{k}", headline=True) for k in range(3)]
    assert [family.title for family in singles_and_families(measures)[1]] == ["head", "plain"]
