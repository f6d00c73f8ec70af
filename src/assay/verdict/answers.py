"""Data types of the verdict: three separate answers, each with the numbers that it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.display import brief, page, words
from assay.evidence import Interval
from assay.instruments.fracture.answer import ContextAnswer
from assay.instruments.recombination.rules import Breaks

Works = Literal["works", "works in part", "does not work", "not resolved"]
Basis = Literal["measured", "estimated", "nothing"]


NOVEL, COMBINING, SHARING = (
    "Does it work on novel combinations?",
    "Where are the parts combined, and what breaks?",
    "Is each part one thing inside?",
)
QUESTIONS = (NOVEL, COMBINING, SHARING)
"""The questions of a verdict, which are answered separately."""


@dataclass(frozen=True, kw_only=True)
class Novel:
    """Answer to the first question, whether the network works on novel combinations.

    **Attributes:**

    - `answer`; `because`: the reason, with its numbers.
    - `basis`: `measured` on novel inputs with their labels, or `estimated` from additive states composed from trained ones.
    - `assumption`: the untested assumption of an estimate; empty without one.
    - `value`, `interval`: the share of novel combinations answered rightly, or its estimate.
    - `combinations`: their number; `detectable`: the smallest difference that they detect with power .8; `more`: number of
      further ones that would halve it.

    Example::

        >>> novel = assay.read_report("report").verdict.novel
        >>> novel.answer, novel.basis, novel.combinations
        ('not resolved', 'nothing', 0)
    """

    __repr__ = brief

    answer: Works = "not resolved"
    because: str
    basis: Basis = "nothing"
    assumption: str = ""
    value: float | None = None
    interval: Interval | None = None
    combinations: int = 0
    detectable: float | None = None
    more: int = 0


def headline_of(novel: Novel) -> str:
    """The first answer in a few words, worded as an estimate if it is one."""
    if novel.answer == "not resolved":
        return novel.answer
    measured, estimated = _HEADLINES[novel.answer]
    return measured if novel.basis == "measured" else estimated


_HEADLINES: Mapping[Works, tuple[str, str]] = {
    "works": ("works on novel combinations", "expected to work on novel combinations"),
    "works in part": ("works on some novel combinations", "expected to work on some novel combinations"),
    "does not work": ("does not work on novel combinations", "not expected to work on novel combinations"),
}


@dataclass(frozen=True, kw_only=True)
class Combining:
    """Answer to the second question, where the parts are combined and what breaks.

    **Attributes:**

    - `answer`: what breaks: `the combining` (composed states are answered wrongly), `the way in` (novel inputs do not reach
      their composed states), `nothing found` or `not resolved`.
    - `cut`: at which this was read; `between`: the cuts between which the parts are combined; `calls`: the calls between these.
    - `carried`: for every part the first cut at which it can be exchanged, or `not found`.

    Example::

        >>> combining = assay.read_report("report").verdict.combining
        >>> combining.answer, combining.because
        ('not resolved', 'recombination was not run')
    """

    __repr__ = brief

    answer: Breaks = "not resolved"
    because: str
    cut: str = ""
    between: tuple[str, str] | None = None
    calls: str = ""
    carried: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Answer to the third question, whether each part has one representation for all contexts, or copies by context. A network
    that shares only some layers or contexts is neither, and not resolved.

    Example::

        >>> sharing = assay.read_report("report").verdict.sharing
        >>> sharing.answer, sharing.because
        ('not resolved', 'neither recombination nor fracture, which answer it, was run')
    """

    __repr__ = brief

    answer: ContextAnswer = "not resolved"
    because: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Verdict of all evidence.

    **Attributes:**

    - `novel`: the first answer, measured if possible, else estimated; `estimate`: the estimate, if there is one.
    - `combining`, `sharing`: the second and the third answer.
    - `unlearned`: why the network counts as unlearned; `unreliable`: why no number can be relied on. Empty where neither holds.
    - `sentence`: the verdict in plain words.

    Example::

        >>> verdict = assay.read_report("report").verdict
        >>> verdict.judged, verdict.headline
        (True, 'not resolved')
        >>> verdict.novel.answer, verdict.combining.answer, verdict.sharing.answer
        ('not resolved', 'not resolved', 'not resolved')
    """

    __repr__ = brief

    novel: Novel
    estimate: Novel | None
    combining: Combining
    sharing: Sharing
    unlearned: str = ""
    unreliable: str = ""
    sentence: str

    @property
    def headline(self) -> str:
        """The first answer in a few words, worded as an estimate if it was not measured."""
        if self.unreliable:
            return "no verdict"
        return "unlearned" if self.unlearned else headline_of(self.novel)

    @property
    def judged(self) -> bool:
        """Whether the three questions were answered at all."""
        return not (self.unreliable or self.unlearned)

    def _repr_html_(self) -> str:
        return page(words(self.headline.capitalize(), "b"), words(self.sentence))
