"""IsSameObject of whole networks: grouping that is planted in a map, and none beyond the input."""

import dataclasses

import pytest
import torch
from torch import Generator, nn

from assay.instrument import Random
from assay.instruments.binding.grouping import PlaceSite, cells, grouping, values_of_grouping
from assay.instruments.binding.pictures import grid_of, map_at
from assay.site import Site
from assay.subject import Subject
from assay.tasks.scenes import Scenes

TASK = Scenes(num_colours=2)  # of 3 objects two have one colour


class Grouped(nn.Module):
    """Is told the true objects and draws them again from its states: a code of the object at every place, and larger noise.
    As a map, or as tokens with another vector in front."""

    def __init__(self, *, tokens=False):
        super().__init__()
        self.states, self.tokens = nn.Identity(), tokens
        draws = Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(5, 4, generator=draws))
        self.register_buffer("noise", torch.randn(1, 8, 10, 10, generator=draws))

    def forward(self, image, labels):
        code = self.weight[labels.long().clamp(max=4)].permute(0, 3, 1, 2)
        spread = torch.cat([code, 2 * (1_000 * self.noise * (1 + image.mean((1, 2, 3), keepdim=True))).sin()], 1)
        if self.tokens:
            front = torch.ones(len(image), 1, 12)
            states = self.states(torch.cat([front, spread.flatten(2).mT], 1))[:, 1:].mT.unflatten(2, (10, 10))
        else:
            states = self.states(spread)
        return states[:, :4].flatten(1)


class Labelled(Scenes):
    """Scenes with their true objects."""

    def _shown(self, layout, attributes):
        found = super()._shown(layout, attributes)
        return dataclasses.replace(found, inputs={**found.inputs, "labels": found.objects.float()})


def drawn(task=TASK, num=60):
    return task.scenes(num, size=3, novel=False, generator=Generator().manual_seed(0))


@pytest.mark.parametrize("tokens", [False, True])
def test_planted_grouping_is_found_and_its_ablation_moves_the_outputs(tokens):
    task = Labelled(num_colours=2)
    network = Subject(Grouped(tokens=tokens))
    found = grouping(network, drawn(task), Random(0, "grouping"), most=4, own=None)
    assert found.site.grid == (10, 10)
    assert found.site.name.startswith("states")
    assert float(found.right.mean()) > 0.9
    assert {"colour", "position", "colour and position", "distance"} == set(found.nulls)
    assert max(float(units.mean()) for units in found.nulls.values()) < float(found.right.mean()) - 0.1
    ablation = found.ablation
    assert float(ablation.moved.mean()) > 2 * float(ablation.by_random.mean())
    assert ablation.left < 0.6 < 0.75 < ablation.left_by_random
    right, moved = values_of_grouping(found)
    assert torch.equal(right.ids, found.scenes)
    assert right.units.shape == found.nulls["colour"].shape
    assert moved.controls[0].values.shape == (8, len(moved.units))


def test_a_copy_is_read_where_its_network_was_and_is_not_ablated():
    task, site = Labelled(num_colours=2), PlaceSite("states:out", (10, 10))
    found = grouping(Subject(Grouped()), drawn(task), Random(0, "grouping"), most=4, own=site)
    assert found.site == site
    assert found.ablation is None
    again = grouping(Subject(Grouped()), drawn(task), Random(0, "grouping"), most=4, own=site)
    assert torch.equal(found.scenes, again.scenes)
    assert torch.equal(found.right, again.right)


def test_a_map_of_the_input_has_no_more_than_the_input():
    network = nn.Sequential(nn.Conv2d(3, 6, 1), nn.Identity())

    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, image):
            return self.inner(image).flatten(1)

    found = grouping(Subject(Flat()), drawn(), Random(0, "grouping"), most=4, own=None)
    assert float(found.right.mean()) == pytest.approx(float(found.nulls["colour"].mean()), abs=0.05)
    assert found.site.name != "inner.0:in"


def test_a_network_without_places_says_so():
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(300, 300)

        def forward(self, image):
            return self.inner(image.flatten(1))

    found = grouping(Subject(Flat()), drawn(), Random(0, "grouping"), most=4, own=None)
    assert isinstance(found, str)
    (values,) = values_of_grouping(found)
    assert values.reason == found


def test_grids_are_found_in_maps_and_tokens():
    def grid(*shape, calls=1, rows=10, columns=10):
        return grid_of(Site("s", shape, calls), rows, columns)

    assert grid(8, 10, 10) == (10, 10)
    assert grid(8, 5, 5) == (5, 5)
    assert grid(8, 5, 10) is None
    assert grid(8, 20, 20) is None
    assert grid(25, 8) == (5, 5)
    assert grid(26, 8) == (5, 5)  # a class token in front
    assert grid(27, 8) is None
    assert grid(4, 8) is None  # slots, no map of 2 x 2
    assert grid(100, 8, calls=3) is None
    assert grid(128, 8, rows=16, columns=32) == (8, 16)
    assert grid(8) is None
    tokens = torch.arange(26.0)[None, :, None].expand(1, -1, 2)
    assert torch.equal(map_at(tokens, (5, 5))[0, 0], torch.arange(1, 26.0).view(5, 5))
    maps = torch.rand(1, 2, 5, 5)
    assert map_at(maps, (5, 5)) is maps


def test_a_cell_has_the_label_of_most_of_its_pixels():
    objects = torch.tensor([[[0, 2, 1, 1], [2, 2, 0, 1], [0, 0, 3, 3], [0, 1, 3, 3]]])
    assert cells(objects, (2, 2)).tolist() == [[2, 1, 0, 3]]
    assert torch.equal(cells(objects, (4, 4)), objects.flatten(1))
