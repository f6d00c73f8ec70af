"""Pools of items by a hash, so that an item is in the same pool in every draw."""

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.task import Pool

_SHARES: dict[Pool, tuple[int, int]] = {"base": (0, 2), "mask": (2, 3), "test": (3, 4)}
"""The quarters of all groups that belong to each pool."""
_LOW_63_BITS = 2**63 - 1


def hashed(items: Tensor, seed: int = 0) -> Int[Tensor, " m"]:
    """A nonnegative hash of every item `(m, ...)`, different for every seed.

    A product with odd random integers, modulo 2^64, whose bits are then mixed (the finaliser of SplitMix64; Steele, Lea and
    Flood 2014).
    """
    codes = items.flatten(1) if items.ndim > 1 else items[:, None]
    codes = codes.contiguous().view(torch.int32).long() if codes.dtype == torch.float32 else codes.long()
    generator = Generator().manual_seed(seed)
    factors = 2 * torch.randint(2**62, (codes.shape[1],), generator=generator) + 1
    total = (codes * factors).sum(1) + torch.randint(2**62, (1,), generator=generator)
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        total = (total ^ (total >> shift & (2 ** (64 - shift) - 1))) * factor
    return (total ^ (total >> 31 & (2**33 - 1))) & _LOW_63_BITS


def is_in(group: Int[Tensor, " m"], pool: Pool) -> Bool[Tensor, " m"]:
    """Whether each group belongs to the pool: half of all groups to `base`, a quarter each to `mask` and to `test`."""
    quarter = hashed(group, seed=1) % 4
    low, high = _SHARES[pool]
    return (quarter >= low) & (quarter < high)
