"""Random generators by key, and random orders."""

import hashlib

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.bounds import check_seed


def in_turns(groups: Int[Tensor, " n"], generator: Generator) -> Int[Tensor, " n"]:
    """Random order of all rows, with one of every group before a second of any."""
    order = torch.randperm(len(groups), generator=generator)
    _, group, counts = groups[order].unique(return_inverse=True, return_counts=True)
    by_group = group.argsort(stable=True)
    place = torch.empty_like(group)
    place[by_group] = torch.arange(len(group)) - (counts.cumsum(0) - counts)[group[by_group]]
    return order[place.argsort(stable=True)]


def child_generator(generator: Generator) -> Generator:
    """A new torch generator seeded by the next draw of `generator`, so that the number of its draws affects nothing else."""
    return Generator().manual_seed(int(torch.randint(2**62, (1,), generator=generator)))


def keyed_generator(seed: int, key: str) -> Generator:
    """A separate generator for every key, so that draws depend on neither other keys nor the order.

    **Raises:** `AssayError` for an invalid seed.
    """
    return Generator().manual_seed(keyed_seed(seed, key))


def keyed_seed(seed: int, key: str) -> int:
    """The seed of `keyed_generator`. **Raises:** `AssayError` for an invalid seed."""
    check_seed("a seed", seed)
    return int.from_bytes(hashlib.sha256(f"{key}:{seed}".encode()).digest()[:7], "big")
