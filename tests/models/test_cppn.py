"""Evolved networks: the graph and the dense network agree, and the sizes are those that the authors state."""

import colorsys

import pytest
import torch
from torch import Generator, nn

from assay.data.genomes import PICTURES, Genome, picture_genome
from assay.models.cppn import UnbiasedLinear, colours, coordinates
from assay.models.evolved import dense, draw_graph, graph_values, shape_of

SHAPES = {
    "skull": ({"depth": 12, "identity": 17, "gaussian": 4, "sigmoid": 0, "sin": 1, "cos": 0, "tanh": 0}, 5_478, 147),
    "butterfly": ({"depth": 16, "identity": 17, "gaussian": 4, "sigmoid": 1, "sin": 1, "cos": 0, "tanh": 0}, 8_096, 281),
    "apple": ({"depth": 33, "identity": 28, "gaussian": 3, "sigmoid": 5, "sin": 2, "cos": 0, "tanh": 0}, 46_474, 918),
}


@pytest.mark.parametrize("name", PICTURES)
def test_dense_networks_have_the_published_sizes(name):
    shape, weights, links = SHAPES[name]
    genome = picture_genome(name)
    network = dense(genome)
    assert shape_of(genome) == shape
    assert sum(weight.numel() for weight in network.parameters()) == weights
    assert sum(int(weight.count_nonzero()) for weight in network.parameters()) == links


@pytest.mark.parametrize("name", PICTURES)
def test_graph_and_dense_network_draw_one_picture(name):
    genome = picture_genome(name)
    x = coordinates(48)
    with torch.no_grad():
        drawn = dense(genome).double()(x)
    assert float((drawn - draw_graph(genome, x)).square().mean()) < 1e-10  # its weights have 32 bits


# The share of the variation between pixels that a flip of the columns keeps, of the published pictures.
@pytest.mark.parametrize(("name", "even"), [("skull", 0.854), ("butterfly", 0.925), ("apple", 0.987)])
def test_pictures_are_as_even_as_the_published_ones(name, even):
    picture = draw_graph(picture_genome(name), coordinates(64)).reshape(64, 64, 3)
    picture = picture - picture.mean((0, 1))
    kept = (picture + picture.flip(1)) / 2
    assert float(kept.square().sum() / picture.square().sum()) == pytest.approx(even, abs=0.001)


def test_the_skull_is_grey_and_the_apple_red():
    skull = draw_graph(picture_genome("skull"), coordinates(32))
    assert torch.equal(skull[:, 0], skull[:, 2])
    middle = draw_graph(picture_genome("apple"), coordinates(32)).reshape(32, 32, 3)[16, 16]
    assert middle[0] > 0.8
    assert middle[1:].max() < 0.2


def test_colours_are_those_of_the_standard_library():
    hsv = torch.rand(50, 3, generator=Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.tensor([colorsys.hsv_to_rgb(*row) for row in hsv.tolist()], dtype=torch.float64)
    torch.testing.assert_close(colours(hsv), expected)
    beyond = torch.tensor([[-0.25, 2.0, -0.5], [0.75, 1.0, 0.5]])
    assert torch.equal(*colours(beyond))


def test_coordinates_run_along_the_columns_first():
    x = coordinates(3)
    assert x[:3, 0].tolist() == [-1, 0, 1]
    assert x[::3, 1].tolist() == [-1, 0, 1]
    assert float(x[0, 2]) == pytest.approx(1.4 * 2**0.5)
    assert coordinates(1).tolist() == [[0, 0, 0, 1]]
    assert coordinates(0).shape == (0, 4)


def test_a_genome_written_by_hand():
    """brightness = tanh(2 x + gaussian(y) - 1); a link from an unused node changes nothing."""
    genome = Genome(
        {"x": "identity", "y": "identity", "b": "identity", "h": "gaussian", "v": "tanh", "u": "sin"},
        {"x": "x", "y": "y", "bias": "b"},
        {"brightness": "v"},
        {("x", "v"): 2.0, ("y", "h"): 1.0, ("h", "v"): 1.0, ("b", "v"): -1.0, ("v", "u"): 1.0},
        0,
    )
    x = coordinates(5)
    expected = torch.tanh(2 * x[:, 0] + 2 * torch.exp(-(x[:, 1] ** 2)) - 1 - 1)
    torch.testing.assert_close(graph_values(genome, x)["v"], expected)
    with torch.no_grad():
        torch.testing.assert_close(dense(genome).double()(x)[:, 0], expected.abs().clamp(max=1))
    assert "u" not in graph_values(genome, x)


def test_initial_weights_have_the_variance_of_lecun():
    torch.manual_seed(0)
    assert float(UnbiasedLinear(400, 300).weight.detach().std()) == pytest.approx(1 / 20, rel=0.02)
    assert isinstance(UnbiasedLinear(2, 3), nn.Linear)
    assert UnbiasedLinear(2, 3).bias is None
