"""One instrument on one network: read it, its untrained copies and named references alike, and make evidence of that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, NamedTuple

import torch

from assay.errors import AssayError
from assay.evidence import UNTRAINED, Effort, Evidence, Interval, Measure, Null
from assay.instrument.frame import Control, Instrument, Metric, NotEnough, Random, Reading, Readings, Values
from assay.instrument.older import Measures
from assay.instrument.progress import Progress, silent
from assay.parallel import run_parallel
from assay.references import cited
from assay.stats import Gain, gain_over, gain_over_networks, keyed_generator, mean_interval, paired_p, permutation_p
from assay.subject import Subject
from assay.task import Task


def run(
    instrument: Instrument | Measures,
    subject: Subject,
    task: Task,
    *,
    effort: Effort = "standard",
    seed: int = 0,
    jobs: int = 1,
    references: Mapping[str, Subject] | None = None,
    progress: Progress = silent,
) -> Evidence:
    """Evidence of one instrument on one network.

    **Arguments:**

    - `seed`: of everything drawn, by keys: the same seed gives the same bytes, whatever `jobs` is.
    - `jobs`: processes in which copies and references are read side by side.
    - `references`: further networks by name, each read like the first: a dense twin, another seed. Each is a null of every
      metric that it has.

    **Raises:** `AssayError` for an effort that the instrument has no budget for, and what the instrument raises.

    Example::

        import assay
        from assay.instrument import run

        evidence = run(assay.load_instrument("systematicity"), subject, task, effort="quick", seed=0)
        print(evidence.summary)
    """
    if not isinstance(instrument, Instrument):
        return instrument.measure(
            subject, task, effort=effort, generator=keyed_generator(seed, instrument.name), progress=progress
        )
    if effort not in instrument.budgets:
        raise AssayError(f"{instrument.name} must have a budget for the effort", given=effort, choices=list(instrument.budgets))
    budget, rng = instrument.budgets[effort], Random(seed, instrument.name)
    try:
        progress("drawing examples", 0.0)
        data = instrument.data(subject, task, budget, rng)
        progress("reading the network", 0.05)
        own = instrument.read(subject, data, rng.within("network"))
    except NotEnough as reason:
        told = str(reason).rstrip(".")
        return Evidence(
            instrument=instrument.name,
            question=instrument.question,
            summary=f"Not enough data: {told}.",
            not_enough=told,
            sources=cited(instrument.cites),
        )
    named = references or {}
    others = [_Other(subject, rng.within("copy", k), draw=True) for k in range(budget.copies)]
    others += [_Other(network, rng.within("reference", name)) for name, network in named.items()]

    def told(doing: str, share: float) -> None:
        progress(f"reading untrained copies: {doing}", 0.4 + 0.4 * share)

    found = run_parallel(partial(_read_other, instrument, data, own), others, jobs=jobs, progress=told)
    copies, beside = found[: budget.copies], dict(zip(named, found[budget.copies :], strict=True))
    progress("controls", 0.85)
    again = {
        name: (
            other.how,
            [instrument.read_copy(subject, some, own, rng.within(name, k)) for k, some in enumerate(other.repeats)],
        )
        for name, other in instrument.controls(data, rng.within("controls")).items()
    }
    metrics = {metric.key: metric for metric in instrument.metrics}
    measures = [measure_of(metrics[values.metric], values, copies, again, beside) for values in own.values]
    notes = instrument.explain(data, Readings(own, copies, beside), measures)
    return Evidence(
        instrument=instrument.name,
        question=instrument.question,
        summary=notes.summary,
        measures=tuple(measures),
        figures=tuple(notes.figures),
        sources=cited(instrument.cites),
        warnings=tuple(notes.warnings),
        not_tested=tuple(notes.not_tested),
        settings={"effort": effort, **_plain(asdict(budget)), **notes.settings},
    )


class _Other(NamedTuple):
    """A network to read beside the first: a reference, or with `draw` a copy with fresh weights, made where it is read."""

    network: Subject
    rng: Random
    draw: bool = False


def _read_other(instrument: Instrument, data: Any, own: Reading, other: _Other) -> Reading:
    network = other.network.untrained(other.rng("weights")) if other.draw else other.network
    return instrument.read_copy(network, data, own, other.rng)


def measure_of(
    metric: Metric,
    own: Values,
    copies: Sequence[Reading],
    again: Mapping[str, tuple[str, Sequence[Reading]]],
    references: Mapping[str, Reading],
) -> Measure:
    """The measure of one metric: the value of the network beside that of everything else that has the same metric."""
    num = len(own.units)
    short = f"{num} {metric.of}s, and {metric.title} needs {metric.least}"
    reason = own.reason or (f"not enough data: {short}" if num < metric.least else "")
    untrained = [values for reading in copies if (values := _same(reading, own)) is not None]
    gain = gain_of(own, untrained) if untrained and not reason else None
    interval = None if reason else _interval(metric, own, gain)
    if not reason and interval is None:
        reason = f"not enough data: {short}, or units that differ"
    nulls: list[Null] = []
    if not reason:
        baseline = _mean(untrained) if metric.gain else 0.0
        if gain is not None:
            nulls.append(_copies(own, untrained, gain, baseline))
            nulls += [_control(metric, own, control, baseline) for control in _moved(own, untrained)]
        nulls += [_control(metric, own, control, baseline) for control in own.controls]
        for name, (how, readings) in again.items():
            values = torch.tensor([same.mean for reading in readings if (same := _same(reading, own)) is not None])
            if len(values):
                nulls.append(_control(metric, own, Control(name=name, how=how, values=values), baseline))
        nulls += [
            _reference(name, own, same, baseline) for name, reading in references.items() if (same := _same(reading, own))
        ]
        missing = set(metric.beats) - {null.name for null in nulls}
        assert not missing, f"{metric.key} goes nowhere without its nulls: {', '.join(sorted(missing))}"
    value = None if reason else (gain.gain if metric.gain and gain is not None else own.mean)
    return Measure(
        key=metric.key,
        name=metric.title,
        about={**own.about, **own.where},
        value=value,
        unit=own.unit or metric.unit,
        direction=metric.better,
        interval=interval,
        nulls=tuple(nulls),
        units=num,
        unit_of=metric.of,
        repeats=tuple(_repeats(metric, own, untrained).tolist()),
        headline=metric.headline,
        ceiling=own.ceiling,
        note=reason or _note(metric, own, untrained),
        level=metric.level,
    )


def gain_of(own: Values, untrained: Sequence[Values]) -> Gain | None:
    """How far the network lies above its copies: paired by unit where the value is a mean over units that all have, else from
    the `variance` of the value."""
    if own.value is not None:
        return gain_over(own.value, own.variance, [values.value for values in untrained if values.value is not None])
    if own.ids is None:
        return gain_over_networks(own.units, torch.stack([values.units for values in untrained]))
    ids = untrained[0].ids
    assert ids is not None
    return gain_over_networks(own.units[torch.isin(own.ids, ids)], torch.stack([values.units for values in untrained]))


def _same(reading: Reading, own: Values) -> Values | None:
    """What another network has of the same metric about the same, where it holds a number."""
    return next((values for values in reading.values if values.same == own.same and not values.reason), None)


def _interval(metric: Metric, own: Values, gain: Gain | None) -> Interval | None:
    if metric.gain:
        return gain.interval if gain else None
    return own.interval or mean_interval(own.units, bounds=own.bounds or metric.bounds)


def _repeats(metric: Metric, own: Values, untrained: Sequence[Values]) -> torch.Tensor:
    if own.value is not None:
        return torch.zeros(0)
    return own.units - torch.stack([values.units for values in untrained]).mean(0) if metric.gain and untrained else own.units


def _note(metric: Metric, own: Values, untrained: Sequence[Values]) -> str:
    if not metric.gain:
        return own.note
    return f"{own.mean:.3f}, untrained copies {_mean(untrained):.3f}" + (f"; {own.note}" if own.note else "")


def _mean(networks: Sequence[Values]) -> float:
    return sum(values.mean for values in networks) / len(networks)


def _copies(own: Values, untrained: Sequence[Values], gain: Gain, baseline: float) -> Null:
    some = len(untrained[0].units)
    how = f"{len(untrained)} copies of the same architecture with fresh weights, read alike"
    how += own.copies_how and f", {own.copies_how}"
    if some < len(own.units):
        how += f", on {some} of {len(own.units)}"
    return Null(
        name=UNTRAINED,
        how=how + (", minus their mean" if baseline else ""),
        values=tuple(values.mean - baseline for values in untrained),
        p=gain.p,
        units=torch.stack([values.units for values in untrained]).numpy() if own.value is None else None,
    )


def _moved(own: Values, untrained: Sequence[Values]) -> Iterator[Control]:
    """Further nulls that come from the copies; p is that of one more copy being as high."""
    for first, *others in zip(*(values.moved for values in untrained), strict=True):
        units = torch.cat([first.values, *(other.values for other in others)])
        gain = gain_over_networks(own.units, units)
        yield replace(first, values=units, p=gain.p if gain else None)


def _control(metric: Metric, own: Values, control: Control, baseline: float) -> Null:
    values, p = control.values, control.p
    each = values if values.ndim == 1 else values.mean(1)
    if p is None:
        if values.ndim == 2:
            p = paired_p(own.units, values.mean(0))
        else:
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


def _plain(settings: Mapping[str, Any]) -> dict[str, str | int | float | bool | None]:
    """Sizes as plain values."""
    return {key: ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else value for key, value in settings.items()}


def missing_abilities(instrument: Instrument | Measures, task: Task) -> tuple[str, ...]:
    """Names of the abilities that `instrument` needs and `task` lacks."""
    return tuple(need.__name__ for need in instrument.needs if not isinstance(task, need))
