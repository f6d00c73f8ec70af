"""The overhead of sending a piece of work to another process, on each engine.

    python bench/engines.py

Each engine has two worker processes on this machine: loky's, those of a Ray cluster and those of a Dask cluster that the script
starts. The pieces do nothing, so that all time is overhead. The script prints the time to the first result of a cold call, and,
for pieces sent to warm workers, wall time and CPU time of this process per piece. Dask's figures include a child process that
first asks for an answer; Ray's would too if it were not connected beforehand.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from assay.jobs import Engine, run_unordered

JOBS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"{'engine':<8}{'cold start':>12}{'wall per piece':>18}{'CPU per piece':>18}   (best of {options.repeats})")
    for open_engine in (loky, ray, dask):
        with open_engine() as engine:
            cold, _ = cost(engine, 1)
            warm = [cost(engine, options.pieces) for _ in range(options.repeats)]
            wall, cpu = (min(values) / options.pieces * 1000 for values in zip(*warm, strict=True))
        print(f"{engine.backend:<8}{cold:>10.1f} s{wall:>15.2f} ms{cpu:>15.2f} ms", flush=True)


def cost(engine: Engine, num_pieces: int) -> tuple[float, float]:
    """Wall and CPU seconds of this process per piece."""
    wall, cpu = time.perf_counter(), time.process_time()
    assert sum(1 for _ in run_unordered(abs, range(num_pieces), engine=engine)) == num_pieces
    return time.perf_counter() - wall, time.process_time() - cpu


@contextmanager
def loky() -> Iterator[Engine]:
    yield Engine(jobs=JOBS)


@contextmanager
def ray() -> Iterator[Engine]:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}  # or it leaves a token in the home folder
    import ray

    with ray.init(num_cpus=JOBS, include_dashboard=False, log_to_driver=False, logging_level="error"):
        yield Engine(backend="ray", address="auto")


@contextmanager
def dask() -> Iterator[Engine]:
    from distributed import LocalCluster

    with LocalCluster(n_workers=JOBS, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        yield Engine(backend="dask", address=cluster.scheduler_address)


if __name__ == "__main__":
    main()
