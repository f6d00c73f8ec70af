"""Side by side: two nouns among other words. The mean of a noun's inputs still names it, so this family is behavioural."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.nn import functional as F

from zoo.families.symbols import SymbolTask

FILLERS, LENGTH = 9, 10


@dataclass(frozen=True, kw_only=True)
class Phrases(SymbolTask):
    """One noun somewhere in the first five words, one in the last five, the rest fillers. The input is `(n, 10, nouns + 9)`,
    one-hot words."""

    family: ClassVar[str] = "phrases"
    side_by_side: ClassVar[bool] = True

    def shown(self, values: Int[Tensor, "n 2"], *, generator: Generator) -> Float[Tensor, "n 10 v"]:
        nouns = max(self.sizes)
        words = nouns + torch.randint(0, FILLERS, (len(values), 2, LENGTH // 2), generator=generator)
        places = torch.randint(0, LENGTH // 2, (len(values), 2, 1), generator=generator)
        return F.one_hot(words.scatter(2, places, values[..., None]).flatten(1), nouns + FILLERS).float()
