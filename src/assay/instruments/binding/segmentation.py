"""Agreement of a segmentation with the true objects of a scene, in closed form for a whole batch: FG-ARI and matched IoU.

Both follow from one contingency table for each scene: `counts[b, g, k]` pixels of true label g lie in segment k. Label 0 is
the background. FG-ARI is the adjusted Rand index (Hubert and Arabie 1985) over the pixels of objects alone, so that it does not
see an object's segment that bleeds into the background; the matched IoU does, and stands beside it.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.errors import AssayError


def partition(masks: Float[Tensor, "b k *pixels"]) -> Int[Tensor, "b *pixels"]:
    """The segment of every pixel: the mask that is largest there, the first of equal ones.

    **Raises:** `AssayError` where there is no mask.

    Example::

        masks = torch.tensor([[[0.9, 0.2], [0.1, 0.8]]])
        assert partition(masks).tolist() == [[0, 1]]
    """
    if not masks.shape[1]:
        raise AssayError("a partition needs at least one mask for each scene", given=tuple(masks.shape))
    return masks.argmax(1)


def contingency(segments: Int[Tensor, "b *pixels"], objects: Int[Tensor, "b *labelled"]) -> Float[Tensor, "b g k"]:
    """How many pixels of every true label lie in every segment.

    **Arguments:** `segments`: 0 to k - 1; `objects`: the true label of every pixel, 0 where there is no object.

    **Raises:** `AssayError` for labels below 0, and for segments and objects that are not of the same pixels.

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
    # One count over all scenes: as an index, a scene's table begins where that of the one before ends.
    index = objects * k
    index += segments
    index += torch.arange(num, device=index.device)[:, None] * (g * k)
    return index.flatten().bincount(minlength=num * g * k).view(num, g, k).double()


def fg_ari(counts: Float[Tensor, "b g k"]) -> Float[Tensor, " b"]:
    """The adjusted Rand index over the pixels of objects, 1 for equal partitions and 0 in the mean for random ones.

    In pairs of pixels, each counted in both orders, with `t` together in both partitions, `a` together in the true one and `b`
    in the other, of `m = n (n - 1)`: `(t - a b / m) / ((a + b) / 2 - a b / m)`. Partitions that are equal have 1, also where
    both are one cluster. NaN where a scene has no object.

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
    """The mean over the objects of a scene of the intersection over union with the segment that it is matched with.

    Objects and segments are matched one to one so that the sum is largest (Kuhn 1955); an object without a segment has 0.
    Pixels of the background count in the union. NaN where a scene has no object.

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
