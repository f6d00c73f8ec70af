"""Partitions of pictures, and the instrument on a network that segments by construction."""

import dataclasses

import pytest
import torch
from torch import Generator, nn

from assay.errors import AssayError
from assay.instrument import run
from assay.instruments.binding import Binding
from assay.instruments.binding.metrics import BUDGETS
from assay.instruments.binding.pictures import blind, blind_grid, clusters, from_maps, mask_sites, positions
from assay.instruments.binding.scene_figures import numbered_alike
from assay.instruments.binding.segmentation import contingency, fg_ari
from assay.models.reference import build
from assay.subject import Subject
from assay.tasks.scenes import Scenes

TASK = Scenes(fewest=2, most=2)
SMALL = Binding(budgets={"quick": dataclasses.replace(BUDGETS["quick"], contexts=60)})


class Knowing(nn.Module):
    """Is told the true objects; its slots hold the mean of what the input shows of each."""

    def __init__(self, slots=4):
        super().__init__()
        self.num = slots
        self.masks, self.slots = nn.Identity(), nn.Identity()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, image, labels):
        objects = labels.long().clamp(max=self.num - 1)
        masks = self.masks(nn.functional.one_hot(objects, self.num).permute(0, 3, 1, 2).float())
        place = torch.cat([image, shape_features(masks, image)], 1)
        total = torch.einsum("nkrc,ndrc->nkd", masks, place) / masks.sum((2, 3))[..., None].clamp(min=1)
        return self.slots(total * self.weight).flatten(1)


def shape_features(masks, image):
    """Of every pixel which of 8 neighbours belong to its object: their mean over an object tells its shape."""
    padded = nn.functional.pad(masks, (1, 1, 1, 1))
    rows, columns = image.shape[2:]
    shifts = [(r, c) for r in range(3) for c in range(3) if (r, c) != (1, 1)]
    near = [(padded[:, :, r : r + rows, c : c + columns] * masks).sum(1) for r, c in shifts]
    extent = masks.amax(3).sum(2), masks.amax(2).sum(2), masks.sum((2, 3))
    wide = [torch.einsum("nk,nkrc->nrc", each, masks) / 10 for each in extent]
    return torch.stack([*near, *wide], 1)


class Labelled(Scenes):
    """Scenes with their true objects."""

    def _shown(self, layout, attributes):
        found = super()._shown(layout, attributes)
        return dataclasses.replace(found, inputs={**found.inputs, "labels": found.objects.float()})


NOT_SHOWN = "segregation of objects is not shown"


class Quadrants(nn.Module):
    """Its masks are the quarters of the picture, whatever is in it; its slots hold the mean colour of each."""

    def __init__(self):
        super().__init__()
        self.masks, self.slots = nn.Identity(), nn.Identity()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, image):
        masks = self.masks(
            nn.functional.one_hot(blind_grid(*image.shape[2:], 4), 4).permute(2, 0, 1).float().expand(len(image), -1, -1, -1)
        )
        total = torch.einsum("nkrc,ndrc->nkd", masks, image) / masks.sum((2, 3))[..., None]
        return self.slots(total * self.weight).flatten(1)


def drawn():
    return TASK.scenes(30, size=2, novel=False, generator=Generator().manual_seed(0))


def test_clusters_are_what_was_planted(generator):
    label = torch.randint(3, (5, 40), generator=generator)
    centres = 10 * torch.randn(5, 3, 2, generator=generator)
    places = centres.gather(1, label[..., None].expand(-1, -1, 2)) + 0.1 * torch.randn(5, 40, 2, generator=generator)
    assert torch.allclose(fg_ari(contingency(clusters(places, 3), label + 1)), torch.ones(5, dtype=torch.float64))
    assert clusters(places, 1).unique().tolist() == [0]
    assert clusters(places[:0], 2).shape == (0, 40)


def test_blind_partitions_have_the_right_number_of_cells():
    for k in (1, 2, 4, 5, 6):
        assert len(blind_grid(10, 10, k).unique()) == k
    scenes = drawn()
    others = blind(scenes.inputs["image"], scenes.objects, 3)
    assert {name: each.shape for name, each in others.items()} == dict.fromkeys(
        ("blind grid", "another scene's", "positions", "colours"), (30, 10, 10)
    )
    assert torch.equal(others["another scene's"][1], scenes.objects[0])
    assert torch.equal(others["positions"][0], others["positions"][1])


def test_colour_alone_tells_most_objects_apart():
    scenes = drawn()
    found = fg_ari(contingency(blind(scenes.inputs["image"], scenes.objects, 3)["colours"], scenes.objects))
    different = scenes.attributes[:, 0, 1] != scenes.attributes[:, 1, 1]
    assert float(found[different].mean()) > 0.95
    assert float(found[~different].mean()) < 0.3


def test_masks_are_found_by_what_they_are(generator):
    masks = torch.rand(4, 3, 6, 6, generator=generator).softmax(1)
    states = {"masks": masks, "maps": torch.rand(4, 3, 6, 6, generator=generator), "one": torch.ones(4, 1, 6, 6)}
    assert mask_sites(states, 6, 6) == ["masks"]
    maps = torch.cat([(positions(4, 4)[:, 0] > 0.5).float().view(1, 1, 4, 4), torch.ones(1, 1, 4, 4)], 1)
    label = from_maps(maps, 2, 8, 8)[0]
    assert len(label.unique()) == 2
    assert torch.equal(label, label[:, :1].expand(-1, 8))


def test_a_network_that_segments_is_read_by_its_masks():
    found = run(
        SMALL, Subject(Knowing(), fresh=lambda generator: Knowing()), Labelled(fewest=2, most=2), effort="quick", seed=0
    )
    assert found.measure("fg_ari", objects="2").value == pytest.approx(1.0)
    assert found.measure("matched_iou", objects="2").value == pytest.approx(1.0)
    score = found.measure("segregation")
    assert score.value == pytest.approx(1.0)
    assert {null.name for null in score.nulls} >= {"blind grid", "another scene's", "positions", "colours"}
    assert found.measure("isolation").value > 0.9
    assert NOT_SHOWN not in found.summary
    assert "masks at masks:in" in found.summary or "masks at masks:out" in found.summary
    assert not any("slots: scenes of" in warning for warning in found.warnings)
    shared = found.measure("common_format")
    assert shared.value > 0.65
    assert shared.value <= shared.ceiling + 0.05
    assert next(null for null in shared.nulls if null.name == "another scene's states").mean < 0.4
    (grid,) = (figure for figure in found.figures if figure.kind == "images")
    names = ["input", "objects", "network", "blind grid", "another scene's", "positions", "colours"]
    assert [image.name for image in grid.rows[0]] == names
    for row in grid.rows:
        assert row[2].pixels == row[1].pixels  # segments that are the objects have the objects' colours
        assert row[2].note == "FG-ARI 1.00"
    grouped = found.measure("same_object")
    assert grouped.value > 0.95
    assert {null.name for null in grouped.nulls} >= {
        "colour",
        "position",
        "colour and position",
        "distance",
        "untrained copies",
    }
    assert "Whether one object covers two places" in found.summary
    assert {"One object or two, by site", "Ablation of the directions of the read-out"} <= {
        figure.name for figure in found.figures
    }


def test_segments_take_the_numbers_of_the_objects_that_they_overlap():
    objects = torch.tensor([[0, 0, 1, 1, 2]])
    assert numbered_alike(torch.tensor([[7, 7, 3, 3, 0]]), objects).tolist() == objects.tolist()
    assert numbered_alike(torch.tensor([[1, 2, 0, 0, 0]]), objects).tolist() == [[0, 2, 1, 1, 1]]
    split = numbered_alike(torch.tensor([[0, 3, 1, 1, 2]]), objects)[0].tolist()
    assert sorted(split[:2]) == [0, 3]  # a further segment has a number of its own
    assert split[2:] == [1, 1, 2]


def test_segments_that_are_quarters_of_the_picture_show_nothing_however_high_their_index():
    task = Scenes(size=16, fewest=2, most=3)
    found = run(SMALL, Subject(Quadrants(), fresh=lambda generator: Quadrants()), task, effort="quick", seed=0)
    raw = found.measure("fg_ari", objects="2")
    assert raw.value > 0.3
    assert raw.value == pytest.approx(next(null for null in raw.nulls if null.name == "blind grid").mean)
    assert found.measure("segregation").value <= 0
    assert NOT_SHOWN in found.summary


@pytest.mark.parametrize("name", ["conv-autoencoder", "vit"])
def test_an_untrained_network_shows_nothing(name, generator):
    def fresh(generator):
        return build(name, TASK, generator=generator, width=8)

    found = run(SMALL, Subject(fresh(generator), fresh=fresh), TASK, effort="quick", seed=0)
    assert not found.findings()
    assert NOT_SHOWN in found.summary
    assert found.settings["verdict"] != "binding"


def test_fewer_slots_than_objects_are_named():
    with pytest.raises(AssayError, match="as many slots as there are objects"):
        run(SMALL, Subject(Knowing(slots=5)), Labelled(fewest=6, most=6, size=24), effort="quick", seed=0)


class Flat(nn.Module):
    """No places inside, and outputs that are linear in the picture."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Flatten(), nn.Linear(300, 300))

    def forward(self, image, labels=None):
        return self.inner(image)


def test_a_network_without_places_is_read_by_interactions():
    few = Binding(budgets={"quick": dataclasses.replace(BUDGETS["quick"], contexts=20, copies=2)})
    found = run(few, Subject(Flat()), TASK, effort="quick", seed=0)
    assert found.settings["segments"] == "clusters of interacting cells"
    assert NOT_SHOWN in found.summary
    with pytest.raises(AssayError, match="must hold masks or a map"):
        run(SMALL, Subject(Flat()), Labelled(fewest=2, most=2), effort="quick", seed=0)
