"""The summary: one screen that says the verdict, its numbers, and what is missing."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from assay.report import summary, summary_text
from assay.report.summary import MAX_MEASURES
from assay.subject import Integrity
from assay.verdict.answers import QUESTIONS


def test_a_typical_audit_fits_on_one_screen(typical):
    lines = summary_text(typical).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_it_says_what_counts(typical):
    text = " ".join(summary_text(typical).split())
    for words in (
        typical.verdict.novel.because,
        *QUESTIONS,
        "0.946 [0.926, 0.966]",
        "< .001",
        "occurs in one trained combination",
    ):
        assert words in text
    assert "Not run subgraphs: 3 trained combinations" in text
    assert "Not run polar" in text


def test_rich_and_plain_say_the_same(typical):
    console = Console(width=80, record=True, file=StringIO(), color_system=None)
    console.print(summary(typical))
    assert [line.rstrip() for line in console.export_text().splitlines()] == summary_text(typical).splitlines()


def test_names_with_brackets_are_no_markup(examples):
    measure = examples.measure("score [bold]x[/bold]", 0.5, 0.1, [examples.null("n", 0.1)], headline=True)
    evidence = replace(examples.systematicity(), measures=(*examples.systematicity().measures[:2], measure))
    text = summary_text(examples.audit([evidence], name="[red]net[/red]"))
    assert "[red]net[/red]" in text
    assert "score [bold]x[/bold]" in text


@pytest.mark.parametrize("num", [0, 1, MAX_MEASURES, MAX_MEASURES + 3])
def test_any_number_of_headline_measures(examples, num):
    members = [examples.measure(f"m{k}", 0.5, 0.1, [examples.null("n", 0.1)], headline=True) for k in range(num)]
    text = summary_text(examples.audit([replace(examples.lean("other"), measures=tuple(members))]))
    assert all(f"m{k} " in text for k in range(min(num, MAX_MEASURES)))
    assert ("3 more measures" in text) == (num > MAX_MEASURES)


def test_not_enough_data_is_told(examples):
    measure = examples.measure("novel_score", None, headline=True, note="2 combinations")
    text = summary_text(examples.audit([replace(examples.lean("other"), measures=(measure,))]))
    assert "not enough data" in text


def test_a_failed_integrity_check_is_told(examples):
    failed = Integrity(outputs_identical=False, weights_identical=True, num_examples=5, num_sites=2)
    assert "Do not rely on this" in summary_text(examples.audit(integrity=failed))
