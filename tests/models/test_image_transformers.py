"""Transformers on images: patches in their order, elements that are a set, places that are sites of the binding instrument."""

import pytest
import torch
from torch import Generator

from assay.models.reference import build
from assay.models.set_transformer import InducedBlock
from assay.models.vision_transformer import Patches
from assay.subject import Subject
from assay.tasks.scenes import Scenes

NAMES = ("vit", "set-transformer")


def images(task=None, num=4):
    task = task or Scenes()
    return task.scenes(num, size=3, novel=False, generator=Generator().manual_seed(0)).inputs


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [8, 13])
def test_outputs_are_images_that_can_be_trained(name, size, generator):
    task = Scenes(size=size)
    model = build(name, task, generator=generator, width=8, heads=2)
    examples = task.examples("train", 4, generator=generator)
    outputs = model(**examples.inputs)
    assert outputs.shape == examples.targets.shape
    task.loss(outputs, examples).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize(("size", "patch", "side"), [(10, 2, 5), (10, 3, 4), (4, 4, 1), (5, 8, 1)])
def test_a_patch_is_read_at_its_place_alone(size, patch, side, generator):
    patches = Patches(channels=2, size=size, patch=patch, width=6)
    image = torch.rand(1, 2, size, size, generator=generator)
    tokens = patches(image)
    assert tokens.shape == (1, side**2, 6)
    other = image.clone()
    other[0, :, -1, -1] += 1  # in the last patch, whether or not the image fills it
    changed = (patches(other) != tokens)[0].any(1)
    assert changed.tolist() == [False] * (side**2 - 1) + [True]


def test_patches_see_each_other(generator):
    task = Scenes()
    subject = Subject(build("vit", task, generator=generator, width=8, heads=2, depth=1))
    inputs = images()
    other = inputs["image"].clone()
    other[:, :, 0, 0] += 1
    before, after = (subject.read({"image": each}, ["patches:out", "blocks.0:out"]) for each in (inputs["image"], other))
    assert (before["patches:out"] != after["patches:out"]).any(2).all(0).tolist() == [True] + [False] * 24
    assert bool((before["blocks.0:out"] != after["blocks.0:out"]).any(2).all())


def test_elements_are_a_set(generator):
    block = InducedBlock(8, 2, points=3)
    elements = torch.randn(2, 12, 8, generator=generator)
    order = torch.randperm(12, generator=generator)
    assert torch.allclose(block(elements[:, order]), block(elements)[:, order], atol=1e-5)


def test_pixels_are_told_apart_by_their_place_and_nothing_else(generator):
    model = build("set-transformer", Scenes(), generator=generator, width=8, heads=2)
    image = images()["image"]
    order = torch.randperm(100, generator=generator)
    mixed = image.flatten(2)[:, :, order].view_as(image)
    assert not torch.allclose(model(mixed), model(image), atol=1e-4)
    with torch.no_grad():
        model.grid.linear.weight.zero_()
    assert torch.allclose(model(mixed), model(image), atol=1e-5)


def test_sizes_are_options(generator):
    subject = Subject(build("set-transformer", Scenes(), generator=generator, width=8, heads=2, points=5, pools=3, depth=1))
    read = subject.read(images(), ["pooled:out", "blocks.0:out", "blocks.0.gather:out"])
    assert read["pooled:out"].shape == (4, 3, 8)
    assert read["blocks.0:out"].shape == (4, 100, 8)
    assert read["blocks.0.gather:out"].shape == (4, 5, 8)
    subject = Subject(build("vit", Scenes(), generator=generator, width=8, heads=2, patch=5, depth=3))
    assert subject.read(images(), ["blocks.2:out"])["blocks.2:out"].shape == (4, 4, 8)
