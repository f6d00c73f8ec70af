"""How often each rule gives each answer, by access level and by what networks are, and which of the answers are wrong.

Two rules are compared at levels 0 and 1: the fixed one of `assay.verdict` and the conformal one of `zoo.conformal`, whose
thresholds come from the other families. Nothing is fitted for the fixed rule, so that its rates are those of any family left
out. Level 2 is measured on novel inputs and has the fixed rule alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from assay.verdict.rates import Calls, Figure
from zoo.classes import attack, between, broken, composer, contradicted, counted, entangled, imitator, kind_of, learned
from zoo.conformal import answers_left_out
from zoo.figures import Rows, Which, share_of
from zoo.measure import Measured

ANSWERS = ("works", "works in part", "does not work", "not resolved")
FIXED, CONFORMAL = "fixed", "conformal"
WRONG: Mapping[str, tuple[Which, tuple[str, ...]]] = {
    "composers": (composer, ("does not work",)),
    "natural imitators": (imitator, ("works",)),
    "novel score .5 to .9": (between, ("works",)),
    "contradicted, novel score below .5": (contradicted, ("works",)),
    "attacks, novel score below .5": (attack, ("works",)),
    "contradicted or attacked, not working": (broken, ("works",)),
}
"""Classes, and the answers that are wrong of them."""


def answers_of(rows: Rows) -> dict[tuple[str, int], dict[str, str]]:
    """Answers by rule and level, each by the name of the network."""
    found: dict[tuple[str, int], dict[str, str]] = {}
    for level in (0, 1, 2):
        found[FIXED, level] = {row.name: row.verdicts[level].novel for row in rows}
    judged = [row for row in rows if counted(row)]
    for level in (0, 1):
        found[CONFORMAL, level] = answers_left_out(judged, level)
    return found


def calls(rows: Rows) -> tuple[Calls, ...]:
    """Rates for every class by every rule at every level, then of the fixed rule for everything by how it was made."""
    given = answers_of(rows)
    told = [
        _calls(rule, level, kind, [row for row in rows if which(row)], answers, wrong)
        for (rule, level), answers in given.items()
        for kind, (which, wrong) in WRONG.items()
    ]
    kinds: dict[str, list[Measured]] = {}
    for row in rows:
        if learned(row) and (entangled(row) or row.truth.kind == "misdeclared"):
            kinds.setdefault(kind_of(row), []).append(row)
    for level in (0, 1, 2):
        for kind, some in sorted(kinds.items()):
            told.append(_calls(FIXED, level, kind, some, given[FIXED, level], ()))
    return tuple(told)


def _calls(rule: str, level: int, kind: str, rows: Rows, answers: Mapping[str, str], wrong: Sequence[str]) -> Calls:
    counts = Counter(answers[row.name] for row in rows)
    return Calls(
        rule=rule,
        level=level,
        kind=kind,
        answers={answer: counts[answer] for answer in ANSWERS if counts[answer]},
        wrong=share_of(rows, lambda row: answers[row.name] in wrong) if wrong else None,
    )


def share_judged(rows: Rows, answers: Mapping[str, str], which: Which) -> Figure:
    """The share of networks with an answer."""
    return share_of([row for row in rows if which(row)], lambda row: answers[row.name] != "not resolved")
