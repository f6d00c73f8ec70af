"""Distributed alignment search as a baseline: a linear subspace that is searched by gradient until exchanging it gives the
declared answers (Geiger et al. 2024, arXiv 2303.02536), scored on pairs that the search did not see."""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.hooks import replace
from assay.instruments.former.search import Inside
from assay.optimisers import Adam

STEPS = 100
BATCH = 64
RATE = 0.1
MOST_PARTS = 2


def alignment(inside: Inside, *, generator: Generator) -> float | None:
    """Interchange accuracy at the second site, where in trained networks it is highest; the mean over the first combined parts,
    None where no part can be exchanged. Whether the combination that results was trained is not asked, as in the literature.

    The search is short and its pairs are few, so what it finds is a lower bound of what a long one would."""
    observed, sites = inside.observed, list(inside.states)
    parts = [name for name in observed.exchanges if not observed.part(name).of][:MOST_PARTS]
    found = [_searched(inside, name, sites[min(1, len(sites) - 1)], generator) for name in parts]
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if known else None


def _searched(inside: Inside, part: str, site: str, generator: Generator) -> float | None:
    observed, states = inside.observed, inside.states[site]
    exchange = observed.exchanges[part]
    tried = observed.fold[exchange.base] % 2 == 1
    fitted, tried = (~tried).nonzero()[:, 0], tried.nonzero()[:, 0]
    if not len(fitted) or not len(tried):
        return None
    rank = max(1, min(len(observed.part(part).values) - 1, states.shape[1] // 2))
    basis = torch.randn(states.shape[1], rank, generator=generator).requires_grad_()
    search = Adam([basis], lr=RATE)

    def exchanged(rows: Int[Tensor, " p"]) -> Float[Tensor, "p d"]:
        directions = torch.linalg.qr(basis).Q
        base = states[exchange.base[rows]]
        return base + (states[exchange.source[rows]] - base) @ directions @ directions.T

    with torch.enable_grad():
        for _ in range(STEPS):
            rows = fitted[torch.randint(len(fitted), (BATCH,), generator=generator)]
            outputs = _outputs(inside, site, exchanged(rows), exchange.base[rows])
            loss = observed.objective.loss(outputs, exchange.targets[rows])
            (basis.grad,) = torch.autograd.grad(loss, [basis])
            search.step()
    with torch.no_grad():
        outputs = inside.outputs(site, exchanged(tried), exchange.base[tried])
    return float(observed.objective.score(outputs, exchange.targets[tried]).mean())


def _outputs(inside: Inside, site: str, patched: Float[Tensor, "p d"], rows: Int[Tensor, " p"]) -> Tensor:
    """As `Inside.outputs`, with gradients."""
    name, _, side = site.rpartition(":")
    value, calls = patched.unflatten(1, inside.shapes[site]), iter(range(10**9))

    def changed(old: Tensor) -> Tensor:
        index = next(calls)
        return value[:, index] if value.ndim == old.ndim + 1 else value

    handle = replace(inside.subject.module.get_submodule(name), side, changed)
    try:
        return inside.subject.module(**{key: column[rows] for key, column in inside.observed.examples.inputs.items()})
    finally:
        handle.remove()
