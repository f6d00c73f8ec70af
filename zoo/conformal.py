"""Conformal thresholds for the answers of one or two numbers, learned on the other families, beside the fixed rule.

A number of a new network is compared with those of composers and of imitators: the conformal p-value of a class is the share
of its networks, the new one among them, that fit the class no better. A class with p above alpha is not excluded. What only
composers leave open works, what only imitators leave open does not; where both or none are left open nothing is called. So
there is a band without a call, which no rule moves to .5. The guarantee (a composer is excluded with a chance of at most alpha)
holds where networks are exchangeable; those of one instance are not quite, and another family is not at all, which is why rates
are those of the family left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.classes import composer, imitator
from zoo.figures import Rows
from zoo.measure import C, E, Measured

ALPHA = 0.05
Number = Callable[[Measured], float | None]


def level_0(row: Measured) -> float | None:
    """C at the headline cut; None where there is none."""
    return row.at_headline(C)


def level_1(row: Measured) -> float | None:
    """The novel score is at least C + E - 1 by arithmetic."""
    c, e = row.at_headline(C), row.at_headline(E)
    return None if c is None or e is None else max(0.0, c + e - 1)


NUMBERS: Mapping[int, Number] = {0: level_0, 1: level_1}


@dataclass(frozen=True)
class Conformal:
    """Numbers of composers and of imitators, and the answer to a further one."""

    composers: tuple[float, ...]
    imitators: tuple[float, ...]
    alpha: float = ALPHA

    @classmethod
    def of(cls, rows: Rows, number: Number, *, alpha: float = ALPHA) -> "Conformal":
        """From networks whose truth is known; those without a number say nothing."""
        told = [[value for row in rows if which(row) and (value := number(row)) is not None] for which in (composer, imitator)]
        return cls(tuple(told[0]), tuple(told[1]), alpha)

    def answer(self, value: float | None) -> str:
        """`works`, `does not work` or `not resolved`."""
        if value is None or not self.enough:
            return "not resolved"
        works = _p([one <= value for one in self.composers]) > self.alpha
        fails = _p([one >= value for one in self.imitators]) > self.alpha
        if works == fails:
            return "not resolved"
        return "works" if works else "does not work"

    @property
    def enough(self) -> bool:
        """Whether either class can be excluded at all: of 18 networks and a new one no p-value falls to .05, and whatever does
        not look like the other class would pass for this one."""
        return all(_p([False] * len(numbers)) <= self.alpha for numbers in (self.composers, self.imitators))

    @property
    def band(self) -> tuple[float, float]:
        """Above the second number it works, below the first it does not: NaN where no number would be called so."""
        grid = np.linspace(0, 1, 1001)
        found = [self.answer(float(value)) for value in grid]
        low = max((value for value, one in zip(grid, found, strict=True) if one == "does not work"), default=np.nan)
        high = min((value for value, one in zip(grid, found, strict=True) if one == "works"), default=np.nan)
        return float(low), float(high)


def _p(no_better: Sequence[bool]) -> float:
    return (1 + sum(no_better)) / (1 + len(no_better))


def answers_left_out(rows: Rows, level: int, *, alpha: float = ALPHA) -> dict[str, str]:
    """The answer to each network by its name, from the networks of all other families."""
    number, found = NUMBERS[level], {}
    for family in sorted({row.truth.family for row in rows}):
        fitted = Conformal.of([row for row in rows if row.truth.family != family], number, alpha=alpha)
        found |= {row.name: fitted.answer(number(row)) for row in rows if row.truth.family == family}
    return found
