"""The prequential code of a network: a batch is coded before it is learned from, and learning shortens what follows."""

import math

import pytest
import torch
from torch import nn

from assay.text.corpus import SYMBOLS
from assay.text.online import prequential_network


class Frequencies(nn.Module):
    """The same logits at every place, at first all zero."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(SYMBOLS))

    def forward(self, tokens):
        return self.logits.expand(*tokens.shape, SYMBOLS)


def coded(num: int, *, batch: int = 4, most: int = 10**6) -> float:
    found = prequential_network(Frequencies(), ["ab" * num], window=8, most=most, seed=0, batch=batch, learning_rate=0.1)
    assert found is not None
    return found.bits


def test_one_batch_is_coded_by_the_untrained_network_and_more_batches_by_what_they_taught():
    assert coded(16, batch=4) == pytest.approx(math.log2(SYMBOLS), rel=1e-5)
    lengths = [coded(num) for num in (16, 160, 1_600)]
    assert lengths == sorted(lengths, reverse=True)
    assert 1 < lengths[-1] < 4.5  # a bit for each of two bytes, and what it cost to learn so


def test_the_network_is_left_as_it_is_and_only_so_many_bytes_are_read():
    network = Frequencies().eval()
    found = prequential_network(network, ["ab" * 100], window=8, most=50, seed=0)
    assert found is not None
    assert found.num_bytes == 48
    assert not network.logits.any()
    assert not network.training


@pytest.mark.parametrize("texts", [[], [""], ["short"]])
def test_less_than_a_window_has_no_code(texts):
    assert prequential_network(Frequencies(), texts, window=8, most=100, seed=0) is None
