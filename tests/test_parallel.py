"""The seam to processes: order, threads, and errors that come out as they were raised."""

import os
import time

import pytest
import torch

from assay.errors import AssayError
from assay.parallel import one_thread, run_parallel


def where(item: int) -> tuple[int, int, int]:
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
    drawn = run_parallel(lambda seed: torch.randn(3, generator=torch.Generator().manual_seed(seed)).tolist(), [3, 5], jobs=jobs)
    assert drawn == [torch.randn(3, generator=torch.Generator().manual_seed(seed)).tolist() for seed in (3, 5)]


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
    assert told == [("1 of 2", 0.5), ("2 of 2", 1.0)]


def test_nothing_to_do_is_nothing_done():
    assert run_parallel(where, [], jobs=4) == []


def test_no_jobs_is_a_mistake():
    with pytest.raises(AssayError, match="jobs must be at least 1"):
        run_parallel(where, [1], jobs=0)
