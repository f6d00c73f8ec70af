"""Copies of the network with fresh weights. Each is read, searched, fitted and scored as the network itself, and let go: what
copies differ by is what chance gives a network of this architecture."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator

from assay.instruments.polar.controls import control_task_pairs
from assay.instruments.polar.curves import Curve, curve_of
from assay.instruments.polar.depth import Deep, deep
from assay.instruments.polar.fit import Fitting, fit_depth
from assay.instruments.polar.measures import UNTRAINED, Control
from assay.instruments.polar.readings import Reading
from assay.instruments.polar.search import Found, Pair, fitted_pair, rated, search
from assay.stats import child_generator

MOVED = "probe of another network"
_HOW = {
    UNTRAINED: "the same search and fit on copies with fresh weights",
    MOVED: "probes fitted on untrained copies, moved here",
}


@dataclass(frozen=True)
class Untrained:
    """What one copy gives on the texts of the network.

    **Attributes:**

    - `own`: of its probes at its layer; `moved`: of the same probes in the states of the network.
    - `of_relations`, `of_heads`: of probes fitted on the control tasks, a pair for each seed.
    - `curve`, `depth_curve`: of every layer; `own_depth`, `moved_depth`: of the depth probe of its layer.
    """

    own: Pair
    moved: Pair
    of_relations: tuple[Pair, ...]
    of_heads: tuple[Pair, ...]
    own_depth: Deep
    moved_depth: Deep
    curve: Curve
    depth_curve: tuple[Deep, ...]


def untrained(
    twin: Reading, reading: Reading, found: Found, *, fitting: Fitting, seeds: Sequence[int], generator: Generator
) -> Untrained:
    """Search, fit and score a copy.

    **Arguments:** `twin`, `reading`: of the copy and of the network; `found`: for the network; `seeds`: of the control tasks.
    """
    draws = child_generator(generator)
    chosen = search(twin.train, twin.dev, layers=twin.candidates, fitting=fitting, generator=draws)
    train, test = (sample.at([chosen.layer]) for sample in (twin.train, twin.test))
    here = reading.test.at([found.layer])
    pair = fitted_pair(train, chosen, fitting=fitting, generator=child_generator(generator))
    depth = fit_depth(twin.train, fitting=fitting, generator=child_generator(generator))
    depths = tuple(deep(depth, twin.test))
    fitted = (*pair, depth.at([chosen.layer]))
    distance, polar, norm = (reading.of_whole(twin.whole(one, chosen.layer), found.layer) for one in fitted)
    of_relations, of_heads = control_task_pairs(
        train, test, twin, chosen, fitting=fitting, seeds=seeds, generator=child_generator(generator)
    )
    return Untrained(
        own=rated(*pair, test),
        moved=rated(distance, polar, here),
        of_relations=tuple(of_relations),
        of_heads=tuple(of_heads),
        own_depth=depths[chosen.layer],
        moved_depth=deep(norm, here)[0],
        curve=curve_of(twin, chosen),
        depth_curve=depths,
    )


def untrained_controls(copies: Sequence[Untrained]) -> list[Control[Pair]]:
    """The copies as nulls of rates."""
    kinds = ((UNTRAINED, [copy.own for copy in copies]), (MOVED, [copy.moved for copy in copies]))
    return [Control(name, _HOW[name], tuple(pairs), networks=True) for name, pairs in kinds]


def untrained_depth(copies: Sequence[Untrained]) -> list[Control[Deep]]:
    """The copies as nulls of depth."""
    kinds = ((UNTRAINED, [copy.own_depth for copy in copies]), (MOVED, [copy.moved_depth for copy in copies]))
    return [Control(name, _HOW[name], tuple(deeps), networks=True) for name, deeps in kinds]
