"""Search for a mask: the units of a frozen network that suffice for some problems."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.isolation import subnormals_flushed, undisturbed
from assay.masks.mask import Mask
from assay.masks.prefix import kept_prefix
from assay.masks.relaxations import ContinuousSparsification, Relaxation
from assay.masks.running import call, shares_weights, weights_of
from assay.masks.unit_kinds import Units
from assay.objective import check_finite
from assay.optimisers import Adam
from assay.progress import report
from assay.task import Examples

REPORTED = 20  # steps between progress reports
Loss = Callable[[Tensor, Tensor], Float[Tensor, ""]]
"""Scalar loss of outputs and targets."""


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """**Attributes:**

    - `steps`: number of steps of the first search on a path; `later_steps`: of every search with a warm start.
    - `batch_size`: problems in a step, drawn with replacement.
    - `learning_rate`: learning rate of Adam on the logits.
    - `hold`: number of steps at one temperature: 1 raises it every step, the length of an epoch every epoch.
    - `checks`: number of convergence checks of the hard mask in a search, for early stopping; 0 for none.
    """

    steps: int = 400
    later_steps: int = 200
    batch_size: int = 64
    learning_rate: float = 0.05
    hold: int = 1
    checks: int = 20


class SearchStep(NamedTuple):
    """Record of one step: the penalised loss, the loss alone, and the expected number of weights kept."""

    total: float
    loss: float
    size: float


@dataclass(frozen=True)
class FoundMask:
    """Result of a search at one price.

    **Attributes:** `price`: penalty for each weight kept; `mask`; `logits` `(u,)`; `trace`: at every check the step, the loss,
    the expected number of weights kept, and the number that the hard mask keeps.
    """

    price: float
    mask: Mask
    logits: Float[Tensor, " u"]
    trace: tuple[tuple[int, float, float, int], ...]


class MaskTraining:
    """Training of one mask on a frozen module by Adam on the logits, with loss + price x expected number of weights (an L0
    penalty).

    Autograd computes gradients at the masked weights; those of the logits follow in closed form.
    """

    def __init__(
        self,
        module: nn.Module,
        units: Units,
        *,
        loss: Loss,
        price: float,
        relaxation: Relaxation,
        learning_rate: float,
        logits: Float[Tensor, " u"] | None = None,
    ):
        self.module, self.units, self.loss, self.price, self.relaxation = module, units, loss, price, relaxation
        self.weights, self._shares = weights_of(module), shares_weights(module)
        self.device = self.weights[units.places[0].parameter].device
        start = torch.full((len(units),), relaxation.start) if logits is None else logits.clone()
        self.logits = start.to(self.device).requires_grad_()
        self._sizes = units.sizes().to(self.logits)
        self._adam = Adam([self.logits], lr=learning_rate, fused=True)

    def step(self, inputs: Mapping[str, Tensor], targets: Tensor, *, progress: float, generator: Generator) -> SearchStep:
        """One step on one batch. The module must be in evaluation mode."""
        relaxed = self.relaxation.relax(self.logits.detach(), progress, generator)
        own = {name: self.weights[name] for name in (place.parameter for place in self.units.places)}
        spread = self.units.spread(relaxed.mask)
        leaves = {name: (weight * spread[name]).requires_grad_() for name, weight in own.items()}
        with torch.enable_grad():
            loss = self.loss(call(self.module, {**self.weights, **leaves}, inputs, shares=self._shares), targets)
            slopes = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
        by_mask = self.units.gather({name: slope * own[name] for name, slope in zip(leaves, slopes, strict=True)})
        self.logits.grad = by_mask * relaxed.slope + self.price * self._sizes * relaxed.chance_slope
        self._adam.step()
        own_loss, size = float(loss.detach()), float(self._sizes @ relaxed.chance)
        return SearchStep(own_loss + self.price * size, own_loss, size)

    @property
    def kept(self) -> Tensor:
        """The units that the current hard mask keeps, `(u,)` on the CPU."""
        return self.relaxation.hard(self.logits.detach()).cpu()


def search(
    module: nn.Module,
    units: Units,
    examples: Examples,
    *,
    loss: Loss,
    price: float,
    generator: Generator,
    config: SearchConfig | None = None,
    relaxation: Relaxation | None = None,
    after: FoundMask | None = None,
) -> FoundMask:
    """Search for a mask at one price. The module's weights, buffers and modes are restored.

    **Arguments:**

    - `examples`: problems that the subnetwork must solve; `loss`: of outputs and targets, such as a task's `objective.loss`.
    - `price`: penalty added to the loss for every weight kept.
    - `after`: a finished search at a lower price, for a warm start.

    **Raises:** `AssayError` without examples, or when the loss is not finite.
    """
    config, relaxation = config or SearchConfig(), relaxation or ContinuousSparsification()
    if not len(examples):
        raise AssayError("a search for a mask needs at least one problem", given="none")
    first = None if after is None else relaxation.again(after.logits)
    training = MaskTraining(
        module,
        units,
        loss=loss,
        price=price,
        relaxation=relaxation,
        learning_rate=config.learning_rate,
        logits=first,
    )
    inputs = {name: value.to(training.device) for name, value in examples.inputs.items()}
    targets = examples.targets.to(training.device)
    steps = config.steps if after is None else config.later_steps
    every = max(1, steps // config.checks) if config.checks else steps + 1
    sizes, trace, before = units.sizes(), [], training.kept
    # A mask close to 0 makes many weights and slopes subnormal, which would double the time or more.
    with undisturbed(module), subnormals_flushed(), kept_prefix(module, units, inputs) as prefix:
        for step in range(steps):
            rows = torch.randint(len(examples), (min(config.batch_size, len(examples)),), generator=generator)
            rows = rows.to(training.device)
            prefix.at(rows)
            if step % REPORTED == 0:
                report("searching for a mask", step / steps)
            progress = step // config.hold * config.hold / steps
            taken = training.step(
                {name: value[rows] for name, value in inputs.items()}, targets[rows], progress=progress, generator=generator
            )
            if (step + 1) % every == 0 or step + 1 == steps:
                now = training.kept
                trace.append((step + 1, taken.loss, taken.size, int(sizes[now].sum())))
                if _at_rest(now, before, taken, trace):
                    break
                before = now
    check_finite(training.logits.detach(), "the logits of a mask")
    return FoundMask(price, units.mask(training.kept), training.logits.detach().cpu(), tuple(trace))


def path(
    module: nn.Module,
    units: Units,
    examples: Examples,
    *,
    loss: Loss,
    prices: Sequence[float],
    generator: Generator,
    config: SearchConfig | None = None,
    relaxation: Relaxation | None = None,
    enough: Callable[[FoundMask], bool] | None = None,
) -> Iterator[FoundMask]:
    """Sparsity path: searches at rising prices, each warm-started from the one before; see `search`.

    **Arguments:** `prices`: in ascending order; `enough`: called with every result; True ends the path.
    """
    if list(prices) != sorted(prices):
        raise AssayError("the prices of a path must rise", given=list(prices))
    found = None
    for price in prices:
        found = search(
            module,
            units,
            examples,
            loss=loss,
            price=price,
            generator=generator,
            config=config,
            relaxation=relaxation,
            after=found,
        )
        yield found
        if enough is not None and enough(found):
            return


def _at_rest(now: Tensor, before: Tensor, taken: SearchStep, trace: Sequence[tuple[int, float, float, int]]) -> bool:
    """Whether the search has converged: the hard mask equals that of the last check, the relaxed one has about its size, and
    the loss has not changed."""
    num = trace[-1][3]
    settled = torch.equal(now, before) and abs(taken.size - num) <= 0.01 * max(1, num)
    return settled and len(trace) > 1 and abs(trace[-1][1] - trace[-2][1]) <= 0.01
