"""Worlds with known composition: chains of permutations, learned by a small network and its LoRA experts.

A state of `Z_p` passes through a chain of three operations, each a random permutation, applied one at a time by a shared
residual cell. The embeddings of operations are frozen, so a skill lies in shared weights alone. The base learns the old
operations, each expert one new one too. The composed task: chains of new operations 0 and 1 and one old one, which no expert
can do.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.optimisers import Adam
from assay.stats import keyed_generator
from assay.swarm.expert import Expert, Factors, difference
from assay.swarm.pool import ExpertPool, Span
from assay.swarm.problem import SHARED, Problem
from assay.swarm.scores import accuracy, log_probability
from assay.swarm.utility import ScoredItems, Utility

World = Literal["composable", "missing skill", "other initialisations"]
WORLDS: tuple[World, ...] = get_args(World)
LENGTH = 3


@dataclass(frozen=True, kw_only=True)
class WorldSize:
    """Size of a world and of the training of its networks.

    **Attributes:** `modulus`: p. `old`: number of operations of the base. `experts`: number of experts, each with its own new
    operation. `validation`: number of validation items of the composed task; the others are test items. `rank`: rank of LoRA.

    Example::

        >>> from assay.swarm.worlds import WorldSize
        >>> small = WorldSize(modulus=5, old=3, experts=3, hidden=64, base_steps=400, expert_steps=200, validation=60)
        >>> small.rank
        8
    """

    modulus: int = 13
    old: int = 8
    experts: int = 6
    state: int = 48
    operation: int = 48
    hidden: int = 256
    rank: int = 8
    base_steps: int = 1500
    expert_steps: int = 600
    batch: int = 256
    validation: int = 200


class ChainNetwork(nn.Module):
    """Tokens `(n, 1 + steps)`, a state and operations, to logits of the state after the last operation `(n, p)`.

    Example::

        network = ChainNetwork(modulus=5, operations=3, state=8, operation=8, hidden=16)
        assert network(torch.tensor([[4, 0, 2]])).shape == (1, 5)
    """

    def __init__(self, *, modulus: int, operations: int, state: int, operation: int, hidden: int):
        super().__init__()
        self.states = nn.Embedding(modulus, state)
        self.operations = nn.Embedding(operations, operation)
        self.up = nn.Linear(state + operation, hidden)
        self.down = nn.Linear(hidden, state)
        self.read = nn.Linear(state, modulus)

    def forward(self, tokens: Int[Tensor, "n length"]) -> Float[Tensor, "n p"]:
        return self.prefixes(tokens)[:, -1]

    def prefixes(self, tokens: Int[Tensor, "n length"]) -> Float[Tensor, "n steps p"]:
        """Logits of the state after each operation."""
        h = self.states(tokens[:, 0])
        operations = self.operations(tokens[:, 1:])
        logits = []
        for step in range(operations.shape[1]):
            h = h + self.down(F.relu(self.up(torch.cat([h, operations[:, step]], -1))))
            logits.append(self.read(h))
        return torch.stack(logits, 1)


def make_world(kind: World = "composable", *, seed: int, size: WorldSize | None = None, span: Span = "linear") -> Problem:
    """Train the base and the experts of a world, in about ten seconds on one thread at the standard size.

    **Arguments:** `kind`: `composable`; `missing skill`: the composed task needs a further operation, which no expert learned;
    `other initialisations`: every expert is trained whole, from its own initialisation, so that their sums mean nothing.

    Example::

        >>> from assay.swarm.worlds import WorldSize, make_world
        >>> size = WorldSize(modulus=5, old=3, experts=2, base_steps=5, expert_steps=5, validation=30)
        >>> problem = make_world("missing skill", seed=0, size=size)
        >>> problem.utility.items.inputs.shape, problem.chance
        (torch.Size([30, 4]), 0.2)
    """
    size = size or WorldSize()
    rng = keyed_generator(seed, "world")
    operations = size.old + size.experts + 1  # no network learns the last one
    tables = torch.stack([torch.randperm(size.modulus, generator=rng) for _ in range(operations)])
    frozen = torch.randn(operations, size.operation, generator=rng)
    base = _network(size, frozen, rng)
    if kind == "other initialisations":
        networks = [_network(size, frozen, rng) for _ in range(size.experts)]
        _train([base, *networks], tables, [None, *range(size.experts)], size, rng, size.base_steps)
        experts = {f"expert {k}": difference(network.state_dict()) for k, network in enumerate(networks)}
        pool = ExpertPool(base, experts, space="full", span=span)
    else:
        _train([base], tables, [None], size, rng, size.base_steps)
        pool = ExpertPool(base, _experts(base, tables, size, rng), space="delta", span=span)
    needed = [size.old, size.old + (size.experts if kind == "missing skill" else 1)]
    composed = _labelled(_chains(needed, size), tables)
    composed = composed.take(torch.randperm(len(composed), generator=rng))
    split = torch.arange(len(composed))
    utility = Utility(
        items=composed.take(split[: size.validation]),
        test=composed.take(split[size.validation :]),
        test_shared=_facts(composed.take(split[size.validation :]), needed, tables),
        score=accuracy,
        graded=log_probability,
    )
    skills = {name: _labelled(_drawn(k, 200, size, rng), tables) for k, name in enumerate(pool.names)}
    old = _labelled(_drawn(None, 200, size, rng), tables)
    return Problem(network=base, pool=pool, utility=utility, kept={**skills, SHARED: old}, chance=1 / size.modulus)


def _network(size: WorldSize, frozen: Tensor, rng: Generator) -> ChainNetwork:
    network = ChainNetwork(
        modulus=size.modulus, operations=len(frozen), state=size.state, operation=size.operation, hidden=size.hidden
    )
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            wide = parameter.shape[-1]
            scale = 1.0 if "states" in name else wide**-0.5
            parameter.copy_(
                scale * torch.randn(parameter.shape, generator=rng) if parameter.ndim > 1 else torch.zeros_like(parameter)
            )
        network.operations.weight.copy_(frozen)
    network.operations.weight.requires_grad_(False)
    return network


def _train(
    networks: list[ChainNetwork], tables: Tensor, skills: list[int | None], size: WorldSize, rng: Generator, steps: int
) -> None:
    """Train each network on old operations and on its own new one."""
    for network, skill in zip(networks, skills, strict=True):
        weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimiser = Adam(weights, lr=3e-3)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = 3e-3 * (1 - step / steps)
            tokens = _drawn(skill, size.batch, size, rng)
            loss = _loss(network.prefixes(tokens), tokens, tables)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def _experts(base: ChainNetwork, tables: Tensor, size: WorldSize, rng: Generator) -> dict[str, Expert]:
    """LoRA experts, trained together with stacked matrices in one pass."""
    num, rank = size.experts, size.rank
    shapes = {"up.weight": base.up.weight.shape, "down.weight": base.down.weight.shape}
    down = {w: (torch.randn(num, rank, s[1], generator=rng) * s[1] ** -0.5).requires_grad_() for w, s in shapes.items()}
    up = {w: torch.zeros(num, s[0], rank, requires_grad=True) for w, s in shapes.items()}
    frozen = {name: tensor.detach() for name, tensor in base.state_dict().items()}
    optimiser = Adam([*down.values(), *up.values()], lr=5e-3)
    for step in range(size.expert_steps):
        for group in optimiser.param_groups:
            group["lr"] = 5e-3 * (1 - step / size.expert_steps)
        tokens = torch.stack([_drawn(k, size.batch // 2, size, rng) for k in range(num)])
        weights = {w: frozen[w] + up[w] @ down[w] for w in shapes}
        logits = _stacked_prefixes(frozen, weights, tokens)
        loss = _loss(logits.flatten(0, 1), tokens.flatten(0, 1), tables)
        optimiser.zero_grad()
        (num * loss).backward()
        optimiser.step()
    return {
        f"expert {k}": Expert(
            changes={w: Factors(down=down[w][k].detach().clone(), up=up[w][k].detach().clone()) for w in shapes}
        )
        for k in range(num)
    }


def _stacked_prefixes(frozen: dict[str, Tensor], weights: dict[str, Tensor], tokens: Int[Tensor, "K n l"]) -> Tensor:
    """`ChainNetwork.prefixes` of several networks, each on its own chains: `(K, n, steps, p)`."""
    h = frozen["states.weight"][tokens[..., 0]]
    operations = frozen["operations.weight"][tokens[..., 1:]]
    logits = []
    for step in range(operations.shape[2]):
        x = torch.cat([h, operations[:, :, step]], -1)
        inner = F.relu(torch.baddbmm(frozen["up.bias"], x, weights["up.weight"].mT))
        h = h + torch.baddbmm(frozen["down.bias"], inner, weights["down.weight"].mT)
        logits.append(F.linear(h, frozen["read.weight"], frozen["read.bias"]))
    return torch.stack(logits, 2)


def _loss(logits: Float[Tensor, "n steps p"], tokens: Int[Tensor, "n length"], tables: Tensor) -> Tensor:
    """Cross-entropy after every operation."""
    targets = _states(tokens, tables)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def _states(tokens: Int[Tensor, "n length"], tables: Int[Tensor, "o p"]) -> Int[Tensor, "n steps"]:
    state, states = tokens[:, 0], []
    for step in range(1, tokens.shape[1]):
        state = tables[tokens[:, step], state]
        states.append(state)
    return torch.stack(states, 1)


def _labelled(tokens: Int[Tensor, "n length"], tables: Tensor) -> ScoredItems:
    return ScoredItems(tokens, _states(tokens, tables)[:, -1])


def _facts(items: ScoredItems, needed: list[int], tables: Int[Tensor, "o p"]) -> dict[str, np.ndarray]:
    """For each needed operation, which of its p entries an item uses: a network with one entry wrong is wrong on all items that
    use it."""
    before = torch.cat([items.inputs[:, :1], _states(items.inputs, tables)[:, :-1]], 1)
    return {f"entry of operation {o}": before[items.inputs[:, 1:] == o].numpy() for o in needed}


def _drawn(skill: int | None, num: int, size: WorldSize, rng: Generator) -> Int[Tensor, "n length"]:
    """Chains of old operations, in which about a third of the operations are the new one."""
    tokens = torch.randint(size.old, (num, 1 + LENGTH), generator=rng)
    if skill is not None:
        tokens[torch.rand(num, 1 + LENGTH, generator=rng) < 1 / 3] = size.old + skill
    tokens[:, 0] = torch.randint(size.modulus, (num,), generator=rng)
    return tokens


def _chains(needed: list[int], size: WorldSize) -> Int[Tensor, "n length"]:
    """Every chain of the needed operations and one old one, in every order, from every state."""
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    rows = [
        [state, *[(*needed, old)[k] for k in order]]
        for state in range(size.modulus)
        for old in range(size.old)
        for order in orders
    ]
    return torch.tensor(rows)
