"""What a mask that stands for a part is held against: other removals, random masks, the other part's mask, a rotated basis."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import torch
from torch import Generator, Tensor, nn

from assay.instruments.subnetworks.problems import Network, Problems
from assay.instruments.subnetworks.trail import Effect, Trail
from assay.masks import (
    REMOVALS,
    Mask,
    Units,
    expected_overlap,
    masked,
    overlap,
    run,
    run_with_mean_outputs,
    without,
)
from assay.redraw import redrawn

TOLERANCE = 1e-3  # of outputs, beneath which a rotated twin computes the same


@dataclass(frozen=True)
class Removed:
    """What is left when the removed weights are replaced in one way: `effects`, one for each draw."""

    how: str
    effects: tuple[Effect, ...]

    @property
    def difference(self) -> float:
        """How much more is left of the other part: the mean over draws."""
        return sum(effect.removed for effect in self.effects) / len(self.effects)


def removals(
    network: Network,
    problems: Problems,
    part: str,
    mask: Mask,
    *,
    others: Sequence[nn.Module],
    draws: int,
    generator: Generator,
) -> tuple[Removed, ...]:
    """The part taken out in every way."""
    found = []
    for how in REMOVALS:
        if how == "mean" and mask.kind == "neuron":
            found.append(Removed(how, (_with_means(network, problems, part, mask),)))
            continue
        left = without(network.module, mask, how=how, others=others, draws=draws, generator=generator)
        found.append(Removed(how, tuple(_effect(network, problems, part, weights) for weights in left)))
    return tuple(found)


def random_removals(
    network: Network, units: Units, problems: Problems, part: str, mask: Mask, *, draws: int, generator: Generator
) -> tuple[Effect, ...]:
    """As many living weights of every layer taken out at random."""
    weights = network.weights
    chosen = (units.matched(mask, weights, generator=generator) for _ in range(draws))
    return tuple(_effect(network, problems, part, masked(weights, ~random)) for random in chosen)


def _effect(network: Network, problems: Problems, part: str, weights: Mapping[str, Tensor]) -> Effect:
    own, other = (network.score(weights, problems.testing[name]) for name in (part, problems.other(part)))
    return Effect(own, other)


def _with_means(network: Network, problems: Problems, part: str, mask: Mask) -> Effect:
    reference = problems.both.inputs

    def score(name: str):
        examples = problems.testing[name]
        outputs = run_with_mean_outputs(network.module, mask, examples.inputs, reference, batch_size=network.batch_size)
        return network.score_outputs(outputs, examples)

    return Effect(score(part), score(problems.other(part)))


@dataclass(frozen=True)
class Together:
    """Both parts' masks at once.

    **Attributes:** `kept`, `removed`: accuracy on problems that both parts decide, with nothing but the two masks and without
    them; `chance` of it; `overlap`: intersection over union; `expected`: the same of random masks of their sizes.
    """

    kept: float
    removed: float
    chance: float
    overlap: float
    expected: float


def together(network: Network, problems: Problems, masks: Mapping[str, Mask]) -> Together:
    """The union test, and the overlap."""
    weights = network.weights
    first, second = (masks[part] for part in problems.parts)
    kept = network.score(masked(weights, first | second), problems.both)
    removed = network.score(masked(weights, ~(first | second)), problems.both)
    return Together(
        kept.raw, removed.raw, kept.chance, overlap(first, second, weights), expected_overlap(first, second, weights)
    )


def reuse(network: Network, problems: Problems, part: str, mask: Mask) -> dict[str, float]:
    """Accuracy of nothing but the part's mask in other contexts: where the other part says nothing, where it is obeyed, where
    both decide, and on the other part's own problems."""
    weights, other = masked(network.weights, mask), problems.other(part)
    sets = {
        "its own problems, the other part random": problems.reading[part],
        "its own problems, the other part obeyed": problems.testing[part],
        "problems that both decide": problems.both,
        "the other part's problems, this one random": problems.reading[other],
        "the other part's problems, this one obeyed": problems.testing[other],
    }
    return {name: network.score(weights, examples).raw for name, examples in sets.items()}


def stability(network: Network, trails: Sequence[Trail]) -> list[tuple[float, float]]:
    """Overlap of the masks chosen under every two seeds of the search, each beside that of random masks of their sizes."""
    masks = [trail.chosen.mask for trail in trails if trail.chosen is not None]
    weights = network.weights
    return [(overlap(a, b, weights), expected_overlap(a, b, weights)) for a, b in combinations(masks, 2)]


def rotated(module: nn.Module, inputs: Mapping[str, Tensor], generator: Generator) -> nn.Module | None:
    """A twin that computes the same in another basis between every two Linear layers that follow each other with nothing
    between them, in a Sequential; None where there are none, or the twin does not compute the same."""
    twin = copy.deepcopy(module)
    turned = False
    with torch.no_grad():
        for part in twin.modules():
            layers = list(part.children()) if isinstance(part, nn.Sequential) else []
            for first, second in pairwise(layers):
                if isinstance(first, nn.Linear) and isinstance(second, nn.Linear):
                    _turn(first, second, generator)
                    turned = True
    if not turned:
        return None
    plain, again = (run(one, dict(one.named_parameters()), inputs) for one in (module, twin))
    return twin if torch.allclose(plain, again, atol=TOLERANCE) else None


def _turn(first: nn.Linear, second: nn.Linear, generator: Generator) -> None:
    basis, scale = torch.linalg.qr(torch.randn(first.out_features, first.out_features, generator=generator).double())
    turn = (basis * scale.diagonal().sign()).to(first.weight.device)  # uniform over the orthogonal group (Mezzadri 2007)
    second.weight.copy_(second.weight.double() @ turn.T)
    first.weight.copy_(turn @ first.weight.double())
    if first.bias is not None:
        first.bias.copy_(turn @ first.bias.double())


def fresh_others(module: nn.Module, given: Sequence[nn.Module], draws: int, generator: Generator) -> Sequence[nn.Module]:
    """Networks to take weights from: those of the caller, or fresh ones."""
    return given or [redrawn(module, generator) for _ in range(draws)]
