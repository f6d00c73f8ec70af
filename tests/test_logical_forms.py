"""Logical forms renamed and reordered at random, and small faults that must be seen."""

import gzip
import os
import random
import re
from pathlib import Path

import pytest

from assay.errors import AssayError
from assay.logical_forms import canonical, same_form, score_forms

CAT = "* cat ( x _ 1 ) ; chase . agent ( x _ 2 , x _ 1 ) AND chase . theme ( x _ 2 , Emma )"
FILE = Path(os.environ.get("ASSAY_DATA", ""), "cogs", "gen.tsv.gz")


def disguised(form, draw):
    """Other numbers of variables, other order of conjuncts."""
    numbers = sorted({int(n) for n in re.findall(r"x _ (\d+)", form)})
    others = dict(zip(numbers, draw.sample(range(50), len(numbers)), strict=True))
    renamed = re.sub(r"x _ (\d+)", lambda found: f"x _ {others[int(found[1])]}", form)
    conjuncts = re.split(r" ; | AND ", renamed)
    return " AND ".join(draw.sample(conjuncts, len(conjuncts)))


def test_names_and_order_do_not_matter_and_roles_do():
    assert same_form(CAT, "chase . theme ( x _ 7 , Emma ) AND * cat ( x _ 3 ) AND chase . agent ( x _ 7 , x _ 3 )")
    assert not same_form(CAT, CAT.replace("* cat", "cat"))
    assert not same_form(CAT, CAT.replace("agent", "theme"))
    assert not same_form(CAT, CAT.replace("Emma", "Liam"))
    assert not same_form(CAT, CAT.replace("( x _ 2 , x _ 1 )", "( x _ 1 , x _ 2 )"))
    assert not same_form(CAT, CAT.replace("x _ 2 , x _ 1", "x _ 2 , x _ 2"))


def test_two_of_a_kind_are_told_apart_by_what_they_do():
    one = "cat ( x _ 1 ) AND cat ( x _ 4 ) AND see . agent ( x _ 2 , x _ 1 ) AND see . theme ( x _ 2 , x _ 4 )"
    assert same_form(one, "cat ( x _ 4 ) AND cat ( x _ 1 ) AND see . theme ( x _ 9 , x _ 1 ) AND see . agent ( x _ 9 , x _ 4 )")
    assert not same_form(one, one.replace("x _ 2 , x _ 4", "x _ 2 , x _ 1"))
    same = "cat ( x _ 1 ) AND cat ( x _ 2 )"  # nothing tells them apart
    assert same_form(same, "cat ( x _ 8 ) AND cat ( x _ 3 )")
    assert not same_form(same, "cat ( x _ 8 )")


def test_chains_of_equal_links_are_compared_to_their_ends():
    chain = [f"man . nmod . beside ( x _ {k} , x _ {k + 1} )" for k in range(6)]
    ring = [*chain[:-1], "man . nmod . beside ( x _ 5 , x _ 0 )"]
    assert same_form(" AND ".join(chain), " AND ".join(reversed(chain)))
    assert not same_form(" AND ".join(chain), " AND ".join(ring))


def test_bound_variables_and_names():
    assert same_form("LAMBDA a . LAMBDA e . run . agent ( e , a )", "LAMBDA b . LAMBDA c . run . agent ( c , b )")
    assert not same_form("LAMBDA a . LAMBDA e . run . agent ( e , a )", "LAMBDA e . LAMBDA a . run . agent ( e , a )")
    assert canonical("Emma") == "Emma()"
    assert canonical("") is None
    assert canonical("cat ( x _ 1") is None
    assert same_form("cat (", "cat (")
    assert not same_form("cat (", "cat )")


@pytest.mark.skipif(not FILE.is_file(), reason="COGS is not here")
def test_every_case_of_cogs_is_known_in_disguise():
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    draw = random.Random(0)
    chosen = draw.sample(rows, 400)
    forms, cases = [row[1] for row in chosen], [row[2] for row in chosen]
    assert len(set(cases)) == 21
    scores = score_forms([disguised(form, draw) for form in forms], forms, cases)
    assert {score.canonical for score in scores.values()} == {1.0}
    assert min(score.exact for score in scores.values()) < 0.2
    assert sum(score.num for score in scores.values()) == 400
    others = [forms[-1], *forms[:-1]]
    wrong = score_forms(others, forms, ["all"] * 400)["all"]
    assert wrong.canonical == wrong.exact < 0.05


def test_no_forms_and_one():
    assert score_forms([], [], []) == {}
    found = score_forms([CAT], [CAT], ["one"])["one"]
    assert (found.exact, found.canonical, found.num) == (1.0, 1.0, 1)
    assert found.exact_interval.low < 0.1
    with pytest.raises(AssayError, match="Given: 1, 0 and 1"):
        score_forms([CAT], [], ["one"])
