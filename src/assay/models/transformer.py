"""A decoder-only transformer that classifies from its last position, and the blocks it shares with the encoder-decoder.

Pre-LayerNorm, learned positions, every projection a module of its own, so that each is a site. No dropout: the only randomness
of training is in its batches.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from assay.errors import AssayError

Keys = tuple[Float[Tensor, "n heads s size"], Float[Tensor, "n heads s size"]]
"""Keys and values of memory."""


class Cache:
    """Keys and values that one attention has computed during a decoding. `grows`: those of further memory are appended; else
    the first are kept, as for a source."""

    def __init__(self, *, grows: bool = True):
        self.grows = grows
        self.keys: Keys | None = None

    def with_those_of(self, read: Callable[[], Keys]) -> Keys:
        """All keys and values; `read` computes those of the current memory where they are needed."""
        if self.keys is None:
            self.keys = read()
        elif self.grows:
            key, value = read()
            self.keys = torch.cat([self.keys[0], key], 2), torch.cat([self.keys[1], value], 2)
        return self.keys


class Attention(nn.Module):
    """Multi-head attention from `x` `(n, t, width)` to `memory` `(n, s, width)`, or to `x` itself.

    `mask`, `(n, s)` or per position of `x` `(n, t, s)`, is True where memory may be attended; `causal` masks later positions
    where no mask per position is given. With a `cache`, memory follows the cached one, all of which may be attended. `sink`
    `(heads,)`, where present: the logit of one more key per head, with value 0.
    """

    def __init__(self, width: int, num_heads: int, *, causal: bool = False):
        super().__init__()
        if width % num_heads:
            raise AssayError("width must be a multiple of the number of heads", given=f"width {width}, {num_heads} heads")
        self.num_heads, self.causal = num_heads, causal
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.sink: nn.Parameter | None = None

    def forward(
        self,
        x: Float[Tensor, "n t width"],
        memory: Float[Tensor, "n s width"] | None = None,
        mask: Bool[Tensor, "n *q s"] | None = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "n t width"]:
        there = x if memory is None else memory
        query = self._split(self.query(x))
        key, value = self._keys(there) if cache is None else cache.with_those_of(lambda: self._keys(there))
        if mask is not None:
            mask = mask[:, None, None, :] if mask.ndim == 2 else mask[:, None]
        in_order = self.causal and cache is None and mask is None
        if self.sink is None:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=in_order)
        else:
            if in_order:
                mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=x.device).tril()
            mixed = _with_sink(query, key, value, mask, self.sink)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _keys(self, memory: Float[Tensor, "n s width"]) -> Keys:
        return self._split(self.key(memory)), self._split(self.value(memory))

    def _split(self, x: Float[Tensor, "n t width"]) -> Float[Tensor, "n heads t size"]:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def _with_sink(
    query: Float[Tensor, "n heads t size"],
    key: Float[Tensor, "n heads s size"],
    value: Float[Tensor, "n heads s size"],
    mask: Bool[Tensor, "..."] | None,
    sink: Float[Tensor, " heads"],
) -> Float[Tensor, "n heads t size"]:
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    resting = sink[:, None, None].expand(*scores.shape[:3], 1)
    return torch.cat([scores, resting], -1).softmax(-1)[..., :-1] @ value


class FeedForward(nn.Module):
    """Feed-forward layer at each position: up to `4 * width`, ReLU, down. `up:out` is the pre-activation."""

    def __init__(self, width: int):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)
        self.activation = nn.ReLU()
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "n t width"]) -> Float[Tensor, "n t width"]:
        return self.down(self.activation(self.up(x)))


class Block(nn.Module):
    """Self-attention and feed-forward, each on a LayerNorm of the residual stream `(n, t, width)` and added to it."""

    def __init__(self, width: int, num_heads: int, *, causal: bool):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, num_heads, causal=causal)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = FeedForward(width)

    def forward(
        self, x: Float[Tensor, "n t width"], mask: Bool[Tensor, "n *q s"] | None = None, cache: Cache | None = None
    ) -> Float[Tensor, "n t width"]:
        x = x + self.attention(self.attention_norm(x), mask=mask, cache=cache)
        return x + self.mlp(self.mlp_norm(x))


class Embedding(nn.Module):
    """Tokens `(n, t)` to the sum of a learned token and a learned position vector `(n, t, width)`; `first`: the position of the
    first token, `first + t <= length`."""

    def __init__(self, vocab: int, length: int, width: int):
        super().__init__()
        self.token = nn.Embedding(vocab, width)
        self.position = nn.Embedding(length, width)

    def forward(self, tokens: Int[Tensor, "n t"], first: int = 0) -> Float[Tensor, "n t width"]:
        return self.token(tokens) + self.position.weight[first : first + tokens.shape[1]]


class Transformer(nn.Module):
    """`tokens` `(n, length)`, int64 in `range(vocab)`, to outputs `(n, num_outputs)` read at the last position."""

    def __init__(self, *, vocab: int, length: int, num_outputs: int, width: int = 64, depth: int = 2, heads: int = 4):
        super().__init__()
        self.embedding = Embedding(vocab, length, width)
        self.blocks = nn.ModuleList([Block(width, heads, causal=True) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_outputs)

    def forward(self, tokens: Int[Tensor, "n length"]) -> Float[Tensor, "n num_outputs"]:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, -1]))
