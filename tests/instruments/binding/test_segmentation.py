"""Scores of segmentations against scikit-learn, by hand, under renaming, and at the ends."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from assay.errors import AssayError
from assay.instruments.binding.segmentation import contingency, fg_ari, matched_iou, partition


def test_fg_ari_is_scikit_learns_on_a_thousand_random_masks():
    random = np.random.default_rng(0)
    worst = 0.0
    for _ in range(1_000):
        pixels, k, g = random.integers(1, 60), random.integers(1, 8), random.integers(1, 6)
        objects = random.integers(0, g + 1, pixels)
        # From equal partitions to unrelated ones.
        segments = np.where(random.random(pixels) < random.random(), objects % k, random.integers(0, k, pixels))
        found = fg_ari(contingency(torch.from_numpy(segments)[None], torch.from_numpy(objects)[None]))
        if not (objects > 0).any():
            assert found.isnan().all()
            continue
        worst = max(worst, abs(adjusted_rand_score(objects[objects > 0], segments[objects > 0]) - float(found)))
    assert worst < 1e-6


def test_a_batch_is_its_scenes_one_by_one(generator):
    segments, objects = torch.randint(5, (20, 6, 6), generator=generator), torch.randint(4, (20, 6, 6), generator=generator)
    counts = contingency(segments, objects)
    for k in range(20):
        alone = contingency(segments[k : k + 1], objects[k : k + 1])
        assert torch.equal(fg_ari(counts)[k : k + 1], fg_ari(alone))
        assert torch.allclose(matched_iou(counts)[k : k + 1], matched_iou(alone))


def test_names_of_segments_do_not_matter(generator):
    segments, objects = torch.randint(5, (9, 40), generator=generator), torch.randint(4, (9, 40), generator=generator)
    renamed = torch.randperm(5, generator=generator)[segments]
    for score in (fg_ari, matched_iou):
        assert torch.allclose(score(contingency(segments, objects)), score(contingency(renamed, objects)))


def test_bleeding_into_the_background_is_seen_by_iou_alone():
    objects = torch.tensor([[0, 0, 0, 0, 1, 1, 2, 2]])
    exact, bled = torch.tensor([[0, 0, 0, 0, 1, 1, 2, 2]]), torch.tensor([[1, 1, 1, 1, 1, 1, 2, 2]])
    assert fg_ari(contingency(exact, objects)).item() == fg_ari(contingency(bled, objects)).item() == 1.0
    assert matched_iou(contingency(exact, objects)).item() == 1.0
    assert matched_iou(contingency(bled, objects)).item() == pytest.approx((2 / 6 + 1) / 2)


def test_matching_is_the_best_of_all_permutations(generator):
    segments, objects = torch.randint(4, (12, 30), generator=generator), torch.randint(4, (12, 30), generator=generator)
    counts = contingency(segments, objects)
    union = counts[:, 1:].sum(2, keepdim=True) + counts.sum(1, keepdim=True) - counts[:, 1:]
    overlap = counts[:, 1:] / union
    every = torch.stack([overlap[:, range(3), list(order)].mean(1) for order in itertools.permutations(range(4), 3)])
    assert torch.allclose(matched_iou(counts), every.amax(0))


def test_an_object_without_a_segment_has_nothing():
    objects = torch.tensor([[1, 1, 2, 2, 3, 3]])
    one = contingency(torch.zeros_like(objects), objects)
    assert matched_iou(one).item() == pytest.approx(1 / 9)
    assert fg_ari(one).item() == 0.0


def test_scenes_without_objects_and_of_one_pixel():
    empty = contingency(torch.tensor([[0, 1]]), torch.tensor([[0, 0]]))
    assert fg_ari(empty).isnan().all()
    assert matched_iou(empty).isnan().all()
    assert fg_ari(contingency(torch.tensor([[2]]), torch.tensor([[1]]))).item() == 1.0
    assert fg_ari(contingency(torch.zeros(0, 4, dtype=torch.int64), torch.zeros(0, 4, dtype=torch.int64))).shape == (0,)


def test_the_partition_is_the_largest_mask(generator):
    masks = torch.rand(3, 4, 5, 5, generator=generator)
    segments = partition(masks)
    assert segments.shape == (3, 5, 5)
    assert torch.equal(masks.gather(1, segments[:, None])[:, 0], masks.amax(1))


def test_errors_say_what_was_given():
    with pytest.raises(AssayError, match="same pixels"):
        contingency(torch.zeros(1, 4, dtype=torch.int64), torch.zeros(1, 5, dtype=torch.int64))
    with pytest.raises(AssayError, match="labels of pixels must be 0 or more"):
        contingency(torch.tensor([[-1, 0]]), torch.tensor([[0, 0]]))
    with pytest.raises(AssayError, match="at least one mask"):
        partition(torch.zeros(2, 0, 3))
