"""One piece of work on one torch thread, and how it ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """How the piece with this index ended: with a result, or with an error."""

    index: int
    result: Any = None
    error: BaseException | None = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one thread inside, and on as many as before afterwards."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def run_piece(function: Callable[[Any], Any], index: int, item: Any) -> Outcome:
    """The outcome of `function(item)`; what it raises is raised. Torch's error for too little memory is a `MemoryError`."""
    with one_thread():
        try:
            return Outcome(index, function(item))
        except RuntimeError as error:
            if "can't allocate memory" in str(error):
                raise MemoryError(str(error)) from error
            raise
