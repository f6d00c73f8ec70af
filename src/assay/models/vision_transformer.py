"""A vision transformer on square images (Dosovitskiy et al. 2021, arXiv 2010.11929), without a class token."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from assay.models.transformer import Block


class Patches(nn.Module):
    """An image `(n, channels, size, size)` to one token for each patch, `(n, side**2, width)` row by row: a linear map of the
    patch plus a learned position vector. Images are padded with zeros to whole patches."""

    def __init__(self, *, channels: int, size: int, patch: int, width: int):
        super().__init__()
        side = -(-size // patch)
        self.missing = side * patch - size
        self.linear = nn.Conv2d(channels, width, patch, stride=patch)
        self.place = nn.Embedding(side**2, width)

    def forward(self, image: Float[Tensor, "n channels size size"]) -> Float[Tensor, "n places width"]:
        whole = F.pad(image, (0, self.missing, 0, self.missing))
        return self.linear(whole).flatten(2).mT + self.place.weight


class VisionTransformer(nn.Module):
    """`image` `(n, channels, size, size)` to outputs `(n, num_outputs)`, read from the mean of all tokens.

    `depth` blocks of self-attention and feed-forward over patches of `patch` x `patch` pixels. The tokens after each block are
    sites, such as `blocks.0:out` `(n, side**2, width)`.
    """

    def __init__(
        self, *, channels: int, size: int, num_outputs: int, width: int = 64, depth: int = 2, heads: int = 4, patch: int = 2
    ):
        super().__init__()
        self.patches = Patches(channels=channels, size=size, patch=patch, width=width)
        self.blocks = nn.ModuleList([Block(width, heads, causal=False) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_outputs)

    def forward(self, image: Float[Tensor, "n channels size size"]) -> Float[Tensor, "n num_outputs"]:
        tokens = self.patches(image)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens).mean(1))
