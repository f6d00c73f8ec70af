"""From evidence to the two axes of the verdict. Rule-based for now: it uses only what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assay.evidence import Evidence, Measure

Answer = Literal["yes", "no", "not resolved"]
Outcome = Literal["genuine", "fractured", "partial", "imitation", "unlearned"]

LEARNED = 0.95  # seen score below which a network fails on novel combinations for dull reasons
WORKS = 0.90  # share of the seen score that the novel score must reach, with its whole interval
FAILS = 0.50  # share of the seen score that the novel score must stay below, with its whole interval


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The answer to one of the two questions, and what it rests on."""

    answer: Answer
    because: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What all evidence together says.

    **Attributes:**

    - `recombines`: will novel combinations work?
    - `organised`: is each part one reusable thing inside?
    - `possible`: the outcomes that the evidence leaves open.
    - `sentence`: the verdict in plain words.
    """

    recombines: Axis
    organised: Axis
    possible: tuple[Outcome, ...]
    sentence: str

    @property
    def headline(self) -> str:
        """The outcome, the two that are left, or `not resolved`."""
        return " or ".join(self.possible) if len(self.possible) <= 2 else "not resolved"


_LEFT: dict[Answer, dict[Answer, tuple[Outcome, ...]]] = {
    "yes": {"yes": ("genuine",), "no": ("fractured",), "not resolved": ("genuine", "fractured")},
    "no": {"yes": ("partial",), "no": ("imitation",), "not resolved": ("partial", "imitation")},
    "not resolved": {
        "yes": ("genuine", "partial"),
        "no": ("fractured", "imitation"),
        "not resolved": ("genuine", "fractured", "partial", "imitation"),
    },
}


def judge(evidence: Sequence[Evidence]) -> Verdict:
    """The rule-based verdict. What was not measured stays `not resolved`; decodability alone never resolves anything:
    networks that fail on novel combinations decode as well as those that work."""
    by_name = {item.instrument: item for item in evidence}
    organised = Axis(answer="not resolved", because="no instrument that intervenes on the inside of the network was run")
    behaviour = by_name.get("systematicity")
    if behaviour is None or behaviour.not_enough:
        reason = behaviour.not_enough if behaviour else "systematicity was not run"
        recombines = Axis(answer="not resolved", because=reason)
        return Verdict(
            recombines=recombines,
            organised=organised,
            possible=_LEFT["not resolved"]["not resolved"],
            sentence=f"Not resolved: {reason}.",
        )
    seen, novel = behaviour.measure("seen score"), behaviour.measure("novel score")
    if seen.value is not None and seen.interval is not None and seen.interval.high < LEARNED:
        reason = f"the score on trained combinations is {_told(seen)}, below {LEARNED}"
        axis = Axis(answer="not resolved", because=f"unlearned: {reason}")
        sentence = f"Unlearned: {reason}, so nothing can be said about composition."
        return Verdict(recombines=axis, organised=axis, possible=("unlearned",), sentence=sentence)
    recombines = _recombines(seen, novel, {measure.name for measure in behaviour.findings()})
    return Verdict(
        recombines=recombines,
        organised=organised,
        possible=_LEFT[recombines.answer][organised.answer],
        sentence=_sentence(recombines, organised),
    )


def _recombines(seen: Measure, novel: Measure, findings: set[str]) -> Axis:
    if seen.value is None or novel.value is None or novel.interval is None:
        return Axis(answer="not resolved", because=novel.note or seen.note or "not enough data")
    told = f"novel combinations score {_told(novel)}, trained ones {_told(seen)}"
    if novel.interval.low >= WORKS * seen.value:
        if novel.name in findings:
            return Axis(answer="yes", because=told)
        return Axis(answer="not resolved", because=f"{told}, but a null scores as well")
    if novel.interval.high <= FAILS * seen.value:
        return Axis(answer="no", because=told)
    return Axis(answer="not resolved", because=f"{told}: some novel combinations work and others do not")


def _sentence(recombines: Axis, organised: Axis) -> str:
    start = {
        "yes": "This network recombines its parts",
        "no": "This network does not recombine its parts",
        "not resolved": "Whether this network recombines its parts is not resolved",
    }[recombines.answer]
    rest = {
        "yes": "each part is one reusable thing inside",
        "no": "its parts are fractured or entangled inside",
        "not resolved": "whether each part is one reusable thing inside is not resolved",
    }[organised.answer]
    return f"{start}: {recombines.because}; {rest} ({organised.because})."


def _told(measure: Measure) -> str:
    assert measure.value is not None
    interval = f" [{measure.interval.low:.3f}, {measure.interval.high:.3f}]" if measure.interval else ""
    return f"{measure.value:.3f}{interval}"
