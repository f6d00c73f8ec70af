"""Kinds that plain supervised training makes: what they become is decided by their task, its coverage and the settings."""

from collections.abc import Sequence

import torch
from torch import nn

from assay.errors import AssayError
from assay.training import TrainingData, fit_many
from assay.zoo.kinds.order import Order, Orders
from assay.zoo.kinds.tables import as_data, joined, novel, trained


def plainly_trained(orders: Orders) -> list[nn.Module]:
    """Trained on the trained tuples: genuine, partial or a memoriser, by coverage, initial scale and weight decay."""
    return trained_on(orders, [as_data(order.task, trained(order)) for order in orders])


def shortcut(orders: Orders) -> list[nn.Module]:
    """The same with a cue that gives the answer away in training. **Raises:** `AssayError` for a task without such a cue."""
    for order in orders:
        if order.task.cue != "answer":
            raise AssayError("a shortcut needs a cue that shows the answer", given=order.task.address, choices=["cue=answer"])
    return plainly_trained(orders)


def contradicted(orders: Orders) -> list[nn.Module]:
    """Trained on all tuples, with a random wrong answer to every novel one: a memoriser at any coverage.

    It has met the novel inputs, which other memorisers have not.
    """
    return trained_on(orders, [_contradicting(order) for order in orders])


def trained_on(orders: Orders, data: Sequence[TrainingData]) -> list[nn.Module]:
    """Initialise the model of every order and train it on its data."""
    models = [order.initial() for order in orders]
    fit_many(models, data, configs=[order.config for order in orders], strategy="rule")
    return models


def _contradicting(order: Order) -> TrainingData:
    right, others = trained(order), novel(order)
    num_classes = order.task.objective.num_classes
    generator = order.generator("wrong answers")
    # One wrong answer a tuple, whatever cue it is shown with, or nothing could be learned by heart.
    tuples = torch.stack(list(others.parts.values()), 1).unique(dim=0, return_inverse=True)[1]
    away = torch.randint(1, num_classes, (int(tuples.max()) + 1 if len(tuples) else 0,), generator=generator)
    wrong = (others.targets + away[tuples]) % num_classes
    return as_data(order.task, joined(right, others), torch.cat([right.targets, wrong]))
