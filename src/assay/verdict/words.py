"""Text of the three answers, for the sentence, the report and the terminal."""

from collections.abc import Mapping
from typing import NamedTuple

from assay.display import number
from assay.instruments.fracture.answer import ALIKE, COPIES, ENTERS, ONE
from assay.instruments.recombination.rules import cut_named
from assay.verdict.answers import COMBINING, NOVEL, SHARING, Combining, Novel, Sharing, Verdict, headline_of
from assay.verdict.numbers import ABOVE_NULL, WORKS

UNSEEN = "No estimate from trained inputs can detect intercepted inputs, or wrong answers taught on novel inputs only."
_BREAKS: Mapping[str, str] = {
    "the combining": "what breaks is the combining",
    "the way in": "what breaks is the way in",
    "nothing found": "nothing was found to break",
    "not resolved": "whether anything breaks is not resolved",
}


_SHARED: Mapping[str, str] = {
    "one shared thing": "inside, one shared representation serves all contexts",
    "copies by context": "inside, there are copies by context",
    "not resolved": "whether each part is one thing inside is not resolved",
}


RULES: Mapping[str, str] = {
    NOVEL: f"It works if the whole interval lies above the best null and at or above {WORKS:g} times the score on trained "
    f"combinations (for an estimate, at or above {WORKS:g}). It does not work if the whole interval ends at most "
    f"{ABOVE_NULL:g} above the best null. It works on some if the whole interval lies above the best null and "
    f"below {WORKS:g} times that score (for an estimate, below {WORKS:g}). Anything else is not resolved.",
    COMBINING: "The composed state of a combination is the mean state plus the effects of its parts, estimated on trained "
    "inputs; it replaces the state of an input. Two shares of novel combinations decide: C, on which the composed state is "
    f"answered right, and E, on which the input is answered like it. The combining breaks if C is below {WORKS:g}. The way in "
    f"breaks if E is below {WORKS:g} and below C. Nothing breaks if both are at least {WORKS:g}. Each must hold for the whole "
    "interval, else the answer is not resolved.",
    SHARING: "There are copies by context if the effect of a part, estimated beside one value of another part, gives the "
    f"right answer beside that value ({WORKS:g} or more) and not beside others. Where the responses of all weights are "
    f"measured, the orbits count (sets of examples that differ in the context alone). There is one shared thing if more than "
    f"{ONE:g} of them respond as one and all cosines are above {ALIKE:g} ({ENTERS:g} for inputs of layers); copies if fewer "
    f"than {COPIES:g} do and all are below {ALIKE:g}. Each must hold for the whole interval, else the answer is not resolved.",
}
"""The rule of each answer in brief; docs/methods/verdict.md has the full rules."""


class Answered(NamedTuple):
    """One question with its answer and reason, and text to show before and after it."""

    question: str
    answer: str
    because: str
    resolved: bool
    before: str = ""
    after: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """The rule by which the answer was given."""
        return RULES[self.question]


def answered(verdict: Verdict) -> tuple[Answered, ...]:
    """The three questions with their answers; empty where the network is unlearned or the numbers are unreliable.

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
        f'part "{part}" can'
        + ("not be exchanged alone" if cut == "not found" else f" be exchanged alone from {cut_named(cut)} on")
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
            after=(*([f"operations between the two cuts: {combining.calls}"] if combining.calls else []), *carried),
        ),
        Answered(SHARING, sharing.answer, sharing.because, sharing.answer != "not resolved"),
    )


def next_step(verdict: Verdict) -> str:
    """What to do next, by the answer that says most about it; in at most 15 words."""
    novel = verdict.novel
    if verdict.unreliable:
        return "make its outputs repeatable, then audit again"
    if verdict.unlearned:
        return "train it until it answers trained combinations, then audit again"
    if verdict.combining.answer == "the combining":
        return "click a point of C in the curves to see which combinations fail inside"
    if verdict.combining.answer == "the way in":
        return "click a point of E in the curves to see which inputs miss composed states"
    if novel.answer == "not resolved":
        more = f"test {novel.more:,} more novel combinations, which halves the smallest difference that would be seen"
        return more if novel.more else "see What was not tested for what is missing"
    if novel.basis == "estimated":
        return "audit at level 2, with the right answers to novel inputs, to measure it"
    return "see What was not tested" if novel.value == 1 else "open the novel score for the combinations that fail"


def assumption(novel: Novel) -> str:
    """Sentence on the assumption of an estimate."""
    return f"this assumes {novel.assumption}" if novel.assumption else ""


def power(novel: Novel) -> str:
    """Sentence on the smallest detectable share of failures where all combinations agree, else on the smallest difference."""
    agree = novel.more == novel.combinations
    if novel.detectable is None or (agree and not novel.value):
        return ""
    size, of = number(novel.detectable), "" if novel.basis == "measured" else "the composed states of "
    told = f"{size} from a fixed value, such as the best null, would be detected with power .8 on these {novel.combinations}"
    if agree:
        told = f"{size} of {of}all novel combinations would show at least once on these {novel.combinations} with power .8"
    return f"a {'failure on a share' if agree else 'difference'} of {told}; {novel.more} more would halve that"


def beside(novel: Novel, estimate: Novel | None) -> str:
    """Sentence on the estimate where novel combinations were measured."""
    if novel.basis != "measured" or estimate is None or estimate.basis != "estimated":
        return ""
    return f"estimated from inside alone, it would be {headline_of(estimate)}: {estimate.because}"


def broken(combining: Combining) -> str:
    """Phrase for what breaks."""
    return _BREAKS[combining.answer]


def where(combining: Combining) -> str:
    """Phrase for where the parts are combined."""
    if combining.between is None:
        return "where the parts are combined is not resolved"
    return f"the parts are combined between {' and '.join(map(cut_named, combining.between))}"


def sentence(novel: Novel, estimate: Novel | None, combining: Combining, sharing: Sharing) -> str:
    """The verdict's sentences: the three answers in order."""
    first = "whether this network works on novel combinations is not resolved"
    if novel.answer != "not resolved":
        first = f"this network {'' if novel.basis == 'measured' else 'is '}{headline_of(novel)}"
    sentences = [": ".join(filter(None, (first, novel.because)))]
    sentences[0] = "; ".join(filter(None, (sentences[0], assumption(novel))))
    sentences += [power(novel), UNSEEN.rstrip(".") if novel.assumption else "", beside(novel, estimate)]
    sentences.append(
        f"{where(combining)}{f' ({combining.calls})' if combining.calls else ''}; {broken(combining)}: {combining.because}"
    )
    sentences.append(
        ": ".join(filter(None, (_SHARED[sharing.answer], sharing.because if sharing.answer != "not resolved" else "")))
    )
    return " ".join(f"{one[:1].upper()}{one[1:]}." for one in sentences if one)
