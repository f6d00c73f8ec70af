"""The numbers of one part, each beside its nulls."""

from collections.abc import Sequence

from assay.evidence import Measure, Null
from assay.instruments.subnetworks.deciding import PartFound, Pick, What, by_promise, by_size, necessity, sufficiency

_UNIT = "difference of accuracies above untrained"


def measures_of(found: PartFound) -> list[Measure]:
    """Necessity and sufficiency of the mask that was chosen, and of the smallest; all above untrained networks.

    Where no mask isolates the part they hold no number, and say why.
    """
    return [
        _measure(found, "necessity", "necessity", necessity, by_promise, headline=True),
        _measure(found, "necessity_smallest", "necessity at the smallest mask", necessity, by_size),
        _measure(found, "sufficiency", "sufficiency", sufficiency, by_promise),
        _measure(found, "sufficiency_smallest", "sufficiency at the smallest mask", sufficiency, by_size),
    ]


def _measure(found: PartFound, key: str, name: str, what: What, pick: Pick, *, headline: bool = False) -> Measure:
    point = found.chosen
    about = {"part": found.part}
    if point is None:
        return Measure(
            key=key,
            name=name,
            value=None,
            unit=_UNIT,
            direction="higher",
            interval=None,
            nulls=(),
            units=0,
            unit_of="combination",
            about=about,
            headline=headline,
            note=f"no isolable part: {found.trails[0].flaw}",
            level=2,
        )
    gain, copies = found.gain(what, pick), found.untrained(what, pick)
    level = sum(copies) / len(copies)
    nulls = [
        Null(
            name="untrained copies",
            how=f"{len(copies)} networks of the same architecture with fresh weights, each with the same search, path and "
            "choice; every one above the mean of the others",
            values=tuple(_above_others(copies)),
            p=gain.p,
        )
    ]
    if headline:
        nulls += [
            Null(
                name="random masks",
                how=f"{len(found.random)} draws of as many living weights of every layer, taken out; p: share at least as far",
                values=tuple(value - level for value in found.random_necessity),
                p=found.random_p,
            ),
            Null(
                name="masks for nonsense",
                how="masks of the same network for problems that a hash decides, the one of every path that promises most",
                values=tuple(value - level for value in found.nonsense_necessity),
                p=found.nonsense_p,
            ),
        ]
    raws = [picked.without.raw if what is necessity else picked.alone.raw for trail in found.trails if (picked := pick(trail))]
    raw = sum(raws) / len(raws) * (-1 if what is necessity else 1)
    side = point.without if what is necessity else point.alone
    return Measure(
        key=key,
        name=name,
        value=gain.gain,
        unit=_UNIT,
        direction="higher",
        interval=gain.interval,
        nulls=tuple(nulls),
        units=len(side.own.units) + len(side.other.units),
        unit_of="combination",
        about=about,
        headline=headline,
        note=f"{found.value(what, pick):+.2f} on the network ({raw:+.2f} without the floor at chance), {level:+.2f} on "
        f"untrained ones; the mean over {len(found.trails)} seeds of the search",
        ceiling=1 - point.without.own.chance,
        level=2,
    )


def _above_others(values: Sequence[float]) -> list[float]:
    total, num = sum(values), len(values)
    return [value - (total - value) / (num - 1) for value in values]
