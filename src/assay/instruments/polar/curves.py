"""UUAS, LAS and DSpr from layer to layer, of the network and of its untrained copies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.evidence import Table
from assay.instruments.polar.correlation import length_mean, text_correlations
from assay.instruments.polar.measures import LEVEL, UNTRAINED
from assay.instruments.polar.readings import Reading
from assay.instruments.polar.scores import Rate, Scored, rate_interval, score
from assay.instruments.polar.search import Found

CURVE = "Layer curve"
SPREAD = ("lowest copy", "highest copy")


@dataclass(frozen=True)
class Curve:
    """One network's test texts at every layer: distance probes without punctuation, polar probes edge by edge with it, and
    DSpr."""

    structural: tuple[Scored, ...]
    polar: tuple[Scored, ...]
    dspr: tuple[float, ...]


def curve_of(reading: Reading, found: Found) -> Curve:
    """Score the probes of every layer."""
    return Curve(
        structural=tuple(score(found.distance, reading.test, punctuation=False)),
        polar=tuple(score(found.polar, reading.test)),
        dspr=tuple(length_mean(one, reading.test) for one in text_correlations(found.distance, reading.test)),
    )


def layer_curve(reading: Reading, found: Found, copies: Sequence[Curve], *, flat: Mapping[str, tuple[float, float]]) -> Table:
    """The curve of the network beside those of its copies at the same layer.

    **Arguments:** `flat`: UUAS and LAS of nulls that know no layers, or only the one that was chosen.
    """
    own = curve_of(reading, found)
    rows: list[tuple[str | float | None, ...]] = []
    kinds: tuple[tuple[Rate, list[tuple[Scored, ...]]], ...] = (
        ("UUAS", [curve.structural for curve in (own, *copies)]),
        ("LAS", [curve.polar for curve in (own, *copies)]),
    )
    for place, (rate, (scores, *others)) in enumerate(kinds):
        for k, name in enumerate(reading.layers):
            interval = rate_interval(*scores[k].counts(rate))
            ends = (interval.low, interval.high) if interval else (None, None)
            beside = spread([other[k].micro(rate) for other in others])
            rows.append((name, rate, scores[k].micro(rate), *ends, *beside, *(rates[place] for rates in flat.values())))
    for k, name in enumerate(reading.layers):
        beside = spread([copy.dspr[k] for copy in copies])
        rows.append((name, "DSpr", or_none(own.dspr[k]), None, None, *beside, *(None for _ in flat)))
    note = (
        "UUAS and DSpr of distance probes, punctuation excluded from UUAS alone. LAS of polar probes at weight 1 of the "
        f"prototype loss, decoded edge by edge, punctuation included. {len(copies)} untrained copies. "
        f"Layer {reading.layers[found.layer]} was chosen by this LAS on the dev texts; nulls other than untrained copies are "
        "at that layer, or know none."
    )
    columns = ("layer", "measure", "value", "low", "high", UNTRAINED, *SPREAD, *flat)
    return Table(name=CURVE, columns=columns, rows=tuple(rows), note=note, level=LEVEL)


def spread(values: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Mean, lowest and highest; None where they cannot be asked."""
    return or_none(sum(values) / len(values)), or_none(min(values)), or_none(max(values))


def or_none(value: float) -> float | None:
    """The value, None for NaN."""
    return value if value == value else None
