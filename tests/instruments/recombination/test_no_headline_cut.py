"""Why there is no headline cut: none lies there, none is additive, none could be patched, none was read."""

import pytest
import torch
from stages import SIZE, Declared
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from assay.cuts import Cut
from assay.instrument import run
from assay.instruments.recombination import Recombination
from assay.instruments.recombination.curves import AtCut, NetworkCurves
from assay.instruments.recombination.items import HELD
from assay.instruments.recombination.rates import ES, Rate
from assay.instruments.recombination.words import no_headline_cut
from assay.subject import Subject

pytestmark = pytest.mark.slow


def cut(depth: int, *, of: int) -> Cut:
    return Cut(depth, names=(), carried=(), shared=(), leads=(), opaque_before=(), opaque_after=(), last=depth == of - 1)


def found(number: int, *, same: dict[int, float], skipped: dict[int, str] | None = None) -> NetworkCurves:
    """A network with so many cuts, of which some were read with this rate Es."""
    read = []
    for depth, rate in same.items():
        rates = {(ES, HELD): Rate(torch.arange(2), torch.tensor([rate, rate]), 0.1)}
        read.append(AtCut(cut(depth, of=number), {(0, 0): rates}, {}, None))
    return NetworkCurves([cut(depth, of=number) for depth in range(number)], cuts=read, skipped=skipped or {})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda: found(2, same={0: 1.0, 1: 1.0}), "no cut lies inside the network"),
        (lambda: found(4, same={0: 1.0, 1: 0.25, 2: 0.5}), "(the same answer for 0.500 at best)"),
        (lambda: found(5, same={1: 0.25}, skipped={2: "2 r: no", 4: "4 o: no"}), "1 of 3 could not be patched, the first"),
        (lambda: found(4, same={}, skipped={1: "1 r: no", 2: "2 r: no"}), "was read: 2 of 2 could not be patched"),
        (lambda: found(4, same={0: 1.0, 3: 1.0}), "was read: this effort reads other cuts"),
    ],
    ids=range(5),
)  # fmt: skip
def test_the_reason_is_what_was_met(given, told):
    assert told in no_headline_cut(given())


class Packed(nn.Module):
    """A recurrent layer on packed sequences of two steps."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.steps, self.out = nn.GRU(SIZE, 32, batch_first=True), nn.Linear(32, SIZE)

    def forward(self, x):
        pairs = x.unflatten(1, (2, SIZE))
        _, last = self.steps(pack_padded_sequence(pairs, torch.full((len(x),), 2), batch_first=True))
        return self.out(last[0])


def test_cuts_of_packed_sequences_are_said_to_be_there_and_why_they_are_not_patched():
    network, task = Packed(), Declared()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    examples = task.examples("seen", 1_000, generator=torch.Generator().manual_seed(0))
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(**examples.inputs), examples.targets).backward()
        optimizer.step()
    evidence = run(Recombination(), Subject(network), task, effort="quick")
    assert "could not be patched" in evidence.summary
    assert "its forward ends in RuntimeError" in evidence.summary
    assert "there is no such cut" not in evidence.summary
