"""A damaged file or a strange number ends in `AssayError` or is taken, for every reader. `experiments/fuzz.py` tries more.

The inputs are the same in every run, unless `ASSAY_FUZZ` is set: hypofuzz chooses them by the lines of code that they reach.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reader import Reader, is_accepted
from readers import readers

EXAMPLES, EXAMPLES_OF_SLOW = 30, 6
_LARGE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much)
_SAME: dict[str, Any] = {"suppress_health_check": _LARGE}
if "ASSAY_FUZZ" not in os.environ:
    _SAME |= {"derandomize": True, "database": None}


@pytest.mark.parametrize("reader", [reader for reader in readers() if not reader.slow], ids=lambda reader: reader.name)
@settings(max_examples=EXAMPLES, **_SAME)
@given(data=st.data())
def test_only_an_assay_error_comes_out(reader: Reader, data: st.DataObject):
    is_accepted(reader, data.draw(reader.inputs))


@pytest.mark.parametrize("reader", [reader for reader in readers() if reader.slow], ids=lambda reader: reader.name)
@settings(max_examples=EXAMPLES_OF_SLOW, **_SAME)
@given(data=st.data())
def test_only_an_assay_error_comes_out_of_slow_readers(reader: Reader, data: st.DataObject):
    is_accepted(reader, data.draw(reader.inputs))
