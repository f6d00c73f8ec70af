"""Is each part one thing inside? Whether its effect, read beside one value of another part, works beside other values."""

from assay.display import with_interval
from assay.evidence import Evidence, Measure
from assay.verdict.answers import Sharing
from assay.verdict.numbers import WORKS, best_null

KEY, SAME, OTHER = "seen_from_effect_in_context", "the same context", "other contexts"


def sharing_of(item: Evidence | None, without: str) -> Sharing:
    """`copies by context` where at the headline cut the effect of a part certainly works in its own context, a value of another
    part, and certainly does not work in all others. Both are rates of right answers, which the scale of weights, widths and
    decay do not enter. That every part is shared is not said: copies that arise behind that cut are a step of the combining.
    """
    if item is None:
        return Sharing(because=without)
    if item.not_enough:
        return Sharing(because=item.not_enough)
    if not (cut := item.settings.get("headline_cut")):
        return Sharing(because="there is no cut at which the parts stand side by side as a sum")
    by_pair: dict[tuple[str, str], dict[str, Measure]] = {}
    for measure in item.measures:
        if measure.key == KEY and measure.interval is not None:
            pair = measure.about["part"], measure.about["context"]
            by_pair.setdefault(pair, {})[measure.about["effect from"]] = measure
    if not by_pair:
        return Sharing(because="too few exchanges have an effect that is known in another context")
    copied = [pair for pair, each in by_pair.items() if SAME in each and _works(each[SAME]) and _fails(each[OTHER])]
    part, context = min(copied or by_pair, key=lambda pair: by_pair[pair][OTHER].value or 0.0)
    each = by_pair[part, context]
    least = f"exchanging {part} with its effect at other values of {context} is answered right on {_rate(each[OTHER])}"
    own = f", with that at the same value on {_rate(each[SAME])}" if SAME in each else ""
    if copied:
        return Sharing(answer="copies by context", because=f"at {cut}, {least}{own}")
    return Sharing(because=f"no copies were found at {cut}, where {least}{own}; copies behind it are not told from combining")


def _works(measure: Measure) -> bool:
    assert measure.interval is not None
    return measure.interval.low >= WORKS and measure.interval.low > best_null(measure)[0]


def _fails(measure: Measure) -> bool:
    return measure.interval is not None and measure.interval.high < WORKS


def _rate(measure: Measure) -> str:
    return with_interval(measure.value or 0.0, measure.interval)
