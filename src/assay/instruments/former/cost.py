"""What the search costs, from sizes alone: never by the clock, so that one network has the same evidence on every machine."""

import math
from collections.abc import Sequence

from torch import nn

from assay.hooks import first_tensor
from assay.site import Site
from assay.subject import Inputs, Subject


def affordable(
    places: Sequence[Site], *, forward: float, examples: int, transplants: int, most: float | None
) -> Sequence[Site]:
    """The places that a search of at most `most` multiplications has room for, one or more: the widest are left out first. A
    transplant is one forward pass, and its state is compared with that of every example.

    **Arguments:** `forward`: multiplications of a pass; `transplants`: into one place, of all networks and nulls together.
    """
    cost = {site.name: transplants * (forward + examples * math.prod(site.shape)) for site in places}
    kept = sorted(places, key=lambda site: cost[site.name])
    while most is not None and len(kept) > 1 and sum(cost[site.name] for site in kept) > most:
        kept.pop()
    return [site for site in places if site in kept]


def multiplications(subject: Subject, inputs: Inputs) -> float:
    """About how many a forward pass takes for one example: every entry of a matrix of weights once for each position that its
    module gives."""
    total, num = 0.0, len(next(iter(inputs.values())))

    def count(module: nn.Module, args: object, output: object) -> None:
        nonlocal total
        found = first_tensor(output)
        matrices = [weight for weight in module.parameters(recurse=False) if weight.ndim > 1]
        if found is not None and matrices and not isinstance(module, nn.Embedding):
            channels = found.shape[1] if any(weight.ndim > 2 for weight in matrices) else found.shape[-1]
            total += sum(weight.numel() for weight in matrices) * found.numel() / (num * channels)

    handles = [module.register_forward_hook(count) for module in subject.module.modules()]
    try:
        subject(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return total
