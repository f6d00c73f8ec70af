"""From the values of one metric to its measure: the network beside its untrained copies, its controls and references."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from assay.evidence import UNTRAINED, Interval, Measure, Null
from assay.instrument.frame import Control, Metric, Reading, Values
from assay.stats import Gain, gain_over, gain_over_networks, mean_interval, paired_p, permutation_p

Key = tuple[str, frozenset[tuple[str, str]]]
"""A metric, and what it is about."""
_Found = Mapping[Key, Values]


@dataclass(frozen=True)
class Nulls:
    """What everything else has of each metric about the same, where it holds a number.

    **Attributes:** `copies`; `again`: by the name of a control how it was made, and its repeats; `references`, by name.
    """

    copies: Sequence[_Found]
    again: Mapping[str, tuple[str, Sequence[_Found]]]
    references: Mapping[str, _Found]

    @classmethod
    def of(
        cls,
        copies: Sequence[Reading],
        again: Mapping[str, tuple[str, Sequence[Reading]]],
        references: Mapping[str, Reading],
    ) -> "Nulls":
        """From readings."""

        def found(reading: Reading) -> _Found:
            return {values.same: values for values in reading.values if not values.reason}

        return cls(
            [found(copy) for copy in copies],
            {name: (how, [found(repeat) for repeat in repeats]) for name, (how, repeats) in again.items()},
            {name: found(reference) for name, reference in references.items()},
        )


NO_OTHERS = Nulls((), {}, {})


def measure_of(metric: Metric, own: Values, nulls: Nulls = NO_OTHERS) -> Measure:
    """The measure of one metric about one thing."""
    num = len(own.units)
    reason = own.reason or ("" if num >= metric.least else f"not enough data: {_short(metric, num)}")
    untrained = [copy[own.same] for copy in nulls.copies if own.same in copy]
    gain = _gain(own, untrained) if untrained and not reason else None
    interval = None if reason else _interval(metric, own, gain)
    if not reason and interval is None:
        reason = f"not enough data: {_short(metric, num)}, or units that differ"
    beside = () if reason else tuple(_beside(metric, own, untrained, gain, nulls))
    missing = set(metric.beats) - {null.name for null in beside}
    assert reason or not missing, f"{metric.key} goes nowhere without its nulls: {', '.join(sorted(missing))}"
    value = None if reason else (gain.gain if metric.gain and gain is not None else own.mean)
    return Measure(
        key=metric.key,
        name=metric.title,
        about={**own.about, **own.where},
        value=value,
        unit=own.unit or metric.unit,
        direction=metric.better,
        interval=interval,
        nulls=beside,
        units=num,
        unit_of=metric.of,
        repeats=tuple(_repeats(metric, own, untrained).tolist()),
        headline=metric.headline,
        ceiling=own.ceiling,
        note=reason or _note(metric, own, untrained),
        level=metric.level,
    )


def _short(metric: Metric, num: int) -> str:
    return f"{num} {metric.of}s, and {metric.title} needs {metric.least}"


def _gain(own: Values, untrained: Sequence[Values]) -> Gain | None:
    """How far the network lies above its copies: paired by unit where the value is a mean over units that all have, else from
    the `variance` of the value."""
    if own.value is not None:
        return gain_over(own.value, own.variance, [values.mean for values in untrained])
    return gain_over_networks(own.units[_shared(own, untrained)], torch.stack([values.units for values in untrained]))


def _shared(own: Values, untrained: Sequence[Values]) -> Tensor:
    """Which of the network's units the copies have."""
    ids = untrained[0].ids
    return torch.ones(len(own.units), dtype=torch.bool) if own.ids is None or ids is None else torch.isin(own.ids, ids)


def _interval(metric: Metric, own: Values, gain: Gain | None) -> Interval | None:
    if metric.gain:
        return gain.interval if gain else None
    return own.interval or mean_interval(own.units, bounds=own.bounds or metric.bounds)


def _repeats(metric: Metric, own: Values, untrained: Sequence[Values]) -> Float[Tensor, " u"]:
    if own.value is not None:
        return torch.zeros(0)
    if metric.gain and untrained:
        return own.units - torch.stack([values.units for values in untrained]).mean(0)
    return own.units


def _note(metric: Metric, own: Values, untrained: Sequence[Values]) -> str:
    if not metric.gain:
        return own.note
    return f"{own.mean:.3f}, untrained copies {_mean(untrained):.3f}" + (f"; {own.note}" if own.note else "")


def _mean(networks: Sequence[Values]) -> float:
    return sum(values.mean for values in networks) / len(networks)


# Nulls


def _beside(metric: Metric, own: Values, untrained: Sequence[Values], gain: Gain | None, nulls: Nulls) -> Iterator[Null]:
    """Every null of the metric. Those of a gain are told above the mean of the copies, as the gain itself is."""
    baseline = _mean(untrained) if metric.gain else 0.0
    if gain is not None:
        yield _copies(own, untrained, gain, baseline)
    for control in (*_moved(own, untrained), *own.controls, *_again(own, nulls)):
        yield _control(metric, own, control, baseline)
    for name, reference in nulls.references.items():
        if own.same in reference:
            yield _reference(name, own, reference[own.same], baseline)


def _copies(own: Values, untrained: Sequence[Values], gain: Gain, baseline: float) -> Null:
    how = f"{len(untrained)} copies of the same architecture with fresh weights, read alike"
    how += own.copies_how and f", {own.copies_how}"
    units = None
    if own.value is None:
        shared = _shared(own, untrained)
        if not bool(shared.all()):
            how += f", on {int(shared.sum())} of {len(shared)}"
        units = np.full((len(untrained), len(own.units)), np.nan, dtype=np.float32)
        units[:, shared.numpy()] = torch.stack([values.units for values in untrained]).numpy()
    return Null(
        name=UNTRAINED,
        how=how + (", minus their mean" if baseline else ""),
        values=tuple(values.mean - baseline for values in untrained),
        p=gain.p,
        units=units,
    )


def _moved(own: Values, untrained: Sequence[Values]) -> Iterator[Control]:
    """Further nulls that come from the copies; p is that of one more copy being as high."""
    for first, *others in zip(*(values.moved for values in untrained), strict=True):
        units = torch.cat([first.values, *(other.values for other in others)])
        gain = gain_over_networks(own.units, units)
        yield replace(first, values=units, p=gain.p if gain else None)


def _again(own: Values, nulls: Nulls) -> Iterator[Control]:
    """What the same network has on other data."""
    for name, (how, repeats) in nulls.again.items():
        values = [repeat[own.same].mean for repeat in repeats if own.same in repeat]
        if values:
            yield Control(name=name, how=how, values=torch.tensor(values, dtype=torch.float64))


def _control(metric: Metric, own: Values, control: Control, baseline: float) -> Null:
    values, p = control.values, control.p
    each = values if values.ndim == 1 else values.mean(1)
    if p is None and values.ndim == 2:
        p = paired_p(own.units, values.mean(0))
    elif p is None:
        p = permutation_p(own.mean, values.tolist(), higher=metric.better == "higher")
    return Null(
        name=control.name,
        how=control.how + (", minus the mean of the untrained copies" if baseline else ""),
        values=tuple((each - baseline).tolist()),
        p=p,
        units=values.numpy() if values.ndim == 2 else None,
    )


def _reference(name: str, own: Values, other: Values, baseline: float) -> Null:
    paired = own.value is None and len(own.units) == len(other.units)
    how = "another network, read alike; it is one, so p is over units alone"
    return Null(
        name=name,
        how=how + (", minus the mean of the untrained copies" if baseline else ""),
        values=(other.mean - baseline,),
        p=paired_p(own.units, other.units) if paired else None,
        units=other.units[None].numpy() if paired else None,
    )
