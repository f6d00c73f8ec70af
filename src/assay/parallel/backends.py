"""The engines as joblib sees them: how a piece becomes a future, and which errors mean that its worker died.

Ray's own backend for joblib cannot give results as they finish, and joblib's backend for Dask waits for ever for a piece
that Dask gave up because its workers died. Both are therefore written here, on the interface that joblib has for it.
"""

import os
import warnings
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from threading import Lock
from typing import Any, ClassVar

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import LokyBackend, ParallelBackendBase

from assay.errors import AssayError
from assay.parallel.children import SAFE_PATH, end_with, out_of_the_terminals_reach, start_trackers
from assay.parallel.clusters import connect_dask, connect_ray
from assay.parallel.engine import BackendName, Engine
from assay.parallel.piece import Outcome


class Backend(ParallelBackendBase):
    """Every piece is a future of its own, and its failure is an outcome like any other.

    Joblib stops at the first future that fails and drops what has finished and was not fetched. Outcomes are all fetched.

    **Attributes:**

    - `jobs`, `at_once`: joblib's `n_jobs` and `pre_dispatch`.
    - `tries`: how often a piece may lose its worker.
    - `suspects`: how many pieces that lost their worker are tried again at the same time; None for all.
    - `stopped`: no more pieces are to be sent.

    What finishes while joblib still sends the first pieces is told to it afterwards, by `tell_held`. Told at once, it would
    send one of these first pieces in the place of the next, and one place would stay empty until the end.
    """

    supports_retrieve_callback = True
    jobs: int
    at_once: int | str
    tries: ClassVar[int] = 3
    suspects: ClassVar[int | None] = None
    stopped: bool = False

    def __init__(self, **options: Any):
        super().__init__(**options)
        self._told = Lock()
        self._held: list[Callable[[], None]] | None = []  # None once the first pieces are sent

    @staticmethod
    @abstractmethod
    def worker_died() -> tuple[type[BaseException], ...]:
        """The errors of a piece that only say that its worker is gone."""

    @abstractmethod
    def start(self, piece: Callable[[], list[Outcome]]) -> Any:
        """The future of this piece."""

    def result(self, future: Any) -> list[Outcome]:
        """The result of a future that is done; what the piece raised is raised."""
        return future.result()

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Any:
        ((_, (_, index, _), _),) = func.items
        try:
            future = self.start(func)
        except Exception as error:  # raised here, in a thread of the engine's, nobody would see it
            self.stopped = True
            future = Future()
            future.set_exception(error)
        if callback is not None:
            future.add_done_callback(lambda future: self._tell(partial(callback, (index, future))))
        return future

    def _tell(self, finished: Callable[[], None]) -> None:
        with self._told:
            if self._held is not None:
                self._held.append(finished)
                return
        finished()

    def tell_held(self) -> None:
        """To be called once, when the first pieces are sent."""
        with self._told:
            held, self._held = self._held, None
        for finished in held or []:
            finished()

    # pyrefly: ignore[bad-override]  (joblib's class has no types)
    def retrieve_result_callback(self, out: tuple[int, Any]) -> list[Outcome]:
        index, future = out
        try:
            return self.result(future)
        except BaseException as error:  # a cancelled future of Dask's raises no Exception
            return [Outcome(index, error=error)]


# pyrefly: ignore[inconsistent-inheritance]  (joblib's classes have no types)
class Loky(Backend, LokyBackend):
    """Processes of this machine. When one dies, all that run are lost, so each is tried again alone."""

    suspects = 1

    def __init__(self, engine: Engine, num_pieces: int):
        super().__init__(inner_max_num_threads=1, initializer=end_with, initargs=(os.getpid(),))
        # Loky replaces a worker that has grown and warns of it in a thread of its own. Where warnings are errors that would end
        # the thread, and the results would be waited for for ever.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given", category=UserWarning)
        # Nor does it matter that loky cannot list what its workers have started: that ends with them.
        warnings.filterwarnings("ignore", message="Failed to kill subprocesses", category=UserWarning)
        self.jobs = max(2, min(engine.jobs or joblib.cpu_count(), num_pieces))  # joblib runs a single job in this process
        self.at_once = self.jobs  # nothing waits in the pool: what is lost was running

    @staticmethod
    def worker_died() -> tuple[type[BaseException], ...]:
        return (TerminatedWorkerError,)

    # pyrefly: ignore[bad-override]  (joblib's class has no types)
    def configure(self, *arguments: Any, **named: Any) -> int:
        start_trackers()
        with out_of_the_terminals_reach():
            return super().configure(*arguments, **named)

    def _prepare_worker_env(self, n_jobs: int) -> dict[str, str]:
        return {**super()._prepare_worker_env(n_jobs), **SAFE_PATH}

    def start(self, piece: Callable[[], list[Outcome]]) -> Any:
        with out_of_the_terminals_reach():
            return LokyBackend.submit(self, piece)

    def result(self, future: Any) -> list[Outcome]:
        try:
            return future.result()
        except BrokenProcessPool:
            self.stopped = True  # nothing more can be sent to this pool
            raise


class Cluster(Backend):
    """What Ray and Dask share: the cluster holds all pieces, so that nodes that join later find work."""

    jobs = 2  # joblib runs a single job in this process; how many are sent is `at_once`

    def __init__(self, engine: Engine, num_pieces: int):
        super().__init__()
        self.at_once = engine.jobs or "all"

    # pyrefly: ignore[bad-override]  (joblib's class has no types)
    def effective_n_jobs(self, n_jobs: int) -> int:
        return n_jobs


class Ray(Cluster):
    """One core of a Ray cluster for each piece. Ray itself tries nothing again: it would repeat for ever what has no memory."""

    def __init__(self, engine: Engine, num_pieces: int):
        super().__init__(engine, num_pieces)
        self._ray, self._connected_here = connect_ray(engine)
        self._remote = self._ray.remote(num_cpus=1, max_retries=0)(_call)

    @staticmethod
    def worker_died() -> tuple[type[BaseException], ...]:
        from ray import exceptions

        return (
            exceptions.WorkerCrashedError,
            exceptions.NodeDiedError,
            exceptions.LocalRayletDiedError,
            exceptions.OutOfMemoryError,
            exceptions.ObjectLostError,
        )

    def start(self, piece: Callable[[], list[Outcome]]) -> Any:
        return self._remote.remote(piece).future()

    def result(self, future: Any) -> list[Outcome]:
        from ray.exceptions import RayTaskError

        try:
            return future.result()
        except RayTaskError as error:
            raise error.cause from error

    def terminate(self) -> None:
        # Which ends what is not done. Ray's `cancel` races with a piece that finishes and can end this process
        # (github.com/ray-project/ray/issues/54846).
        if self._connected_here:
            self._ray.shutdown()


class Dask(Cluster):
    """The workers of a Dask cluster."""

    # Dask itself starts what was lost again, and gives up after four workers, together with what waited for the same ones.
    tries = 2
    suspects = 1

    def __init__(self, engine: Engine, num_pieces: int):
        super().__init__(engine, num_pieces)
        self._client = connect_dask(engine)

    @staticmethod
    def worker_died() -> tuple[type[BaseException], ...]:
        from distributed import KilledWorker

        return (KilledWorker,)

    def start(self, piece: Callable[[], list[Outcome]]) -> Any:
        return self._client.submit(_call, piece, pure=False)

    def result(self, future: Any) -> list[Outcome]:
        from distributed import CancelledError

        try:
            return future.result()
        except CancelledError as error:
            raise AssayError(
                "the Dask scheduler must run until every piece is finished",
                given=str(error).partition("\n")[0],
                next_step="start it, its workers and this again: what is finished is kept",
            ) from error

    def terminate(self) -> None:
        self._client.close()  # which takes back what no worker has begun


def _call(piece: Callable[[], list[Outcome]]) -> list[Outcome]:
    return piece()


BACKENDS: dict[BackendName, type[Loky | Ray | Dask]] = {"loky": Loky, "ray": Ray, "dask": Dask}
