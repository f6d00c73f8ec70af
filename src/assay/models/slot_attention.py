"""Autoencoders of scenes: with slot attention, and without slots."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError
from assay.models.gru import GRUCell

ITERATIONS = 3
_EPSILON = 1e-8


class PositionGrid(nn.Module):
    """Adds to every position of a map `(n, channels, size, size)` a linear map of its four distances from the edges."""

    def __init__(self, width: int, size: int):
        super().__init__()
        line = torch.linspace(0, 1, size, device="cpu")  # on the CPU even under assay.models.meta
        row, column = torch.meshgrid(line, line, indexing="ij")
        self.register_buffer("edges", torch.stack([row, column, 1 - row, 1 - column], 2), persistent=False)
        self.linear = nn.Linear(4, width)

    def forward(self, maps: Float[Tensor, "n channels size size"]) -> Float[Tensor, "n channels size size"]:
        return maps + self.linear(self.edges).permute(2, 0, 1)


class SlotAttention(nn.Module):
    """Slot attention (Locatello et al. 2020, arXiv 2006.15055, algorithm 1).

    Elements `(n, m, width)` to slots `(n, slots, width)`. Slots start from learned vectors of their own, so that a forward is
    deterministic. In every iteration elements divide their attention among slots by a softmax over slots, each slot takes the
    weighted mean of the elements' values, and updates by a GRU and a residual layer.

    In training mode the gradient passes through the last iteration alone, and from there directly to the start (Jia et al.
    2022, arXiv 2210.08990); in evaluation mode through all.
    """

    def __init__(self, width: int, slots: int):
        super().__init__()
        self.start = nn.Parameter(torch.randn(slots, width))
        self.element_norm, self.slot_norm, self.update_norm = (nn.LayerNorm(width) for _ in range(3))
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.cell = GRUCell(width, width)
        self.update = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.attention = nn.Identity()  # a site; its last call is that of the last iteration, `(n, slots, m)`

    def forward(self, elements: Float[Tensor, "n m width"]) -> Float[Tensor, "n slots width"]:
        elements = self.element_norm(elements)
        key, value = self.key(elements), self.value(elements)
        start = slots = self.start.expand(len(elements), -1, -1)
        for k in range(ITERATIONS):
            last = k == ITERATIONS - 1
            if self.training and last:
                slots = slots + (start - start.detach())  # adds no more than a gradient
            with torch.set_grad_enabled(torch.is_grad_enabled() and (last or not self.training)):
                slots = self._iterated(slots, key, value)
        return slots

    def _iterated(
        self, slots: Float[Tensor, "n slots width"], key: Float[Tensor, "n m width"], value: Float[Tensor, "n m width"]
    ) -> Float[Tensor, "n slots width"]:
        query = self.query(self.slot_norm(slots))
        logits = torch.einsum("nsd,nmd->nsm", query, key) / query.shape[2] ** 0.5
        attention = self.attention(logits.softmax(1)) + _EPSILON
        taken = torch.einsum("nsm,nmd->nsd", attention / attention.sum(2, keepdim=True), value)
        slots = self.cell(taken.flatten(0, 1), slots.flatten(0, 1)).view_as(slots)
        return slots + self.update(self.update_norm(slots))


def _check_draws(channels: int, size: int, num_outputs: int) -> None:
    if num_outputs != channels * size**2:
        raise AssayError(
            "an autoencoder answers with all pixels of its image",
            given=f"{num_outputs} outputs for {channels} x {size} x {size}",
            next_step="train it on a task whose target is the image, such as scenes",
        )


def _encoder(channels: int, width: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for k in range(depth):
        layers += [nn.Conv2d(channels if k == 0 else width, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


class SlotAutoencoder(nn.Module):
    """`image` `(n, channels, size, size)` to its reconstruction, flat `(n, num_outputs)`: a sum over slots, each with an image
    and a mask.

    `depth` convolutions of 3 x 3, so that a pixel's state sees its neighbours and not the scene; a grid of positions; slot
    attention; and a decoder of three layers, the same at every pixel, on each slot broadcast over the grid (Watters et al.
    2019). The masks, a softmax over slots, are the site `masks:out`, `(n, slots, size, size)`; the slots are `slots:out`,
    `(n, slots, width)`.
    """

    def __init__(self, *, channels: int, size: int, num_outputs: int, width: int = 32, depth: int = 2, slots: int = 5):
        super().__init__()
        _check_draws(channels, size, num_outputs)
        self.size = size
        self.encoder = _encoder(channels, width, depth)
        self.grid = PositionGrid(width, size)
        self.elements = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.slots = SlotAttention(width, slots)
        self.drawing = nn.Linear(width, width)
        self.laid_out = nn.Linear(4, width)
        self.decoder = nn.Sequential(nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, channels + 1))
        self.masks = nn.Identity()

    def forward(self, image: Float[Tensor, "n channels size size"]) -> Float[Tensor, "n num_outputs"]:
        found = self.grid(self.encoder(image)).flatten(2).mT
        slots = self.slots(self.elements(found))
        drawn = self.decoder(self.drawing(slots)[:, :, None] + self.laid_out(self.grid.edges.flatten(0, 1)))
        masks = self.masks(drawn[..., -1].softmax(1).unflatten(2, (self.size, self.size)))
        return (drawn[..., :-1] * masks.flatten(2)[..., None]).sum(1).mT.flatten(1)


class ConvAutoencoder(nn.Module):
    """Autoencoder with one vector as code: convolutions that halve the image, a bottleneck `code:out` `(n, 4 * width)`, and
    back."""

    def __init__(self, *, channels: int, size: int, num_outputs: int, width: int = 32, depth: int = 2):
        super().__init__()
        _check_draws(channels, size, num_outputs)
        layers: list[nn.Module] = []
        for k in range(depth):
            layers += [nn.Conv2d(channels if k == 0 else width, width, 3, stride=2, padding=1), nn.ReLU()]
        side = size
        for _ in range(depth):
            side = (side + 1) // 2
        self.encoder = nn.Sequential(*layers)
        self.code = nn.Linear(width * side**2, 4 * width)
        self.decoder = nn.Sequential(nn.ReLU(), nn.Linear(4 * width, 16 * width), nn.ReLU(), nn.Linear(16 * width, num_outputs))

    def forward(self, image: Float[Tensor, "n channels size size"]) -> Float[Tensor, "n num_outputs"]:
        return self.decoder(self.code(self.encoder(image).flatten(1)))
