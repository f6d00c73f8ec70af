"""Sources of training batches: a task, or your own tensors with an objective."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.display import brief
from assay.errors import AssayError
from assay.objective import Objective
from assay.task import Examples, Split, Task, TrainsOnMore, draw_rows

Batch = tuple[dict[str, Tensor], Tensor]
"""Inputs by name and targets, each `(models, batch, ...)`."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Training data without a task: tensors from which rows are drawn with replacement.

    **Attributes:**

    - `inputs`: keyword arguments of the model's forward, each `(n, ...)`.
    - `targets`: `(n, ...)`, in the form of the objective.
    - `objective`: provides the loss.

    Example::

        >>> data = assay.TrainingData({"input": torch.rand(8, 2)}, torch.zeros(8, dtype=torch.long), assay.Classification(2))
        >>> (record,) = assay.fit_many([torch.nn.Linear(2, 2)], data, configs=assay.TrainingConfig(steps=5, batch_size=8))
        >>> len(record.losses) > 0
        True
    """

    __repr__ = brief

    inputs: Mapping[str, Tensor]
    targets: Tensor
    objective: Objective
    address = "the training data"

    def __post_init__(self):
        lengths = {name: len(column) for name, column in {**self.inputs, "targets": self.targets}.items()}
        if len(set(lengths.values())) != 1:
            raise AssayError("inputs and targets must have one row per example", given=f"rows: {lengths}")

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        """Draw `n` rows. They have no parts; `combination` is the row number."""
        rows = draw_rows(len(self.targets), n, replacement=True, generator=generator)
        return Examples({name: column[rows] for name, column in self.inputs.items()}, self.targets[rows], {}, rows)

    def loss(self, outputs: Tensor, examples: Examples) -> Float[Tensor, ""]:
        """Scalar loss."""
        return self.objective.loss(outputs, examples.targets)


Source = Task | TrainingData


class Batches:
    """Stacked batches of several models, each drawn from its own source by its own generator."""

    def __init__(self, sources: Sequence[Source], generators: Sequence[Generator], size: int):
        self.sources, self.generators, self.size = sources, generators, size
        self._joined = _joined(sources, size)

    def draw(self, device: torch.device) -> Batch:
        """The next batch of every model. **Raises:** `AssayError` when a source has no examples."""
        if self._joined is not None:
            inputs, targets = self._joined.draw(self.generators)
        else:
            examples = [draw(*drawn, self.size) for drawn in zip(self.sources, self.generators, strict=True)]
            inputs = {name: torch.stack([one.inputs[name] for one in examples]) for name in examples[0].inputs}
            targets = torch.stack([one.targets for one in examples])
        return {name: column.to(device) for name, column in inputs.items()}, targets.to(device)


def draw(source: Source, generator: Generator, size: int) -> Examples:
    """The next training examples. **Raises:** `AssayError` when there are none."""
    if isinstance(source, TrainsOnMore):
        examples = source.training(size, generator=generator)
    else:
        examples = source.examples("train", size, generator=generator)
    if not len(examples):
        raise AssayError(f"{source.address} must have training examples", given="none in its train split")
    return examples


@dataclass(frozen=True)
class _Joined:
    """Training data of several models in one table, so that all batches are one gather."""

    inputs: Mapping[str, Tensor]
    targets: Tensor
    starts: Tensor
    lengths: Sequence[int]
    rows: Sequence[Tensor]

    def draw(self, generators: Sequence[Generator]) -> Batch:
        for rows, length, generator in zip(self.rows, self.lengths, generators, strict=True):
            rows.random_(0, length, generator=generator)  # as draw_rows, without a new tensor for every model
        rows = torch.stack(list(self.rows)).add_(self.starts[:, None]).to(self.targets.device)
        inputs = {name: column.index_select(0, rows.flatten()).unflatten(0, rows.shape) for name, column in self.inputs.items()}
        return inputs, self.targets.index_select(0, rows.flatten()).unflatten(0, rows.shape)


def _joined(sources: Sequence[Source], size: int) -> _Joined | None:
    tables = [source for source in sources if isinstance(source, TrainingData)]
    lengths = [len(table.targets) for table in tables]
    if len(tables) < len(sources) or not all(lengths):
        return None
    starts: dict[int, int] = {}
    distinct: list[TrainingData] = []
    end = 0
    for table in tables:
        if id(table) not in starts:
            starts[id(table)] = end
            distinct.append(table)
            end += len(table.targets)
    return _Joined(
        {name: _cat([table.inputs[name] for table in distinct]) for name in distinct[0].inputs},
        _cat([table.targets for table in distinct]),
        torch.tensor([starts[id(table)] for table in tables]),
        lengths,
        [torch.empty(size, dtype=torch.int64) for _ in tables],
    )


def _cat(columns: list[Tensor]) -> Tensor:
    return columns[0] if len(columns) == 1 else torch.cat(columns)  # a single table is not copied
