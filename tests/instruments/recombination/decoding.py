"""A task that is answered token by token, and encoder-decoders made by hand whose way of combining two parts is known."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.objective import Sequences
from assay.subject import Subject
from assay.task import Examples, Part, SourceToTarget, Swapped, Task, draw_rows

SIZE = 12
END, FIRST = 2, 3  # target tokens: 0 pads, 1 starts, the others are numbers
AGAIN = 2 * SIZE + 1  # source tokens: 0 pads, then the values of i, then those of j


class Spoken(Task):
    """`i j` is answered (i + j) mod 12, then this + j, then the end; `i again j` says both numbers twice. Two thirds of all
    pairs are trained."""

    address, combines = "spoken", ("i", "again", "j")
    input_spec = SourceToTarget(AGAIN + 1, 3, FIRST + SIZE, 5)
    objective = Sequences(FIRST + SIZE)
    parts = (
        Part("i", tuple(map(str, range(SIZE)))),
        Part("again", ("none", "again"), absent="none"),
        Part("j", tuple(map(str, range(SIZE)))),
    )

    def combinations(self, split):
        grid = torch.cartesian_prod(torch.arange(SIZE), torch.arange(2), torch.arange(SIZE))
        return grid[trained(grid) == (split != "novel")]

    def examples(self, split, n, *, generator):
        rows = self.combinations(split)
        rows = rows[draw_rows(len(rows), n, replacement=split == "train", generator=generator)]
        i, again, j = rows.T
        source = torch.stack([i + 1, torch.where(again > 0, AGAIN, SIZE + 1 + j), (SIZE + 1 + j) * again], 1)
        targets, parts = answers(rows), dict(zip(self.combines, rows.T, strict=True))
        prefix = torch.cat([torch.ones_like(targets[:, :1]), targets[:, :-1]], 1)
        return Examples({"source": source, "prefix": prefix}, targets, parts, self.combination_id(parts))

    def swap(self, base, source, part):
        parts = {name: (source if name == part else base).parts[name] for name in self.combines}
        return Swapped(answers(torch.stack([*parts.values()], 1)), parts, self.combination_id(parts))


def trained(rows: Tensor) -> Tensor:
    kept = torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(0)) < 0.67
    return kept[rows[:, 0], rows[:, 2]]


def answers(rows: Tensor) -> Tensor:
    i, again, j = rows.T
    first = FIRST + (i + j) % SIZE
    second, end, none = FIRST + (i + 2 * j) % SIZE, torch.full_like(i, END), torch.zeros_like(i)
    once = torch.stack([first, second, end, none, none], 1)
    return torch.where(again[:, None] > 0, torch.stack([first, second, first, second, end], 1), once)


class Speaker(nn.Module):
    """Reads the words as one-hot codes, and says at every even step what a table has for i and j, at every odd one the last
    number + j."""

    def __init__(self, table: Tensor):
        super().__init__()
        self.read, self.kept = (nn.Parameter(torch.eye(AGAIN + 1)) for _ in range(2))
        self.table = nn.Parameter(F.one_hot(table, SIZE).float())
        grid = torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE))
        self.sums = nn.Parameter(F.one_hot(grid.sum(1) % SIZE, SIZE).float())

    def forward(self, source, prefix):
        memory = torch.relu(F.one_hot(source, AGAIN + 1).float() @ self.read) @ self.kept
        i, j = memory[:, 0, 1 : SIZE + 1], memory[:, :, SIZE + 1 : AGAIN].sum(1)
        again = memory[:, 1, AGAIN]
        said = F.one_hot(prefix, FIRST + SIZE).float()[:, :, FIRST:]
        units = torch.relu(i[:, :, None] + j[:, None, :] - 1).flatten(1)
        even = (units @ self.table)[:, None].expand(-1, 5, -1)
        odd = torch.relu(said[..., None] + j[:, None, None, :] - 1).flatten(2) @ self.sums
        numbers = torch.where((torch.arange(5) % 2 == 0)[:, None], even, odd)
        ends = torch.stack([0 * again, 0 * again, 5 - 10 * again, 0 * again, 0 * again + 5], 1)[..., None]
        return torch.cat([torch.zeros(len(source), 5, 2), ends, numbers], 2)


def speaker(*, memorises: bool) -> Subject:
    """A composer, or a network that moves on the first number of pairs that were not trained."""
    grid = torch.cartesian_prod(torch.arange(SIZE), torch.zeros(1, dtype=torch.int64), torch.arange(SIZE))
    novel = ~trained(grid) if memorises else torch.zeros(len(grid), dtype=torch.bool)
    return Subject(Speaker((grid.sum(1) + novel) % SIZE), name="memoriser" if memorises else "composer")
