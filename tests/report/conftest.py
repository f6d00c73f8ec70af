"""The made-up audits, as a fixture."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def examples() -> ModuleType:
    """The module `examples.py` of this folder."""
    spec = importlib.util.spec_from_file_location("report_examples", Path(__file__).with_name("examples.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def typical(examples):
    """One audit with everything in it: two full instruments, one without enough data, one skipped."""
    return examples.audit()
