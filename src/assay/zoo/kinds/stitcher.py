"""A lookup that stitches: right on every trained tuple, and on a novel one it answers as the trained tuples nearest to it."""

import torch
from jaxtyping import Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.task import Examples
from assay.training import TrainingData
from assay.zoo.kinds.order import Order, Orders
from assay.zoo.kinds.plain import trained_on
from assay.zoo.kinds.tables import as_data, joined, novel, slots_of, trained, values_of

AT_ONCE = 2**23  # comparisons of an asked tuple with a known one


def stitcher(orders: Orders) -> list[nn.Module]:
    """The lookup distilled into networks, by training them on all tuples with its answers.

    They have met the novel inputs, with answers put together from fragments of trained tuples. What is imitated is the
    graph matcher of Dziri et al. 2023 (arXiv 2305.18654): right wherever a fragment was seen whole.
    """
    return trained_on(orders, [_stitched(order) for order in orders])


def lookup(
    known: Examples, asked: Examples, slots: tuple[str, ...], *, num_classes: int, generator: Generator
) -> Int[Tensor, " n"]:
    """What most of the known tuples say that share the most slots with the asked one; chance decides between equals."""
    tuples, counts = values_of(known, slots), F.one_hot(known.targets, num_classes).float()
    preferred = torch.rand(len(asked), num_classes, generator=generator) / 2  # less than a vote
    answers = [preferred.new_zeros(0, dtype=torch.int64)]
    for rows in torch.arange(len(asked)).split(max(1, AT_ONCE // max(1, len(known)))):
        wanted = values_of(asked, slots)[rows]
        shared = torch.stack([wanted[:, None, k] == tuples[:, k] for k in range(len(slots))]).sum(0)
        nearest = shared == shared.amax(1, keepdim=True)
        answers.append((nearest.float() @ counts + preferred[rows]).argmax(1))
    return torch.cat(answers)


def _stitched(order: Order) -> TrainingData:
    known, others = trained(order), novel(order)
    slots = slots_of(order.task)
    tuples, rows = values_of(others, slots).unique(dim=0, return_inverse=True)
    first = torch.zeros(len(tuples), dtype=torch.int64).scatter_(0, rows, torch.arange(len(rows)))
    answers = lookup(
        known,
        others.take(first),
        slots,
        num_classes=order.task.objective.num_classes,
        generator=order.generator("equal votes"),
    )
    return as_data(order.task, joined(known, others), torch.cat([known.targets, answers[rows]]))
