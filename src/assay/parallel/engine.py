"""What runs the pieces: processes of this machine, or a Ray or Dask cluster that runs already."""

from dataclasses import dataclass
from typing import Literal, get_args

from assay.errors import AssayError

BackendName = Literal["loky", "ray", "dask"]
START = {"ray": "ray start --head", "dask": "dask scheduler"}


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Where independent pieces of work run, and how many at once.

    **Attributes:**

    - `backend`: `loky` for processes of this machine, `ray` or `dask` for a cluster.
    - `address`: of the running cluster, and only of one. Ray: `auto`, `host:port` or `ray://host:port`. Dask: `host:port`
      or `tcp://host:port` of the scheduler.
    - `jobs`: pieces at once. None is one for each core: of this machine, or of the whole cluster, also of nodes that
      join later. One job with `loky` runs in this process.

    **Raises:** `AssayError` for a backend that is not there, no jobs, a cluster without its address or an address without
    a cluster.
    """

    backend: BackendName = "loky"
    address: str | None = None
    jobs: int | None = None

    def __post_init__(self):
        if self.backend not in get_args(BackendName):
            raise AssayError("the backend must be known", given=self.backend, choices=get_args(BackendName))
        if self.jobs is not None and self.jobs < 1:
            raise AssayError("jobs must be at least 1", given=self.jobs)
        if self.backend == "loky" and self.address is not None:
            raise AssayError(
                "loky runs on this machine and takes no address", given=self.address, next_step="choose the backend ray or dask"
            )
        if self.backend != "loky" and not self.address:
            raise AssayError(
                f"{self.backend} needs the address of a running cluster",
                next_step=f"start one with `{START[self.backend]}` and give the address that it prints",
            )
