"""DSpr and NSpr: how the order of predicted distances, or depths, agrees with the true one (Hewitt and Manning 2019,
section 3.1)."""

from collections import defaultdict

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from assay.instruments.polar.fit import Probes
from assay.instruments.polar.losses import squared_distances
from assay.instruments.polar.targets import Sample, in_order

LENGTHS = range(5, 51)


def text_correlations(probes: Probes, sample: Sample) -> Float[Tensor, "p texts"]:
    """Of every text the mean over its nodes of Spearman's correlation between the node's predicted and true distances to all
    nodes, punctuation included. NaN where no node's distances differ, or not every distance is known."""
    found = torch.full((len(probes), len(sample)), torch.nan)
    for batch in in_order(sample, 64):
        apart = squared_distances(probes.vectors(sample, batch)).numpy()
        for place, text in enumerate(batch.texts.tolist()):
            true = sample.targets[text].distances.numpy()
            if (true >= 0).all():
                n = len(true)
                found[:, text] = torch.from_numpy(_mean_over_rows(rank_correlation(apart[:, place, :n, :n], true[None])))
    return found


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's correlation along the last axis; ties share their mean rank. NaN where all values of one side tie."""
    from scipy.stats import rankdata

    if not a.shape[-1]:
        return np.full(a.shape[:-1], np.nan)
    one, other = rankdata(a, axis=-1), rankdata(b, axis=-1)
    one, other = one - one.mean(-1, keepdims=True), other - other.mean(-1, keepdims=True)
    norm = np.sqrt((one**2).sum(-1) * (other**2).sum(-1))
    return np.divide((one * other).sum(-1), norm, out=np.full(norm.shape, np.nan), where=norm > 0)


def _mean_over_rows(rows: np.ndarray) -> np.ndarray:
    known = ~np.isnan(rows)
    return np.divide(np.where(known, rows, 0).sum(-1), known.sum(-1), out=np.full(len(rows), np.nan), where=known.any(-1))


def length_mean(correlations: Float[Tensor, " texts"], sample: Sample) -> float:
    """The mean of the texts of every length, and of these means over lengths 5 to 50. NaN where there are none."""
    by_length: defaultdict[int, list[float]] = defaultdict(list)
    for target, value in zip(sample.targets, correlations.tolist(), strict=True):
        if len(target) in LENGTHS and value == value:
            by_length[len(target)].append(value)
    means = [sum(values) / len(values) for values in by_length.values()]
    return sum(means) / len(means) if means else float("nan")
