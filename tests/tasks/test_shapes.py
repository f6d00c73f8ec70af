"""Scenes judged from their pixels alone, by a second route: connected regions of one colour, grown pixel by pixel."""

import numpy as np
import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.task import POOLS, Image
from assay.tasks import load_task
from assay.tasks.blobs import SIZE, any_of, fits, grown, overlaps, rasterised, shifted, spectrum
from assay.tasks.shapes import GAP, Shapes

EVERY_FACTS = ["inside-contact", "inside-count", "contact-count"]


def make(facts: str) -> Shapes:
    task = load_task(f"shapes:facts={facts}")
    assert isinstance(task, Shapes)
    return task


def seen(picture: torch.Tensor) -> dict[str, bool]:
    """What holds in a picture, from its colours: regions, and how many steps of growth bring one to the edge of another."""
    from scipy import ndimage

    colours = (picture * 255).round().long()
    code = (colours[0] * 65536 + colours[1] * 256 + colours[2]).numpy()
    regions = {colour: code == colour for colour in np.unique(code) if colour}
    large = max(regions, key=lambda colour: regions[colour].sum())
    box = np.ones((3, 3), dtype=bool)
    hull = ndimage.binary_fill_holes(regions[large])  # a small shape within is a hole, unless it opens the edge
    judged = []
    for colour, region in regions.items():
        if colour == large:
            continue
        assert ndimage.label(region, box)[1] == 1
        near = [ndimage.binary_dilation(region, box, iterations=by) & ~region for by in (1, GAP)]
        others = [code * ~region != 0, (code == 0)]
        meets = [[bool((ring & other).any()) for ring in near] for other in others]
        # All around it is the large shape, or nothing is: else it stands on the edge.
        judged.append({"touches shape": meets[0], "touches nothing": meets[1], "within": bool(hull[region].all())})
    edge = [j for j in judged if j["touches shape"][0] and j["touches nothing"][0]]
    deep = [j for j in judged if j["touches shape"][0] and not j["touches nothing"][1]]
    assert len(edge) + len(deep) <= 1
    free = [j for j in judged if j not in edge and j not in deep]
    assert all(not j["touches shape"][1] for j in free)  # at least the gap between it and any other
    return {"contact": bool(edge), "count": len(regions) == 3, "deep": bool(deep), "number": len(regions)}


@pytest.mark.parametrize("facts", EVERY_FACTS)
def test_what_holds_in_the_pixels_is_what_was_asked_for(facts, generator):
    task = make(facts)
    obeys = torch.cartesian_prod(torch.tensor([False, True]), torch.tensor([False, True])).repeat(8, 1)
    items = task.candidates(obeys, pool="test", generator=generator).items
    for picture, held in zip(items, obeys.tolist(), strict=True):
        asked = dict(zip(facts.split("-"), held, strict=True))
        found = seen(picture)
        assert found["contact"] == asked.get("contact", False)
        if not found["contact"]:
            assert found["deep"] == asked.get("inside", False)
        assert found["count"] == asked.get("count", False)
        assert found["number"] == 2 or "count" in asked


def test_inside_is_told_by_the_size_of_the_large_shape(generator):
    """Where the small shape touches the edge, being inside shows in that it covers a part of the large one."""
    task = make("inside-contact")
    contact = torch.ones(60, dtype=torch.bool)
    for inside in (True, False):
        state = Generator().manual_seed(3)
        shapes, _, there = task._arranged(torch.full((60,), inside), contact, torch.full((60,), 2), "base", state)
        large, small = shapes[there, 0], shapes[there, 1]
        assert there.float().mean() > 0.9
        common = (large & small).sum((1, 2))
        assert common.equal(small.sum((1, 2)) if inside else torch.zeros_like(common))
        rim = grown(small, 1) & ~small
        assert (rim & large).any(2).any(1).all()
        assert (rim & ~large).any(2).any(1).all()
        assert not shapes[there, 2:].any()


@pytest.mark.parametrize("facts", EVERY_FACTS)
def test_no_contour_is_in_two_pools(facts, generator):
    task = make(facts)
    groups = [set(task.problems(15, pool=pool, generator=generator).combination.tolist()) for pool in POOLS]
    contours = [set(task._contours[pool].tolist()) for pool in POOLS]
    assert sum(map(len, contours)) == len(set.union(*contours)) == 512
    assert all(group <= known for group, known in zip(groups, contours, strict=True))


def test_overlaps_by_moving_the_mask(generator):
    radii = torch.tensor([9.0, 4.0])
    still, moved = rasterised(torch.tensor([3, 8]), radii, torch.tensor([0.3, 2.0]))[:, None]
    counts = overlaps(spectrum(still), moved)[0]
    for shift in torch.randint(SIZE**2, (40,), generator=generator).tolist():
        there = torch.roll(moved[0], (shift // SIZE, shift % SIZE), (0, 1))
        assert shifted(moved, torch.tensor([shift]))[0].equal(there)
        assert counts[shift] == (still[0] & there).sum()
    assert counts.sum() == still.sum() * moved.sum()


def test_a_mask_fits_where_nothing_wraps_around():
    mask = torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
    mask[0, 30:33, 10:20] = True
    allowed = fits(mask).view(SIZE, SIZE)
    assert allowed.sum() == (SIZE - 3 + 1) * (SIZE - 10 + 1)
    for dy, dx, expected in ((-30, -10, True), (-31, -10, False), (31, 44, True), (32, 44, False), (0, 45, False)):
        assert allowed[dy % SIZE, dx % SIZE] == expected


def test_contours_are_closed_around_the_middle_and_turn(generator):
    contour = torch.randint(512, (20,), generator=generator)
    radius = torch.full((20,), 10.0)
    masks = rasterised(contour, radius, torch.zeros(20))
    assert masks[:, SIZE // 2, SIZE // 2].all()
    assert not masks[:, 0].any()
    areas = masks.sum((1, 2)) / (torch.pi * 100)
    assert areas.min() > 0.85
    assert areas.max() < 1.2
    upside_down = rasterised(contour, radius, torch.full((20,), torch.pi))[:, 1:, 1:].flip(1, 2)
    assert (upside_down == masks[:, 1:, 1:]).float().mean() > 0.998  # but for rounding at the rim
    assert not masks[0].equal(masks[1])


def test_one_of_the_allowed_shifts(generator):
    allowed = torch.zeros(500, 40, dtype=torch.bool)
    allowed[:, [3, 17]] = True
    chosen = any_of(allowed, generator)
    assert set(chosen.tolist()) == {3, 17}
    assert 180 < (chosen == 3).sum() < 320


def test_pictures(generator):
    task = make("inside-count")
    assert task.item_spec() == Image(channels=3, size=64)
    for n in (0, 1, 3):
        items = task.problems(n, pool="base", generator=generator).inputs["items"]
        assert items.shape == (n, 4, 3, 64, 64)
        assert n == 0 or 0 <= items.min() <= items.max() <= 1
    again = load_task(task.address)
    assert again == task


def test_errors_say_what_was_given():
    with pytest.raises(AssayError, match=r"facts must be one of its choices"):
        load_task("shapes:facts=inside")
