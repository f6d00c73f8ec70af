"""Rates of gold edges as measures: texts are the units, every null scores the same texts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from assay.evidence import Measure, Null
from assay.instruments.polar.scores import Rate, Scored, influence
from assay.instruments.polar.search import Pair
from assay.stats import MIN_UNITS, gain_over_networks, mean_interval, one_sided_p

LEVEL = 2  # held-out texts, and their gold graphs
UNTRAINED = "untrained copies"
Repeat = TypeVar("Repeat")


@dataclass(frozen=True)
class Control(Generic[Repeat]):
    """A null: what it is, and what each of its repeats gives on the texts of the real thing.

    **Attributes:** `networks`: whether every repeat is another network, so that p is over networks and texts.
    """

    name: str
    how: str
    repeats: tuple[Repeat, ...]
    networks: bool = False


@dataclass(frozen=True)
class Asked:
    """A rate that is measured: its `name` in the report, the `rate`, which scores of a pair it is of, and how it is counted."""

    name: str
    rate: Rate
    of: Callable[[Pair], Scored]
    note: str

    def units(self, pairs: Sequence[Pair]) -> Float[Tensor, " texts"]:
        """What each text contributes, the mean over repeats."""
        return self.each(pairs).mean(0)

    def each(self, pairs: Sequence[Pair]) -> Float[Tensor, "repeats texts"]:
        """What each text contributes in each repeat."""
        return self.each_of([self.of(pair) for pair in pairs])

    def each_of(self, repeats: Sequence[Scored]) -> Float[Tensor, "repeats texts"]:
        """The same where only these scores were made."""
        return torch.stack([influence(*scored.counts(self.rate)) for scored in repeats])

    def micro(self, pair: Pair) -> float:
        """The rate over all edges."""
        return self.of(pair).micro(self.rate)


def _structural(pair: Pair) -> Scored:
    return pair.structural


def _polar(pair: Pair) -> Scored:
    return pair.polar


UUAS = Asked("UUAS", "UUAS", _structural, "distance probe, minimum spanning tree; punctuation excluded, over all edges")
UAS = Asked("UAS", "UAS", _polar, "polar probe, maximum spanning arborescence; punctuation included, over all edges")
LAS = Asked("LAS", "LAS", _polar, "polar probe, maximum spanning arborescence; punctuation included, over all edges")
TYPE = Asked("type accuracy", "type accuracy", _polar, "polar probe, gold edges, nearest prototype by signed cosine")
ASKED = (UUAS, UAS, LAS, TYPE)


def rate_measure(
    asked: Asked, own: Sequence[Pair], controls: Sequence[Control[Pair]], *, headline: bool, name: str = ""
) -> Measure:
    """The rate of the real probes beside every control."""
    units = asked.units(own)
    seeds = [asked.micro(pair) for pair in own]
    nulls = [null_of(control, units, seeds, each=asked.each, value=asked.micro) for control in controls]
    spread = f"; {len(seeds)} seeds: {min(seeds):.3f} to {max(seeds):.3f}" if len(seeds) > 1 else ""
    return measure_of(name or asked.name, units, nulls, note=f"{asked.note}{spread}", headline=headline, bounds=(0.0, 1.0))


def null_of(
    control: Control[Repeat],
    units: Float[Tensor, " texts"],
    seeds: Sequence[float],
    *,
    each: Callable[[Sequence[Repeat]], Float[Tensor, "repeats texts"]],
    value: Callable[[Repeat], float],
) -> Null:
    """A control beside the `units` of the real thing, which had the values `seeds`."""
    p = null_p(units, each(control.repeats), seeds, networks=control.networks)
    return Null(name=control.name, how=control.how, values=tuple(map(value, control.repeats)), p=p)


def null_p(
    units: Float[Tensor, " texts"], others: Float[Tensor, "repeats texts"], seeds: Sequence[float], *, networks: bool
) -> float:
    """One-sided p that the rate exceeds the null's on the same texts. Where repeats are `networks`, that of one more of them
    being as high (`gain_over_networks`); else `fitted_p`."""
    if networks:
        gain = gain_over_networks(units, others)
        return gain.p if gain else 1.0
    return fitted_p(units, others.mean(0), seeds, len(others))


def fitted_p(units: Float[Tensor, " texts"], other: Float[Tensor, " texts"], seeds: Sequence[float], repeats: int) -> float:
    """One-sided p that the rate exceeds the null's on the same texts (paired t), where both would be another with another fit.

    The variance of a fit is that between the real probe's `seeds`, which is taken for the null's `repeats` too; without it two
    fits of one thing would differ too often.
    """
    num = len(units)
    if num < 2:
        return 1.0
    difference = units - other
    of_fits = float(torch.tensor(seeds, dtype=torch.float64).var()) if len(seeds) > 1 else 0.0
    error = math.sqrt(float(difference.var()) / num + of_fits * (1 / len(seeds) + 1 / repeats))
    gain = float(difference.mean())
    return one_sided_p(gain, error, freedom=num - 1, units=num)


def selectivity_measure(
    asked: Asked,
    own: Sequence[Pair],
    control: Sequence[Scored],
    copies: Sequence[tuple[Pair, Sequence[Scored]]],
    *,
    task: str,
) -> Measure:
    """How far the probe is better at the declared graphs than at a control task that words alone decide (Hewitt and Liang
    2019), beside the same in untrained copies, of which come each copy's own pair and the scores on the control task."""
    wrong = asked.each_of(control).mean(0)
    units = asked.units(own) - wrong
    others = torch.stack([asked.units([pair]) - asked.each_of(scores).mean(0) for pair, scores in copies])
    null = Null(
        name=UNTRAINED,
        how="the same difference where the states come from copies with fresh weights",
        values=tuple(others.mean(1).tolist()),
        p=null_p(units, others, (), networks=True),
    )
    note = f"{asked.name} {float(asked.units(own).mean()):.3f}, and {float(wrong.mean()):.3f} on the {task}"
    name = f"selectivity of {asked.name}"
    return measure_of(name, units, [null], note=note, headline=True, bounds=(-1.0, 1.0), unit=f"difference of {asked.name}")


def measure_of(
    name: str,
    units: Float[Tensor, " texts"],
    nulls: Sequence[Null],
    *,
    note: str,
    headline: bool,
    bounds: tuple[float, float],
    unit: str = "share of gold edges",
) -> Measure:
    interval = mean_interval(units, bounds=bounds)
    enough = len(units) >= MIN_UNITS and interval is not None
    return Measure(
        key="_".join(name.lower().split()),
        name=name,
        value=float(units.mean()) if enough else None,
        unit=unit,
        direction="higher",
        interval=interval,
        nulls=tuple(nulls),
        units=len(units),
        unit_of="example",
        headline=headline,
        note=note if enough else f"{len(units)} texts with edges, and an interval needs {MIN_UNITS}",
        level=LEVEL,
    )
