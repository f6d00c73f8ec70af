"""The command line as a process of its own, `assay` or `python -m assay`, and what Ctrl-C does to it from the first moment."""

import os
import signal
import sys


def main() -> int:
    """Run the command line. The first Ctrl-C stops the command, which says how to go on; the next ends the process at once."""
    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have said to ignore it
            signal.signal(signal.SIGINT, _stop)
        from assay.cli import main

        return main()
    except KeyboardInterrupt:  # while modules are loaded, or while the command is stopping already
        print("assay: interrupted.", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would tell of one that comes while it ends with a traceback


def _stop(signum: int, frame: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which ends the process whatever it is doing, unlike a function of ours
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h")  # the cursor, which a progress bar hides
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
