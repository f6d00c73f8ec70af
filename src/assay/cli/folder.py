"""Where a command writes: a folder that holds nothing yet, or what the same command left there when it was stopped."""

import errno
import fcntl
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import AssayError

UNFINISHED = ".unfinished"
"""The file that names the command which is filling its folder, locked for as long as the command runs."""


def new_folder(out: Path | None, *, default: str, command: str) -> Path:
    """`out`, or the first of `default`, `default-2`, ... that is free. Nothing is made: a command first checks the rest.

    Free is a folder that is not there, that is empty, or that the same command left unfinished.

    **Raises:** `AssayError` when `out` is a file or holds something else.
    """
    if out is None:
        names = itertools.chain([default], (f"{default}-{number}" for number in itertools.count(2)))
        return next(path for path in map(Path, names) if _is_free(path, command))
    if not _is_free(out, command):
        raise AssayError(
            "--out must name a folder that is new or empty",
            given=f"{out}, which {_what_is_there(out)}",
            next_step="choose another --out; nothing in it was changed",
        )
    return out


@contextmanager
def filling(out: Path | None, *, default: str, command: str) -> Iterator[Path]:
    """The folder that `new_folder` chooses, made and, until the block ends without an error, marked as one that the same
    command may use again.

    **Raises:** `AssayError` as `new_folder` does, and when another command began to fill it at the same moment.
    """
    folder = new_folder(out, default=default, command=command)
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / UNFINISHED
    with open(os.open(mark, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+") as file:
        if not _locked(file.fileno()):
            raise AssayError("one command at a time may write into a folder", given=folder, next_step="choose another --out")
        try:
            if file.read():  # figures of an attempt with other settings would stay beside the new ones
                shutil.rmtree(folder / "figures", ignore_errors=True)
            file.seek(0)
            file.truncate()
            file.write(command)
            file.flush()
            yield folder
        except BaseException:
            if [entry.name for entry in folder.iterdir()] == [UNFINISHED]:
                mark.unlink()
                if not existed:
                    folder.rmdir()
            raise
        mark.unlink()


def _is_free(path: Path, command: str) -> bool:
    from assay.store import is_unused

    return not path.exists() or (path.is_dir() and (is_unused(path) or _left_by(path) == command))


def _what_is_there(path: Path) -> str:
    if not path.is_dir():
        return "is a file"
    left_by = _left_by(path)
    return f"an `assay {left_by}` is writing or left unfinished" if left_by else "holds files"


def _left_by(folder: Path) -> str | None:
    """The command that was stopped while it filled the folder; None while it is filling it still."""
    try:
        with open(os.open(folder / UNFINISHED, os.O_RDWR | os.O_NOFOLLOW), "r+") as file:
            return file.read(100) if _locked(file.fileno()) else None
    except OSError:
        return None


def _locked(file: int) -> bool:
    """Lock an open file until it is closed or its process ends, killed or not; False where another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True
