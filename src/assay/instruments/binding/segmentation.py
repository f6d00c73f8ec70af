"""FG-ARI and matched IoU of segmentations against the true objects of scenes, in closed form for a whole batch.

Both follow from the contingency table of each scene: `counts[b, g, k]` pixels of true label g lie in segment k. Label 0 is the
background. FG-ARI is the adjusted Rand index (Hubert and Arabie 1985) over the pixels of objects alone, so it ignores segments
that bleed into the background; the matched IoU does not, and is reported with it.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.errors import AssayError


def partition(masks: Float[Tensor, "b k *pixels"]) -> Int[Tensor, "b *pixels"]:
    """The segment of every pixel: the index of the largest mask there, of equal masks the first.

    **Raises:** `AssayError` where there is no mask.

    Example::

        masks = torch.tensor([[[0.9, 0.2], [0.1, 0.8]]])
        assert partition(masks).tolist() == [[0, 1]]
    """
    if not masks.shape[1]:
        raise AssayError("a partition needs at least one mask for each scene", given=tuple(masks.shape))
    return masks.argmax(1)


def contingency(segments: Int[Tensor, "b *pixels"], objects: Int[Tensor, "b *labelled"]) -> Float[Tensor, "b g k"]:
    """Contingency table: the number of pixels of each true label in each segment.

    **Arguments:** `segments`: 0 to k - 1; `objects`: the true label of every pixel, 0 where there is no object.

    **Raises:** `AssayError` for labels below 0, and for segments and objects of different shapes.

    Example::

        counts = contingency(torch.tensor([[0, 0, 1]]), torch.tensor([[0, 1, 1]]))
        assert counts[0].tolist() == [[1.0, 0.0], [1.0, 1.0]]
    """
    if segments.shape != objects.shape:
        raise AssayError(
            "segments and objects must label the same pixels", given=f"{tuple(segments.shape)} and {tuple(objects.shape)}"
        )
    num, segments, objects = len(segments), segments.flatten(1), objects.flatten(1)
    if not segments.numel():
        return torch.zeros(num, 1, 1, dtype=torch.float64)
    lowest = min(int(segments.min()), int(objects.min()))
    if lowest < 0:
        raise AssayError("labels of pixels must be 0 or more", given=lowest)
    k, g = int(segments.max()) + 1, int(objects.max()) + 1
    # One bincount over all scenes: the indices of each scene are offset so that its table follows the one before.
    index = objects * k
    index += segments
    index += torch.arange(num, device=index.device)[:, None] * (g * k)
    return index.flatten().bincount(minlength=num * g * k).view(num, g, k).double()


def fg_ari(counts: Float[Tensor, "b g k"]) -> Float[Tensor, " b"]:
    """The adjusted Rand index over the pixels of objects: 1 for equal partitions, 0 on average for random ones.

    Of the `m = n (n - 1)` ordered pairs of pixels let `t` lie together in both partitions, `a` together in the true one and `b`
    together in the other; the index is `(t - a b / m) / ((a + b) / 2 - a b / m)`. It is 1 for equal partitions, also where both
    are a single cluster, and NaN for a scene without objects.

    Example::

        counts = contingency(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 1]]))
        assert fg_ari(counts).tolist() == [1.0]
    """
    objects = counts[:, 1:].double()
    n = objects.sum((1, 2))
    together = objects.square().sum((1, 2)) - n
    of_objects = objects.sum(2).square().sum(1) - n
    of_segments = objects.sum(1).square().sum(1) - n
    pairs = (n * (n - 1)).clamp(min=1.0)
    expected = of_objects * of_segments / pairs
    highest = (of_objects + of_segments) / 2
    equal = (together == of_objects) & (together == of_segments)
    found = (together - expected) / torch.where(highest == expected, 1.0, highest - expected)
    return torch.where(n == 0, torch.nan, torch.where(equal, 1.0, found))


def matched_iou(counts: Float[Tensor, "b g k"]) -> Float[Tensor, " b"]:
    """The intersection over union of each object with the segment that it is matched with, averaged over a scene's objects.

    Objects and segments are matched one to one so that the sum is largest (Kuhn 1955); an object without a segment counts 0.
    Pixels of the background count in the union. NaN for a scene without objects.

    Example::

        counts = contingency(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 1, 1]]))
        assert torch.allclose(matched_iou(counts), torch.tensor([2 / 3], dtype=torch.float64))
    """
    from scipy.optimize import linear_sum_assignment

    counts = counts.double()
    objects = counts[:, 1:]
    union = objects.sum(2, keepdim=True) + counts.sum(1, keepdim=True) - objects
    overlap = (objects / union.clamp(min=1.0)).numpy()
    there = objects.sum(2) > 0
    total = []
    for scene, present in zip(overlap, there.numpy(), strict=True):
        rows, columns = linear_sum_assignment(scene[present], maximize=True)
        total.append(float(scene[present][rows, columns].sum()))
    return torch.tensor(total, dtype=torch.float64) / there.sum(1).double().masked_fill(~there.any(1), torch.nan)
