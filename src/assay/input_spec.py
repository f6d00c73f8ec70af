"""Input specifications of tasks: the tensors that a reference model must take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tokens:
    """Input `tokens`: int64 `(n, length)` in `range(vocab)`.

    Example::

        >>> assay.load_task("modular-addition:p=7").input_spec
        Tokens(vocab=14, length=2)
    """

    vocab: int
    length: int


@dataclass(frozen=True)
class TokenSequence:
    """Input `tokens`: int64 `(n, t)` in `range(vocab)` with `t` up to `context`; every position has an output."""

    vocab: int
    context: int


@dataclass(frozen=True)
class Vector:
    """Input `x`: float32 `(n, num_features)`.

    Example::

        >>> from assay.models import build
        >>> from assay.task import Vector
        >>> parts = {"colour": list("rrbb"), "shape": list("dgdg")}
        >>> task = assay.Table(inputs=torch.rand(4, 8), targets=torch.tensor([0, 1, 1, 0]), parts=parts)
        >>> task.input_spec == Vector(num_features=8)
        True
        >>> build("mlp", task, generator=torch.Generator().manual_seed(0), width=16)(x=torch.rand(3, 8)).shape
        torch.Size([3, 2])
    """

    num_features: int


@dataclass(frozen=True)
class VectorSequence:
    """Input `x`: float32 `(n, length, num_features)`; every position has an output."""

    num_features: int
    length: int


@dataclass(frozen=True)
class SourceToTarget:
    """Inputs `source` `(n, source_length)` and `prefix` `(n, target_length)`, int64, padded with 0: the target shifted right by
    one after a start token, so that the output at position t predicts target t."""

    source_vocab: int
    source_length: int
    target_vocab: int
    target_length: int


@dataclass(frozen=True)
class Image:
    """Input `image`: float32 `(n, channels, size, size)` in [0, 1].

    Example::

        >>> from assay.task import Image
        >>> parts = {"colour": list("rrbb"), "shape": list("dgdg")}
        >>> task = assay.Table(inputs=torch.rand(4, 3, 8, 8), targets=torch.tensor([0, 1, 1, 0]), parts=parts)
        >>> task.input_spec == Image(channels=3, size=8)
        True
    """

    channels: int
    size: int


@dataclass(frozen=True)
class Items:
    """Input `items`: `(n, 4, ...)`, four items of one kind, one of which is the answer."""

    of: Tokens | Vector | Image


@dataclass(frozen=True)
class Pixels:
    """Input `x`: float32 `(n, 4)`, the coordinates of pixels. `depth`, `identity` and so on: hidden layers of a network that
    draws the picture, and units of each activation per layer."""

    depth: int
    identity: int
    gaussian: int
    sigmoid: int
    sin: int
    cos: int
    tanh: int


InputSpec = Tokens | TokenSequence | Vector | VectorSequence | SourceToTarget | Image | Items | Pixels
