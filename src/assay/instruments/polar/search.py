"""The search that the real network and its untrained twin get alike: every layer, then the weight of the angle loss."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator

from assay.instruments.polar.fit import Angle, Fitting, Probes, fit_distance, fit_polar
from assay.instruments.polar.scores import Scored, score
from assay.instruments.polar.targets import Sample
from assay.stats import child_generator

CURVE_WEIGHT = 1.0
CANDIDATES: tuple[tuple[Angle, float], ...] = (("prototype", 0.25), ("prototype", 0.5), ("prototype", 1.0), ("pair", 10.0))
"""Angle loss and weight; the first of equal ones is taken."""


@dataclass(frozen=True)
class Found:
    """What was chosen on the dev texts, and the probes of every layer.

    **Attributes:**

    - `layer`: with the highest LAS of the polar probe, which needs distance, direction and relation; UUAS of a distance probe
      decides between equal ones. `angle`, `weight`: with the highest LAS there, decoded as legal trees.
    - `distance`, `polar`: a probe for every layer, the polar one at weight 1 of the prototype form.
    - `tried`: angle loss, weight, UUAS, type accuracy and LAS on the dev texts, at the layer.
    """

    layer: int
    angle: Angle
    weight: float
    distance: Probes
    polar: Probes
    tried: tuple[tuple[str, float, float, float, float], ...]


def search(train: Sample, dev: Sample, *, layers: Sequence[int], fitting: Fitting, generator: Generator) -> Found:
    """Fit probes at all layers, and choose among `layers`."""
    num = len(train.states)
    distance = fit_distance(train, fitting=fitting, generator=child_generator(generator))
    weights = [CURVE_WEIGHT] * num
    polar = fit_polar(train, angle="prototype", weights=weights, fitting=fitting, generator=child_generator(generator))
    uuas = [scored.micro("UUAS") for scored in score(distance, dev, punctuation=False)]
    las = [scored.micro("LAS") for scored in score(polar, dev)]
    layer = max(layers, key=lambda k: (las[k], uuas[k], -k))
    tried = []
    for angle, weight in CANDIDATES:
        if (angle, weight) == ("prototype", CURVE_WEIGHT):
            probes = polar.at([layer])
        else:
            probes = fit_one(train, layer, angle, weight, fitting, child_generator(generator))
        (scored,) = score(probes, dev.at([layer]), how="legal")
        tried.append((angle, weight, scored.micro("UUAS"), scored.micro("type accuracy"), scored.micro("LAS")))
    best = max(range(len(tried)), key=lambda k: (tried[k][-1], -k))
    angle, weight = CANDIDATES[best]
    return Found(layer, angle, weight, distance, polar, tuple(tried))


def fit_one(sample: Sample, layer: int, angle: Angle, weight: float, fitting: Fitting, generator: Generator) -> Probes:
    """One polar probe at one layer."""
    return fit_polar(sample.at([layer]), angle=angle, weights=[weight], fitting=fitting, generator=generator)


@dataclass(frozen=True)
class Pair:
    """A distance probe and a polar probe of one network, or of one null, on the same texts: the structural one without
    punctuation, the polar one with it, decoded as a legal tree."""

    structural: Scored
    polar: Scored


def rated(distance: Probes, polar: Probes, sample: Sample) -> Pair:
    """Score both. Each is a stack of one, and the sample has one layer."""
    (structural,) = score(distance, sample, punctuation=False)
    (directed,) = score(polar, sample, how="legal")
    return Pair(structural, directed)


def fitted_pair(train: Sample, found: Found, *, fitting: Fitting, generator: Generator) -> tuple[Probes, Probes]:
    """Both probes on a sample of one layer, fitted as `found` says."""
    distance = fit_distance(train, fitting=fitting, generator=child_generator(generator))
    return distance, fit_one(train, 0, found.angle, found.weight, fitting, child_generator(generator))
