"""Independent jobs, each in a process with one torch thread: on this machine by loky, or on a Ray or Dask cluster.

Many processes of one thread are faster than many threads where the work can be split, and one thread fixes the order of every
sum: same seed, same bytes, on every engine.
"""

import importlib
import os
import sys
import textwrap
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Literal, TypeVar, get_args

from assay.children import SAFE_PATH, end_with, start_trackers, without_terminal_signals
from assay.clusters import START, require_answer
from assay.errors import AssayError
from assay.failed import memory_errors

Item = TypeVar("Item")
Result = TypeVar("Result")
Job = Callable[[], Any]
BackendName = Literal["loky", "ray", "dask"]

_idle: list[tuple[int, Any]] = []  # idle loky pools of earlier calls, with their numbers of processes
TRIES = {"loky": 3, "ray": 3, "dask": 2}  # Dask itself tries a job on four workers
SECONDS_QUIET = 5  # between two progress reports while no job finishes
SECONDS_IDLE = 300  # without work, after which a local process ends


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Where independent jobs run, and how many at once.

    **Attributes:**

    - `backend`: `loky` for processes of this machine, `ray` or `dask` for a cluster.
    - `address`: of the running cluster; None for `loky`. Ray: `auto`, `host:port` or `ray://host:port`. Dask: `host:port` or
      `tcp://host:port` of the scheduler.
    - `jobs`: the most at once. None is one for each core of this machine, or of the whole cluster with nodes that join later.
      With 1 and `loky`, jobs run in this process.

    **Raises:** `AssayError` for an unknown backend, no jobs, a cluster without its address or an address without a cluster.

    Example::

        Engine(jobs=8)
        Engine(backend="dask", address="localhost:8786")
    """

    backend: BackendName = "loky"
    address: str | None = None
    jobs: int | None = None

    def __post_init__(self):
        if self.backend not in get_args(BackendName):
            raise AssayError("the backend must be known", given=self.backend, choices=get_args(BackendName))
        if self.jobs is not None and self.jobs < 1:
            raise AssayError("jobs must be at least 1", given=self.jobs)
        if self.backend == "loky" and self.address is not None:
            raise AssayError(
                "loky runs on this machine and takes no address", given=self.address, next_step="choose the backend ray or dask"
            )
        if self.backend != "loky" and not self.address:
            raise AssayError(
                f"{self.backend} needs the address of a running cluster",
                next_step=f"start one with `{START[self.backend]}` and give the address printed",
            )


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
    - `progress`: called with a count of finished jobs and the share done; with several processes also every few seconds in
      which no job finishes.

    **Raises:** as `run_unordered`.

    Example::

        assert run_parallel(abs, [-1, 2], jobs=2) == [1, 2]
    """
    engine = Engine(jobs=jobs)
    if len(items) == 1:  # another process would cost its start and gain nothing
        engine = Engine(jobs=1)
    results: dict[int, Result] = {}
    start = time.monotonic()

    def tell(more: str = "") -> None:
        if progress is not None:
            progress(f"{len(results)} of {len(items)}{more}", len(results) / len(items))

    for index, result in run_unordered(
        function, items, engine=engine, idle=lambda: tell(f", {time.monotonic() - start:.0f} s")
    ):
        results[index] = result
        tell()
    return [results[index] for index in range(len(items))]


def run_unordered(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    engine: Engine,
    idle: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, Result]]:
    """`(index, function(items[index]))` for every item, in the order in which they finish, each on one torch thread.

    A job whose worker dies or runs out of memory is lost. With `loky` and Dask it is tried again, alone, after all others have
    finished. When a job raises, all results that came before it have been yielded.

    **Arguments:** `idle`: called every `SECONDS_QUIET` seconds in which no job finishes in another process.

    **Raises:** the exception of a job, without waiting for the others. `AssayError` when the cluster cannot be reached, or when
    all other jobs are done and one was lost in every try.

    Example::

        assert dict(run_unordered(abs, [-1, 2], engine=Engine(jobs=2))) == {0: 1, 1: 2}
    """
    if engine.backend == "loky" and engine.jobs == 1:
        for index, item in enumerate(items):
            yield index, _run(function, item)
        return
    losses: dict[int, list[BaseException]] = {index: [] for index in range(len(items))}  # of unfinished jobs
    while losses:
        fresh = [index for index, errors in losses.items() if not errors]
        again = [index for index, errors in losses.items() if 0 < len(errors) < TRIES[engine.backend]]
        if not fresh and not again:
            raise _lost_for_good(items, losses)
        indices = fresh or (again if engine.backend == "ray" else again[:1])
        jobs = [(index, partial(_run, function, items[index])) for index in indices]
        with (
            _EXECUTORS[engine.backend](engine, len(jobs)) as executor,
            closing(_as_completed(executor, jobs, idle)) as completed,
        ):
            for index, future in completed:
                try:
                    result = executor.result(future)
                except (MemoryError, *executor.died) as error:
                    losses[index].append(error)
                else:
                    del losses[index]
                    yield index, result


@contextmanager
def one_thread() -> Iterator[None]:
    """Context in which torch computes on one thread; the number of threads is restored afterwards.

    Example::

        with one_thread():
            assert torch.get_num_threads() == 1
    """
    limited = os.environ.get("OMP_NUM_THREADS") == "1" == os.environ.get("MKL_NUM_THREADS", "1")
    if limited and "torch" not in sys.modules:
        yield  # torch would start with one thread; a job without it is spared the import
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _run(function: Callable[[Any], Any], item: Any) -> Any:
    """Run one job."""
    with one_thread(), memory_errors():
        return function(item)


def _as_completed(
    executor: "_Executor", jobs: Iterable[tuple[int, Job]], idle: Callable[[], None]
) -> Generator[tuple[int, Any], None, None]:
    """Futures of the jobs as they complete. Each completion submits the next job, even while the caller is busy.

    After a job that cannot be submitted no others are, and these have no futures.
    """
    waiting, running, completed = deque(jobs), set(), SimpleQueue()

    def send() -> None:
        try:
            index, job = waiting.popleft()
        except IndexError:
            return
        running.add(index)
        try:
            future = executor.submit(job)
        except Exception as error:  # raised in the executor's thread it would be lost
            waiting.clear()
            future = Future()
            future.set_exception(error)
        future.add_done_callback(partial(complete, index))

    def complete(index: int, future: Any) -> None:
        send()  # first, so that `running` is empty only at the end
        completed.put((index, future))

    try:
        for _ in range(executor.at_once or len(waiting)):
            send()
        while running:
            try:
                index, future = completed.get(timeout=SECONDS_QUIET)
            except Empty:
                idle()
                continue
            running.remove(index)
            yield index, future
    finally:
        waiting.clear()


def _lost_for_good(items: Sequence[Any], losses: dict[int, list[BaseException]]) -> AssayError:
    named = "; ".join(f"number {index}, {textwrap.shorten(str(items[index]), 80)}" for index in list(losses)[:5])
    errors = next(iter(losses.values()))
    reason = textwrap.shorten(f"{type(errors[-1]).__name__}: {errors[-1]}", 240)
    return AssayError(
        "the worker of a job must not die or run out of memory before the job is finished",
        given=f"{len(losses)} of {len(items)} jobs lost in every try ({len(errors)}): {named}. {reason}",
        next_step="the usual reason is too little memory: give each worker more, or run fewer at once, and start again",
    )


@dataclass(frozen=True, kw_only=True)
class _Executor:
    """An executor of `concurrent.futures`, with the meaning of its failures.

    **Attributes:**

    - `submit`: submits a job and returns its future.
    - `at_once`: number of jobs submitted at the same time; None for all, so that nodes that join later find work.
    - `died`: exceptions that mean that the job's worker died.
    - `result`: result of a finished future; raises what the job raised.
    """

    submit: Callable[[Job], Any]
    at_once: int | None
    died: tuple[type[BaseException], ...]
    result: Callable[[Any], Any] = lambda future: future.result()


@contextmanager
def _loky(engine: Engine, num_jobs: int) -> Iterator[_Executor]:
    """Processes of this machine. When one dies, loky loses all submitted jobs, so none is submitted before it can run."""
    from loky import cpu_count
    from loky.process_executor import TerminatedWorkerError

    # Loky restarts a worker that leaks memory and warns of it in its own thread, which dies where warnings are errors.
    warnings.filterwarnings("ignore", message="A worker (stopped|was restarted) while some jobs were", category=UserWarning)
    # Processes started by workers end with them, so it does not matter that loky cannot list these.
    warnings.filterwarnings("ignore", message="Failed to kill subprocesses", category=UserWarning)
    at_once = min(engine.jobs or cpu_count(), num_jobs)
    pool = _processes(at_once)

    def submit(job: Job) -> Any:
        with without_terminal_signals():  # submitting may start processes
            return pool.submit(job)

    try:
        yield _Executor(submit=submit, at_once=at_once, died=(TerminatedWorkerError,))
    except BaseException:
        pool.shutdown(kill_workers=True)
        raise
    _idle.append((at_once, pool))


def _processes(num: int) -> Any:
    """A pool of `num` processes. That of the last call is reused if it has the same size, since each process imports torch.

    Loky's `get_reusable_executor` would hang in a nested call with another number of processes.
    """
    from loky import BrokenProcessPool, ProcessPoolExecutor

    if _idle:
        num_idle, pool = _idle.pop()
        with suppress(BrokenProcessPool), without_terminal_signals():
            if num_idle == num and pool.submit(int).result() == 0:
                return pool
        pool.shutdown(kill_workers=True)
    start_trackers()
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with without_terminal_signals():
        return ProcessPoolExecutor(
            num, timeout=SECONDS_IDLE, initializer=end_with, initargs=(os.getpid(),), env={**SAFE_PATH, **limits}
        )


@contextmanager
def _ray(engine: Engine, _: int) -> Iterator[_Executor]:
    """One core of a Ray cluster for each job. An existing connection of this process is used.

    Ray's own retries are off: it would retry without limit a job that runs out of memory.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = _installed("ray", engine)
    connected = ray.is_initialized()
    if not connected:
        require_answer(engine.backend, str(engine.address))
        ray.init(engine.address, log_to_driver=False, logging_level="error")
    call = ray.remote(num_cpus=1, max_retries=0)(lambda job: job())
    names = ("WorkerCrashedError", "NodeDiedError", "LocalRayletDiedError", "OutOfMemoryError", "ObjectLostError")
    died = tuple(getattr(ray.exceptions, name) for name in names)

    def result(future: Any) -> Any:
        try:
            return future.result()
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error

    try:
        yield _Executor(submit=lambda job: call.remote(job).future(), at_once=engine.jobs, died=died, result=result)
    finally:
        # This ends running jobs. Ray's `cancel` races with a job that finishes and can end this process
        # (github.com/ray-project/ray/issues/54846).
        if not connected:
            ray.shutdown()


@contextmanager
def _dask(engine: Engine, _: int) -> Iterator[_Executor]:
    """The workers of a Dask cluster.

    The client's `get_executor` is not used: its futures complete when their results have arrived, so that an error could
    overtake older results.
    """
    distributed = _installed("distributed", engine)
    require_answer(engine.backend, str(engine.address))

    def result(future: Any) -> Any:
        try:
            return future.result()
        except distributed.CancelledError as error:
            raise AssayError(
                "the Dask scheduler must run until every job is finished",
                given=str(error).partition("\n")[0],
                next_step="start it, its workers and this command again: finished jobs are kept",
            ) from error

    with distributed.Client(engine.address, set_as_default=False) as client:  # at the end it cancels jobs that have not begun
        if (most := max(client.nthreads().values(), default=1)) > 1:
            raise AssayError(
                "a Dask worker must have one thread: jobs that share a process share its torch threads",
                given=f"{most} threads",
                next_step="start workers with `--nthreads 1`, and `--nworkers` for more of them",
            )
        submit, died = partial(client.submit, pure=False), (distributed.KilledWorker,)
        yield _Executor(submit=submit, at_once=engine.jobs, died=died, result=result)


_EXECUTORS = {"loky": _loky, "ray": _ray, "dask": _dask}


def _installed(package: str, engine: Engine) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError:
        raise AssayError(f"{engine.backend} must be installed", next_step="pip install 'assay[cluster]'") from None
