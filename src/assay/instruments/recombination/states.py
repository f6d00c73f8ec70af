"""The additive model of states: the mean, and an effect of every value of every part, by least squares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.task import Examples, Part

SMALL = 1e-6  # relative length below which a direction is rounding error


def design_rows(parts: Sequence[Part], examples: Examples) -> Float[Tensor, "n q"]:
    """Rows of the design in double precision: an intercept, and one column for every value of a part, or for its amount where
    the part is graded."""
    columns = [torch.ones(len(examples), 1, dtype=torch.float64)]
    for part in parts:
        if part.graded:
            columns.append(examples.amounts[part.name][:, None].double())
        else:
            columns.append((examples.parts[part.name][:, None] == torch.arange(len(part.values))).double())
    return torch.cat(columns, 1)


@dataclass(frozen=True, eq=False)
class PartDesign:
    """Least-squares design of states on the values of some parts.

    Everything that depends on the examples alone is factorised once, for all cuts, nulls and copies; nothing here is as large
    as a state.

    **Attributes:**

    - `rows`: of the fitted examples; `columns`: those of each part.
    - `solver`: the pseudo-inverse of `rows.T @ rows`.
    - `loose`: the projection onto the null space of the rows.
    - `whole`: for each column, whether it belongs to a part without amounts, whose columns add up to the intercept.
    """

    rows: Float[Tensor, "n q"]
    columns: Mapping[str, slice]
    solver: Float[Tensor, "q q"]
    loose: Float[Tensor, "q q"]
    whole: Bool[Tensor, " q"]

    @classmethod
    def of(cls, parts: Sequence[Part], examples: Examples) -> "PartDesign":
        """The design of the fitted examples."""
        rows = design_rows(parts, examples)
        gram = rows.T @ rows
        solver = torch.linalg.pinv(gram, hermitian=True, rtol=1e-9)
        columns, start = {}, 1
        for part in parts:
            columns[part.name] = slice(start, start := start + (1 if part.graded else len(part.values)))
        whole = torch.zeros(rows.shape[1], dtype=torch.bool)
        for part in parts:
            whole[columns[part.name]] = not part.graded
        return cls(rows, columns, solver, torch.eye(len(gram), dtype=torch.float64) - solver @ gram, whole)

    def determined(self, rows: Float[Tensor, "m q"]) -> Bool[Tensor, " m"]:
        """Whether the fitted examples determine the sum of effects of each row, or difference of rows: each value occurs, and
        is connected to the others through shared combinations."""
        return (rows @ self.loose).norm(dim=1) <= SMALL * rows.norm(dim=1).clamp(min=1.0)

    def with_columns(
        self, base: Float[Tensor, "m q"], source: Float[Tensor, "m q"], names: Sequence[str]
    ) -> Float[Tensor, "m q"]:
        """Rows in which the columns of some parts come from others."""
        moved = base.clone()
        for name in names:
            moved[:, self.columns[name]] = source[:, self.columns[name]]
        return moved

    def weights(self, rows: Int[Tensor, " m"]) -> Float[Tensor, "q m"]:
        """Weights of summed states in each effect, the intercept first. `rows`: the design row of each group of examples whose
        states are summed."""
        return self.solver @ self.rows[rows].T

    def turned(self, effects: Float[Tensor, "q f"], mixed: Float[Tensor, "r f"], generator: Generator) -> Float[Tensor, "q f"]:
        """The same effects in random directions of the span of the states: a random subspace with the distances and angles
        between effects, the mean and the dimension unchanged.

        **Arguments:** `mixed`: random linear combinations of centred states, at most one more than there are directions.
        """
        mean = self.rows.mean(0).to(effects.dtype)
        centred = effects.clone()
        centred[0] = 0
        for columns in self.columns.values():
            if bool(self.whole[columns].all()):
                weight = mean[columns] / mean[columns].sum()
                centred[columns] -= weight @ effects[columns]
        long, wide = mixed.double(), centred.double()
        lengths, basis = _principal(long @ long.T)
        sizes, left = _principal(wide @ wide.T)
        keep = min(len(lengths), len(sizes))
        sizes, left = sizes[:keep].sqrt(), left[:, :keep]
        draw = partial(torch.randn, generator=generator, dtype=torch.float64)
        # Both rotations are the same whichever axes are chosen for equal lengths, so that rounding changes nothing.
        turn = _isometry(left.T @ draw(len(left), len(lengths))) @ _isometry(draw(len(lengths), len(basis)) @ basis)
        # Few long vectors: few products have their length, and everything else is as small as the design.
        found = ((left * sizes) @ turn @ (basis / lengths.sqrt()).T).to(mixed.dtype) @ mixed
        found[0] = mean @ effects - mean[1:] @ found[1:]
        return found


def _principal(products: Float64[Tensor, "r r"]) -> tuple[Float64[Tensor, " k"], Float64[Tensor, "r k"]]:
    """Eigenvalues above rounding error in falling order, with their axes."""
    values, axes = torch.linalg.eigh(products)
    values, axes = values.flip(0), axes.flip(1)
    real = values > SMALL * values.max().clamp(min=1e-30)
    return values[real], axes[:, real]


def _isometry(random: Float64[Tensor, "a b"]) -> Float64[Tensor, "a b"]:
    """The nearest isometry."""
    left, _, right = torch.linalg.svd(random, full_matrices=False)
    return left @ right


def combined(weights: Float[Tensor, "m r"], values: Float[Tensor, "r f"]) -> Float[Tensor, "m f"]:
    """`weights @ values`, over the few nonzero entries of each row of weights."""
    row, column = weights.nonzero(as_tuple=True)
    starts = torch.searchsorted(row, torch.arange(len(weights)))
    return F.embedding_bag(column, values, starts, mode="sum", per_sample_weights=weights[row, column].to(values.dtype))


def summed(
    values: Float[Tensor, "r f"], rows: Int[Tensor, " n"], group: Int[Tensor, " n"], number: int
) -> Float[Tensor, "g f"]:
    """Sums of rows of values by their group."""
    order = group.argsort(stable=True)
    return F.embedding_bag(rows[order], values, torch.searchsorted(group[order], torch.arange(number)), mode="sum")
