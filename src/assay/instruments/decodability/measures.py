"""From decoded readouts to measures: the gain over the nulls, novel combinations, selectivity, and every site."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from assay.evidence import Interval, Level, Measure, Null
from assay.instruments.decodability.control import Control
from assay.instruments.decodability.crossfit import Decoded
from assay.instruments.decodability.features import INPUT
from assay.stats import MIN_UNITS, gain_over_networks, gains_over_networks, mean_interval, mean_intervals, paired_p, paired_ps

_POOLED = "against the shuffles of all readouts of its kind, each in units of its own spread"


def _about(decoded: Decoded, **more: str) -> dict[str, str]:
    return {"part": decoded.readout.part, "readout": decoded.readout.kind, **more}


def _not_enough(name: str, decoded: Decoded, units: int, *, level: Level = 0, headline: bool = False) -> Measure:
    return Measure(
        name=name,
        about=_about(decoded),
        value=None,
        unit=decoded.readout.unit,
        direction="higher",
        interval=None,
        nulls=(),
        units=units,
        unit_of="combination",
        headline=headline,
        level=level,
        note=f"not enough data: {units} combinations whose values also occur elsewhere, and an interval needs {MIN_UNITS}",
    )


def gain_measure(own: Decoded, twins: Sequence[Decoded], p_shuffled: float) -> Measure:
    """The best score over {input and sites} minus the mean of the same best over untrained copies."""
    units, untrained = own.units[own.best], torch.stack([twin.units[twin.best] for twin in twins])
    gain = gain_over_networks(units, untrained)
    if gain is None:
        return _not_enough("decodability gain", own, len(units), headline=True)
    alone = own.units[own.places.index(INPUT)]
    baseline = float(untrained.mean())
    nulls = (
        Null(
            name="untrained copies",
            how=f"{len(twins)} copies with fresh weights, each at its own best place, minus their mean",
            values=tuple((untrained.mean(1) - baseline).tolist()),
            p=gain.p,
        ),
        Null(
            name="encoded input",
            how="the input alone, minus the mean of the untrained copies",
            values=(float(alone.mean()) - baseline,),
            p=paired_p(units, alone),
        ),
        Null(
            name="shuffled labels",
            how=(
                "labels dealt to combinations at random, the best place again, minus the mean of the untrained copies; "
                f"p is {_POOLED}"
            ),
            values=tuple((own.shuffled_best - baseline).tolist()),
            p=p_shuffled,
        ),
    )
    return Measure(
        name="decodability gain",
        about=_about(own),
        value=gain.gain,
        unit=own.readout.unit,
        direction="higher",
        interval=gain.interval,
        nulls=nulls,
        units=len(units),
        unit_of="combination",
        repeats=tuple((units - untrained.mean(0)).tolist()),
        headline=True,
        level=0,
        note=(
            f"best place: {own.places[own.best]}, where it scores {float(units.mean()):.3f}; "
            f"untrained copies {baseline:.3f}, the input alone {float(alone.mean()):.3f}"
        ),
    )


def novel_measure(own: Decoded, twins: Sequence[Decoded]) -> list[Measure]:
    """Fitted on all seen combinations, scored on novel ones, at the place that was best on seen ones."""
    if len(own.novel) == 0:
        return []
    untrained = torch.stack([twin.novel for twin in twins])
    interval, gain = mean_interval(own.novel, bounds=_bounds(own)), gain_over_networks(own.novel, untrained)
    if interval is None or gain is None:
        return [_not_enough("decodability on novel combinations", own, len(own.novel), level=1)]
    where = f"{len(twins)} copies with fresh weights, each at its own best place"
    nulls = (
        _copies_null(untrained, gain.p, where),
        _input_null(float(own.novel_input.mean()), paired_p(own.novel, own.novel_input)),
    )
    about = _about(own, site=own.places[own.best])
    return [_plain("decodability on novel combinations", own, about, own.novel, interval, nulls, level=1)]


def selectivity_measure(own: Decoded, control: Control) -> list[Measure]:
    """Score on combinations that were also fitted, minus that of the control task."""
    difference = control.real - control.random.mean(0)
    interval = mean_interval(difference)
    if interval is None:
        return []
    null = Null(
        name="control task",
        how=(
            f"another random label per combination, {len(control.random)} times, minus their mean "
            f"{float(control.random.mean()):.3f}"
        ),
        values=tuple((control.random.mean(1) - control.random.mean()).tolist()),
        p=paired_p(control.real, control.random.mean(0)),
    )
    about = _about(own, site=own.places[own.best])
    return [_plain("selectivity", own, about, difference, interval, (null,))]


def site_measures(own: Decoded, twins: Sequence[Decoded], ps_shuffled: Sequence[float]) -> list[Measure]:
    """The score at every site, beside the same site of untrained copies, the input, and shuffled labels."""
    untrained = torch.stack([twin.units for twin in twins])
    intervals = mean_intervals(own.units, bounds=_bounds(own))
    gains = gains_over_networks(own.units, untrained)
    alone = own.units[own.places.index(INPUT)]
    ps_input, score_input = paired_ps(own.units, alone), float(alone.mean())
    measures = []
    for place, (name, interval) in enumerate(zip(own.places, intervals, strict=True)):
        if name == INPUT or interval is None or gains is None:
            continue
        shuffled = own.shuffled[place].tolist()
        nulls = (
            _copies_null(untrained[:, place], gains[place].p, f"the same site of {len(twins)} copies with fresh weights"),
            _input_null(score_input, ps_input[place]),
            Null(
                name="shuffled labels",
                how=f"labels dealt to combinations at random, {len(shuffled)} times; p is {_POOLED}",
                values=tuple(shuffled),
                p=ps_shuffled[place],
            ),
        )
        measures.append(_plain("decodability by site", own, _about(own, site=name), own.units[place], interval, nulls))
    return measures


def _copies_null(untrained: Float[Tensor, "k c"], p: float, how: str) -> Null:
    return Null(name="untrained copies", how=how, values=tuple(untrained.mean(1).tolist()), p=p)


def _input_null(score: float, p: float) -> Null:
    return Null(name="encoded input", how="the input alone", values=(score,), p=p)


def _plain(
    name: str,
    own: Decoded,
    about: dict[str, str],
    units: Float[Tensor, " c"],
    interval: Interval,
    nulls: tuple[Null, ...],
    *,
    level: Level = 0,
) -> Measure:
    return Measure(
        name=name,
        about=about,
        value=float(units.mean()),
        unit=own.readout.unit,
        direction="higher",
        interval=interval,
        nulls=nulls,
        units=len(units),
        unit_of="combination",
        repeats=tuple(units.tolist()),
        level=level,
    )


def _bounds(own: Decoded) -> tuple[float, float] | None:
    return (0.0, 1.0) if own.readout.num_classes else None
