"""Runs pieces of work on an engine: results as they finish, lost pieces again, errors as they were raised."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from assay.errors import AssayError
from assay.parallel.engine import Engine
from assay.parallel.piece import Outcome, run_piece

if TYPE_CHECKING:
    from assay.parallel.backends import Backend

Item = TypeVar("Item")
Result = TypeVar("Result")


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

    **Raises:** as `run_unordered`.
    """
    engine = Engine(jobs=jobs)
    if len(items) == 1:  # a process of its own would only cost its start
        engine = Engine(jobs=1)
    results: dict[int, Result] = {}
    for index, result in run_unordered(function, items, engine=engine):
        results[index] = result
        if progress is not None:
            progress(f"{len(results)} of {len(items)}", len(results) / len(items))
    return [results[index] for index in range(len(items))]


def run_unordered(function: Callable[[Item], Result], items: Sequence[Item], *, engine: Engine) -> Iterator[tuple[int, Result]]:
    """`(index, function(items[index]))` for every item, in the order in which they finish, each on one torch thread.

    A piece whose worker dies or runs out of memory is lost. It is tried again after all others, with `loky` alone, so that
    whatever else can be finished is finished. When a piece raises, everything that finished before it has been yielded.

    **Raises:** what a piece raises, as it was raised there; the rest is not waited for. `AssayError` when the cluster
    cannot be reached, or when all else is done and a piece was lost in every try.
    """
    if engine.backend == "loky" and engine.jobs == 1:
        for index, item in enumerate(items):
            yield index, run_piece(function, index, item).result
        return
    from assay.parallel.backends import BACKENDS

    backend = BACKENDS[engine.backend]
    losses: dict[int, list[BaseException]] = {index: [] for index in range(len(items))}  # of what is not finished
    while losses:
        fresh = [index for index, errors in losses.items() if not errors]
        again = [index for index, errors in losses.items() if 0 < len(errors) < backend.tries]
        if not fresh and not again:
            raise _lost_for_good(items, losses)
        indices = fresh or again[: backend.suspects]
        with _sent(function, items, indices, backend(engine, len(indices))) as outcomes:
            for outcome in outcomes:
                if outcome.error is None:
                    del losses[outcome.index]
                    yield outcome.index, outcome.result
                elif isinstance(outcome.error, (MemoryError, *backend.worker_died())):
                    losses[outcome.index].append(outcome.error)
                else:
                    raise outcome.error


class _StopEarlyError(Exception):
    """Ends a call of joblib's early. Closing its generator would warn of the pieces that are given up."""


@contextmanager
def _sent(
    function: Callable[[Any], Any], items: Sequence[Any], indices: list[int], backend: "Backend"
) -> Iterator[Iterator[Outcome]]:
    """The outcomes of one call of joblib's. Each piece is sent by itself, so that none waits behind another in its batch."""
    from joblib import Parallel, delayed

    calls = (delayed(run_piece)(function, index, items[index]) for index in indices if not backend.stopped)
    outcomes = Parallel(
        n_jobs=backend.jobs, backend=backend, batch_size=1, pre_dispatch=backend.at_once, return_as="generator_unordered"
    )(calls)
    backend.tell_held()
    try:
        yield outcomes
    finally:
        with suppress(_StopEarlyError):
            outcomes.throw(_StopEarlyError)


def _lost_for_good(items: Sequence[Any], losses: dict[int, list[BaseException]]) -> AssayError:
    named = "; ".join(f"number {index}, {textwrap.shorten(str(items[index]), 80)}" for index in list(losses)[:5])
    errors = next(iter(losses.values()))
    reason = textwrap.shorten(f"{type(errors[-1]).__name__}: {errors[-1]}", 240)
    return AssayError(
        "the worker of a piece of work must live and have memory until the piece is finished",
        given=f"{len(losses)} of {len(items)} pieces lost in each of their tries ({len(errors)}): {named}. {reason}",
        next_step="being out of memory is the usual reason: give each worker more, or run fewer at once, and start again",
    )
