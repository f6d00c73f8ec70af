"""The grammar of SCAN and its interpretation (Lake and Baroni 2018, arXiv 1711.00350), enumerated.

A command is one phrase, or two joined by `and` or `after`. A phrase is a verb, a direction, its manner, and a number of
repetitions. Nine slots therefore determine a command.
"""

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import NamedTuple

NONE = "none"
VERBS = ("walk", "look", "run", "jump")  # `turn` is the verb without an action
MANNERS = (NONE, "opposite", "around")
DIRECTIONS = (NONE, "left", "right")
TIMES = (NONE, "twice", "thrice")
CONJUNCTIONS = (NONE, "and", "after")


class Phrase(NamedTuple):
    """One phrase, such as `jump around left twice`; an empty slot is `none`."""

    verb: str
    manner: str = NONE
    direction: str = NONE
    times: str = NONE

    def actions(self) -> tuple[str, ...]:
        """The actions, in order."""
        turn = (f"I_TURN_{self.direction.upper()}",) if self.direction != NONE else ()
        act = () if self.verb == "turn" else (f"I_{self.verb.upper()}",)
        once = {NONE: turn + act, "opposite": turn + turn + act, "around": (turn + act) * 4}[self.manner]
        return once * (1 + TIMES.index(self.times))


class ScanCommand(NamedTuple):
    """A command by its nine slots, in the order of its words."""

    verb1: str
    manner1: str
    direction1: str
    times1: str
    conjunction: str = NONE
    verb2: str = NONE
    manner2: str = NONE
    direction2: str = NONE
    times2: str = NONE

    def words(self) -> tuple[str, ...]:
        return tuple(slot for slot in self if slot != NONE)

    def phrases(self) -> tuple[Phrase, ...]:
        """The one or two phrases, in the order of the words."""
        return (Phrase(*self[:4]),) if self.conjunction == NONE else (Phrase(*self[:4]), Phrase(*self[5:]))

    def actions(self) -> tuple[str, ...]:
        """The interpretation (Lake and Baroni 2018, supplementary material): `after` reverses the order of the phrases."""
        ordered = self.phrases()[::-1] if self.conjunction == "after" else self.phrases()
        return tuple(action for phrase in ordered for action in phrase.actions())


def phrases() -> Iterator[Phrase]:
    """The grammar's 102 phrases. A manner needs a direction, and so does `turn`."""
    for slots in product((*VERBS, "turn"), MANNERS, DIRECTIONS, TIMES):
        phrase = Phrase(*slots)
        if phrase.direction != NONE or (phrase.manner == NONE and phrase.verb != "turn"):
            yield phrase


@cache
def commands() -> tuple[ScanCommand, ...]:
    """The grammar's 20,910 commands (Lake and Baroni 2018, supplementary material): 102 phrases and 2 x 102 x 102 pairs."""
    single = tuple(phrases())
    pairs = product(single, CONJUNCTIONS[1:], single)
    return (
        *(ScanCommand(*phrase) for phrase in single),
        *(ScanCommand(*first, joint, *second) for first, joint, second in pairs),
    )
