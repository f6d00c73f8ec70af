"""Common shape of the networks of one point of a sweep."""

from dataclasses import dataclass

from assay.store import Scalar
from assay.training import PreparedRun


@dataclass(frozen=True)
class CellShape:
    """Architecture, schedule and cost per step of cells that are trained together.

    **Attributes:** `model` and `options`: the architecture; `steps`, `batch_size`; `flops` of one step, forward and
    backward, counted as six for every weight and example (exact for dense layers).
    """

    model: str
    options: tuple[tuple[str, Scalar], ...]
    steps: int
    batch_size: int
    flops: float

    @classmethod
    def of(cls, prepared: PreparedRun) -> "CellShape":
        """The shape of a prepared run."""
        weights = sum(parameter.numel() for parameter in prepared.model.parameters())
        config = prepared.config
        return cls(
            prepared.record.model,
            tuple(prepared.record.options.items()),
            config.steps,
            config.batch_size,
            6.0 * weights * config.batch_size,
        )
