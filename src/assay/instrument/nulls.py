"""Computation of a measure from values of one metric: the network against its untrained copies, controls and references."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.display import counted, number
from assay.errors import AssayError
from assay.evidence import UNTRAINED, Interval, Measure, Null
from assay.instrument.frame import Control, Metric, Reading, Values
from assay.stats import MIN_UNITS, Gain, gain_over, gain_over_networks, mean_interval, paired_p, permutation_p

Key = tuple[str, frozenset[tuple[str, str]]]
"""A metric and its `about`."""
_SUBTRACTED = "; the mean of the untrained copies is subtracted, as it is from the network's value"
_Found = Mapping[Key, Values]


@dataclass(frozen=True)
class Nulls:
    """Values of copies, controls and references by metric and `about`, where they have a number.

    **Attributes:** `copies`; `again`: for every control by name how it was made, and its repeats; `references`, by name.
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
        """Nulls from readings."""

        def found(reading: Reading) -> _Found:
            assert len({values.same for values in reading.values}) == len(reading.values), (
                "two values of one metric with the same `about`"
            )
            return {values.same: values for values in reading.values if not values.reason}

        return cls(
            [found(copy) for copy in copies],
            {name: (how, [found(repeat) for repeat in repeats]) for name, (how, repeats) in again.items()},
            {name: found(reference) for name, reference in references.items()},
        )


NO_OTHERS = Nulls((), {}, {})


def measure_of(metric: Metric, own: Values, nulls: Nulls = NO_OTHERS) -> Measure:
    """The measure of one metric and `about`."""
    num = len(own.units)
    assert own.reason or np.isfinite([own.mean, *own.units.tolist()]).all() or not num, f"{metric.key} must be finite"
    reason = own.reason or ("" if num >= metric.least else f"not enough data: {_short(metric, num)}")
    untrained = [copy[own.same] for copy in nulls.copies if own.same in copy]
    gain = None if reason else _gain(own, untrained)
    if not reason and gain is None and (metric.gain or UNTRAINED in metric.beats):
        read = f"{metric.title} was read on {len(untrained)} of {len(nulls.copies)} untrained copies"
        reason = f"not enough data: {read}, and an interval needs two of them and {counted(MIN_UNITS, metric.of)} in common"
    interval = None if reason else _interval(metric, own, gain)
    if not reason and interval is None:
        reason = f"not enough data: {_short(metric, num)}, or units that differ"
    beside = () if reason else tuple(_beside(metric, own, untrained, gain, nulls))
    names = [null.name for null in beside]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise AssayError(f"nulls of {metric.title} must have different names", given=repeated, next_step="rename the reference")
    missing = set(metric.beats).difference(names)
    assert reason or not missing, f"{metric.key} lacks required nulls: {', '.join(sorted(missing))}"
    repeats = _repeats(metric, own, untrained)
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
        repeats=tuple(repeats.tolist()),
        unit_ids=tuple(own.ids.tolist()) if own.ids is not None and len(own.ids) == len(repeats) else (),
        bounds=own.bounds or metric.bounds,
        headline=metric.headline,
        ceiling=own.ceiling,
        raw=own.raw,
        note=reason or _note(metric, own, untrained),
        level=metric.level,
    )


def _short(metric: Metric, num: int) -> str:
    return f'{counted(num, metric.of)}, and "{metric.title}" needs {metric.least}'


def _gain(own: Values, untrained: Sequence[Values], sign: int = 1) -> Gain | None:
    """Distance of the network from the mean of its copies (with `sign` -1, below it): paired by unit where the value is a mean
    over units, on those that all have, else from the `variance` of the value. None with fewer than two copies or too few
    units."""
    if len(untrained) < 2:
        return None
    if own.value is not None:
        assert own.variance is not None, f"{own.metric} is not a mean over units, so it needs `variance`"
        return gain_over(sign * own.value, own.variance, [sign * values.mean for values in untrained])
    shared, units = _paired(own, untrained)
    return gain_over_networks(sign * own.units[shared], sign * units)


def _paired(own: Values, others: Sequence[Values]) -> tuple[Bool[Tensor, " u"], Float[Tensor, "k shared"]]:
    """Mask of the network's units that all others have, and the others' values on these, in its order."""
    shared = torch.ones(len(own.units), dtype=torch.bool)
    for other in others:
        shared &= _place(own, other) >= 0
    return shared, torch.stack([other.units[_place(own, other)[shared]] for other in others])


def _place(own: Values, other: Values) -> Int[Tensor, " u"]:
    """Index of each of the network's units in the other network, -1 where it is missing."""
    if own.ids is None or other.ids is None:
        assert len(own.units) == len(other.units), f"{own.metric}: units that differ between networks need ids"
        return torch.arange(len(own.units))
    ids, order = other.ids.sort()
    nearest = torch.searchsorted(ids, own.ids).clamp(max=max(0, len(ids) - 1))
    return torch.where(ids[nearest] == own.ids, order[nearest], -1) if len(ids) else torch.full_like(own.ids, -1)


def _interval(metric: Metric, own: Values, gain: Gain | None) -> Interval | None:
    if metric.gain:
        return gain.interval if gain else None
    assert own.value is None or own.interval is not None, f"{metric.key} is not a mean over units, so it needs `interval`"
    return own.interval or mean_interval(own.units, bounds=own.bounds or metric.bounds)


def _repeats(metric: Metric, own: Values, untrained: Sequence[Values]) -> Float[Tensor, " u"]:
    if own.value is not None:
        return torch.zeros(0)
    return own.units - _baseline(metric, own, untrained)


def _baseline(metric: Metric, own: Values, untrained: Sequence[Values]) -> Float[Tensor, " u"]:
    """Mean of the copies on every unit, from which a gain is measured; 0 for other metrics."""
    if not metric.gain or not untrained or own.value is not None:
        return torch.zeros(len(own.units))
    shared, units = _paired(own, untrained)
    assert bool(shared.all()), f"{metric.key} is a gain, so every copy needs all units"
    return units.mean(0)


def _note(metric: Metric, own: Values, untrained: Sequence[Values]) -> str:
    if not metric.gain:
        return own.note
    difference = f"{number(own.mean)} minus {number(_mean(untrained))}, the mean of untrained copies"
    return difference + (f"; {own.note}" if own.note else "")


def _mean(networks: Sequence[Values]) -> float:
    return sum(values.mean for values in networks) / len(networks)


# Nulls


def _beside(metric: Metric, own: Values, untrained: Sequence[Values], gain: Gain | None, nulls: Nulls) -> Iterator[Null]:
    """All nulls of a metric. For a gain they are, like the gain, distances from the mean of the copies."""
    baseline = _mean(untrained) if metric.gain else 0.0
    if gain is not None:
        yield _copies(metric, own, untrained, gain, baseline)
    each = _baseline(metric, own, untrained)
    for control in (*_moved(metric, own, untrained), *own.controls, *_again(own, nulls)):
        yield _control(metric, own, control, baseline, each)
    for name, reference in nulls.references.items():
        if own.same in reference:
            yield _reference(metric, name, own, reference[own.same], baseline, each)


def _sign(metric: Metric) -> int:
    """-1 where lower is better, so that p is the probability of a value as low."""
    return -1 if metric.better == "lower" else 1


def _copies(metric: Metric, own: Values, untrained: Sequence[Values], gain: Gain, baseline: float) -> Null:
    how = f"{len(untrained)} randomly initialised copies of the same architecture, read in the same way"
    how += own.copies_how and f", {own.copies_how}"
    units = None
    if own.value is None:
        shared, _ = _paired(own, untrained)
        if not bool(shared.all()):
            how += f", on {int(shared.sum())} of {len(shared)} units"
        units = np.stack([_units(own, values) for values in untrained]) - _baseline(metric, own, untrained).numpy()
    below = gain if _sign(metric) > 0 else _gain(own, untrained, -1)
    return Null(
        name=UNTRAINED,
        how=how + (_SUBTRACTED if baseline else ""),
        values=tuple(values.mean - baseline for values in untrained),
        p=below.p if below else None,
        units=units,
    )


def _units(own: Values, other: Values) -> np.ndarray:
    """The other network's value on each of the network's units, NaN where it is missing."""
    place, found = _place(own, other), np.full(len(own.units), np.nan, dtype=np.float32)
    found[(place >= 0).numpy()] = other.units[place[place >= 0]].numpy()
    return found


def _moved(metric: Metric, own: Values, untrained: Sequence[Values]) -> Iterator[Control]:
    """Further nulls computed from the copies; p is that of one more copy, so at least two are needed."""
    named: dict[str, list[Control]] = {}
    for control in (control for values in untrained for control in values.moved):
        named.setdefault(control.name, []).append(control)
    for first, *others in named.values():
        units = torch.cat([first.values, *(other.values for other in others)])
        gain = gain_over_networks(_sign(metric) * own.units, _sign(metric) * units)
        if gain is not None:
            yield replace(first, values=units, p=gain.p)


def _again(own: Values, nulls: Nulls) -> Iterator[Control]:
    """Nulls from the same network on other data."""
    for name, (how, repeats) in nulls.again.items():
        values = [repeat[own.same].mean for repeat in repeats if own.same in repeat]
        if values:
            yield Control(name=name, how=how, values=torch.tensor(values, dtype=torch.float64))


def _control(metric: Metric, own: Values, control: Control, baseline: float, each: Float[Tensor, " u"]) -> Null:
    values, p, sign, how = control.values, control.p, _sign(metric), control.how
    assert values.ndim == 1 or values.shape[1] == len(own.units), (
        f"{control.name}: a value for each of the network's units, or one for each repeat"
    )
    if values.ndim == 1:
        means, p = values, permutation_p(own.mean, values.tolist(), higher=sign > 0) if p is None else p
    else:
        read = ~values.isnan().any(0)
        means, p = values[:, read].mean(1), paired_p(sign * own.units[read], sign * values[:, read].mean(0)) if p is None else p
        how += "" if bool(read.all()) else f", on {int(read.sum())} of {len(read)} units"
    return Null(
        name=control.name,
        how=how + (_SUBTRACTED if baseline else ""),
        values=tuple((means - baseline).tolist()),
        p=p,
        units=(values - each).numpy() if values.ndim == 2 else None,
    )


def _reference(metric: Metric, name: str, own: Values, other: Values, baseline: float, each: Float[Tensor, " u"]) -> Null:
    paired = own.value is None and ((own.ids is not None and other.ids is not None) or len(own.units) == len(other.units))
    p = units = None
    if paired:
        shared, (same,) = _paired(own, [other])
        p = paired_p(_sign(metric) * own.units[shared], _sign(metric) * same)
        units = (_units(own, other) - each.numpy())[None]
    how = "another network, read in the same way; it is a single one, so p compares units, not networks"
    return Null(
        name=name,
        how=how + (_SUBTRACTED if baseline else ""),
        values=(other.mean - baseline,),
        p=p,
        counts=False,
        units=units,
    )
