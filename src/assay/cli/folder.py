"""Where a command writes: a folder that holds nothing yet."""

import itertools
from pathlib import Path

from assay.errors import AssayError


def new_folder(out: Path | None, *, default: str) -> Path:
    """`out`, or the first of `default`, `default-2`, ... that is free. Nothing is made: a command first checks the rest.

    **Raises:** `AssayError` when `out` is a file or holds something.
    """
    if out is None:
        names = itertools.chain([default], (f"{default}-{number}" for number in itertools.count(2)))
        return next(path for path in map(Path, names) if _is_free(path))
    if not _is_free(out):
        raise AssayError(
            "--out must name a folder that is new or empty",
            given=f"{out}, which {'holds files' if out.is_dir() else 'is a file'}",
            next_step="choose another --out; nothing in it was changed",
        )
    return out


def _is_free(path: Path) -> bool:
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))
