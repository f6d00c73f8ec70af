"""From the features of a network to the probability that it composes, to a call, and to the reason where there is none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import FiniteFloat, NonNegativeFloat, TypeAdapter, ValidationError

from assay.calibration.logistic import Logistic
from assay.calibration.thresholds import Thresholds
from assay.errors import AssayError
from assay.store import faults_of

Call = Literal["composes", "imitates", "abstains"]
MARGIN = 0.10  # of the span of a feature over known networks: how far beyond it a network may lie
NO_EVIDENCE = "none of the effects that a network is judged by could be measured inside"
UNKNOWN = "too few known networks to judge by the evidence that was measured"
BETWEEN = "the probability lies between the thresholds"


class Judged(NamedTuple):
    """What is said of `n` networks: `probability` (NaN where none can be given), `call`, and `reason` of an abstention."""

    probability: Float[np.ndarray, " n"]
    call: np.ndarray
    reason: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Line:
    """The verdict from exactly these features, at even odds. Its logit never falls when one of them rises."""

    features: tuple[str, ...]
    weights: tuple[NonNegativeFloat, ...]
    intercept: FiniteFloat
    slope: NonNegativeFloat
    offset: FiniteFloat
    thresholds: Thresholds

    def probability(self, x: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
        from scipy.special import expit

        return expit(self.slope * Logistic(np.array(self.weights), self.intercept).logit(x) + self.offset)


@dataclass(frozen=True, kw_only=True)
class Combiner:
    """Monotone logistic lines, one for each set of features, so that missing evidence is missing and never zero.

    **Attributes:**

    - `features`: the columns of what is judged.
    - `lines`: for every set of features that enough known networks have.
    - `low`, `high`: the range of each feature over known networks.
    """

    features: tuple[str, ...]
    lines: tuple[Line, ...]
    low: Mapping[str, FiniteFloat]
    high: Mapping[str, FiniteFloat]

    def predict(self, x: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
        """Probabilities of composing, NaN where none can be given; see `judge`."""
        return self.judge(x).probability

    def judge(self, x: Float[np.ndarray, "n k"]) -> Judged:
        """Probability, call and reason for rows of features, NaN where one is missing.

        The line used is that of all features which are there; where it could not be fitted, that of the most of them (the
        first in order among equals). A network beyond the known range of a feature with any weight keeps its
        probability but is not called.
        """
        num = len(x)
        judged = Judged(np.full(num, np.nan), np.full(num, "abstains", dtype="<U8"), np.full(num, NO_EVIDENCE, dtype=object))
        patterns, which = np.unique(~np.isnan(x), axis=0, return_inverse=True)
        for index, pattern in enumerate(patterns):
            rows = np.flatnonzero(which.reshape(-1) == index)
            there = {name for name, here in zip(self.features, pattern.tolist(), strict=True) if here}
            line = max((one for one in self.lines if there.issuperset(one.features)), key=_size, default=None)
            if line is not None:
                self._judge_by(line, x[rows], rows, judged)
            elif there:
                judged.reason[rows] = UNKNOWN
        return judged

    def _judge_by(self, line: Line, x: np.ndarray, rows: np.ndarray, judged: Judged) -> None:
        x = x[:, [self.features.index(name) for name in line.features]]
        probability = line.probability(x)
        call = np.where(probability > line.thresholds.composes_above, "composes", "abstains")
        call = np.where(probability < line.thresholds.imitates_below, "imitates", call)
        reason = np.where(call == "abstains", BETWEEN, "").astype(object)
        for name, weight, column in zip(line.features, line.weights, x.T, strict=True):
            low, high = self.low[name], self.high[name]
            margin = MARGIN * (high - low) if weight > 0 else np.inf
            for row in np.flatnonzero((column < low - margin) | (column > high + margin)):
                call[row] = "abstains"
                reason[row] = f"{name} of {column[row]:.3g} lies outside of what known networks have, {low:.3g} to {high:.3g}"
        judged.probability[rows], judged.call[rows], judged.reason[rows] = probability, call, reason

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return json.loads(TypeAdapter(Combiner).dump_json(self))

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> "Combiner":
        """What `to_dict` gave.

        **Raises:** `AssayError` naming what does not fit, such as a weight below 0.
        """
        again = "calibrate again"
        try:
            combiner = TypeAdapter(Combiner).validate_json(json.dumps(dict(content)))
        except ValidationError as error:
            raise AssayError("a calibration must fit its schema", given=faults_of(error), next_step=again) from error
        for line in combiner.lines:
            known = set(combiner.features) & set(combiner.low) & set(combiner.high)
            if len(line.weights) != len(line.features) or not known.issuperset(line.features):
                rule = "every line of a calibration has one weight for each of its features, and their known range is there"
                raise AssayError(rule, given=f"a line of {', '.join(line.features)}", next_step=again)
        return combiner


def _size(line: Line) -> int:
    return len(line.features)
