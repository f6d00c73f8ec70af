"""Faults to be planted still fit the code."""

from pathlib import Path

import pytest

from experiments.mutations import FAULTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_the_line_to_be_changed_is_there_once_and_its_tests_exist(fault):
    assert (ROOT / "src" / "assay" / fault.path).read_text().count(fault.line) == 1
    assert fault.fault != fault.line
    for path in fault.tests:
        assert (ROOT / path).exists()
