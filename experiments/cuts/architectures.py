"""The networks of the experiment: y = (i + j) mod p from inputs in which the two symbols are hidden, in two stages.

An *instance* draws symbols, inputs, the trained pairs and all weights from one seed. Its encoder is trained to name both
symbols of trained pairs; its head is trained to answer from two one-hot symbols. Joined, they are one network from the input to
the answer. Networks of an instance differ in one thing: the weight decay of the head, the trained pairs, or what one stage was
taught about novel pairs.

Inputs, none of which can be averaged over examples and still be read:

- `waveforms`: each symbol is a waveform of 10 samples at a random place in its half of 32 samples, with noise; a convolution,
  the largest value in each half, two layers.
- `pictures`: each symbol is a pattern of 5 x 5 pixels at a random place in its half of an image of 12 x 24, among random
  pixels; the same in two dimensions.
- `sentences`: twelve words as one-hot vectors, one noun somewhere in the first six and one in the last six, the rest fillers;
  the same 31 nouns in both places. A transformer.
- `constellations`: each symbol is five points around zero; the ten points of both come in any order within each half, with
  noise. A transformer without positions.
"""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

P = 31
KINDS = ("waveforms", "pictures", "sentences", "constellations")
FILLERS, LENGTH = 20, 12
POINTS = 5


@dataclass(frozen=True)
class World:
    """The symbols of one instance, and how an input shows a pair of them."""

    kind: str
    seed: int

    def inputs(self, pairs: Int[Tensor, "n 2"], generator: Generator) -> Tensor:
        """One input for each pair: symbols as they are, place and noise drawn anew."""
        shown = (self._waveforms, self._pictures, self._sentences, self._constellations)[KINDS.index(self.kind)]
        return shown(pairs, generator)

    def _drawn(self, *shape: int, part: int = 0) -> Tensor:
        return torch.randn(shape, generator=Generator().manual_seed(1000 * self.seed + part))

    def _waveforms(self, pairs: Tensor, generator: Generator) -> Float[Tensor, "n 32"]:
        symbols = self._drawn(P, 10)
        signal = torch.zeros(len(pairs), 2, 16)
        places = torch.randint(0, 7, (len(pairs), 2), generator=generator)
        at = places[..., None] + torch.arange(10)
        signal.scatter_(2, at, symbols[pairs])
        return (signal + 0.1 * torch.randn(signal.shape, generator=generator)).flatten(1)

    def _pictures(self, pairs: Tensor, generator: Generator) -> Float[Tensor, "n 1 12 24"]:
        symbols = (self._drawn(P, 5, 5) > 0).float() * 2 - 1
        n = len(pairs)
        image = (torch.rand(n, 2, 12, 12, generator=generator) < 0.05).float()
        rows, columns = torch.randint(0, 8, (2, n, 2), generator=generator)
        down, along = torch.arange(5)[:, None], torch.arange(5)
        where = (rows[..., None, None] + down) * 12 + columns[..., None, None] + along
        image = image.flatten(2).scatter(2, where.flatten(2), symbols[pairs].flatten(2)).view(n, 2, 12, 12)
        image = image + 0.1 * torch.randn(image.shape, generator=generator)
        return torch.cat([image[:, 0], image[:, 1]], -1)[:, None]

    def _sentences(self, pairs: Tensor, generator: Generator) -> Float[Tensor, "n 12 51"]:
        words = P + torch.randint(0, FILLERS, (len(pairs), 2, LENGTH // 2), generator=generator)
        places = torch.randint(0, LENGTH // 2, (len(pairs), 2, 1), generator=generator)
        words = words.scatter(2, places, pairs[..., None])
        return nn.functional.one_hot(words.flatten(1), P + FILLERS).float()

    def _constellations(self, pairs: Tensor, generator: Generator) -> Float[Tensor, "n 10 2"]:
        symbols = self._drawn(P, POINTS, 2)
        symbols = symbols - symbols.mean(1, keepdim=True)
        order = torch.rand(len(pairs), 2, POINTS, generator=generator).argsort(-1)
        points = symbols[pairs].gather(2, order[..., None].expand(-1, -1, -1, 2))
        return (points + 0.05 * torch.randn(points.shape, generator=generator)).flatten(1, 2)


class Waves(nn.Module):
    """Convolution, ReLU, largest value in each half, two layers to the logits of both symbols."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 64, 10)
        self.hidden = nn.Linear(2 * 64, 256)
        self.out = nn.Linear(256, 2 * P)

    def forward(self, x: Tensor) -> Tensor:
        halves = torch.relu(self.conv(x.view(-1, 1, 16)))
        pooled = halves.amax(-1).view(-1, 2 * 64)
        return self.out(torch.relu(self.hidden(pooled)))


class Pictures(nn.Module):
    """Convolution over the image, ReLU, largest value in each half, two layers."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 64, 5)
        self.hidden = nn.Linear(2 * 64, 256)
        self.out = nn.Linear(256, 2 * P)

    def forward(self, x: Tensor) -> Tensor:
        halves = torch.cat([x[..., :12], x[..., 12:]], 0)
        pooled = torch.relu(self.conv(halves)).flatten(2).amax(-1)
        first, second = pooled.chunk(2)
        return self.out(torch.relu(self.hidden(torch.cat([first, second], 1))))


class Sentences(nn.Module):
    """A transformer of one block over twelve words and two reading places, which give the logits of the symbols."""

    def __init__(self, width: int = 64):
        super().__init__()
        self.embed = nn.Linear(P + FILLERS, width, bias=False)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, width))
        self.ask = nn.Parameter(0.1 * torch.randn(2, width))
        self.block = Block(width)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, P)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.cat([self.embed(x) + self.place, self.ask.expand(len(x), -1, -1)], 1)
        return self.out(self.norm(self.block(state))[:, LENGTH:]).flatten(1)


class Constellations(nn.Module):
    """A transformer of one block over ten points, which know only their half, and two reading places."""

    def __init__(self, width: int = 64):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, width))
        self.side = nn.Parameter(0.1 * torch.randn(2, 1, width))
        self.ask = nn.Parameter(0.1 * torch.randn(2, width))
        self.block = Block(width)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, P)

    def forward(self, x: Tensor) -> Tensor:
        points = (self.embed(x).unflatten(1, (2, POINTS)) + self.side).flatten(1, 2)
        state = torch.cat([points, self.ask.expand(len(x), -1, -1)], 1)
        return self.out(self.norm(self.block(state))[:, 2 * POINTS :]).flatten(1)


class Block(nn.Module):
    """Attention with two heads and an MLP, each behind a LayerNorm, on a residual stream."""

    def __init__(self, width: int, heads: int = 2):
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        queries, keys, values = (
            part.view(n, length, self.heads, -1).transpose(1, 2) for part in self.qkv(self.first(x)).chunk(3, -1)
        )
        weights = torch.softmax(queries @ keys.transpose(-1, -2) / math.sqrt(width // self.heads), -1)
        x = x + self.mix((weights @ values).transpose(1, 2).reshape(n, length, width))
        return x + self.mlp(self.second(x))


class Head(nn.Module):
    """256 ReLU units on two one-hot symbols."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(2 * P, 256)
        self.out = nn.Linear(256, P)

    def forward(self, symbols: Tensor) -> Tensor:
        return self.out(torch.relu(self.hidden(symbols)))


class Joined(nn.Module):
    """Encoder, softmax over each symbol, head."""

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, x: Tensor) -> Tensor:
        logits = self.encoder(x).view(-1, 2, P)
        return self.head(torch.softmax(4 * logits, -1).flatten(1))


ENCODERS: dict[str, Callable[[], nn.Module]] = {
    "waveforms": Waves,
    "pictures": Pictures,
    "sentences": Sentences,
    "constellations": Constellations,
}


def all_pairs() -> Int[Tensor, "c 2"]:
    """Every pair of symbols."""
    return torch.cartesian_prod(torch.arange(P), torch.arange(P))


def trained_pairs(coverage: float, seed: int) -> Bool[Tensor, " c"]:
    """Which pairs are trained: a share drawn at random, every symbol among them."""
    generator = Generator().manual_seed(seed)
    order = torch.randperm(P * P, generator=generator)
    chosen = torch.zeros(P * P, dtype=torch.bool)
    chosen[order[: round(coverage * P * P)]] = True
    pairs = all_pairs()[chosen]
    assert all(len(pairs[:, side].unique()) == P for side in (0, 1))
    return chosen


def encoder_of(
    world: World, names: Int[Tensor, "c 2"], pairs: Int[Tensor, "c 2"], *, seed: int, steps: int, batch: int = 512
) -> nn.Module:
    """An encoder trained on inputs of `pairs`, drawn anew at each step, to name the symbols `names`."""
    torch.manual_seed(seed)
    encoder = ENCODERS[world.kind]()
    generator = Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(pairs), (batch,), generator=generator)
        logits = encoder(world.inputs(pairs[rows], generator)).view(-1, P)
        loss = nn.functional.cross_entropy(logits, names[rows].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return encoder.eval()


def head_of(
    pairs: Int[Tensor, "c 2"],
    answers: Int[Tensor, " c"],
    *,
    decay: float,
    seed: int,
    rate: float = 0.01,
    steps: int = 2000,
    start: nn.Module | None = None,
    stop: Callable[[nn.Module], bool] = lambda head: False,
) -> nn.Module:
    """A head trained on all these pairs at once, from `start` if given, until `stop` (asked every 20 steps) says so."""
    torch.manual_seed(seed)
    head = deepcopy(start) if start else Head()
    symbols = nn.functional.one_hot(pairs, P).flatten(1).float()
    optimiser = torch.optim.AdamW(head.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=decay)
    for step in range(steps):
        loss = nn.functional.cross_entropy(head(symbols), answers)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 20 == 19 and stop(head):
            break
    return head.eval()
