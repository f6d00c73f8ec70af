"""The task `sprites`: what its pictures show, by a second route, and what no move changes."""

import pytest
import torch
from torch import Generator

from assay.novelty import novelty_of
from assay.tasks.sprites import COLOURS, SHAPES, SIZE, Sprites

EVERYTHING = 10**6


@pytest.fixture
def generator():
    return Generator().manual_seed(0)


def test_pixels_tell_what_the_parts_say(generator):
    """Shapes by how many pixels are drawn, colours by the brightest channels, places by the first row and column."""
    examples = Sprites().examples("seen", 300, generator=generator)
    sizes = {"square": 25, "ring": 16, "corner": 9, "stripes": 15, "slash": 5, "wall": 10, "cross": 9, "tee": 9}
    for name, shapes, corner in (("first", SHAPES[:4], 0), ("second", SHAPES[4:], SIZE // 2)):
        quarter = examples.inputs["image"][:, :, corner : corner + SIZE // 2, corner : corner + SIZE // 2]
        drawn = quarter.amax(1) > 0
        kind, place = examples.parts[name], examples.parts[f"place of the {name}"]
        assert drawn.sum((1, 2)).tolist() == [sizes[shapes[k // 4]] for k in kind.tolist()]
        bright = [tuple(row) for row in (quarter.amax((2, 3)) > 0.5).long().tolist()]
        expected = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}
        assert bright == [expected[COLOURS[k % 4]] for k in kind.tolist()]
        first_row = drawn.any(2).long().argmax(1)
        assert first_row.tolist() == [2 * (k // 2) for k in place.tolist()]
    rest = examples.inputs["image"].clone()
    rest[:, :, : SIZE // 2, : SIZE // 2] = rest[:, :, SIZE // 2 :, SIZE // 2 :] = 0
    assert not rest.any()


def test_pictures_differ_and_every_untrained_combination_is_outside(generator):
    task = Sprites(coverage=0.5)
    whole = torch.cat([task.examples(split, EVERYTHING, generator=generator).inputs["image"] for split in ("seen", "novel")])
    assert len(whole.flatten(1).unique(dim=0)) == 256 * 16
    novel = task.examples("novel", EVERYTHING, generator=generator)
    outside = novelty_of(task).masks(novel.combination)["outside"]
    assert outside.all()
    assert len(novel.combination.unique()) == 128


def test_the_answer_is_a_sum_of_two_numbers(generator):
    """Of four combinations of two kinds each, one answer follows from the other three."""
    task = Sprites()
    table = torch.zeros(16, 16, dtype=torch.int64)
    for split in ("seen", "novel"):
        found = task.examples(split, EVERYTHING, generator=generator)
        table[found.parts["first"], found.parts["second"]] = found.targets
    assert torch.equal(table - table[:, :1] - table[:1] + table[0, 0], torch.zeros_like(table))
    assert sorted((table[:, 0] - table[:, 0].min()).tolist()) == list(range(16))


def test_moves_of_the_first_object_change_no_answer(generator):
    found = Sprites().regular(40, generator=generator)
    (moves,) = found.regularities
    assert len(moves.rows) == 4
    assert len(moves.orbits().unique()) == 10
    for rows in moves.rows:
        assert torch.equal(found.examples.targets[rows], found.examples.targets)
        quarter = found.examples.inputs["image"][:, :, SIZE // 2 :, SIZE // 2 :]
        assert torch.equal(quarter[rows], quarter)
    assert torch.stack(list(found.parts.values())).sum(0).eq(1).all()
    assert not Sprites(targets="table").regular(40, generator=generator).regularities


def test_a_cue_is_a_shade_for_each_answer(generator):
    examples = Sprites(cue="answer").examples("seen", 50, generator=generator)
    shade = examples.inputs["image"][:, :, : SIZE // 2, SIZE // 2 :]
    assert torch.allclose(shade.amax((1, 2, 3)), examples.targets / 30)
    assert torch.equal(shade.amax((1, 2, 3)), shade.amin((1, 2, 3)))
