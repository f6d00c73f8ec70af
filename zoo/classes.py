"""Which networks count for which figure, decided by what a network does and how it was made: what was measured inside it plays
no part, but for E where a figure is about networks with a working way in.

Counted are networks that learned their trained combinations and whose input is entangled: of no family in which the parts stand
side by side, and measured to be so on the network itself. Of networks with one and the same
function one is counted: ensembles, refactors and twins have figures of their own, and wrong declarations are told apart.
"""

from zoo.figures import Which
from zoo.measure import E, Measured

SAME_FUNCTION = ("ensemble", "refactor", "twin", "misdeclared")
NATURAL = ("composer", "imitator", "partial")
CONTRADICTED = ("way in", "combining")
PLANTED = {"way-in": "the way in", "retaught": "the way in", "combining": "the combining"}
WORKS, HALF = 0.9, 0.5
PARTIAL = (0.1, 0.95)


def learned(row: Measured) -> bool:
    """Right on trained combinations, with enough novel ones to say what it does."""
    return row.truth.label not in ("not learned", "not enough data") and not row.failed


def entangled(row: Measured) -> bool:
    """Whether its parts must be read before they can be combined."""
    return row.truth.entangled and not row.truth.behavioural


def counted(row: Measured) -> bool:
    """Learned, of an entangled input, and the first of its function."""
    return learned(row) and entangled(row) and row.truth.kind not in SAME_FUNCTION


def natural(row: Measured) -> bool:
    """Whatever nobody taught a wrong answer."""
    return counted(row) and row.truth.meant in NATURAL


def composer(row: Measured) -> bool:
    """A natural network whose novel score has a lower bound of at least .9."""
    return natural(row) and row.truth.label == "composes"


def imitator(row: Measured) -> bool:
    """A natural network whose novel score has an upper bound below .5."""
    return natural(row) and row.truth.label == "imitates"


def made_as(meant: str, which: Which) -> Which:
    """Those of a class that were also meant to be what they are."""
    return lambda row: which(row) and row.truth.meant == meant


def broken(row: Measured) -> bool:
    """Contradicted or attacked, and certainly not working: the upper bound of the novel score is below .9."""
    return counted(row) and row.truth.meant in (*CONTRADICTED, "attack") and row.truth.outside.high < WORKS


def wrong_in_places(row: Measured) -> bool:
    """Contradicted on the way in or attacked on any share of the novel combinations, down to 5 %."""
    return counted(row) and row.truth.kind in ("way-in", "retaught", "front", "interchange")


def contradicted(row: Measured) -> bool:
    """Taught wrongly, and right on less than half of the novel combinations."""
    return counted(row) and row.truth.meant in CONTRADICTED and row.truth.outside.share < HALF


def attack(row: Measured) -> bool:
    """Made to deceive, and right on less than half of the novel combinations."""
    return counted(row) and row.truth.meant == "attack" and row.truth.outside.share < HALF


def between(row: Measured) -> bool:
    """A novel score of .5 to .9, however it came about."""
    return counted(row) and HALF <= row.truth.outside.share <= WORKS


def partial_with_a_way_in(row: Measured) -> bool:
    """A novel score of .1 to .95, and novel inputs that are answered as their states (E at least .9)."""
    low, high = PARTIAL
    same = row.at_headline(E)
    return counted(row) and low < row.truth.outside.share < high and same is not None and same >= WORKS


def planted(row: Measured) -> bool:
    """A fault in one place, with an effect: see `zoo.score.where_broken`."""
    return counted(row) and row.truth.kind in PLANTED and row.truth.outside.high < WORKS


def kind_of(row: Measured) -> str:
    """As what it was made, and what it does, for the rates by kind."""
    return f"{row.truth.meant} ({row.truth.kind}): {row.truth.label}"
