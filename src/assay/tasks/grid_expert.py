"""The expert of the compositional preference task: exact value iteration over cells and remaining objects, in batches of
episodes."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.tasks.grid_world import NEIGHBOURS, NUM_CELLS, Grids, States

HORIZON = 8
DISCOUNT = 0.9
_CHUNK = 256  # episodes whose tables fit into the cache of one core


class Demonstration(NamedTuple):
    """The expert's episodes.

    **Attributes:**

    - `states`: at each of `HORIZON` steps. After its end an episode stays in its last state.
    - `actions`: of the expert, an index into `ACTIONS`.
    - `active`: whether the step is part of the episode, including the last one, in which the expert does nothing.
    """

    states: States
    actions: Int[Tensor, "n t"]
    active: Bool[Tensor, "n t"]


def entry_values(
    cells: Int[Tensor, "n objects"], pays: Float[Tensor, "n objects"], *, horizon: int = HORIZON
) -> Float[Tensor, "cells left n"]:
    """Value of entering a cell with certain objects left, as the first of `horizon` steps: the reward of the object there, if
    it is left, plus the discounted value of what can be collected afterwards.

    V_0 = 0, V_h(s) = max(0, max over moves of r + 0.9 V_{h-1}(s')): doing nothing ends the episode and pays nothing.
    """
    n, num_objects = cells.shape
    left = torch.arange(2**num_objects)
    having = torch.stack([left[left >> which & 1 == 1] for which in range(num_objects)])
    # Flat indices of entries at which an object is picked up, and of the same entries without that object.
    picked = (cells.T[:, None] * len(left) + having[..., None]) * n + torch.arange(n)
    after = picked - (n << torch.arange(num_objects))[:, None, None]
    pays = pays.T[:, None].expand(picked.shape)

    def enter(values: Tensor) -> Tensor:
        # Multiplication and addition are rounded separately, so that equally good paths have bit-identical values.
        values = values * DISCOUNT
        return values.put_(picked, values.take(after) + pays)

    values = torch.zeros(NUM_CELLS, len(left), n)
    for _ in range(horizon - 1):
        entries = enter(values)
        values = entries[NEIGHBOURS[0]].clamp_(min=0)
        for move in NEIGHBOURS[1:]:
            torch.maximum(values, entries[move], out=values)
    return enter(values)


def action_values(entries: Float[Tensor, "cells left n"], states: States) -> Float[Tensor, "n t actions"]:
    """Q of every action in these states."""
    moves = entries[NEIGHBOURS.T[states.agent], states.left[..., None], torch.arange(len(states.left))[:, None, None]]
    return torch.cat([torch.zeros_like(moves[..., :1]), moves], -1)


def best_actions(entries: Float[Tensor, "cells left n"], states: States) -> Int[Tensor, "n t"]:
    """The first of the best actions, in the order of `ACTIONS`.

    Two ways around a corner are often equally good. A fixed order makes the expert a deterministic function of the observation,
    which can be learned and scored in full; the published expert has one too.
    """
    return action_values(entries, states).argmax(-1)


def expert_actions(grids: Grids, pays: Float[Tensor, "n objects"], states: States) -> Int[Tensor, "n t"]:
    """The expert's actions in given states, each with a horizon of `HORIZON` steps."""
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(pays), _CHUNK)]
    actions = [
        best_actions(entry_values(grids.cells[rows], pays[rows]), States(*(column[rows] for column in states)))
        for rows in chunks
    ]
    return torch.cat([torch.zeros(0, states.left.shape[1], dtype=torch.int64), *actions])


def demonstrate(grids: Grids, pays: Float[Tensor, "n objects"]) -> Demonstration:
    """The expert's own trajectory from the start of each episode."""
    chunks = [
        _demonstrate(Grids(*(column[start : start + _CHUNK] for column in grids)), pays[start : start + _CHUNK])
        for start in range(0, max(1, len(pays)), _CHUNK)
    ]
    agent, left, actions = (torch.cat(parts) for parts in zip(*chunks, strict=True))
    nothing = (actions == 0).long()
    return Demonstration(States(agent, left), actions, nothing.cumsum(1) - nothing == 0)


def _demonstrate(grids: Grids, pays: Float[Tensor, "n objects"]) -> tuple[Tensor, Tensor, Tensor]:
    entries = entry_values(grids.cells, pays)
    bits = 1 << torch.arange(grids.cells.shape[1])
    agent, left = grids.agent, bits.sum().expand(len(pays))
    steps = []
    for _ in range(HORIZON):
        action = best_actions(entries, States(agent[:, None], left[:, None]))[:, 0]
        steps.append((agent, left, action))
        agent = torch.where(action == 0, agent, NEIGHBOURS[action - 1, agent])
        left = left & ~((grids.cells == agent[:, None]) * bits).sum(1)
    agents, lefts, actions = (torch.stack(column, 1) for column in zip(*steps, strict=True))
    return agents, lefts, actions
