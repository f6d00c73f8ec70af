"""One reader of Assay, and what it does with a damaged input."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from assay.errors import AssayError

SECONDS = 60  # of CPU time, after which a reader hangs


class Hang(BaseException):
    """The time was over."""


class Reader(NamedTuple):
    """**Attributes:**

    - `inputs`: damaged inputs: the content of a file, or an address.
    - `read`: what is done with one, in an empty folder.
    - `slow`: so many milliseconds an input that an experiment tries fewer of them.
    """

    name: str
    inputs: st.SearchStrategy[Any]
    read: Callable[[Path, Any], object]
    slow: bool = False


def is_accepted(reader: Reader, given: Any) -> bool:
    """Whether the reader took it, or raised `AssayError`; everything else comes out."""
    with tempfile.TemporaryDirectory() as folder, _limited():
        try:
            reader.read(Path(folder), given)
        except AssayError as error:
            str(error)
            return False
    return True


@contextmanager
def _limited() -> Iterator[None]:
    if signal.getsignal(signal.SIGPROF) is not _stop:
        signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _stop(*_: object) -> None:
    raise Hang


def written_as(name: str, read: Callable[[Path], object], **others: bytes) -> Callable[[Path, bytes], object]:
    """Write the input under a name, the others beside it, and read it."""

    def write_and_read(folder: Path, content: bytes) -> object:
        for other, known in others.items():
            (folder / other.replace("__", ".")).write_bytes(known)
        (folder / name).write_bytes(content)
        return read(folder / name)

    return write_and_read
