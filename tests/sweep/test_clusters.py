"""Whole sweeps on Ray and Dask: the same results to the last bit, also when a node is killed in the middle."""

from collections.abc import Iterator

import pytest

from assay.jobs import Engine
from assay.sweep import Sweep, SweepPlan, finished, sweep

PLAN = SweepPlan(
    task="modular:p=5,num_first=5,num_second=5",
    over={"coverage": ("0.4", "0.6"), "width": ("4", "8", "500", "600")},  # each wide one is a piece of its own
    seeds=3,
    settings={"steps": "20", "batch_size": "64"},
    instruments=("systematicity",),
)
pytestmark = [
    pytest.mark.slow,
    # What the libraries leave open when they are shut down is theirs to close.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(ray|distributed|dask).*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*"),
]


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Sweep:
    """The sweep on this machine alone."""
    return sweep(PLAN, out=tmp_path_factory.mktemp("local") / "out", engine=Engine(jobs=2))


def results(done: Sweep) -> list[dict[str, object]]:
    return [row.result() for row in done.rows]


class RayCluster:
    """Two nodes on this machine, each with one core."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "object_store_memory": 80_000_000}
        self._cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        self._second = self._cluster.add_node(**node)
        self.address = self._cluster.address

    def kill_second_node(self) -> None:
        """SIGKILL to everything that the node is made of."""
        self._cluster.remove_node(self._second, allow_graceful=False)

    def stop(self) -> None:
        self._cluster.shutdown()


@pytest.fixture
def ray_cluster(monkeypatch) -> Iterator[RayCluster]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    cluster = RayCluster()
    yield cluster
    cluster.stop()


def test_a_sweep_on_two_ray_nodes_survives_the_death_of_one(ray_cluster, local, tmp_path):
    engine = Engine(backend="ray", address=ray_cluster.address, jobs=None)
    out, killed = tmp_path / "out", []

    def kill_in_the_middle(doing: str, done: float) -> None:
        if not killed and len(finished(out)) >= 4:
            killed.append(len(finished(out)))
            ray_cluster.kill_second_node()

    done = sweep(PLAN, out=out, engine=engine, progress=kill_in_the_middle)
    assert killed
    assert killed[0] < len(local.rows) - 2, "it was killed when all was done"
    assert done.failures == ()
    assert results(done) == results(local)


@pytest.fixture
def dask_cluster() -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def test_a_sweep_on_dask_is_the_same(dask_cluster, local, tmp_path):
    engine = Engine(backend="dask", address=dask_cluster, jobs=None)
    assert results(sweep(PLAN, out=tmp_path / "out", engine=engine)) == results(local)
