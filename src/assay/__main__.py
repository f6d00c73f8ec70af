"""Entry point of the command line, `assay` or `python -m assay`, and its handling of Ctrl-C from the first moment."""

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
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have set it to be ignored
            signal.signal(signal.SIGINT, _stop)
        from assay.cli import main

        code = main()
    except KeyboardInterrupt:  # before the command began, or again while it was stopping
        print("assay: interrupted.", file=sys.stderr)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a Ctrl-C while Python exits would print a traceback
        signal.setitimer(signal.ITIMER_REAL, 0)
    if code == INTERRUPTED:  # Python would exit with another status after an interrupt
        with suppress(OSError):  # Ctrl-C may have ended the reader of a pipe too
            sys.stdout.flush()
        os._exit(code)
    return code


def _stop(signum: int, frame: FrameType | None, *, patience: int = 200) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the default ends the process whatever it is doing; a Python handler cannot
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h")  # shows the cursor, which a progress bar hides
    if patience and _is_importing(frame):  # some modules swallow exceptions raised during their import
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
