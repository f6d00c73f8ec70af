"""Logging of training: the callback, and adapters for TensorBoard and trackio."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from assay.errors import AssayError

Log = Callable[[int, Mapping[str, float]], None]
"""Called with the step and values: `loss` about a hundred times in a training, `seen` and `novel` at its end.

Example::

    >>> logged = []
    >>> run = assay.train(
    ...     "modular-addition:p=7", out="runs/logged", config={"steps": 5}, progress=None,
    ...     log=lambda step, values: logged.append((step, sorted(values))),
    ... )
    >>> logged[0], logged[-1]
    ((1, ['loss']), (5, ['novel', 'seen']))
"""


def no_log(step: int, values: Mapping[str, float]) -> None:
    """A callback that logs nothing."""


@contextmanager
def tensorboard(folder: Path | str) -> Iterator[Log]:
    """Context with a callback that writes an event file into a folder, for TensorBoard. The callback is the `log` of `train`.

    **Raises:** `AssayError` where TensorBoard is not installed (`pip install tensorboard`).

    Example::

        >>> from pathlib import Path
        >>> from assay.training import tensorboard
        >>> with tensorboard("runs/logs/first") as log:
        ...     run = assay.train("modular-addition:p=7", out="runs/first", config={"steps": 5}, log=log, progress=None)
        >>> len(list(Path("runs/logs/first").glob("events*")))
        1
    """
    writer = _module("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(folder))
    try:

        def log(step: int, values: Mapping[str, float]) -> None:
            for name, value in values.items():
                writer.add_scalar(name, value, step)

        yield log
    finally:
        writer.close()


@contextmanager
def trackio(project: str, name: str | None = None) -> Iterator[Log]:
    """Context with a callback that logs to trackio (`pip install trackio`), which keeps a database and shows it in a browser.

    **Raises:** `AssayError` where it is not installed.

    Example::

        with trackio("composition", name="first") as log:
            assay.train("modular-addition", out="runs/first", log=log)
    """
    tracker = _module("trackio", "trackio")
    run = tracker.init(project=project, name=name)
    try:
        yield lambda step, values: run.log(dict(values), step=step)
    finally:
        tracker.finish()


def _module(name: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise AssayError(f"logging to {package} needs the package", next_step=f"pip install {package}") from error
