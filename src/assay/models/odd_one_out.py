"""Odd-one-out networks: an encoder of single items, and the cosines between their codes.

As in Lepori, Serre and Pavlick 2023 (arXiv 2301.10884), whose encoders are BERT and residual networks.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from assay.models.cnn import ConvNet
from assay.models.mlp import VectorMLP
from assay.models.transformer import Transformer

SCALE = 4.0  # factor of the scores; without it even a perfect answer has a loss of .05
NUM_CODE = 16


class ItemScorer(nn.Module):
    """`items` `(n, k, ...)` to scores `(n, k)`: the dissimilarity of each item's code from the others.

    With unit vectors f_i from the encoder, the score of item i is `-4 sum_j cos(f_i, f_j)` over the other items j. Scores do
    not depend on positions. A code of length zero has cosine 0 with all others.

    **Arguments:**

    - `encoder`: any module from `(n, ...)` to codes `(n, features)`.
    """

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, items: Tensor) -> Float[Tensor, "n k"]:
        units = F.normalize(self.codes(items), dim=-1)
        # The sum over all minus the item's own product, which is 1 except for a code of length zero.
        agreement = (units * units.sum(1, keepdim=True)).sum(-1) - units.square().sum(-1)
        return -SCALE * agreement

    def codes(self, items: Tensor) -> Float[Tensor, "n k features"]:
        """Codes of all items. The encoder runs once for every position, so that its own sites have one row for each problem."""
        return torch.stack([self.encoder(item) for item in items.unbind(1)], 1)


class EncodedRows(ItemScorer):
    """Scorer with an encoder from `(n, k, ...)` to `(n, k, features)` that treats every item alone, such as linear layers. It
    runs once, which is faster."""

    def codes(self, items: Tensor) -> Float[Tensor, "n k features"]:
        return self.encoder(items)


class EncodedVectors(EncodedRows):
    """Items are vectors `(n, 4, num_features)`; the encoder is an MLP with `depth` hidden layers of `width`."""

    def __init__(self, *, num_features: int, width: int = 128, depth: int = 2):
        super().__init__(VectorMLP(num_features=num_features, num_outputs=NUM_CODE, width=width, depth=depth))


class EncodedTokens(ItemScorer):
    """Items are token sequences `(n, 4, length)`; the encoder is a transformer of `depth` blocks."""

    def __init__(self, *, vocab: int, length: int, width: int = 64, depth: int = 2, heads: int = 4):
        encoder = Transformer(vocab=vocab, length=length, num_outputs=width, width=width, depth=depth, heads=heads)
        super().__init__(encoder)


class EncodedImages(ItemScorer):
    """Items are images `(n, 4, channels, size, size)`; the encoder is a convolutional network."""

    def __init__(self, *, channels: int, width: int = 16, depth: int = 4):
        super().__init__(ConvNet(channels=channels, num_outputs=NUM_CODE, width=width, depth=depth))
