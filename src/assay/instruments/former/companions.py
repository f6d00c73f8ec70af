"""Signals of the same family that need no transplant: how far the states are what the declaration says they are.

All are fitted on some combinations and tried on others, in the metric of the site. Each is asked of every site, and the
best one counts; untrained copies are asked in the same way.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.instruments.former.search import Inside
from assay.instruments.former.states import Design
from assay.observed import Observed
from assay.probe import Design as ProbeDesign
from assay.probe import one_hot
from assay.spectra import ROUNDING, svd
from assay.stats import cluster_means
from assay.task import Part

AXES = 12  # principal axes of a part's states that the operator of the homomorphism sees


def deepest(observed: Observed) -> tuple[Part, ...]:
    """The parts from which the answer follows last: those that follow from others, and what they leave over."""
    derived = [part for part in observed.parts if part.of]
    inner = {name for part in derived for name in part.of}
    kept = [part for part in derived if part.name not in inner]
    used = {name for part in kept for name in part.of}
    return (*kept, *(part for part in observed.parts if not part.of and part.name not in used))


def additivity(inside: Inside, site: str, parts: Sequence[Part]) -> Float[Tensor, " c"]:
    """Share of the states' variance that the sum of one vector for each value of each part explains, on combinations that it
    was not fitted on (after Uselis et al. 2026, arXiv 2602.24264). One number for every combination; their mean is R2."""
    observed = inside.observed
    design = Design.of(observed, parts[0], tuple(parts[1:]))
    states = inside.states[site] * inside.weights[site]
    predicted = (design.table @ design.effects(states))[observed.fold, torch.arange(len(states))]
    return _explained(observed, states, predicted, design.determined(design.table, observed.fold))


def collapse(inside: Inside, site: str, parts: Sequence[Part]) -> Float[Tensor, " c"]:
    """1 - within-class / total variance, where examples are of one class when the task says that their states are equivalent:
    the same values of `parts`, reached by different combinations. Only such examples are asked."""
    observed = inside.observed
    columns = torch.stack([observed.examples.parts[part.name] for part in parts], 1)
    _, number = columns.unique(dim=0, return_inverse=True)
    states = inside.states[site] * inside.weights[site]
    means = torch.zeros(int(number.max()) + 1, states.shape[1]).index_add_(0, number, states) / number.bincount()[:, None]
    pairs = torch.stack([number, observed.examples.combination], 1).unique(dim=0)
    shared = pairs[:, 0].bincount(minlength=len(means)) > 1
    return _explained(observed, states, means[number], shared[number])


def homomorphism(inside: Inside, site: str, parts: Sequence[Part]) -> Float[Tensor, " c"]:
    """1 - the error of the best linear operator that builds a state from the mean states of its parts, alone and multiplied in
    pairs, relative to the variance of the states, on combinations that it was not fitted on (after arXiv 2601.18858)."""
    observed = inside.observed
    states = inside.states[site] * inside.weights[site]
    fitted = observed.fold != torch.arange(observed.num_folds)[:, None]
    words, known = zip(*[_word(observed, part, states, fitted, max(2, AXES // len(parts))) for part in parts], strict=True)
    pairs = [(a[..., :, None] * b[..., None, :]).flatten(2) for k, a in enumerate(words) for b in words[k + 1 :]]
    features = torch.cat([*words, *pairs], 2)
    design = ProbeDesign.of(features[:, None], fitted[:, None])
    probe = design.fit((states * fitted[..., None])[:, None]).probe()
    said = (features - probe.mean[:, None]) @ probe.weights + probe.offset[:, None]
    rows = torch.arange(len(states))
    asked = torch.stack(known).all(0)[observed.fold, rows]
    return _explained(observed, states, said[observed.fold, rows], asked)


def _word(
    observed: Observed, part: Part, states: Float[Tensor, "n d"], fitted: Bool[Tensor, "k n"], axes: int
) -> tuple[Float[Tensor, "k n a"], Bool[Tensor, "k n"]]:
    """For every fold the mean state outside it of every example's value, on principal axes, and whether there is one."""
    num = len(fitted)
    if part.graded:
        amounts = observed.examples.amounts[part.name][None, :, None].float()
        return amounts.expand(num, -1, 1), torch.ones_like(fitted)
    values = observed.examples.parts[part.name]
    table = one_hot(values, len(part.values)) * fitted[..., None]
    counts = table.sum(1)
    centred = states - (fitted.float() @ states / fitted.sum(1, keepdim=True))[:, None]
    means = table.mT @ centred / counts.clamp(min=1)[..., None]
    principal = svd(means)[2][:, :axes]
    return (means @ principal.mT)[:, values], (counts > 0)[:, values]


def cross_combination(inside: Inside, site: str, part: Part) -> Float[Tensor, " c"]:
    """Accuracy of a linear probe for the part on combinations that it was not fitted on. It reads every unit alike, also those
    that the output does not depend on."""
    observed = inside.observed
    values, combination = observed.examples.parts[part.name], observed.examples.combination
    rows, used = _by_fold(observed.fold)
    targets = one_hot(values, len(part.values))[rows] * used[..., None]
    fit = inside.probe_design(site, rows, used).fit(targets[None], group=len(part.values))
    said = torch.zeros_like(values)
    said[rows[used]] = fit.left_out()[0][used].argmax(1)
    known = torch.stack([torch.isin(values, values[observed.fold != fold]) for fold in range(observed.num_folds)])
    asked = known.gather(0, observed.fold[None])[0]
    return cluster_means((said == values)[asked].float(), combination[asked]).means.float()


def _by_fold(fold: Int[Tensor, " n"]) -> tuple[Int[Tensor, "f w"], Bool[Tensor, "f w"]]:
    """The rows of every fold, and which places are rows at all: folds differ in size."""
    counts = fold.bincount()
    used = torch.arange(int(counts.max())) < counts[:, None]
    rows = torch.zeros(used.shape, dtype=torch.int64)
    rows[used] = fold.argsort(stable=True)
    return rows, used


def _explained(
    observed: Observed, states: Float[Tensor, "n d"], predicted: Float[Tensor, "n d"], asked: Bool[Tensor, " n"]
) -> Float[Tensor, " c"]:
    """1 - squared error / variance of the asked states, in the mean of every combination; 0 where these differ by rounding."""
    if not bool(asked.any()):
        return torch.zeros(0)
    states, predicted = states[asked], predicted[asked]
    total = (states - states.mean(0)).square().sum(1).mean()
    constant = bool(total <= ROUNDING * states.square().sum(1).mean())
    share = torch.zeros(len(states)) if constant else 1 - (states - predicted).square().sum(1) / total.clamp(min=1e-20)
    return cluster_means(share, observed.examples.combination[asked]).means.float()
