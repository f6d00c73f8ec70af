"""Numbers by which networks are ranked: what was measured inside them, and the baselines beside it."""

import numpy as np
import torch

from assay.stats import keyed_generator
from zoo.classes import WORKS, composer, counted, imitator
from zoo.figures import Rows, Score, Statistic, auroc, ranking
from zoo.measure import CS, C, E, Measured

MIDDLE = 0.5  # the score of a network without a headline cut
REPEATS = 20  # draws of C and E at random under the identity


def at_headline(key: str) -> Score:
    """A rate at the headline cut, or the tied middle score."""

    def score(row: Measured) -> float:
        value = row.at_headline(key)
        return MIDDLE if value is None else value

    return score


def baseline(name: str) -> Score:
    """A number that was measured without novel combinations; the middle where it is not known."""
    return lambda row: row.baselines.get(name, MIDDLE)


def constructed(row: Measured) -> float:
    """Feeding the exchanged input, as far as it can be composed from trained inputs."""
    found = row.value("novel_constructed_input")
    return found.value if found and found.value is not None else MIDDLE


def novel_score(row: Measured) -> float:
    """Feeding the novel input itself: behaviour, which decides the class."""
    return row.truth.outside.share


def at_random(row: Measured) -> list[float]:
    """C*E of random C and E, uniform over the counts of novel combinations that C + E - 1 <= N <= 1 - |C - E| permits."""
    total, right = row.truth.outside.total, row.truth.outside.right
    c, e = np.indices((total + 1, total + 1)).reshape(2, -1)
    allowed = np.flatnonzero((c + e - total <= right) & (right <= total - np.abs(c - e)))
    drawn = allowed[torch.randint(len(allowed), (REPEATS,), generator=keyed_generator(0, row.name)).numpy()]
    return list(c[drawn] * e[drawn] / total**2)


UNSIGNED = ("norm", "D_eff", "Psi_eff")
"""Baselines of which it is not known beforehand which way they point: they are read the better way."""
NETWORK_FREE = ("coverage", "main effects", "nearest example")
NAMED = (*NETWORK_FREE, "decodability", *UNSIGNED)


def baselines(rows: Rows) -> dict[str, Statistic]:
    """The AUROC of each baseline between composers and imitators."""
    products = {row.name: at_random(row) for row in rows if composer(row) or imitator(row)}

    def random(some: Rows) -> float:
        classes = [
            list(zip(*(products[row.name] for row in some if which(row)), strict=True)) for which in (composer, imitator)
        ]
        drawn = [auroc(*both) for both in zip(*classes, strict=False)]
        return float(np.median(drawn)) if drawn else np.nan

    def of(name: str) -> Statistic:
        found = ranking(baseline(name), composer, imitator)
        return (lambda some: max(value := found(some), 1 - value)) if name in UNSIGNED else found

    found = {name: of(name) for name in NAMED}
    found["E alone"] = ranking(at_headline(E), composer, imitator)
    found["C*E drawn at random"] = random
    found["exchanged input, constructed"] = ranking(constructed, composer, imitator)
    return found


def without_labels(row: Measured) -> float:
    """Cs*E, which needs neither a novel label nor an executor."""
    return at_headline(CS)(row) * at_headline(E)(row)


def combines(row: Measured) -> bool:
    """C of at least .9 at the headline cut."""
    c = row.at_headline(C)
    return counted(row) and c is not None and c >= WORKS
