"""How tidily a function is written into units: four numbers that a function-preserving twin moves on purpose.

They describe, they do not judge: the same function can be written either way, and only how it is written is read. A unit's
contribution to an output is its activation times the derivative of the output with respect to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from assay.hooks import differentiated
from assay.isolation import undisturbed
from assay.outputs import answer_of
from assay.subject import Subject

ALIKE = 0.99  # of the correlation between units that carry one signal
FAINTEST = 1e-3  # of the mean of activation times derivative, beneath which a unit counts as unused
_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.ELU, nn.RNNCellBase)


@dataclass(frozen=True)
class Disorder:
    """Means over sites, of the units that are used. Nothing changes when units are permuted.

    **Attributes:**

    - `cancellation`: 1 - |sum of contributions| / sum of |contributions|, the sums over all units of a site at one example.
    - `idle`: the share of |contributions| that cancels among units alike: what they carry could be said with less.
    - `redundancy`: the share of units whose activations correlate with another's by more than `ALIKE`, of either sign.
    - `imbalance`: the spread, in natural logarithms and weighted by use, of the square root of activation over derivative,
      both as root mean squares. Gradient flow conserves the difference of a ReLU's squared incoming and outgoing norms (Du
      et al. 2018, arXiv 1806.00900), so training leaves units about as balanced as they began; rescaling does not.
    """

    cancellation: float
    idle: float
    redundancy: float
    imbalance: float

    @property
    def score(self) -> float:
        """In [0, 1], higher where the function is written more tidily: the product of what is not redundant, what is not
        idle, and 1 / (1 + imbalance^2). It reads shares and a spread, neither of which grows with the width alone.

        It knows doubles and wrong scales, not disorder of every kind: a mess without units alike scores as tidy. Units that
        small initial weights have aligned count as redundant, though none of them is idle.
        """
        return (1 - self.redundancy) * (1 - self.idle) / (1 + self.imbalance**2)


@dataclass(frozen=True)
class Written:
    """What a network writes into the units of its sites, on some examples.

    **Attributes:** for every site, of the rows (an example, a position, a call) on which some output depends, the `activations`
    `(rows, units)`, their `derivatives` `(directions, rows, units)`, and the `example` that each row is of.
    """

    sites: Mapping[str, "_Site"]

    def by_site(self, examples: Bool[Tensor, " n"] | None = None) -> dict[str, Disorder]:
        """The disorder of every site, from some of the examples or from all."""
        found = {}
        for name, site in self.sites.items():
            rows = slice(None) if examples is None else examples[site.example]
            found[name] = Disorder(*_of_site(site.activations[rows], site.derivatives[:, rows]))
        return found

    def disorder(self, examples: Bool[Tensor, " n"] | None = None) -> Disorder:
        """The mean over sites."""
        each = [torch.tensor(astuple(one)) for one in self.by_site(examples).values()]
        return Disorder(*torch.stack(each).mean(0).tolist())

    @property
    def matters(self) -> bool:
        """Whether any output depends on any unit."""
        return any(len(site.example) for site in self.sites.values())


class _Site(NamedTuple):
    activations: Float[Tensor, "rows units"]
    derivatives: Float[Tensor, "directions rows units"]
    example: Int[Tensor, " rows"]


def unit_sites(subject: Subject, inputs: Mapping[str, Tensor]) -> list[str]:
    """Places whose last dimension is units: the outputs of every activation and recurrent cell. Where non-linearities are
    functions and no modules, what enters each matrix of weights instead, but for the network's own input."""
    modules = dict(subject.module.named_modules())
    named = [f"{name}:out" for name, part in modules.items() if name and isinstance(part, _ACTIVATIONS)]
    if named:
        return [site.name for site in subject.match(named, inputs)]
    later = [site.name for site in subject.sites(inputs)[1:] if site.name.endswith(":in")]
    return [site for site in later if _is_matrix(modules[site.removesuffix(":in")])]


def _is_matrix(part: nn.Module) -> bool:
    return any(weight.ndim == 2 for weight in part.parameters(recurse=False)) and not isinstance(part, nn.Embedding)


def written(
    subject: Subject, inputs: Mapping[str, Tensor], sites: Sequence[str], *, num_directions: int, generator: Generator
) -> Written:
    """Run all examples at once and take the derivatives of random combinations of the outputs, each of zero sum."""
    module, num = subject.module, len(next(iter(inputs.values())))
    calls: dict[str, list[Tensor]] = {site: [] for site in sites}

    handles = []
    for site in sites:
        name, _, side = site.rpartition(":")
        handles.append(differentiated(module.get_submodule(name), side, calls[site]))
    try:
        with undisturbed(module), torch.enable_grad():
            result = module(**{name: value.to(subject.device, copy=True) for name, value in inputs.items()})
            outputs = answer_of(result).flatten(1)
            directions = torch.randn(num_directions, outputs.shape[1], generator=generator).to(outputs)
            if outputs.shape[1] > 1:
                directions = directions - directions.mean(1, keepdim=True)
            projected = (outputs @ directions.T).sum(0)
            flat = [value for values in calls.values() for value in values]
            options = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
            if projected.requires_grad:
                taken = [torch.autograd.grad(one, flat, **options) for one in projected]
            else:
                taken = [tuple(torch.zeros_like(value) for value in flat) for _ in projected]
    finally:
        for handle in handles:
            handle.remove()
    found, start = {}, 0
    for site, values in calls.items():
        stop = start + len(values)
        activations = torch.cat([value.detach().flatten(0, -2) for value in values])
        derivatives = torch.stack([torch.cat([grad.flatten(0, -2) for grad in grads[start:stop]]) for grads in taken])
        example = torch.cat([torch.arange(num).repeat_interleave(value[..., 0].numel() // num) for value in values])
        used = (derivatives != 0).any(0).any(-1)
        found[site] = _Site(activations[used].cpu(), derivatives[:, used].cpu(), example[used.cpu()])
        start = stop
    return Written(found)


def _of_site(
    activations: Float[Tensor, "rows units"], derivatives: Float[Tensor, "directions rows units"]
) -> tuple[float, float, float, float]:
    """Cancellation, idle, redundancy and imbalance; zeros where no unit is used."""
    sizes, slopes = activations.square().mean(0).sqrt(), derivatives.square().mean((0, 1)).sqrt()
    use = sizes * slopes
    used = use > FAINTEST * use.mean()
    activations, contributions, use = activations[:, used], (activations * derivatives)[..., used], use[used]
    total = contributions.abs().sum()
    if not total > 0:
        return 0.0, 0.0, 0.0, 0.0
    alike = _alike(activations)
    group = alike.float().argmax(1)  # the first unit that is like it
    grouped = torch.zeros_like(contributions).index_add(-1, group, contributions)
    balance = (sizes[used] / slopes[used]).log() / 2
    share = use / use.sum()
    spread = (share * (balance - (share * balance).sum()).square()).sum().sqrt()
    return (
        max(0.0, float(1 - contributions.sum(-1).abs().sum() / total)),
        max(0.0, float(1 - grouped.abs().sum() / total)),
        float((alike.sum(1) > 1).float().mean()),
        float(spread),
    )


def _alike(activations: Float[Tensor, "rows units"]) -> Tensor:
    """Whether two units carry one signal, by the correlation of their activations: `(units, units)`, True on the diagonal."""
    centred = activations.double() - activations.double().mean(0)
    lengths = centred.norm(dim=0)
    # A unit that is constant but for rounding is like no other.
    varies = lengths > 1e-5 * activations.double().norm(dim=0)
    unit = torch.where(varies, centred / lengths.clamp_min(torch.finfo(torch.float64).tiny), 0.0)
    return ((unit.T @ unit).abs() > ALIKE) | torch.eye(len(lengths), dtype=torch.bool)
