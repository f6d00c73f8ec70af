"""Evolved pictures beside what gradient descent makes of them, and beside nulls that draw nothing that was asked for.

Run `python experiments/fracture/drawn_pictures.py --seeds 3 --steps 2000` (ten minutes of processor time; `--only skull` for
one picture: one). For each picture, at 32 x 32 pixels:

- *evolved*: the published network, and function-preserving scrambles of it: units that hand values on in another basis, units
  in another order, units split in two.
- *gradient descent*: networks of the same shape that were trained on the picture.
- *smooth target*: networks that were trained as long on a picture of the same spectrum whose waves lie elsewhere.
- *shuffled links*: the evolved network with the weights of its links exchanged among the links of each layer: the same graph
  and the same weights, so as complex as the evolved one, and another picture.
- *untrained*: the same shape with fresh weights.

All are read alike. Then the comparison at *matched loss*: the evolved network with noise on its links until its error is that
of the networks of gradient descent, and these at earlier steps of their training.
"""

import argparse
import copy
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

from assay.data.genomes import PICTURES, picture_genome
from assay.instruments.fracture import maps
from assay.instruments.fracture.coherence import coherence
from assay.models.cppn import Cppn, colours, coordinates
from assay.models.evolved import dense, shape_of
from assay.regularity import Regularity
from assay.responses import balanced, read_layers
from assay.subject import Subject
from assay.tasks.evolved_picture import Picture

KEPT = 24  # moments of training at which weights are kept
DRAWS = 8  # of noise for a matched loss


@dataclass(frozen=True)
class Row:
    """What is read of one network: coherence of the weights and in the balanced gauge, the share of orbits that respond as
    one, how far its picture has the symmetry, and standardised dimensions."""

    plain: float
    balanced: float
    sharing: float
    outputs: float
    dimensions: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PICTURES)
    parser.add_argument("--seeds", type=int, default=4, help="networks of gradient descent")
    parser.add_argument("--smooth", type=int, help="networks on smooth targets (default: as many)")
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--size", type=int, default=32, help="pixels along a side")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in [given.only] if given.only else PICTURES:
        smooth = given.seeds if given.smooth is None else given.smooth
        compare(name, seeds=given.seeds, num_smooth=smooth, steps=given.steps, size=given.size)


def compare(name: str, *, seeds: int, num_smooth: int, steps: int, size: int) -> None:
    """Prints the table of one picture, and the comparison at matched loss."""
    genome, x = picture_genome(name), coordinates(size).float()
    evolved, target = dense(genome), Picture(name=name, size=size).pixels
    smooth = [Picture(name=name, size=size, phases="random", seed=seed).pixels for seed in range(num_smooth)]
    start = [fresh(genome, seed) for seed in range(seeds + num_smooth)]
    moments = trained(start, [target] * seeds + smooth, x, steps=steps)
    end = moments[-1]
    variance = float((target - target.mean(0)).square().sum(1).mean())
    told(name, "evolved", [evolved], x, target)
    for how, scramble in SCRAMBLES.items():
        told(name, f"evolved, {how}", [scramble(evolved, Generator().manual_seed(0))], x, target)
    told(name, "gradient descent", end[:seeds], x, target)
    if smooth:
        told(name, "smooth target", end[seeds:], x, smooth)
    told(name, "shuffled links", [shuffled(evolved, Generator().manual_seed(seed)) for seed in range(20)], x)
    told(name, "untrained", [fresh(genome, 1_000 + seed) for seed in range(20)], x)

    print(f"{name}, at matched loss (share of the variance of the picture): coherence of the weights, balanced")
    errors = [[error(network, x, target) / variance for network in moment[:seeds]] for moment in moments]
    for wanted in (0.3, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005):
        found = []
        for seed in range(seeds):
            near = [
                (own[seed], nxt[seed], k) for k, (own, nxt) in enumerate(pairwise(errors)) if own[seed] >= wanted >= nxt[seed]
            ]
            if near:
                found.append(read(moments[near[0][2] + 1][seed], x))
        noisy = [
            read(to_loss(evolved, x, target, wanted * variance, Generator().manual_seed(draw)), x) for draw in range(DRAWS)
        ]
        print(f"  {wanted:g}: evolved with noise {summed(noisy)}; gradient descent {summed(found)} ({len(found)} got there)")


# Networks


def fresh(genome, seed: int) -> Cppn:
    """The shape of a genome with the initial weights of `Matrix`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Cppn(**shape_of(genome)).eval()


def matrices(network: Cppn) -> list[Tensor]:
    return [layer.weight for layer in network.layers if isinstance(layer, nn.Linear)]


def trained(networks: Sequence[Cppn], targets: Sequence[Tensor], x: Tensor, *, steps: int) -> list[list[Cppn]]:
    """All networks, each on its own target, side by side as stacks of matrices: full-batch Adam on gradients of length 1, as
    the authors train, with a rate that falls along a cosine. The networks at `KEPT` moments."""
    stacks = [
        torch.stack([one.detach() for one in each]).requires_grad_() for each in zip(*map(matrices, networks), strict=True)
    ]
    wanted, activate = torch.stack(list(targets)), networks[0].layers[1]
    rate = 3e-3 if len(stacks) < 30 else 1e-3  # the deepest shape does not learn at the higher one
    optimizer = torch.optim.Adam(stacks, lr=rate)
    kept = {round(steps * (k / KEPT) ** 2) for k in range(1, KEPT + 1)}
    found = []
    for step in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.zero_grad()
        inside = x.expand(len(networks), -1, -1)
        for stack in stacks[:-1]:
            inside = activate(inside @ stack.mT)
        drawn = colours((inside @ stacks[-1].mT).flatten(0, 1)).unflatten(0, inside.shape[:2])
        (drawn - wanted).square().mean((1, 2)).sum().backward()
        length = sum(stack.grad.square().sum((1, 2)) for stack in stacks if stack.grad is not None).sqrt()
        for stack in stacks:
            stack.grad.div_(length[:, None, None] + 1e-12)
        optimizer.step()
        if step in kept:
            found.append([_with([stack[k] for stack in stacks], network) for k, network in enumerate(networks)])
    return found


@torch.no_grad()
def _with(weights: Sequence[Tensor], network: Cppn) -> Cppn:
    made = copy.deepcopy(network)
    for own, new in zip(matrices(made), weights, strict=True):
        own.copy_(new)
    return made


def shuffled(network: Cppn, generator: Generator) -> Cppn:
    """The weights of each layer's links exchanged among them; links that hand a value on stay."""
    found = []
    for weight in matrices(network)[:-1]:
        flat = weight.detach().clone().flatten()
        links = ((flat != 0) & (flat != 1)).nonzero()[:, 0]
        flat[links] = flat[links[torch.randperm(len(links), generator=generator)]]
        found.append(flat.view_as(weight))
    return _with([*found, matrices(network)[-1].detach()], network)


def to_loss(network: Cppn, x: Tensor, target: Tensor, wanted: float, generator: Generator) -> Cppn:
    """The network with noise on its links, relative to each, of the scale at which its error is the wanted one (bisected)."""
    noises = [torch.randn(weight.shape, generator=generator) for weight in matrices(network)[:-1]]

    def at(scale: float) -> Cppn:
        pairs = zip(matrices(network)[:-1], noises, strict=True)
        links = [weight + scale * weight * noise * (weight != 1) for weight, noise in pairs]
        return _with([*links, matrices(network)[-1]], network)

    low, high = 0.0, 1e-3
    while error(at(high), x, target) < wanted and high < 10:
        low, high = high, 2 * high
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if error(at(middle), x, target) < wanted else (low, middle)
    return at(high)


# Scrambles that change no output


def rotated(network: Cppn, generator: Generator) -> Cppn:
    """Units with the identity in another orthonormal basis."""
    num = network.layers[1].counts["identity"]
    turns = [torch.linalg.qr(torch.randn(num, num, generator=generator, dtype=torch.float64)).Q.float() for _ in network.layers]
    found = [weight.detach().clone() for weight in matrices(network)]
    for (one, two), turn in zip(pairwise(found), turns, strict=False):
        one[:num] = turn @ one[:num]
        two[:, :num] = two[:, :num] @ turn.T
    return _with(found, network)


def reordered(network: Cppn, generator: Generator) -> Cppn:
    """Units of one activation in another order."""
    found = [weight.detach().clone() for weight in matrices(network)]
    for one, two in pairwise(found):
        start, order = 0, torch.arange(len(one))
        for count in network.layers[1].counts.values():
            order[start : start + count] = start + torch.randperm(count, generator=generator)
            start += count
        one[:], two[:] = one[order].clone(), two[:, order].clone()
    return _with(found, network)


def split(network: Cppn, generator: Generator) -> Cppn:
    """Every hidden unit twice, at half the weight each."""
    counts = network.layers[1].counts
    made = Cppn(depth=len(matrices(network)) - 1, **{kind: 2 * count for kind, count in counts.items()}).eval()
    twice = [row for start, count in _blocks(counts) for _ in range(2) for row in range(start, start + count)]
    found = []
    for depth, weight in enumerate(matrices(network)):
        grown = weight if depth == 0 else weight[:, twice] / 2
        found.append(grown if depth == len(matrices(network)) - 1 else grown[twice])
    return _with(found, made)


def _blocks(counts: dict[str, int]) -> list[tuple[int, int]]:
    starts = [0, *torch.tensor(list(counts.values())).cumsum(0).tolist()]
    return list(zip(starts, counts.values(), strict=False))


SCRAMBLES: dict[str, Callable[[Cppn, Generator], Cppn]] = {"rotated": rotated, "reordered": reordered, "split": split}

# Reading


@torch.no_grad()
def error(network: Cppn, x: Tensor, target: Tensor) -> float:
    """Squared error of a pixel, summed over colours."""
    return float((network(x) - target).square().sum(1).mean())


def read(network: Cppn, x: Tensor) -> Row | None:
    """None of a network whose picture is of one colour."""
    size = math.isqrt(len(x))
    found = read_layers(Subject(network), {"x": x})
    flip = Regularity.generated("flip", [torch.arange(len(x)).reshape(size, size).flip(1).flatten()], num_outputs=3)
    plain = coherence(found.layers, found.outputs, flip)
    if not float(plain.total.sum()) > 0:
        return None
    gauged = coherence([balanced(layer) for layer in found.layers], found.outputs, flip)
    standard = [maps.standardised(one) for one in maps.hidden_maps(found.layers)]
    return Row(plain.value, gauged.value, float(gauged.sharing()[0].mean()), plain.of_outputs, maps.dimensions(standard))


def told(name: str, kind: str, networks: Sequence[Cppn], x: Tensor, target: Tensor | Sequence[Tensor] | None = None) -> None:
    """Prints one row of the table: the mean and range over networks."""
    rows = [row for network in networks if (row := read(network, x)) is not None]
    targets = [target] * len(networks) if isinstance(target, Tensor) else target
    losses = [error(network, x, own) / 3 for network, own in zip(networks, targets, strict=True)] if targets else []
    columns = [[getattr(row, name) for row in rows] for name in ("plain", "balanced", "sharing", "outputs")]
    shown = " | ".join(spread(column) for column in columns)
    print(
        f"{name} | {kind} | {len(rows)} of {len(networks)} | {shown} | {spread([row.dimensions for row in rows], 0)} | "
        f"{spread(losses, 5) if losses else 'draws something else'}",
        flush=True,
    )


def summed(rows: Sequence[Row | None]) -> str:
    live = [row for row in rows if row is not None]
    return f"{spread([row.plain for row in live])}, {spread([row.balanced for row in live])}" if live else "none"


def spread(values: Sequence[float], digits: int = 3) -> str:
    """The mean, and the range where there are several."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if __name__ == "__main__":
    main()
