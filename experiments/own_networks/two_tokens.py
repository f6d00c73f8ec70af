"""Two embedded tokens, one hidden layer without biases: 48 % of the pairs are trained."""

import torch
from addition import Found, Recipe, compare
from torch import Tensor, nn
from torch.nn import functional as F

MODULUS = 31
RECIPES = (
    Recipe("generalises", True, steps=3500, weight_decay=2.0, learning_rate=2e-2),
    Recipe("generalises, less decay", True, steps=5000, weight_decay=1.0, learning_rate=2e-2),
    Recipe("memorises", False, steps=500, weight_decay=0.0),
    Recipe("memorises, with decay", False, steps=150, weight_decay=1.0),
)


class TwoTokens(nn.Module):
    """`tokens` `(n, 2)` to logits."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(MODULUS, 64)
        self.hidden = nn.Linear(128, 128, bias=False)
        self.answer = nn.Linear(128, MODULUS, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.answer(F.relu(self.hidden(self.embed(tokens).flatten(1))))


def main(recipes: tuple[Recipe, ...] = RECIPES) -> list[Found]:
    units = {"incoming": [("hidden.weight", 0)], "outgoing": [("answer.weight", 1)]}
    return compare(TwoTokens, recipes, modulus=MODULUS, share=0.48, **units)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
