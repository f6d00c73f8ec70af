"""What novel combinations did when they were tested: access level 2, a rule on scores, no calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.competence import LEARNED
from assay.evidence import Evidence, Measure, findings
from assay.former_verdict.features import find
from assay.former_verdict.words import Answer, Axis

WORKS = 0.90  # share of the seen score that the novel score must reach, with its whole interval
FAILS = 0.50  # share of the seen score that the novel score must stay below, with its whole interval
EITHER: tuple[Answer, ...] = ("yes", "no")


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """The measured answer, and the answers from elsewhere that it does not contradict."""

    axis: Axis
    allows: tuple[Answer, ...] = EITHER


def measured_unlearned(evidence: Sequence[Evidence]) -> str:
    """Why composition cannot be asked about: the score on trained combinations is below `LEARNED`. Empty where it is not, or
    was not measured."""
    for instrument, key in (("systematicity", "seen_score"), ("recombination", "score_on_trained_combinations")):
        found = find(evidence, instrument)
        for measure in found.measures if found else ():
            if measure.key == key and measure.value is not None:
                learned = measure.value >= LEARNED
                return "" if learned else f"the score on trained combinations is {told(measure)}, below {LEARNED}"
    return ""


def behaviour(evidence: Sequence[Evidence]) -> Behaviour:
    """The answer of `systematicity`: share of the seen score that novel combinations outside 1-coverage keep.

    A novel score that is no finding, because a null reaches it or because too few repeats of a null were made for as many
    headline numbers as the audit has, resolves nothing.
    """
    found = find(evidence, "systematicity")
    if found is None or found.not_enough:
        return _unresolved(found.not_enough if found else "novel combinations were not tested")
    keys = {measure.key for measure in found.measures}
    if not keys >= {"seen_score", "novel_score"}:
        return _unresolved("novel combinations were not tested")
    seen, novel = found.measure("seen_score"), found.measure("novel_score")
    if seen.value is None or novel.value is None or novel.interval is None:
        return _unresolved(novel.note or seen.note or "not enough data")
    words = f"{found.settings.get('novel score', 'novel combinations')} score {told(novel)}, trained ones {told(seen)}"
    low, high = novel.interval.low, novel.interval.high
    works, fails = low >= WORKS * seen.value, high <= FAILS * seen.value
    answer, allows = "not resolved", EITHER
    if works and novel not in findings(evidence):
        words = f"{words}, but among all that was tested this is no finding: its largest p beside a null is {novel.p or 1:.2g}"
    elif works:
        answer, allows = "yes", ("yes",)
    elif fails:
        answer, allows = "no", ("no",)
        words += _beside(novel)
    else:
        words = f"{words}{_beside(novel)}, {_between(novel, seen.value)}"
        allows = ("yes",) * (high >= WORKS * seen.value) + ("no",) * (low <= FAILS * seen.value)
    return Behaviour(axis=Axis(answer=answer, because=words), allows=allows)


def _beside(novel: Measure) -> str:
    """The null that scores as well, where one does."""
    best = max((null for null in novel.nulls if null.counts and null.values), key=lambda null: null.mean, default=None)
    if best is None or novel.value is None or novel.value > best.mean:
        return ""
    return f", no more than {best.name} ({best.mean:.3f})"


def _between(novel: Measure, seen: float) -> str:
    """Why a score resolves nothing: how many combinations keep the trained score and how many do not, and the interval."""
    counted, units = "", novel.repeats
    if units:
        works, fails = (sum(1 for unit in units if unit >= WORKS * seen), sum(1 for unit in units if unit <= FAILS * seen))
        counted = f"{works} of {len(units)} keep {WORKS:.0%} of it and {fails} at most {FAILS:.0%}; "
    return f"which is not resolved: {counted}the interval lies neither above {WORKS * seen:.2f} nor below {FAILS * seen:.2f}"


def told(measure: Measure) -> str:
    """`0.946 [0.926, 0.966]`."""
    assert measure.value is not None
    interval = f" [{measure.interval.low:.3f}, {measure.interval.high:.3f}]" if measure.interval else ""
    return f"{measure.value:.3f}{interval}"


def _unresolved(because: str) -> Behaviour:
    return Behaviour(axis=Axis(answer="not resolved", because=because, tested=False))
