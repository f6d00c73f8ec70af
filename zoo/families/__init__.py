"""The families of tasks on which the zoo's networks are made, by name."""

from collections.abc import Mapping
from typing import Any, cast

from assay.errors import AssayError
from zoo.families.codes import Codes
from zoo.families.phrases import Phrases
from zoo.families.pictures import Pictures
from zoo.families.scenes import Scenes
from zoo.families.sentences import Sentences
from zoo.families.sounds import Sounds
from zoo.families.strokes import Strokes
from zoo.families.symbols import SymbolTask as SymbolTask

FAMILIES: Mapping[str, type[SymbolTask]] = {
    one.family: one for one in (Codes, Phrases, Pictures, Scenes, Sentences, Sounds, Strokes)
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
