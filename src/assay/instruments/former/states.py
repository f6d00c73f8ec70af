"""What each value of each part adds to a state: additive models fitted on some combinations and used on others."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.observed import Observed
from assay.probe import one_hot
from assay.task import Part

ESTIMABLE = 1e-3  # the largest share of a contrast that the fitted combinations may leave open


@dataclass(frozen=True)
class Design:
    """The additive model of a part: a column for each of its values and for each value of every other part that does not
    decide it, or one with its amount where a part is graded, and an intercept.

    **Attributes:**

    - `table`: `(n, q)`, one row for every observed example.
    - `num_own`: how many columns, the first ones, are the part's own.
    - `solvers`: for every fold the least-squares solution of minimum norm `(q, n)`, from the examples of the other folds.
    - `open`: for every fold the projection `(q, q)` onto what these examples leave undetermined.
    """

    table: Float[Tensor, "n q"]
    num_own: int
    solvers: Float[Tensor, "k q n"]
    open: Float[Tensor, "k q q"]

    @classmethod
    @lru_cache(maxsize=8)  # every site of every network asks for the same few
    def of(cls, observed: Observed, part: Part, others: tuple[Part, ...] | None = None) -> "Design":
        """Beside `others`, which are by default all that read an input of their own and do not decide the part."""
        if others is None:
            others = tuple(one for one in observed.parts if one != part and not one.of and one.name not in part.of)
        own, *rest = [_columns(observed, one) for one in (part, *others)]
        table = torch.cat([own, *rest, torch.ones(len(own), 1)], 1).double()
        fitted = [(observed.fold != fold).double()[:, None] * table for fold in range(observed.num_folds)]
        solvers = torch.stack([torch.linalg.pinv(rows, rtol=1e-6) for rows in fitted])
        left = torch.eye(table.shape[1]) - solvers @ torch.stack(fitted)
        return cls(table.float(), own.shape[1], solvers.float(), left.float())

    def moved(self, base: Int[Tensor, " p"], source: Int[Tensor, " p"]) -> Float[Tensor, "p q"]:
        """What the exchange adds to the row of each base: the own columns of the source in place of its own."""
        difference = self.table[source] - self.table[base]
        difference[:, self.num_own :] = 0
        return difference

    def effects(self, states: Float[Tensor, "n d"]) -> Float[Tensor, "k q d"]:
        """What every column adds, fitted for every fold without its combinations."""
        return self.solvers @ states

    def determined(self, rows: Float[Tensor, "p q"], fold: Int[Tensor, " p"]) -> Bool[Tensor, " p"]:
        """Whether the other folds say what `rows` add: every value occurs there, joined to the others."""
        loose = (rows @ self.open).norm(dim=2)
        return loose.gather(0, fold[None])[0] <= ESTIMABLE * rows.norm(dim=1)


def _columns(observed: Observed, part: Part) -> Float[Tensor, "n v"]:
    if part.graded:
        return observed.examples.amounts[part.name][:, None].float()
    return one_hot(observed.examples.parts[part.name], len(part.values))
