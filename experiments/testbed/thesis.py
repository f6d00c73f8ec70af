"""Does gradient descent compose when composing is the cheapest way to describe the data? Code lengths and novel scores over
coverage and size.

Run `python experiments/testbed/thesis.py`. Networks learn y = (i + j) mod p by the recommended recipe, with and without weight
decay, over coverages and sizes p; a seed draws the trained pairs, the initial weights and the batches. Two code lengths stand
beside the novel score of a network:

- of the *solutions*, which depends on the data alone: a memoriser sends each of k answers in log2 p bits; a composer sends the
  residue that each value of i and of j stands for, 2p - 1 of them up to a shift, and every answer follows;
- the *prequential* code of the recipe with its data (Blier and Ollivier 2018, arXiv 1802.07044): the trained pairs are sent in
  random order in blocks, the first as if all answers were equally likely, each further one by a network of the same recipe and
  the same initial weights that was trained on all blocks before. A block costs at most one bit more than equally likely answers
  (a mixture of both, half each, for the block as a whole), so that a network that is confidently wrong is not used.

Neither uses a novel answer. Networks are kept in one JSON file, and a run that was stopped goes on after the last seed of a
size that was finished.
"""

import argparse
import itertools
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from matrix import COMPOSES, FAILS
from over_networks import auroc, estimate, partial_spearman, spearman
from pydantic import BaseModel
from torch import nn
from torch.nn import functional as F

from assay.models import build
from assay.stats import keyed_generator
from assay.store import read_json, write_json
from assay.task import Examples
from assay.tasks.modular_addition import ModularAddition
from assay.training import TrainingData, fit_many, recommended

FILE = Path(__file__).parent / "thesis.json"
SIZES, COVERAGES, DECAYS = (19, 31), (0.3, 0.4, 0.5, 0.6, 0.7), (0.0, 1.0)
BLOCKS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the trained pairs after each block."""
EVERYTHING = 10**6


class Network(BaseModel):
    """One network: `novel` and `seen` are its scores, `prequential` the bits for each trained pair under its recipe."""

    p: int
    coverage: float
    decay: float
    seed: int
    seen: float
    novel: float
    prequential: float

    @property
    def known(self) -> int:
        """Number of trained pairs."""
        return round(self.coverage * self.p**2)

    @property
    def memorised(self) -> float:
        """Bits for each trained pair when every answer is sent."""
        return math.log2(self.p)

    @property
    def composed(self) -> float:
        """Bits for each trained pair when the residues of all values are sent."""
        return (2 * self.p - 1) * math.log2(self.p) / self.known

    @property
    def saved(self) -> float:
        """Share of the memoriser's bits that the prequential code saves."""
        return 1 - self.prequential / self.memorised


class Networks(BaseModel):
    """What the file holds."""

    networks: list[Network] = []


def block_bits(bits: float, num: int, num_outputs: int) -> float:
    """Code length of a block of `num` answers that a network sends in `bits`, under a mixture, half each, of the network and
    equally likely answers."""
    equal = num * math.log2(num_outputs)
    return 1 - float(np.logaddexp2(-bits, -equal))


def trained_pairs(task: ModularAddition, seed: int) -> Examples:
    """Every trained pair once, in random order."""
    own = task.examples("seen", EVERYTHING, generator=keyed_generator(seed, "thesis: rows"))
    return own.take(torch.randperm(len(own), generator=keyed_generator(seed, "thesis: order")))


def networks_of(p: int, seed: int) -> list[Network]:
    """All networks of one size and seed, trained together with those of their blocks."""
    cells = list(itertools.product(COVERAGES, DECAYS))
    models, data, configs, tasks, orders = [], [], [], [], []
    for coverage, decay in cells:
        task = ModularAddition(p=p, coverage=coverage, seed=seed)
        own = trained_pairs(task, seed)
        tasks.append(task)
        orders.append(own)
        for share in BLOCKS:
            models.append(build("mlp", task, generator=keyed_generator(seed, "thesis: weights")))
            sent = own.take(torch.arange(round(share * len(own))))
            data.append(TrainingData(dict(sent.inputs), sent.targets, task.objective))
            configs.append(recommended("mlp", task, weight_decay=decay, seed=seed))
    fit_many(models, data, configs=configs)
    found = []
    for k, ((coverage, decay), task, own) in enumerate(zip(cells, tasks, orders, strict=True)):
        *earlier, last = models[k * len(BLOCKS) : (k + 1) * len(BLOCKS)]
        ends = [round(share * len(own)) for share in BLOCKS]
        bits = ends[0] * math.log2(p)
        for model, (before, end) in zip(earlier, pairwise(ends), strict=True):
            bits += block_bits(_bits(model, own.take(torch.arange(before, end))), end - before, p)
        novel = task.examples("novel", EVERYTHING, generator=keyed_generator(seed, "thesis: novel"))
        scores = {"seen": _right(last, own), "novel": _right(last, novel)}
        found.append(Network(p=p, coverage=coverage, decay=decay, seed=seed, prequential=bits / len(own), **scores))
    return found


@torch.no_grad()
def _bits(model: nn.Module, block: Examples) -> float:
    return float(F.cross_entropy(model(**block.inputs), block.targets, reduction="sum")) / math.log(2)


@torch.no_grad()
def _right(model: nn.Module, examples: Examples) -> float:
    return float((model(**examples.inputs).argmax(-1) == examples.targets).double().mean())


def page(networks: Sequence[Network], *, draws: int) -> str:
    """The table of cells, then what tells networks that compose from others, as Markdown."""
    heads = "p", "coverage", "weight decay", "memoriser", "composer", "prequential, of each network", "novel score, of each"
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for p, decay, coverage in itertools.product(SIZES, DECAYS, COVERAGES):
        own = [one for one in networks if (one.p, one.decay, one.coverage) == (p, decay, coverage)]
        if own:
            bits = ", ".join(f"{one.prequential:.2f}" for one in own)
            novel = ", ".join(f"{score:.2f}" for score in sorted(one.novel for one in own))
            sent = f"{own[0].memorised:.2f} | {own[0].composed:.2f} | {bits}"
            lines.append(f"| {p} | {coverage} | {decay:g} | {sent} | {novel} |")
    novel = [one.novel for one in networks]
    columns = {
        "composer cheaper than memoriser, by share": [1 - one.composed / one.memorised for one in networks],
        "prequential, share saved": [one.saved for one in networks],
        "coverage": [one.coverage for one in networks],
        "weight decay": [one.decay for one in networks],
    }
    given = [[getattr(one, name) for one in networks] for name in ("coverage", "p", "decay")]
    apart = [k for k, one in enumerate(networks) if one.novel >= COMPOSES or one.novel < FAILS]
    heads = (
        "what",
        "Spearman with the novel score",
        "AUROC, .9 or more against below .5",
        "Spearman given coverage, p and decay",
    )
    lines += ["", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for name, column in columns.items():
        told = [
            str(estimate(spearman, column, novel, draws=draws)),
            str(estimate(auroc, [column[k] for k in apart], [novel[k] >= COMPOSES for k in apart], nothing=0.5, draws=draws)),
            str(estimate(partial_spearman, column, novel, *given, draws=draws)),
        ]
        lines.append(f"| {name} | {' | '.join(told)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--draws", type=int, default=1_000, help="of each bootstrap and permutation test")
    given = parser.parse_args()
    torch.set_num_threads(1)
    networks = read_json(given.file, Networks).networks if given.file.is_file() else []
    for seed, p in itertools.product(given.seeds, SIZES):
        if not any((one.seed, one.p) == (seed, p) for one in networks):
            networks += networks_of(p, seed)
            write_json(given.file, Networks(networks=networks))
            print(f"p = {p}, seed {seed}: done", flush=True)
    print(page(networks, draws=given.draws))


if __name__ == "__main__":
    main()
