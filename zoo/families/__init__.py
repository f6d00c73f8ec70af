"""The families of tasks on which the zoo's networks are made, by name.

| family | input | nuisance | entangled |
| --- | --- | --- | --- |
| `codes` | 48 numbers: two vectors behind a random network | an angle each | yes |
| `sounds` | 40 samples: a low and a high waveform, added | time and polarity of each, noise | yes |
| `pictures` | 16 x 16 or 32 x 32 pixels: two glyphs | place and contrast of each, clutter, noise | yes |
| `scenes` | the same in three channels: shape, colour, place | jitter, contrast, clutter, noise | yes |
| `sentences` | 22 one-hot words: two phrases of five adjectives | which of two opposites, behind *very* or *not*; voice | yes |
| `hyperteachers` | 50 questions to a teacher of two active modules, and its answers | questions, how active each is | yes |
| `strokes` | 16 points of two closed curves | where and which way the pen starts | sealed |
| `phrases` | 10 one-hot words: two nouns | places, other words | no: behavioural |

Entangled means that a network answers an additive input (the mean plus the effects of the parts) at most at chance + .1 on
held-out trained combinations. It follows where nuisance makes all symbols alike on average; it is measured for every network
(`zoo.checks`). Every family answers by one of `zoo.rules`, under which novel combinations lie outside 1-coverage.
"""

from collections.abc import Mapping
from typing import Any, cast

from assay.errors import AssayError
from zoo.families.codes import Codes
from zoo.families.hyperteachers import Hyperteachers
from zoo.families.phrases import Phrases
from zoo.families.pictures import Pictures
from zoo.families.scenes import GlyphScenes
from zoo.families.sentences import SymbolSentences
from zoo.families.sounds import Sounds
from zoo.families.strokes import Strokes
from zoo.families.symbols import SymbolTask as SymbolTask

FAMILIES: Mapping[str, type[SymbolTask]] = {
    one.family: one for one in (Codes, Hyperteachers, Phrases, Pictures, GlyphScenes, SymbolSentences, Sounds, Strokes)
}
SEALED = ("strokes",)
"""Families that are built, and not looked at while anything is tuned."""


def task_of(family: str, **options: str | int | float) -> SymbolTask:
    """A task. **Raises:** `AssayError` for an unknown family or option."""
    if family not in FAMILIES:
        raise AssayError("the zoo has no such family", given=family, choices=tuple(FAMILIES))
    try:
        return FAMILIES[family](**cast(dict[str, Any], options))
    except TypeError as error:
        raise AssayError(f"{family} has no such option", given=str(error)) from error
