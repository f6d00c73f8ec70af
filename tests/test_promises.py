"""Pages that name tests, commands and fields name those that there are."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from assay.cli.main import COMMANDS
from assay.evidence import Evidence, Measure
from assay.verdict import Combining, Novel, Sharing, Verdict

ROOT = Path(__file__).parents[1]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "promises.md").read_text())
GUIDE = (ROOT / "AGENTS.md").read_text()


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_every_promise_is_held_by_a_test(file, test):
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_every_line_of_the_promises_names_a_test():
    page = (ROOT / "docs" / "promises.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "| ---"))]
    assert len(rows) >= 15
    assert all("::test_" in row for row in rows)


def test_the_guide_for_agents_names_commands_and_fields_that_there_are():
    words = {command.word() for command in COMMANDS}
    assert set(re.findall(r"`assay (\w+)[ `]", GUIDE)) <= words
    answers = {"novel": Novel, "combining": Combining, "sharing": Sharing}
    assert answers.keys() <= {field.name for field in fields(Verdict)}
    for answer in answers.values():
        assert {"answer", "because"} <= {field.name for field in fields(answer)}
    assert {"basis", "assumption"} <= {field.name for field in fields(Novel)}
    assert {"interval", "units", "unit_of", "value", "note"} <= {field.name for field in fields(Measure)}
    assert {"warnings", "not_tested"} <= {field.name for field in fields(Evidence)}
    assert Verdict.judged
