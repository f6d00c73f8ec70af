"""`judge(evidence)`: three questions, each answered by a rule on one or two numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from assay.evidence import Evidence, Interval, Measure, findings
from assay.power import detectable_departure
from assay.verdict.answers import Combining, Novel, Sharing, Verdict, Works

WORKS = 0.9  # from this share of novel combinations on, with the whole interval, it works
ABOVE_NULL = 0.1  # up to this far above the best null, with the whole interval, it does not
GETS_THERE = "that novel inputs get to this cut, which was not tested"
UNSEEN = (
    "No estimate from trained inputs can see inputs that are intercepted on their way, or wrong answers taught to novel inputs "
    "alone."
)


def judge(evidence: Sequence[Evidence], *, unreliable: str = "", unlearned: str = "", hint: str = "") -> Verdict:
    """The verdict of all evidence.

    Where the numbers cannot be relied on there is none. A network that fails on trained combinations is unlearned, and nothing
    else is asked.

    **Arguments:**

    - `unreliable`: why no number can be relied on, such as `Integrity.failure`; empty where all can.
    - `unlearned`: why the network is unlearned; `hint`: what may be the cause.

    Example::

        verdict = judge(assay.audit(network, task).evidence)
        print(verdict.headline, verdict.novel.because, verdict.combining.because, sep="; ")
    """
    if unreliable:
        because = f"the integrity check failed: {unreliable}"
        return _none(because, f"No verdict, since {because}.", unreliable=unreliable)
    if unlearned:
        told = f"Unlearned: {unlearned}, so nothing can be said about composition."
        return _none(f"unlearned: {unlearned}", f"{told} {hint}." if hint else told, unlearned=unlearned)
    found = {item.instrument: item for item in evidence}
    measured = _measured(found, evidence)
    estimate = _estimated(found.get("recombination"))
    novel = measured if measured.basis == "measured" or estimate is None else estimate
    combining, sharing = _combining(found.get("recombination")), _sharing()
    return Verdict(
        novel=novel,
        estimate=estimate,
        combining=combining,
        sharing=sharing,
        sentence=_sentence(novel, estimate, combining, sharing),
    )


def _none(because: str, sentence: str, *, unreliable: str = "", unlearned: str = "") -> Verdict:
    return Verdict(
        novel=Novel(because=because),
        estimate=None,
        combining=Combining(because=because),
        sharing=Sharing(because=because),
        unreliable=unreliable,
        unlearned=unlearned,
        sentence=sentence,
    )


# Does it work on novel combinations?


def _measured(found: Mapping[str, Evidence], evidence: Sequence[Evidence]) -> Novel:
    """The score of `systematicity` on novel combinations outside 1-coverage."""
    item = found.get("systematicity")
    if item is None or item.not_enough:
        return Novel(because=item.not_enough if item else "novel combinations were not tested")
    by_key = {measure.key: measure for measure in item.measures}
    seen, novel = by_key.get("seen_score"), by_key.get("novel_score")
    if seen is None or seen.value is None or novel is None or novel.value is None or novel.interval is None:
        reasons = [measure.note for measure in (novel, seen) if measure and measure.note]
        return Novel(because=reasons[0] if reasons else "novel combinations were not tested")
    which = item.settings.get("novel score", "novel combinations")
    told = f"{which} score {_told(novel.value, novel.interval)}, trained ones {_told(seen.value, seen.interval)}"
    answer, why = _call(novel, novel.interval, best=seen.value)
    if answer == "works" and novel not in findings(evidence):
        answer, why = "not resolved", f"it is no finding among all that was tested, with a largest p of {novel.p or 1:.2g}"
    return _with_power(Novel(answer=answer, because=f"{told}{why and f', {why}'}", basis="measured"), novel)


def _estimated(item: Evidence | None) -> Novel | None:
    """From states put together of trained ones (C) and, with novel inputs, from whether they are answered alike (E).

    With both, the share N of novel inputs that are right is bounded by arithmetic, C + E - 1 <= N <= 1 - |C - E|, whatever the
    network does: the answer is the one on which the bounds agree.
    """
    if item is None:
        return None
    if item.not_enough:
        return Novel(because=item.not_enough)
    right, same = (_of_sum(item.measures, key) for key in ("novel_from_state", "novel_as_state"))
    cut = item.settings.get("headline_cut")
    if right is None or right.value is None or right.interval is None or not cut:
        return Novel(because=right.note if right and right.note else f"{item.summary}".rstrip("."))
    told = f"at {cut}, states put together of trained ones are answered right on {_told(right.value, right.interval)}"
    answer, why = _call(right, right.interval, best=1.0)
    if same is None or same.value is None or same.interval is None:
        told += f" of {right.units} novel combinations"
        estimate = Novel(answer=answer, because=f"{told}{why and f', {why}'}", basis="estimated", assumption=GETS_THERE)
        return _with_power(estimate, right)
    told += (
        f", and novel inputs are answered as these states on {_told(same.value, same.interval)}, of {right.units} combinations"
    )
    if answer == "works" and same.interval.low < WORKS:
        most = 1 - max(0.0, right.interval.low - same.interval.high)
        answer = "not resolved" if most >= WORKS else "works in part"
        why = f"so that at most {most:.2f} of them can be right"
    return _with_power(Novel(answer=answer, because=f"{told}{why and f', {why}'}", basis="estimated"), right)


def _of_sum(measures: Sequence[Measure], key: str) -> Measure | None:
    return next((measure for measure in measures if measure.key == key and measure.about.get("form") == "sum"), None)


def _call(measure: Measure, interval: Interval, *, best: float) -> tuple[Works, str]:
    """The answer of the whole interval, and a reason where it is none or only in part. `best`: what could be reached."""
    null = max((null for null in measure.nulls if null.counts and null.values), key=lambda null: null.mean, default=None)
    floor = null.mean if null else 0.0
    beside = f"{null.name} {floor:.2f}" if null else "no null"
    if interval.low >= WORKS * best:
        return "works", ""
    if interval.high <= floor + ABOVE_NULL:
        return "does not work", f"no more than {ABOVE_NULL} above the best null ({beside})"
    if interval.low > floor and interval.high < WORKS * best:
        return "works in part", f"above the best null ({beside}) and below {WORKS * best:.2f}"
    return "not resolved", f"which reaches {WORKS * best:.2f}, or the best null ({beside}), within its interval"


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


def _combining(item: Evidence | None) -> Combining:
    if item is None:
        return Combining(because="recombination was not run")
    if item.not_enough:
        return Combining(because=item.not_enough)
    settings = item.settings
    cut, breaks = settings.get("headline_cut"), settings.get("breaks")
    start, end = settings.get("combined_from"), settings.get("combined_to")
    carried = {key.removeprefix("carried_"): str(value) for key, value in settings.items() if key.startswith("carried_")}
    because = item.summary.rstrip(".")
    return Combining(
        answer=breaks if breaks in ("the combining", "the way in", "nothing found") else "not resolved",
        because=because,
        cut=str(cut or ""),
        between=(str(start), str(end)) if start and end else None,
        calls=str(settings.get("combining_calls") or ""),
        carried=carried,
    )


# Is each part one thing inside?


def _sharing() -> Sharing:
    return Sharing(
        because="nothing that was measured tells one shared representation from copies by context better than how the network "
        "was trained would"
    )


# Words


def _told(value: float, interval: Interval | None) -> str:
    return f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]" if interval else f"{value:.3f}"


def _sentence(novel: Novel, estimate: Novel | None, combining: Combining, sharing: Sharing) -> str:
    starts: Mapping[tuple[str, str], str] = {
        ("measured", "works"): "This network works on novel combinations",
        ("measured", "works in part"): "This network works on some novel combinations",
        ("measured", "does not work"): "This network does not work on novel combinations",
        ("estimated", "works"): "This network is expected to work on novel combinations",
        ("estimated", "works in part"): "This network is expected to work on some novel combinations",
        ("estimated", "does not work"): "This network is not expected to work on novel combinations",
    }
    start = starts.get((novel.basis, novel.answer), "Whether this network works on novel combinations is not resolved")
    told = [f"{start}: {novel.because}{f'; this assumes {novel.assumption}' if novel.assumption else ''}."]
    if novel.detectable is not None:
        told.append(
            f"These {novel.combinations} combinations would have shown a departure of {novel.detectable:.3f} four times in "
            f"five; {novel.more} more would halve that."
        )
    if novel.basis == "estimated":
        told.append(UNSEEN)
    elif estimate is not None and estimate.basis == "estimated":
        told.append(f"Estimated from inside: {estimate.because}.")
    if combining.between:
        told.append(f"The parts are combined between {' and '.join(combining.between)} ({combining.calls}).")
    told.append(
        {
            "the combining": f"At {combining.cut} what breaks is the combining.",
            "the way in": f"At {combining.cut} what breaks is the way in: novel inputs are not answered as their states.",
            "nothing found": f"At {combining.cut} nothing was found that breaks.",
            "not resolved": f"What breaks inside is not resolved: {combining.because}.",
        }[combining.answer]
    )
    if sharing.answer == "not resolved":
        told.append("Whether each part is one thing inside is not resolved.")
    return " ".join(told)
