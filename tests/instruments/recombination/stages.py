"""Networks made by hand whose way of combining two parts is known, and their task: (i + j) mod 12, or whatever a table says."""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.objective import Classification, Objective
from assay.subject import Subject
from assay.task import Examples, Part, Split, Swapped, Task, Vector, draw_rows

SIZE = 12


class Pairs(Task):
    """Pairs of two parts, two thirds of them trained, shown as two one-hot codes; a table says the answer.

    `executor`: the task says what follows from an exchange.
    """

    input_spec = Vector(2 * SIZE)
    combines = ("i", "j")
    parts = (Part("i", tuple(map(str, range(SIZE)))), Part("j", tuple(map(str, range(SIZE)))))

    def __init__(self, table: Tensor | None = None, *, share: float = 0.67, trained: Tensor | None = None):
        grid = torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE))
        self.table = (grid.sum(1) % SIZE if table is None else table.flatten()).contiguous()
        if trained is None:
            trained = torch.rand(len(grid), generator=Generator().manual_seed(0)) < share
        self.rows = {True: grid[trained], False: grid[~trained]}

    address = "pairs"

    @property
    def objective(self) -> Objective:
        return Classification(int(self.table.max()) + 1)

    def combinations(self, split: Split) -> Tensor:
        return self.rows[split != "novel"]

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        rows = self.combinations(split)
        rows = rows[draw_rows(len(rows), n, replacement=split == "train", generator=generator)]
        return self.of(rows)

    def of(self, rows: Tensor) -> Examples:
        parts = {"i": rows[:, 0], "j": rows[:, 1]}
        ids = self.combination_id(parts)
        return Examples({"x": F.one_hot(rows, SIZE).flatten(1).float()}, self.table[ids], parts, ids)


class Declared(Pairs):
    """The same with an executor."""

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        parts = {name: (source if name == part else base).parts[name] for name in self.combines}
        ids = self.combination_id(parts)
        return Swapped(self.table[ids], parts, ids)


class Stages(nn.Module):
    """One-hot codes, a matrix and a ReLU for each stage, a last matrix: every weight is given."""

    def __init__(self, *weights: tuple[Tensor, Tensor]):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(weight.shape[1], weight.shape[0]) for weight, _ in weights)
        with torch.no_grad():
            for layer, (weight, bias) in zip(self.layers, weights, strict=True):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


Weights = tuple[Tensor, Tensor]


def reading() -> Weights:
    """Both codes as they are."""
    return torch.eye(2 * SIZE), torch.zeros(2 * SIZE)


def by_pair(table: Tensor, trained: Tensor | None = None) -> tuple[Weights, Weights]:
    """A unit for each pair, and the answer that a table has of it: any combining at all. Pairs that were not trained answer as
    if the table were moved on by one."""
    grid = torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE))
    answers = table.flatten() if trained is None else torch.where(trained, table.flatten(), (table.flatten() + 1) % SIZE)
    units = F.one_hot(grid, SIZE).flatten(1).float(), -torch.ones(len(grid))
    return units, (F.one_hot(answers, SIZE).float().T, torch.zeros(SIZE))


def sums() -> Tensor:
    grid = torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE))
    return grid.sum(1) % SIZE


def is_trained(task: Pairs) -> Tensor:
    """Which of all pairs are trained."""
    ids = task.combination_id({"i": task.rows[True][:, 0], "j": task.rows[True][:, 1]})
    return torch.zeros(SIZE**2, dtype=torch.bool).index_fill_(0, ids, True)


def composer() -> Subject:
    """Reads both parts in one layer and combines them in the next."""
    return Subject(Stages(reading(), *by_pair(sums())), name="composer")


def memoriser(task: Pairs) -> Subject:
    """The same but for what it answers to pairs that were not trained."""
    return Subject(Stages(reading(), *by_pair(sums(), is_trained(task))), name="memoriser")


def misread(task: Pairs) -> Subject:
    """Reads j of pairs that were not trained as the next value, and combines what it has read rightly."""
    (pairs, bias), answer = by_pair(sums())
    (codes, none), novel = reading(), ~is_trained(task)
    moved = torch.zeros(2 * SIZE, SIZE**2)
    for pair in novel.nonzero()[:, 0].tolist():
        moved[SIZE + pair % SIZE, pair] = -1
        moved[SIZE + (pair + 1) % SIZE, pair] = 1
    first = torch.cat([codes, pairs]), torch.cat([none, bias])
    return Subject(Stages(first, (torch.cat([torch.eye(2 * SIZE), moved], 1), none), (pairs, bias), answer), name="misread")


def pair_code() -> Subject:
    """A unit for each pair in the first layer already, and another layer behind it."""
    pairs, answer = by_pair(sums())
    return Subject(Stages(pairs, (torch.eye(SIZE**2), torch.zeros(SIZE**2)), answer), name="pair code")


def one_layer() -> Subject:
    """Reads and combines in one layer."""
    return Subject(Stages(*by_pair(sums())), name="one layer")


def in_blocks() -> Tensor:
    """Pairs of two low values or of two high ones, which share no value."""
    grid = torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE))
    return (grid < SIZE // 2).sum(1) != 1
