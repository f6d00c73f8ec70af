"""Networks whose inside is written down: what the hidden layer holds of a tuple, and how the answer is read from it."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.subject import Subject
from assay.tasks.modular import Modular

TASK = Modular(p=5, num_first=6, num_second=6, synonyms=True, coverage=0.6)
SIZES = (6, 6, 5)
SHARP = 12.0
OBSERVED_SIZES = {"num_examples": 800, "num_pairs": 300, "num_scrambles": 5, "num_folds": 8}

Code = Callable[[Tensor], Tensor]


class Planted(nn.Module):
    """From `tokens` to the state that `write` makes of the values (i, j, x), to the logits that `read` makes of the state."""

    def __init__(self, write: Code, read: Code):
        super().__init__()
        self.write, self.read = write, read
        self.hidden = nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        values = tokens - torch.tensor([0, 6, 12])
        return self.read(self.hidden(self.write(values)))


def subject(write: Code, read: Code) -> Subject:
    """Untrained, it writes a random code of every tuple and reads it at random."""

    def fresh(generator: Generator) -> nn.Module:
        width = write(torch.zeros(1, 3, dtype=torch.int64)).shape[1]
        codes, head = torch.randn(180, width, generator=generator), torch.randn(width, 5, generator=generator)
        return Planted(lambda values: codes[number(values)], lambda state: state @ head)

    return Subject(Planted(write, read), name="planted", fresh=fresh)


def number(values: Tensor) -> Tensor:
    """Of every tuple."""
    return (values[:, 0] * 6 + values[:, 1]) * 5 + values[:, 2]


def blocks(values: Tensor) -> Tensor:
    """The one-hot codes of all parts side by side."""
    return torch.cat([F.one_hot(column, size).float() for column, size in zip(values.unbind(1), SIZES, strict=True)], 1)


def tags(width: int = 60, seed: int = 3) -> Tensor:
    """A code of its own for every tuple: unit vectors in random directions."""
    return F.normalize(torch.randn(180, width, generator=Generator().manual_seed(seed)), dim=1)


def answers() -> Tensor:
    """One-hot answers `(6, 6, 5, 5)` of the rule."""
    examples = [TASK.examples(split, 10**6, generator=Generator().manual_seed(0)) for split in ("seen", "novel")]
    table = torch.zeros(6, 6, 5, dtype=torch.int64)
    for some in examples:
        table[some.parts["i"], some.parts["j"], some.parts["x"]] = some.targets
    return F.one_hot(table, 5).float()


def soft(state: Tensor) -> Tensor:
    """Which value a one-hot code means, softly, so that outputs have gradients."""
    return (SHARP * state).softmax(-1)


def by_rule(first: Tensor, second: Tensor, argument: Tensor) -> Tensor:
    """The answer of the rule to values given as soft one-hot codes."""
    return torch.einsum("na,nb,nc,abcy->ny", first, second, argument, ANSWERS)


def by_heart(codes: Tensor) -> Code:
    """The answer to the tuple whose code is nearest."""
    return lambda state: (2 * SHARP * state @ codes.T).softmax(-1) @ ANSWERS.flatten(0, 2)


ANSWERS = answers()
