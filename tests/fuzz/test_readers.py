"""A damaged file or a strange number ends in `AssayError` or is taken, for every reader. `experiments/fuzz.py` tries more."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import Reader, is_accepted, readers

EXAMPLES, EXAMPLES_OF_SLOW = 60, 12


def _try(reader: Reader, data: st.DataObject) -> None:
    is_accepted(reader, data.draw(reader.inputs))


@pytest.mark.parametrize("reader", [reader for reader in readers() if not reader.slow], ids=lambda reader: reader.name)
@settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_only_an_assay_error_comes_out(reader: Reader, data: st.DataObject):
    _try(reader, data)


@pytest.mark.parametrize("reader", [reader for reader in readers() if reader.slow], ids=lambda reader: reader.name)
@settings(max_examples=EXAMPLES_OF_SLOW, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_only_an_assay_error_comes_out_of_slow_readers(reader: Reader, data: st.DataObject):
    _try(reader, data)
