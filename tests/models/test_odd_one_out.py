"""Odd-one-out networks: scores by hand, what must not matter, and that each reference encoder is built for its items."""

import pytest
import torch
from torch import Generator, nn

from assay.errors import AssayError
from assay.models import build, default_name
from assay.models.cnn import ConvNet
from assay.models.odd_one_out import SCALE, EncodedRows, ItemScorer
from assay.subject import Subject


def test_the_score_is_the_sum_of_cosines_with_the_others(generator):
    items = torch.randn(5, 4, 3, generator=generator)
    scores = ItemScorer(nn.Identity())(items)
    for n in range(5):
        for i in range(4):
            cosines = [nn.functional.cosine_similarity(items[n, i], items[n, j], dim=0) for j in range(4) if j != i]
            torch.testing.assert_close(scores[n, i], -SCALE * torch.stack(cosines).sum())


def test_three_alike_and_one_opposite():
    codes = torch.tensor([[[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [3.0, 0.0]]])
    assert (ItemScorer(nn.Identity())(codes) / SCALE).tolist() == [[-1.0, -1.0, 3.0, -1.0]]


def test_a_code_of_length_zero_agrees_with_none():
    codes = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]])
    assert (ItemScorer(nn.Identity())(codes) / SCALE).tolist() == [[-2.0, -2.0, 0.0, -2.0]]


def test_order_and_length_do_not_matter_and_a_rotation_of_codes_is_not_seen(generator):
    items = torch.randn(7, 4, 6, generator=generator)
    network = ItemScorer(nn.Identity())
    order = torch.randperm(4, generator=generator)
    torch.testing.assert_close(network(items[:, order]), network(items)[:, order])
    torch.testing.assert_close(network(items * torch.rand(7, 4, 1, generator=generator).add(0.1)), network(items))
    turn, _ = torch.linalg.qr(torch.randn(6, 6, generator=generator))
    torch.testing.assert_close(network(items @ turn), network(items))


def test_items_one_by_one_and_all_at_once(generator):
    """Both ways give the same, and every place inside has one row for each problem."""
    encoder, items = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)), torch.randn(6, 4, 5, generator=generator)
    slow, quick = Subject(ItemScorer(encoder)), Subject(EncodedRows(encoder))
    torch.testing.assert_close(slow({"items": items}), quick({"items": items}))
    read = [subject.read({"items": items}, ["encoder.1:out"])["encoder.1:out"] for subject in (slow, quick)]
    assert read[0].shape == (6, 4, 7)
    torch.testing.assert_close(*read)


def test_convolutions_hardly_see_where_something_is(generator):
    network = ConvNet(channels=3, num_outputs=4).eval()
    image = torch.zeros(1, 3, 128, 128)
    image[..., 48:56, 48:56] = torch.rand(1, 3, 8, 8, generator=generator)
    moved = torch.roll(image, (8, 16), (2, 3))  # by whole cells of the smallest map, far from the edges
    torch.testing.assert_close(network(moved), network(image), atol=1e-5, rtol=1e-4)
    for n, size in ((0, 64), (2, 16), (1, 9)):
        assert network(torch.zeros(n, 3, size, size)).shape == (n, 4)


def test_bits_are_read_by_an_mlp():
    from assay.tasks.bit_parity import BitParity

    task = BitParity(num_bits=10)
    assert default_name(task) == "mlp"
    network = build("mlp", task, generator=Generator().manual_seed(0), width=9)
    assert network.encoder.layers[0].weight.shape == (9, 10)
    with pytest.raises(AssayError, match=r"takes four vectors, which this model does not accept. Given: cnn. Choices: mlp"):
        build("cnn", task, generator=Generator().manual_seed(0))
