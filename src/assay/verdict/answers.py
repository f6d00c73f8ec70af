"""What a verdict is made of: three answers that are never merged, each with the numbers that it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.display import brief, page, words
from assay.evidence import Interval
from assay.instruments.fracture.answer import ContextAnswer

Works = Literal["works", "works in part", "does not work", "not resolved"]
Basis = Literal["measured", "estimated", "nothing"]


NOVEL, COMBINING, SHARING = (
    "Does it work on novel combinations?",
    "Where are the parts combined, and what breaks?",
    "Is each part one thing inside?",
)
QUESTIONS = (NOVEL, COMBINING, SHARING)
"""They are never merged."""


@dataclass(frozen=True, kw_only=True)
class Novel:
    """First answer of a verdict: does the network work on novel combinations?

    **Attributes:**

    - `answer`, `because`: in words, with the numbers.
    - `basis`: `measured` on novel inputs with their labels, or `estimated` from states put together of trained ones.
    - `assumption`: what an estimate takes for granted; empty where it was tested.
    - `value`, `interval`: the share of novel combinations that are right, or its estimate.
    - `combinations`: on how many it rests; `detectable`: the smallest difference that they would have shown four times in
      five, and `more`: how many more would halve it.

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
    """The answer in a few words, an estimate as one."""
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
    """Second answer of a verdict: where are the parts combined, and what breaks?

    **Attributes:**

    - `answer`: what breaks: `the combining`, `the way in`, `nothing found` or `not resolved`.
    - `cut`: at which that was read; `between`: the cuts between which the parts are combined, and `calls` what lies there.
    - `carried`: from which cut on each part can be exchanged, or `not found`.

    Example::

        >>> combining = assay.read_report("report").verdict.combining
        >>> combining.answer, combining.because
        ('not resolved', 'recombination was not run')
    """

    __repr__ = brief

    answer: Literal["the combining", "the way in", "nothing found", "not resolved"] = "not resolved"
    because: str
    cut: str = ""
    between: tuple[str, str] | None = None
    calls: str = ""
    carried: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Third answer of a verdict: is each part one representation that serves all contexts, or copies by context? A network that
    shares some layers or some contexts is neither, and not resolved. `answer` and `because` are in words.

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
    """What all evidence together says.

    **Attributes:**

    - `novel`: the first answer, measured where it was, else estimated; `estimate`: the estimate, where there is one.
    - `combining`, `sharing`: the second and the third answer.
    - `unlearned`: why nothing can be asked, where trained combinations are not answered; `unreliable`: why no number can be
      relied on. Both are empty else.
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
        """The first answer in a few words: an estimate is never told as if it had been measured."""
        if self.unreliable:
            return "no verdict"
        return "unlearned" if self.unlearned else headline_of(self.novel)

    @property
    def judged(self) -> bool:
        """Whether the three questions were asked at all."""
        return not (self.unreliable or self.unlearned)

    def _repr_html_(self) -> str:
        return page(words(self.headline.capitalize(), "b"), words(self.sentence))
