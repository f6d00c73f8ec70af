"""Faithfulness of a circuit: adversarial and stochastic ablation of the nodes outside, and the role of the nodes inside."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from assay.hooks import gradients_of
from assay.instruments.circuits.network import WiredNetwork, batches, each_loss
from assay.instruments.circuits.nodes import Edges, Wiring
from assay.isolation import undisturbed
from assay.task import Examples

_STRIDE = 0.25  # step size of the adversary, in shares of the true value
_CONSTANT = 1e-6  # a node whose spread is below this share of its largest magnitude counts as constant
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def _mixing(network: WiredNetwork, kept: Bool[Tensor, " nodes"], shares: Float[Tensor, "*n nodes"]) -> dict[int, Callable]:
    """Functions that replace the value of every node outside by a mixture of that value and its mean."""
    masks, means = network.wiring.split(kept.to(network.device)), network.wiring.split(network.means)
    parts = shares.split([place.width for place in network.wiring.places], dim=-1)

    def change(k: int) -> Callable[[Tensor], Tensor]:
        def mixed(x: Tensor) -> Tensor:
            share = parts[k]
            share = share.view(len(share), *[1] * (x.ndim - 2), -1) if share.ndim == 2 else share
            return torch.where(masks[k], x, share * x + (1 - share) * means[k])

        return mixed

    return {k: change(k) for k, mask in enumerate(masks) if not bool(mask.all())}


def adversarial_losses(
    network: WiredNetwork,
    kept: Bool[Tensor, " nodes"],
    examples: Examples,
    *,
    steps: int,
    each: bool,
) -> Float[Tensor, " n"]:
    """Losses of the circuit under adversarial ablation: an adversary chooses for every node outside which share of its own
    value it keeps, from 0 to 1, the rest being its mean. A faithful circuit is insensitive to this choice.

    **Arguments:** `each`: choose an ablation for every example; otherwise one for a whole batch, the fair adversary, since it
    cannot depend on the label of an example. `steps`: number of steps of projected sign-gradient ascent; the worst loss of all
    steps counts.
    """
    found = []
    with undisturbed(network.module, 0):
        for batch in batches(examples):
            size = (len(batch), len(kept)) if each else (len(kept),)
            shares = torch.full(size, 0.5, device=network.device)
            targets, worst = batch.targets.to(network.device), torch.full((len(batch),), -torch.inf, dtype=torch.float64)
            for _ in range(steps + 1):
                shares.requires_grad_()
                with torch.enable_grad():
                    outputs = network.run(batch.inputs, _mixing(network, kept, shares))
                    loss = network.objective.loss(outputs, targets)
                    (slope,) = gradients_of(loss, [shares])
                now = each_loss(network.objective, outputs.detach().cpu(), batch.targets)
                if each:
                    worst = torch.maximum(worst, now)
                elif float(now.mean()) > float(worst.mean()):
                    worst = now
                shares = (shares.detach() + _STRIDE * slope.sign()).clamp(0, 1)
            found.append(worst)
    return torch.cat(found)


def stochastic_losses(
    network: WiredNetwork, kept: Bool[Tensor, " nodes"], examples: Examples, *, draws: int, generator: Generator
) -> Float[Tensor, " n"]:
    """Losses under stochastic ablation: shares drawn uniformly, one for each node and batch; the mean over draws."""
    total = torch.zeros(len(examples), dtype=torch.float64)
    with undisturbed(network.module, 0), torch.no_grad():
        for _ in range(draws):
            found = []
            for batch in batches(examples):
                shares = torch.rand(len(kept), generator=generator).to(network.device)
                outputs = network.run(batch.inputs, _mixing(network, kept, shares)).cpu()
                found.append(each_loss(network.objective, outputs, batch.targets))
            total += torch.cat(found)
    return total / draws


def roles(network: WiredNetwork, kept: Bool[Tensor, " nodes"], examples: Examples) -> Float[Tensor, " k"]:
    """For every kept node that varies in the whole network, the correlation, over examples and positions, of its values in the
    circuit with those in the whole network; 0 where it is constant in the circuit."""
    whole, alone = [], []
    means = network.wiring.split(network.means)
    masks = network.wiring.split(kept.to(network.device))
    with undisturbed(network.module, 0), torch.no_grad():
        for batch in batches(examples):
            for ablated, found in ((False, whole), (True, alone)):
                held: dict[int, list[Tensor]] = {}

                def change(k: int, held: dict[int, list[Tensor]] = held, ablated: bool = ablated) -> Callable[[Tensor], Tensor]:
                    def keep(x: Tensor) -> Tensor:
                        held.setdefault(k, []).append(x[..., masks[k]].flatten(0, -2).double().cpu())
                        return torch.where(masks[k], x, means[k]) if ablated else x

                    return keep

                network.run(batch.inputs, {k: change(k) for k, mask in enumerate(masks) if bool(mask.any()) or ablated})
                inside = [k for k, mask in enumerate(masks) if bool(mask.any())]
                found.append([torch.cat(held[k]) for k in inside])
    values = []
    for own, pruned in zip(zip(*whole, strict=True), zip(*alone, strict=True), strict=True):
        values.append(_correlations(torch.cat(own), torch.cat(pruned)))
    return torch.cat(values) if values else torch.zeros(0, dtype=torch.float64)


def _correlations(a: Float[Tensor, "n k"], b: Float[Tensor, "n k"]) -> Float[Tensor, " v"]:
    varies = a.std(0) > _CONSTANT * a.abs().amax(0).clamp(min=1e-12)
    a, b = a[:, varies] - a[:, varies].mean(0), b[:, varies] - b[:, varies].mean(0)
    size = a.norm(dim=0) * b.norm(dim=0)
    return torch.where(size > 1e-12, (a * b).sum(0) / size.clamp(min=1e-12), 0.0).clamp(-1, 1)


def interchanged(
    network: WiredNetwork, kept: Bool[Tensor, " nodes"], examples: Examples, *, generator: Generator
) -> list[float]:
    """The circuit's loss when a growing share (`SHARES`) of its nodes is patched with their values from the whole network. It
    does not rise if the nodes keep their role."""
    inside = kept.nonzero()[:, 0]
    inside = inside[torch.randperm(len(inside), generator=generator)]
    found = []
    for share in SHARES:
        true = torch.zeros_like(kept)
        true[inside[: round(share * len(inside))]] = True
        losses = []
        with undisturbed(network.module, 0), torch.no_grad():
            for batch in batches(examples):
                changes = _with_true(network, kept, true, batch)
                losses.append(each_loss(network.objective, network.run(batch.inputs, changes).cpu(), batch.targets))
        found.append(float(torch.cat(losses).mean()))
    return found


def _with_true(network: WiredNetwork, kept: Tensor, true: Tensor, batch: Examples) -> dict[int, Callable[[Tensor], Tensor]]:
    states, means = network.states(batch.inputs), network.wiring.split(network.means)
    inside, exact = network.wiring.split(kept.to(network.device)), network.wiring.split(true.to(network.device))

    def change(k: int) -> Callable[[Tensor], Tensor]:
        hooks, calls = len(network.wiring.places[k].hooks), [0]

        def put(x: Tensor) -> Tensor:
            state = states[k][calls[0] // hooks]
            calls[0] += 1
            return torch.where(exact[k], state, torch.where(inside[k], x, means[k]))

        return put

    return {k: change(k) for k in range(len(means))}


# Overlap of circuits, and random circuits


@dataclass(frozen=True)
class Overlap:
    """Jaccard overlap of two circuits: shared nodes, and shared edges, as shares of their union."""

    nodes: float
    edges: float


def overlap(edges: Edges, one: Bool[Tensor, " nodes"], other: Bool[Tensor, " nodes"]) -> Overlap:
    """The overlap of two circuits."""
    return Overlap(_jaccard(one, other), _jaccard(edges.within(one), edges.within(other)))


def _jaccard(a: Tensor, b: Tensor) -> float:
    return float((a & b).sum()) / max(1, int((a | b).sum()))


def random_circuit(
    wiring: Wiring, edges: Edges, kept: Bool[Tensor, " nodes"], *, generator: Generator
) -> Bool[Tensor, " nodes"]:
    """A random circuit with as many nodes of each place as `kept`, matched by degree.

    The nodes of a place are divided by their degree into up to four groups, of at least eight nodes each, and the same number
    is drawn from each group.
    """
    found = torch.zeros_like(kept)
    degrees = wiring.split(edges.degrees())
    for mask, degree, chosen in zip(wiring.split(kept), degrees, wiring.split(found), strict=True):
        for group in degree.argsort(stable=True).tensor_split(max(1, min(4, len(degree) // 8))):
            num = int(mask[group].sum())
            chosen[group[torch.randperm(len(group), generator=generator)[:num]]] = True
    return found
