"""Sites, places in a network where activations are read, and the result of the integrity checks."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NO_SITE = "the network has no submodule whose input or output could be read: it consists of bare parameters and functions"


@dataclass(frozen=True)
class Site:
    """A place where activations are read or replaced.

    **Attributes:**

    - `name`: dotted module name and side, such as `blocks.1.mlp:out`.
    - `shape`: of one example, without the batch dimension. Modules that run several times in one forward are read as a
      sequence of calls: `(calls, ...)`.
    - `calls`: number of runs of the module in one forward.

    Example::

        >>> subject = assay.load_subject("runs/addition")
        >>> drawn = assay.load_task("modular-addition:p=7").examples("seen", 4, generator=torch.Generator())
        >>> site = subject.sites(drawn.inputs)[0]
        >>> site.name, site.shape
        ('encode:out', (28,))
        >>> [site.name for site in subject.match("layers.*:out", drawn.inputs)]
        ['layers.0:out', 'layers.1:out', 'layers.2:out', 'layers.3:out', 'layers.4:out']
    """

    name: str
    shape: tuple[int, ...]
    calls: int = 1


def thinned(sites: Sequence[Site], limit: int) -> Sequence[Site]:
    """At most `limit` sites (two or more), in the order of execution: the first and the last, then those of outer modules
    before those inside them, since stages pass their results there. Of the first level that does not fit, evenly spaced
    ones."""
    if len(sites) <= limit:
        return sites
    assert limit >= 2, "limit must be at least 2"
    kept = {0, len(sites) - 1}
    levels = [site.name.count(".") for site in sites]
    for level in sorted(set(levels)):
        found = [k for k, other in enumerate(levels) if other == level and k not in kept]
        room = limit - len(kept)
        if len(found) > room:
            found = [found[round((k + 0.5) * len(found) / room - 0.5)] for k in range(room)]
        kept.update(found)
    return [sites[k] for k in sorted(kept)]


@dataclass(frozen=True, kw_only=True)
class Integrity:
    """Result of the integrity checks: the same inputs give the same outputs, and reading changes nothing, to the bit.

    **Attributes:**

    - `outputs_repeatable`: two plain passes on the same inputs, with different random draws, agree.
    - `outputs_alone`: a few examples run by themselves have the outputs that they have among the others, up to rounding.
    - `outputs_identical`: a pass while every site is read agrees with a plain one.
    - `weights_identical`: weights and buffers are unchanged.
    - `kept`: names of buffers and attributes that hold a state: either two passes with the same inputs and draws leave them
      different, or outputs depend on what they kept of the first batch.
    """

    outputs_repeatable: bool = True
    outputs_alone: bool = True
    outputs_identical: bool
    weights_identical: bool
    num_examples: int
    num_sites: int
    kept: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.failure

    @property
    def failure(self) -> str:
        """The first check that fails, as the beginning of a sentence; empty where all hold."""
        if not self.outputs_repeatable:
            what = f"keeps {', '.join(self.kept) or 'something'} from one pass to the next"
            if self.outputs_identical or not self.kept:  # with the same draws outputs may agree whatever is kept
                what = f"draws at random or {what}"
            return f"the same inputs give other outputs in every pass, because the network {what}"
        if not self.outputs_alone and self.kept:
            return f"outputs depend on the first batch that the network ran, of which it keeps {', '.join(self.kept)}"
        if not self.outputs_alone:
            return "the output for an example depends on the other examples of its batch"
        if not self.outputs_identical:
            return "outputs change when the network's activations are read"
        what = f" ({', '.join(self.kept)})" if self.kept else ""
        return "" if self.weights_identical else f"a forward pass changes the network's own weights or buffers{what}"


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have equal bits, NaN and the sign of zero included."""
    # Flattened, since a tensor without dimensions cannot be viewed as bytes.
    same_kind = a.dtype == b.dtype and a.shape == b.shape
    return same_kind and torch.equal(a.flatten().contiguous().view(torch.uint8), b.flatten().contiguous().view(torch.uint8))
