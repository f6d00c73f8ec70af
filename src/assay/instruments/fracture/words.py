"""Summary, warnings, tables and figures of the instrument `fracture`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.display import number, with_interval
from assay.evidence import UNTRAINED, DetailTable, Measure
from assay.figure import Curve, Figure, Line, Plot
from assay.instruments.fracture.answer import CONTEXTS, of_context, of_orbits, why_not_read
from assay.instruments.fracture.carried import Carried
from assay.instruments.fracture.coherence import AS_ONE, Coherence
from assay.instruments.fracture.noise import CONVENTIONS, MATCHED, Shaken
from assay.instruments.fracture.shuffled import NAME
from assay.power import detectable_gain
from assay.stats import gain_over

_MIDDLE = 0.5  # share of orbits that separates the two answers on sharing
ORBIT = "sets of examples that the regularity maps to each other"


@dataclass(frozen=True)
class FractureKept:
    """What the summary and the figures need: coherence by regularity and by layer; noise by convention; weights that are not
    read, and the dependence of the outputs on them; the layers whose weights are computed from other parameters, so that no
    network with permuted weights can be made."""

    found: Mapping[str, Coherence]
    layers: tuple[tuple[str, float | None, float, float | None, float], ...]
    shaken: Mapping[str, Shaken]
    unread: Mapping[str, int]
    carried: Carried
    made_anew: Sequence[str] = ()


def summary_of(kept: FractureKept, measures: Sequence[Measure], settings: Mapping[str, object]) -> str:
    """The sentences on coherence and on sharing for each regularity."""
    told = []
    for measure in measures:
        if measure.key not in ("coherence", "sharing") or measure.value is None or measure.interval is None:
            continue
        found = kept.found[measure.about["regularity"]]
        copies = next(null for null in measure.nulls if null.name == UNTRAINED)
        value = with_interval(measure.value, measure.interval)
        beside = f"untrained copies {number(copies.mean)}"
        beside += "".join(f", the same {null.name} {number(null.mean)}" for null in measure.nulls if null.name == NAME)
        if measure.key == "coherence":
            told.append(
                f"Under small changes of the weights, {value} of the change of the outputs respects the regularity "
                f"{measure.about['regularity']} ({beside}, the outputs themselves {number(found.of_outputs)}): "
                f"{_level(measure, found)}."
            )
        else:
            told.append(f"Sharing asks less, a mean cosine above {AS_ONE:g} of the responses in an orbit ({ORBIT}): {value}")
            told[-1] += f" of the orbits respond as one ({beside}): {_sharing(measure, measures, settings, found)}."
    return " ".join(told) or "Coherence could not be measured."


def warnings_of(kept: FractureKept, repeated: int) -> list[str]:
    found = [
        f"Only {one.of_outputs:.0%} of the outputs' variance has the regularity {name!r}: coherence with it says little about "
        "the inside of the network."
        if one.varies
        else "The outputs do not vary: coherence says nothing about the inside of the network."
        for name, one in kept.found.items()
        if not one.is_regular
    ]
    if names := list(kept.unread):
        found.append(
            f"{sum(kept.unread.values()):,} weights are not counted, since they lie in no linear layer or convolution that "
            f"runs and that outputs respond to: {', '.join(names[:5])}{f' and {len(names) - 5} more' * (len(names) > 5)}. "
            f"Without normalisations that all examples use, their share of all weights is {number(kept.carried.share)}."
        )
    if repeated:
        found.append(f"{repeated:,} examples were left out, since other examples have the same inputs.")
    return found


def _level(measure: Measure, found: Coherence) -> str:
    """Fractured-like only if coherence is below that of untrained copies; unified-like only if it is above that of untrained
    copies and of networks with permuted weights; otherwise not resolved."""
    untrained = next(null for null in measure.nulls if null.name == UNTRAINED)
    if not found.is_regular:
        why = "do not have the regularity" if found.varies else "do not vary"
        return f"not resolved, since the outputs {why}"
    below = gain_over(-float(measure.value or 0.0), 0.0, [-value for value in untrained.values])
    if untrained.p is not None and untrained.p <= 0.05:
        orders = [null for null in measure.nulls if null.name == NAME]
        if not orders:
            return "not resolved, since no networks of the same weights in another order were read"
        if all(null.p is not None and null.p <= 0.05 for null in orders):
            return "unified-like, above untrained copies and the same weights in another order"
        return "not resolved, since the same weights in another order are as coherent"
    if below.p <= 0.05:
        return "fractured-like, below untrained copies"
    seen = min(detectable_gain(untrained.values), 1.0)
    if not seen > 0:
        return "not resolved, since every untrained copy has the same value"
    told = f"differences below {number(seen)} from their mean would not have been seen"
    return f"not resolved, since untrained copies differ so much that {told}"


def _sharing(measure: Measure, measures: Sequence[Measure], settings: Mapping[str, object], found: Coherence) -> str:
    """One thing or copies only if the interval lies on one side of one half. For a context with enough values for the rule of
    `of_context`, one thing for all only if that rule agrees."""
    assert measure.interval is not None
    if not found.is_regular:
        return "not resolved"
    if reason := why_not_read(settings):
        return f"not resolved, since {reason}"
    if measure.interval.low <= _MIDDLE:
        return "a copy for each" if measure.interval.high < _MIDDLE else "not resolved"
    name = measure.about["regularity"]
    num = settings.get(f"contexts_{name}")
    if settings.get(f"context_{name}") and isinstance(num, int) and num >= CONTEXTS:
        answer = of_context(measures, settings, measure)
        beyond = answer.because.removeprefix(of_orbits(settings[f"context_{name}"], measure))
        return "one thing for all" if answer.answer == "one shared thing" else f"not resolved, since {beyond}"
    return "one thing for all"


# Figures


def layers_figure(kept: FractureKept) -> DetailTable:
    return DetailTable(
        name="Layers",
        columns=("layer", "coherence", "share of the change", "decodability of the parts", "regularity of the inputs"),
        rows=kept.layers,
        note="Coherence: the share of the first-order change by the layer's weights that respects the regularity. Share of "
        "the change: that of this layer among all. Decodability: R2 of a linear probe on held-out orbits. Regularity of the "
        "inputs: the share of their variance that respects it. Where parts can be decoded although the weights act "
        "incoherently, the parts are represented but not used as one.",
        level=0,
    )


def noise_figures(kept: FractureKept, copies: Sequence[FractureKept], beside: Mapping[str, FractureKept]) -> tuple[Figure, ...]:
    plots = []
    for convention, how in CONVENTIONS.items():
        own = kept.shaken[convention]
        lines = [Line(name="the network", x=own.size, y=own.kept)]
        lines += [Line(name=name, x=one.shaken[convention].size, y=one.shaken[convention].kept) for name, one in beside.items()]
        lines += [
            Line(name=UNTRAINED, x=one.shaken[convention].size, y=one.shaken[convention].kept, null=True) for one in copies
        ]
        plots.append(Plot(title=f"Coherent share of the change, {convention}", subtitle=how, lines=tuple(lines)))
    curve = Curve(
        name="Noise on the weights",
        across="change, as a share of the outputs' variance",
        plots=tuple(plots),
        caption="Noise is added to the weights, at one scale for each point. Horizontal: the mean squared change of the "
        "outputs, as a share of their variance. Vertical: the share of this change that respects the regularity. At the same "
        "size of change, a network of shared parts changes more coherently.",
        level=0,
    )
    rows = []
    for convention in CONVENTIONS:
        for name, one in (("the network", kept), *beside.items(), *((UNTRAINED, copy) for copy in copies)):
            found = one.shaken[convention]
            rows += [(name, convention, *row) for row in zip(found.scales, found.size, found.kept, found.loss, strict=True)]
            rows += [(name, convention, "matched", size, found.at(size), None) for size in MATCHED]
    table = DetailTable(
        name="Noise",
        columns=("network", "relative to", "scale", "size of the change", "coherent share", "loss"),
        rows=tuple(rows),
        note="Coherent share: the share of the change that respects the regularity. Matched: this share at a fixed size of "
        "change, interpolated between scales.",
        level=0,
    )
    return curve, table
