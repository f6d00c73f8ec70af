"""The command line as a process of its own, `assay` or `python -m assay`, and what Ctrl-C does to it from the first moment."""

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from types import FrameType

INTERRUPTED = 130


def main() -> int:
    """Run the command line. The first Ctrl-C stops the command, which says how to go on; the next ends the process at once."""
    code = INTERRUPTED
    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have said to ignore it
            signal.signal(signal.SIGINT, _stop)
        from assay.cli import main

        code = main()
    except KeyboardInterrupt:  # before the command began, or again while it was stopping
        print("assay: interrupted.", file=sys.stderr)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would tell of one that comes while it ends with a traceback
        signal.setitimer(signal.ITIMER_REAL, 0)
    if code == INTERRUPTED:  # Python would end with another status where it remembers the interrupt
        with suppress(OSError):  # of a reader that Ctrl-C ended too
            sys.stdout.flush()
        os._exit(code)
    return code


def _stop(signum: int, frame: FrameType | None, *, patience: int = 200) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which ends the process whatever it is doing, unlike a function of ours
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h")  # the cursor, which a progress bar hides
    if patience and _is_importing(frame):  # some modules swallow what is raised while they are loaded
        signal.signal(signal.SIGALRM, partial(_stop, patience=patience - 1))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
    else:
        raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and "importlib._bootstrap" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None


if __name__ == "__main__":
    sys.exit(main())
