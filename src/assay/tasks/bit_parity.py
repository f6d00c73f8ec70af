"""Bits of which two pairs matter: the smallest odd-one-out task with two parts."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.task import Pool, Vector
from assay.tasks.odd_one_out import GroupedItems, OddOneOut
from assay.tasks.pools import hashed

NUM_GROUPS = 512


@dataclass(frozen=True, kw_only=True)
class BitParity(OddOneOut):
    """An item is `num_bits` numbers, each 1 or -1. It obeys `first` when bits 0 and 1 agree, and `second` when the bits `half`
    and `half + 1` do, where `half` is `num_bits // 2`. All others are irrelevant.

    Items are grouped into 512 by a hash, which decides their pool.

    **Arguments:**

    - `num_bits`: 8 to 62.
    """

    family: ClassVar[str] = "bit-parity"
    part_names: ClassVar[tuple[str, str]] = ("first", "second")
    spare: ClassVar[int] = 4
    num_bits: int = 20

    def __post_init__(self):
        if not 8 <= self.num_bits <= 62:
            raise AssayError("bit-parity: num_bits must be between 8 and 62", given=self.num_bits)
        super().__post_init__()

    @property
    def pairs(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The two bits of every part."""
        half = self.num_bits // 2
        return (0, 1), (half, half + 1)

    def item_spec(self) -> Vector:
        return Vector(self.num_bits)

    def candidates(self, obeys: Bool[Tensor, "m 2"], *, pool: Pool, generator: Generator) -> GroupedItems:
        # One integer holds all bits of an item, which is fastest: most candidates are rejected.
        codes = torch.randint(2**self.num_bits, (len(obeys),), generator=generator)
        for k, (one, other) in enumerate(self.pairs):
            wrong = (codes >> one ^ codes >> other ^ ~obeys[:, k]) & 1
            codes = codes ^ wrong << other
        bits = codes[:, None] >> torch.arange(self.num_bits) & 1
        return GroupedItems((2 * bits - 1).float(), hashed(codes) % NUM_GROUPS)
