"""Encodings of the active modules: six encodings of the latent z (Redhardt, Akram and Schug 2025), and `zigzag`, ours.

From `identity`, `orthogonal`, `tokens` and `invertible_nn` z is linearly decodable before any training. `fewshot` does not
contain z, `interval_shuffle` hides a part of it, and `zigzag` contains all of it, but not linearly decodable.
`bench/encodings.py` measures the decodability of each.
"""

from collections.abc import Callable
from functools import cache
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.stats import keyed_generator
from assay.tasks.teacher import SIZE, Teacher, draw_inputs

Encoding = Literal["identity", "orthogonal", "tokens", "invertible_nn", "interval_shuffle", "zigzag", "fewshot"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
NUM_BINS = 10
NUM_SHOTS = 50
_ZIGZAG = (0.2, -0.6, 1.0, -1.0, 0.6, -0.2)
_NEAR = 1e-4  # 0.7 * 10 may be just below 7 in float32


def identity(z: Float[Tensor, "t m"], *, seed: int) -> Float[Tensor, "t m"]:
    """z itself."""
    return z


def orthogonal(z: Float[Tensor, "t m"], *, seed: int) -> Float[Tensor, "t m"]:
    """z, rotated by a fixed random rotation."""
    return z @ _rotation(z.shape[1], seed)


def tokens(z: Float[Tensor, "t m"], *, seed: int) -> Float[Tensor, "t 2*m"]:
    """For every module its number, then `floor(10 z_m) + M + 1`, as raw numbers."""
    amounts = (NUM_BINS * z + _NEAR).floor() + z.shape[1] + 1
    return torch.stack([torch.arange(z.shape[1]).expand_as(z).to(z), amounts], -1).flatten(1)


def invertible_nn(z: Float[Tensor, "t m"], *, seed: int) -> Float[Tensor, "t m"]:
    """Three coupling layers: one half is scaled by `1 + tanh(a) / 2` and shifted by `b`, where a and b are small networks of
    the other half."""
    size = z.shape[1]
    first, second = z.split([size // 2, size - size // 2], 1)
    for layer in range(3):
        scale = _small_network(first, second.shape[1], size, seed, f"scale {layer}")
        shift = _small_network(first, second.shape[1], size, seed, f"shift {layer}")
        first, second = second * (1 + scale.tanh() / 2) + shift, first
    return torch.cat([first, second], 1)


def interval_shuffle(z: Float[Tensor, "t m"], *, seed: int) -> Float[Tensor, "t m"]:
    """A fixed permutation of ten bins of [0, 1]; 1 stays."""
    bins = (NUM_BINS * z + _NEAR).floor().long()
    rest = NUM_BINS * z - bins
    moved = (_permutation(seed)[bins.clamp(max=NUM_BINS - 1)] + rest) / NUM_BINS
    return torch.where(bins >= NUM_BINS, z, moved)


def zigzag(z: Float[Tensor, "t m"], *, seed: int) -> Float[Tensor, "t m"]:
    """An injective map of z that is not linearly decodable: every amount zigzags around 0, then all are rotated.

    An absent module is 0. Amounts of .5, .6, ..., 1 become .2, -.6, 1, -1, .6, -.2, and rise by .1 towards the next, so that no
    two amounts collide. These values have mean 0, as absence has, and a correlation of -.03 with the amount: neither activity
    nor amount of a module is linearly decodable. A fixed random rotation then mixes modules over all columns. Amounts that are
    always 1 stay linear, as in every encoding of single modules.
    """
    bins = (NUM_BINS * z + _NEAR).floor().long()
    level = torch.tensor(_ZIGZAG)[(bins - NUM_BINS // 2).clamp(0, len(_ZIGZAG) - 1)]
    folded = torch.where(z > 0, level + 0.1 * (NUM_BINS * z - bins), 0.0)
    return folded @ _rotation(z.shape[1], seed)


def fewshot(z: Float[Tensor, "t m"], *, teacher: Teacher, generator: Generator) -> Float[Tensor, "t e"]:
    """50 new pairs (x, y) of the task, concatenated, without z."""
    x = draw_inputs(len(z) * NUM_SHOTS, generator=generator).view(len(z), NUM_SHOTS, SIZE)
    return torch.cat([x, teacher.by_task(z, x)], 2).flatten(1)


FIXED: dict[str, Callable[..., Tensor]] = {
    encode.__name__: encode for encode in (identity, orthogonal, tokens, invertible_nn, interval_shuffle, zigzag)
}
"""Encodings that are functions of z and a seed."""

assert {*FIXED, fewshot.__name__} == set(ENCODINGS)


def encode(
    z: Float[Tensor, "t m"], name: Encoding, *, teacher: Teacher, seed: int, generator: Generator
) -> Float[Tensor, "t e"]:
    """z in the encoding of that name. `seed` fixes the random parts of the encoding, `generator` those of each call."""
    if name == fewshot.__name__:
        return fewshot(z, teacher=teacher, generator=generator)
    return FIXED[name](z, seed=seed)


def width(name: Encoding, num_modules: int) -> int:
    """Number of columns of an encoding."""
    return {"tokens": 2 * num_modules, "fewshot": NUM_SHOTS * 2 * SIZE}.get(name, num_modules)


@cache
def _rotation(size: int, seed: int) -> Float[Tensor, "m m"]:
    q, r = torch.linalg.qr(torch.randn(size, size, generator=keyed_generator(seed, "orthogonal"), dtype=torch.float64))
    q = q * r.diagonal().sign()  # fix the signs: the rotation would not be uniform otherwise
    q[:, 0] *= q.det().sign()
    return q.float()


@cache
def _permutation(seed: int) -> Int[Tensor, " bins"]:
    return torch.randperm(NUM_BINS, generator=keyed_generator(seed, "interval_shuffle"))


def _small_network(x: Float[Tensor, "t a"], num_outputs: int, num_modules: int, seed: int, key: str) -> Float[Tensor, "t b"]:
    """Two hidden sigmoid layers of width 2 M, weights from N(0, 0.1^2), no biases."""
    first, second, last = _matrices(x.shape[1], 2 * num_modules, num_outputs, seed, key)
    return ((x @ first).sigmoid() @ second).sigmoid() @ last


@cache
def _matrices(num_inputs: int, hidden: int, num_outputs: int, seed: int, key: str) -> tuple[Tensor, Tensor, Tensor]:
    generator = keyed_generator(seed, f"invertible_nn {key}")
    sizes = (num_inputs, hidden), (hidden, hidden), (hidden, num_outputs)
    first, second, last = (0.1 * torch.randn(size, generator=generator) for size in sizes)
    return first, second, last
