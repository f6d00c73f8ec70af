"""Training on inputs whose nuisance is drawn anew at each step: encoders that name symbols, and whole networks."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.optimisers import AdamW
from assay.stats import keyed_generator
from zoo.families import SymbolTask

Module = TypeVar("Module", bound=nn.Module)
CLIP, WARM = 1.0, 40


@dataclass(frozen=True, kw_only=True)
class Course:
    """How long and how fast to train: rates rise over the first steps, and fall to zero along a cosine from halfway on.

    `rate` and `decay` are those of every parameter but the `head`'s, which has its own.
    """

    steps: int
    batch: int = 256
    rate: float = 4e-3
    decay: float = 0.01
    head: tuple[nn.Parameter, ...] = ()
    head_rate: float = 0.0
    head_decay: float = 0.0


def trained(
    module: nn.Module,
    loss: Callable[[Any, Int[Tensor, " b"]], Float[Tensor, ""]],
    task: SymbolTask,
    values: Int[Tensor, "c k"],
    course: Course,
    generator: Generator,
) -> None:
    """Train a module in place on inputs of some combinations: `loss` takes its outputs and the rows of `values` they show."""
    own = {id(parameter) for parameter in course.head}
    others = [parameter for parameter in module.parameters() if id(parameter) not in own]
    groups = [(others, course.rate, course.decay), (list(course.head), course.head_rate, course.head_decay)]
    optimiser = AdamW(
        [{"params": params, "lr": rate, "weight_decay": decay} for params, rate, decay in groups if params],
        betas=(0.9, 0.98),
        fused=True,
    )
    rates = [group["lr"] for group in optimiser.param_groups]
    module.train()
    for step in range(course.steps):
        late = max(0.0, 2 * step / course.steps - 1)
        share = min(1.0, (step + 1) / WARM) * 0.5 * (1 + math.cos(math.pi * late))
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * share
        rows = torch.randint(len(values), (course.batch,), generator=generator)
        found = loss(module(task.shown(values[rows], generator=generator)), rows)
        for parameter in module.parameters():
            parameter.grad = None
        found.backward()
        nn.utils.clip_grad_norm_(module.parameters(), CLIP)
        optimiser.step()
    module.eval()


def names_loss(logits: Float[Tensor, "b v"], values: Int[Tensor, "b k"], sizes: tuple[int, ...]) -> Float[Tensor, ""]:
    """Cross entropy of the names of all parts."""
    parts = zip(logits.split(sizes, 1), values.unbind(1), strict=True)
    return torch.stack([F.cross_entropy(own, value) for own, value in parts]).sum()


def bits_loss(logits: Float[Tensor, "b w"], bits: Float[Tensor, "b w"]) -> Float[Tensor, ""]:
    """Squared distance of `tanh` of the outputs from a code of signs."""
    return F.mse_loss(torch.tanh(logits), bits)


def answer_loss(outputs: Tensor, answers: Tensor) -> Float[Tensor, ""]:
    """Cross entropy of one answer, or of each of several."""
    return F.cross_entropy(outputs.flatten(0, -2), answers.flatten())


def seeded(make: Callable[[], Module], seed: int, key: str) -> Module:
    """A module whose weights are drawn for this seed and key; the caller's random state stays."""
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=keyed_generator(seed, key))))
        return make()
