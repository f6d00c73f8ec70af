"""What is built in two stages: the parts carried from one to the other, and the tables that each stage is trained on."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from assay.errors import AssayError
from assay.models import ModelConfig, rebuild
from assay.models.mlp import VectorMLP
from assay.objective import Regression
from assay.task import Examples
from assay.training import TrainingData
from assay.zoo.kinds.order import Order
from assay.zoo.kinds.places import stage
from assay.zoo.kinds.tables import everything, slots_of, values_of, vocab_of


@dataclass(frozen=True, eq=False)
class Stages:
    """How a task is answered in two stages.

    Tokens are told by columns of the one-hot code of the whole input: column `position * vocab + token`.

    **Attributes:**

    - `carried`: the parts that the second stage answers from, as `places.stage` gives them.
    - `derived`: those that the first stage computes, and `sizes`, how many values each has.
    - `read`: for every derived part the columns of the slots that it follows from.
    - `through`: the columns of the slots that the second stage takes as they are.
    - `tuples`: every trained and novel tuple, with the `coded` input `(n, length * vocab)`.
    """

    order: Order
    carried: tuple[str, ...]
    derived: tuple[str, ...]
    sizes: tuple[int, ...]
    read: tuple[Int[Tensor, " _"], ...]
    through: Int[Tensor, " _"]
    tuples: Examples
    coded: Float[Tensor, "n features"]

    def first(self, k: int) -> TrainingData:
        """Slots to derived part `k`, as a one-hot code: every value of the slots once."""
        values = F.one_hot(self.tuples.parts[self.derived[k]], self.sizes[k]).float()
        inputs, rows = self.coded[:, self.read[k]], self.first_rows(k)
        return TrainingData({"x": inputs[rows]}, values[rows], Regression(self.sizes[k], variance=1.0))

    def first_rows(self, k: int) -> Int[Tensor, " m"]:
        """One tuple for every value of the slots that derived part `k` follows from."""
        return first_of_each(values_of(self.tuples, self.order.task.derived[self.derived[k]]))

    def second(self) -> TrainingData:
        """One-hot codes of the derived parts and of the slots that are left to answers: every value of these once."""
        codes = [F.one_hot(self.tuples.parts[name], size) for name, size in zip(self.derived, self.sizes, strict=True)]
        inputs = torch.cat([*(code.float() for code in codes), self.coded[:, self.through]], 1)
        rows = first_of_each(values_of(self.tuples, self.carried))
        return TrainingData({"x": inputs[rows]}, self.tuples.targets[rows], self.order.task.objective)

    def mlp(self, what: str, num_features: int, num_outputs: int, *, width: int, depth: int) -> VectorMLP:
        """A freshly initialised piece; `what` keys its weights."""
        sizes = {"width": width, "depth": depth, "init_scale": self.order.model.options["init_scale"]}
        config = ModelConfig("mlp", {"num_features": num_features, "num_outputs": num_outputs, **sizes})
        model = rebuild(config, generator=self.order.generator(what))
        assert isinstance(model, VectorMLP)
        return model

    def second_mlp(self, *, width: int, depth: int) -> VectorMLP:
        """What answers from the code of `second`."""
        num_features, num_outputs = sum(self.sizes) + len(self.through), self.order.task.objective.width()
        return self.mlp("second stage", num_features, num_outputs, width=width, depth=depth)


def stages_of(order: Order) -> Stages:
    """**Raises:** `AssayError` when no derived part carries the answer, so that there is no first stage to build."""
    task, tuples = order.task, everything(order)
    carried = stage(task, tuples)
    derived = tuple(part for part in carried if part in task.derived)
    if not derived:
        raise AssayError(
            "a network is built in stages for a task whose answer follows from a derived part and the slots that are left",
            given=task.address,
            choices=task.derived,
        )
    tokens, vocab = tuples.inputs["tokens"], vocab_of(task)
    columns = {slot: (tokens[:, k].unique() + k * vocab) for k, slot in enumerate(slots_of(task))}
    through = [columns[part] for part in carried if part not in task.derived]
    return Stages(
        order=order,
        carried=carried,
        derived=derived,
        sizes=tuple(len(task.part(part).values) for part in derived),
        read=tuple(torch.cat([columns[slot] for slot in task.derived[part]]) for part in derived),
        through=torch.cat(through) if through else tokens.new_zeros(0),
        tuples=tuples,
        coded=F.one_hot(tokens, vocab).flatten(1).float(),
    )


def first_of_each(rows: Int[Tensor, "n columns"]) -> Int[Tensor, " m"]:
    """The number of one row of every kind."""
    kinds, kind = rows.unique(dim=0, return_inverse=True)
    order = torch.arange(len(rows) - 1, -1, -1)
    return torch.empty(len(kinds), dtype=torch.int64).scatter_(0, kind[order], order)
