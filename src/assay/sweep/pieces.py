"""Which cells are trained together: those of one shape, as many as pay, the longest pieces first."""

from collections.abc import Mapping, Sequence

from assay.sweep.piece import PieceMember
from assay.sweep.shape import CellShape

MOST_TOGETHER = 16
SMALL = 60e6  # floating-point operations of one training step, up to which models share a piece


def grouped(members: Sequence[PieceMember], shapes: Mapping[str, CellShape]) -> list[tuple[PieceMember, ...]]:
    """Members by shape, cut into pieces; the pieces that take longest come first, so that the processes end together.

    Depends on nothing but its arguments: not on the machine, nor on what is finished.
    """
    by_shape: dict[CellShape, list[PieceMember]] = {}
    for member in members:
        by_shape.setdefault(shapes[member.name], []).append(member)
    pieces = [
        (shape.flops * shape.steps * len(chunk), tuple(chunk))
        for shape, alike in by_shape.items()
        for chunk in _cut(alike, MOST_TOGETHER if shape.flops <= SMALL else 1)
    ]
    return [piece for _, piece in sorted(pieces, key=lambda sized: -sized[0])]


def _cut(members: Sequence[PieceMember], size: int) -> list[Sequence[PieceMember]]:
    return [members[start : start + size] for start in range(0, len(members), size)]
