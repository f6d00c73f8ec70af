"""Prequential code length of a network: every batch is coded before it is learned from, so that the cost of learning is
included."""

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, nn
from torch.nn import functional as F

from assay.isolation import seeded
from assay.jobs import one_thread
from assay.text.corpus import END, SYMBOLS, symbols_of

_WARMUP = 50


class Online(NamedTuple):
    """Prequential code length: `bits` per byte, over `num_bytes` bytes."""

    bits: float
    num_bytes: int


def prequential_network(
    module: nn.Module,
    texts: Sequence[str],
    *,
    window: int,
    most: int,
    seed: int,
    batch: int = 16,
    learning_rate: float = 2e-3,
) -> Online | None:
    """Code length of texts under an untrained byte-level network that learns while it codes (Dawid 1984; Blier and Ollivier
    2018, section 3.3), with one AdamW update after each batch. Weights need not be coded, since architecture and seed suffice
    to decode.

    **Arguments:**

    - `module`: from `tokens` `(n, window)` to logits `(n, window, 257)`; a copy of it is trained.
    - `most`: number of bytes, from the beginning of the texts. Windows are disjoint, begin without context and come in random
      order (`seed`).

    **Returns:** None for texts shorter than a window.
    """
    stream = np.concatenate([[END], *(symbols_of(text) for text in texts)])[: most + 1]
    rows = torch.from_numpy(stream.astype(np.int64))[: (len(stream) - 1) // window * window + 1]
    if len(rows) <= window:
        return None
    inputs, targets = rows[:-1].view(-1, window), rows[1:].view(-1, window)
    network, bits = copy.deepcopy(module).train(), 0.0
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=0.1)
    order = torch.randperm(len(inputs), generator=Generator().manual_seed(seed % 2**63))
    with one_thread(), seeded(0):
        for step, some in enumerate(order.split(batch)):
            loss = F.cross_entropy(network(tokens=inputs[some]).reshape(-1, SYMBOLS), targets[some].flatten())
            bits += float(loss.detach()) * some.numel() * window / math.log(2)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * min(1.0, (step + 1) / _WARMUP)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
    num_bytes = int((targets != END).sum())
    return Online(bits / num_bytes, num_bytes)
