"""A recurrent network, `nn.GRU`, that reads one number after the other: 80 % of the pairs are trained."""

import torch
from addition import Found, Recipe, compare
from torch import Tensor, nn

MODULUS, WIDTH = 23, 96
RECIPES = (
    Recipe("generalises", True, steps=3000, weight_decay=1.0, learning_rate=5e-3),
    Recipe("generalises, more decay", True, steps=3000, weight_decay=1.5, learning_rate=5e-3),
    Recipe("memorises", False, steps=300, weight_decay=0.0, learning_rate=5e-3),
    Recipe("memorises, with decay", False, steps=200, weight_decay=0.5, learning_rate=5e-3),
)


class Reader(nn.Module):
    """`tokens` `(n, 2)` to logits."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(MODULUS, WIDTH)
        self.reader = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.answer = nn.Linear(WIDTH, MODULUS)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.reader(self.embed(tokens))
        return self.answer(states[:, -1])


def main(recipes: tuple[Recipe, ...] = RECIPES) -> list[Found]:
    units = {"incoming": [("embed.weight", 1)], "outgoing": [("reader.weight_ih_l0", 1)]}
    return compare(Reader, recipes, modulus=MODULUS, share=0.8, **units)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
