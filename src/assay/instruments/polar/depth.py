"""Depth probes: squared norms are depths, and the least deep node is the root (Hewitt and Manning 2019, section 3)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.evidence import Measure, Table
from assay.instruments.polar.controls import Case, Source
from assay.instruments.polar.correlation import length_mean, rank_correlation
from assay.instruments.polar.curves import SPREAD, or_none, spread
from assay.instruments.polar.fit import Fitting, Probes, fit_depth
from assay.instruments.polar.measures import LEVEL, UNTRAINED, Control, measure_of, null_of
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
        return self.each(found).mean(0)

    def each(self, found: Sequence[Deep]) -> Float[Tensor, "repeats texts"]:
        """Each such text in each repeat."""
        values = torch.stack([self.of(deep) for deep in found]).double()
        return values[:, ~values.isnan().any(0)]

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


def plain_depth(sources: Sequence[Source], *, fitting: Fitting, generator: Generator) -> list[Control[Deep]]:
    """The nulls that need no other network."""

    def of(case: Case) -> list[Deep]:
        probes = case.probes or fit_depth(case.train, fitting=fitting, generator=child_generator(generator))
        return deep(probes, case.test)

    return [Control(source.name, source.how, tuple(one for case in source.cases for one in of(case))) for source in sources]


def depth_evidence(
    reading: Reading,
    found: Found,
    controls: Sequence[Control[Deep]],
    copies: Sequence[Sequence[Deep]],
    *,
    fitting: Fitting,
    seeds: int,
    generator: Generator,
) -> tuple[list[Measure], Table]:
    """Root accuracy and depth correlation at the layer that was chosen, beside every null, and both from layer to layer.

    **Arguments:** `copies`: what untrained copies give at every layer.
    """
    same = [found.layer] * seeds
    probes = fit_depth(reading.train.at(same), fitting=fitting, generator=child_generator(generator))
    own = deep(probes, reading.test.at(same))
    every = fit_depth(reading.train, fitting=fitting, generator=child_generator(generator))
    flat = {control.name: control.repeats for control in controls if control.name != UNTRAINED}
    return [_measure(asked, own, controls) for asked in ASKED], _curve(reading, deep(every, reading.test), copies, flat)


def _measure(asked: _Asked, own: Sequence[Deep], controls: Sequence[Control[Deep]]) -> Measure:
    units, seeds = asked.units(own), [asked.mean(one) for one in own]
    beside = [null_of(control, units, seeds, each=asked.each, value=asked.mean) for control in controls]
    spread = f"; {len(seeds)} seeds: {min(seeds):.3f} to {max(seeds):.3f}" if len(seeds) > 1 else ""
    return measure_of(asked.name, units, beside, note=asked.note + spread, headline=False, bounds=asked.bounds, unit=asked.unit)


def _curve(
    reading: Reading, own: Sequence[Deep], copies: Sequence[Sequence[Deep]], flat: Mapping[str, Sequence[Deep]]
) -> Table:
    rows: list[tuple[str | float | None, ...]] = []
    for asked in ASKED:
        beside = [or_none(sum(map(asked.mean, deeps)) / len(deeps)) for deeps in flat.values()]
        for k, (name, one) in enumerate(zip(reading.layers, own, strict=True)):
            interval = mean_interval(asked.units([one]), bounds=asked.bounds)
            ends = (interval.low, interval.high) if interval else (None, None)
            others = spread([asked.mean(copy[k]) for copy in copies])
            rows.append((name, asked.name, or_none(asked.mean(one)), *ends, *others, *beside))
    for k, (name, one) in enumerate(zip(reading.layers, own, strict=True)):
        others = spread([length_mean(copy[k].correlation, reading.test) for copy in copies])
        mean = or_none(length_mean(one.correlation, reading.test))
        rows.append((name, "NSpr", mean, None, None, *others, *(None for _ in flat)))
    return Table(
        name=CURVE,
        columns=("layer", "measure", "value", "low", "high", UNTRAINED, *SPREAD, *flat),
        rows=tuple(rows),
        note="Depth probes on the test texts, one fit for each layer. NSpr is the depth correlation as published: the mean of "
        "the texts of every length, then over lengths 5 to 50. Nulls other than the untrained copies are at the layer that was "
        "chosen, or know none.",
        level=LEVEL,
    )
