"""Jobs in processes of this machine: order, threads, and errors that come out as they were raised."""

import builtins
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay import jobs
from assay.errors import AssayError
from assay.jobs import Engine, one_thread, run_parallel, run_unordered
from processes import all_end, wait_until

LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SCRIPT = """
from dataclasses import dataclass
from assay.jobs import run_parallel

@dataclass
class Point:
    x: int

def moved(point):
    return Point(point.x + 1)

if __name__ == "__main__":
    print(run_parallel(moved, [Point(0), Point(1)], jobs=2))
"""


def where(item: int) -> tuple[int, int, int]:
    import torch

    time.sleep(0.02 * (3 - item))  # the first is ready last
    return item, os.getpid(), torch.get_num_threads()


def fails_on_two(item: int) -> int:
    if item == 2:
        raise AssayError("two must not be given", given=item, choices=["one", "three"], next_step="give another")
    return item


def test_results_are_in_order_from_other_processes_with_one_thread_each():
    results = run_parallel(where, range(4), jobs=2)
    assert [item for item, _, _ in results] == [0, 1, 2, 3]
    assert os.getpid() not in {process for _, process, _ in results}
    assert {threads for _, _, threads in results} == {1}


def test_one_job_stays_in_this_process_and_gives_the_threads_back():
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        results = run_parallel(where, range(3), jobs=1)
        assert {process for _, process, _ in results} == {os.getpid()}
        assert {inside for _, _, inside in results} == {1}
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), one_thread():
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_do_not_depend_on_the_number_of_jobs(jobs: int):
    def draw(seed: int) -> list[float]:
        import torch

        return torch.randn(3, generator=torch.Generator().manual_seed(seed)).tolist()

    assert run_parallel(draw, [3, 5], jobs=jobs) == [draw(3), draw(5)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_comes_out_as_it_was_raised(jobs: int):
    with pytest.raises(AssayError) as caught:
        run_parallel(fails_on_two, range(5), jobs=jobs)
    with pytest.raises(AssayError) as direct:
        fails_on_two(2)
    assert str(caught.value) == str(direct.value)
    assert caught.value.choices == ["one", "three"]
    assert run_parallel(fails_on_two, [3], jobs=jobs) == [3]  # and the workers are still of use


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_counts_up_to_one(jobs: int):
    told: list[tuple[str, float]] = []
    run_parallel(fails_on_two, [0, 1], jobs=jobs, progress=lambda doing, done: told.append((doing, done)))
    finished = [one for one in told if not one[0].startswith("0 of 2")]  # which tells of the wait for new processes
    assert [one for one in finished if not one[0].endswith(" s")] == [("1 of 2", 0.5), ("2 of 2", 1.0)]


def test_work_in_other_processes_gives_signs_of_life(monkeypatch):
    monkeypatch.setattr(jobs, "SECONDS_QUIET", 0.05)
    told: list[tuple[str, float]] = []
    run_parallel(time.sleep, [0.5, 0.5], jobs=2, progress=lambda doing, done: told.append((doing, done)))
    assert any(re.fullmatch(r"0 of 2, \d+ s", doing) and done == 0 for doing, done in told)
    assert told[-1] == ("2 of 2", 1.0)


def test_nothing_to_do_is_nothing_done():
    assert run_parallel(where, [], jobs=4) == []


def test_no_jobs_is_a_mistake():
    with pytest.raises(AssayError, match="jobs must be at least 1"):
        run_parallel(where, [1], jobs=0)


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_as_they_finish(jobs: int):
    assert list(run_unordered(where, [], engine=Engine(jobs=jobs))) == []
    results = dict(run_unordered(lambda item: (item, os.getpid()), [2], engine=Engine(jobs=jobs)))
    assert results[0][0] == 2
    assert (results[0][1] == os.getpid()) is (jobs == 1)  # a job may take its worker with it, but not us


def test_jobs_are_by_default_as_many_as_cores():
    from loky import cpu_count

    processes = {process for _, process in run_unordered(lambda item: os.getpid(), [0] * 8, engine=Engine())}
    assert os.getpid() not in processes
    assert len(processes) <= max(2, cpu_count())


def test_jobs_that_are_lost_together_are_tried_again_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    executor_of, sent = jobs._EXECUTORS["loky"], []
    monkeypatch.setitem(jobs._EXECUTORS, "loky", lambda engine, num: sent.append(num) or executor_of(engine, num))

    def die_together_or_run_alone(item: int) -> int:
        if not (tmp_path / f"{item}").exists():
            (tmp_path / f"{item}").touch()
            while item == 1 or not (tmp_path / "1").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        with (tmp_path / "running").open("x"):  # which fails beside another
            time.sleep(0.2)
        (tmp_path / "running").unlink()
        return item

    assert sorted(run_unordered(die_together_or_run_alone, [0, 1], engine=Engine(jobs=2))) == [(0, 0), (1, 1)]
    assert sent == [2, 1, 1]


def test_a_job_that_runs_out_of_memory_is_named_when_the_rest_is_finished():
    def allocate(num_bytes: int) -> int:
        if num_bytes < 2**50:
            return num_bytes
        import torch

        return torch.empty(num_bytes, dtype=torch.uint8).numel()

    finished = []
    with pytest.raises(
        AssayError, match=r"1 of 3 jobs .* number 1, 1125899906842624\. MemoryError: .* Next: the usual reason is too little"
    ):
        finished.extend(run_unordered(allocate, [1, 2**50, 3], engine=Engine(jobs=2)))
    assert sorted(finished) == [(0, 1), (2, 3)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"jobs": 0}, "jobs must be at least 1. Given: 0."),
        (
            {"address": "auto"},
            "loky runs on this machine and takes no address. Given: auto. Next: choose the backend ray or dask.",
        ),
        ({"backend": "ray"}, "ray needs the address of a running cluster. Next: start one with `ray start --head` and "),
        (
            {"backend": "dask", "address": ""},
            "dask needs the address of a running cluster. Next: start one with `dask scheduler`",
        ),
    ],
)
def test_an_engine_that_cannot_be(given: dict, message: str):
    with pytest.raises(AssayError) as caught:
        Engine(**given)
    assert str(caught.value).startswith(message)


def test_a_backend_that_is_unknown():
    engine = Engine()
    object.__setattr__(engine, "backend", "spark")  # past the checks of types that only tests have
    with pytest.raises(AssayError, match=r"the backend must be known\. Given: spark\. Choices: loky, ray, dask\."):
        engine.__post_init__()


@pytest.mark.slow
def test_workers_that_grow_are_replaced_and_nothing_is_waited_for_in_vain():
    """Loky warns of a worker that it replaces, and here warnings are errors."""

    def keep(item: int) -> int:
        import builtins

        builtins.kept = [*getattr(builtins, "kept", ()), bytearray(200_000_000)]
        time.sleep(0.7)  # loky looks at most once in a second
        return os.getpid()

    processes = dict(run_unordered(keep, range(8), engine=Engine(jobs=2)))
    assert sorted(processes) == list(range(8))
    assert len(set(processes.values())) > 2, "no worker was replaced, so nothing was tested"


def test_a_call_inside_another_has_processes_of_its_own():
    """Whatever their number. The one inside may stop early, which ends its processes and no others."""
    results = {}
    for index, result in run_unordered(abs, [0, -1, -2, -3], engine=Engine(jobs=2)):
        if not results:
            inside = run_unordered(abs, [-4, -4, -4], engine=Engine(jobs=3))
            assert next(inside)[1] == 4
            inside.close()
        results[index] = result
    assert results == {0: 0, 1: 1, 2: 2, 3: 3}


def test_processes_are_used_again_until_one_dies():
    def pid(item: int) -> int:
        time.sleep(0.06)
        return os.getpid()

    def pids() -> set[int]:
        return set(run_parallel(pid, range(6), jobs=2))

    first = pids()
    assert pids() <= first
    os.kill(min(first), signal.SIGKILL)
    all_end([min(first)])
    assert min(first) not in pids()


def test_a_job_without_torch_does_not_import_it_and_one_with_torch_has_one_thread():
    def modules(item: int) -> tuple[bool, int]:
        imported = "torch" in sys.modules
        import torch

        return imported, torch.get_num_threads()

    with pytest.raises(ZeroDivisionError):  # which ends the processes of other tests
        run_parallel(lambda item: 1 // item, [0, 0], jobs=2)
    assert (False, 1) in run_parallel(modules, range(2), jobs=2)


@pytest.mark.parametrize(
    ("omp", "mkl", "imports"), [("1", None, False), ("1", "1", False), ("1", "2", True), ("2", "1", True), (None, None, True)]
)
def test_torch_is_imported_to_limit_its_threads_only_where_nothing_else_limits_them(
    monkeypatch: pytest.MonkeyPatch, omp: str | None, mkl: str | None, imports: bool
):
    real, imported = builtins.__import__, []

    def noted(name: str, *more: object, **named: object) -> object:
        imported.append(name)
        return (
            SimpleNamespace(get_num_threads=lambda: 1, set_num_threads=int) if name == "torch" else real(name, *more, **named)
        )

    for name, value in (("OMP_NUM_THREADS", omp), ("MKL_NUM_THREADS", mkl)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(builtins, "__import__", noted)
    with one_thread():
        pass
    assert ("torch" in imported) is imports


def test_a_process_limits_the_threads_of_every_library(monkeypatch: pytest.MonkeyPatch):
    for name in LIMITS:
        monkeypatch.setenv(name, "2")

    def limits(item: int) -> list[str | None]:
        return [os.environ.get(name) for name in LIMITS]

    assert run_parallel(limits, range(2), jobs=2) == [["1", "1", "1"]] * 2


@pytest.mark.parametrize("unsendable", ["item", "result"])
def test_what_cannot_be_sent_is_an_error_and_not_waited_for(unsendable: str):
    def lock(item: object) -> object:
        return threading.Lock() if unsendable == "result" else None

    with pytest.raises(Exception, match="pickle"):
        run_parallel(lock, [threading.Lock() if unsendable == "item" else None] * 3, jobs=2)
    assert run_parallel(abs, [-1, -2], jobs=2) == [1, 2]


def test_the_next_job_is_sent_although_no_one_asks_for_a_result(tmp_path: Path):
    outcomes = run_unordered(lambda item: (tmp_path / str(item)).touch(), range(6), engine=Engine(jobs=2))
    next(outcomes)
    wait_until(lambda: len(list(tmp_path.iterdir())) == 6)
    assert len(list(outcomes)) == 5


def test_functions_and_classes_of_a_script_can_be_sent(tmp_path: Path):
    (tmp_path / "script.py").write_text(SCRIPT)
    run = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("[Point(x=1), Point(x=2)]\n", "")


def test_importing_this_imports_no_engine_and_no_torch():
    code = "import sys, assay.jobs; print({'torch', 'numpy', 'loky', 'cloudpickle', 'ray', 'distributed'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_what_runs_is_ended_when_its_result_is_no_longer_wanted(tmp_path: Path):
    def run_for_long(item: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(40 * item)
        return item

    outcomes = run_unordered(run_for_long, [0, 1, 1], engine=Engine(jobs=2))
    next(outcomes)
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    outcomes.close()
    all_end([int(path.name) for path in tmp_path.iterdir()])
