"""Weight-sparse training: after every update only the largest weights of each matrix are kept (Gao et al. 2025, arXiv
2511.13653).

The density falls linearly from 1 to its target in the first half of training. Moments of the optimiser are not masked, so
weights can return. Biases and scales of norms stay dense.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from assay.errors import AssayError
from assay.stats import keyed_generator
from assay.training.config import TrainingConfig

SLACK = 1.1
"""Factor by which the floor of small matrices may raise the density of the whole network."""
_DRIFT = 0.1  # relative error in the number kept, up to which the last threshold is used again
_ENOUGH = 1e-8  # root mean square of a gradient below which it is not normalised


@dataclass
class _Matrix:
    """One matrix with its sparsity constraint, and the values that are reused from step to step.

    **Attributes:**

    - `axis`: the dimension along which a unit's weights lie; each unit of the longer side keeps `floor` weights.
    - `drawn`: random ranks of the weights that replace their magnitude, for a random mask.
    - `threshold`: of the magnitude, `()`; `protected`: flat indices `(units * floor,)` of each unit's largest weights.
    """

    name: str
    weight: Tensor
    axis: int
    floor: int
    threshold: Tensor
    protected: Int[Tensor, " p"]
    drawn: Float[Tensor, " w"] | None = None

    @classmethod
    def of(cls, name: str, weight: Tensor, floor: int, *, seed: int | None = None) -> "_Matrix":
        flat = weight.flatten(1)
        axis = int(flat.shape[0] >= flat.shape[1])
        floor = min(floor, flat.shape[axis])
        units = flat.shape[1 - axis]
        nothing = torch.zeros((), dtype=torch.float64)
        protected = torch.zeros(units * floor, dtype=torch.int64, device=weight.device)
        drawn = None
        if seed is not None:
            drawn = torch.rand(weight.numel(), generator=keyed_generator(seed, f"random mask of {name}")).to(weight.device)
        return cls(name, weight, axis, floor, nothing, protected, drawn)

    @property
    def least(self) -> float:
        """Lowest density that the floor allows."""
        return len(self.protected) / self.weight.numel()

    def target(self, density: float) -> int:
        """Number of weights kept at a density."""
        return min(self.weight.numel(), max(round(density * self.weight.numel()), len(self.protected)))

    def project(self, target: int, *, exactly: bool) -> None:
        """Set all but about (or exactly) `target` weights to zero."""
        if exactly or self.drawn is not None or not self._with_last_threshold(target):
            self._exactly(target)

    def _with_last_threshold(self, target: int) -> bool:
        """Project with the last threshold, without a selection; returns whether the number kept is close enough."""
        threshold = float(self.threshold)
        values = self.weight.flatten()
        shrunk = F.hardshrink(values, threshold)
        shrunk[self.protected] = values[self.protected]
        kept = int(torch.count_nonzero(shrunk))
        if threshold <= 0 or abs(kept - target) > _DRIFT * target:
            return False
        self.weight.copy_(shrunk.view(self.weight.shape))
        self.threshold.fill_(threshold * (kept / target) ** 0.25)
        return True

    def _exactly(self, target: int) -> None:
        sizes = (self.weight.abs() if self.drawn is None else self.drawn.view(self.weight.shape)).flatten(1)
        places = torch.arange(sizes.numel(), device=sizes.device).view_as(sizes)
        largest = sizes.topk(self.floor, dim=self.axis, sorted=False).indices
        self.protected.copy_(places.gather(self.axis, largest).flatten())
        flat, kept = sizes.flatten(), self.protected
        if target > len(kept):
            found = flat.index_fill(0, kept, -1.0).topk(target - len(kept), sorted=False)
            self.threshold.fill_(float(found.values.min()))
            kept = torch.cat([kept, found.indices])
        else:
            self.threshold.fill_(math.inf)
        values = self.weight.flatten()
        thinned = torch.zeros_like(values)
        thinned[kept] = values[kept]
        self.weight.copy_(thinned.view(self.weight.shape))


def sparse_matrices(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Parameters with two or more dimensions, by name, except those in a module that `stays_dense`."""
    dense = {id(weight) for part in model.modules() if getattr(part, "stays_dense", False) for weight in part.parameters()}
    return [(name, weight) for name, weight in model.named_parameters() if weight.ndim >= 2 and id(weight) not in dense]


class Projection:
    """The projection of one network's matrices (`sparse_matrices`).

    **Raises:** `AssayError` naming the matrices when the floor exceeds the density.

    Example::

        projection = Projection(model, TrainingConfig(sparse=1 / 16, sparse_floor=1)) projection.after(step=0) # after the
        optimiser's step
    """

    def __init__(self, model: nn.Module, config: TrainingConfig):
        self.config = config
        self.model = model
        named = sparse_matrices(model)
        seed = config.seed if config.sparse_random else None
        self.matrices = [_Matrix.of(name, weight.detach(), config.sparse_floor, seed=seed) for name, weight in named]
        self.total = sum(matrix.weight.numel() for matrix in self.matrices)
        self._check()

    def _check(self) -> None:
        config = self.config
        if not self.matrices:
            raise AssayError("sparse training needs a network with matrices", given=f"{type(self.model).__name__} without")
        reached = self.planned() / self.total
        if reached <= SLACK * config.sparse:
            return
        bound = [f"{m.name} ({m.least:.3g})" for m in self.matrices if m.least > config.sparse]
        raise AssayError(
            f"the density must leave {config.sparse_floor} weights for each unit",
            given=f"density {config.sparse:.4g}, which the floor raises to {reached:.4g}: {', '.join(bound)}",
            next_step=f"ask for a density of at least {reached:.3g}, a smaller sparse_floor (0 for none), or a wider network",
        )

    def planned(self) -> int:
        """Number of weights kept at the end."""
        return sum(matrix.target(self.config.sparse) for matrix in self.matrices)

    @torch.no_grad()
    def after(self, step: int) -> None:
        """Project after the update that follows `step` finished ones. The last projection is exact, as is every
        `sparse_exact`-th; others use the last threshold again."""
        density = self.config.density(step)
        if density >= 1:
            return
        last = step + 1 == self.config.steps
        for matrix in self.matrices:
            matrix.project(matrix.target(density), exactly=last or step % self.config.sparse_exact == 0)
        if last:
            self._check_reached()

    def _check_reached(self) -> None:
        for matrix in self.matrices:
            kept = int(torch.count_nonzero(matrix.weight))
            assert kept <= matrix.target(self.config.sparse), f"{matrix.name} keeps {kept} weights"

    def state(self) -> Iterator[tuple[str, Tensor]]:
        """State from which an interrupted run continues to the same bits."""
        for matrix in self.matrices:
            yield f"sparse/{matrix.name}/threshold", matrix.threshold
            yield f"sparse/{matrix.name}/protected", matrix.protected


@torch.no_grad()
def normalise_gradient(model: nn.Module) -> Tensor:
    """Divide the gradient by its root mean square over all weights; returns its norm before, `()`."""
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(one) for one in gradients]))
    rms = norm / math.sqrt(sum(one.numel() for one in gradients))
    if float(rms) > _ENOUGH:  # NaN stays NaN and is recorded as divergence
        for one in gradients:
            one.div_(rms)
    return norm.float()


@torch.no_grad()
def prune(model: nn.Module, density: float, *, floor: int = 0) -> None:
    """Magnitude pruning in place, without training: all but the largest weights of every matrix become zero. It turns a dense
    network into a control of a sparse one.

    Example::

        >>> from assay.training import prune
        >>> network = torch.nn.Linear(16, 16)
        >>> prune(network, 1 / 16)
        >>> int((network.weight != 0).sum())
        16
    """
    for matrix in Projection(model, TrainingConfig(sparse=density, sparse_floor=floor)).matrices:
        matrix.project(matrix.target(density), exactly=True)


def density_of(model: nn.Module) -> float:
    """Share of nonzero weights in all matrices but those that stay dense.

    Example::

        print(density_of(assay.load_subject("runs/sparse").module))
    """
    matrices = [weight.detach() for _, weight in sparse_matrices(model)]
    return sum(int(torch.count_nonzero(one)) for one in matrices) / max(1, sum(one.numel() for one in matrices))
