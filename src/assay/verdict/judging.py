"""Rules of the verdict: `judge(evidence)` answers each of three questions from one or two numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

from assay.display import number, p_value, with_interval
from assay.errors import shortened
from assay.evidence import Evidence, Interval, Measure, findings
from assay.failed import Failed
from assay.instruments.recombination.rules import Breaks, certainly, cut_named, of_sum
from assay.power import detectable_departure
from assay.stats import mean_interval
from assay.verdict.answers import Combining, Novel, Sharing, Verdict, Works
from assay.verdict.numbers import ABOVE_NULL, WORKS, floor_of
from assay.verdict.sharing import sharing_of
from assay.verdict.words import sentence

REACHED = "that novel inputs reach their composed states at this cut, which was not tested"


def judge(
    evidence: Sequence[Evidence],
    *,
    unreliable: str = "",
    unlearned: str = "",
    hint: str = "",
    failed: Sequence[Failed] = (),
) -> Verdict:
    """The verdict of all evidence.

    There is none where the numbers are unreliable, or where the network fails on trained combinations (unlearned).

    **Arguments:**

    - `unreliable`: why the numbers are unreliable, such as `Integrity.failure`; else empty.
    - `unlearned`: why the network is unlearned; `hint`: a possible cause.
    - `failed`: instruments that failed, named in the sentence with their reasons.

    Example::

        >>> from assay.verdict import judge
        >>> subject, task = assay.load_subject("runs/addition"), assay.load_task("modular-addition:p=7")
        >>> inputs = task.examples("seen", 8, generator=torch.Generator()).inputs
        >>> verdict = judge(assay.read_report("report").evidence, unreliable=subject.integrity(inputs).failure)
        >>> verdict.unreliable, verdict.novel.answer
        ('', 'not resolved')
    """
    if unreliable:
        because = f"the integrity check failed: {unreliable}"
        return _none(because, f"No verdict, since {because}.", unreliable=unreliable)
    if unlearned:
        text = f"Nothing can be said about composition: {unlearned}."
        return _none(f"unlearned: {unlearned}", f"{text} {hint}." if hint else text, unlearned=unlearned)
    found = {item.instrument: item for item in evidence}
    why = {one.instrument: f"{one.instrument} failed: {shortened(one.reason).rstrip('.')}" for one in failed}
    measured = _measured(found, evidence, why.get("systematicity", "novel combinations were not tested"))
    estimate = _estimated(found.get("recombination"))
    novel = estimate or measured
    if measured.basis == "measured" or (novel.basis == "nothing" and "systematicity" in (*found, *why)):
        novel = measured
    combining = _combining(found.get("recombination"), why.get("recombination", "recombination was not run"))
    sharing = sharing_of(found, why)
    if measured.answer == "works" and combining.answer in ("the combining", "the way in"):
        both = (
            f"{combining.because}; novel combinations work, so their states at this cut are not sums of effects of their parts"
        )
        combining = replace(combining, answer="not resolved", because=both)
    text = sentence(novel, estimate, combining, sharing)
    further = [one for one in why.values() if one not in text]
    return Verdict(
        novel=novel,
        estimate=estimate,
        combining=combining,
        sharing=sharing,
        sentence=" ".join([text, *(f"{one[:1].upper()}{one[1:]}." for one in further)]),
    )


def _none(because: str, instead: str, *, unreliable: str = "", unlearned: str = "") -> Verdict:
    return Verdict(
        novel=Novel(because=because),
        estimate=None,
        combining=Combining(because=because),
        sharing=Sharing(because=because),
        unreliable=unreliable,
        unlearned=unlearned,
        sentence=instead,
    )


# Does it work on novel combinations?


def _measured(found: Mapping[str, Evidence], evidence: Sequence[Evidence], without: str) -> Novel:
    """The score of `systematicity` on novel combinations outside 1-coverage."""
    item = found.get("systematicity")
    if item is None or item.not_enough:
        return Novel(because=item.not_enough if item else without)
    by_key = {measure.key: measure for measure in item.measures if not measure.about}
    seen, novel = by_key.get("seen_score"), by_key.get("novel_score")
    if seen is None or seen.value is None or novel is None or novel.value is None or novel.interval is None:
        reasons = [measure.note for measure in (novel, seen) if measure and measure.value is None and measure.note]
        return Novel(because=reasons[0] if reasons else "novel combinations were not tested")
    which = item.settings.get("novel score", "novel combinations")
    of_seen = with_interval(seen.value, seen.interval)
    text = f"{which} score {with_interval(novel.value, novel.interval)}"
    answer, why = _call(novel.interval, *floor_of(novel), best=seen.value)
    if answer == "works" and novel not in findings(evidence):
        answer, why = "not resolved", f"it is no finding among all that was tested, with a largest p of {p_value(novel.p)}"
    because = f"{text}{why and f', {why}'}; trained ones score {of_seen}"
    return _with_power(Novel(answer=answer, because=because, basis="measured"), novel)


def _estimated(item: Evidence | None) -> Novel | None:
    """Estimate from additive states of novel combinations (C) and, with novel inputs, from the agreement of both answers (E).

    With both, the share N of novel inputs answered rightly obeys C + E - 1 <= N <= 1 - |C - E| in each combination, for any
    network; the answer is the one on which the intervals of both bounds agree. Without novel inputs C is taken at the first cut
    that passes the rule of the headline cut, since it tests the largest part of the network.
    """
    if item is None:
        return None
    if item.not_enough:
        return Novel(because=item.not_enough)
    right, same = (of_sum(item.measures, key) for key in ("novel_from_state", "novel_as_state"))
    cut = item.settings.get("headline_cut")
    if right is None or right.value is None or right.interval is None or not cut:
        why = right.note if right and right.note else item.summary.rstrip(".")
        return Novel(because=why.removeprefix("not resolved: "))
    headline, early, at = right, of_sum(item.measures, "novel_from_first_state"), cut_named(str(cut))
    by_state_alone = same is None or same.value is None or same.interval is None
    if by_state_alone and early is not None and early.value is not None and early.interval is not None:
        right, at = early, f"{cut_named(str(item.settings.get('first_cut')))}, the first additive cut"
    assert right.value is not None
    assert right.interval is not None
    text = f"at {at}, composed states of {right.units} novel combinations are answered right on a share of "
    text += with_interval(right.value, right.interval)
    one_answer = item.settings.get("one_answer_to_all")
    floor, beside = max(
        *(floor_of(one) for one in (headline, right)),
        (one_answer, f"one answer to all {number(one_answer)}") if isinstance(one_answer, float) else (0.0, ""),
    )
    answer, why = _call(right.interval, floor, beside, best=1.0)
    if same is None or same.value is None or same.interval is None:
        estimate = Novel(answer=answer, because=f"{text}{why and f', {why}'}", basis="estimated", assumption=REACHED)
        return _with_power(estimate, right)
    text += f", and novel inputs are answered like these states on a share of {with_interval(same.value, same.interval)}"
    if item.settings.get("one_best") is False:  # for real-valued outputs disagreement implies no bound on the score
        if answer == "works" and same.interval.low < WORKS:
            answer, why = "not resolved", "so that novel inputs may score anything"
        return _with_power(Novel(answer=answer, because=f"{text}{why and f', {why}'}", basis="estimated"), right)
    value, least, most = _bounds(right, same)
    if least.low >= WORKS:
        answer, why = _call(least, floor, beside, best=1.0)
    elif most.high <= floor + ABOVE_NULL < WORKS:
        answer, why = "does not work", f"so that at most {number(most.high)} of the novel combinations can be right"
    elif least.low > floor and most.high < WORKS:
        answer, why = (
            "works in part",
            f"so that {number(least.low)} to {number(most.high)} of the novel combinations can be right",
        )
    else:
        answer, why = (
            "not resolved",
            f"so that a share of {number(least.low)} to {number(most.high)} of the novel combinations can be right",
        )
    estimate = _with_power(Novel(answer=answer, because=f"{text}{why and f', {why}'}", basis="estimated"), right)
    bounds = Interval(low=least.low, high=most.high, level=least.level, method="from the lowest to the highest bound")
    return replace(estimate, value=value, interval=bounds)


def _bounds(right: Measure, same: Measure) -> tuple[float, Interval, Interval]:
    """Lower bound of the share of novel inputs answered rightly, its interval, and the interval of the upper bound: paired by
    combination, or from the ends of both intervals where they were measured on different combinations."""
    others = dict(zip(same.unit_ids, same.repeats, strict=True)) if same.unit_ids else {}
    pairs = [(c, others[one]) for one, c in zip(right.unit_ids, right.repeats, strict=False) if one in others]
    units = [max(0.0, c + e - 1) for c, e in pairs]
    least, most = (mean_interval(some, bounds=(0.0, 1.0)) for some in (units, [1 - abs(c - e) for c, e in pairs]))
    if least is not None and most is not None:
        return sum(units) / len(units), least, most
    c, e = right.interval, same.interval
    assert c is not None
    assert e is not None
    least = replace(c, low=max(0.0, c.low + e.low - 1), high=max(0.0, c.high + e.high - 1))
    most = replace(c, low=least.low, high=1 - max(0.0, c.low - e.high, e.low - c.high))
    return least.low, least, most


def _call(interval: Interval, floor: float, beside: str, *, best: float) -> tuple[Works, str]:
    """The answer that holds for the whole interval, and the reason where it is unresolved or partial. `floor`: the best null,
    described by `beside`; `best`: the highest attainable value."""
    if interval.low >= WORKS * best and interval.low > floor:
        return "works", f"above the best null ({beside})" if floor else ""
    if floor + ABOVE_NULL >= WORKS * best:
        return "not resolved", f"which the best null nearly reaches ({beside})"
    if interval.high <= floor + ABOVE_NULL:
        return "does not work", f"no more than {ABOVE_NULL} above the best null ({beside})"
    if interval.low > floor and interval.high < WORKS * best:
        return "works in part", f"above the best null ({beside}) and below {number(WORKS * best)}"
    reached = [number(WORKS * best)] * (interval.high >= WORKS * best) + [f"the best null ({beside})"] * (interval.low <= floor)
    return "not resolved", f"which reaches {' and '.join(reached)} within its interval"


def _with_power(novel: Novel, measure: Measure) -> Novel:
    seen = detectable_departure(measure.repeats, bounds=(0.0, 1.0)) if measure.repeats else None
    return replace(
        novel,
        value=measure.value,
        interval=measure.interval,
        combinations=measure.units,
        detectable=seen.size if seen else None,
        more=seen.more_units if seen else 0,
    )


# Where are the parts combined, and what breaks?


def _combining(item: Evidence | None, without: str) -> Combining:
    if item is None:
        return Combining(because=without)
    if item.not_enough:
        return Combining(because=item.not_enough)
    settings = item.settings
    cut = settings.get("headline_cut")
    start, end = settings.get("combined_from"), settings.get("combined_to")
    carried = {key.removeprefix("carried_"): str(value) for key, value in settings.items() if key.startswith("carried_")}
    return Combining(
        answer=_breaks(item),
        because=_rates(item, str(cut)) if cut else str(settings.get("no_headline_cut") or "no cut was read"),
        cut=str(cut or ""),
        between=(str(start), str(end)) if start and end else None,
        calls=str(settings.get("combining_calls") or ""),
        carried=carried,
    )


def _breaks(item: Evidence) -> Breaks:
    """What breaks, as the instrument found it, where the measures that the access level leaves in confirm it."""
    told, most = item.settings.get("breaks"), item.settings.get("most_at_such_cuts")
    breaks: Breaks = next((one for one in get_args(Breaks) if one == told), "not resolved")
    return certainly(breaks, item.measures, most=most if isinstance(most, float) else 0.0)


def _rates(item: Evidence, cut: str) -> str:
    """Cs, C and E at the headline cut, where known, as text."""
    text = {
        key: with_interval(measure.value, measure.interval)
        for key in (*_RIGHT, _ALIKE)
        if (measure := of_sum(item.measures, key)) and measure.value is not None
    }
    right = " and ".join(f"{text[key]} of {what}" for key, what in _RIGHT.items() if key in text)
    told = [f"composed states are answered right on a share of {right}"] if right else []
    if _ALIKE in text:
        told.append(f"novel inputs are answered like their composed states on a share of {text[_ALIKE]}")
    return f"at {cut_named(cut)}, the last additive cut, {'; '.join(told)}"


_RIGHT = {
    "seen_from_state": "held-out trained combinations",
    "novel_from_state": "novel combinations",
    "novel_from_state_by_labels": "novel combinations, by their labels",
}
_ALIKE = "novel_as_state"
