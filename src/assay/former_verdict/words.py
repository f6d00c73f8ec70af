"""What a verdict is made of: two axes, what each rests on, and the outcomes that they leave open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.calibration.combiner import Call
from assay.display import brief, page, words
from assay.evidence import Interval

Answer = Literal["yes", "no", "not resolved"]
Outcome = Literal["genuine", "fractured", "partial", "imitation", "unlearned"]

OPEN: dict[Answer, dict[Answer, tuple[Outcome, ...]]] = {
    "yes": {"yes": ("genuine",), "no": ("fractured",), "not resolved": ("genuine", "fractured")},
    "no": {"yes": ("partial",), "no": ("imitation",), "not resolved": ("partial", "imitation")},
    "not resolved": {
        "yes": ("genuine", "partial"),
        "no": ("fractured", "imitation"),
        "not resolved": ("genuine", "fractured", "partial", "imitation"),
    },
}
"""Outcomes that are left, by the answers on recombination and on organisation."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The answer to one of the questions, and what it rests on. `tested`: whether anything was measured that could answer."""

    __repr__ = brief

    answer: Answer
    because: str
    tested: bool = True


@dataclass(frozen=True, kw_only=True)
class Inside(Axis):
    """What is said from the inside alone: weights, trained inputs and the declaration.

    **Attributes:**

    - `call`: of the calibration, when it is stable; the answer is no more than it, and less where parts are missing.
    - `probability`: that the network composes, at even odds; None where none can be given.
    - `interval`: of the probability, and `stability` the share of resamples with the same call, both when what was measured
      is drawn again.
    - `features`: the effects that it was judged by; None is missing.
    - `error_rates`: in words, how often such calls are wrong where the answer is known; empty without a calibration.
    """

    __repr__ = brief

    call: Call = "abstains"
    probability: float | None = None
    interval: Interval | None = None
    stability: float | None = None
    features: Mapping[str, float | None] = field(default_factory=dict)
    error_rates: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What all evidence together says.

    **Attributes:**

    - `recombines`: will novel combinations work? As measured where that is resolved, else from the inside.
    - `organised`: is the function written tidily inside, or fractured?
    - `inside`: the first answer from trained inputs alone (access level 0).
    - `measured`: the first answer from novel combinations that were tested (access level 2).
    - `missing_parts`: the parts whose exchange inside does not give the declared output.
    - `possible`: the outcomes that the evidence leaves open. Where no part that could be asked is there, it is no `partial`.
    - `sentence`: the verdict in plain words.
    """

    __repr__ = brief

    recombines: Axis
    organised: Axis
    inside: Inside
    measured: Axis
    missing_parts: tuple[str, ...]
    possible: tuple[Outcome, ...]
    sentence: str

    @property
    def headline(self) -> str:
        """The outcome; where the first question alone is answered, the two outcomes that measured organisation leaves, or that
        answer in words where organisation was not measured; else `not resolved`."""
        if len(self.possible) == 1:
            return self.possible[0]
        if self.recombines.answer == "not resolved":
            return "not resolved"
        if self.organised.tested:
            return " or ".join(self.possible)
        return "recombines" if self.recombines.answer == "yes" else "does not recombine"

    def _repr_html_(self) -> str:
        return page(words(self.headline.capitalize(), "b"), words(self.sentence))
