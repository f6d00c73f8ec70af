"""The three answers in words: for the sentence, the report and the terminal."""

from collections.abc import Mapping
from typing import NamedTuple

from assay.display import number
from assay.instruments.fracture.answer import COPIES, ONE
from assay.verdict.answers import COMBINING, NOVEL, SHARING, Combining, Novel, Sharing, Verdict, headline_of
from assay.verdict.numbers import ABOVE_NULL, WORKS

UNSEEN = (
    "No estimate from trained inputs can see inputs that are intercepted on their way, or wrong answers taught to novel inputs "
    "alone."
)
_BREAKS: Mapping[str, str] = {
    "the combining": "what breaks is the combining",
    "the way in": "what breaks is the way in",
    "nothing found": "nothing was found that breaks",
    "not resolved": "what breaks is not resolved",
}


_SHARED: Mapping[str, str] = {
    "one shared thing": "inside, one shared thing serves all contexts",
    "copies by context": "inside, there are copies by context",
    "not resolved": "whether each part is one thing inside is not resolved",
}


RULES: Mapping[str, str] = {
    NOVEL: f"It works where the whole interval lies above the best null and from {WORKS:g} times the score on trained "
    f"combinations on (of 1 for an estimate), does not work where it ends at most {ABOVE_NULL:g} above the best null, and "
    "works in part where it lies between the two. Any other interval is not resolved.",
    COMBINING: f"The combining breaks where, at every usable cut, fewer than {WORKS:g} of novel combinations are answered "
    f"right from states put together of trained ones. The way in breaks where fewer than {WORKS:g} of novel inputs, and fewer "
    f"than of such states, are answered as these states are. Where both lie at {WORKS:g} or above, nothing breaks. Each must "
    "hold for the whole interval, else the answer is not resolved.",
    SHARING: f"Copies by context need an effect that works beside one value of another part ({WORKS:g} or more) and fails "
    f"beside all others, or less than {COPIES:g} of what differs in the context alone responding as one; one shared thing "
    f"needs more than {ONE:g} of it. Each with the whole interval, else it is not resolved.",
}
"""What would make each answer another one; docs/methods/verdict.md has the rules in full."""


class Answered(NamedTuple):
    """One question with its answer, the reason, what must be known before it, and what follows."""

    question: str
    answer: str
    because: str
    resolved: bool
    before: str = ""
    after: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """What would make the answer another one."""
        return RULES[self.question]


def answered(verdict: Verdict) -> tuple[Answered, ...]:
    """The three questions; none where the network is unlearned or its numbers cannot be relied on.

    Example::

        >>> from assay.verdict import answered
        >>> question, answer, because, *_ = answered(assay.read_report("report").verdict)[0]
        >>> question, answer
        ('Does it work on novel combinations?', 'not resolved')
    """
    if not verdict.judged:
        return ()
    novel, combining, sharing = verdict.novel, verdict.combining, verdict.sharing
    basis = f", {novel.basis}" if novel.basis != "nothing" else ""
    carried = tuple(
        f"part {part} is not found" if cut == "not found" else f"part {part} is carried from {_cut(cut)} on"
        for part, cut in combining.carried.items()
        if cut != "not enough data"
    )
    return (
        Answered(
            NOVEL,
            f"{headline_of(novel)}{basis}",
            novel.because,
            novel.answer != "not resolved",
            UNSEEN if novel.assumption else "",
            tuple(filter(None, (assumption(novel), power(novel), beside(novel, verdict.estimate)))),
        ),
        Answered(
            COMBINING,
            f"{where(combining)}; {broken(combining)}",
            combining.because,
            combining.answer != "not resolved",
            after=(*([f"calls between them: {combining.calls}"] if combining.calls else []), *carried),
        ),
        Answered(SHARING, sharing.answer, sharing.because, sharing.answer != "not resolved"),
    )


def assumption(novel: Novel) -> str:
    """What an estimate takes for granted."""
    return f"this assumes {novel.assumption}" if novel.assumption else ""


def power(novel: Novel) -> str:
    """The smallest difference that could have been seen, and what would halve it."""
    if novel.detectable is None:
        return ""
    return (
        f"these {novel.combinations} combinations would have shown a difference of {number(novel.detectable)} four times in "
        f"five; {novel.more} more would halve that"
    )


def beside(novel: Novel, estimate: Novel | None) -> str:
    """What the inside says where novel combinations were measured."""
    if novel.basis != "measured" or estimate is None or estimate.basis != "estimated":
        return ""
    return f"estimated from inside, it is {headline_of(estimate)}: {estimate.because}"


def broken(combining: Combining) -> str:
    """What breaks."""
    return _BREAKS[combining.answer]


def where(combining: Combining) -> str:
    """Where the parts are combined."""
    if combining.between is None:
        return "where the parts are combined is not resolved"
    return f"the parts are combined between {' and '.join(map(_cut, combining.between))}"


def _cut(label: str) -> str:
    """`cut 2 (layers.0)` of the label `2 layers.0`."""
    depth, _, modules = label.partition(" ")
    return f"cut {depth} ({modules})" if modules else f"cut {label}"


def sentence(novel: Novel, estimate: Novel | None, combining: Combining, sharing: Sharing) -> str:
    """The three answers one after the other."""
    first = "whether this network works on novel combinations is not resolved"
    if novel.answer != "not resolved":
        first = f"this network {'' if novel.basis == 'measured' else 'is '}{headline_of(novel)}"
    told = [": ".join(filter(None, (first, novel.because)))]
    told[0] = "; ".join(filter(None, (told[0], assumption(novel))))
    told += [power(novel), UNSEEN.rstrip(".") if novel.assumption else "", beside(novel, estimate)]
    told.append(
        f"{where(combining)}{f' ({combining.calls})' if combining.calls else ''}; {broken(combining)}: {combining.because}"
    )
    told.append(": ".join(filter(None, (_SHARED[sharing.answer], sharing.because if sharing.answer != "not resolved" else ""))))
    return " ".join(f"{one[:1].upper()}{one[1:]}." for one in told if one)
