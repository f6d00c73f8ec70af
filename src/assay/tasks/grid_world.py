"""The grid of the compositional preference task: four rooms with doors, an agent, and coloured objects on distinct cells.

After Schug et al. 2024 (arXiv 2312.15001) and Redhardt, Akram and Schug 2025 (arXiv 2507.07207). Free cells are numbered 0 to
18 in reading order.
"""

from functools import cache
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.stats import keyed_generator

ACTIONS = ("nothing", "up", "right", "down", "left")
_STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # steps of the last four actions, in rows and columns
_ROWS = ("#######", "#..#..#", "#..#..#", "##...##", "#..#..#", "#..#..#", "#######")
SIDE = len(_ROWS)
WALLS = torch.tensor([[sign == "#" for sign in row] for row in _ROWS])
PLACES = (~WALLS).flatten().nonzero().flatten()
"""The index of every free cell among all cells, walls included."""
NUM_CELLS = len(PLACES)


def _neighbours() -> Int[Tensor, "4 cells"]:
    cells = {divmod(place, SIDE): cell for cell, place in enumerate(PLACES.tolist())}
    return torch.tensor([[cells.get((row + down, column + right), cell) for (row, column), cell in cells.items()]
                         for down, right in _STEPS])  # fmt: skip


NEIGHBOURS = _neighbours()
"""The target of each move from every free cell; a move against a wall stays."""


class Grids(NamedTuple):
    """Initial states of `n` episodes: the cell of the agent, and cell and colour of each object."""

    agent: Int[Tensor, " n"]
    cells: Int[Tensor, "n objects"]
    colours: Int[Tensor, "n objects"]


class States(NamedTuple):
    """States of episodes at each step: the cell of the agent, and the remaining objects as a bitmask."""

    agent: Int[Tensor, "n t"]
    left: Int[Tensor, "n t"]


def draw_grids(n: int, *, num_objects: int, num_colours: int, purpose: Literal["train", "test"], generator: Generator) -> Grids:
    """Agent and objects on distinct free cells, with independent colours, all uniform.

    A fixed pseudo-random rule assigns half of all grids to training and half to tests: with few colours and objects the same
    grid would otherwise occur in both by chance.
    """
    grids = _draw_any(n, num_objects, num_colours, generator)
    while len(wrong := (_is_for_tests(grids, num_colours) != (purpose == "test")).nonzero().flatten()):
        for column, fresh in zip(grids, _draw_any(len(wrong), num_objects, num_colours, generator), strict=True):
            column[wrong] = fresh
    return grids


def observe(grids: Grids, states: States, *, num_colours: int) -> Float[Tensor, "n t features"]:
    """Observations: a channel for each colour, one for the agent and one for walls at every cell, divided by their root mean
    square.

    `7 * 7 * (num_colours + 2)` features, those of one cell contiguous.
    """
    channels = num_colours + 2
    blank = torch.zeros(SIDE * SIDE, channels)
    blank[:, -1] = WALLS.flatten()
    present = states.left[..., None] >> torch.arange(grids.cells.shape[1]) & 1
    scale = (blank.numel() / (present.sum(-1) + 1 + blank.sum())).sqrt()[..., None]
    x = blank.flatten() * scale
    x.scatter_(2, PLACES[states.agent][..., None] * channels + num_colours, scale)
    objects = PLACES[grids.cells] * channels + grids.colours
    return x.scatter_(2, objects[:, None].expand_as(present), present * scale)


def read_observations(x: Float[Tensor, "n t features"], *, num_objects: int, num_colours: int) -> tuple[Grids, States]:
    """The inverse of `observe`. Every object must be present at the first step; they are returned in the order of their
    cells."""
    seen = (x != 0).unflatten(2, (SIDE * SIDE, num_colours + 2))[:, :, PLACES]
    agent = seen[..., num_colours].long().argmax(-1)
    _, cells, colours = (column.view(len(x), num_objects) for column in seen[:, 0, :, :num_colours].nonzero(as_tuple=True))
    rows = torch.arange(len(x))[:, None, None]
    present = seen[rows, torch.arange(x.shape[1])[:, None], cells[:, None], colours[:, None]]
    left = (present.long() << torch.arange(num_objects)).sum(-1)
    return Grids(agent[:, 0], cells, colours), States(agent, left)


def _draw_any(n: int, num_objects: int, num_colours: int, generator: Generator) -> Grids:
    cells = torch.rand(n, NUM_CELLS, generator=generator).argsort(1)[:, : num_objects + 1]
    return Grids(cells[:, 0], cells[:, 1:], torch.randint(num_colours, (n, num_objects), generator=generator))


def _is_for_tests(grids: Grids, num_colours: int) -> Tensor:
    codes = _codes(num_colours)
    key = codes[grids.agent, num_colours] + codes[grids.cells, grids.colours].sum(1)  # independent of the order of the objects
    return key >> 16 & 1 == 1  # a middle bit depends on all bits below it


@cache
def _codes(num_colours: int) -> Int[Tensor, "cells keys"]:
    return torch.randint(2**31, (NUM_CELLS, num_colours + 1), generator=keyed_generator(num_colours, "grids"))
