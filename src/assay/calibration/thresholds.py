"""Where to say "composes", where "imitates", and where to say nothing, so that each is wrong at most 5 % of the time."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

ALPHA = 0.05
MIN_FAMILY = 20  # subjects of a class from which a family sets a threshold of its own


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """A probability strictly above `composes_above` composes, strictly below `imitates_below` imitates; between them the
    verdict abstains. 1 and 0 call nothing."""

    composes_above: float
    imitates_below: float


def choose_thresholds(
    probability: Float[np.ndarray, " n"], composes: Bool[np.ndarray, " n"], family: np.ndarray, *, alpha: float = ALPHA
) -> Thresholds:
    """Thresholds from probabilities of networks that no fit had seen.

    Split conformal (Vovk et al. 2005): a network is called composing when its conformal p among the `n` imitators, (k + 1) /
    (n + 1) with `k` of them at least as high, is at most `alpha`; with fewer than 1 / alpha - 1 of them it never is. Likewise
    for the other call. Networks of one family are alike, so every family with `MIN_FAMILY` of the class sets its own
    threshold beside the pooled one, and the worst holds.

    Where the classes lie so far apart that both calls would be allowed, both thresholds move to one half, or as near as
    they may: each call only becomes rarer.
    """
    above = _worst(probability[~composes], family[~composes], alpha)
    below = 1 - _worst(1 - probability[composes], family[composes], alpha)
    if above < below:
        above = below = min(max(0.5, above), below)
    return Thresholds(composes_above=above, imitates_below=below)


def _worst(probability: np.ndarray, family: np.ndarray, alpha: float) -> float:
    names, counts = np.unique(family, return_counts=True)
    groups = [probability[family == name] for name, count in zip(names, counts, strict=True) if count >= MIN_FAMILY]
    return max(_conformal(group, alpha) for group in [probability, *groups])


def _conformal(probability: np.ndarray, alpha: float) -> float:
    """What a probability must exceed for at most `alpha` of those like the given ones to exceed it."""
    rank = math.floor(alpha * (len(probability) + 1) + 1e-9)
    return 1.0 if rank < 1 else float(np.sort(probability)[-rank])
