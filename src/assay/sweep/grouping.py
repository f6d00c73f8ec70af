"""Grouping of cells that are trained together: cells of one shape, in groups of efficient size, the longest groups first."""

from collections.abc import Mapping, Sequence

from assay.sweep.cell_group import GroupMember
from assay.sweep.shape import CellShape

MOST_TOGETHER = 16
SMALL = 60e6  # most floating-point operations of one training step of a group


def grouped(members: Sequence[GroupMember], shapes: Mapping[str, CellShape]) -> list[tuple[GroupMember, ...]]:
    """Members grouped by shape; the groups that take longest come first, so that processes end at about the same time.

    The result depends on the arguments only, not on the machine or on finished cells.
    """
    by_shape: dict[CellShape, list[GroupMember]] = {}
    for member in members:
        by_shape.setdefault(shapes[member.name], []).append(member)
    groups = [
        (shape.flops * shape.steps * len(chunk), tuple(chunk))
        for shape, alike in by_shape.items()
        for chunk in _cut(alike, MOST_TOGETHER if shape.flops <= SMALL else 1)
    ]
    return [group for _, group in sorted(groups, key=lambda sized: -sized[0])]


def _cut(members: Sequence[GroupMember], size: int) -> list[Sequence[GroupMember]]:
    return [members[start : start + size] for start in range(0, len(members), size)]
