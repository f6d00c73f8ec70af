"""Metrics of langue, and the construction of their values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from assay.evidence import UNTRAINED, Interval
from assay.instrument import Control, Metric, Values

NGRAM, IMITATOR, MATCHED = "n-grams", "an n-gram as the network", "words of like frequency"
FOLLOWED = "the text itself"
_RATE, _SHARE, _SIGNED = "bits per byte", "share of neighbours", (-1.0, 1.0)


def _metric(key: str, title: str, **more: object) -> Metric:
    return Metric(key=key, title=title, **{"level": 2, "of": "excerpt", **more})  # pyrefly: ignore[bad-argument-type]


BITS = _metric("bits", "bits per byte", unit=_RATE, better="lower")
SAVED = _metric("saved", "bits saved over the best n-gram", unit=_RATE, headline=True, beats=(UNTRAINED, NGRAM))
GAIN = _metric("gain", "bits that it saves a mixture of n-grams", unit=_RATE, headline=True, beats=(UNTRAINED, IMITATOR))
MIXED = _metric("mixed", "bits that the mixture saves over the network alone", unit=_RATE, better="neither", beats=(IMITATOR,))
LEFT = _metric(
    "left", "variance of word surprisal left after frequency, n-gram and context", better="neither", beats=(IMITATOR,)
)
COST = _metric("cost", "cost of a shuffle", unit=_RATE, beats=(NGRAM,))
RULES = _metric("rules", "likeliest tokens that n-gram rules give too", unit="share", bounds=(0.0, 1.0))
_WORDS: dict[str, object] = {"of": "word", "level": 0}
_NEAR: dict[str, object] = {"unit": _SHARE, "bounds": (0.0, 1.0), **_WORDS}
NEAR = _metric("neighbours", "mutual neighbours", headline=True, beats=(UNTRAINED, MATCHED), **_NEAR)
APART = _metric("neighbours_apart", "mutual neighbours of other stems", beats=(MATCHED,), **_NEAR)
NOTHING = _metric(
    "neighbours_null", "mutual neighbours with shuffled counts and with noise", better="neither", beats=(MATCHED,), **_NEAR
)
RSA = _metric("rsa", "partial rank correlation of all pairs", bounds=_SIGNED, beats=(MATCHED,), **_WORDS)
CKA = _metric("cka", "debiased CKA", beats=(MATCHED,), **_WORDS)
RATED = _metric("ratings", "rank correlation with ratings", bounds=_SIGNED, beats=(MATCHED,), **_WORDS)
ANALOGIES = _metric(
    "analogies", "analogies answered", unit="share", bounds=(0.0, 1.0), beats=(MATCHED,), of="pair of words", level=0
)
GROUPS = _metric("groups", "adjusted mutual information of groups of words", bounds=_SIGNED, beats=(MATCHED,), **_WORDS)
FOUND = _metric("matched", "words matched without labels", unit="share", bounds=(0.0, 1.0), **_WORDS)
METRICS = (BITS, SAVED, GAIN, MIXED, LEFT, COST, RULES, NEAR, APART, NOTHING, RSA, CKA, RATED, ANALOGIES, GROUPS, FOUND)
_BOUNDED = {metric.key: metric.bounds for metric in METRICS if metric.bounds == _SIGNED}


def tensor(values: object) -> Float[Tensor, "*shape"]:
    return torch.from_numpy(np.asarray(values, dtype=np.float64))


def over(metric: Metric, units: Float[np.ndarray, " u"], controls: Sequence[Control] = (), **more: object) -> Values:
    """The value of a metric that is the mean over its units."""
    return Values(metric=metric.key, units=tensor(units), controls=tuple(controls), **more)  # pyrefly: ignore[bad-argument-type]


def paired(name: str, how: str, units: Float[np.ndarray, " u"]) -> Control:
    """A null with a value for every unit of the network."""
    return Control(name=name, how=how, values=tensor(units)[None])


def whole(
    metric: Metric,
    value: float,
    num: int,
    *,
    variance: float | None = None,
    interval: Interval | None = None,
    null: Control | None = None,
    about: Mapping[str, str] | None = None,
) -> Values:
    """The value of a metric that is no mean over the `num` words or pairs behind it."""
    if interval is not None:
        low, high = _BOUNDED.get(metric.key) or (-np.inf, np.inf)
        interval = replace(interval, low=max(low, interval.low), high=min(high, interval.high))
    return Values(
        metric=metric.key,
        units=torch.full((num,), value, dtype=torch.float64),
        about=about or {},
        value=value,
        variance=variance,
        interval=interval,
        controls=() if null is None else (null,),
    )
