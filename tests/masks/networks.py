"""Small networks with every kind of maskable module, and one whose part is planted."""

import torch
from torch import Generator, Tensor, nn

from assay.task import Examples


def mlp(*, seed: int = 0, width: int = 8) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3)).eval()


class Planted(nn.Module):
    """Two signs, `x[0]` and `x[1]`, through units of their own: units 0 and 1 carry the first, 2 and 3 the second. The
    answer is the sign that `x[2]` asks for, unless one of them is missing; the other units are noise that nobody reads."""

    def __init__(self):
        super().__init__()
        self.front, self.back = nn.Linear(2, 6), nn.Linear(6, 2)
        with torch.no_grad():
            for weight in self.parameters():
                weight.zero_()
            for unit, (column, sign) in enumerate([(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)]):
                self.front.weight[unit, column] = sign
                self.back.weight[column, unit] = sign
            self.front.weight[4:] = 0.7
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Two logits from `x` `(n, 3)`: what is asked, and minus that."""
        read = self.back(torch.relu(self.front(x[:, :2])))
        asked = read.gather(1, (x[:, 2:] > 0).long())
        return 4 * torch.cat([asked, -asked], 1)


def asking(which: int, n: int, *, seed: int = 0) -> Examples:
    """Problems of the planted network that ask for one of the signs."""
    signs = torch.randint(2, (n, 2), generator=Generator().manual_seed(seed)).float() * 2 - 1
    x = torch.cat([signs, torch.full((n, 1), which * 2.0 - 1)], 1)
    return Examples({"x": x}, (signs[:, which] < 0).long(), {}, torch.arange(n))


class Everything(nn.Module):
    """Tokens through every kind of module that a mask may thin out, and through norms, which it may not."""

    def __init__(self, *, width: int = 8, heads: int = 2):
        super().__init__()
        from transformers.pytorch_utils import Conv1D

        self.embedding = nn.Embedding(5, width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.along = nn.Conv1d(width, width, 3, padding=1)
        self.over = nn.Conv2d(1, 2, 3, padding=1)
        self.norm, self.statistics = nn.LayerNorm(width), nn.BatchNorm1d(width)
        self.up, self.down = Conv1D(3 * width, width), nn.Linear(3 * width, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        x = x + self.along(x.mT).mT
        x = x + self.over(x[:, None]).mean(1)
        return self.down(torch.relu(self.up(self.statistics(x.mT).mT.contiguous()))).mean(1)


def tokens(n: int, *, seed: int = 0) -> dict[str, Tensor]:
    return {"tokens": torch.randint(5, (n, 6), generator=Generator().manual_seed(seed))}
