"""A network that hands its answer over in many ways. No task is imported here, so that it can be judged where there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


@dataclass
class Labelled:
    hidden: Tensor
    answer: Tensor


class Pair(NamedTuple):
    hidden: Tensor
    answer: Tensor


class Named:
    """As the outputs of transformers: the answer is an attribute of that name."""

    def __init__(self, hidden: Tensor, logits: Tensor):
        self.hidden, self.logits = hidden, logits


SHAPES: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "tensor": lambda hidden, answer: answer,
    "tuple": lambda hidden, answer: (hidden, answer),
    "loss first": lambda hidden, answer: (answer.square().mean(), answer),
    "list in a list": lambda hidden, answer: [hidden, [answer]],
    "dictionary": lambda hidden, answer: {"hidden": hidden, "answer": answer},
    "classes beside it": lambda hidden, answer: {"classes": answer.argmax(-1), "answer": answer},
    "dataclass": Labelled,
    "named tuple": Pair,
    "logits": Named,
    "twice": lambda hidden, answer: {"answer": answer, "again": answer},
}


class Net(nn.Module):
    """One network, however it hands its answer over."""

    def __init__(self, shape: str = "tuple"):
        super().__init__()
        self.shape = shape
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.embed, self.first, self.last = nn.Embedding(17, 8), nn.Linear(24, 16), nn.Linear(16, 5)

    def forward(self, tokens: Tensor) -> Any:
        hidden = self.first(self.embed(tokens).flatten(1)).relu()
        return SHAPES[self.shape](hidden, self.last(hidden))
