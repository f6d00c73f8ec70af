"""The sweep engine: its cost for each network, and the standard sweep.

OMP_NUM_THREADS=1 python bench/sweep.py overhead     200 tiny networks: time beyond their own training and audit
OMP_NUM_THREADS=1 python bench/sweep.py standard     modular addition: five coverages by four weight decays, three seeds each
"""

import argparse
import tempfile
import time
from pathlib import Path

from assay.evidence import Measure
from assay.jobs import Engine, run_parallel
from assay.sweep import SweepPlan, sweep, write_sweep
from assay.sweep.points import summarised

TINY = SweepPlan(
    task="modular-addition:p=13",
    over={"coverage": ("0.4", "0.5", "0.6", "0.7", "0.8"), "width": ("4", "8", "16", "32"), "weight_decay": ("0", "1")},
    seeds=5,
    settings={"steps": "20", "batch_size": "32"},
    instruments=("systematicity",),
)
STANDARD = SweepPlan(
    task="modular-addition",
    over={"coverage": ("0.3", "0.4", "0.5", "0.6", "0.7"), "weight_decay": ("0", "0.1", "0.3", "1")},
    seeds=3,
)


def overhead(folder: Path) -> None:
    """Wall time of both processes beyond the CPU time of training and audits, divided by the number of networks."""
    engine = Engine(jobs=2)
    start = time.perf_counter()
    run_parallel(abs, range(4), jobs=2)
    print(f"start of two processes: {time.perf_counter() - start:.2f} s")
    sweep(TINY.model_copy(update={"seeds": 1}), out=folder / "warm", engine=engine)  # what each process imports once
    start, cpu = time.perf_counter(), time.process_time()
    done = sweep(TINY, out=folder / "timed", engine=engine)
    wall = time.perf_counter() - start
    own = sum(row.train_seconds + row.audit_seconds for row in done.rows)
    num = len(done.rows)
    print(f"{num} networks in {wall:.1f} s on 2 processes; training and audits {own:.1f} CPU s")
    print(
        f"a network: {1000 * wall / num:.1f} ms of wall time in all, {1000 * (2 * wall - own) / num:.1f} ms beyond its own work"
    )
    print(f"of that, {1000 * (time.process_time() - cpu) / num:.1f} CPU ms in the process that drives the sweep")


def standard(folder: Path, seeds: int) -> None:
    """The standard sweep of docs/sweep.md and its picture."""
    start = time.perf_counter()
    done = sweep(
        STANDARD.model_copy(update={"seeds": seeds}),
        out=folder,
        engine=Engine(jobs=2),
        progress=lambda doing, share: print(doing, flush=True),
    )
    page = write_sweep(done)
    wall = time.perf_counter() - start
    train, audits = sum(row.train_seconds for row in done.rows), sum(row.audit_seconds for row in done.rows)
    print(f"\n{len(done.rows)} networks in {wall:.0f} s wall; {train:.0f} CPU s of training, {audits:.0f} of audits; {page}")
    for point in summarised(STANDARD.grid, done.rows, success=STANDARD.success):
        print(f"{point.told:<48} seen {told(point.seen)}; novel {told(point.novel)}")


def told(measure: Measure) -> str:
    """Mean, interval and the best null."""
    if measure.value is None or measure.interval is None:
        return measure.note
    null = max(null.mean for null in measure.nulls)
    return f"{measure.value:.3f} [{measure.interval.low:.3f}, {measure.interval.high:.3f}], best null {null:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["overhead", "standard"])
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds of the standard sweep")
    parser.add_argument("--out", type=Path, help="folder for the results; a temporary one by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary) / "sweep"
        if options.what == "standard":
            standard(folder, options.seeds)
        else:
            overhead(folder)


if __name__ == "__main__":
    main()
