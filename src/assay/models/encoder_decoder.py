"""A transformer encoder-decoder for sequence-to-sequence tasks such as SCAN."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from assay.models.transformer import Attention, Block, Cache, Embedding, FeedForward
from assay.objective import PAD


class DecoderBlock(nn.Module):
    """Causal self-attention, attention to the source and feed-forward, each on a LayerNorm of the residual stream."""

    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, num_heads, causal=True)
        self.source_norm = nn.LayerNorm(width)
        self.source_attention = Attention(width, num_heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = FeedForward(width)

    def forward(
        self,
        x: Float[Tensor, "n t width"],
        memory: Float[Tensor, "n s width"],
        mask: Bool[Tensor, "n s"],
        caches: tuple[Cache, Cache] | tuple[None, None] = (None, None),
    ) -> Float[Tensor, "n t width"]:
        own, of_source = caches
        x = x + self.attention(self.attention_norm(x), cache=own)
        x = x + self.source_attention(self.source_norm(x), memory, mask, of_source)
        return x + self.mlp(self.mlp_norm(x))


@dataclass
class EncoderDecoderCache:
    """State of one decoding: the encoded source, and for every block the keys and values of answer and source."""

    memory: Float[Tensor, "n s width"]
    mask: Bool[Tensor, "n s"]
    caches: list[tuple[Cache, Cache]]
    length: int = 0


class EncoderDecoder(nn.Module):
    """`source` `(n, source_length)` and `prefix` `(n, target_length)`, int64 padded with 0, to logits `(n, target_length,
    target_vocab)`: at position t those of target t given the prefix up to t.

    PAD in the source is never attended, and no position of the prefix sees later ones.
    """

    def __init__(
        self,
        *,
        source_vocab: int,
        source_length: int,
        target_vocab: int,
        target_length: int,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
    ):
        super().__init__()
        self.source_embedding = Embedding(source_vocab, source_length, width)
        self.encoder = nn.ModuleList([Block(width, heads, causal=False) for _ in range(depth)])
        self.encoder_norm = nn.LayerNorm(width)
        self.target_embedding = Embedding(target_vocab, target_length, width)
        self.decoder = nn.ModuleList([DecoderBlock(width, heads) for _ in range(depth)])
        self.decoder_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, target_vocab)

    def forward(
        self, source: Int[Tensor, "n source_length"], prefix: Int[Tensor, "n target_length"]
    ) -> Float[Tensor, "n target_length target_vocab"]:
        length = prefix.shape[1]
        if self.training:  # fixed shapes outside training, so that sites can be read and replaced
            source, prefix = _trimmed(source), _trimmed(prefix)
        memory, mask = self._encoded(source)
        x = self.target_embedding(prefix)
        for block in self.decoder:
            x = block(x, memory, mask)
        logits = self.head(self.decoder_norm(x))
        return F.pad(logits, (0, 0, 0, length - logits.shape[1]))

    def _encoded(
        self, source: Int[Tensor, "n source_length"]
    ) -> tuple[Float[Tensor, "n source_length width"], Bool[Tensor, "n source_length"]]:
        mask = source != PAD
        mask[:, :1] = True  # an empty source attends to one PAD: a softmax over nothing is NaN
        memory = self.source_embedding(source)
        for block in self.encoder:
            memory = block(memory, mask)
        return self.encoder_norm(memory), mask

    # Decoding step by step (assay.computation.decoding)

    def begin(self, source: Int[Tensor, "n source_length"]) -> EncoderDecoderCache:
        """Read the source."""
        return EncoderDecoderCache(*self._encoded(source), [(Cache(), Cache(grows=False)) for _ in self.decoder])

    def step(self, tokens: Int[Tensor, " n"], read: EncoderDecoderCache) -> Float[Tensor, "n target_vocab"]:
        """Logits of the token after one more token of the answer."""
        x = self.target_embedding(tokens[:, None], read.length)
        read.length += 1
        for block, caches in zip(self.decoder, read.caches, strict=True):
            x = block(x, read.memory, read.mask, caches)
        return self.head(self.decoder_norm(x))[:, 0]


def _trimmed(tokens: Int[Tensor, "n t"]) -> Int[Tensor, "n s"]:
    """Tokens without the columns that are PAD in every row, which cost time and change nothing."""
    used = (tokens != PAD).any(0).nonzero()
    return tokens[:, : int(used[-1]) + 1] if len(used) else tokens[:, :1]
