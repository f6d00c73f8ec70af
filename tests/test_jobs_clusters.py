"""The engines for real: two Ray nodes and two Dask workers of this machine, of which some are killed.

Jobs and whole sweeps give the same results to the last bit. One cluster of each kind serves all tests.

Every wait is for a condition. Functions that jobs run are closures, so that workers need not find this file.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from assay import jobs
from assay.errors import AssayError
from assay.jobs import Engine, run_unordered
from assay.sweep import Sweep, SweepPlan, finished, sweep
from processes import free_port, wait_until

pytestmark = pytest.mark.slow
SWEEP = SweepPlan(
    task="modular:p=5,num_first=5,num_second=5",
    over={"coverage": ("0.6",), "width": ("4", "8", "500", "600")},  # each wide one is a piece of its own
    seeds=3,
    settings={"steps": "20", "batch_size": "64"},
    instruments=("systematicity",),
)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def program(*command: str, log: Path, **variables: str) -> Iterator[subprocess.Popen]:
    """Runs beside the tests, without the limit on threads that they run under, and is killed at the end."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env={**environment, **variables}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen) -> None:
    """The process and all that it started, at once and without a farewell."""
    if process.poll() is None:
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family)


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """A head with two cores."""

    address: str
    folder: Path

    @contextmanager
    def second_node(self) -> Iterator[subprocess.Popen]:
        """With one core, from when it has joined."""
        log = self.folder / "second.log"
        with _ray_node("second", 1, f"--address={self.address}", log=log) as node:
            wait_until(lambda: "Ray runtime started" in log.read_text())
            yield node


def _ray_node(name: str, cores: int, *options: str, log: Path) -> AbstractContextManager[subprocess.Popen]:
    # A token for Ray in the home of whoever runs the tests would be asked for.
    variables = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0"}
    alike = ("--block", f"--num-cpus={cores}", "--object-store-memory=80000000", "--min-worker-port=0", "--max-worker-port=0")
    return program("ray.scripts.scripts", "start", *alike, *options, log=log, ASSAY_TEST_NODE=name, **variables)


@pytest.fixture(scope="module")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    folder, port = tmp_path_factory.mktemp("ray"), free_port()
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("RAY_AUTH_MODE", "disabled")
        # Not in `folder`: the sockets in it need a path of about a hundred characters.
        session = stack.enter_context(TemporaryDirectory(prefix="assay-ray-", ignore_cleanup_errors=True))
        options = ("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={session}")
        stack.enter_context(_ray_node("head", 2, *options, log=folder / "head.log"))
        wait_until(lambda: listens(port))
        yield RayCluster(address=f"127.0.0.1:{port}", folder=folder)


@pytest.fixture(scope="module")
def ray_connection(ray_cluster: RayCluster) -> Iterator[str]:
    """One for all tests that need none of their own, so that they share workers too."""
    import ray

    with ray.init(ray_cluster.address, log_to_driver=False, logging_level="error"):
        yield ray_cluster.address


@dataclass(frozen=True, kw_only=True)
class DaskCluster:
    address: str
    scheduler: subprocess.Popen


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler and two workers of one thread each, which are started again when they die."""
    folder, port = tmp_path_factory.mktemp("dask"), free_port()
    address = f"127.0.0.1:{port}"
    options = ("--no-dashboard", "--dashboard-address=127.0.0.1:0", "--host=127.0.0.1")
    worker = ("distributed.cli.dask_worker", address, "--nthreads=1", "--nworkers=2", *options)
    scratch = {"DASK_TEMPORARY_DIRECTORY": str(folder)}
    command = ("distributed.cli.dask_scheduler", f"--port={port}", *options)
    with program(*command, log=folder / "scheduler.log", **scratch) as scheduler:
        wait_until(lambda: listens(port))
        with program(*worker, log=folder / "workers.log", **scratch):
            yield DaskCluster(address=address, scheduler=scheduler)


@pytest.fixture(params=["loky", "ray", "dask"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engine:
    if request.param == "loky":
        return Engine(jobs=2)
    if request.param == "ray":
        return Engine(backend="ray", address=request.getfixturevalue("ray_connection"))
    # Whether it answers is found out by a process of its own, in other tests than those of every engine.
    monkeypatch.setattr(jobs, "require_answer", lambda *_: None)
    return Engine(backend="dask", address=request.getfixturevalue("dask_cluster").address)


def make_train() -> Callable[[int], tuple[bytes, int]]:
    def train(seed: int) -> tuple[bytes, int]:
        """The weights of a small network after real training, and the threads that torch was given."""
        import torch

        from assay.models import build
        from assay.tasks import load_task
        from assay.training import TrainingConfig, fit

        task = load_task("modular:p=5,num_first=4,num_second=4,coverage=0.5")
        model = build("mlp", task, width=16, generator=torch.Generator().manual_seed(seed))
        fit(model, task, config=TrainingConfig(steps=30, batch_size=32, seed=seed))
        return b"".join(weight.numpy().tobytes() for weight in model.state_dict().values()), torch.get_num_threads()

    return train


# Nothing is lost


def test_a_killed_node_costs_nothing_and_changes_no_bit(ray_cluster: RayCluster, tmp_path: Path):
    import ray

    train, held, killed = make_train(), tmp_path / "held", tmp_path / "killed"

    def train_on_two_nodes(seed: int) -> tuple[bytes, int, str]:
        """The second node finishes two networks and is killed while it holds the third; the head waits for that."""
        node = os.environ["ASSAY_TEST_NODE"]
        (tmp_path / f"{node} {seed}").touch()
        if node == "second" and len(list(tmp_path.glob("second *"))) == 3:
            held.write_text(str(seed))
            time.sleep(1000)
        while node == "head" and seed > 8 and not killed.exists():
            time.sleep(0.02)
        return *train(seed), node

    def kill_when_it_holds(second: subprocess.Popen) -> None:
        try:
            wait_until(held.exists)
        finally:
            kill(second)
            killed.touch()

    seeds = range(24)
    with ray_cluster.second_node() as second, ThreadPoolExecutor(1) as thread:
        killing = thread.submit(kill_when_it_holds, second)
        results = list(run_unordered(train_on_two_nodes, seeds, engine=Engine(backend="ray", address=ray_cluster.address)))
        killing.result()
    assert sorted(index for index, _ in results) == list(seeds)  # each once
    expected = dict(run_unordered(train, seeds, engine=Engine(jobs=2)))
    assert {index: (weights, threads) for index, (weights, threads, _) in results} == expected
    assert len({weights for weights, _ in expected.values()}) == len(seeds)
    assert {threads for _, threads in expected.values()} == {1}
    assert sum(node == "second" for _, (_, _, node) in results) == 2
    assert (tmp_path / f"head {held.read_text()}").exists()  # what was lost was tried again
    assert not ray.is_initialized()


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """The sweep in processes of this machine."""
    return sweep(SWEEP, out=tmp_path_factory.mktemp("local") / "out", engine=Engine(jobs=2))


def results(done: Sweep) -> list[dict[str, object]]:
    return [row.result() for row in done.rows]


def test_a_sweep_on_two_ray_nodes_survives_the_death_of_one(ray_cluster: RayCluster, swept: Sweep, tmp_path: Path):
    out, killed = tmp_path / "out", []
    with ray_cluster.second_node() as second:

        def kill_in_the_middle(doing: str, done: float) -> None:
            if not killed and len(finished(out)) >= 3:
                killed.append(len(finished(out)))
                kill(second)

        done = sweep(SWEEP, out=out, engine=Engine(backend="ray", address=ray_cluster.address), progress=kill_in_the_middle)
    assert killed
    assert killed[0] < len(swept.rows) - 2, "it was killed when all was done"
    assert done.failures == ()
    assert results(done) == results(swept)


def test_a_sweep_on_dask_is_the_same(dask_cluster: DaskCluster, swept: Sweep, tmp_path: Path):
    engine = Engine(backend="dask", address=dask_cluster.address)
    assert results(sweep(SWEEP, out=tmp_path / "out", engine=engine)) == results(swept)


# On every engine


def test_a_worker_that_dies_costs_its_job_another_try(engine: Engine, tmp_path: Path):
    train = make_train()

    def train_or_die(seed: int) -> tuple[bytes, int]:
        if seed == 3 and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return train(seed)

    results = list(run_unordered(train_or_die, range(6), engine=engine))
    assert sorted(index for index, _ in results) == list(range(6))
    assert dict(results) == dict(run_unordered(train, range(6), engine=Engine(jobs=1)))
    assert (tmp_path / "died").exists()


def test_a_job_that_always_kills_its_worker_is_named_when_the_rest_is_finished(engine: Engine):
    def die_on_two(item: int) -> int:
        if item == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    finished = []
    with pytest.raises(AssayError, match=r"1 of 5 jobs .* number 2, 2\. .* Next: the usual reason is too little memory"):
        finished.extend(run_unordered(die_on_two, range(5), engine=engine))
    assert sorted(finished) == [(0, 0), (1, 1), (3, 3), (4, 4)]


def test_what_finished_before_an_error_is_yielded_and_the_error_comes_out_as_raised(engine: Engine, tmp_path: Path):
    late, failed = tmp_path / "late", tmp_path / "failed"

    def fail_on_two(item: int) -> int:
        """Three is sent when the results of zero and one are back, and two fails after that."""
        if item == 3:
            late.touch()
        while item in (2, 3) and not (late if item == 2 else failed).exists():
            time.sleep(0.01)
        if item == 2:
            failed.touch()
            raise AssayError("two must not be given", given=item, choices=["one", "three"], next_step="give another")
        return item

    outcomes = run_unordered(fail_on_two, [0, 1, 2, 3], engine=replace(engine, jobs=2))
    finished = [next(outcomes)]
    wait_until(failed.exists)  # the other one waits to be fetched
    with pytest.raises(AssayError) as caught:
        finished.extend(outcomes)
    assert {(0, 0), (1, 1)} <= set(finished)
    assert type(caught.value) is AssayError
    assert str(caught.value) == "two must not be given. Given: 2. Choices: one, three. Next: give another."
    assert caught.value.choices == ["one", "three"]


def test_a_job_that_finishes_while_the_first_are_sent_leaves_no_place_empty(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
):
    executor_of, sent = jobs._EXECUTORS[engine.backend], []

    @contextmanager
    def waits_for_the_first(engine: Engine, num_jobs: int) -> Iterator[jobs._Executor]:
        with executor_of(engine, num_jobs) as executor:

            def submit(job: Callable[[], Any]) -> Any:
                future = executor.submit(job)
                sent.append(future)
                sent[0].result()
                return future

            yield replace(executor, submit=submit)

    def meet(item: int) -> int:
        """Two and three wait for one another, and therefore run at the same time."""
        (tmp_path / str(item)).touch()
        deadline = time.monotonic() + 60
        while item >= 2 and not (tmp_path / str(5 - item)).exists():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)
        return item

    monkeypatch.setitem(jobs._EXECUTORS, engine.backend, waits_for_the_first)
    assert sorted(run_unordered(meet, range(4), engine=replace(engine, jobs=2))) == [(item, item) for item in range(4)]


def test_one_may_stop_early_and_start_again(engine: Engine):
    outcomes = run_unordered(lambda item: item, range(20), engine=engine)
    next(outcomes)
    outcomes.close()  # without a warning
    assert sorted(run_unordered(lambda item: item, range(3), engine=engine)) == [(0, 0), (1, 1), (2, 2)]


def test_jobs_bound_how_many_run_at_once(dask_cluster: DaskCluster, tmp_path: Path):
    def alone(item: int) -> int:
        with (tmp_path / "running").open("x"):  # which fails beside another
            time.sleep(0.02)
        (tmp_path / "running").unlink()
        return item

    engine = Engine(backend="dask", address=dask_cluster.address, jobs=1)
    assert sorted(run_unordered(alone, range(12), engine=engine)) == [(item, item) for item in range(12)]
    with pytest.raises(FileExistsError):
        list(run_unordered(alone, range(12), engine=replace(engine, jobs=2)))


def test_a_scheduler_that_dies_is_told(dask_cluster: DaskCluster):
    """The last test on this cluster."""
    engine = Engine(backend="dask", address=dask_cluster.address)
    outcomes = run_unordered(lambda item: time.sleep(item) or item, [0, 1000], engine=engine)
    assert next(outcomes) == (0, 0)
    dask_cluster.scheduler.kill()
    with pytest.raises(AssayError, match=r"the Dask scheduler must run until .* finished jobs are kept"):
        next(outcomes)
