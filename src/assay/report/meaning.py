"""Summary of a comparison in two sentences."""

from collections.abc import Sequence

from assay.audit import Audit
from assay.display import counted
from assay.evidence import FINDING_LEVEL, Measure
from assay.report.paired import paired, range_of, same_draws
from assay.report.words import interval, number, p_text, value_and_interval

MAX_NAMES = 4
Scored = tuple[Audit, Measure, Measure]


def meaning(audits: Sequence[Audit]) -> str:
    """Which networks learned the trained combinations, and which of these is better on novel ones: by a paired test where they
    were measured on the same combinations, else by overlap of intervals. Of more than two networks the two farthest apart are
    named, and p is that of the range among exchangeable networks (`assay.power.range_p`)."""
    scored = [(audit, seen, novel) for audit in audits for seen, novel in [_scores(audit)] if seen and novel]
    if not comparable(audits):
        return (
            "These audits are of different tasks, so scores of one name cannot be ranked. "
            "What can be compared is the verdict of each, and how far its scores lie above its own nulls."
        )
    if not scored:
        return "No network has a score on both seen and novel combinations. So their difference is not known."
    if len(audits) == 1:
        (audit, seen, novel) = scored[0]
        return (
            f"On seen combinations {_quoted(audit)} scores {value_and_interval(seen)}, on novel ones "
            f"{value_and_interval(novel)}. A single network has no difference to compare."
        )
    learned = [entry for entry in scored if not entry[0].verdict.unlearned]
    failed = [entry for entry in scored if entry[0].verdict.unlearned]
    first = _learned(learned, failed)
    return f"{first} {_difference(learned if len(learned) > 1 else scored)}"


def comparable(audits: Sequence[Audit]) -> bool:
    """Whether scores can be ranked: one family of tasks, the same parts and the same scale. Seen combinations may differ."""
    kinds = {
        (audit.task.address.split(":")[0], audit.task.parts, audit.task.combines, audit.task.unit, audit.task.chance)
        for audit in audits
    }
    return len(kinds) <= 1


def _scores(audit: Audit) -> tuple[Measure | None, Measure | None]:
    found = {measure.key: measure for evidence in audit.evidence for measure in evidence.measures if not measure.about}
    seen, novel = found.get("seen_score"), found.get("novel_score")
    return (
        seen if seen and seen.value is not None else None,
        novel if novel and novel.value is not None and novel.interval else None,
    )


def _learned(learned: Sequence[Scored], failed: Sequence[Scored]) -> str:
    if not learned:
        return f"None of the {len(failed)} networks learned the seen combinations ({_span(failed)})."
    text = f"{_named(learned)} learned the seen combinations ({_span(learned)})"
    return f"{text}; {_named(failed)} did not ({_span(failed)})." if failed else f"{text}."


def _difference(entries: Sequence[Scored]) -> str:
    ordered = sorted(entries, key=lambda entry: entry[2].value or 0.0)
    (low_audit, _, low), (high_audit, _, high) = ordered[0], ordered[-1]
    assert low.interval
    assert high.interval
    text = (
        f"On novel combinations {_quoted(high_audit)} scores {value_and_interval(high)} and "
        f"{_quoted(low_audit)} {value_and_interval(low)}"
    )
    alike = same_draws(high_audit, low_audit)
    farthest = "" if len(entries) == 2 else f" (the farthest two of {len(entries)} networks)"
    if low_audit.task == high_audit.task and (found := paired(high, low, same_draws=alike)):
        between = f"{number(found.value)} {interval(found.interval)}".strip()
        text += f". On the same {counted(found.units, high.unit_of)} they differ by {between}"
        p = found.p if len(entries) == 2 else range_of([novel for _, _, novel in entries])
        if p is None:
            return f"{text}{farthest}. The networks do not all have common combinations on which this could be tested."
        text += f", {p_text(p)}{farthest}"
        if p <= FINDING_LEVEL:
            return f"{text}."
        if farthest:
            return f"{text}: whether any of them does better is not resolved."
        size = "" if found.detectable is None else number(found.detectable)
        least = f"; a difference of {size} would have been detected with power .8" if size else ""
        return f"{text}: which of them does better is not resolved{least}."
    if farthest:
        apart = "do not overlap" if low.interval.high < high.interval.low else "overlap"
        chosen = "The two farthest of several differ more often by chance than two chosen beforehand."
        return f"{text}{farthest}: their intervals {apart}. {chosen}"
    if low.interval.high < high.interval.low:
        return f"{text}: the intervals do not overlap, so the choice of combinations does not explain the difference."
    return f"{text}: the intervals overlap, so which of them does better is not resolved."


def _quoted(audit: Audit) -> str:
    # A name such as `imitates` would else read as a verb.
    return f"\N{LEFT DOUBLE QUOTATION MARK}{audit.subject.name}\N{RIGHT DOUBLE QUOTATION MARK}"


def _named(entries: Sequence[Scored]) -> str:
    names = [_quoted(audit) for audit, _, _ in entries]
    if len(names) > MAX_NAMES:
        return counted(len(names), "network")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _span(entries: Sequence[Scored]) -> str:
    values = sorted(seen.value for _, seen, _ in entries if seen.value is not None)
    low, high = number(values[0]), number(values[-1])
    return low if low == high else f"{low} to {high}"
