"""The decision rule, for one network and over networks of one recipe.

A part is `modular` when ablating its mask harms it more than the other part: by at least a third of the largest possible
difference, more than in untrained networks with the same search, more than random masks of its size and masks for hashed
labels, and with the same sign for every replacement of the removed weights. It is `not modular` when no mask isolates it, or
when that difference is significantly below a third. Everything else is `not resolved`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import torch

from assay.display import number, p_value
from assay.errors import AssayError
from assay.evidence import FINDING_LEVEL, UNTRAINED, Evidence, Measure
from assay.instrument import Control, Metric, Values
from assay.instrument.nulls import measure_of
from assay.instruments.subnetworks.controls import AT_RANDOM, PartReading, mean_necessity
from assay.stats import MIN_UNITS

Word = Literal["modular", "not modular", "not resolved"]
SHARE = 1 / 3  # of 1 - chance, the largest possible difference
RANDOM, NONSENSE = "random masks", "masks for nonsense"
SIGNS = "flipped signs"
NECESSITY = Metric(
    key="necessity",
    title="necessity",
    unit="difference of accuracies above untrained",
    level=2,
    headline=True,
    gain=True,
    beats=(UNTRAINED, RANDOM, NONSENSE),
)
OVER = replace(NECESSITY, of="network", bounds=(-1.0, 1.0), gain=False, beats=(SIGNS,))
_DRAWS = 19_999  # draws of signs, where enumerating all flips would take more


class Decision(NamedTuple):
    """The decision and its reason."""

    word: Word
    reason: str


def decide(found: PartReading, necessity: Measure) -> Decision:
    """The decision for one part of one network, by the rule of this module."""
    if necessity.value is None:
        return Decision("not resolved" if found.paths[0].degenerate else "not modular", necessity.note)
    isolating, seeds = len(found.chosen), len(found.paths)
    if 2 * isolating <= seeds:
        return Decision("not resolved", f"a mask isolates it under {isolating} of {seeds} seeds of the search")
    low, high, least = _ends(necessity)
    reason = f"necessity {number(necessity.value)} above untrained networks, [{number(low)}, {number(high)}]"
    if high < least:
        return Decision("not modular", f"{reason}, significantly less than {number(least)}, a third of the largest possible")
    ps = {null.name: null.p or 1.0 for null in necessity.nulls if null.name in (RANDOM, NONSENSE)}
    missing = [reason] if necessity.value < least or low <= 0 else []
    missing += [f"{name} do as much (p {p_value(p)})" for name, p in ps.items() if p > FINDING_LEVEL]
    if any(mean_necessity(effects) <= 0 for how, effects in found.ablations.items() if how != AT_RANDOM):
        missing.append("the sign of necessity depends on what replaces the removed weights")
    return Decision("not resolved", "; ".join(missing)) if missing else Decision("modular", reason)


def over_networks(evidence: Sequence[Evidence], *, seed: int = 0) -> Evidence:
    """Necessity over networks of one recipe that differ in their seed, from the evidence of each.

    For each part: the mean of the networks' necessity above untrained ones, its bootstrap interval, and the p of a permutation
    of signs (Fisher 1935), exact for up to 14 networks. Networks that do not solve the task have no number; they are left out
    and counted. A network in which no mask isolates the part counts as 0.

    **Raises:** `AssayError` for evidence of another instrument, or fewer than five networks that solve the task.

    Example::

        >>> from assay.instruments.subnetworks import over_networks
        >>> null = assay.Null(name="untrained copies", how="drawn again", values=(0.0, 0.1), p=0.3)
        >>> shared = {"key": "necessity", "name": "necessity", "about": {"part": "a"}, "unit": "", "direction": "higher"}
        >>> shared |= {"units": 40, "unit_of": "combination", "level": 0, "nulls": (null,)}
        >>> evidence = []
        >>> for value in (0.6, 0.7, 0.65, 0.72, 0.55):  # in their place: run(Subnetworks(), subject, task) of five networks
        ...     interval = assay.Interval(low=value - 0.1, high=value + 0.1, level=0.95, method="over combinations")
        ...     measures = (assay.Measure(value=value, interval=interval, **shared),)
        ...     evidence.append(assay.Evidence(instrument="subnetworks", question="", summary="", measures=measures))
        >>> over_networks(evidence).measure("necessity", part="a").p  # 1 / 2^5
        0.03125
    """
    strange = [item.instrument for item in evidence if item.instrument != "subnetworks"]
    if strange:
        raise AssayError("evidence over networks must all come from the instrument `subnetworks`", given=strange[0])
    usable = [item for item in evidence if not item.not_enough]
    if len(usable) < MIN_UNITS:
        raise AssayError(
            f"a finding over networks needs {MIN_UNITS} of them, since the network is the unit",
            given=f"{len(usable)} that solve the task, of {len(evidence)}",
            next_step="train more networks with other seeds",
        )
    parts = dict.fromkeys(measure.about["part"] for item in usable for measure in item.measures)
    measures = [_over([item.measure("necessity", part=part) for item in usable], part, seed) for part in parts]
    return Evidence(
        instrument="subnetworks",
        question=usable[0].question,
        summary=f"Over {len(usable)} networks, {'; '.join(_decided(measure) for measure in measures)}.",
        measures=tuple(measures),
        sources=usable[0].sources,
        warnings=tuple(f"left out: {item.not_enough}" for item in evidence if item.not_enough),
    )


def _over(found: Sequence[Measure], part: str, seed: int) -> Measure:
    from scipy.stats import permutation_test

    values = torch.tensor([0.0 if measure.value is None else measure.value for measure in found], dtype=torch.float64)
    options = {"permutation_type": "samples", "alternative": "greater", "n_resamples": _DRAWS, "vectorized": True}
    flipped = permutation_test((values.numpy(),), np.mean, rng=seed, **options)
    null, exact = torch.from_numpy(flipped.null_distribution), len(flipped.null_distribution) == 2 ** len(values)
    how = f"the signs of the networks' values, {'all' if exact else _DRAWS} ways to flip them; p: share at least as large"
    control = Control(name=SIGNS, how=how, values=null[: 1 << 10], p=float(flipped.pvalue))
    ceiling = next((measure.ceiling for measure in found if measure.ceiling is not None), None)
    joined = Values(metric=OVER.key, about={"part": part}, units=values, controls=(control,), ceiling=ceiling)
    return measure_of(OVER, joined)


def _decided(measure: Measure) -> str:
    """The rule of this module with networks as units."""
    value, p, (low, high, least) = measure.value, measure.p, _ends(measure)
    assert value is not None
    assert p is not None
    word: Word = "not modular" if high < least else "not resolved"
    if value >= least and low > 0 and p <= FINDING_LEVEL:
        word = "modular"
    at = f"necessity {number(value)}, [{number(low)}, {number(high)}], p {p_value(p)}"
    return f"part {measure.about['part']} is {word} ({at})"


def _ends(measure: Measure) -> tuple[float, float, float]:
    """Ends of the interval, and the least value that counts."""
    assert measure.interval is not None
    return measure.interval.low, measure.interval.high, SHARE * (1.0 if measure.ceiling is None else measure.ceiling)
