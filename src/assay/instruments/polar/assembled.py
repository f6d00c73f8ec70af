"""The words and the tables of the evidence, from what was measured."""

from collections.abc import Sequence

from torch import Generator

from assay.evidence import Measure, Table
from assay.instruments.polar import breakdown
from assay.instruments.polar import tables as made
from assay.instruments.polar.correlation import length_mean, text_correlations
from assay.instruments.polar.curves import Curve, layer_curve
from assay.instruments.polar.decode import How
from assay.instruments.polar.fit import Fitting, Probes, fit_depprobe
from assay.instruments.polar.measures import UNTRAINED, Control
from assay.instruments.polar.readings import Reading
from assay.instruments.polar.scores import score
from assay.instruments.polar.search import Found, Pair
from assay.instruments.polar.sweeps import rank_sweep, text_sweep
from assay.instruments.polar.targets import UNSEEN
from assay.stats import child_generator

MOST_NAMED = 5


def tables(
    reading: Reading,
    found: Found,
    copies: Sequence[Curve],
    probes: Sequence[tuple[Probes, Probes]],
    own: Sequence[Pair],
    controls: Sequence[Control[Pair]],
    *,
    fitting: Fitting,
    generator: Generator,
) -> list[Table]:
    """Layer curve, conventions, what was tried, breakdowns, the plane of relations, and sentences to draw."""
    test = reading.test.at([found.layer])
    beside = {control.name: control.repeats[0] for control in controls if control.name in ("chain", "position-only probe")}
    flat = {control.name: _mean_rates(control) for control in controls if control.name != UNTRAINED}
    first = own[0]
    structural = {name: pair.structural for name, pair in beside.items()}
    relations = breakdown.by_relation(first.polar, test.relations)
    counts = [int(sum((target.relations == k).sum() for target in reading.train.targets)) for k in range(len(test.relations))]
    return [
        layer_curve(reading, found, copies, flat=flat),
        _conventions(reading, found, probes[0], fitting, generator),
        Table(
            name="Angle losses",
            columns=("angle loss", "weight", "UUAS", "type accuracy", "LAS"),
            rows=found.tried,
            note="On the dev texts, decoded as legal trees, punctuation included. The highest LAS was chosen.",
            level=made.LEVEL,
        ),
        rank_sweep(reading, found, fitting=fitting, generator=child_generator(generator)),
        text_sweep(reading, found, fitting=fitting, generator=child_generator(generator)),
        breakdown.rate_table("By relation", "relation", first.polar, relations),
        *(
            breakdown.rate_table(f"By {kind}", kind, first.structural, groups(first.structural), beside=structural)
            for kind, groups in breakdown.KINDS.items()
        ),
        made.plane(probes[0][1], test.relations, counts),
        made.drawn(probes[0][1], test, reading.test_graphs, num=8),
    ]


def _mean_rates(control: Control[Pair]) -> tuple[float, float]:
    """UUAS and LAS."""
    rates = [(pair.structural.micro("UUAS"), pair.polar.micro("LAS")) for pair in control.repeats]
    first, second = (sum(column) / len(rates) for column in zip(*rates, strict=True))
    return first, second


def _conventions(
    reading: Reading, found: Found, probes: tuple[Probes, Probes], fitting: Fitting, generator: Generator
) -> Table:
    train, test = (sample.at([found.layer]) for sample in (reading.train, reading.test))
    dep = fit_depprobe(train, fitting=fitting, generator=generator)
    rows: list[tuple[str, Probes, How]] = [
        ("distance probe, edge by edge", probes[0], "edges"),
        ("polar probe, edge by edge", probes[1], "edges"),
        ("polar probe, legal tree", probes[1], "legal"),
        ("DepProbe", dep, "depprobe"),
    ]
    scored = []
    for name, fitted, how in rows:
        (inside,), (outside,) = (score(fitted, test, how=how, punctuation=flag) for flag in (True, False))
        scored.append((name, inside, outside))
    dsprs = {name: length_mean(text_correlations(fitted, test)[0], test) for name, fitted, how in rows if how != "legal"}
    return made.conventions(scored, dsprs=dsprs)


def warnings(reading: Reading) -> tuple[str, ...]:
    """Texts that were not encoded, and relations that no training text has."""
    told = []
    if reading.refused:
        named = "; ".join(reading.refused[:MOST_NAMED])
        more = f"; and {len(reading.refused) - MOST_NAMED} more" if len(reading.refused) > MOST_NAMED else ""
        told.append(f"{len(reading.refused)} texts were not encoded: {named}{more}.")
    unseen = sum(int((target.relations == UNSEEN).sum()) for target in reading.test.targets)
    if unseen:
        told.append(f"{unseen} test edges have a relation that no training text has, and count as wrong.")
    return tuple(told)


def summary(measures: Sequence[Measure], layer: str) -> str:
    """One sentence."""
    uuas, las = (next(measure for measure in measures if measure.name == name) for name in ("UUAS", "LAS"))
    if uuas.value is None or las.value is None:
        return "Not enough data: too few test texts."
    best = {name: max((null for null in m.nulls), key=lambda null: null.mean) for name, m in (("UUAS", uuas), ("LAS", las))}
    return (
        f"At layer {layer} distances recover {uuas.value:.2f} of the edges (best null, {best['UUAS'].name}: "
        f"{best['UUAS'].mean:.2f}), distance and angle {las.value:.2f} with direction and relation (best null, "
        f"{best['LAS'].name}: {best['LAS'].mean:.2f})."
    )
