"""Depth probes: squared norms are depths, and the least deep node is the root (Hewitt and Manning 2019, section 3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.evidence import Measure, Null, Table
from assay.instruments.polar.controls import Source
from assay.instruments.polar.correlation import length_mean, rank_correlation
from assay.instruments.polar.fit import Fitting, Probes, fit_depth
from assay.instruments.polar.measures import LEVEL, fitted_p, measure_of
from assay.instruments.polar.readings import Reading
from assay.instruments.polar.search import Found
from assay.instruments.polar.targets import Sample, in_order
from assay.stats import child_generator, mean_interval

CURVE = "Depth, layer by layer"


@dataclass(frozen=True)
class Deep:
    """What one depth probe makes of every text, NaN where that cannot be asked.

    **Attributes:**

    - `root` `(texts,)`: whether the least deep node is the root, among nodes that are no punctuation, of which there are two
      or more.
    - `correlation` `(texts,)`: Spearman's, between predicted and true depths of all nodes; 0 where all predicted ones tie.
    """

    root: Float[Tensor, " texts"]
    correlation: Float[Tensor, " texts"]


@dataclass(frozen=True)
class _Asked:
    name: str
    unit: str
    of: Callable[[Deep], Float[Tensor, " texts"]]
    note: str
    bounds: tuple[float, float]

    def units(self, found: Sequence[Deep]) -> Float[Tensor, " texts"]:
        """The mean over repeats of each text that can be asked; which ones can, its gold graph decides."""
        values = torch.stack([self.of(deep) for deep in found]).double().mean(0)
        return values[~values.isnan()]

    def mean(self, deep: Deep) -> float:
        return float(self.of(deep).nanmean())


ROOT = _Asked(
    "root accuracy of depth",
    "share of texts",
    lambda deep: deep.root,
    "depth probe, the node of the least squared norm; punctuation excluded",
    (0.0, 1.0),
)
CORRELATION = _Asked(
    "depth correlation",
    "Spearman correlation",
    lambda deep: deep.correlation,
    "depth probe, squared norm and depth within a text, the mean over texts; punctuation included",
    (-1.0, 1.0),
)
ASKED = (ROOT, CORRELATION)


def deep(probes: Probes, sample: Sample) -> list[Deep]:
    """Read the depths of every text off every probe of the stack."""
    root, correlation = (torch.full((len(probes), len(sample)), torch.nan) for _ in range(2))
    for batch in in_order(sample, 64):
        norms = probes.vectors(sample, batch).square().sum(-1)
        for place, text in enumerate(batch.texts.tolist()):
            target = sample.targets[text]
            found = norms[:, place, : len(target)]
            if target.root >= 0 and target.content[target.root] and target.content.sum() > 1:
                least = found.masked_fill(~target.content, torch.inf).argmin(1)
                root[:, text] = (least == target.root).float()
            if (target.depths >= 0).all() and target.depths.unique().numel() > 1:
                ranks = rank_correlation(found.numpy(), target.depths.numpy()[None])
                correlation[:, text] = torch.from_numpy(ranks).float().nan_to_num(0.0)
    return [Deep(root[p], correlation[p]) for p in range(len(probes))]


def depth_evidence(
    reading: Reading,
    found: Found,
    twin: Reading,
    twin_found: Found,
    sources: Sequence[Source],
    *,
    fitting: Fitting,
    seeds: int,
    generator: Generator,
) -> tuple[list[Measure], Table]:
    """Root accuracy and depth correlation at the layer that was chosen, beside every null, and both from layer to layer.

    **Arguments:** `sources`: what the nulls read; the untrained copy comes at its own layer, as elsewhere.
    """

    def fitted(sample: Sample) -> Probes:
        return fit_depth(sample, fitting=fitting, generator=child_generator(generator))

    same = [found.layer] * seeds
    own = deep(fitted(reading.train.at(same)), reading.test.at(same))
    nulls = [
        (
            source.name,
            source.how,
            [one for case in source.cases for one in deep(case.probes or fitted(case.train), case.test)],
        )
        for source in sources
    ]
    layer = [twin_found.layer]
    other = fitted(twin.train.at(layer))
    moved = reading.of_whole(twin.whole(other, twin_found.layer), found.layer)
    nulls += [
        ("untrained copies", "the same search and fit on a copy with fresh weights", deep(other, twin.test.at(layer))),
        (
            "probe of another network",
            "probes fitted on the untrained copy, moved here",
            deep(moved, reading.test.at([found.layer])),
        ),
    ]
    curves = [deep(fitted(one.train), one.test) for one in (reading, twin)]
    flat = {name: deeps for name, _, deeps in nulls if name != "untrained copies"}
    return [_measure(asked, own, nulls) for asked in ASKED], _curve(reading, curves[0], curves[1], flat)


def _measure(asked: _Asked, own: Sequence[Deep], nulls: Sequence[tuple[str, str, list[Deep]]]) -> Measure:
    units, seeds = asked.units(own), [asked.mean(one) for one in own]
    beside = [
        Null(
            name=name,
            how=how,
            values=tuple(asked.mean(one) for one in deeps),
            p=fitted_p(units, asked.units(deeps), seeds, len(deeps)),
        )
        for name, how, deeps in nulls
    ]
    spread = f"; {len(seeds)} seeds: {min(seeds):.3f} to {max(seeds):.3f}" if len(seeds) > 1 else ""
    return measure_of(asked.name, units, beside, note=asked.note + spread, headline=False, bounds=asked.bounds, unit=asked.unit)


def _curve(reading: Reading, own: Sequence[Deep], twins: Sequence[Deep], flat: dict[str, list[Deep]]) -> Table:
    rows: list[tuple[str | float | None, ...]] = []
    for asked in ASKED:
        beside = [sum(map(asked.mean, deeps)) / len(deeps) for deeps in flat.values()]
        for name, one, twin in zip(reading.layers, own, twins, strict=True):
            interval = mean_interval(asked.units([one]), bounds=asked.bounds)
            ends = (interval.low, interval.high) if interval else (None, None)
            rows.append((name, asked.name, *map(_or_none, (asked.mean(one), *ends, asked.mean(twin), *beside))))
    by_length = [[length_mean(one.correlation, reading.test) for one in deeps] for deeps in (own, twins)]
    empty = (None,) * len(flat)
    for name, one, twin in zip(reading.layers, *by_length, strict=True):
        rows.append((name, "NSpr", _or_none(one), None, None, _or_none(twin), *empty))
    return Table(
        name=CURVE,
        columns=("layer", "measure", "value", "low", "high", "untrained copy", *flat),
        rows=tuple(rows),
        note="Depth probes on the test texts, one fit for each layer. NSpr is the depth correlation as published: the mean of "
        "the texts of every length, then over lengths 5 to 50. Nulls other than the untrained copy are at the layer that was "
        "chosen, or know none.",
        level=LEVEL,
    )


def _or_none(value: float | None) -> float | None:
    return value if value is not None and value == value else None
