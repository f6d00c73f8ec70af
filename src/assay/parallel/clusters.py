"""Connections to clusters that run already, refused within seconds where there is none."""

import importlib
import os
import socket
import subprocess
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from assay.errors import AssayError
from assay.parallel.children import run_python
from assay.parallel.engine import Engine

if TYPE_CHECKING:
    from distributed import Client

SECONDS_FOR_A_PORT = 5
SECONDS_TO_CONNECT = 20
_CHILD = "import sys; from assay.parallel.children import end_with; end_with(int(sys.argv[2])); "
JOIN = {
    "ray": _CHILD + "import ray; ray.init(sys.argv[1], log_to_driver=False, logging_level='error')",
    "dask": _CHILD + "import distributed; distributed.Client(sys.argv[1])",
}


def connect_ray(engine: Engine) -> tuple[ModuleType, bool]:
    """Ray, connected, and whether it was connected here. A connection that this process has already is used.

    **Raises:** `AssayError` when Ray is not installed, or the cluster does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = _installed("ray", engine)
    if ray.is_initialized():
        return ray, False
    _require_answer(engine)
    ray.init(engine.address, log_to_driver=False, logging_level="error")
    return ray, True


def connect_dask(engine: Engine) -> "Client":
    """A client of the Dask scheduler at the address, for the caller to close.

    **Raises:** `AssayError` when Dask is not installed, the scheduler does not answer, or a worker has several threads.
    """
    distributed = _installed("distributed", engine)
    _require_answer(engine)
    client = distributed.Client(engine.address, set_as_default=False)
    most = max(client.nthreads().values(), default=1)
    if most > 1:
        client.close()
        raise AssayError(
            "a Dask worker must have one thread: pieces that share a process share its torch threads",
            given=f"{most} threads",
            next_step="start workers with `--nthreads 1`, and `--nworkers` for more of them",
        )
    return client


def _installed(package: str, engine: Engine) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ImportError:
        raise AssayError(f"{engine.backend} must be installed", next_step="pip install 'assay[cluster]'") from None


def _require_answer(engine: Engine) -> None:
    """Raises unless the cluster answers.

    Ray tries for minutes where it finds none, and can end the process; Dask waits for ever for a scheduler that accepts
    the connection and is silent. A child process takes that risk.
    """
    if engine.address != "auto":
        _require_listener(engine)
    try:
        child = run_python("-c", JOIN[engine.backend], str(engine.address), timeout=SECONDS_TO_CONNECT)
    except subprocess.TimeoutExpired:
        raise _unreachable(engine, f"no answer in {SECONDS_TO_CONNECT} s") from None
    if child.returncode:
        raise _unreachable(engine, child.stderr.decode(errors="replace").strip().rpartition("\n")[2])


def _require_listener(engine: Engine) -> None:
    """Raises unless something accepts connections at the address: a quick answer to the commonest mistake."""
    try:
        place = urlsplit(f"//{(engine.address or '').rpartition('//')[2]}")
        host, port = place.hostname, place.port
    except ValueError:
        host = port = None
    if host is None or port is None:
        raise AssayError("the address of a cluster must be host:port", given=engine.address)
    try:
        socket.create_connection((host, port), timeout=SECONDS_FOR_A_PORT).close()
    except OSError as error:
        raise _unreachable(engine, error) from None


def _unreachable(engine: Engine, reason: object) -> AssayError:
    return AssayError(
        f"the {engine.backend} cluster must answer at its address",
        given=f"{engine.address} ({reason})",
        next_step="see that it runs and that this machine may reach it, and start again: what is finished is kept",
    )
