"""The network that is trained on COGS: forms in fewer words are the same forms, and what is trained is written."""

import sys

import pytest

from experiments import cogs_rows, cogs_trained

FORMS = (
    "* cat ( x _ 1 ) ; dog ( x _ 4 ) AND see . agent ( x _ 2 , x _ 1 ) AND see . theme ( x _ 2 , x _ 4 )",
    "LAMBDA a . LAMBDA b . LAMBDA e . give . agent ( e , b ) AND give . recipient ( e , a )",
    "hand . agent ( x _ 1 , Emma ) AND cake . nmod . on ( x _ 3 , x _ 6 )",
    "Emma",
)
ROWS = [(f"A {noun} {verb} .", f"{noun} ( x _ 1 ) AND {verb} . agent ( x _ 2 , x _ 1 )", "case") for noun in ("cat", "dog")
        for verb in ("ran", "sat")]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_fewer_words_are_the_same_form(form):
    words = cogs_trained.words_of(form)
    assert " ".join(words) == form
    assert len(words) == 1 or len(words) < len(form.split())


def test_a_network_writes_what_it_was_trained_on():
    sentences, forms = [row[0] for row in ROWS], [row[1] for row in ROWS]
    writer = cogs_trained.Writer(sentences, forms, 32, 0)
    before = writer(sentences)
    loss = writer.fit(ROWS, passes=150, batch=4, rate=1e-2, seed=0)
    assert loss < 0.5
    assert writer(sentences) == forms
    assert before != forms


def test_all_cases_are_printed_beside_the_null(monkeypatch, capsys):
    asked = [*ROWS[:2], (ROWS[2][0], ROWS[2][1], "other")]
    monkeypatch.setattr(cogs_trained, "rows_of", lambda side: asked if side == "gen" else ROWS)
    monkeypatch.setattr(sys, "argv", ["cogs_trained.py", "--passes", "1", "--width", "16", "--num", "1"])
    cogs_trained.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[3:]] == ["| as trained", "| case", "| other", "| mean of 2 cases"]
    assert cogs_rows.first_of_each(asked, 1) == [asked[0], asked[2]]
