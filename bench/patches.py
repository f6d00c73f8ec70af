"""Patching in lists: 1,000 contexts, 3 queries and 4 patches on a transformer of two layers.

Run `python bench/patches.py`. The target is 5 s. The comparison is what a user would write without hooks on whole batches: the
same patches, one context at a time, measured on 20 contexts and multiplied up. Processor time, one thread.
"""

import time

import torch
from torch import Generator

from assay.instruments.binding.swaps import Pairing, pairing, patched_shares
from assay.models import build
from assay.subject import Subject
from assay.tasks import load_task

CONTEXTS, FEW = 1_000, 20
PATCHES = ("attribute", "entity", "both", "unrelated token")
SITE = "blocks.0:out"


def main() -> None:
    torch.set_num_threads(1)
    task = load_task("lists")
    network = Subject(build("transformer", task, generator=Generator().manual_seed(0)))
    targets, sources = (
        task.contexts(CONTEXTS, size=3, pairs="trained", generator=Generator().manual_seed(seed)) for seed in (1, 2)
    )
    pairs = pairing(task, targets, sources)
    whole = _time(network, pairs)
    one = pairing(task, targets.take(torch.arange(1)), sources)
    single = sum(_time(network, one) for _ in range(FEW)) / FEW * len(pairs.target.contexts)
    print(
        f"{len(pairs.target.contexts)} contexts x 3 queries x {len(PATCHES)} patches: {whole:.1f} s; one context at a time "
        f"about {single:.0f} s, {single / whole:.0f} times as much"
    )


def _time(network: Subject, pairs: Pairing) -> float:
    start = time.process_time()
    patched_shares(network, pairs, SITE, PATCHES, generator=Generator().manual_seed(0))
    return time.process_time() - start


if __name__ == "__main__":
    main()
