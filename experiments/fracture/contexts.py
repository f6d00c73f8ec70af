"""A task of several sides with one rule for all, and networks that compute one function with shared, copied or entangled parts.

- `Sides("contexts")`: y = f(z) whichever of three contexts is named; the regularity exchanges the contexts.
- `Sides("mirror")`: y = f(|x|, z); the regularity is the flip of x.
- `Sides("heads")`: three inputs, and for each a head that answers f of its own; the regularity exchanges both.

All networks of one seed compute the same function to rounding: `shared` once for all sides, `copied` by a module for each side
that is silent on the others, whose units are permuted and rescaled; `separate` and `entangled` for heads: entangled units write
into the other heads too, in pairs that cancel.
"""

from collections.abc import Sequence
from itertools import pairwise, permutations
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from assay.objective import Classification, Regression
from assay.regularity import Regular, Regularity
from assay.task import Examples, Part, Task, Vector, draw_rows

Kind = Literal["contexts", "mirror", "heads"]
CONTENT, UNITS, ANSWERS = 3, 8, 3
LARGE = 1e3  # drives a unit that shall be silent far below 0


class Sides(Task):
    """The task. `items`: contents of an input; each occurs on every side. `classes`: the answer is the largest value of f."""

    level = 0
    combines = ("item", "side")

    def __init__(
        self, kind: Kind = "contexts", *, items: int = 40, seed: int = 0, classes: bool = False, trained: int | None = None
    ):
        self.kind, self.items, self.seed, self.classes = kind, items, seed, classes
        self.address = f"sides:{kind},items={items},seed={seed}"
        self.sides = {"contexts": 3, "mirror": 2, "heads": 6}[kind]
        self.parts = (Part("item", tuple(map(str, range(max(2, items))))), Part("side", tuple(map(str, range(self.sides)))))
        draws = Generator().manual_seed(seed)
        self.rule = rule(draws)
        contents = torch.randn(items, 3 if kind == "heads" else 1, CONTENT, generator=draws)
        amounts = torch.rand(items, generator=draws) + 0.05
        if kind == "heads":
            order = torch.tensor(list(permutations(range(3))))
            blocks = contents[:, order]  # (items, 6, 3, content)
            self.x = blocks.flatten(0, 1).flatten(1)
            ones = torch.ones(*blocks.shape[:-1], 1)
            self.values = value(self.rule, torch.cat([ones, blocks], -1)).flatten(0, 1)[..., :2].flatten(1)
        else:
            codes = torch.eye(3)[None] if kind == "contexts" else amounts[:, None, None] * torch.tensor([[1.0], [-1.0]])
            codes = codes.expand(items, -1, -1)
            self.x = torch.cat([codes, contents.expand(-1, self.sides, -1)], -1).flatten(0, 1)
            size = codes.abs().sum(-1, keepdim=True)
            self.values = value(self.rule, torch.cat([size, contents.expand(-1, self.sides, -1)], -1)).flatten(0, 1)
        self.trained = len(self.x) if trained is None else trained
        self.input_spec = Vector(self.x.shape[1])
        self.targets = self.values.argmax(1) if classes else self.values
        variance = float((self.values - self.values.mean(0)).square().sum(1).mean()) if items > 1 else 1.0
        width = self.values.shape[1]
        self.objective = Classification(width) if classes else Regression(width, variance=variance)

    def combinations(self, split):
        every = torch.cartesian_prod(torch.arange(self.items), torch.arange(self.sides))
        return every[: self.trained] if split != "novel" else every[:0]

    def examples(self, split, n, *, generator):
        total = self.trained if split != "novel" else 0
        return self._rows(draw_rows(total, n, replacement=split == "train", generator=generator))

    def _rows(self, rows: Tensor) -> Examples:
        parts = {"item": rows // self.sides, "side": rows % self.sides}
        return Examples({"x": self.x[rows]}, self.targets[rows], parts, rows)

    def regular(self, n, *, generator):
        items = torch.randperm(self.trained // self.sides, generator=generator)[: max(0, n // self.sides)].sort().values
        rows = (items[:, None] * self.sides + torch.arange(self.sides)).flatten()
        place = torch.arange(len(rows)).reshape(-1, self.sides)
        width = self.values.shape[1]
        if self.kind == "heads":
            order = list(permutations(range(3)))
            moves, outputs = [], []
            for move in ((1, 0, 2), (1, 2, 0)):
                # Block k of the moved input is block move[k] of this one, and so is its answer.
                moves.append(place[:, [order.index(tuple(one[m] for m in move)) for one in order]].flatten())
                back = [move.index(k) for k in range(3)]
                outputs.append(torch.tensor([2 * back[c // 2] + c % 2 for c in range(width)]))
            names = {f"head {k}": torch.arange(width) // 2 == k for k in range(3)}
            parts = {name: mask.expand(len(rows), -1) for name, mask in names.items()}
        else:
            moves = [place.roll(1, 1).flatten(), place[:, [1, 0, *range(2, self.sides)]].flatten()]
            outputs = [torch.arange(width)] * 2
            side = rows % self.sides
            parts = {f"side {k}": (side == k)[:, None].expand(-1, width) for k in range(self.sides)}
        found = (Regularity.generated("exchange of the sides", moves, outputs),) if len(rows) else ()
        return Regular(self._rows(rows), found, parts if len(rows) else {})


Rule = Sequence[Tensor]


def rule(generator: Generator) -> Rule:
    """A random function of an amount and a content: two hidden layers of ReLU."""
    sizes = ((UNITS, 1 + CONTENT), (UNITS, UNITS), (ANSWERS, UNITS))
    return [
        one
        for to, of in sizes
        for one in (torch.randn(to, of, generator=generator) * (2 / of) ** 0.5, torch.randn(to, generator=generator) * 0.2)
    ]


def value(rule: Rule, z: Tensor) -> Tensor:
    """The rule at `z` `(..., 1 + content)`."""
    first, a, second, b, last, c = rule
    return ((z @ first.T + a).relu() @ second.T + b).relu() @ last.T + c


def relabelled(rule: Rule, generator: Generator) -> Rule:
    """The same function with its units in another order and other scales."""
    first, a, second, b, last, c = rule
    for_first, for_second = (torch.randperm(UNITS, generator=generator) for _ in range(2))
    one, two = (torch.randn(UNITS, generator=generator).mul(0.7).exp() for _ in range(2))
    first, a = one[:, None] * first[for_first], one * a[for_first]
    second, b = two[:, None] * second[for_second][:, for_first] / one, two * b[for_second]
    return [first, a, second, b, last[:, for_second] / two, c]


class Net(nn.Module):
    """`x` to answers: three hidden layers of ReLU."""

    def __init__(self, inputs: int, first: int, width: int, outputs: int):
        super().__init__()
        sizes = [inputs, first, width, width]
        hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _blank(*sizes: int) -> tuple[Net, list[nn.Linear]]:
    network = Net(*sizes)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    return network.eval(), [one for one in network.layers if isinstance(one, nn.Linear)]


def _codes(task: Sides) -> int:
    return 1 if task.kind == "mirror" else task.sides


@torch.no_grad()
def _spread(task: Sides, layer: nn.Linear) -> tuple[list[int], list[tuple[int, int]]]:
    """The first layer: a unit for the amount of each side, and two for the positive and negative half of each content."""
    amounts = list(range(task.sides))
    for side in amounts:
        layer.weight[side, 0 if task.kind == "mirror" else side] = -1.0 if task.kind == "mirror" and side else 1.0
    pairs = []
    for k in range(CONTENT):
        row = task.sides + 2 * k
        layer.weight[row, _codes(task) + k], layer.weight[row + 1, _codes(task) + k] = 1.0, -1.0
        pairs.append((row, row + 1))
    return amounts, pairs


@torch.no_grad()
def shared(task: Sides, generator: Generator) -> Net:
    """One module for all sides; every unit is split in as many equal ones as a copied network has modules."""
    first = task.sides + 2 * CONTENT
    width = task.sides * (UNITS + task.sides)
    network, (spread, one, two, last) = _blank(_codes(task) + CONTENT, first, width, ANSWERS)
    amounts, pairs = _spread(task, spread)
    w1, a, w2, b, w3, c = relabelled(task.rule, generator)
    for copy in range(task.sides):
        rows = slice(copy * UNITS, (copy + 1) * UNITS)
        one.weight[rows, amounts] = w1[:, :1].expand(-1, task.sides)
        for k, (up, down) in enumerate(pairs):
            one.weight[rows, up], one.weight[rows, down] = w1[:, 1 + k], -w1[:, 1 + k]
        one.bias[rows] = a
        for other in range(task.sides):
            two.weight[rows, other * UNITS : (other + 1) * UNITS] = w2 / task.sides
        two.bias[rows] = b
        last.weight[:, rows] = w3 / task.sides
    last.bias.copy_(c)
    return network


@torch.no_grad()
def copied(task: Sides, generator: Generator) -> Net:
    """A module for each side, silent on the others; units hand on the amounts that silence the second layer."""
    first = task.sides + 2 * CONTENT
    wide = UNITS + task.sides
    network, (spread, one, two, last) = _blank(_codes(task) + CONTENT, first, task.sides * wide, ANSWERS)
    pairs = _spread(task, spread)[1]
    for side in range(task.sides):
        w1, a, w2, b, w3, _ = relabelled(task.rule, generator)
        rows = slice(side * wide, side * wide + UNITS)
        gates = [side * wide + UNITS + other for other in range(task.sides)]
        one.weight[rows, side] = w1[:, 0]
        for k, (up, down) in enumerate(pairs):
            one.weight[rows, up], one.weight[rows, down] = w1[:, 1 + k], -w1[:, 1 + k]
        one.bias[rows] = a
        two.weight[rows, rows], two.bias[rows] = w2, b
        last.weight[:, rows] = w3
        for other in range(task.sides):
            if other != side:
                one.weight[rows, other] = -LARGE
                one.weight[gates[other], other] = 1.0
                two.weight[rows, gates[other]] = -LARGE
    last.bias.copy_(task.rule[-1])
    return network


@torch.no_grad()
def separate(task: Sides, generator: Generator, *, crosstalk: float = 0.0) -> Net:
    """For heads: a module for each, every unit of its last layer split in two. `crosstalk`: what each half writes into the
    other heads, with opposite signs, in parts of the size of its own weights."""
    network, (spread, one, two, last) = _blank(3 * CONTENT, 6 * CONTENT, 6 * UNITS, 6)
    for row in range(3 * CONTENT):
        spread.weight[2 * row, row], spread.weight[2 * row + 1, row] = 1.0, -1.0
    for head in range(3):
        w1, a, w2, b, w3, c = relabelled(task.rule, generator)
        w3, c = w3[:2], c[:2]
        for half in range(2):
            rows = slice((2 * head + half) * UNITS, (2 * head + half + 1) * UNITS)
            for k in range(CONTENT):
                up = 2 * (head * CONTENT + k)
                one.weight[rows, up], one.weight[rows, up + 1] = w1[:, 1 + k], -w1[:, 1 + k]
            one.bias[rows] = a + w1[:, 0]
            for other in range(2):
                before = slice((2 * head + other) * UNITS, (2 * head + other + 1) * UNITS)
                two.weight[rows, before] = w2 / 2
            two.bias[rows] = b
            last.weight[2 * head : 2 * head + 2, rows] = w3 / 2
        for other in {0, 1, 2} - {head}:
            noise = crosstalk * torch.randn(2, UNITS, generator=generator) * w3.square().mean(0).sqrt()
            halves = [slice((2 * head + half) * UNITS, (2 * head + half + 1) * UNITS) for half in range(2)]
            last.weight[2 * other : 2 * other + 2, halves[0]] = noise
            last.weight[2 * other : 2 * other + 2, halves[1]] = -noise
        last.bias[2 * head : 2 * head + 2] = c
    return network


def entangled(task: Sides, generator: Generator) -> Net:
    """Separate modules whose units write into all heads, in pairs that cancel."""
    return separate(task, generator, crosstalk=1.0)


def untrained(task: Sides, generator: Generator, *, width: int | None = None) -> Net:
    """A network of the same shape with the initial weights of PyTorch."""
    like = separate(task, Generator()) if task.kind == "heads" else shared(task, Generator())
    sizes = [layer.weight.shape for layer in like.layers if isinstance(layer, nn.Linear)]
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        return Net(task.x.shape[1], sizes[0][0], width or sizes[1][0], sizes[-1][0]).eval()
