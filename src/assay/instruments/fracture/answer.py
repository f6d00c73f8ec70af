"""What responses say of one context: one shared thing, copies, or nothing. The summary and the verdict read the same rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.display import number, with_interval
from assay.evidence import Measure

ContextAnswer = Literal["one shared thing", "copies by context", "not resolved"]

# Bounds between which nothing is said. They were fixed on planted networks, one module for three contexts, a module for
# each, and tables, of seeds that no rate was counted on (experiments/fracture/third_question.py, docs/methods).
ONE, COPIES = 0.9, 0.1  # share of orbits that respond as one
ALIKE = 0.25  # cosine of the responses of two contexts
ENTERS = 0.15  # the same with inputs that are not weighed by what the weights make of them: about 0 for tables
REGULAR = 0.95  # share of the outputs' variance that has the regularity: else the contexts have rules of their own
UNREAD = 0.05  # share of weights whose responses are not read, and share of an output's variance that hangs on these
CONTEXTS = 3  # values of the context, at least: for so many, shared modules and copies were planted


@dataclass(frozen=True)
class OfContext:
    """One answer and what it rests on."""

    answer: ContextAnswer = "not resolved"
    because: str = ""


def of_context(measures: Sequence[Measure], settings: Mapping[str, object], shared: Measure) -> OfContext:
    """Of the regularity whose `sharing` is given.

    Both answers need the share of orbits that respond as one and the likeness of contexts layer by layer: a network that copies
    one layer of several, or one context of three, is neither. One shared thing needs inputs in common as well: a table with an
    entry for every example of every context has one output for all and no weight that serves two of them.
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
    because = (
        f"of what differs in {context} alone, {_told(shared)} responds as one ({_null(shared)}), and responses for two "
        f"values of {context} have a cosine of {_told(least)} to {_told(most)} in the layers where it is least and most"
    )
    as_one = shared.interval.low > ONE and least.interval.low > ALIKE
    if as_one and enters.interval.low > ENTERS:
        return OfContext("one shared thing", because)
    if shared.interval.high < COPIES and most.interval.high < ALIKE:
        return OfContext("copies by context", because)
    if _at(shared) > ONE and _at(least) > ALIKE and _at(enters) <= ENTERS:
        return OfContext(
            because=f"{because}: the output is alike, but in a layer inputs for two values of {context} have little in common "
            f"(a cosine of {_told(enters)}), as in a table with an entry for each"
        )
    if (_at(shared) > ONE and _at(least) > ALIKE) or (_at(shared) < COPIES and _at(most) < ALIKE):
        return OfContext(because=f"{because}: {shared.units} orbits are too few, since an interval reaches beyond its bound")
    return OfContext(because=f"{because}: neither one thing in every layer nor copies in every layer")


def _why_not(name: str, context: object, num: object, values: object, regular: object) -> str:
    """Why the rule does not apply to the regularity, whatever was measured; empty where it applies."""
    if not context:
        return f"the {name} changes more than one part, or none, so that there is no context"
    if not isinstance(num, int) or num < CONTEXTS:
        return f"{context} has {num} values for one content, and one thing was told from copies for {CONTEXTS}"
    if not isinstance(values, int) or num < values:
        return f"{num} of {values} values of {context} are exchanged, and of the others nothing is known"
    if not isinstance(regular, float):
        return "the outputs do not vary"
    if regular < REGULAR:
        return f"the outputs are alike for all values of {context} in {number(regular)} of their variance only"
    return ""


def why_not_read(settings: Mapping[str, object]) -> str:
    """Why the responses that were read may not be what the network does; empty where they are."""
    unread, carried = settings.get("share of weights not read"), settings.get("variance on weights not read")
    if not isinstance(unread, float) or unread > UNREAD:
        told = number(unread) if isinstance(unread, float) else "an unknown share"
        return f"{told} of the weights lie in no layer whose responses are read"
    if not isinstance(carried, float) or carried > UNREAD:
        told = number(carried) if isinstance(carried, float) else "an unknown share"
        return f"{told} of the variance of an output hangs on weights that are not read, or on a layer that gives all the same"
    return ""


def _at(measure: Measure) -> float:
    return measure.value or 0.0


def _told(measure: Measure) -> str:
    return with_interval(_at(measure), measure.interval)


def _null(measure: Measure) -> str:
    """The null that scored best, in words."""
    best = measure.best_null
    return f"{best.name} {number(best.mean)}" if best and best.counts else "no null"
