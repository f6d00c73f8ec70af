"""Run in a mount namespace of its own: every command on a disk that is full, read-only, or that allows small files only, and
again once that is mended. Prints one JSON list of outcomes."""

import contextlib
import hashlib
import io
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from assay.cli import main

DISK = Path(sys.argv[1])
TRAIN = ["train", "modular:num_first=4,num_second=4,p=5", "--width", "16", "--depth", "1", "--steps", "3", "--quiet"]
SWEEP = [
    "sweep",
    TRAIN[1],
    "--over",
    "width=4,8",
    "--set",
    "steps=3",
    "--seeds",
    "1",
    "--instrument",
    "systematicity",
    "--quiet",
]
AUDIT = ["audit", "RUN", "--effort", "quick", "--instrument", "systematicity", "--quiet"]
COMMANDS = {
    "train": TRAIN,
    "audit": AUDIT,
    "compare": ["compare", "REPORT", "REPORT", "--quiet"],
    "sweep": [*SWEEP, "--jobs", "1"],
    "sweep in processes": [*SWEEP, "--jobs", "2"],
}
IN_PROCESSES = ("room for five pages", "no files of 2 KiB")  # the obstacles that a process meets, not the command itself


def call(words: list[str]) -> tuple[int, str]:
    """Exit code and what went to stderr."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        code = main(words)
    return code, told.getvalue()


def mount(*options: str) -> None:
    subprocess.run(["mount", *options], check=True)


@contextlib.contextmanager
def full(left: int) -> Iterator[None]:
    """A disk with that many free bytes."""
    filler = DISK / "filler"
    free = os.statvfs(DISK).f_bavail * os.statvfs(DISK).f_bsize
    filler.write_bytes(b"\0" * (free - left))
    yield
    filler.unlink()


@contextlib.contextmanager
def read_only() -> Iterator[None]:
    mount("-o", "remount,ro", str(DISK))
    yield
    mount("-o", "remount,rw", str(DISK))


@contextlib.contextmanager
def small_files(limit: int) -> Iterator[None]:
    """As after `ulimit -f`."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


OBSTACLES: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "no room": lambda: full(0),
    "room for five pages": lambda: full(5 * 4096),
    "read-only": read_only,
    "no files of 100 bytes": lambda: small_files(100),
    "no files of 2 KiB": lambda: small_files(2048),
}


def result(folder: Path) -> dict[str, str]:
    """What a folder holds, without times: the hash of every file."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix not in (".csv", ".html") and file.name != "results.json":
            text = re.sub(
                rb'"(started|finished|wall_seconds|cpu_seconds|train_seconds|audit_seconds)": [^\n]*', b"", file.read_bytes()
            )
            found[str(file.relative_to(folder))] = hashlib.sha256(text).hexdigest()
        elif file.is_file():
            found[str(file.relative_to(folder))] = "is there"
    return found


def run() -> None:
    elsewhere = DISK.parent / "elsewhere"
    run_folder, report = elsewhere / "run", elsewhere / "report"
    assert call([*TRAIN, "--out", str(run_folder)])[0] == 0
    commands = {
        name: [{"RUN": str(run_folder), "REPORT": str(report)}.get(word, word) for word in words]
        for name, words in COMMANDS.items()
    }
    assert call([*commands["audit"], "--out", str(report)])[0] == 0
    outcomes = []
    for name, words in commands.items():
        mount("-t", "tmpfs", "-o", "size=4m", "none", str(DISK))
        alone = [*words[:-1], "1"] if words[-2] == "--jobs" else words  # each process takes seconds to start
        assert call([*alone, "--out", str(DISK / "undisturbed")])[0] == 0
        wanted = result(DISK / "undisturbed")
        for index, (obstacle, meet) in enumerate(OBSTACLES.items()):
            if alone != words and obstacle not in IN_PROCESSES:
                continue
            out = DISK / f"out{index}"
            with meet():
                first, told = call([*words, "--out", str(out)])
            left = [path.name for path in DISK.rglob("*") if path.name.endswith(".partial")]
            second, again = call([*alone, "--out", str(out)])
            got = result(out) if out.is_dir() else {}
            differing = [file for file in {**wanted, **got} if wanted.get(file) != got.get(file)]
            outcomes.append(
                {"command": name, "obstacle": obstacle, "first": first, "told": told, "left": left}
                | {"second": second, "again": again, "differing": differing}
            )
        subprocess.run(["umount", str(DISK)], check=True)
    print(json.dumps(outcomes))


if __name__ == "__main__":
    run()
