"""Output folders of commands: new or empty ones, or those that the same command left unfinished."""

import errno
import fcntl
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import AssayError


def new_folder(out: Path | None, *, default: str, command: str) -> Path:
    """`out`, or the first free one of `default`, `default-2`, ... The folder is not created yet.

    A folder is free if it does not exist, is empty, or was left unfinished by the same command.

    **Raises:** `AssayError` when `out` is a file or holds anything else.
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
    """Context with the folder chosen by `new_folder`, created and marked as unfinished until the block ends without an error.

    **Raises:** `AssayError` as `new_folder`, and when another command began to write to it at the same moment.
    """
    from assay.store import UNFINISHED

    folder = new_folder(out, default=default, command=command)
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / UNFINISHED
    with open(os.open(mark, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+") as file:
        if not _locked(file.fileno()):
            raise AssayError("one command at a time may write into a folder", given=folder, next_step="choose another --out")
        try:
            if file.read():  # remove figures of an attempt with other settings
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
    """The command that was stopped while writing to the folder; None while it still runs."""
    from assay.store import UNFINISHED

    try:
        with open(os.open(folder / UNFINISHED, os.O_RDWR | os.O_NOFOLLOW), "r+") as file:
            return file.read(100) if _locked(file.fileno()) else None
    except OSError:
        return None


def _locked(file: int) -> bool:
    """Lock an open file until it is closed or its process ends; False where another process holds the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True
