"""Closed-form ridge probes: one factorisation of the features serves every target, every penalty and every null.

The penalty is chosen per block of targets by generalised cross-validation (Golub, Heath and Wahba 1979), itself in
closed form, so no null is tuned less than the real thing. Classes are probed by ridge on one-hot targets, read off by the
largest output.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Relative to the mean variance of the features, so that rescaling all of them changes nothing.
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1)


@dataclass(frozen=True)
class Design:
    """The eigendecomposition of training features `(n, d)`, ready for any number of targets.

    **Attributes:** `mean` `(d,)`; `centred` `(n, d)`, the features minus it; `directions` `(d, r)` and `variances` `(r,)`,
    eigenvectors and eigenvalues of their Gram matrix.
    """

    mean: Float[Tensor, " d"]
    centred: Float[Tensor, "n d"]
    directions: Float[Tensor, "d r"]
    variances: Float[Tensor, " r"]

    @classmethod
    def of(cls, features: Float[Tensor, "n d"]) -> "Design":
        """Factorise. Costs one Gram matrix and one symmetric eigendecomposition of size `d`."""
        features = features.float()
        mean = features.mean(0)
        centred = features - mean
        gram = centred.T @ centred
        variances, directions = torch.linalg.eigh(gram)
        kept = variances > variances[-1:].clamp(min=1e-30) * 1e-6
        variances, directions = variances[kept], directions[:, kept]
        return cls(mean, centred, directions, variances)

    def fit(self, targets: Float[Tensor, "n k"], *, group: int = 1) -> "Probe":
        """Ridge weights for all targets at once.

        `group` consecutive targets share one penalty (the one-hot columns of one part).
        """
        targets = targets.float()
        offset = targets.mean(0)
        centred = targets - offset
        projected = self.directions.T @ (self.centred.T @ centred) / self.variances.sqrt()[:, None]
        scale = self.variances.sum() / max(self.directions.shape[0], 1)
        shrink = self.variances / (self.variances + torch.tensor(PENALTIES)[:, None] * scale)
        # ||y - H y||^2 = ||y||^2 - sum over directions of (2 s - s^2) (u . y)^2, so no residual is ever formed.
        residual = centred.square().sum(0) - (2 * shrink - shrink.square()) @ projected.square()
        freedom = 1 - (1 + shrink.sum(1)) / len(targets)
        errors = residual / freedom.clamp(min=1e-6).square()[:, None]
        best = errors.view(len(PENALTIES), -1, group).sum(2).argmin(0).repeat_interleave(group)
        chosen = (shrink[best] / self.variances.sqrt()).T * projected
        return Probe(self.mean, self.directions @ chosen, offset)


@dataclass(frozen=True)
class Probe:
    """A fitted linear map: `weights` `(d, k)` on features minus `mean`, plus `offset` `(k,)`."""

    mean: Float[Tensor, " d"]
    weights: Float[Tensor, "d k"]
    offset: Float[Tensor, " k"]

    def __call__(self, features: Float[Tensor, "m d"]) -> Float[Tensor, "m k"]:
        """Predictions."""
        return (features.float() - self.mean) @ self.weights + self.offset


def one_hot(values: Int[Tensor, "*shape"], num_values: int) -> Float[Tensor, "*shape v"]:
    """Targets of a class probe: 1 in the column of the value."""
    return torch.zeros(*values.shape, num_values).scatter_(-1, values[..., None], 1.0)
