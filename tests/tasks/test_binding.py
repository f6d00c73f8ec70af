"""Binding against a loop over objects, read from the tokens or from the picture."""

import pytest
import torch

from assay.errors import AssayError
from assay.task import Tokens, Vector
from assay.tasks.binding import BindingTask, Novel

EVERYTHING = 10**6


def scenes(task, examples):
    """Every scene as a list of (shape, colour), a colour of None being no object, with the query; from the tokens alone."""
    for row in examples.inputs["tokens"].tolist():
        attributes = [token if token < task.num_shapes else token - task.num_shapes for token in row]
        pairs = list(zip(attributes[0:-1:2], attributes[1::2], strict=True))
        yield [(shape, None if colour == task.num_colours else colour) for shape, colour in pairs], attributes[-1]


def answer(task, objects, query):
    for number, (shape, colour) in enumerate(objects):
        if colour == query:
            return shape, number
    return task.num_shapes, task.num_objects


@pytest.mark.parametrize("novel", ["random", "objects"])
@pytest.mark.parametrize(("objects", "shapes", "colours"), [(2, 4, 3), (3, 2, 2), (2, 2, 8)])
def test_answers_are_those_of_the_loop(objects, shapes, colours, novel: Novel, generator):
    task = BindingTask(num_objects=objects, num_shapes=shapes, num_colours=colours, novel=novel, coverage=0.4)
    for split in ("seen", "novel"):
        examples = task.examples(split, EVERYTHING, generator=generator)
        expected = [answer(task, *scene) for scene in scenes(task, examples)]
        assert list(zip(examples.targets.tolist(), examples.parts["object"].tolist(), strict=True)) == expected
    assert task.part("object").values[-1] == "none of them"


def test_a_picture_has_every_token_in_its_cell(generator):
    options = {"num_objects": 3, "num_shapes": 3, "num_colours": 2, "coverage": 0.5}
    slots, scene = BindingTask(**options), BindingTask(**options, form="scene")
    assert slots.input_spec == Tokens(vocab=5, length=7)
    assert scene.input_spec == Vector(64 * 5)
    a, b = (task.examples("seen", 200, generator=torch.Generator().manual_seed(1)) for task in (slots, scene))
    assert torch.equal(a.targets, b.targets)
    picture = b.inputs["x"].reshape(-1, 8, 8, 5)
    assert b.inputs["x"].dtype == torch.float32
    for (objects, query), image in zip(scenes(slots, a), picture, strict=True):
        expected = {(row, column, token) for (row, column), pair in zip([(1, 1), (1, 6), (6, 1)], objects, strict=True)
                    for token in (pair[0], 3 + pair[1])}  # fmt: skip
        assert {tuple(place) for place in image.nonzero().tolist()} == expected | {(6, 6, 3 + query)}
        assert set(image.unique().tolist()) == {0.0, 1.0}


def test_held_out_pairs_are_in_no_trained_object(generator):
    task = BindingTask(novel="pairs", coverage=0.4)
    seen, novel = (
        [objects for objects, _ in scenes(task, task.examples(split, EVERYTHING, generator=generator))]
        for split in ("seen", "novel")
    )
    trained = {pair for objects in seen for pair in objects}
    held = {(shape, colour) for shape in range(4) for colour in range(3)} - trained
    assert len(held) == 2
    assert all(set(objects) & held for objects in novel)
    assert {sum(pair in held for pair in objects) for objects in novel} == {1, 2, 3}


def test_roles_keep_pairs_for_the_first_object(generator):
    task = BindingTask(novel="roles", coverage=0.4)
    seen, novel = (
        [objects for objects, _ in scenes(task, task.examples(split, EVERYTHING, generator=generator))]
        for split in ("seen", "novel")
    )
    first = {objects[0] for objects in seen}
    later = {pair for objects in seen for pair in objects[1:]}
    assert len(first) == 12
    assert len(first - later) == 2
    assert all(set(objects[1:]) & (first - later) for objects in novel)


def test_the_last_object_is_mostly_missing_where_it_is_novel(generator):
    task = BindingTask(novel="objects", coverage=0.2)
    seen, novel = (
        {tuple(objects) for objects, _ in scenes(task, task.examples(split, EVERYTHING, generator=generator))}
        for split in ("seen", "novel")
    )
    there = [objects for objects in seen if objects[-1][1] is not None]
    assert len(there) == 3 * 12
    assert all(sum(objects[-1][1] == colour for objects in there) == 12 for colour in range(3))
    assert all(objects[-1][1] is not None for objects in novel)
    assert len(novel) + len(there) == (4 * 3) ** 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_objects": 4}, "num_objects must be between 2 and 3. Given: 4"),
        ({"num_shapes": 1}, "num_shapes must be between 2 and 8. Given: 1"),
        ({"num_colours": 9}, "num_colours must be between 2 and 8. Given: 9"),
    ],
)
def test_errors_say_what_was_given(options, message):
    with pytest.raises(AssayError, match=message):
        BindingTask(**options)
