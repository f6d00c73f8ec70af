"""The rows behind the numbers."""

from collections.abc import Mapping, Sequence

from assay.evidence import Table
from assay.instruments.subnetworks.controls import Together
from assay.instruments.subnetworks.deciding import Decision, PartFound
from assay.instruments.subnetworks.trail import Point, Trail

Row = tuple[str | float | int | None, ...]


def tables_of(
    found: Sequence[PartFound], decisions: Mapping[str, Decision], joined: Together | None, overfits: Sequence[float]
) -> tuple[Table, ...]:
    """Every table; `overfits`: the best accuracy of a mask on each nonsense."""
    tables = [_decisions(decisions), _curves(found), _removals(found), _contexts(found), _stability(found)]
    if joined is not None:
        tables.append(_together(joined))
    rows = tuple((seed, accuracy) for seed, accuracy in enumerate(overfits))
    tables.append(
        Table(
            name="Masks for nonsense",
            columns=("hash", "accuracy on it"),
            rows=rows,
            note="Fresh problems that a hash decides. A mask that solves them was fitted to the problems, not found inside.",
            level=2,
        )
    )
    return tuple(tables)


def _decisions(decisions: Mapping[str, Decision]) -> Table:
    rows = tuple((part, decision.word, decision.reason) for part, decision in decisions.items())
    return Table(name="Decisions", columns=("part", "is", "because"), rows=rows, level=2)


def _curves(found: Sequence[PartFound]) -> Table:
    rows: list[Row] = []
    for one in found:
        named = [(f"this, seed {seed}", trail) for seed, trail in enumerate(one.trails)]
        named += [("this, rotated", one.turned)] if one.turned is not None else []
        named += [(f"untrained {number}", trail) for number, trail in enumerate(one.fresh)]
        for name, trail in named:
            rows += [(one.part, name, *_point(point, trail)) for point in trail.points]
    return Table(
        name="Size of the mask against what it does",
        columns=(
            "part",
            "network",
            "price",
            "kept",
            "solves own",
            "alone, own",
            "alone, other",
            "without, own",
            "without, other",
            "necessity",
            "stands for the part",
        ),
        rows=tuple(rows),
        note="Price: of keeping every weight. Kept: share of the weights that are not zero. Solves own: problems of the pool "
        "that trained the mask, the other part random. All others: problems of the test pool in which one part is broken.",
        level=2,
    )


def _point(point: Point, trail: Trail) -> Row:
    marks = [word for word, mark in (("chosen", trail.chosen), ("smallest", trail.smallest)) if mark is point]
    alone, without = point.alone, point.without
    return (
        point.price,
        point.density,
        point.accuracy,
        alone.own.raw,
        alone.other.raw,
        without.own.raw,
        without.other.raw,
        without.removed,
        " and ".join(marks) or point.degenerate,
    )


def _removals(found: Sequence[PartFound]) -> Table:
    rows: list[Row] = []
    for one in found:
        for removed in one.removals:
            effects, num = removed.effects, len(removed.effects)
            own, other = (sum(getattr(effect, side).raw for effect in effects) / num for side in ("own", "other"))
            rows.append((one.part, removed.how, num, own, other, removed.difference))
        if one.random:
            num = len(one.random)
            own, other = (sum(getattr(effect, side).raw for effect in one.random) / num for side in ("own", "other"))
            rows.append((one.part, "random weights of as many in every layer, to zero", num, own, other, other - own))
    return Table(
        name="The part taken out",
        columns=("part", "replaced by", "draws", "own", "other", "difference"),
        rows=tuple(rows),
        note="Accuracy on either part's problems. Differences are of accuracies not less than chance, but for random weights.",
        level=2,
    )


def _contexts(found: Sequence[PartFound]) -> Table:
    rows = tuple((one.part, name, accuracy) for one in found for name, accuracy in one.reuse.items())
    return Table(
        name="The part's mask alone, in other contexts",
        columns=("part", "problems", "accuracy"),
        rows=rows,
        note="One subnetwork that serves its part everywhere and nothing else solves the first two, a half of the third, and "
        "is at chance on the last two.",
        level=2,
    )


def _stability(found: Sequence[PartFound]) -> Table:
    rows = tuple((one.part, own, random) for one in found for own, random in one.stability)
    return Table(
        name="Masks of the same part under two seeds",
        columns=("part", "overlap", "expected by chance"),
        rows=rows,
        note="Intersection over union of the weights kept. Expected: of random masks with as many in every layer.",
        level=2,
    )


def _together(joined: Together) -> Table:
    return Table(
        name="Both parts' masks together",
        columns=("what", "value", "compare"),
        rows=(
            ("accuracy on problems that both decide, with the two masks alone", joined.kept, 1.0),
            ("the same without the two masks", joined.removed, joined.chance),
            ("overlap of the two masks", joined.overlap, joined.expected),
        ),
        note="Compare: a perfect score, chance, and the overlap of random masks with as many weights in every layer.",
        level=2,
    )
