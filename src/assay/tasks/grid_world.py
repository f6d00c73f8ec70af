"""The grid of the compositional preference task: four rooms with doors, an agent, and coloured objects on cells of their own.

After Schug et al. 2024 (arXiv 2312.15001) and Redhardt, Akram and Schug 2025 (arXiv 2507.07207). A free cell is known by its
number, 0 to 18 in reading order.
"""

from functools import cache
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.stats import keyed_generator

ACTIONS = ("nothing", "up", "right", "down", "left")
_STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # of the last four, in rows and columns
_ROWS = ("#######", "#..#..#", "#..#..#", "##...##", "#..#..#", "#..#..#", "#######")
SIDE = len(_ROWS)
WALLS = torch.tensor([[sign == "#" for sign in row] for row in _ROWS])
PLACES = (~WALLS).flatten().nonzero().flatten()
"""Of every free cell its place among all cells, walls included."""
NUM_CELLS = len(PLACES)


def _neighbours() -> Int[Tensor, "4 cells"]:
    cells = {divmod(place, SIDE): cell for cell, place in enumerate(PLACES.tolist())}
    return torch.tensor([[cells.get((row + down, column + right), cell) for (row, column), cell in cells.items()]
                         for down, right in _STEPS])  # fmt: skip


NEIGHBOURS = _neighbours()
"""Where each move leads from every free cell; against a wall it leads nowhere."""


class Grids(NamedTuple):
    """The start of `n` episodes: the cell of the agent, and cell and colour of each object."""

    agent: Int[Tensor, " n"]
    cells: Int[Tensor, "n objects"]
    colours: Int[Tensor, "n objects"]


class States(NamedTuple):
    """Where episodes are at each step: the cell of the agent, and which objects are left, as a bitmask."""

    agent: Int[Tensor, "n t"]
    left: Int[Tensor, "n t"]


def draw_grids(n: int, *, num_objects: int, num_colours: int, purpose: Literal["train", "test"], generator: Generator) -> Grids:
    """Agent and objects on distinct free cells, colours independent of each other, all uniform.

    Half of all grids, by a fixed pseudo-random rule, are for training and half for tests: with few colours and objects
    chance alone would let the same grid come up in both.
    """
    grids = _draw_any(n, num_objects, num_colours, generator)
    while len(wrong := (_is_for_tests(grids, num_colours) != (purpose == "test")).nonzero().flatten()):
        for column, fresh in zip(grids, _draw_any(len(wrong), num_objects, num_colours, generator), strict=True):
            column[wrong] = fresh
    return grids


def observe(grids: Grids, states: States, *, num_colours: int) -> Float[Tensor, "n t features"]:
    """A channel for each colour, one for the agent and one for walls at every cell, divided by the root of their mean square.

    `7 * 7 * (num_colours + 2)` features, those of one cell side by side.
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
    """What `observe` was given. Every object must be there at the first step; they come in the order of their cells."""
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
    key = codes[grids.agent, num_colours] + codes[grids.cells, grids.colours].sum(1)  # whatever the order of the objects
    return key >> 16 & 1 == 1  # a bit from the middle depends on all bits below it


@cache
def _codes(num_colours: int) -> Int[Tensor, "cells keys"]:
    return torch.randint(2**31, (NUM_CELLS, num_colours + 1), generator=keyed_generator(num_colours, "grids"))
