"""Batches of examples: a few for a trial run, and the batch size that fits the cache."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from assay.hooks import observe

AT_ONCE = 2**19
"""Numbers in the widest tensor of a forward pass; larger ones leave the processor's cache, and each example takes longer."""
LEAST = 32


def spread_sample(inputs: Mapping[str, Tensor], count: int, device: torch.device) -> dict[str, Tensor]:
    """Inputs of `count` examples, evenly spaced; repeated where there are fewer, zeros where there are none."""
    num = len(next(iter(inputs.values())))
    rows = torch.arange(count) % max(1, num) if num < count else torch.linspace(0, num - 1, count).round().long()
    chosen = {k: value[rows] if num else value.new_zeros(count, *value.shape[1:]) for k, value in inputs.items()}
    return {name: value.to(device) for name, value in chosen.items()}


def fitting_batch_size(module: nn.Module, run: Callable[[list[RemovableHandle]], object]) -> int:
    """Batch size that fits the cache, from the largest output of a module in a forward pass on two examples.

    **Arguments:** `run`: a pass on two examples, after which it removes the handles that it is given.
    """
    sizes = [1]

    def note(value: object) -> None:
        sizes.extend(math.prod(leaf.shape) for leaf in tree_leaves(value) if isinstance(leaf, Tensor))

    run([observe(part, "out", note) for part in module.modules() if not isinstance(part, torch.jit.ScriptModule)])
    return max(LEAST, 2 * AT_ONCE // max(sizes))
