"""Scenes against a loop over objects and pixels, and what is held out."""

import pytest
import torch

from assay.entities import BindsEntities, ShowsObjects
from assay.errors import AssayError
from assay.task import Image
from assay.tasks import load_task
from assay.tasks.scenes import _RGB, Scenes

TASK = Scenes()


def test_pixels_are_the_colour_of_the_object_on_top(generator):
    scenes = TASK.scenes(40, size=3, novel=False, generator=generator)
    colours = torch.tensor(_RGB)
    for image, objects, attributes, layout in zip(
        scenes.inputs["image"], scenes.objects, scenes.attributes, scenes.layout, strict=True
    ):
        top = torch.zeros(10, 10, dtype=torch.int64)
        for number in range(3):
            top[TASK._masks(layout[None], attributes[None, :, 0])[0, number]] = number + 1
        assert torch.equal(top, objects)
        for row in range(10):
            for column in range(10):
                number = int(objects[row, column])
                wanted = colours[attributes[number - 1, 1]] if number else torch.zeros(3)
                assert torch.equal(image[:, row, column], wanted)


def test_every_object_is_seen(generator):
    for size in (3, 4, 5):
        scenes = TASK.scenes(100, size=size, novel=False, generator=generator)
        counts = torch.stack([(scenes.objects == k + 1).sum((1, 2)) for k in range(size)], 1)
        assert int(counts.min()) >= 2
        assert scenes.attributes.shape == (100, size, 2)


def test_objects_overlap_and_colours_repeat(generator):
    scenes = TASK.scenes(200, size=4, novel=False, generator=generator)
    whole = TASK._masks(scenes.layout, scenes.attributes[..., 0]).sum((1, 2, 3))
    assert float(((scenes.objects > 0).sum((1, 2)) < whole).float().mean()) > 0.5
    assert float((scenes.attributes[..., 1].sort(1).values.diff(dim=1) == 0).any(1).float().mean()) > 0.2


def test_new_pairs_are_in_no_trained_scene(generator):
    held = {tuple(pair) for pair in TASK.combinations("novel").tolist()}
    assert len(held) == 8
    trained = TASK.scenes(500, size=4, novel=False, generator=generator).attributes
    assert not held & {tuple(pair) for pair in trained.flatten(0, 1).tolist()}
    new = TASK.scenes(100, size=4, novel=True, generator=generator).attributes
    assert {tuple(pair) for pair in new[:, 0].tolist()} <= held
    assert not held & {tuple(pair) for pair in new[:, 1:].flatten(0, 1).tolist()}
    values = {k: {pair[k] for pair in trained.flatten(0, 1).tolist()} for k in (0, 1)}
    assert (len(values[0]), len(values[1])) == (4, 6)


def test_examples_are_their_own_targets(generator):
    for split in ("train", "seen", "novel"):
        examples = TASK.examples(split, 50, generator=generator)
        assert torch.equal(examples.inputs["image"].flatten(1), examples.targets)
        assert examples.targets.shape == (50, 300)
        known = {tuple(pair) for pair in TASK.combinations(split).tolist()}
        assert set(zip(examples.parts["shape"].tolist(), examples.parts["colour"].tolist(), strict=True)) <= known
    assert TASK.objective.score(examples.targets, examples.targets).mean() == 1.0
    mean = examples.targets.mean(0, keepdim=True).expand(50, -1)
    assert float(TASK.objective.unclipped(mean, examples.targets).mean()) == pytest.approx(0.0, abs=0.2)


def test_scenes_with_other_attributes_have_the_same_layout(generator):
    scenes = TASK.scenes(20, size=3, novel=False, generator=generator)
    other = scenes.attributes.clone()
    other[:, 1, 1] = (other[:, 1, 1] + 1) % 6
    redrawn = TASK.redrawn(scenes, other)
    assert torch.equal(redrawn.objects, scenes.objects)
    changed = (redrawn.inputs["image"] != scenes.inputs["image"]).any(1)
    assert torch.equal(changed, scenes.objects == 2)


def test_addresses_and_abilities():
    task = load_task("scenes:size=16,most=5,num_shapes=6")
    assert task.input_spec == Image(channels=3, size=16)
    assert load_task(task.address) == task
    assert isinstance(task, ShowsObjects)
    assert isinstance(task, BindsEntities)
    assert task.larger == (6, 7)


def test_no_scene_and_one(generator):
    assert len(TASK.scenes(0, size=3, novel=False, generator=generator)) == 0
    assert len(TASK.examples("train", 0, generator=generator)) == 0
    assert TASK.scenes(1, size=1, novel=True, generator=generator).inputs["image"].shape == (1, 3, 10, 10)


@pytest.mark.parametrize(
    ("options", "message"), [({"size": 4}, "size"), ({"most": 2}, "most"), ({"num_colours": 7}, "num_colours")]
)
def test_errors_say_what_was_given(options, message):
    with pytest.raises(AssayError, match=message):
        Scenes(**options)


def test_a_sampler_that_cannot_meet_its_constraints_gives_up(generator):
    with pytest.raises(AssayError, match="must all be visible"):
        TASK.scenes(2, size=40, novel=False, generator=generator)
