"""A class as pasted from a notebook: functional activations, names as they came. 60 % of the pairs are trained."""

import torch
import torch.nn.functional as F
from addition import Found, Recipe, compare
from torch import nn

MODULUS = 31
RECIPES = (
    Recipe("generalises", True, steps=2000, weight_decay=1.0),
    Recipe("generalises, less decay", True, steps=3000, weight_decay=0.6),
    Recipe("memorises", False, steps=500, weight_decay=0.0),
    Recipe("memorises, with decay", False, steps=100, weight_decay=1.0),
)


class MyNet(nn.Module):
    def __init__(self, p=MODULUS, d=48, hid=160):
        super().__init__()
        self.E1 = nn.Embedding(p, d)
        self.E2 = nn.Embedding(p, d)
        self.fc_A = nn.Linear(d, hid)
        self.fc_B = nn.Linear(d, hid)
        self.out_ = nn.Linear(hid, p)

    def forward(self, tokens):
        a, b = tokens[:, 0], tokens[:, 1]
        h = F.relu(self.fc_A(self.E1(a)) + self.fc_B(self.E2(b)))
        return self.out_(h)


def main(recipes: tuple[Recipe, ...] = RECIPES) -> list[Found]:
    incoming = [("fc_A.weight", 0), ("fc_A.bias", 0), ("fc_B.weight", 0), ("fc_B.bias", 0)]
    return compare(MyNet, recipes, modulus=MODULUS, share=0.6, incoming=incoming, outgoing=[("out_.weight", 1)])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
