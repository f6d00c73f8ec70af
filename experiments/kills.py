"""Recovery from kills: commands are killed with SIGKILL at random moments, then repeated until they end.

OMP_NUM_THREADS=1 python experiments/kills.py --kills 20 --seed 0

Commands: `assay train`; `assay audit` with `--jobs 2` and with `--level 0`; `assay sweep --jobs 2`; and the build of a small
zoo in two processes, namely three networks of the small slice. Every kill has its own folder and temporary folder, and its
moment is uniform over the time of an undisturbed run.

The script prints for each command the number of kills; after how many of them the repeated command ended with the results of an
undisturbed run (weights equal to the byte, JSON equal except times, the same files); how many left processes after 10 seconds;
and how many left semaphores, or files in the temporary folder that an undisturbed run does not leave. Failures are listed below
the table.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # the zoo is not installed

ASSAY = ("-m", "assay")
TASK = "modular:p=7,num_first=6,num_second=6"
AUDIT = (*ASSAY, "audit", "../run", "--effort", "quick", "--out", "out", "--instrument")
COMMANDS: dict[str, tuple[str, ...]] = {
    "train": (*ASSAY, "train", TASK, "--steps", "1500", "--width", "32", "--out", "out"),
    "audit --jobs 2": (*AUDIT, "systematicity", "decodability", "--jobs", "2"),
    "audit --level 0": (*AUDIT, "recombination", "--level", "0"),
    "sweep --jobs 2": (
        *(*ASSAY, "sweep", TASK, "--over", "coverage=0.4,0.7", "--over", "width=8,16", "--seeds", "2"),
        *("--set", "steps=300", "--instrument", "systematicity", "--jobs", "2", "--out", "out"),
    ),
    "zoo build, 2 jobs": (str(Path(__file__).resolve()), "--build-zoo", "out"),
}
TIMES = {"started", "finished", "wall_seconds", "cpu_seconds", "train_seconds", "audit_seconds"}
CPU_COLUMN = "train CPU s"
PATIENCE = 10  # seconds
MARK = "ASSAY_KILLS"


@dataclass(frozen=True)
class Killed:
    """The outcome of one kill: its moment in seconds, differences of the results, surviving processes, and files left
    behind."""

    moment: float
    differs: list[str]
    alive: list[str]
    left: list[str]


def build_zoo(folder: Path) -> None:
    """The build of the zoo that is killed."""
    from zoo.build import build
    from zoo.manifest import manifest

    build(folder, manifest().small_slice()[:3], jobs=2)


def started(command: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start the command in a folder. All processes that it starts carry its mark in the environment."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), MARK: str(folder)}
    return subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def ended(process: subprocess.Popen[bytes]) -> str:
    """The last line that the command printed on stderr after it has ended; empty if it succeeded."""
    _, errors = process.communicate()
    last = (errors.decode().strip().splitlines() or ["no message"])[-1]
    return f"exit status {process.returncode}: {last}" if process.returncode else ""


def alive(folder: Path) -> list[str]:
    """The processes that carry the mark of this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder):
                found.append(" ".join(process.cmdline())[:100])
        except psutil.Error:  # it has ended, or is not ours
            continue
    return found


def left_behind(folder: Path, pid: int) -> set[str]:
    """Files in the temporary folder, and in shared memory under the process's number."""
    shared = Path("/dev/shm")
    names = {path.name for path in shared.iterdir()} if shared.is_dir() else set()
    return {name for name in names if str(pid) in name.replace("_", "-").split("-")} | {
        path.name for path in (folder / "tmp").iterdir()
    }


def content(path: Path) -> dict[str, object]:
    """Every file beneath a folder: weights by their hash, JSON without times, other files by their existence."""
    return {str(file.relative_to(path)): _content(file) for file in sorted(path.rglob("*")) if file.is_file()}


def _content(file: Path) -> object:
    if file.suffix == ".json":
        return _timeless(json.loads(file.read_text()))
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.suffix == ".safetensors" else "there"


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        if CPU_COLUMN in value.get("columns", []):
            number = value["columns"].index(CPU_COLUMN)
            value = {**value, "rows": [[*line[:number], *line[number + 1 :]] for line in value["rows"]]}
        return {key: _timeless(item) for key, item in value.items() if key not in TIMES}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def killed(
    command: Sequence[str], folder: Path, *, moment: float, expected: dict[str, object], usual: set[str]
) -> Killed | None:
    """Run the command, kill it at a moment, and repeat it; None if it ended before."""
    process = started(command, folder)
    try:
        process.wait(timeout=moment)
        ended(process)
        return None
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + PATIENCE
    while (still := alive(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = left_behind(folder, process.pid) - usual
    told = ended(started(command, folder))
    found = content(folder / "out")
    differs = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    return Killed(moment, [f"{name} differs" for name in differs] + [told] if differs else [], still, sorted(left))


def row(name: str, scratch: Path, *, num_kills: int, draws: random.Random) -> None:
    """Kill one command several times, and print the outcome."""
    command = COMMANDS[name]
    start, process = time.monotonic(), started(command, scratch / "undisturbed")
    if told := ended(process):
        sys.exit(f"{name}: the undisturbed run failed, {told}")
    seconds = time.monotonic() - start
    expected = content(scratch / "undisturbed" / "out")
    usual = left_behind(scratch / "undisturbed", process.pid)  # such as the empty cache folder of torch's compiler
    found: list[Killed] = []
    tries = 0
    while len(found) < num_kills:
        tries += 1
        one = killed(command, scratch / f"kill-{tries}", moment=draws.uniform(0, seconds), expected=expected, usual=usual)
        found += [one] if one else []
    same = sum(not one.differs for one in found)
    counts = (f"{same} of {num_kills}", sum(bool(one.alive) for one in found), sum(bool(one.left) for one in found))
    print(f"{name:18} {seconds:9.1f} {num_kills:6} {counts[0]:>12} {counts[1]:16} {counts[2]:12}", flush=True)
    for one in found:
        for what in (*one.differs, *(f"alive: {process}" for process in one.alive), *(f"left: {path}" for path in one.left)):
            print(f"    killed after {one.moment:.2f} s: {what}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="number of kills of each command")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the moments")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--build-zoo", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build_zoo:
        build_zoo(options.build_zoo)
        return
    print(f"{'command':18} {'seconds':>9} {'kills':>6} {'same results':>12} {'processes alive':>16} {'files left':>12}")
    for name in options.only:
        with tempfile.TemporaryDirectory() as temporary:
            scratch = Path(temporary).resolve()
            if name.startswith("audit") and (told := ended(_run_to_audit(scratch))):
                sys.exit(f"there is no run to audit: {told}")
            row(name, scratch, num_kills=options.kills, draws=random.Random(f"{options.seed} {name}"))


def _run_to_audit(scratch: Path) -> subprocess.Popen[bytes]:
    return started((*ASSAY, "train", TASK, "--steps", "300", "--width", "32", "--out", "run"), scratch)


if __name__ == "__main__":
    main()
