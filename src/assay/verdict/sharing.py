"""Rules for the third question: whether the effect of a part, measured beside one value of another part, works beside other
values, and whether weights respond alike in all contexts."""

from collections.abc import Mapping

from assay.display import with_interval
from assay.evidence import Evidence, Measure
from assay.instruments.fracture.answer import in_sentences, of_context
from assay.instruments.recombination.rules import cut_named
from assay.verdict.answers import Sharing
from assay.verdict.numbers import WORKS, floor_of

KEY, SAME, OTHER = "seen_from_effect_in_context", "the same context", "other contexts"


def sharing_of(found: Mapping[str, Evidence], why: Mapping[str, str]) -> Sharing:
    """The answer from `recombination`, at the headline cut, and from `fracture`, over all weights; not resolved where both have
    an answer and disagree.

    **Arguments:** `found`: evidence by instrument; `why`: reasons of the instruments that failed.
    """
    asked = {"recombination", "fracture"} & (found.keys() | why.keys())
    unasked = "recombination was not run" if asked else "neither recombination nor fracture, which answer it, was run"
    exchanged = _exchanged(found.get("recombination"), why.get("recombination", unasked))
    if "fracture" not in asked:
        return exchanged
    responding = _responding(found["fracture"]) if "fracture" in found else Sharing(because=why["fracture"])
    reasons = [exchanged.because, responding.because]
    both = in_sentences(reasons if "recombination" in asked else reasons[::-1])  # resolved answers come first
    answers = {one.answer for one in (exchanged, responding)} - {"not resolved"}
    if len(answers) > 1:
        return Sharing(because=f"two instruments disagree: {both}")
    if responding.answer != "not resolved" and exchanged.answer == "not resolved":
        return responding
    return Sharing(answer=exchanged.answer, because=both)


# By exchanging effects at the headline cut


def _exchanged(item: Evidence | None, without: str) -> Sharing:
    """`copies by context` where at the headline cut the effect of a part works in its own context (a value of another part) and
    fails in all others, both with the whole interval. Both are rates of right answers, so they do not depend on weight scale,
    width or decay. `one shared thing` is never concluded, since copies behind that cut would be a step of the combining."""
    if item is None:
        return Sharing(because=without)
    if item.not_enough:
        return Sharing(because=item.not_enough)
    if not (cut := item.settings.get("headline_cut")):
        return Sharing(because="there is no additive cut, so effects of parts cannot be compared")
    at, by_pair = cut_named(str(cut)), dict[tuple[str, str], dict[str, Measure]]()
    for measure in item.measures:
        if measure.key == KEY and measure.interval is not None:
            pair = measure.about["part"], measure.about["context"]
            by_pair.setdefault(pair, {})[measure.about["effect from"]] = measure
    if not by_pair:
        return Sharing(because="too few exchanges have an effect that was measured in another context")
    copied = [pair for pair, each in by_pair.items() if SAME in each and _works(each[SAME]) and _fails(each[OTHER])]
    part, context = min(copied or by_pair, key=lambda pair: by_pair[pair][OTHER].value or 0.0)
    each = by_pair[part, context]
    least = (
        f'if "{part}" is exchanged by an effect measured beside other values of "{context}", the answer is right on a share of '
        f"{_interval_text(each[OTHER])}"
    )
    own = f", and by an effect measured beside the same value on {_interval_text(each[SAME])}" if SAME in each else ""
    if copied:
        return Sharing(answer="copies by context", because=f"at {at}, {least}{own}")
    return Sharing(because=f"no copies by context were found: at {at}, {least}{own}. Any behind it would look like combining")


def _works(measure: Measure) -> bool:
    assert measure.interval is not None
    return measure.interval.low >= WORKS and measure.interval.low > floor_of(measure)[0]


def _fails(measure: Measure) -> bool:
    return measure.interval is not None and measure.interval.high < WORKS


# By the responses of all weights


def _responding(item: Evidence) -> Sharing:
    """Over all regularities that exchange the values of one context: `one shared thing` if all are, `copies by context` if some
    are copies and none is shared."""
    if item.not_enough:
        return Sharing(because=item.not_enough)
    shared = [measure for measure in item.measures if measure.key == "sharing"]
    if not shared:
        return Sharing(because="no regularity was read")
    answers = [_of_context(item, measure) for measure in shared]
    in_context = [one for one in answers if one.answer != "not resolved"]
    if len({one.answer for one in in_context}) == 1 and (
        len(in_context) == len(answers) or in_context[0].answer != "one shared thing"
    ):
        return in_context[0]
    return Sharing(because=in_sentences([one.because for one in answers]))


def _of_context(item: Evidence, shared: Measure) -> Sharing:
    found = of_context(item.measures, item.settings, shared)
    return Sharing(answer=found.answer, because=found.because)


def _interval_text(measure: Measure) -> str:
    return with_interval(measure.value or 0.0, measure.interval)
