"""A gated recurrent network that reads tokens in order and answers from its last state."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


class GRUCell(nn.GRUCell):
    """`nn.GRUCell` without its fused kernel, which `torch.vmap` cannot batch: many small networks train faster batched."""

    def forward(self, input: Float[Tensor, "n inputs"], hx: Float[Tensor, "n width"] | None = None) -> Float[Tensor, "n width"]:
        hx = input.new_zeros(len(input), self.hidden_size) if hx is None else hx
        read = F.linear(input, self.weight_ih, self.bias_ih).chunk(3, -1)
        kept = F.linear(hx, self.weight_hh, self.bias_hh).chunk(3, -1)
        reset, update = torch.sigmoid(read[0] + kept[0]), torch.sigmoid(read[1] + kept[1])
        new = torch.tanh(read[2] + reset * kept[2])
        return new + update * (hx - new)


class TokenGRU(nn.Module):
    """`tokens` `(n, length)`, int64 in `range(vocab)`, to outputs `(n, num_outputs)` read from the last state.

    A learned embedding, then `depth` layers of `width` units (Cho et al. 2014, arXiv 1406.1078), each reading the states of
    the one below. The layers are cells that run once for every position, so that the states of layer k at all positions are
    the site `cells.k:out`, `(n, length, width)`. The weights do not depend on `length`: tokens of any length can be read.
    """

    def __init__(self, *, vocab: int, length: int, num_outputs: int, width: int = 64, depth: int = 1):
        super().__init__()
        self.length = length
        self.embedding = nn.Embedding(vocab, width)
        self.cells = nn.ModuleList([GRUCell(width, width) for _ in range(depth)])
        self.head = nn.Linear(width, num_outputs)

    def forward(self, tokens: Int[Tensor, "n t"]) -> Float[Tensor, "n num_outputs"]:
        embedded = self.embedding(tokens)
        states = [embedded.new_zeros(len(embedded), self.head.in_features)] * len(self.cells)
        for position in range(embedded.shape[1]):
            below = embedded[:, position]
            for k, cell in enumerate(self.cells):
                states[k] = below = cell(below, states[k])
        return self.head(states[-1])
