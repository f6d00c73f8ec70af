"""Check that a Ray or Dask cluster answers at its address, in a child process that may hang."""

import socket
import subprocess
from urllib.parse import urlsplit

from assay.children import run_python
from assay.errors import AssayError

START = {"ray": "ray start --head", "dask": "dask scheduler"}
"""Commands that start a cluster."""
SECONDS_TO_CONNECT = 20
_CHILD = "import sys; from assay.children import end_with; end_with(int(sys.argv[2])); "
_CONNECT = {
    "ray": _CHILD + "import ray; ray.init(sys.argv[1], log_to_driver=False, logging_level='error')",
    "dask": _CHILD + "import distributed; distributed.Client(sys.argv[1])",
}


def require_answer(backend: str, address: str) -> None:
    """Check that a cluster answers.

    **Raises:** `AssayError` unless it answers.

    A child process connects, because Ray retries for minutes and can end the process, and Dask waits without limit for a
    scheduler that accepts the connection and is silent.
    """
    if address != "auto":
        _require_listener(backend, address)
    try:
        child = run_python("-c", _CONNECT[backend], address, timeout=SECONDS_TO_CONNECT)
    except subprocess.TimeoutExpired:
        raise _unreachable(backend, address, f"no answer in {SECONDS_TO_CONNECT} s") from None
    if child.returncode:
        raise _unreachable(backend, address, child.stderr.decode(errors="replace").strip().rpartition("\n")[2])


def _require_listener(backend: str, address: str) -> None:
    """**Raises:** `AssayError` unless something accepts connections at the address: a quick check for the commonest mistake."""
    try:
        place = urlsplit(f"//{address.rpartition('//')[2]}")
        host, port = place.hostname, place.port
    except ValueError:
        host = port = None
    if host is None or port is None:
        raise AssayError("the address of a cluster must be host:port", given=address)
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        raise _unreachable(backend, address, error) from None


def _unreachable(backend: str, address: str, reason: object) -> AssayError:
    return AssayError(
        f"the {backend} cluster must answer at its address",
        given=f"{address} ({reason})",
        next_step="check that it runs and that this machine can reach it, and start again: finished jobs are kept",
    )
