"""Baselines for the nine lines: norm and sharpness of the weights, and prequential code length of a recipe with its data."""

import math
from itertools import pairwise

import torch
from making import Recipe, fit_on, initial
from torch import Generator
from torch.nn import functional as F

from assay.stats import keyed_generator
from assay.subject import Subject
from assay.task import Examples, Task

NOISE, DRAWS = 0.05, 10
BLOCKS = (1 / 8, 1 / 4, 1 / 2, 1.0)
"""Shares of the trained combinations after each block."""
SHARE_OF_STEPS = 0.25
"""Steps for the network of each block, as a share of those of the recipe."""


def norm(subject: Subject) -> float:
    """Euclidean norm of all weights as one vector."""
    return float(torch.cat([weight.flatten() for _, weight in sorted(subject.weights().items())]).norm())


@torch.no_grad()
def sharpness(subject: Subject, examples: Examples, *, seed: int = 0) -> float:
    """Rise of the loss on trained examples, in nats, when every weight w becomes w (1 + `NOISE` e) with e standard normal.

    Adaptive sharpness in the mean (Andriushchenko et al. 2023, arXiv 2302.07011), over `DRAWS` draws; it is invariant under
    rescaling of units.
    """
    generator, weights = keyed_generator(seed, "test bed: sharpness"), subject.weights()

    def loss(changed: dict[str, torch.Tensor]) -> float:
        outputs = torch.func.functional_call(subject.module, changed, args=(), kwargs=dict(examples.inputs))
        return float(F.cross_entropy(outputs, examples.targets))

    noisy = [
        {name: weight * (1 + NOISE * torch.randn(weight.shape, generator=generator)) for name, weight in weights.items()}
        for _ in range(DRAWS)
    ]
    return sum(map(loss, noisy)) / DRAWS - loss(weights)


def prequential(recipe: Recipe, task: Task, own: Examples, num_outputs: int) -> float:
    """Bits for each trained example of a combination, sent in blocks (Blier and Ollivier 2018, arXiv 1802.07044).

    The trained combinations are sent in random order, those of the first block as if all outputs were equally likely, those of
    each further block by a network of the same recipe, from the same initial weights, trained on all blocks before for
    `SHARE_OF_STEPS` of the steps. It is trained on the combinations alone, without what else a network of the world is trained
    on, so that it has seen nothing of a later block; early blocks are therefore cheaper to learn than in the training itself.
    The code length is that of the recipe with its data; it does not depend on the network that is read.
    """
    known = own.combination.unique()
    known = known[torch.randperm(len(known), generator=Generator().manual_seed(recipe.seed))]
    ends = [max(1, round(share * len(known))) for share in BLOCKS]
    bits = [math.log2(num_outputs) * int(torch.isin(own.combination, known[: ends[0]]).sum())]
    for before, end in pairwise(ends):
        model = initial(recipe, task)
        rows = torch.isin(own.combination, known[:before])
        fit_on(model, recipe, task, [own.take(rows)], round(SHARE_OF_STEPS * recipe.steps))
        block = own.take(torch.isin(own.combination, known[before:end]))
        with torch.no_grad():
            bits.append(float(F.cross_entropy(model.eval()(**block.inputs), block.targets, reduction="sum")) / math.log(2))
    return sum(bits) / len(own)
