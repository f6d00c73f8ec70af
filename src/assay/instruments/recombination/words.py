"""Text and figures of a recombination report: summary, warnings, settings that other code reads, curves and the table of
cuts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from assay.display import counted, number
from assay.evidence import CHANCE, CUT, UNIT, UNTRAINED, Measure
from assay.figure import Curve, DetailTable, Level, Line, Plot, Stretch
from assay.instrument import Notes
from assay.instruments.recombination.curves import AtCut, NetworkCurves, at_headline, holding, interval, label
from assay.instruments.recombination.drawn import ALL, RecombinationDraw, StateRecipe, best_constant
from assay.instruments.recombination.items import HELD, OUTSIDE
from assay.instruments.recombination.patched import NETWORK, RANDOM, SCRAMBLED
from assay.instruments.recombination.rates import BY_LABELS, CS, ES, C, E, Rate
from assay.instruments.recombination.rules import WORKS, Between, Breaks, certainly, cut_named, may_be_headline, what_breaks
from assay.stats import mean_interval

PAIRED = "other combinations"
RELABELLED = "trained alike on random labels"
_NAMES = (CS, ES, C, E)
KEYS = {
    CS: ("seen_from_state",),
    ES: ("seen_as_state",),
    C: ("novel_from_state", "novel_from_first_state", "novel_constructed_input"),
    E: ("novel_as_state",),
}
"""Keys of the measures behind each line."""


def notes(data: RecombinationDraw, found: NetworkCurves, copies: Sequence[NetworkCurves], measures: Sequence[Measure]) -> Notes:
    """Summary, warnings, figures and settings beside the measures."""
    depth = found.headline.get((NETWORK, 0))
    between = interval(data, found)
    at = found.at(depth) if depth is not None else None
    c, e = (at_headline(at, letter) for letter in (C, E))
    by_labels = c is None and bool(data.no_executor)
    additive = [(one.cut, one.rates[0, 0][C, OUTSIDE].mean) for one in holding(found) if (C, OUTSIDE) in one.rates[0, 0]]
    most = max((rate for _, rate in additive), default=0.0)
    breaks = certainly(what_breaks(at_headline(at, BY_LABELS) if by_labels else c, e), measures, most=most)
    carried = {recipe.about["part"]: carried_from(found, k, r) for k, r, recipe in _of_parts(data)}
    carried |= dict.fromkeys(data.refused, "not enough data")
    settings: dict[str, str | int | float | bool | None] = {
        UNIT: data.objective.unit,
        "one_best": not data.targets.is_floating_point(),
        CHANCE: data.chance,
        "headline_cut": label(at.cut) if at else None,
        "headline_depth": depth,
        **({"first_cut": label(additive[0][0]), "most_at_such_cuts": most} if additive else {}),
        "one_answer_to_all": _one_answer(data),
        "no_headline_cut": no_headline_cut(found) if at is None else None,
        "combined_from": label(found.at(between.last).cut) if between else None,
        "combined_to": label(found.at(between.first).cut) if between else None,
        "combining_calls": ", ".join(_calls(found, between)) if between else None,
        "breaks": breaks,
        **{f"carried_{name}": where for name, where in carried.items()},
    }
    return Notes(
        summary=_summary(at, c, e, breaks, between, found, data),
        warnings=_warnings(data, found, at, carried),
        not_tested=_not_tested(data, found),
        figures=(_picture(data, found, copies, between, measures), _table(found)),
        settings=settings,
    )


def _one_answer(data: RecombinationDraw) -> float | None:
    """The score of the commonest declared answer on novel combinations: a network that always gives it composes nothing."""
    items = data.plans[0].recipes[0].items
    known = ((items.kinds == OUTSIDE) & items.declared).nonzero()[:, 0]
    return best_constant(data.objective, items.take(known)) if len(known) else None


def carried_from(found: NetworkCurves, k: int, r: int) -> str:
    """The first cut at which exchanging one part gives the declared result, or `not found`."""
    there = ((one, one.rates[k, r].get((CS, HELD))) for one in found.cuts)
    first = next((one for one, rate in there if rate and rate.mean >= WORKS), None)
    return label(first.cut) if first else "not found"


def _of_parts(data: RecombinationDraw) -> list[tuple[int, int, StateRecipe]]:
    return [
        (k, r, recipe)
        for k, plan in enumerate(data.plans)
        for r, recipe in enumerate(plan.recipes)
        if "part" in recipe.about and not plan.follows and (plan.name == ALL or r)
    ]


def _calls(found: NetworkCurves, between: Between) -> list[str]:
    return [call for cut in found.every[between.last : between.first] for call in cut.leads]


def _summary(
    at: AtCut | None,
    c: float | None,
    e: float | None,
    breaks: Breaks,
    between: Between | None,
    found: NetworkCurves,
    data: RecombinationDraw,
) -> str:
    where = ""
    if between:
        calls = _calls(found, between)
        named = ", ".join(calls[:2]) + (f" and {len(calls) - 2} more" if len(calls) > 2 else "")
        last, first = (cut_named(label(found.at(depth).cut)) for depth in between)
        where = f" Parts are combined between {last} and {first} ({named})."
    if at is None:
        return f"Not resolved: {no_headline_cut(found)}.{where}"
    seen, novel, alike = ("not known" if rate is None else number(rate) for rate in (at_headline(at, CS), c, e))
    verdict = {
        "the combining": "What breaks is the combining, behind this cut",
        "the way in": "What breaks is the way in, before this cut",
        "nothing found": "Nothing was found to break",
        "not resolved": "Whether anything breaks is not resolved",
    }[breaks]
    return (
        f"At {cut_named(label(at.cut))}, the share of composed states answered right is {seen} on trained combinations (Cs), "
        f"{novel} on novel ones (C); the share of novel inputs answered like these is {alike} (E). {verdict}.{where}"
    )


def no_headline_cut(found: NetworkCurves) -> str:
    """Why there is no additive cut: no candidate, none that passed the rule, or none that could be patched or was read."""
    between = [cut.depth for cut in found.every if may_be_headline(cut)]
    if not between:
        return "no cut lies inside the network, between its first and its last call that is not affine"
    skipped = [found.skipped[depth] for depth in between if depth in found.skipped]
    because = f"{len(skipped)} of {len(between)} could not be patched, the first at {skipped[0]}" if skipped else ""
    rates = [rate.mean for one in found.cuts if may_be_headline(one.cut) and (rate := _es(one))]
    if rates:
        best = "; ".join(filter(None, (f"the same answer for {number(max(rates))} at best", because)))
        return (
            "inside the network, between its first and its last call that is not affine, there is no additive cut: held-out "
            f"trained inputs are answered otherwise than their composed states ({best})"
        )
    because = because or "this effort reads other cuts"
    return f"no cut inside the network, between its first and its last call that is not affine, was read: {because}"


def _es(at: AtCut) -> Rate | None:
    return at.rates[0, 0].get((ES, HELD))


def _warnings(data: RecombinationDraw, found: NetworkCurves, at: AtCut | None, carried: Mapping[str, str]) -> list[str]:
    sentences = []
    if at is not None and data.no_inputs:
        sentences.append(
            "C estimates the novel score only if novel inputs reach their composed states at this cut, which was not tested."
        )
    if data.no_executor:
        sentences.append(
            "The task does not say what follows when a part is exchanged: without novel labels only held-out trained "
            "combinations are scored, which does not separate a memorised combination function from a general one."
        )
    if data.kinds_unknown:
        sentences.append(f"Kinds of novelty are not known ({data.kinds_unknown}), so all novel combinations count as one.")
    if data.prefix:
        sentences.append(
            f"An answer takes many passes. It is read in one, with the declared answer so far in {data.prefix}: all steps are "
            "right there exactly if greedy decoding returns that answer. Cuts are those of the other inputs alone."
        )
    if data.template:
        sentences.append(f"Only combinations in which the same parts are absent are read: {data.template} trained ones.")
    missing = [name for name, where in carried.items() if where == "not found"]
    if missing:
        sentences.append(f"Not found at any cut: {', '.join(missing)}.")
    if found.integers:
        sentences.append(f"Integers and masks cross cuts and are not patched: {', '.join(found.integers[:3])}.")
    return sentences


def _not_tested(data: RecombinationDraw, found: NetworkCurves) -> list[str]:
    sentences = [
        *([f"Networks {RELABELLED}: {data.not_trained_alike}."] if data.not_trained_alike else []),
        "Novel combinations without a label whose answer does not follow from an exchange of one part, two, or all parts.",
    ]
    if thinned := len(found.every) - len(found.cuts) - len(found.skipped):
        sentences.append(f"{thinned} cuts were left out by this effort, none beside an end of where parts are combined.")
    if data.not_asked:
        sentences.append(f"{data.not_asked} pairs of a part and its context were left out by this effort.")
    sentences += [f"A cut that cannot be patched: {reason}." for reason in [*found.skipped.values()][:3]]
    return sentences + [f"Part {name}: {reason}." for name, reason in data.refused.items()]


# Figures


def _picture(
    data: RecombinationDraw,
    found: NetworkCurves,
    copies: Sequence[NetworkCurves],
    between: Between | None,
    measures: Sequence[Measure],
) -> Curve:
    depths = [one.cut.depth for one in found.cuts]
    axis = tuple(label(one.cut) for one in found.cuts)
    leads = tuple(f"next: {', '.join(one.cut.leads)}" if one.cut.leads else "" for one in found.cuts)
    stretches: tuple[Stretch, ...] = ()
    if between:
        start, end = (axis[depths.index(depth)] for depth in between)
        stretches = (Stretch(start=start, end=end, note=f"parts are combined here, by {', '.join(_calls(found, between))}"),)
    plots, level = [], 0
    for k, plan in enumerate(data.plans):
        if plan.follows:
            continue
        marked = found.headline.get((NETWORK, k))
        stands_out = {depths.index(depth) for depth in ([marked] if marked is not None else [])}
        for r, recipe in enumerate(plan.recipes):
            lines = []
            for letter in _NAMES:
                rates = [one.rates[k, r].get((letter, HELD if letter in (CS, ES) else OUTSIDE)) for one in found.cuts]
                if any(rates):
                    behind = {one.about[CUT]: one.label for one in measures if _is_of(one, letter, recipe)}
                    drawn = _line(letter, axis, rates, sorted(stands_out), dotted=letter in (ES, E), notes=leads)
                    lines.append(replace(drawn, leads_to=tuple(behind.get(cut, "") for cut in axis)))
                    level = max(level, 1 if letter == E else 0)
            if r == 0:
                lines += _bands(k, axis, depths, found, copies)
            if k == r == 0:
                explained = tuple(None if one.explained is None else max(0.0, one.explained) for one in found.cuts)
                lines.append(Line(name="A", x=axis, y=explained, style="dashed", notes=leads))
            title = " ".join(f"{key} {value}" for key, value in recipe.about.items())
            subtitle = "share of combinations, chance taken out"
            plots.append(Plot(title=title, subtitle=subtitle, lines=tuple(lines), stretches=stretches if k == r == 0 else ()))
    known: Level = 1 if level else 0
    return Curve(
        name="Curves",
        across="cut",
        plots=tuple(plots),
        caption=(
            "Answers of the rest of the network to composed states, at each cut from the input to the last. Cs: accuracy on "
            "held-out trained combinations; Es: the share on which a composed state gets the same answer as the real input. C, "
            "E: the same on novel combinations. A: share of the variance of states that sums of effects explain. Rates are "
            "corrected for chance, (rate - chance) / (1 - chance). Shaded: where the parts are combined. Large dots: the "
            "headline cut. At depth 0 a state is an affine image of the input, so values there describe behaviour, not the "
            "inside. Grey: Cs of the nulls, from the lowest to the highest repeat."
        ),
        level=known,
    )


def _is_of(measure: Measure, letter: str, recipe: StateRecipe) -> bool:
    """Whether a measure holds the combinations behind a point of the line of this letter."""
    about = {key: value for key, value in measure.about.items() if key != CUT}
    return bool(measure.repeats) and measure.key in KEYS[letter] and about == dict(recipe.about) and CUT in measure.about


def _without_chance(value: float, chance: float) -> float:
    return (value - chance) / (1 - chance) if chance < 1 else 0.0


def _line(
    name: str,
    axis: tuple[str, ...],
    rates: Sequence[Rate | None],
    marked: Sequence[int],
    *,
    dotted: bool,
    notes: tuple[str, ...],
) -> Line:
    ends = [mean_interval(rate.units, bounds=(0.0, 1.0)) if rate else None for rate in rates]
    low, high, value = (
        tuple(
            None if rate is None or at is None else _without_chance(at, rate.chance)
            for rate, at in zip(rates, values, strict=True)
        )
        for values in (
            [end.low if end else None for end in ends],
            [end.high if end else None for end in ends],
            [rate.mean if rate else None for rate in rates],
        )
    )
    return Line(
        name=name,
        x=axis,
        y=value,
        low=low,
        high=high,
        style="dotted" if dotted else "solid",
        marked=tuple(marked),
        notes=notes,
        units=tuple(counted(len(rate.units), "combination") if rate else "" for rate in rates),
    )


def _bands(
    k: int, axis: tuple[str, ...], depths: Sequence[int], found: NetworkCurves, copies: Sequence[NetworkCurves]
) -> list[Line]:
    """Cs of the nulls at the cuts at which they searched for their headline."""
    read: dict[str, dict[int, list[float]]] = {}
    for one in found.cuts:
        for (variant, plan), rates in one.chosen_by.items():
            if plan == k and variant != NETWORK and (rate := rates.get((CS, HELD))):
                read.setdefault(variant.name, {}).setdefault(one.cut.depth, []).append(_without_chance(rate.mean, rate.chance))
    for copy in copies:
        for one in copy.cuts:
            if rate := one.chosen_by.get((NETWORK, k), {}).get((CS, HELD)):
                read.setdefault(UNTRAINED, {}).setdefault(one.cut.depth, []).append(_without_chance(rate.mean, rate.chance))
    lines = []
    for name in (SCRAMBLED, RANDOM, UNTRAINED):
        if name in read:
            at = [read[name].get(depth) for depth in depths]
            y, low, high = (tuple(None if not some else float(of(some)) for some in at) for of in (_mean, min, max))
            lines.append(Line(name=name, x=axis, y=y, low=low, high=high, null=True))
    return lines


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _table(found: NetworkCurves) -> DetailTable:
    rows = tuple(
        (
            label(one.cut),
            ", ".join(one.cut.names[:3]) + (f" and {len(one.cut.names) - 3} more" if len(one.cut.names) > 3 else ""),
            ", ".join(one.cut.leads[:3]) + (f" and {len(one.cut.leads) - 3} more" if len(one.cut.leads) > 3 else ""),
            "the input" if one.cut.affine else "the output" if one.cut.last else "between",
        )
        for one in found.cuts
    )
    columns = ("cut", "tensors", "calls up to the next cut", "an affine image of")
    return DetailTable(
        name="Cuts", columns=columns, rows=rows, note="Every call that is not affine lies between two cuts.", level=0
    )
