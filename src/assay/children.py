"""The processes that Assay starts: what they import, who answers Ctrl-C, and that none outlives its parent.

- Python started with `-m` or `-c` searches the current directory first, and would run a `loky` or `torch.py` that lies there.
  A child searches it only where its parent does.
- Ctrl-C goes to every process of a terminal. Only the parent answers it.
- A parent may be killed at any moment, so a child looks for itself whether its parent is there.
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
    """Make this process end when the process `parent`, which started it, is there no more, whatever it is doing then.

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
def out_of_the_terminals_reach() -> Iterator[None]:
    """Processes and threads that are started inside never receive what the terminal sends: Ctrl-C, Ctrl-\\, its closing.

    This process answers a Ctrl-C that comes meanwhile afterwards: a worker whose parent ends while it is being started shows a
    traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_TERMINAL)  # which they inherit
    try:
        with _answered_later(signal.SIGINT):  # another thread of this process may receive it
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _answered_later(signum: signal.Signals) -> Iterator[None]:
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
    """Start the processes that remove semaphores and temporary files after a kill. Loky would start them itself, but such that
    they import from the current directory, end with the terminal, and print a warning of what they remove."""
    from multiprocessing.resource_tracker import ensure_running

    from loky.backend import resource_tracker as loky

    warnings = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"]))
    for start in (ensure_running, loky.ensure_running):  # each gives the signals back in its own way
        with out_of_the_terminals_reach(), _environment({**SAFE_PATH, "PYTHONWARNINGS": warnings}):
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


def run_python(*arguments: str, given: bytes = b"", timeout: int | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run Python with these arguments and, last, the id of this process, for `end_with`; modules are found where they are found
    here.

    **Arguments:** `given`: what the child reads from its standard input.

    **Raises:** `subprocess.TimeoutExpired`, when the child is killed after `timeout` seconds.
    """
    command = [sys.executable, *arguments, str(os.getpid())]
    return subprocess.run(command, input=given, capture_output=True, env=_found_here(), timeout=timeout, check=False)


def run_python_telling(*arguments: str, given: bytes, hear: Callable[[str], None]) -> subprocess.CompletedProcess[bytes]:
    """The same of a child that tells how far it is: behind the arguments, and before the id of this process, it gets the number
    of a file to write lines into. `hear` is called with each of them, in this thread; where it raises, the child is killed."""
    reads, writes = os.pipe()
    command = [sys.executable, *arguments, str(writes), str(os.getpid())]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=_found_here(), pass_fds=(writes,))
    os.close(writes)
    with ThreadPoolExecutor(1) as beside, open(reads, encoding="utf-8") as told:
        output = beside.submit(process.communicate, given)
        try:
            for line in told:
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
    """The error that names which of the things `sent` to a process cannot be sent; None where all can.

    **Arguments:** `because`: why they are sent.
    """
    from cloudpickle import dumps

    for what, value in sent.items():
        try:
            dumps(value)
        except Exception as error:  # of what the user's object holds
            return AssayError(
                f"{because}, so it must be possible to pickle {what}",
                given=f"{type(error).__name__}: {error}",
                next_step="keep locks, generators and open files out of it, or do without processes: jobs=1",
            )
    return None
