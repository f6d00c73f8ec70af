"""Closed-form ridge probes: one factorisation of the features serves every target, every penalty and every fold.

The penalty is chosen per block of targets by generalised cross-validation (Golub, Heath and Wahba 1979), also in closed form,
so nulls are tuned as well as the measure. Classes are probed by ridge regression on one-hot targets and predicted by the
largest output.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.display import brief
from assay.spectra import eigh, unit_scale, varying

# Relative to the mean variance of the features, so that rescaling all of them has no effect.
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1)


@dataclass(frozen=True)
class Design:
    """Factorised features of `b` sets of training rows, each in `f` folds of `w` rows, some of which may be unused.

    **Attributes:**

    - `mean` `(b, d)`; `whiten` `(b, d, r)`: (features - mean) @ whiten has orthonormal columns.
    - `rows` `(b, f, w, 1 + r)`: a constant column for the intercept, then those columns; 0 where unused.
    - `ratios` `(b, r)`: variance along every column over the mean variance; 0 for a direction without variance.
    - `counts` `(b,)`: number of rows used.
    """

    __repr__ = brief

    mean: Float[Tensor, "b d"]
    whiten: Float[Tensor, "b d r"]
    rows: Float[Tensor, "b f w q"]
    ratios: Float[Tensor, "b r"]
    counts: Float[Tensor, " b"]

    @classmethod
    def of(
        cls, features: Float[Tensor, "b f w d"], used: Bool[Tensor, "b f w"] | None = None, *, uncorrelated: bool = False
    ) -> "Design":
        """Factorise features, with a Gram matrix and a symmetric eigendecomposition of size `d` for each set. Neither is needed
        for features that are `uncorrelated` over the rows of each set, such as their principal components."""
        scale = unit_scale(features)
        features = features if scale == 1 else features * scale
        used = torch.ones(features.shape[:3], dtype=torch.bool) if used is None else used
        weights = used[..., None].float()
        counts = weights.sum((1, 2, 3))
        mean = _mean(features, weights, counts)
        centred = (features - mean[:, None, None]) * weights
        offset = counts * mean.square().sum(1)
        if bool((torch.linalg.vector_norm(centred, dim=(1, 2, 3)).square() < 1e-6 * offset).any()):
            mean = mean + _mean(centred, weights, counts)  # nearly constant: else only rounding of the mean would be left
            centred = (features - mean[:, None, None]) * weights
        table = centred.flatten(1, 2)
        if uncorrelated:
            variances, directions = table.square().sum(1), torch.eye(table.shape[2])
        else:
            variances, directions = eigh(table.mT @ table)
        kept = varying(variances, variances.sum(1) + offset, least=1e-6)
        whiten = directions * (kept / variances.clamp(min=1e-36).sqrt())[:, None]
        constant = weights / counts.sqrt()[:, None, None, None]
        variances = variances * kept
        ratios = variances * kept.sum(1, keepdim=True) / variances.sum(1, keepdim=True).clamp(min=1e-30)
        rows = torch.cat([constant, (table @ whiten).view_as(centred)], -1)
        return cls(mean / scale, whiten * scale, rows, ratios, counts)

    def fit(self, targets: Float[Tensor, "b f w c"], *, group: int = 1) -> "Fit":
        """Choose a penalty for every target. `group` consecutive targets share one (the one-hot columns of one part).

        Targets are 0 in unused rows.
        """
        moments = self.rows.mT @ targets
        total = moments.sum(1)
        # ||y - H y||^2 = ||y||^2 - sum over columns u of (2 s - s^2) (u . y)^2, so no residual is ever formed.
        explained = (2 * self._shrink - self._shrink.square()) @ total.square()
        residual = (targets.square().sum((1, 2))[:, None] - explained).clamp(min=0.0)
        freedom = 1 - self._shrink.sum(2) / self.counts[:, None]
        errors = residual / freedom.clamp(min=1e-6).square()[..., None]
        best = errors.unflatten(2, (-1, group)).sum(3).argmin(1).repeat_interleave(group, 1)
        return Fit(self, moments, best)

    @cached_property
    def _shrink(self) -> Float[Tensor, "b p q"]:
        """Shrinkage factor of every column under each penalty; 1 for the intercept."""
        penalties = torch.tensor(PENALTIES)[None, :, None]
        shrink = self.ratios[:, None] / (self.ratios[:, None] + penalties)
        return torch.cat([torch.ones(len(shrink), len(PENALTIES), 1), shrink], 2)

    @cached_property
    def _others(self) -> Float[Tensor, "b f q q"]:
        """The Gram matrix of all rows outside each fold."""
        grams = self.rows.mT @ self.rows
        return grams.sum(1, keepdim=True) - grams

    def _factor(self, designs: Int[Tensor, " e"], penalty: int) -> Float[Tensor, "e f q q"]:
        """Cholesky factors of the normal equations without each fold."""
        ridge = 1 / self._shrink[designs, penalty].clamp(min=1e-9) - 1
        # A direction that occurs in one fold only is rounding in the others: the small number keeps its weight at 0.
        system = self._others[designs]
        system.diagonal(dim1=2, dim2=3).add_(ridge[:, None] + 1e-6)
        return torch.linalg.cholesky(system)


@dataclass(frozen=True)
class Fit:
    """Targets fitted to a design: `moments` `(b, f, 1 + r, c)`, products of columns and targets in every fold, and `best` `(b,
    c)`, the index of the chosen penalty."""

    __repr__ = brief

    design: Design
    moments: Float[Tensor, "b f q c"]
    best: Int[Tensor, "b c"]

    def left_out(self) -> Float[Tensor, "b f w c"]:
        """Predictions for every row by the probe fitted without the row's fold, at the penalty chosen on all of them.

        Exact: refitting without fold f solves the same equations, (U'U - U_f'U_f + lambda V^-1) w = U'y - U_f'y_f, in the
        whitened columns U of variances V, so no fold needs a new factorisation of size `d`.
        """
        asked = (self.moments.sum(1, keepdim=True) - self.moments).permute(0, 3, 1, 2).flatten(0, 1)
        solved = torch.zeros_like(asked)
        for penalty, designs, columns, real in self._by_penalty():
            rows = designs[:, None] * self.best.shape[1] + columns
            solution = _solve(self.design._factor(designs, penalty), asked[rows].permute(0, 2, 3, 1))
            solved[rows[real]] = solution.permute(0, 3, 1, 2)[real]
        return self.design.rows @ solved.unflatten(0, self.best.shape).permute(0, 2, 3, 1)

    def probe(self) -> "Probe":
        """The probes fitted on all rows."""
        shrink = self.design._shrink.gather(1, self.best[..., None].expand(-1, -1, self.moments.shape[2])).mT
        chosen = self.moments.sum(1) * shrink
        weights = self.design.whiten @ chosen[:, 1:]
        return Probe(self.design.mean, weights, chosen[:, 0] / self.design.counts.sqrt()[:, None])

    def _by_penalty(self) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
        """For every chosen penalty: the designs with such targets, the columns of these targets `(e, k)`, and which are no
        padding."""
        for penalty in self.best.unique().tolist():
            wanted = self.best == penalty
            designs = wanted.any(1).nonzero()[:, 0]
            wanted = wanted[designs]
            columns = (~wanted).to(torch.uint8).argsort(dim=1, stable=True)[:, : int(wanted.sum(1).max())]
            yield penalty, designs, columns, wanted.gather(1, columns)


@dataclass(frozen=True)
class Probe:
    """Fitted linear maps: `weights` `(b, d, c)` on features minus `mean` `(b, d)`, plus `offset` `(b, c)`."""

    __repr__ = brief

    mean: Float[Tensor, "b d"]
    weights: Float[Tensor, "b d c"]
    offset: Float[Tensor, "b c"]

    def __call__(self, features: Float[Tensor, "m d"]) -> Float[Tensor, "b m c"]:
        """Predictions of every set's probes on the same new features."""
        return (features - self.mean[:, None]) @ self.weights + self.offset[:, None]


def _mean(
    features: Float[Tensor, "b f w d"], weights: Float[Tensor, "b f w 1"], counts: Float[Tensor, " b"]
) -> Float[Tensor, "b d"]:
    return (weights.flatten(1, 2).mT @ features.flatten(1, 2))[:, 0] / counts[:, None]


def _solve(factor: Float[Tensor, "e f q q"], targets: Float[Tensor, "e f q k"]) -> Float[Tensor, "e f q k"]:
    # For many targets a product with the inverse is ten times faster than the two triangular solves.
    many = targets.shape[-1] > factor.shape[-1] // 4
    return torch.cholesky_inverse(factor) @ targets if many else torch.cholesky_solve(targets, factor)


def one_hot(values: Int[Tensor, "*shape"], num_values: int) -> Float[Tensor, "*shape v"]:
    """One-hot targets of a class probe."""
    return torch.zeros(*values.shape, num_values).scatter_(-1, values[..., None], 1.0)
