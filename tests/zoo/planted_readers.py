"""Networks made by hand, which read the symbols of an input without being trained."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.families import SymbolTask
from zoo.families.sentences import NOT, TRAITS, SymbolSentences


class Reader(nn.Module):
    """Sure logits of the symbols of sentences: an adjective counts for its trait, or against it behind `not`."""

    def __init__(self, task: SymbolSentences):
        super().__init__()
        self.task = task

    def forward(self, x: Tensor) -> Tensor:
        words = x[:, 2:].unflatten(1, (2, TRAITS, 2))
        negated = words[..., 0, NOT] > 0.5
        said = words[..., 1, : 2 * TRAITS].argmax(-1) % 2
        traits = (said + negated) % 2
        distance = (traits[:, :, None] != self.task._traits).sum(-1)
        return 10 * F.one_hot(distance.argmin(-1), len(self.task._traits)).flatten(1).float()


class Codes(nn.Module):
    """Logits that are sure of the symbols of one-hot codes."""

    def forward(self, codes: Tensor) -> Tensor:
        return 10 * codes


class Answering(nn.Module):
    """The declared answers of the symbols that an encoder names."""

    def __init__(self, encoder: nn.Module, task: SymbolTask):
        super().__init__()
        self.encoder, self.task = encoder, task

    def forward(self, x: Tensor) -> Tensor:
        named = torch.stack([part.argmax(1) for part in self.encoder(x).split(self.task.sizes, 1)], 1)
        return F.one_hot(self.task.answers[self.task.ids(named)], self.task.num_answers).float()


class Bag(nn.Module):
    """Logits of the nouns of phrases: how often each occurs in each half."""

    def forward(self, x: Tensor) -> Tensor:
        return 10 * x[..., :23].unflatten(1, (2, 5)).sum(2).flatten(1)
