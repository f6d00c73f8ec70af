"""A decoder-only transformer for sequence-to-sequence tasks: source and answer form one sequence, at a random offset."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from assay.models.transformer import Block, Cache
from assay.objective import PAD


@dataclass
class DecoderCache:
    """State of one decoding: keys and values of every block, which positions hold tokens, and the next position."""

    caches: list[Cache]
    is_token: Bool[Tensor, "n s"]
    position: Int[Tensor, " n"]


class CausalTransformer(nn.Module):
    """`source` `(n, source_length)` and `prefix` `(n, target_length)`, int64 padded with 0, to logits `(n, target_length,
    target_vocab)`: at position t those of target t given the source and the prefix up to t.

    The prefix follows the source, whose PAD takes no position and is never attended. In training every example is shifted by a
    uniform offset that keeps it within the positions of the longest input: all positions are trained on short inputs too, so
    that longer ones do not fail for want of a position.
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
        self.source_vocab, self.length = source_vocab, source_length + target_length
        self.token = nn.Embedding(source_vocab + target_vocab, width)
        self.position = nn.Embedding(self.length, width)
        self.blocks = nn.ModuleList([Block(width, heads, causal=True) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, target_vocab)

    def forward(
        self, source: Int[Tensor, "n source_length"], prefix: Int[Tensor, "n target_length"]
    ) -> Float[Tensor, "n target_length target_vocab"]:
        length = prefix.shape[1]
        position = torch.zeros(len(source), dtype=torch.int64, device=source.device)
        if self.training:  # fixed shapes outside training, so that sites can be read and replaced
            used = (prefix != PAD).any(0).nonzero()
            prefix = prefix[:, : int(used[-1]) + 1] if len(used) else prefix[:, :1]
            room = self.length - (source != PAD).sum(1) - (prefix != PAD).sum(1)
            position = (torch.rand(len(source), device=source.device) * (room + 1)).long()
        read = DecoderCache([Cache() for _ in self.blocks], source[:, :0] != PAD, position)
        x = self._read(torch.cat([source, prefix + self.source_vocab], 1), torch.cat([source, prefix], 1) != PAD, read)
        logits = self.head(self.norm(x[:, source.shape[1] :]))
        return F.pad(logits, (0, 0, 0, length - logits.shape[1]))

    # Decoding step by step (assay.computation.decoding)

    def begin(self, source: Int[Tensor, "n source_length"]) -> DecoderCache:
        """Read the source."""
        read = DecoderCache([Cache() for _ in self.blocks], source[:, :0] != PAD, torch.zeros_like(source[:, 0]))
        self._read(source, source != PAD, read)
        return read

    def step(self, tokens: Int[Tensor, " n"], read: DecoderCache) -> Float[Tensor, "n target_vocab"]:
        """Logits of the token after one more token of the answer."""
        x = self._read(tokens[:, None] + self.source_vocab, tokens[:, None] != PAD, read)
        return self.head(self.norm(x[:, -1]))

    def _read(
        self, tokens: Int[Tensor, "n t"], is_token: Bool[Tensor, "n t"], read: DecoderCache
    ) -> Float[Tensor, "n t width"]:
        """The residual stream after the last block, at tokens that follow those already read."""
        place = read.position[:, None] + is_token.cumsum(1) - 1
        x = self.token(tokens) + self.position(place.clamp(0, self.length - 1))
        before, num = read.is_token.shape[1], tokens.shape[1]
        read.is_token, read.position = torch.cat([read.is_token, is_token], 1), read.position + is_token.sum(1)
        seen = torch.ones(num, before + num, dtype=torch.bool, device=tokens.device).tril(before)
        itself = seen & ~seen.tril(before - 1)
        # Padding attends to itself, since a softmax over nothing is NaN; nothing else attends to padding.
        mask = (read.is_token[:, None] & seen) | itself
        for block, cache in zip(self.blocks, read.caches, strict=True):
            x = block(x, mask, cache)
        return x
