"""From single networks to the recipe that made them: the network is the unit."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from assay.errors import AssayError
from assay.evidence import FINDING_LEVEL, Evidence, Measure, Null
from assay.instruments.subnetworks.deciding import SHARE
from assay.stats import MIN_UNITS, mean_interval

_MOST_EXACT = 16  # networks, up to which all signs are gone through
_DRAWS = 20_000


def over_networks(evidence: Sequence[Evidence], *, seed: int = 0) -> Evidence:
    """Necessity over networks of one recipe that differ in their seed, from the evidence of each.

    For each part: the mean of the networks' necessity above untrained ones, its bootstrap interval, and the p of an exact
    permutation of signs (Fisher 1935). Networks without a number (a base that fails its gate) are left out and counted; one
    in which no mask isolates the part counts as 0.

    **Raises:** `AssayError` for evidence of another instrument, or fewer than five networks that pass their gate.
    """
    strange = [item.instrument for item in evidence if item.instrument != "subnetworks"]
    if strange:
        raise AssayError("evidence over networks must be that of one instrument, `subnetworks`", given=strange[0])
    usable = [item for item in evidence if not item.not_enough]
    if len(usable) < MIN_UNITS:
        raise AssayError(
            f"a finding over networks needs {MIN_UNITS} of them, since the network is the unit",
            given=f"{len(usable)} that solve the task, of {len(evidence)}",
            next_step="train more networks with other seeds",
        )
    parts = list(dict.fromkeys(m.about["part"] for item in usable for m in item.measures))
    measures = [_measure(usable, part, seed) for part in parts]
    return Evidence(
        instrument="subnetworks",
        question=usable[0].question,
        summary=f"Over {len(usable)} networks, {'; '.join(_told(measure) for measure in measures)}.",
        measures=tuple(measures),
        sources=usable[0].sources,
        warnings=tuple(f"left out: {item.not_enough}" for item in evidence if item.not_enough),
    )


def _measure(usable: Sequence[Evidence], part: str, seed: int) -> Measure:
    found = [item.measure("necessity", part=part) for item in usable]
    values = np.array([0.0 if measure.value is None else measure.value for measure in found])
    flipped = _signs(len(values), seed) @ values / len(values)
    p = float((flipped >= values.mean() - 1e-12).mean())
    exact = len(values) <= _MOST_EXACT
    how = f"the signs of the networks' values, {'all' if exact else _DRAWS} ways to flip them; p: share at least as large"
    ceiling = next((measure.ceiling for measure in found if measure.ceiling is not None), None)
    return Measure(
        key="necessity",
        name="necessity",
        value=float(values.mean()),
        unit=found[0].unit,
        direction="higher",
        interval=mean_interval(values.tolist(), bounds=(-1.0, 1.0)),
        nulls=(Null(name="flipped signs", how=how, values=tuple(flipped[: 1 << 10].tolist()), p=p),),
        units=len(values),
        unit_of="network",
        repeats=tuple(values.tolist()),
        about={"part": part},
        headline=True,
        ceiling=ceiling,
        level=2,
    )


def _signs(num: int, seed: int) -> np.ndarray:
    """Rows of signs: all of them, the observed one first, or many drawn with it."""
    if num <= _MOST_EXACT:
        return np.array(list(product((1.0, -1.0), repeat=num)))
    drawn = np.random.default_rng(seed).choice((1.0, -1.0), size=(_DRAWS, num))
    drawn[0] = 1.0
    return drawn


def _told(measure: Measure) -> str:
    """The same rule as for one network, with the networks as units."""
    value, interval, p = measure.value, measure.interval, measure.p
    assert value is not None
    assert interval is not None
    assert p is not None
    least = SHARE * (1.0 if measure.ceiling is None else measure.ceiling)
    if value >= least and interval.low > 0 and p <= FINDING_LEVEL:
        word = "modular"
    else:
        word = "not modular" if interval.high < least else "not resolved"
    numbers = f"necessity {value:+.2f}, [{interval.low:+.2f}, {interval.high:+.2f}], p {p:.3f}"
    return f"part {measure.about['part']} is {word} ({numbers})"
