"""AbsTopK: only the largest activations at a place stay, with their sign (Gao et al. 2025, arXiv 2511.13653)."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError
from assay.models.gru import GRUCell
from assay.models.transformer import Attention, Block


@dataclass(frozen=True)
class AbsTopK:
    """A forward hook that keeps the share `active` of the last dimension, at least one unit; gradients pass through these
    alone.

    Example::

        layer.register_forward_hook(AbsTopK(0.25))
    """

    active: float

    def __call__(self, module: nn.Module, args: Any, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        size = x.detach().abs()
        num = max(1, round(self.active * x.shape[-1]))
        return x * (size >= size.topk(num).values[..., -1:])


def keep_active(module: nn.Module, active: float) -> None:
    """Put AbsTopK at the eight places of each block of a transformer (both norms, query, key, value, the output of attention,
    the hidden units, the output of the feed-forward), behind each ReLU of other networks, and at the states of cells.

    **Raises:** `AssayError` for a network without such a place.
    """
    places = list(dict.fromkeys(place for part in module.modules() for place in _places(part)))
    if not places:
        raise AssayError(
            "active units are chosen behind ReLU, in the blocks of transformers and in recurrent cells",
            given=f"{type(module).__name__} without",
            next_step="leave `active` out",
        )
    for place in places:
        place.register_forward_hook(AbsTopK(active))


def _places(part: nn.Module) -> list[nn.Module]:
    match part:
        case Block():
            return [part.attention_norm, part.mlp_norm, part.mlp.down]
        case Attention():
            return [part.query, part.key, part.value, part.output]
        case nn.ReLU() | GRUCell():
            return [part]
    return []
