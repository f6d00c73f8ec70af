"""Which files each half of the tests reads, in which order, and fixtures of all: the local mirror of data, and a generator."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from torch import Generator

import checked_types
from assay.data.registry import MIRROR_VARIABLE

torch.set_num_threads(1)  # two threads on a busy machine are up to thirty times slower
settings.register_profile("no deadline", deadline=None)  # no test asserts a time
settings.load_profile("no deadline")

LONG = (
    "conformance/test_every_instrument.py",
    "test_jobs_clusters.py",
    "sweep/test_run.py",
    "test_ordinary_networks.py",
    "cli/test_failing_disks.py",
    "explore/test_explorer.py",
    "test_demo.py",
)
"""Files that are run first, so that no process is left with a long one when the others are done."""
WHOLLY_SLOW = re.compile(r"^pytestmark = (\[\s*)?pytest\.mark\.slow\b", re.MULTILINE)

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Each half of the tests imports the files alone in which it has tests."""
    chosen = config.getoption("markexpr")
    if chosen not in ("slow", "not slow") or not collection_path.match("test_*.py"):
        return None
    text = collection_path.read_text()
    left_out = "pytest.mark.slow" not in text if chosen == "slow" else WHOLLY_SLOW.search(text)
    return True if left_out else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


def pytest_runtest_setup() -> None:
    torch.manual_seed(0)  # the weights of a module that a test builds do not depend on which tests came before
    checked_types.begin_test()


@pytest.fixture(scope="session", autouse=True)
def data_mirror() -> Iterator[None]:
    """Use the mirror beside the repository where there is one, unless the caller chose another."""
    with pytest.MonkeyPatch.context() as patch:
        if SHARED_DATA.is_dir() and MIRROR_VARIABLE not in os.environ:
            patch.setenv(MIRROR_VARIABLE, str(SHARED_DATA))
        yield


@pytest.fixture
def generator() -> Generator:
    return Generator().manual_seed(0)
