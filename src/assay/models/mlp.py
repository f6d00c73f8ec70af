"""A multilayer perceptron on tokens, on a vector or on each of several vectors."""

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


class OneHot(nn.Module):
    """Tokens `(n, length)` to the one-hot code of every position, concatenated: `(n, length * vocab)`."""

    def __init__(self, vocab: int):
        super().__init__()
        self.vocab = vocab

    def forward(self, tokens: Int[Tensor, "n length"]) -> Float[Tensor, "n features"]:
        return F.one_hot(tokens, self.vocab).flatten(1).to(torch.get_default_dtype())


class _Layers(nn.Sequential):
    """Linear, ReLU, ..., Linear: `layers.0:out` is the first pre-activation, `layers.1:out` the first post-activation."""

    def __init__(self, num_inputs: int, num_outputs: int, *, width: int, depth: int):
        sizes = [num_inputs, *[width] * depth]
        hidden = [layer for before, after in pairwise(sizes) for layer in (nn.Linear(before, after), nn.ReLU())]
        super().__init__(*hidden, nn.Linear(sizes[-1], num_outputs))


class TokenMLP(nn.Module):
    """`tokens` `(n, length)`, int64 in `range(vocab)`, to outputs `(n, num_outputs)`; `depth` hidden layers of `width`."""

    def __init__(self, *, vocab: int, length: int, num_outputs: int, width: int = 128, depth: int = 2):
        super().__init__()
        self.encode = OneHot(vocab)
        self.layers = _Layers(vocab * length, num_outputs, width=width, depth=depth)

    def forward(self, tokens: Int[Tensor, "n length"]) -> Float[Tensor, "n num_outputs"]:
        return self.layers(self.encode(tokens))


class VectorMLP(nn.Module):
    """`x` `(n, num_features)` to outputs `(n, num_outputs)`; `depth` hidden layers of `width`.

    On a sequence `(n, length, num_features)` it acts at every position alone: `(n, length, num_outputs)`.
    """

    def __init__(self, *, num_features: int, num_outputs: int, width: int = 128, depth: int = 2):
        super().__init__()
        self.layers = _Layers(num_features, num_outputs, width=width, depth=depth)

    def forward(self, x: Float[Tensor, "n *length num_features"]) -> Float[Tensor, "n *length num_outputs"]:
        return self.layers(x)
