"""Masks: which weights of a network are kept. A mask is data; the network is never changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from assay.display import brief
from assay.errors import AssayError


@dataclass(frozen=True)
class Mask:
    """A mask over the units of some parameters.

    **Attributes:**

    - `kind`: kind of the units: `weight`, `neuron`, `head` or `channel`; `mixed` for combined masks of several kinds.
    - `keep`: by dotted name of a parameter, a boolean tensor that broadcasts to its shape, True for kept weights.
    - `shapes`: the shapes of these parameters.

    Example::

        >>> from assay.masks import Mask
        >>> mask = Mask("weight", {"weight": torch.tensor([[True, False, False, False]])}, {"weight": (1, 4)})
        >>> other = Mask("weight", {"weight": torch.tensor([[False, False, True, False]])}, {"weight": (1, 4)})
        >>> (mask | other).full("weight").tolist(), mask.density({"weight": torch.ones(1, 4)})
        ([[True, False, True, False]], 0.25)
    """

    __repr__ = brief

    kind: str
    keep: Mapping[str, Bool[Tensor, "*units"]]
    shapes: Mapping[str, tuple[int, ...]]

    def full(self, parameter: str) -> Bool[Tensor, "*shape"]:
        """The mask of one parameter, in its shape."""
        return self.keep[parameter].expand(self.shapes[parameter])

    def kept(self, weights: Mapping[str, Tensor]) -> int:
        """Number of nonzero weights that the mask keeps."""
        self.check(weights)
        return sum(int((self.full(name) & (weights[name].cpu() != 0)).sum()) for name in self.keep)

    def of(self, weights: Mapping[str, Tensor]) -> int:
        """Number of nonzero weights of the masked parameters."""
        self.check(weights)
        return sum(int((weights[name] != 0).sum()) for name in self.keep)

    def density(self, weights: Mapping[str, Tensor]) -> float:
        """Share of the nonzero weights that the mask keeps; 0 where all are zero."""
        return self.kept(weights) / max(1, self.of(weights))

    def degenerate(self, weights: Mapping[str, Tensor]) -> str:
        """`keeps nothing` or `keeps everything`; empty for a proper subnetwork."""
        kept = self.kept(weights)
        return "keeps nothing" if not kept else "keeps everything" if kept == self.of(weights) else ""

    def check(self, weights: Mapping[str, Tensor]) -> None:
        """**Raises:** `AssayError` when a parameter is not in `weights`, or has another shape there."""
        for name, shape in self.shapes.items():
            if name not in weights:
                raise AssayError("a mask must have the names of the network's parameters", given=name, choices=weights)
            if tuple(weights[name].shape) != shape:
                raise AssayError(
                    f"a mask of {name} must have the shape of that parameter, {tuple(weights[name].shape)}", given=shape
                )

    def __or__(self, other: "Mask") -> "Mask":
        """Union of two masks."""
        return self._joined(other, torch.logical_or)

    def __and__(self, other: "Mask") -> "Mask":
        """Intersection of two masks."""
        return self._joined(other, torch.logical_and)

    def __invert__(self) -> "Mask":
        """Complement of a mask."""
        return Mask(self.kind, {name: ~keep for name, keep in self.keep.items()}, self.shapes)

    def _joined(self, other: "Mask", join: Callable[[Tensor, Tensor], Tensor]) -> "Mask":
        if dict(self.shapes) != dict(other.shapes):
            differing = sorted(
                name for name in {**self.shapes, **other.shapes} if self.shapes.get(name) != other.shapes.get(name)
            )
            raise AssayError(
                "masks can be combined only over the same parameters in the same shapes",
                given=f"masks that differ in {', '.join(differing)}",
                next_step="make both with the same `layers`, `start` and kind of network",
            )
        kind = self.kind if self.kind == other.kind else "mixed"
        return Mask(kind, {name: join(keep, other.keep[name]) for name, keep in self.keep.items()}, self.shapes)


def overlap(a: Mask, b: Mask, weights: Mapping[str, Tensor]) -> float:
    """Intersection over union of the nonzero weights that two masks keep; 0 where neither keeps any."""
    return (a & b).kept(weights) / max(1, (a | b).kept(weights))


def expected_overlap(a: Mask, b: Mask, weights: Mapping[str, Tensor]) -> float:
    """Approximate expectation of `overlap` for random masks that keep as many weights of every parameter."""
    both = either = 0.0
    for name in a.keep:
        alive = weights[name].cpu() != 0
        total, first, second = int(alive.sum()), int((a.full(name) & alive).sum()), int((b.full(name) & alive).sum())
        shared = first * second / max(1, total)
        both, either = both + shared, either + first + second - shared
    return both / max(1.0, either)
