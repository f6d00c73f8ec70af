"""Networks trained by 11 recipes, as one for all three contexts and as a copy for each, many of one shape at once.

A recipe is an initial scale, a width and a weight decay. `joint` trains one network on all contexts of `contexts.Sides`;
`copies` trains a module for each context on the rows of that context alone and joins them into one network, in which each is
silent in the other contexts. So both kinds are trained, by the same recipe, to the same function.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from contexts import ANSWERS, CONTENT, LARGE, Net, Sides
from torch import Tensor, nn

ITEMS, STEPS, RATE = 40, 600, 3e-3


@dataclass(frozen=True)
class Recipe:
    """Of one training."""

    scale: float = 1.0
    width: int = 64
    decay: float = 0.0


RECIPES = {
    "plain": Recipe(),
    **{f"initial weights x {scale:g}": Recipe(scale=scale) for scale in (0.5, 0.7, 1.5, 2.0)},
    **{f"width {width}": Recipe(width=width) for width in (32, 128, 256)},
    **{f"decay {decay:g}": Recipe(decay=decay) for decay in (0.01, 0.1, 0.3)},
}


@dataclass(frozen=True)
class Made:
    """A trained network, the recipe's name, its task, and its squared error as a share of the variance."""

    recipe: str
    seed: int
    task: Sides
    network: Net
    error: float


def joint(seeds: Sequence[int], recipes: Mapping[str, Recipe] = RECIPES) -> list[Made]:
    """One network for all contexts, by every recipe and seed."""
    tasks = {seed: Sides("contexts", items=ITEMS, seed=seed) for seed in seeds}
    jobs = [(name, recipe, seed) for name, recipe in recipes.items() for seed in seeds]
    networks = [_started(tasks[seed].x.shape[1], recipe, seed) for _, recipe, seed in jobs]
    decays = [recipe.decay for _, recipe, _ in jobs]
    fit(networks, [tasks[seed].x for *_, seed in jobs], [tasks[seed].values for *_, seed in jobs], decays=decays)
    return _judged(jobs, tasks, networks)


def copies(seeds: Sequence[int], recipes: Mapping[str, Recipe] = RECIPES) -> list[Made]:
    """A module for each context, by every recipe and seed, joined."""
    tasks = {seed: Sides("contexts", items=ITEMS, seed=seed) for seed in seeds}
    jobs = [(name, recipe, seed) for name, recipe in recipes.items() for seed in seeds]
    modules, inputs, targets, decays = [], [], [], []
    for _, recipe, seed in jobs:
        task = tasks[seed]
        for side in range(task.sides):
            rows = torch.arange(side, len(task.x), task.sides)
            modules.append(_started(1 + CONTENT, recipe, 100 * (1 + seed) + side))
            inputs.append(task.x[rows][:, [side, *range(task.sides, task.x.shape[1])]])
            targets.append(task.values[rows])
            decays.append(recipe.decay)
    fit(modules, inputs, targets, decays=decays)
    num = tasks[seeds[0]].sides
    networks = [joined(modules[num * k : num * (k + 1)], tasks[seed]) for k, (*_, seed) in enumerate(jobs)]
    return _judged(jobs, tasks, networks)


def _judged(jobs, tasks, networks) -> list[Made]:
    found = []
    for (name, _, seed), network in zip(jobs, networks, strict=True):
        task = tasks[seed]
        found.append(Made(name, seed, task, network.eval(), error_of(network, task.x, task.values)))
    return found


@torch.no_grad()
def error_of(network: nn.Module, x: Tensor, values: Tensor) -> float:
    """Squared error as a share of the variance."""
    variance = (values - values.mean(0)).square().sum(1).mean()
    return float((network(x) - values).square().sum(1).mean() / variance)


def _started(inputs: int, recipe: Recipe, seed: int) -> Net:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Net(inputs, recipe.width, recipe.width, ANSWERS)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 2:
                weight.mul_(recipe.scale)
    return network


def linear(network: Net) -> list[nn.Linear]:
    return [layer for layer in network.layers if isinstance(layer, nn.Linear)]


def fit(
    networks: Sequence[Net],
    inputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    *,
    decays: Sequence[float],
    steps: int = STEPS,
    rate: float = RATE,
) -> None:
    """Full-batch AdamW along a cosine, in place; networks of one shape are trained side by side."""
    shapes: dict[tuple, list[int]] = {}
    for k, network in enumerate(networks):
        shapes.setdefault(tuple(layer.weight.shape for layer in linear(network)), []).append(k)
    for group in shapes.values():
        layers = [linear(networks[k]) for k in group]
        weights = [torch.stack([one.weight.detach() for one in each]) for each in zip(*layers, strict=True)]
        biases = [torch.stack([one.bias.detach() for one in each])[:, None] for each in zip(*layers, strict=True)]
        parameters = [one.requires_grad_() for one in (*weights, *biases)]
        x, y = (torch.stack([given[k] for k in group]) for given in (inputs, targets))
        decay = torch.tensor([decays[k] for k in group])[:, None, None]
        optimizer = torch.optim.Adam(parameters, lr=rate)
        for step in range(steps):
            now = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
            optimizer.param_groups[0]["lr"] = now
            optimizer.zero_grad()
            inside = x
            for depth, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                inside = torch.baddbmm(bias, inside, weight.mT)
                inside = inside.relu() if depth < len(weights) - 1 else inside
            (inside - y).square().sum(2).mean(1).sum().backward()
            with torch.no_grad():
                for one in parameters:
                    one.mul_(1 - now * decay)
            optimizer.step()
        with torch.no_grad():
            for row, own in enumerate(layers):
                for layer, weight, bias in zip(own, weights, biases, strict=True):
                    layer.weight.copy_(weight[row])
                    layer.bias.copy_(bias[row, 0])


@torch.no_grad()
def joined(modules: Sequence[Net], task: Sides) -> Net:
    """One network of a module for each context, each silent in the others. Units hand on which context it is: they silence the
    other modules in every layer, and in the end add the bias of the one that speaks."""
    sides, own = len(modules), [linear(module) for module in modules]
    wide = own[0][0].out_features
    network = Net(task.x.shape[1], sides * (wide + 1), sides * (wide + 1), ANSWERS).eval()
    for weight in network.parameters():
        weight.zero_()
    for depth, layer in enumerate(linear(network)):
        for side, gate in enumerate(range(sides * wide, sides * (wide + 1))):
            block, weight, bias = slice(side * wide, (side + 1) * wide), own[side][depth].weight, own[side][depth].bias
            if depth == 3:
                layer.weight[:, block], layer.weight[:, gate] = weight, bias
                continue
            codes = slice(0, sides) if depth == 0 else slice(sides * wide, sides * (wide + 1))
            layer.weight[block, codes] = -LARGE
            layer.weight[gate, codes.start + side] = 1.0
            if depth == 0:  # the module's own first input is the amount, which is the code of its context
                layer.weight[block, -CONTENT:] = weight[:, 1:]
                layer.weight[block, side] = weight[:, 0]
            else:
                layer.weight[block, block] = weight
                layer.weight[block, gate] = 0.0
            layer.bias[block] = bias
    return network


@torch.no_grad()
def mixed(one: Net, other: Net, share: float) -> Net:
    """A network that answers `share` of the first and the rest of the second, side by side."""
    pairs = list(zip(linear(one), linear(other), strict=True))
    sizes = [a.out_features + b.out_features for a, b in pairs[:-1]]
    network = Net(pairs[0][0].in_features, sizes[0], sizes[1], pairs[-1][0].out_features).eval()
    for weight in network.parameters():
        weight.zero_()
    for depth, (layer, (a, b)) in enumerate(zip(linear(network), pairs, strict=True)):
        if depth == 0:
            layer.weight.copy_(torch.cat([a.weight, b.weight]))
            layer.bias.copy_(torch.cat([a.bias, b.bias]))
        elif depth == len(pairs) - 1:
            layer.weight.copy_(torch.cat([share * a.weight, (1 - share) * b.weight], 1))
            layer.bias.copy_(share * a.bias + (1 - share) * b.bias)
        else:
            layer.weight.copy_(torch.block_diag(a.weight, b.weight))
            layer.bias.copy_(torch.cat([a.bias, b.bias]))
    return network
