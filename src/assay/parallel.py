"""The one seam to joblib: independent pieces of work, each in a process with one torch thread.

One thread per process and many processes beat many threads wherever the work can be split, and one thread fixes the
order of every sum: same seed, same bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from assay.errors import AssayError

Item = TypeVar("Item")
Result = TypeVar("Result")


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


def run_parallel(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    jobs: int,
    progress: Callable[[str, float], None] | None = None,
) -> list[Result]:
    """`[function(item) for item in items]`, at most `jobs` at a time, each on one torch thread.

    **Arguments:**

    - `jobs`: processes. With 1 everything runs in this process.
    - `progress`: called with what is done and the share that is done.

    **Raises:** the first `AssayError` of a piece, as it was raised there; the rest is not waited for.
    """
    if jobs < 1:
        raise AssayError("jobs must be at least 1", given=jobs)
    results: list[Result] = []
    for result in _results(function, items, min(jobs, len(items))):
        results.append(result)
        if progress is not None:
            progress(f"{len(results)} of {len(items)}", len(results) / len(items))
    return results


def _results(function: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    if jobs <= 1:
        with one_thread():
            for item in items:
                yield function(item)
        return
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1):
        yield from Parallel(return_as="generator")(delayed(_on_one_thread)(function, item) for item in items)


def _on_one_thread(function: Callable[[Any], Any], item: Any) -> Any:
    with one_thread():
        return function(item)
