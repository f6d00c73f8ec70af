"""Copies of the network with fresh weights. Each is read, searched, fitted and scored as the network itself, and let go: what
copies differ by is what chance gives a network of this architecture."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator

from assay.encoding import Encoder
from assay.instruments.polar.controls import control_tasks
from assay.instruments.polar.curves import Curve, curve_of
from assay.instruments.polar.depth import Deep, deep
from assay.instruments.polar.fit import Fitting, fit_depth
from assay.instruments.polar.measures import UNTRAINED, Control
from assay.instruments.polar.readings import Place, Reading, Texts, read
from assay.instruments.polar.scores import Scored
from assay.instruments.polar.search import Pair, fitted_pair, rated, search
from assay.stats import child_generator
from assay.subject import Subject

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
    - `of_relations`, `of_heads`: of probes fitted on the control tasks, one for each seed.
    - `curve`, `depth_curve`: of every layer; `own_depth`, `moved_depth`: of the depth probe of its layer.
    """

    own: Pair
    moved: Pair
    of_relations: tuple[Scored, ...]
    of_heads: tuple[Scored, ...]
    own_depth: Deep
    moved_depth: Deep
    curve: Curve
    depth_curve: tuple[Deep, ...]


@dataclass(frozen=True, kw_only=True)
class Copying:
    """A copy to be made and judged, with all that a process of its own needs.

    **Attributes:**

    - `subject`, `encoder`: the network, and what reads it.
    - `texts`, `relations`: of the network; `place`: where the copy's probes are moved to.
    - `seeds`: of the control tasks.
    """

    subject: Subject
    encoder: Encoder
    texts: Texts
    relations: tuple[str, ...]
    place: Place
    fitting: Fitting
    seeds: range
    generator: Generator

    def judged(self) -> Untrained:
        """Draw its weights, read the texts, search, fit and score."""
        encoder = self.encoder.on(self.subject.untrained(child_generator(self.generator)))
        twin = read(encoder, self.texts, relations=self.relations).reduced(generator=self.generator)
        return untrained(twin, self.place, fitting=self.fitting, seeds=self.seeds, generator=self.generator)


def untrained(twin: Reading, place: Place, *, fitting: Fitting, seeds: Sequence[int], generator: Generator) -> Untrained:
    """Search, fit and score a copy that was read."""
    draws = child_generator(generator)
    chosen = search(twin.train, twin.dev, layers=twin.candidates, fitting=fitting, generator=draws)
    train, test = (sample.at([chosen.layer]) for sample in (twin.train, twin.test))
    pair = fitted_pair(train, chosen, fitting=fitting, generator=child_generator(generator))
    depth = fit_depth(twin.train, fitting=fitting, generator=child_generator(generator))
    depths = tuple(deep(depth, twin.test))
    fitted = (*pair, depth.at([chosen.layer]))
    distance, polar, norm = (place.moved(twin.whole(one, chosen.layer)) for one in fitted)
    of_relations, of_heads = control_tasks(
        train, test, twin, chosen, fitting=fitting, seeds=seeds, generator=child_generator(generator)
    )
    return Untrained(
        own=rated(*pair, test),
        moved=rated(distance, polar, place.test),
        of_relations=tuple(of_relations),
        of_heads=tuple(of_heads),
        own_depth=depths[chosen.layer],
        moved_depth=deep(norm, place.test)[0],
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
