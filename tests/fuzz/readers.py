"""Every reader of Assay with the damaged inputs that it is tried on: what it returns, or `AssayError`, and nothing else.

`tests/fuzz/test_readers.py` tries a few of them in every run of the tests, `experiments/fuzz.py` many.
"""

import of_data
import of_networks
import of_records
from reader import Reader


def readers() -> tuple[Reader, ...]:
    """All of them."""
    return (*of_networks.readers(), *of_records.readers(), *of_data.readers())
