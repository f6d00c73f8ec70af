"""Child processes: their import path, their handling of Ctrl-C, and their end with the parent.

- Python started with `-m` or `-c` searches the current directory first, and would run a `torch.py` that lies there. A child
  searches it only where its parent does.
- A terminal sends Ctrl-C to all of its processes. Only the parent handles it.
- A parent may be killed at any moment, so every child polls whether its parent still runs.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from assay.errors import AssayError

SAFE_PATH = {"PYTHONSAFEPATH": "1"}
SECONDS_BETWEEN_CHECKS = 0.5
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def end_with(parent: int) -> None:
    """Make this process exit as soon as its parent process, of id `parent`, is gone.

    Example:

        parent = os.getpid()
        if os.fork() == 0:
            end_with(parent)
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_CHECKS)
        os._exit(1)

    threading.Thread(target=watch, name="ends with its parent", daemon=True).start()


@contextmanager
def without_terminal_signals() -> Iterator[None]:
    """Processes and threads that are started inside never receive what the terminal sends: Ctrl-C, Ctrl-\\, its closing.

    A Ctrl-C that arrives meanwhile is handled afterwards: a worker whose parent ends during its start would show a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_TERMINAL)  # children inherit the mask
    try:
        with _handled_later(signal.SIGINT):  # another thread of this process may receive the signal
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _handled_later(signum: signal.Signals) -> Iterator[None]:
    handler = signal.getsignal(signum)
    if handler in (None, signal.SIG_IGN) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    signal.signal(signum, lambda signum, frame: came.append(signum))
    try:
        yield
    finally:
        signal.signal(signum, handler)
        if came:
            signal.raise_signal(signum)


def start_trackers() -> None:
    """Start the processes that remove semaphores and temporary files after a kill. Loky's own would import from the current
    directory, end with the terminal, and print warnings."""
    from multiprocessing.resource_tracker import ensure_running

    from loky.backend import resource_tracker as loky

    warnings = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"]))
    for start in (ensure_running, loky.ensure_running):  # each tracker unblocks signals in its own way
        with without_terminal_signals(), _environment({**SAFE_PATH, "PYTHONWARNINGS": warnings}):
            start()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_python(*arguments: str, timeout: int | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run Python with these arguments followed by the id of this process, for `end_with`, and with this process's import path.

    **Raises:** `subprocess.TimeoutExpired`, when the child is killed after `timeout` seconds.
    """
    command = [sys.executable, *arguments, str(os.getpid())]
    return subprocess.run(command, input=b"", capture_output=True, env=_found_here(), timeout=timeout, check=False)


def run_python_with_progress(*arguments: str, given: bytes, hear: Callable[[str], None]) -> subprocess.CompletedProcess[bytes]:
    """As `run_python`, for a child that reports progress: before the id of this process it gets a file descriptor to write
    lines into. `hear` is called with each line, in this thread; if it raises, the child is killed."""
    reads, writes = os.pipe()
    command = [sys.executable, *arguments, str(writes), str(os.getpid())]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=_found_here(), pass_fds=(writes,))
    os.close(writes)
    with ThreadPoolExecutor(1) as beside, open(reads, encoding="utf-8") as lines:
        output = beside.submit(process.communicate, given)
        try:
            for line in lines:
                hear(line)
            out, err = output.result()
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _found_here() -> dict[str, str]:
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {**os.environ, **SAFE_PATH, "PYTHONPATH": path}


def unpicklable(sent: Mapping[str, object], because: str) -> AssayError | None:
    """The error that names which of the objects `sent` to a process cannot be pickled; None where all can.

    **Arguments:** `because`: why they are sent, as the beginning of the message.
    """
    from cloudpickle import dumps

    for what, value in sent.items():
        try:
            dumps(value)
        except Exception as error:  # a user's object may raise anything
            return AssayError(
                f"{because}, so it must be possible to pickle {what}",
                given=f"{type(error).__name__}: {error}",
                next_step="keep locks, generators and open files out of it, or do without processes: jobs=1",
            )
    return None
