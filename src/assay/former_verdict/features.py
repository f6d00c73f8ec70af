"""The few numbers that the calibrated verdict rests on, each an effect against its own null, from trained inputs alone."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from assay.calibration import FEATURES
from assay.evidence import UNTRAINED, Evidence, Measure
from assay.stats import keyed_generator

NUM_DRAWS = 200
LEAST_ROOM = 0.05  # between null and ceiling; with less, nothing could be shown
PRESENT = 0.50  # effect from which on an exchanged part counts as carried inside
EXCHANGES = ("novel_recombination_side_by_side", "novel_recombination")  # read where it can be asked first
_COMPANIONS = {"additivity": "additivity", "collapse": "equivalence_collapse", "homomorphism": "homomorphism"}
_Column = Float[np.ndarray, " b"]


def features(evidence: Sequence[Evidence]) -> dict[str, float | None]:
    """`assay.calibration.FEATURES` in [-1, 1], of the instrument `recombination` at access level 0; None is missing.

    `recombination` is the mean effect of novel recombination over the parts that the task combines, over all others where
    none of these could be asked: how far the score lies on the way from the strongest null to the ceiling. A part is
    exchanged where parts still stand side by side, and where there is no such place, at the best: an exchange deeper inside
    may skip what the network does wrong before. Additivity, collapse and homomorphism are gains over untrained copies, as
    shares of what these leave.
    """
    return {name: None if column is None else float(column[0]) for name, column in _columns(evidence, _value).items()}


def resampled(evidence: Sequence[Evidence]) -> Float[np.ndarray, "b k"]:
    """The features as columns, in `NUM_DRAWS` resamples of the units of every measure; nulls stay as they are. The same
    evidence gives the same draws. Missing ones are NaN."""
    missing = np.full(NUM_DRAWS, np.nan)
    return np.stack([missing if column is None else column for column in _columns(evidence, _drawn).values()], 1)


def asked_parts(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Parts whose exchange inside has an effect to judge by."""
    return tuple(measure.about["part"] for measure in _exchanges(_recombination(evidence)))


def missing_parts(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Of these the ones with an effect below `PRESENT`, with the whole interval of the score."""
    missing = []
    for measure in _exchanges(_recombination(evidence)):
        assert measure.interval is not None
        effect = _effect(measure, np.array([measure.interval.high]))
        if effect is not None and effect[0] < PRESENT:
            missing.append(measure.about["part"])
    return tuple(missing)


def find(evidence: Sequence[Evidence], instrument: str) -> Evidence | None:
    """What that instrument found, when it was run."""
    return next((item for item in evidence if item.instrument == instrument), None)


def _columns(evidence: Sequence[Evidence], means: Callable[[Measure], _Column | None]) -> Mapping[str, _Column | None]:
    found = _recombination(evidence)
    effects = [effect for measure in _exchanges(found) if (effect := _effect(measure, means(measure))) is not None]
    columns: dict[str, _Column | None] = {"recombination": np.mean(effects, axis=0) if effects else None}
    for name, measured in _COMPANIONS.items():
        columns[name] = None
        for measure in found.measures if found else ():
            untrained = [null.mean for null in measure.nulls if null.name == UNTRAINED]
            if measure.key == measured and measure.value is not None and untrained:
                columns[name] = _share(means(measure), untrained[0], 1.0)
    return {name: columns[name] for name in FEATURES}


def _recombination(evidence: Sequence[Evidence]) -> Evidence | None:
    found = find(evidence, "recombination")
    return found and found.at_level(0)


def _exchanges(found: Evidence | None) -> list[Measure]:
    """Novel recombination of every part that is combined, of the others where none of these has an effect."""
    if found is None:
        return []
    by_part: dict[str, Measure] = {}
    for key in EXCHANGES:
        for measure in found.measures:
            if measure.key == key and _effect(measure, _value(measure)) is not None:
                by_part.setdefault(measure.about["part"], measure)
    every = list(by_part.values())
    combined = [measure for measure in every if found.settings.get(f"part {measure.about['part']}") == "combined"]
    return combined or every


def _effect(measure: Measure, means: _Column | None) -> _Column | None:
    """None where the place chosen does not carry what is exchanged: nothing could have been shown there. A score above its
    ceiling shows that the whole state there is not all that the output follows from, and then the best score is 1."""
    if means is None or measure.value is None or measure.ceiling is None or not measure.nulls:
        return None
    ceiling = measure.ceiling if measure.ceiling >= measure.value else 1.0
    return _share(means, max(null.mean for null in measure.nulls), ceiling)


def _share(means: _Column | None, floor: float, ceiling: float) -> _Column | None:
    if means is None or ceiling - floor < LEAST_ROOM:
        return None
    return ((means - floor) / (ceiling - floor)).clip(-1.0, 1.0)


def _value(measure: Measure) -> _Column | None:
    return None if measure.value is None else np.array([measure.value])


def _drawn(measure: Measure) -> _Column | None:
    """Means of resampled units. Every measure has draws of its own, whatever else was measured."""
    if measure.value is None:
        return None
    units = np.array(measure.repeats or (measure.value,))
    generator = keyed_generator(0, f"resamples of {measure.label}")
    return units[torch.randint(len(units), (NUM_DRAWS, len(units)), generator=generator).numpy()].mean(1)
