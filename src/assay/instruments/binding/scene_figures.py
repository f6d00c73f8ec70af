"""Figures of scenes: segments of the network and of the nulls, FG-ARI by number of objects, and IsSameObject by site."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.figure import Cell, Curve, DetailTable, GridImage, ImageGrid, Line, Plot
from assay.instruments.binding.grouping import Grouping
from assay.instruments.binding.segmentation import contingency, fg_ari

PICTURED = 4
"""Scenes whose segments are shown."""


@dataclass(frozen=True)
class Pictured:
    """Some scenes, their true objects, and their segmentations: the network's first, then those of the nulls."""

    image: Float[Tensor, "n channels rows columns"]
    objects: Int[Tensor, "n rows columns"]
    partitions: Mapping[str, Int[Tensor, "n rows columns"]]


def numbered_alike(segments: Int[Tensor, "rows columns"], objects: Int[Tensor, "rows columns"]) -> Int[Tensor, "rows columns"]:
    """Renumber the segments by the labels they are matched with, one to one by largest overlap; the others come after these."""
    from scipy.optimize import linear_sum_assignment

    counts = contingency(segments[None], objects[None])[0]
    labels, found = linear_sum_assignment(counts.numpy(), maximize=True)
    number = torch.full((counts.shape[1],), -1)
    number[torch.from_numpy(found)] = torch.from_numpy(labels)
    left = (number < 0).nonzero()[:, 0]
    number[left] = counts.shape[0] + torch.arange(len(left))
    return number[segments]


def segments_figure(pictured: Pictured, place: str) -> ImageGrid:
    """Scenes with their true objects and every segmentation, each with its FG-ARI."""
    rows = []
    for k in range(len(pictured.image)):
        objects = pictured.objects[k]
        row = [
            GridImage(name="input", pixels=_colours(pictured.image[k])),
            GridImage(name="objects", pixels=_rows(objects), labels=True),
        ]
        for name, partition in pictured.partitions.items():
            found = float(fg_ari(contingency(partition[k][None], objects[None])))
            alike = numbered_alike(partition[k], objects)
            row.append(GridImage(name=name, pixels=_rows(alike), labels=True, note=f"FG-ARI {found:.2f}"))
        rows.append(tuple(row))
    return ImageGrid(
        name="Segments of the network and of the nulls",
        rows=tuple(rows),
        caption=(
            f"Segments of the network are {place}; the others need no network. A segment has the colour of the object it is "
            "matched with, one to one by largest overlap; unmatched segments have colours of their own."
        ),
        level=0,
    )


def sizes_table(
    by_size: Mapping[int, Float[Tensor, " n"]], nulls: Mapping[int, Mapping[str, float]], place: str
) -> DetailTable:
    """FG-ARI of the network and of every null, by number of objects."""
    rows: list[tuple[Cell, ...]] = []
    for size, units in by_size.items():
        rows.append((size, "network", float(units.mean())))
        rows += [(size, name, value) for name, value in nulls[size].items()]
    return DetailTable(
        name="FG-ARI of the network and of segmentations that need no network",
        columns=("objects", "segmentation", "FG-ARI"),
        rows=tuple(rows),
        note=f"The network's segments are {place}. FG-ARI ignores segments that bleed into the background; matched IoU does "
        "not.",
        level=0,
    )


def grouping_figures(found: Grouping) -> tuple[Curve | DetailTable, ...]:
    """Accuracy by site with the nulls, and the effect of the ablation."""
    sites = tuple(found.by_site)
    names = list(next(iter(found.nulls_by_site.values()), {}))
    lines = [Line(name="states", x=sites, y=tuple(found.by_site.values()))]
    lines += [Line(name=name, x=sites, y=tuple(found.nulls_by_site[site][name] for site in sites), null=True) for name in names]
    curve = Curve(
        name="One object or two, by site",
        across="site",
        plots=(Plot(title="accuracy", subtitle="of pairs of places, chance .5", lines=tuple(lines)),),
        caption=(
            "A quadratic read-out tells from the states at two places whether one object covers both. The curve is from one "
            "half of the scenes, on which the best site is chosen, with read-outs fitted on other scenes of that half. The "
            "measure comes from the other half. The nulls are read from the input at the same places."
        ),
        level=0,
    )
    if found.ablation is None:
        return (curve,)
    a = found.ablation
    table = DetailTable(
        name="Ablation of the directions of the read-out",
        columns=("removed", "share of the states' variance", "accuracy of the read-out, refitted", "change of the outputs"),
        rows=(
            ("nothing", 0.0, float(found.right.mean()), 0.0),
            (f"{a.removed} directions of the read-out", a.share, a.left, float(a.moved.mean())),
            (f"{a.removed} random directions", a.share_of_random, a.left_by_random, float(a.by_random.mean())),
        ),
        note=f"At {found.site.name}. The change is the squared change, as a share of the outputs' variance between scenes.",
        level=0,
    )
    return curve, table


def _colours(image: Float[Tensor, "channels rows columns"]) -> tuple[tuple[int, ...], ...]:
    """Three channels as colours in [0, 1]; for any other number of channels their mean as grey."""
    whole = image.float() if len(image) == 3 else image.float().mean(0, keepdim=True).expand(3, -1, -1)
    levels = (whole.clamp(0, 1) * 255).round().long()
    return _rows(levels[0] * 65_536 + levels[1] * 256 + levels[2])


def _rows(pixels: Int[Tensor, "rows columns"]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(line) for line in pixels.tolist())
