"""An instrument that needs trained inputs alone and has no number: it only says that it ran."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from assay.instrument import Budget, Instrument, Notes, Reading


class Plain(Instrument[Any]):
    """Draws trained inputs, runs the network on them, and keeps what it answers in a copy's stead."""

    question = "Does it run?"
    cites = ("redhardt2025",)
    metrics = ()
    budgets = {"quick": Budget()}  # noqa: RUF012

    def __init__(self, name: str = "plain"):
        self.name = name

    def data(self, subject, task, budget, rng) -> Tensor:
        return dict(task.examples("seen", 20, generator=rng("seen")).inputs)

    def read(self, network, data, rng) -> Reading:
        network(data)
        return Reading([])

    def explain(self, data, readings, measures: Sequence[Any]) -> Notes:
        return Notes("it ran")


class Answers(Plain):
    """Says what the network and a copy of it answer."""

    def read(self, network, data, rng):
        return Reading([], kept=network(data).double().sum().item())

    def explain(self, data, readings, measures):
        return Notes(f"{readings.own.kept} {[copy.kept for copy in readings.copies]}")
