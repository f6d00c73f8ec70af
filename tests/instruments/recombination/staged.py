"""A task of three parts with an intermediate result, and networks made by hand that answer it."""

import torch
from stages import Stages
from torch import Generator
from torch.nn import functional as F

from assay.objective import Classification
from assay.subject import Subject
from assay.task import Examples, Part, Swapped, Task, Vector, draw_rows

N = 8


class Staged(Task):
    """z = (i + x) mod 8 and (z + j) mod 8; all three make up a combination, and a share of the combinations is trained."""

    share = 0.7
    address, combines, input_spec, objective = "staged", ("i", "x", "j"), Vector(3 * N), Classification(N)
    parts = (
        *(Part(name, tuple(map(str, range(N)))) for name in "ixj"),
        Part("z", tuple(map(str, range(N))), of=("i", "x")),
    )

    def combinations(self, split):
        grid = torch.cartesian_prod(*[torch.arange(N)] * 3)
        trained = torch.rand(N**3, generator=Generator().manual_seed(1)) < self.share
        return grid[~trained] if split == "novel" else grid[trained]

    def examples(self, split, n, *, generator):
        rows = self.combinations(split)
        rows = rows[draw_rows(len(rows), n, replacement=split == "train", generator=generator)]
        parts = self._parts(*rows.T)
        ids = self.combination_id(parts)
        return Examples({"x": F.one_hot(rows, N).flatten(1).float()}, self.answer(parts), parts, ids)

    def swap(self, base, source, part):
        moved = self.part(part).of or (part,)
        parts = self._parts(*((source if name in moved else base).parts[name] for name in self.combines))
        return Swapped(self.answer(parts), parts, self.combination_id(parts))

    def answer(self, parts):
        return (parts["z"] + parts["j"]) % N

    def _parts(self, i, x, j):
        return {"i": i, "x": x, "j": j, "z": (i + x) % N}


class Sparse(Staged):
    """A sixth is trained, and each combination has an answer of its own."""

    share, parts = 0.16, Staged.parts[:3]
    table = torch.randint(N, (N, N, N), generator=Generator().manual_seed(2))

    def answer(self, parts):
        return self.table[parts["i"], parts["x"], parts["j"]]


def by_triple(table: torch.Tensor) -> Subject:
    """The answer by a unit for each of three values."""
    code, none = torch.eye(3 * N), torch.zeros(3 * N)
    triples = torch.cartesian_prod(*[torch.arange(N)] * 3)
    units = F.one_hot(triples, N).flatten(1).float(), torch.full((N**3,), -2.0)
    answer = F.one_hot(table.flatten(), N).float().T, torch.zeros(N)
    return Subject(Stages((code, none), units, answer))


def staged(*, at_once: bool) -> Subject:
    """Finds z, then the answer, both by a unit for each pair; or the answer by a unit for each of three values."""
    code, none = torch.eye(3 * N), torch.zeros(3 * N)
    grid = torch.cartesian_prod(torch.arange(N), torch.arange(N))
    if at_once:
        return by_triple(torch.cartesian_prod(*[torch.arange(N)] * 3).sum(1) % N)
    pairs = F.one_hot(grid, N).flatten(1).float()
    first = torch.zeros(N**2 + N, 3 * N)
    first[: N**2, : 2 * N], first[N**2 :, 2 * N :] = pairs, torch.eye(N)
    offset = torch.cat([-torch.ones(N**2), torch.zeros(N)])
    found = torch.zeros(2 * N, N**2 + N)
    found[:N, : N**2], found[N:, N**2 :] = F.one_hot(grid.sum(1) % N, N).float().T, torch.eye(N)
    last = F.one_hot(grid.sum(1) % N, N).float().T, torch.zeros(N)
    return Subject(Stages((code, none), (first, offset), (found, torch.zeros(2 * N)), (pairs, -torch.ones(N**2)), last))
