"""What the tests of kills and of Ctrl-C share: a terminal to press keys in, and the wait for processes to end."""

import os
import pty
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_START = """
import fcntl, os, signal, sys, termios
for one in (signal.SIGINT, signal.SIGHUP):  # which `nohup make test &` would have it ignore
    signal.signal(one, signal.SIG_DFL)
{}
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
# What the process in the terminal does first: a terminal sends its keys to those that it controls.
_TAKE_THE_TERMINAL = _START.format("fcntl.ioctl(0, termios.TIOCSCTTY, 0)")
HEEDING_SIGNALS = (sys.executable, "-c", _START.format(""))
"""Python that heeds Ctrl-C wherever the tests were started from; what is to be run stands behind it."""


def wait_until(condition: Callable[[], object], *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def lives(pid: int) -> bool:
    """Also of a process that is nobody's child: a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def all_end(pids: Iterable[int], *, seconds: float = 10) -> None:
    wait_until(lambda: not any(map(lives, pids)), seconds=seconds)


def remains(pid: int, temporary: Path) -> list[str]:
    """What a process and those it started left in the temporary folder, and in shared memory under its number."""
    shared = Path("/dev/shm")
    names = [path.name for path in shared.iterdir()] if shared.is_dir() else []
    left = [name for name in names if str(pid) in name.replace("_", "-").split("-")]
    return left + [path.name for path in temporary.iterdir() if not path.name.startswith("torchinductor")]  # torch's own, empty


class Terminal:
    """A process in a terminal of its own.

    **Attributes:** `output`: all that it and its children have written.
    """

    def __init__(self, arguments: tuple[str, ...], **options):
        self._keys, slave = pty.openpty()
        command = [sys.executable, "-c", _TAKE_THE_TERMINAL, *arguments]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, **options)
        os.close(slave)
        self.output, self._closed = "", False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # how Linux says that nobody can write any more
            while not self._closed:
                if select.select([self._keys], [], [], 0.05)[0]:
                    self.output += os.read(self._keys, 4096).decode(errors="replace")

    def press_ctrl_c(self) -> None:
        os.write(self._keys, b"\x03")

    def hang_up(self) -> None:
        """Close the terminal."""
        if not self._closed:
            self._closed = True
            self._reader.join()
            os.close(self._keys)

    def children(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]

    def end(self, children: Iterable[int]) -> int:
        """The exit status, once the process, its children and their output have ended."""
        status = self.process.wait(timeout=30)
        all_end(children)
        self._reader.join(timeout=10)
        return status


@contextmanager
def in_terminal(*arguments: str, **options) -> Iterator[Terminal]:
    """Python with these arguments; whatever happens, it is killed at the end."""
    terminal = Terminal(arguments, **options)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()
        terminal.hang_up()
