"""What a comparison means, in two sentences."""

from collections.abc import Sequence

from assay.audit import Audit
from assay.display import counted
from assay.evidence import FINDING_LEVEL, Measure
from assay.report.paired import paired, range_of, same_draws
from assay.report.words import interval, number, p_told, value_and_interval

MAX_NAMES = 4
Scored = tuple[Audit, Measure, Measure]


def meaning(audits: Sequence[Audit]) -> str:
    """Who learned the trained combinations, and who of those does better on novel ones: by a paired test where two networks
    were measured on the same combinations, else by whether intervals overlap. Of more than two, the two
    farthest apart are named, and p is that of so wide a range among alike networks."""
    scored = [(audit, seen, novel) for audit in audits for seen, novel in [_scores(audit)] if seen and novel]
    if not comparable(audits):
        return (
            "These audits are of different tasks, so scores of one name stand side by side but cannot be ranked. "
            "What can be compared is the verdict of each, and how far its scores lie above its own nulls."
        )
    if not scored:
        return "No network has a score on both seen and novel combinations. So nothing can be said about their difference."
    if len(audits) == 1:
        (audit, seen, novel) = scored[0]
        return (
            f"On seen combinations {_quoted(audit)} scores {value_and_interval(seen)}, on novel ones "
            f"{value_and_interval(novel)}. One network alone has no difference to read."
        )
    learned = [entry for entry in scored if not entry[0].verdict.unlearned]
    failed = [entry for entry in scored if entry[0].verdict.unlearned]
    first = _learned(learned, failed)
    return f"{first} {_difference(learned if len(learned) > 1 else scored)}"


def comparable(audits: Sequence[Audit]) -> bool:
    """Whether scores can be ranked: one family of tasks, the same parts and the same scale. What was seen may differ."""
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
    told = f"{_named(learned)} learned the seen combinations ({_span(learned)})"
    return f"{told}; {_named(failed)} did not ({_span(failed)})." if failed else f"{told}."


def _difference(entries: Sequence[Scored]) -> str:
    ordered = sorted(entries, key=lambda entry: entry[2].value or 0.0)
    (low_audit, _, low), (high_audit, _, high) = ordered[0], ordered[-1]
    assert low.interval
    assert high.interval
    told = (
        f"On novel combinations {_quoted(high_audit)} scores {value_and_interval(high)} and "
        f"{_quoted(low_audit)} {value_and_interval(low)}"
    )
    alike = same_draws(high_audit, low_audit)
    farthest = "" if len(entries) == 2 else f" (the farthest two of {len(entries)} networks)"
    if low_audit.task == high_audit.task and (found := paired(high, low, same_draws=alike)):
        between = f"{number(found.value)} {interval(found.interval)}".strip()
        told += f". On the same {counted(found.units, high.unit_of)} they differ by {between}"
        p = found.p if len(entries) == 2 else range_of([novel for _, _, novel in entries])
        if p is None:
            return f"{told}{farthest}. Not all networks have combinations in common on which this could be tested."
        told += f", {p_told(p)}{farthest}"
        if p <= FINDING_LEVEL:
            return f"{told}."
        if farthest:
            return f"{told}: that any of them does better is not resolved."
        least = "" if found.detectable is None else f"; {number(found.detectable)} would have been seen four times in five"
        return f"{told}: which of them does better is not resolved{least}."
    if farthest:
        apart = "do not overlap" if low.interval.high < high.interval.low else "overlap"
        return f"{told}{farthest}: their intervals {apart}. Two chosen for their distance are more often apart than any two."
    if low.interval.high < high.interval.low:
        return f"{told}: the intervals do not overlap, so this is not luck in which combinations were drawn."
    return f"{told}: the intervals overlap, so which of them does better is not resolved."


def _quoted(audit: Audit) -> str:
    # A name such as `imitates` would otherwise read as the sentence's verb.
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
