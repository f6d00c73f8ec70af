"""Attention sinks, RMSNorm and a bigram table, as in the transformers of Gao et al. 2025 (arXiv 2511.13653)."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from assay.errors import AssayError
from assay.models.language_model import LanguageModel
from assay.models.transformer import Attention

VARIANTS: tuple[str, ...] = ("sinks", "rms", "bigram")
"""Options of 0 or 1."""


class Bigram(nn.Module):
    """Logits of the token after each token `(n, t)` by that token alone, so that the network need not learn bigrams: a table
    `(vocab, vocab)`, initially zero. Sparse training leaves it dense (`stays_dense`)."""

    stays_dense = True

    def __init__(self, vocab: int):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(vocab, vocab))

    def forward(self, tokens: Int[Tensor, "n t"]) -> Float[Tensor, "n t vocab"]:
        return self.table[tokens]


def vary(module: nn.Module, name: str) -> None:
    """Make one change to the architecture, in place.

    - `sinks`: every attention head has one more key, with a learned logit and value 0.
    - `rms`: RMSNorm replaces every LayerNorm. Its gain is one factor per unit and can be folded into the next matrices, so a
      zero weight remains an absent connection.
    - `bigram`: a `Bigram` table is added to the logits of a model that predicts the next token everywhere.

    **Raises:** `AssayError` for a network to which the change does not apply.

    Example::

        model = build("transformer", assay.load_task("code:program"), generator=generator, sinks=1, rms=1, bigram=1)
    """
    found = list(_changed(module, name))
    if not found:
        wanted = {"sinks": "attention", "rms": "LayerNorm", "bigram": "one logit for each token at every position"}[name]
        raise AssayError(
            f"{name} is for networks with {wanted}",
            given=f"{type(module).__name__} without",
            next_step=f"leave `{name}` out",
        )


def _changed(module: nn.Module, name: str) -> Iterator[nn.Module]:
    if name == "bigram":
        if isinstance(module, LanguageModel):
            module.bigram = Bigram(module.head.out_features)
            yield module.bigram
        return
    for part in list(module.modules()):
        if name == "sinks" and isinstance(part, Attention):
            part.sink = nn.Parameter(torch.zeros(part.num_heads))
            yield part
        elif name == "rms":
            for own, child in part.named_children():
                if isinstance(child, nn.LayerNorm):
                    setattr(part, own, nn.RMSNorm(list(child.normalized_shape), eps=child.eps))
                    yield part
