"""From decoded readouts to measures: the gain over the nulls, novel combinations, selectivity, and every site."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.evidence import Measure, Null
from assay.instruments.decodability.crossfit import CrossFit, Decoded, Tables, example_folds, known_means
from assay.instruments.decodability.features import INPUT
from assay.stats import MIN_UNITS, child_generator, gain_over_networks, mean_interval, paired_p, permutation_p
from assay.task import Examples


def _about(decoded: Decoded, **more: str) -> dict[str, str]:
    return {"part": decoded.readout.part, "readout": decoded.readout.kind, **more}


def _not_enough(name: str, decoded: Decoded, units: int, *, headline: bool = False) -> Measure:
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
        note=f"not enough data: {units} combinations whose values also occur elsewhere, and an interval needs {MIN_UNITS}",
    )


def gain_measure(own: Decoded, twins: Sequence[Decoded]) -> Measure:
    """The best score over {input and sites} minus the mean of the same best over untrained copies."""
    units, untrained = own.units[own.best], torch.stack([twin.units[twin.best] for twin in twins])
    gain = gain_over_networks(units, untrained)
    if gain is None:
        return _not_enough("decodability gain", own, len(units), headline=True)
    alone = own.units[own.places.index(INPUT)]
    shuffled = own.shuffled.amax(0)
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
            how="labels dealt to combinations at random, the best place again, minus the mean of the untrained copies",
            values=tuple((shuffled - baseline).tolist()),
            p=permutation_p(float(units.mean()), shuffled.tolist()),
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
        note=(
            f"best place: {own.places[own.best]}, where it scores {float(units.mean()):.3f}; "
            f"untrained copies {baseline:.3f}, the input alone {float(alone.mean()):.3f}"
        ),
    )


def novel_measure(own: Decoded, twins: Sequence[Decoded], generator: Generator) -> list[Measure]:
    """Fitted on all seen combinations, scored on novel ones, at the place that was best on seen ones."""
    if own.novel_units.shape[1] == 0:
        return []
    units, untrained = own.novel_units[own.best], torch.stack([twin.novel_units[twin.best] for twin in twins])
    interval, gain = mean_interval(units, generator=generator, bounds=_bounds(own)), gain_over_networks(units, untrained)
    if interval is None or gain is None:
        return [_not_enough("decodability on novel combinations", own, len(units))]
    alone = own.novel_units[own.places.index(INPUT)]
    where = f"{len(twins)} copies with fresh weights, each at its own best place"
    nulls = (_copies_null(untrained, gain.p, where), _input_null(units, alone))
    return [_plain("decodability on novel combinations", own, _about(own, site=own.places[own.best]), units, interval, nulls)]


def selectivity_measure(own: Decoded, tables: Tables, examples: Examples, generator: Generator) -> list[Measure]:
    """Score on combinations that were also fitted, minus that of a control task: a random label for every combination.

    Only where one label belongs to one combination and combinations have several examples; otherwise there is no such task.
    """
    readout = own.readout
    rows = readout.rows
    if not torch.equal(readout.units, readout.combination) or len(examples.combination.unique()) * 2 > len(examples):
        return []
    fit = CrossFit(tables[own.places[own.best]][0], example_folds(examples.combination))
    control_labels = readout.shuffled(5, child_generator(generator))
    clusters = readout.combination[rows]
    real = known_means(fit.scores(readout, readout.labels[:, None])[:, 0], clusters)
    control = torch.stack([known_means(column, clusters) for column in fit.scores(readout, control_labels).T])
    difference = real - control.mean(0)
    interval = mean_interval(difference, generator=generator)
    if interval is None:
        return []
    spread = control.mean(1) - control.mean()
    null = Null(
        name="control task",
        how=f"another random label per combination, {len(control)} times, minus their mean {float(control.mean()):.3f}",
        values=tuple(spread.tolist()),
        p=paired_p(real, control.mean(0)),
    )
    about = _about(own, site=own.places[own.best])
    return [_plain("selectivity", own, about, difference, interval, (null,))]


def site_measures(own: Decoded, twins: Sequence[Decoded], generator: Generator) -> list[Measure]:
    """The score at every site, beside the same site of untrained copies, the input, and shuffled labels."""
    measures = []
    alone = own.units[own.places.index(INPUT)]
    for place, name in enumerate(own.places):
        units = own.units[place]
        interval = mean_interval(units, generator=generator, bounds=_bounds(own))
        untrained = torch.stack([twin.units[place] for twin in twins])
        gain = gain_over_networks(units, untrained)
        if name == INPUT or interval is None or gain is None:
            continue
        shuffled = own.shuffled[place].tolist()
        nulls = (
            _copies_null(untrained, gain.p, f"the same site of {len(twins)} copies with fresh weights"),
            _input_null(units, alone),
            Null(
                name="shuffled labels",
                how=f"labels dealt to combinations at random, {len(shuffled)} times",
                values=tuple(shuffled),
                p=permutation_p(float(units.mean()), shuffled),
            ),
        )
        measures.append(_plain("decodability by site", own, _about(own, site=name), units, interval, nulls))
    return measures


def _copies_null(untrained: Float[Tensor, "k c"], p: float, how: str) -> Null:
    return Null(name="untrained copies", how=how, values=tuple(untrained.mean(1).tolist()), p=p)


def _input_null(units: Float[Tensor, " c"], alone: Float[Tensor, " c"]) -> Null:
    return Null(name="encoded input", how="the input alone", values=(float(alone.mean()),), p=paired_p(units, alone))


def _plain(name, own: Decoded, about, units: Float[Tensor, " c"], interval, nulls) -> Measure:
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
    )


def _bounds(own: Decoded) -> tuple[float, float] | None:
    return (0.0, 1.0) if own.readout.num_classes else None
