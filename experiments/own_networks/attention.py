"""One block of attention without LayerNorm, answering from the last position: 70 % of the pairs are trained."""

import torch
from addition import Found, Recipe, compare
from torch import Tensor, nn
from torch.nn import functional as F

MODULUS, WIDTH, HEADS = 23, 64, 4
RECIPES = (
    Recipe("generalises", True, steps=1200, weight_decay=1.0, learning_rate=3e-3),
    Recipe("generalises, more decay", True, steps=1200, weight_decay=2.0, learning_rate=3e-3, twin=False),
    Recipe("memorises", False, steps=300, weight_decay=0.0, learning_rate=3e-3),
)


class OneBlock(nn.Module):
    """`tokens` `(n, 2)` to logits."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(MODULUS, WIDTH)
        self.position = nn.Parameter(torch.randn(2, WIDTH) * 0.1)
        self.attend = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.mix = nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.answer = nn.Linear(WIDTH, MODULUS, bias=False)
        nn.init.normal_(self.embed.weight, std=0.3)

    def forward(self, tokens: Tensor) -> Tensor:
        state = self.embed(tokens) + self.position
        query, key, value = (one.unflatten(-1, (HEADS, -1)).transpose(1, 2) for one in self.attend(state).chunk(3, -1))
        read = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        state = state + self.mix(read)
        state = state + self.down(F.relu(self.up(state)))
        return self.answer(state[:, -1])


def main(recipes: tuple[Recipe, ...] = RECIPES) -> list[Found]:
    units = {"incoming": [("up.weight", 0), ("up.bias", 0)], "outgoing": [("down.weight", 1)]}
    return compare(OneBlock, recipes, modulus=MODULUS, share=0.7, **units)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
