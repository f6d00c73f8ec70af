"""Grouping of measures: single ones, and families of one key on many objects."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from assay.evidence import Measure

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)
MIN_FAMILY = 3  # fewest measures of one key that form a family
MAX_GROUPS = 12  # with more groups than this a family is not split, to avoid many tiny figures


@dataclass(frozen=True)
class MeasureFamily:
    """A family: measures of one key and unit.

    **Attributes:**

    - `title`, `subtitle`: the name, and in what its members differ and agree.
    - `rows`: a distinguishing label and the measure, for each member.
    """

    title: str
    subtitle: str
    rows: tuple[tuple[str, Measure], ...]

    @property
    def measures(self) -> tuple[Measure, ...]:
        return tuple(measure for _, measure in self.rows)

    @property
    def key_and_unit(self) -> tuple[str, str]:
        return self.measures[0].key, self.measures[0].unit


def singles_and_families(measures: Sequence[Measure]) -> tuple[list[Measure], list[MeasureFamily]]:
    """Single measures in their order, and families, those with headlines first. Every measure is in one of them."""
    alone: set[int] = set()
    families: list[MeasureFamily] = []
    for (_, keys, _), members in grouped(
        range(len(measures)), lambda k: (measures[k].key, tuple(measures[k].about), measures[k].unit)
    ).items():
        if not keys or len(members) < MIN_FAMILY:
            alone.update(members)
        else:
            families += _families([measures[k] for k in members], keys)
    families.sort(key=lambda family: not any(measure.headline for measure in family.measures))
    return [measures[k] for k in sorted(alone)], families


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by key, both in order of appearance."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _families(members: list[Measure], keys: Sequence[str]) -> list[MeasureFamily]:
    """One family, or one for every value of the first key in which its members differ."""
    differing = [key for key in keys if len({measure.about[key] for measure in members}) > 1] or list(keys)
    common = [f"{key} {members[0].about[key]}" for key in keys if key not in differing]
    first, *rest = differing
    groups = grouped(members, lambda measure: measure.about[first])
    if not rest or len(groups) == len(members) or len(groups) > MAX_GROUPS:
        return [_family(members, [], differing, common)]
    return [_family(group, [f"{first} {value}"], rest, common) for value, group in groups.items()]


def _family(members: list[Measure], of: list[str], differing: Sequence[str], common: list[str]) -> MeasureFamily:
    by = f"by {' and '.join(differing)}"
    title = members[0].name
    labels = [*of, *([] if title.endswith(by) else [by]), *common]
    return MeasureFamily(title, ", ".join(labels), tuple((_row_label(measure, differing), measure) for measure in members))


def _row_label(measure: Measure, differing: Sequence[str]) -> str:
    """Distinguishing label of a row; a short value such as `3` is preceded by its key."""
    labels = [(key, measure.about[key]) for key in differing]
    return ", ".join(value if len(value) > 3 else f"{key} {value}" for key, value in labels)
