"""Power of every headline measure, and the p-value at which its finding would change."""

from collections.abc import Sequence

from assay.display import counted, number, p_value
from assay.evidence import FINDING_LEVEL, UNTRAINED, Evidence, Measure, headline_ps
from assay.power import detectable_departure, detectable_gain
from assay.report.words import mean_of


def otherwise(every: Sequence[Evidence]) -> list[list[tuple[str, str]]]:
    """For each evidence of an audit, its headline measures with a value: label, and sentences on power and finding."""
    tested = headline_ps(every)
    adjusted = {id(measure): p for measure, p in tested}
    return [
        [
            (measure.label, " ".join(filter(None, (power(measure), _finding(measure, adjusted, len(tested))))))
            for measure in item.measures
            if measure.headline and measure.value is not None and measure.direction != "neither"
        ]
        for item in every
    ]


def power(measure: Measure) -> str:
    """Sentence on the smallest detectable effect; empty where that is not known."""
    copies = next((null.values for null in measure.nulls if null.name == UNTRAINED), ())
    if measure.unit_of == "network":
        if len(copies) < 2 or max(copies) == min(copies):
            return ""
        gain = number(detectable_gain(copies))
        return f"{counted(len(copies), 'untrained copy')} would have shown a gain of {gain} with power .8."
    if measure.bounds is None and len(set(measure.repeats)) < 2:
        return ""
    seen = detectable_departure(measure.repeats, bounds=measure.bounds or (0.0, 0.0))
    if seen is None:
        return ""
    units = counted(len(measure.repeats), measure.unit_of)
    if measure.bounds and len(set(measure.repeats)) < 2:
        share = number(seen.size / (measure.bounds[1] - measure.bounds[0]))
        shown = f"All {units} have one value. If a share of {share} of all such had another, at least one of these would"
        shown += " show it with power .8"
        return f"{shown}; {seen.more_units:,} more would halve this share."
    shown = f"{units} would have shown a difference of {number(seen.size)} with power .8"
    return f"{shown}; {seen.more_units:,} more would halve this difference."


def _finding(measure: Measure, adjusted: dict[int, float], num: int) -> str:
    counting = [null for null in measure.nulls if null.counts and null.values]
    without = [null.name for null in counting if null.p is None]
    if not counting:
        return "This measure is no finding, since no null counts."
    if id(measure) not in adjusted:
        names = f"{' and '.join(without)} {'has' if len(without) == 1 else 'have'}"
        return f"This measure cannot be a finding: {names} too few repeats for a p."
    hardest = max(counting, key=lambda null: null.p or 0.0)
    p = adjusted[id(measure)]
    against = f"{hardest.name} (mean {mean_of(hardest)}, p {p_value(hardest.p)}), the null with the largest p"
    corrected = f"Corrected for {counted(num, 'headline measure')} of this audit, this p is {p_value(p)}"
    if p <= FINDING_LEVEL:
        return (
            f"This measure is a finding against {against}. {corrected}; above {p_value(FINDING_LEVEL)} it would be no finding."
        )
    return (
        f"This measure is no finding against {against}. {corrected}; at most {p_value(FINDING_LEVEL)} would make it a finding."
    )
