"""Encoders of four architectures, from an input of any family to `num_outputs` numbers.

Inputs come as vectors `(n, d)`, sequences `(n, length, d)` or images `(n, channels, h, w)`. A vector is cut into frames where a
sequence is wanted.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError

Shape = tuple[int, ...]
_FRAME = 4  # numbers of a frame, and pixels along the side of a patch
_LONG = 20  # steps from which on a sequence is read two at a time
NUM_READERS = 2  # places of a transformer that its output is read from


class MLP(nn.Module):
    """Two hidden layers of ReLUs on the flattened input."""

    def __init__(self, shape: Shape, num_outputs: int, width: int):
        super().__init__()
        sizes = math.prod(shape), 2 * width, 2 * width
        self.layers = nn.Sequential(
            nn.Linear(sizes[0], sizes[1]), nn.ReLU(), nn.Linear(*sizes[1:]), nn.ReLU(), nn.Linear(sizes[2], num_outputs)
        )

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n o"]:
        return self.layers(x.flatten(1))


class CNN(nn.Module):
    """A convolution, the largest value of each region, and two layers. Images have 1 x 2 regions, or 2 x 2 and the whole where
    they have three channels, signals and sequences one or two."""

    def __init__(self, shape: Shape, num_outputs: int, width: int):
        super().__init__()
        self.shape = shape
        if len(shape) == 3:
            stride = 2 if shape[1] > 16 else 1
            self.regions = (2, 2) if shape[0] == 3 else (1, 2)
            filters = width
            self.conv = nn.Conv2d(shape[0], filters, 3 if shape[0] == 3 else 5, stride=stride)
            self.pool = nn.AdaptiveMaxPool2d(self.regions)
        else:
            self.regions = (1,) if len(shape) == 1 else (2,)
            filters = 2 * width
            kernel = 24 if len(shape) == 1 else 4
            self.conv = nn.Conv1d(1 if len(shape) == 1 else shape[1], filters, kernel)
            self.pool = nn.AdaptiveMaxPool1d(self.regions[0])
        self.layers = nn.Sequential(
            nn.Linear(filters * (math.prod(self.regions) + (len(shape) == 3)), 2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, num_outputs),
        )

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n o"]:
        if len(self.shape) == 1:
            x = x[:, None]
        elif len(self.shape) == 2:
            x = x.transpose(1, 2)
        regions = self.pool(torch.relu(self.conv(x))).flatten(2)
        if len(self.shape) == 3:
            regions = torch.cat([regions, regions.amax(2, keepdim=True)], 2)
        return self.layers(regions.flatten(1))


class GRU(nn.Module):
    """A recurrent network over frames; two layers on its last state and on the largest that each unit took."""

    def __init__(self, shape: Shape, num_outputs: int, width: int):
        super().__init__()
        self.shape = shape
        self.cells = nn.GRU(_width(shape), width, batch_first=True)
        self.layers = nn.Sequential(nn.Linear(2 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, num_outputs))

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n o"]:
        states = self.cells(_frames(x, self.shape))[0]
        return self.layers(torch.cat([states[:, -1], states.amax(1)], 1))


class FrameTransformer(nn.Module):
    """Blocks of attention and an MLP over frames and two reading places, whose states two layers read."""

    def __init__(self, shape: Shape, num_outputs: int, width: int, *, depth: int = 1):
        super().__init__()
        self.shape = shape
        self.embed = nn.Sequential(nn.Linear(_width(shape), 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.place = nn.Parameter(0.1 * torch.randn(_length(shape), width))
        self.readers = nn.Parameter(0.1 * torch.randn(NUM_READERS, width))
        self.blocks = nn.Sequential(*(EncoderBlock(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(nn.Linear(NUM_READERS * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, num_outputs))

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n o"]:
        frames = self.embed(_frames(x, self.shape)) + self.place
        state = self.blocks(torch.cat([frames, self.readers.expand(len(x), -1, -1)], 1))
        return self.layers(self.norm(state)[:, -NUM_READERS:].flatten(1))


class EncoderBlock(nn.Module):
    """Attention with two heads and an MLP, each behind a LayerNorm, on a residual stream."""

    def __init__(self, width: int, heads: int = 2):
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, x: Float[Tensor, "n t w"]) -> Float[Tensor, "n t w"]:
        n, length, width = x.shape
        queries, keys, values = (
            part.view(n, length, self.heads, -1).transpose(1, 2) for part in self.qkv(self.first(x)).chunk(3, -1)
        )
        weights = torch.softmax(queries @ keys.transpose(-1, -2) / math.sqrt(width // self.heads), -1)
        x = x + self.mix((weights @ values).transpose(1, 2).reshape(n, length, width))
        return x + self.mlp(self.second(x))


def _width(shape: Shape) -> int:
    return {1: _FRAME, 2: shape[-1] * _together(shape), 3: shape[0] * _FRAME**2}[len(shape)]


def _length(shape: Shape) -> int:
    return {1: shape[0] // _FRAME, 2: shape[0] // _together(shape), 3: math.prod(shape[1:]) // _FRAME**2}[len(shape)]


def _together(shape: Shape) -> int:
    return 2 if shape[0] >= _LONG else 1


def _frames(x: Tensor, shape: Shape) -> Float[Tensor, "n t w"]:
    """Frames of a vector, steps of a sequence, patches of an image."""
    if len(shape) == 1:
        return x.unflatten(1, (-1, _FRAME))
    if len(shape) == 2:
        return x.unflatten(1, (-1, _together(shape))).flatten(2)
    patches = x.unfold(2, _FRAME, _FRAME).unfold(3, _FRAME, _FRAME)  # n, channels, rows, columns, h, w
    return patches.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


ENCODERS: dict[str, Callable[[Shape, int, int], nn.Module]] = {
    "mlp": MLP,
    "cnn": CNN,
    "gru": GRU,
    "transformer": FrameTransformer,
}


def encoder(architecture: str, shape: Shape, num_outputs: int, *, width: int) -> nn.Module:
    """A freshly initialised encoder. **Raises:** `AssayError` for an unknown architecture."""
    if architecture not in ENCODERS:
        raise AssayError("an encoder has one of the architectures", given=architecture, choices=tuple(ENCODERS))
    return ENCODERS[architecture](shape, num_outputs, width)
