"""The rule for the third answer of the verdict, from the responses in one context: one shared thing, copies by context, or not
resolved. The summary of the instrument uses the same rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.display import number, with_interval
from assay.evidence import Measure

ContextAnswer = Literal["one shared thing", "copies by context", "not resolved"]

# Bounds of the two answers; between them the answer is "not resolved". They were fixed on planted networks (one module for
# three contexts, a module for each, and tables), with seeds that enter no rate (experiments/fracture/third_question.py).
ONE, COPIES = 0.9, 0.1  # share of orbits that respond as one
ALIKE = 0.25  # cosine of the responses of two contexts
ENTERS = 0.15  # the same cosine outside the balanced gauge, with inputs as they are: about 0 for tables
REGULAR = 0.95  # share of the outputs' variance with the regularity; below it the contexts may follow different rules
UNREAD = 0.05  # largest share of weights whose responses are not read, and largest share of an output's variance due to them
CONTEXTS = 3  # fewest values of the context, as many as in the planted networks


@dataclass(frozen=True)
class OfContext:
    """An answer, and the reason for it."""

    answer: ContextAnswer = "not resolved"
    because: str = ""


def of_context(measures: Sequence[Measure], settings: Mapping[str, object], shared: Measure) -> OfContext:
    """The answer for one regularity, whose measure of sharing is `shared`.

    Both answers need the share of orbits that respond as one, and the likeness of contexts in every layer: a network that
    copies one layer of several, or one context of three, is neither. One shared thing also needs inputs in common: a table with
    an entry for every example of every context has the same output for all contexts, but no weight that serves two of them.
    """
    name = shared.about["regularity"]
    context, num, values, regular = (settings.get(f"{key}_{name}") for key in ("context", "contexts", "values", "outputs"))
    if reason := _why_not(name, context, num, values, regular) or why_not_read(settings):
        return OfContext(because=reason)
    of = {**shared.about, "context": str(context)}
    least, most, enters = (
        next((one for one in measures if one.key == key and one.about == of and one.interval), None)
        for key in ("contexts_least", "contexts_most", "contexts_entering")
    )
    if shared.value is None or shared.interval is None or least is None or most is None or enters is None:
        return OfContext(because=shared.note or f"responses for different values of {context} have no interval")
    assert least.interval is not None
    assert most.interval is not None
    assert enters.interval is not None
    because = of_orbits(context, shared)
    because += f"responses for two values of {context} have cosines from {_told(least)} to {_told(most)} over the layers"
    as_one = shared.interval.low > ONE and least.interval.low > ALIKE
    if as_one and enters.interval.low > ENTERS:
        return OfContext("one shared thing", because)
    if shared.interval.high < COPIES and most.interval.high < ALIKE:
        return OfContext("copies by context", because)
    if _at(shared) > ONE and _at(least) > ALIKE and _at(enters) <= ENTERS:
        return OfContext(
            because=f"{because}. Outputs respond alike, but in some layer the inputs for two values of {context} have little "
            f"in common (a cosine of {_told(enters)}), as in a table with an entry for each"
        )
    if _at(shared) > ONE and _at(least) > ALIKE:
        bounds = [(shared, ONE, "the share"), (least, ALIKE, "the lowest cosine"), (enters, ENTERS, "the cosine of inputs")]
    elif _at(shared) < COPIES and _at(most) < ALIKE:
        bounds = [(shared, COPIES, "the share"), (most, ALIKE, "the highest cosine")]
    else:
        return OfContext(because=f"{because}. That is neither one shared thing in every layer nor copies in every layer")
    wide = [
        f"that of {name} includes the bound {at:g}"
        for one, at, name in bounds
        if not one.interval or one.interval.low <= at <= one.interval.high
    ]
    return OfContext(because=f"{because}. {shared.units} orbits are too few for narrow intervals: {' and '.join(wide)}")


def of_orbits(context: object, shared: Measure) -> str:
    """The clause on sharing, with which the reason for an answer begins."""
    of = f"of the orbits (examples that vary in {context} alone)"
    return f"{of}, {_told(shared)} respond as one (best null: {_null(shared)}), and "


def _why_not(name: str, context: object, num: object, values: object, regular: object) -> str:
    """Why the rule does not apply to the regularity, or an empty string where it does."""
    if not context:
        return f"the {name} changes no part, or several, so that no single part is the context"
    if not isinstance(num, int) or num < CONTEXTS:
        return f"an orbit holds {num} values of {context}, and the rule was tested for at least {CONTEXTS}"
    if not isinstance(values, int) or num < values:
        return f"only {num} of {values} values of {context} are exchanged, and the others are untested"
    if not isinstance(regular, float):
        return "the outputs do not vary"
    if regular < REGULAR:
        return f"only {number(regular)} of the outputs' variance is the same for all values of {context}"
    return ""


def why_not_read(settings: Mapping[str, object]) -> str:
    """Why the responses that were read may not represent the network's function, or an empty string where they do."""
    unread, carried = settings.get("share of weights not read"), settings.get("variance on weights not read")
    if not isinstance(unread, float) or unread > UNREAD:
        told = number(unread) if isinstance(unread, float) else "an unknown share"
        return f"{told} of the weights lie in no layer whose responses are read"
    if not isinstance(carried, float) or carried > UNREAD:
        told = number(carried) if isinstance(carried, float) else "an unknown share"
        return f"{told} of the variance of an output depends on weights that are not read, or on a layer with constant outputs"
    return ""


def in_sentences(reasons: Sequence[str]) -> str:
    """Reasons as sentences, the first one as it is."""
    return ". ".join([*reasons[:1], *(f"{one[:1].upper()}{one[1:]}" for one in reasons[1:])])


def _at(measure: Measure) -> float:
    return measure.value or 0.0


def _told(measure: Measure) -> str:
    return with_interval(_at(measure), measure.interval)


def _null(measure: Measure) -> str:
    """The name and mean of the best null."""
    best = measure.best_null
    return f"{best.name} {number(best.mean)}" if best and best.counts else "no null"
