"""Estimates that are not means over orbits, with jackknife intervals over groups of orbits."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from assay.evidence import Interval
from assay.instrument import Metric, Values
from assay.instruments.fracture import maps
from assay.stats import LEVEL


def left_out(metric: Metric, about: Mapping[str, str], measure, energies: Sequence[Tensor]) -> Values | None:
    """An estimate computed from energies, with its jackknife interval over groups of orbits."""
    value = measure([energy.sum(0) for energy in energies])
    groups = len(energies[0])
    left = [measure([energy.sum(0) - energy[group] for energy in energies]) for group in range(groups)]
    return values_around(metric, about, value, left)


def values_around(metric: Metric, about: Mapping[str, str], value: float | None, left: Sequence[float | None]) -> Values | None:
    found = None if value is None else maps.jackknife(value, left)
    if value is None or found is None:
        return None
    pseudo, variance = found
    half = maps.half_width(variance, len(pseudo), LEVEL)
    low, high = value - half, value + half
    if metric.bounds is not None:
        low, high = max(low, metric.bounds[0]), min(high, metric.bounds[1])
    interval = Interval(low=low, high=high, level=LEVEL, method=f"jackknife over {len(pseudo)} random groups of orbits")
    return Values(metric=metric.key, about=about, units=pseudo, value=value, interval=interval, variance=variance)
