"""A cluster that cannot be reached or used is refused within seconds, with the reason."""

import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from assay import clusters
from assay.errors import AssayError
from assay.jobs import BackendName, Engine, run_unordered
from processes import all_end, free_port, wait_until


def refusal(engine: Engine) -> str:
    with pytest.raises(AssayError) as caught:
        list(run_unordered(abs, [1], engine=engine))
    return str(caught.value)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clusters, "SECONDS_TO_CONNECT", 2)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # Ray makes a folder before it finds that it is not needed


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_nobody_at_the_address(backend: BackendName):
    address = f"127.0.0.1:{free_port()}"
    message = refusal(Engine(backend=backend, address=address))
    assert message.startswith(f"the {backend} cluster must answer at its address. Given: {address} (")
    assert "Connection refused" in message
    assert message.endswith("finished jobs are kept.")


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_a_stranger_at_the_address(backend: BackendName, impatient: None):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert f"must answer at its address. Given: {address} (" in refusal(Engine(backend=backend, address=address))


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_who_waits_for_an_answer_ends_with_its_parent(backend: BackendName, impatient: None):
    code = "from assay.jobs import *; next(run_unordered(abs, [1], engine=Engine(backend={!r}, address={!r})))"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        script = code.format(backend, f"127.0.0.1:{silent.getsockname()[1]}")
        parent = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
        wait_until(psutil.Process(parent.pid).children)
        children = [child.pid for child in psutil.Process(parent.pid).children()]
        parent.kill()
        parent.wait()
        all_end(children)


def test_no_ray_cluster_to_be_found(impatient: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    assert "must answer at its address. Given: auto (" in refusal(Engine(backend="ray", address="auto"))


@pytest.mark.parametrize("address", ["somewhere", "host:port", "tcp://", "host:99999"])
def test_an_address_that_is_none(address: str):
    assert refusal(Engine(backend="dask", address=address)) == (
        f"the address of a cluster must be host:port. Given: {address}."
    )


@pytest.mark.parametrize(("backend", "package"), [("ray", "ray"), ("dask", "distributed")])
def test_a_backend_that_is_not_installed(backend: BackendName, package: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, package, None)
    message = refusal(Engine(backend=backend, address="127.0.0.1:1"))
    assert message == f"{backend} must be installed. Next: pip install 'assay[cluster]'."


def test_dask_workers_with_several_threads_are_refused(tmp_path: Path):
    import dask
    from distributed import LocalCluster

    size = {"n_workers": 1, "threads_per_worker": 2, "processes": False}
    with (
        dask.config.set(temporary_directory=str(tmp_path)),
        LocalCluster(**size, protocol="tcp://", host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
    ):
        message = refusal(Engine(backend="dask", address=cluster.scheduler_address))
    assert message.startswith("a Dask worker must have one thread")
    assert "Given: 2 threads" in message
