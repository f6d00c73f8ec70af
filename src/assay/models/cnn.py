"""A convolutional network on square images."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ConvNet(nn.Module):
    """`image` `(n, channels, size, size)`, of any size, to outputs `(n, num_outputs)`.

    `depth` convolutions of 3 x 3, each with a batch norm and a ReLU; all but the last halve the image. The first has `width`
    channels, the second twice as many, the others four times. A linear layer reads mean and maximum of every channel, so that
    outputs hardly depend on positions in the image.
    """

    def __init__(self, *, channels: int, num_outputs: int, width: int = 16, depth: int = 4):
        super().__init__()
        widths = [channels, *(width * min(2**k, 4) for k in range(depth))]
        strides = [*[2] * (depth - 1), 1]
        stages = (_stage(*sizes, stride) for sizes, stride in zip(pairwise(widths), strides, strict=True))
        self.layers = nn.Sequential(*stages)
        self.head = nn.Linear(2 * widths[-1], num_outputs)

    def forward(self, image: Float[Tensor, "n channels size size"]) -> Float[Tensor, "n num_outputs"]:
        found = self.layers(image)
        return self.head(torch.cat([found.mean((2, 3)), found.amax((2, 3))], 1))


def _stage(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.BatchNorm2d(after), nn.ReLU())
