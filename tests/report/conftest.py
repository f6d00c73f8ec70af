"""The made-up audits, as a fixture."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def examples() -> ModuleType:
    """The module `examples.py` of this folder."""
    return _module("examples")


@pytest.fixture(scope="session")
def pictured() -> ModuleType:
    """The module `pictured.py` of this folder."""
    return _module("pictured")


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"report_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def typical(examples):
    """One audit with everything in it: two full instruments, one without enough data, one skipped."""
    return examples.audit()
