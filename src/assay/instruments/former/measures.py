"""From looks to measures: every recombination score beside its controls."""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from assay.evidence import UNTRAINED, Measure, Null
from assay.instruments.former.look import Kind, Look, Units
from assay.instruments.former.search import Inside
from assay.stats import MIN_UNITS, gain_over_networks, mean_interval

KEYS: Mapping[Kind, str] = {
    "novel": "novel_recombination",
    "seen": "seen_recombination",
    "novel, side by side": "novel_recombination_side_by_side",
    "novel, past the mixing": "novel_recombination_past_the_mixing",
    "novel, of prototypes": "novel_recombination_of_prototypes",
}
HOW = {
    "random subspace": "the same search in random subspaces of equal rank, or half of what the states span if that is less",
    "scrambled declaration": "the same outputs, the best place again, against targets in which the part's values mean others",
    UNTRAINED: "the same search in networks of the same architecture with fresh weights",
    "shuffled labels": "the same search in networks of the same architecture trained on shuffled labels",
}


def recombination_measure(
    kind: Kind, part: str, own: Look, inside: Inside, nulls: Mapping[str, Sequence[Look]], *, headline: bool
) -> Measure:
    """The score of one kind of exchange of one part, and of every null in the same search."""
    units, pairs = own.units(kind), int(own.pairs(kind).sum())
    told = f"{units.counted:.0%} of {pairs} pairs could be asked and stayed near natural states"
    first, comma, rest = kind.partition(",")
    name, unit = f"{first} recombination{comma}{rest}", own.observed.objective.unit
    interval = mean_interval(units.means, bounds=(0.0, 1.0))
    if interval is None:
        note = f"not enough data: {len(units.ids)} combinations, and an interval needs {MIN_UNITS}; {told}"
        return _unanswered(KEYS[kind], name, unit, len(units.ids), note, {"part": part}, headline=headline)
    return Measure(
        key=KEYS[kind],
        name=name,
        about={"part": part},
        value=float(units.means.mean()),
        unit=unit,
        direction="higher",
        interval=interval,
        nulls=tuple(_null(null, units, looks) for null, looks in _asked(nulls, kind).items() if looks),
        units=len(units.ids),
        unit_of="combination",
        repeats=tuple(units.means.tolist()),
        headline=headline,
        note=f"at {_place(own, kind)}; {told}",
        ceiling=own.ceiling(inside, kind),
        level=0,
    )


def _unanswered(
    key: str, name: str, unit: str, units: int, note: str, about: Mapping[str, str], *, headline: bool = False
) -> Measure:
    return Measure(
        key=key,
        name=name,
        about=about,
        value=None,
        unit=unit,
        direction="higher",
        interval=None,
        nulls=(),
        units=units,
        unit_of="combination",
        headline=headline,
        note=note,
        level=0,
    )


def _asked(nulls: Mapping[str, Sequence[Look]], kind: Kind) -> Mapping[str, Sequence[Units]]:
    """What the nulls score, without the wrong declarations whose targets are known for no pair."""
    return {name: [look.units(kind) for look in looks if bool(look.pairs(kind).any())] for name, looks in nulls.items()}


def _null(name: str, own: Units, others: Sequence[Units]) -> Null:
    units = torch.stack([other.of(own.ids) for other in others])
    gain = gain_over_networks(own.means, units)
    how = f"{HOW[name]}, {len(others)} times"
    return Null(name=name, how=how, values=tuple(units.mean(1).tolist()), p=gain.p if gain else None)


def _place(look: Look, kind: Kind) -> str:
    """Where the rule went, the most frequent place first."""
    chosen, tried = look.chosen(kind), look.open(kind)
    found = Counter(tried.candidates[number] for number in chosen.candidates if number >= 0)
    return ", ".join(
        f"{site} ({form}, {count} of {len(chosen.candidates)} folds)" for (site, form), count in found.most_common()
    )


def companion_measure(
    key: str,
    name: str,
    own: Float[Tensor, " c"],
    untrained: Sequence[Tensor],
    shuffled: Sequence[Tensor],
    *,
    unit: str,
    about: Mapping[str, str],
    note: str,
    bounds: tuple[float, float] | None = None,
) -> Measure:
    """A signal of the network by combination, beside the same of its twins."""
    interval = mean_interval(own, bounds=bounds) if len(own) else None
    if interval is None:
        few = f"not enough data: {len(own)} combinations can be asked, and an interval needs {MIN_UNITS}"
        return _unanswered(key, name, unit, len(own), few, about)
    nulls = []
    for title, twins in ((UNTRAINED, untrained), ("shuffled labels", shuffled)):
        if twins:
            gain = gain_over_networks(own, torch.stack(list(twins)))
            how = f"the same for {len(twins)} networks of the same architecture; where sites are searched each has its own best"
            values = tuple(float(twin.mean()) for twin in twins)
            nulls.append(Null(name=title, how=how, values=values, p=gain.p if gain else None))
    return Measure(
        key=key,
        name=name,
        about=about,
        value=float(own.mean()),
        unit=unit,
        direction="higher",
        interval=interval,
        nulls=tuple(nulls),
        units=len(own),
        unit_of="combination",
        repeats=tuple(own.tolist()),
        note=note,
        ceiling=1.0,
        level=0,
    )
