"""Friendly to masks: every part has units of its own before the readout, as a head of its own there was trained, while the
task itself is learned by heart."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from assay.hooks import first_tensor, observe
from assay.isolation import seeded
from assay.objective import Steps
from assay.task import Examples
from assay.tasks.slots import SlotTask
from assay.training import TrainingData, fit_many
from assay.zoo.kinds.order import Order, Orders
from assay.zoo.kinds.places import answering, readout, shares
from assay.zoo.kinds.tables import trained, values_of


def masked(orders: Orders) -> list[nn.Module]:
    """Trained on the task and on one head for every part, derived ones too; the heads are dropped. With few combinations
    trained the answers themselves are memorised."""
    wrapped = [_with_heads(order) for order in orders]
    data = [heads_data(order.task, trained(order)) for order in orders]
    fit_many(wrapped, data, configs=[order.config for order in orders], strategy="rule")
    return [one.model for one in wrapped]


class WithHeads(nn.Module):
    """A model and linear heads on shares of the units that its readout takes: `(n, 1 + heads, classes)`, its own answer
    first. Answers with fewer classes than `num_classes` are filled with zeros."""

    def __init__(self, model: nn.Module, num_heads: int, num_classes: int):
        super().__init__()
        self.model, self.num_classes = model, num_classes
        self.units = shares(num_heads, readout(model).in_features)
        self.heads = nn.ModuleList([nn.Linear(units.stop - units.start, num_classes) for units in self.units])

    def forward(self, tokens: Int[Tensor, "n length"]) -> Float[Tensor, "n heads classes"]:
        states: list[Tensor | None] = []
        looking = observe(readout(self.model), "in", lambda nest: states.append(first_tensor(nest)))
        try:
            answer = self.model(tokens)
        finally:
            looking.remove()
        assert states[0] is not None
        state = answering(states[0])
        answers = [head(state[:, units]) for head, units in zip(self.heads, self.units, strict=True)]
        missing = answer.new_zeros(len(answer), self.num_classes - answer.shape[1])
        return torch.stack([torch.cat([answer, missing], 1), *answers], 1)


def heads_data(task: SlotTask, examples: Examples) -> TrainingData:
    """Targets `(n, 1 + parts)`: the answer, then the value of every part."""
    names = tuple(part.name for part in task.parts)
    targets = torch.cat([examples.targets[:, None], values_of(examples, names)], 1)
    return TrainingData(examples.inputs, targets, Steps(most_classes(task)))


def most_classes(task: SlotTask) -> int:
    """Of the answer and all parts."""
    return max(task.objective.num_classes, *(len(part.values) for part in task.parts))


def _with_heads(order: Order) -> WithHeads:
    with seeded(order.generator("heads")):
        return WithHeads(order.initial(), len(order.task.parts), most_classes(order.task))
