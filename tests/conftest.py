"""Fixtures of all tests: the local mirror of public data, and a generator."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Generator

from assay.data.registry import MIRROR_VARIABLE

torch.set_num_threads(1)  # two threads on a busy machine are up to thirty times slower

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


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
