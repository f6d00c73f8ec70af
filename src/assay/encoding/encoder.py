"""The `Encoder` protocol."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from assay.graph import Graph
from assay.subject import Subject


@runtime_checkable
class PreparedTexts(Protocol):
    """Texts cut into tokens.

    **Attributes:**

    - `words`: for every text the word of each of its tokens, -1 for none.
    - `refused`: the texts that cannot be encoded, by index, and why. `states` does not accept them.
    """

    @property
    def words(self) -> Sequence[Sequence[int]]: ...
    @property
    def refused(self) -> Mapping[int, str]: ...

    def states(self, texts: Sequence[int]) -> Float[Tensor, "layers texts tokens width"]:
        """At every layer the state of every token of these texts, padded at the end."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """A network that has a state for every token.

    **Attributes:**

    - `layers`: names of the layers, from the first to the last; all have one width.
    - `left_out`: how many more layers of this width the network has.
    - `identity`: changes when the weights, the tokenizer or the layers change.
    """

    @property
    def layers(self) -> tuple[str, ...]: ...
    @property
    def left_out(self) -> int: ...
    @property
    def identity(self) -> str: ...

    def prepare(self, graphs: Sequence[Graph]) -> PreparedTexts:
        """Cut the texts into tokens."""
        ...

    def on(self, subject: Subject) -> "Encoder":
        """The same encoder on another network of the same architecture, such as an untrained copy."""
        ...

    def site(self, layer: str) -> str:
        """The site of the subject with a layer's states; empty where there is none."""
        ...


def weights_digest(weights: Iterable[tuple[str, Tensor]]) -> str:
    """SHA-256 over names and bits of all weights, in hexadecimal."""
    digest = hashlib.sha256()
    for name, weight in weights:
        digest.update(f"{name}:{weight.dtype}:{tuple(weight.shape)};".encode())
        digest.update(weight.detach().cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
