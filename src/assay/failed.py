"""Instruments that raised: reported with the reason, beside the evidence of the others."""

import traceback as tracebacks
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from assay.errors import AssayError

Result = TypeVar("Result")
LONGEST_REASON = 2_000


@dataclass(frozen=True, kw_only=True)
class Failed:
    """An instrument that raised, with the reason.

    **Attributes:** `traceback`: of the error, for debugging. It names files of one machine, so it is left out of `report.json`.
    """

    instrument: str
    reason: str
    traceback: str = field(default="", repr=False, compare=False)


def attempt(instrument: str, measure: Callable[[], Result]) -> Result | Failed:
    """The result of `measure`, or a `Failed` with the reason where it raises. An interrupt or a `MemoryError` ends the audit,
    since it says nothing about the instrument.

    Example::

        def divide() -> Evidence:
            raise ZeroDivisionError("division by zero")

        assert attempt("ratio", divide) == Failed(instrument="ratio", reason="ZeroDivisionError: division by zero")
    """
    try:
        with memory_errors():
            return measure()
    except MemoryError:
        raise
    except Exception as error:
        kind = "" if isinstance(error, AssayError) else f"{type(error).__name__}: "
        reason = " ".join(f"{kind}{error}".split())
        reason = reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]} ..."
        return Failed(instrument=instrument, reason=reason, traceback=tracebacks.format_exc())


@contextmanager
def memory_errors() -> Iterator[None]:
    """Context in which torch's out-of-memory error becomes a `MemoryError`."""
    try:
        yield
    except RuntimeError as error:
        if "can't allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        raise
