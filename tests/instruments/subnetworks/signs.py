"""Odd-one-out problems on two signs, and networks that hold them apart, hold them as one table, or hold nothing."""

from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.objective import Classification
from assay.task import Examples, Part, Pool, Split, Task

NOISE = 6
_QUARTERS = {"base": (0, 2), "mask": (2, 3), "test": (3, 4)}


class Signs(Task):
    """Items `(8,)`: two signs, which the two parts ask to be positive, and six bits of noise, whose pattern is the
    combination; the last two bits tell the pool. Not one item is in two pools."""

    address = "signs"
    combines = ("first", "second")
    input_spec = None
    objective = Classification(4)

    def __init__(self):
        self.parts = tuple(Part(name, ("broken", "obeyed")) for name in self.combines)

    def combinations(self, split: Split) -> Tensor:
        return torch.tensor([[0, 1], [1, 0]])

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        return self.problems(n, pool="test" if split == "novel" else "base", generator=generator)

    def problems(self, n: int, *, pool: Pool, generator: Generator) -> Examples:
        obeys = torch.ones(n, 4, 2)
        obeys[torch.arange(n), 0, torch.randint(2, (n,), generator=generator)] = -1
        return self._posed(obeys, pool, generator)

    def reading(self, part: str, n: int, *, pool: Pool, generator: Generator) -> Examples:
        obeys = torch.randint(2, (n, 4, 2), generator=generator) * 2.0 - 1
        obeys[:, :, self.combines.index(part)] = 1
        obeys[:, 0, self.combines.index(part)] = -1
        return self._posed(obeys, pool, generator)

    def testing(self, part: str, n: int, *, pool: Pool, generator: Generator) -> Examples:
        obeys = torch.ones(n, 4, 2)
        obeys[:, 0, self.combines.index(part)] = -1
        return self._posed(obeys, pool, generator)

    def nonsense(self, seed: int, n: int, *, pool: Pool, generator: Generator) -> Examples:
        return self._posed(torch.randint(2, (n, 4, 2), generator=generator) * 2.0 - 1, pool, generator)

    def _posed(self, signs: Tensor, pool: Pool, generator: Generator) -> Examples:
        n, (low, high) = len(signs), _QUARTERS[pool]
        noise = torch.randint(2, (n, 4, NOISE), generator=generator)
        quarter = torch.randint(low, high, (n, 4), generator=generator)
        noise[..., -2], noise[..., -1] = quarter // 2, quarter % 2
        items = torch.cat([signs, noise * 2.0 - 1], -1)
        order = torch.rand(n, 4, generator=generator).argsort(1)
        combination = (noise[:, 0] * 2 ** torch.arange(NOISE)).sum(-1)
        rows = torch.arange(n)[:, None]
        parts = {name: (signs[:, 0, k] > 0).long() for k, name in enumerate(self.combines)}
        return Examples({"items": items[rows, order]}, (order == 0).long().argmax(1), parts, combination)


class Odd(nn.Module):
    """The item whose code is least like the others'."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, items: Tensor) -> Tensor:
        codes = F.normalize(self.encoder(items), dim=-1)
        return -4 * torch.einsum("nid,njd->ni", codes, codes)


def chain(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def apart(*, width: int = 48) -> Odd:
    """A unit for each sign, and a dimension of the code for each; the other units write noise into the rest of the code."""
    encoder = chain(8, width, 4)
    for weight in encoder.parameters():
        weight.zero_()
    draws = Generator().manual_seed(0)
    encoder[0].weight[2:, 2:] = torch.randn(width - 2, 6, generator=draws) / 2
    encoder[2].weight[2:, 2:] = torch.randn(2, width - 2, generator=draws) / 25
    for unit in (0, 1):
        encoder[0].weight[unit, unit] = encoder[0].bias[unit] = 1.0
        encoder[2].weight[unit, unit], encoder[2].bias[unit] = 1.0, -1.0
    return Odd(encoder).eval()


@torch.no_grad()
def as_one() -> Odd:
    """A unit for each of the four settings, and one code for the setting that obeys both, its opposite for all others."""
    encoder = chain(8, 12, 4)
    for weight in encoder.parameters():
        weight.zero_()
    for unit, (a, b) in enumerate([(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)]):
        encoder[0].weight[unit, :2] = torch.tensor([a, b])
        encoder[0].bias[unit] = -1.0
        encoder[2].weight[:2, unit] = 1.0 if a == b == 1.0 else -1.0
    return Odd(encoder).eval()


@torch.no_grad()
def with_a_stream() -> Odd:
    """`apart`, whose code is written and read by one more Linear layer that follows without a non-linearity."""
    module = apart()
    more = nn.Linear(4, 4, bias=False)
    more.weight.copy_(torch.eye(4))
    module.encoder.append(more)
    return module
