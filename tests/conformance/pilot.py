"""Forty-eight small networks whose true answer is known: y = g_j(f_i(x)), four ways to learn it, three shares of the pairs.

- `plain`: trained on the answer alone.
- `aux`: z = f_i(x) is asked of the second hidden layer as well.
- `inert`: z is asked of one half of the units, the answer of the other; nothing leads from the one to the other.
- `composer`: one half finds z, as one of eight symbols, and the other half is given nothing but z and j.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.models.mlp import OneHot
from assay.subject import Subject
from assay.tasks.modular import Modular

Kind = Literal["plain", "aux", "inert", "composer"]
KINDS: tuple[Kind, ...] = ("plain", "aux", "inert", "composer")
SHARES = (0.3, 0.6, 0.9)
SEEDS = (0, 1, 2, 3)
P, NUM = 8, 7
VOCAB = P + 2 * NUM
WIDTH, STEPS, BATCH, RATE, NOISE = 128, 1200, 96, 3e-3, 0.1


@dataclass(frozen=True)
class Pilot:
    """A trained network, its task, and its scores on trained and on novel pairs."""

    kind: Kind
    share: float
    task: Modular
    module: nn.Module
    seen: float
    novel: float

    @property
    def subject(self) -> Subject:
        return Subject(self.module, name=f"{self.kind} {self.share}")


class Straight(nn.Module):
    """An MLP on one-hot codes, its layers in a chain."""

    def __init__(self, width: int = WIDTH):
        super().__init__()
        self.encode = OneHot(VOCAB)
        self.layers = chain([3 * VOCAB, width, width, width, P])

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layers(self.encode(tokens))


class Composer(nn.Module):
    """The front finds z; `inner` holds z, as one symbol, beside the token of j; the back answers from there."""

    def __init__(self):
        super().__init__()
        self.encode = OneHot(VOCAB)
        self.front = chain([3 * VOCAB, WIDTH, P])
        self.inner = nn.Identity()
        self.back = chain([P + 3 * VOCAB, WIDTH, P])

    def forward(self, tokens: Tensor) -> Tensor:
        codes = self.encode(tokens)
        return self.back(self.inner(torch.cat([symbol(self.front(codes)), only_j(codes)], -1)))


def chain(sizes: Sequence[int]) -> nn.Sequential:
    """Linear, ReLU, ..., Linear."""
    layers = [layer for before, after in pairwise(sizes) for layer in (nn.Linear(before, after), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def symbol(logits: Tensor) -> Tensor:
    """The largest one as a one-hot code; gradients are those of the softmax."""
    soft = logits.softmax(-1)
    return F.one_hot(logits.argmax(-1), P) + soft - soft.detach()


def only_j(codes: Tensor) -> Tensor:
    """The codes of the tokens, those of i and x blanked."""
    return codes * torch.tensor([0.0, 1.0, 0.0]).repeat_interleave(VOCAB)


class Stack:
    """Chains of equal sizes side by side: every weight has a first dimension for the network."""

    def __init__(self, num: int, sizes: Sequence[int], generator: Generator):
        self.weights, self.biases = [], []
        for before, after in pairwise(sizes):
            for shape, kept in (((num, before, after), self.weights), ((num, 1, after), self.biases)):
                kept.append(((torch.rand(shape, generator=generator) * 2 - 1) / before**0.5).requires_grad_())

    def __call__(self, x: Tensor, start: int = 0, end: int | None = None) -> Tensor:
        last = len(self.weights) - 1
        for k in range(start, last + 1 if end is None else end):
            x = torch.baddbmm(self.biases[k], x, self.weights[k])
            x = x.relu() if k < last else x
        return x

    def write(self, network: int, chain: nn.Sequential) -> None:
        """Into the Linear layers of a chain of the same sizes."""
        linear = [layer for layer in chain if isinstance(layer, nn.Linear)]
        for layer, weight, bias in zip(linear, self.weights, self.biases, strict=True):
            layer.weight.data.copy_(weight[network].T)
            layer.bias.data.copy_(bias[network, 0])


def train(kind: Kind, seeds: Sequence[int] = SEEDS) -> list[Pilot]:
    """All networks of a kind, side by side."""
    generator = Generator().manual_seed(KINDS.index(kind))
    made = [
        (share, Modular(p=P, num_first=NUM, num_second=NUM, coverage=share, maps="permutation", seed=seed))
        for share in SHARES
        for seed in seeds
    ]
    rows = [task.examples("seen", 10**6, generator=Generator().manual_seed(0)) for _, task in made]
    codes = [F.one_hot(some.inputs["tokens"], VOCAB).flatten(1).float() for some in rows]
    num, half = len(made), WIDTH // 2
    inner = [3 * VOCAB, WIDTH, WIDTH, WIDTH, P]
    sizes = {
        "plain": [inner],
        "aux": [inner, [WIDTH, P]],
        "inert": [[3 * VOCAB, half, half, half, P], [3 * VOCAB, half, half, P]],
        "composer": [[3 * VOCAB, WIDTH, P], [P + 3 * VOCAB, WIDTH, P]],
    }[kind]
    stacks = [Stack(num, one, generator) for one in sizes]
    weights = [weight for stack in stacks for weight in (*stack.weights, *stack.biases)]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=1e-2, fused=True)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        chosen = [torch.randint(len(some), (BATCH,), generator=generator) for some in rows]
        x = torch.stack([code[row] for code, row in zip(codes, chosen, strict=True)])
        x = x + NOISE * torch.randn(x.shape, generator=generator)
        outputs = _outputs(kind, stacks, x)
        wanted = [torch.stack([some.targets[row] for some, row in zip(rows, chosen, strict=True)])]
        wanted += [torch.stack([some.parts["z"][row] for some, row in zip(rows, chosen, strict=True)])]
        losses = [F.cross_entropy(one.flatten(0, 1), each.flatten()) for one, each in zip(outputs, wanted, strict=False)]
        optimizer.zero_grad()
        (sum(losses) * num).backward()
        optimizer.step()
    return [_pilot(kind, share, task, stacks, k) for k, (share, task) in enumerate(made)]


def _outputs(kind: Kind, stacks: Sequence[Stack], x: Tensor) -> list[Tensor]:
    """The logits of the answer, and of z where it is asked."""
    if kind == "plain":
        return [stacks[0](x)]
    if kind == "aux":
        hidden = stacks[0](x, end=2)
        return [stacks[0](hidden, start=2), stacks[1](hidden)]
    if kind == "inert":
        return [stack(x) for stack in stacks]
    z = stacks[0](x)
    return [stacks[1](torch.cat([symbol(z), only_j(x)], -1)), z]


def _pilot(kind: Kind, share: float, task: Modular, stacks: Sequence[Stack], k: int) -> Pilot:
    module = Composer() if kind == "composer" else Straight()
    if isinstance(module, Composer):
        stacks[0].write(k, module.front)
        stacks[1].write(k, module.back)
    elif kind == "inert":
        _side_by_side(module, stacks, k)
    else:
        stacks[0].write(k, module.layers)
    scores = []
    for split in ("seen", "novel"):
        examples = task.examples(split, 10**6, generator=Generator().manual_seed(0))
        with torch.no_grad():
            scores.append(float((module(examples.inputs["tokens"]).argmax(1) == examples.targets).float().mean()))
    return Pilot(kind, share, task, module.eval(), *scores)


def _side_by_side(module: Straight, stacks: Sequence[Stack], k: int) -> None:
    """The main half answers; the other half holds z in the second hidden layer, and no later layer reads it."""
    main, side = Straight(WIDTH // 2).layers, chain([3 * VOCAB, WIDTH // 2, WIDTH // 2, P])
    stacks[0].write(k, main)
    stacks[1].write(k, side)
    half = WIDTH // 2
    for weight in module.parameters():
        weight.data.zero_()
    for place, (layer, own) in enumerate(zip(module.layers, main, strict=True)):
        if isinstance(layer, nn.Linear):
            layer.weight.data[: len(own.weight), : own.weight.shape[1]] = own.weight.data
            layer.bias.data[: len(own.bias)] = own.bias.data
            if place < 3:
                columns = slice(half, None) if place else slice(None)
                layer.weight.data[half:, columns] = side[place].weight.data
                layer.bias.data[half:] = side[place].bias.data
