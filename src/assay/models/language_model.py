"""A decoder-only transformer that predicts the next token at every position."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from assay.models.transformer import Block, Embedding


class LanguageModel(nn.Module):
    """`tokens` `(n, t)`, `t <= context`, int64 in `range(vocab)`, to logits `(n, t, vocab)` of the token after each."""

    def __init__(self, *, vocab: int, context: int, width: int = 128, depth: int = 2, heads: int = 4):
        super().__init__()
        self.embedding = Embedding(vocab, context, width)
        self.blocks = nn.ModuleList([Block(width, heads, causal=True) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab)
        self.bigram: nn.Module | None = None

    def forward(self, tokens: Int[Tensor, "n t"]) -> Float[Tensor, "n t vocab"]:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        return logits if self.bigram is None else logits + self.bigram(tokens)
