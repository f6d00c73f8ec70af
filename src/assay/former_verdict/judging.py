"""`judge(evidence)`: the gates, the inside, what was measured, and one sentence from them."""

from collections.abc import Sequence

from assay.evidence import Evidence
from assay.former_verdict import calibration as calibrations
from assay.former_verdict.behaviour import Behaviour, behaviour, measured_unlearned
from assay.former_verdict.calibration import Calibration
from assay.former_verdict.features import asked_parts, missing_parts
from assay.former_verdict.inside import inside, organised
from assay.former_verdict.words import OPEN, Axis, Inside, Outcome, Verdict


def judge(
    evidence: Sequence[Evidence],
    *,
    unreliable: str = "",
    unlearned: str = "",
    hint: str = "",
    calibration: Calibration | None = None,
) -> Verdict:
    """The verdict of all evidence.

    Where the numbers cannot be relied on there is none. A network that fails on trained combinations is unlearned, and nothing
    else is asked. Else it is judged from the inside by a calibration on networks with a known answer, and by what novel
    combinations did where they were tested. Where both give an answer and disagree, neither holds.

    **Arguments:**

    - `unreliable`: why no number can be relied on, such as `Integrity.failure`; empty where all can.
    - `unlearned`: why the network is unlearned where the evidence does not say it; `hint`: what may be the cause.
    - `calibration`: the shipped one by default.
    """
    calibration = calibrations.shipped() if calibration is None else calibration
    if unreliable:
        because = f"the integrity check failed: {unreliable}"
        return _not_judged(because, OPEN["not resolved"]["not resolved"], f"No verdict, since {because}.")
    if reason := measured_unlearned(evidence) or unlearned:
        sentence = f"Unlearned: {reason}, so nothing can be said about composition."
        return _not_judged(f"unlearned: {reason}", ("unlearned",), f"{sentence} {hint}." if hint else sentence)
    within, measured, tidy = inside(evidence, calibration), behaviour(evidence), organised(evidence, calibration)
    recombines, missing = _recombines(within, measured), missing_parts(evidence)
    possible = OPEN[recombines.answer][tidy.answer]
    if missing and within.call == "composes" and recombines.answer != "yes":
        possible = ("partial",)  # some parts are exchanged as declared, and it is known which are not
    elif missing and missing == asked_parts(evidence) and recombines.answer == "no":
        possible = ("imitation",)  # however tidily it is written, none of its parts is there
    return Verdict(
        recombines=recombines,
        organised=tidy,
        inside=within,
        measured=measured.axis,
        missing_parts=missing,
        possible=possible,
        sentence=_sentence(recombines, tidy, within, measured, missing, possible),
    )


def _not_judged(because: str, possible: tuple[Outcome, ...], sentence: str) -> Verdict:
    axis = Axis(answer="not resolved", because=because, tested=False)
    return Verdict(
        recombines=axis,
        organised=axis,
        inside=Inside(answer="not resolved", because=because, tested=False),
        measured=axis,
        missing_parts=(),
        possible=possible,
        sentence=sentence,
    )


def _recombines(within: Inside, measured: Behaviour) -> Axis:
    """What was measured, where that is an answer; else the inside, unless what was measured rules its answer out."""
    axis = measured.axis
    if within.answer == "not resolved":
        if axis.answer != "not resolved":
            return axis
        return Axis(answer="not resolved", because=_both(within, axis), tested=axis.tested or within.tested)
    if within.answer not in measured.allows:
        says = {"yes": "that they should work", "no": "that they should not"}[within.answer]
        because = f"disputed: {axis.because}, but its inside says {says} ({within.because})"
        return Axis(answer="not resolved", because=because)
    return axis if axis.answer != "not resolved" else Axis(answer=within.answer, because=within.because)


def _both(within: Inside, axis: Axis) -> str:
    """Why neither gave an answer, each reason once."""
    return "; ".join(dict.fromkeys((axis.because, within.because)))


def _sentence(
    recombines: Axis, tidy: Axis, within: Inside, measured: Behaviour, missing: Sequence[str], possible: tuple[Outcome, ...]
) -> str:
    start = {
        "yes": "This network recombines its parts",
        "no": "This network does not recombine its parts",
        "not resolved": "Whether this network recombines its parts is not resolved",
    }[recombines.answer]
    if possible == ("partial",) and recombines.answer == "not resolved":
        start = "This network recombines only some of its parts"
    told = [f"{start}: {recombines.because}"]
    if measured.axis.because not in recombines.because:
        told.append(measured.axis.because)
    if missing and within.call != "composes":
        told.append(f"exchanging {', '.join(missing)} inside does not give the declared output")
    rest = {
        "yes": "its function is written tidily into its units",
        "no": "its function is fractured inside: units repeat or cancel each other, or are out of scale",
        "not resolved": f"whether its function is written tidily inside is not resolved ({tidy.because})",
    }[tidy.answer]
    return f"{'; '.join([*told, rest])}."
