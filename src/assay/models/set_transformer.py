"""A set transformer on square images (Lee et al. 2019, arXiv 1810.00825): a set of pixels with their positions."""

from jaxtyping import Float
from torch import Tensor, nn

from assay.models.slot_attention import PositionGrid
from assay.models.transformer import Attention, FeedForward


class CrossBlock(nn.Module):
    """Attention from `x` `(n, t, width)` to `memory` `(n, s, width)`, and feed-forward (MAB of the paper). Each reads a
    LayerNorm of the stream and is added to it; the paper normalises after the sums."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.query_norm, self.memory_norm, self.mlp_norm = (nn.LayerNorm(width) for _ in range(3))
        self.attention = Attention(width, heads)
        self.mlp = FeedForward(width)

    def forward(self, x: Float[Tensor, "n t width"], memory: Float[Tensor, "n s width"]) -> Float[Tensor, "n t width"]:
        x = x + self.attention(self.query_norm(x), self.memory_norm(memory))
        return x + self.mlp(self.mlp_norm(x))


class InducedBlock(nn.Module):
    """Self-attention of a set through `points` learned vectors, which attend to the set and are attended by it (ISAB of the
    paper), in time linear in the size of the set."""

    def __init__(self, width: int, heads: int, points: int):
        super().__init__()
        self.points = nn.Embedding(points, width)
        self.gather, self.spread = CrossBlock(width, heads), CrossBlock(width, heads)

    def forward(self, elements: Float[Tensor, "n m width"]) -> Float[Tensor, "n m width"]:
        return self.spread(elements, self.gather(self.points.weight.expand(len(elements), -1, -1), elements))


class SetTransformer(nn.Module):
    """`image` `(n, channels, size, size)` to outputs `(n, num_outputs)`.

    Every pixel is an element: a linear map of its channels and of its distances from the edges. `depth` blocks of attention
    through `points` vectors, `pools` learned vectors that attend to the set (PMA of the paper), a block among these,
    `pooled:out` `(n, pools, width)`, and a linear layer that reads them all. Only positions distinguish equal pixels.
    """

    def __init__(
        self,
        *,
        channels: int,
        size: int,
        num_outputs: int,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        points: int = 16,
        pools: int = 4,
    ):
        super().__init__()
        self.colour = nn.Conv2d(channels, width, 1)
        self.grid = PositionGrid(width, size)
        self.blocks = nn.ModuleList([InducedBlock(width, heads, points) for _ in range(depth)])
        self.seeds = nn.Embedding(pools, width)
        self.pool, self.among = CrossBlock(width, heads), CrossBlock(width, heads)
        self.pooled = nn.LayerNorm(width)
        self.head = nn.Linear(pools * width, num_outputs)

    def forward(self, image: Float[Tensor, "n channels size size"]) -> Float[Tensor, "n num_outputs"]:
        elements = self.grid(self.colour(image)).flatten(2).mT
        for block in self.blocks:
            elements = block(elements)
        seeds = self.pool(self.seeds.weight.expand(len(elements), -1, -1), elements)
        return self.head(self.pooled(self.among(seeds, seeds)).flatten(1))
