"""The instrument `fracture`: do the same weights act on everything that belongs together, and different ones on the rest?"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.evidence import Effort, Measure
from assay.instrument import Budget, Control, Instrument, Metric, NotEnough, Notes, Random, Reading, Readings, Values
from assay.instruments.fracture import maps
from assay.instruments.fracture.carried import carried
from assay.instruments.fracture.checks import check_outputs, declared_by, finite
from assay.instruments.fracture.coherence import Coherence, coherence, energies_over, kept_share, one_sidedness, participation
from assay.instruments.fracture.contexts import BETWEEN, ENTERING, likeness, settings_of
from assay.instruments.fracture.estimates import left_out, values_around
from assay.instruments.fracture.noise import CONVENTIONS, Shaken, shake
from assay.instruments.fracture.orbits import orbits_shown
from assay.instruments.fracture.shuffled import HOW, NAME, made_anew, shuffled
from assay.instruments.fracture.words import FractureKept, layers_figure, noise_figures, summary_of, warnings_of
from assay.objective import Classification, Objective
from assay.regularity import DeclaresRegularities, GivesIrregular, Regular
from assay.responses import Layer, ReadNetwork, balanced, energy_by_unit, positions_used, read_layers
from assay.stats import gain_over, keyed_seed
from assay.subject import Subject
from assay.task import Task

_SHARES = (0.0, 1.0)
ALIKE = "trained alike without the regularity"
_GROUPS = 6  # of orbits, each left out once where a number is no ratio of sums over orbits

COHERENCE = Metric(
    key="coherence", title="coherence", unit="share of first-order change", level=0, of="orbit", bounds=_SHARES, headline=True
)
PLAIN = Metric(
    key="coherence_of_weights", title="coherence, every weight alike", unit=COHERENCE.unit, level=0, of="orbit", bounds=_SHARES
)
SHARING = Metric(
    key="sharing", title="sharing", unit="share of orbits that respond as one", level=0, of="orbit", bounds=_SHARES,
)  # fmt: skip
ENTANGLEMENT = Metric(
    key="entanglement", title="entanglement", unit="0 one part, 1 all parts", better="lower", level=0, of="group of orbits",
    bounds=_SHARES,
)  # fmt: skip
SIDES = Metric(
    key="lateralisation", title="lateralisation", unit="0 all sides, 1 one side", better="lower", level=0, of="group of orbits",
    bounds=_SHARES,
)  # fmt: skip
DIMENSIONS = Metric(
    key="dimensions", title="dimensions of the inside", unit="axes for 99 %", better="lower", level=0, of="group of orbits"
)
REPEATED = Metric(
    key="predictability", title="units predicted from their neighbours", unit="R2", better="neither", level=0,
    of="group of orbits", bounds=_SHARES,
)  # fmt: skip
DECODED = Metric(
    key="decodability_of_parts", title="decodability of the declared parts", unit="R2", level=0, of="group of orbits",
    bounds=_SHARES,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FractureBudget(Budget):
    """**Attributes:**

    - `examples`: trained ones.
    - `shuffles`: networks of the same weights in another order.
    - `irregular`: networks trained alike on outputs without the regularity, each of which may take `irregular_seconds` of CPU
      time.
    - `scales`, `draws`: of noise.
    - `products`: numbers in responses of weights used at several positions; `gradients`: of outputs by units, which are held in
      memory. Where they are more, fewer examples are taken.
    """

    examples: int
    products: float
    gradients: float
    shuffles: int = 5
    irregular: int = 0
    irregular_seconds: float = 0.0
    scales: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1)
    draws: int = 3


BUDGETS: Mapping[Effort, FractureBudget] = {
    "quick": FractureBudget(examples=400, products=4e7, gradients=4e7, copies=5),
    "standard": FractureBudget(
        examples=4_096, products=2e8, gradients=8e7, copies=5, draws=5, irregular=3, irregular_seconds=120.0
    ),
    "full": FractureBudget(
        examples=4_096, products=2e9, gradients=4e8, copies=19, shuffles=19, draws=20, irregular=5, irregular_seconds=math.inf
    ),
}


@dataclass(frozen=True)
class FractureDraw:
    """What the task declares, in canonical order.

    **Attributes:** `place`: of its orbit among all, at random; `sides`: where in its orbit each example lies; `not_trained`:
    why no network is trained alike on outputs without the regularity, empty where some are; `declared`: how many values each
    part of the task has; `repeated`: examples that were left out, since others have their inputs; `shown`: inputs and images of
    the orbits, as in `Notes`.
    """

    regular: Regular
    objective: Objective
    budget: FractureBudget
    place: Int[Tensor, " n"]
    sides: Int[Tensor, " n"]
    not_trained: str = ""
    declared: Mapping[str, int] = field(default_factory=dict)
    repeated: int = 0
    shown: Mapping[str, Mapping[str, Mapping[int, str]]] = field(default_factory=dict)

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """Of orbits, each left out once."""
        return self.place % _GROUPS

    @property
    def first(self) -> Bool[Tensor, " n"]:
        """One half of the orbits."""
        return self.place % 2 == 0

    @property
    def inputs(self) -> Mapping[str, Tensor]:
        return self.regular.examples.inputs


class Fracture(Instrument[FractureDraw]):
    """Coherence: the share of the first-order changes of the outputs, over all weights, that respects a declared regularity,
    such as the symmetry of a picture or the exchange of contexts. One shared part changes everything that belongs together at
    once; k copies change one side each, and score 1/k.

    The headline is computed in the balanced gauge, which is invariant under rescaling of units and rotation between linear
    maps. Further measures are the same with every weight alike; sharing, the share of orbits whose examples respond as one,
    which depends least on the training recipe; entanglement of declared parts, lateralisation, dimensions and predictability of
    the maps, decodability of the parts, and noise on the weights.
    """

    name = "fracture"
    question = "Do the same weights act on everything that belongs together, or is each piece made by weights of its own?"
    cites = ("kumar2025", "huizinga2018", "moore1981")
    needs = (DeclaresRegularities,)
    metrics = (COHERENCE, PLAIN, SHARING, *BETWEEN.values(), ENTERING, ENTANGLEMENT, SIDES, DIMENSIONS, REPEATED, DECODED)

    def __init__(self, *, budgets: Mapping[Effort, FractureBudget] = BUDGETS):
        self.budgets = budgets

    def data(self, subject: Subject, task: Task, budget: FractureBudget, rng: Random) -> FractureDraw:
        assert isinstance(task, DeclaresRegularities)
        regular = declared_by(task, budget.examples, rng("examples"))
        if not regular.regularities:
            raise NotEnough("the task declares no regularity")
        regular = declared_by(task, _most(subject, regular, budget), rng("examples")).in_canonical_order()
        given, regular = len(regular.examples), regular.without_repeats()
        orbits, number = regular.regularities[0].orbits().unique(return_inverse=True)
        if len(orbits) < _GROUPS:
            raise NotEnough(f"{len(orbits)} orbits of trained examples at this effort, and an interval needs {_GROUPS}")
        place = torch.randperm(len(orbits), generator=rng("groups"))
        # The number of an example within its orbit, in canonical order: its side.
        order = number.argsort(stable=True)
        starts = number[order].bincount().cumsum(0).roll(1)
        starts[0] = 0
        sides = torch.empty_like(number)
        sides[order] = torch.arange(len(number)) - starts[number[order]]
        return FractureDraw(
            regular=regular,
            objective=task.objective,
            budget=budget,
            place=place[number],
            sides=sides,
            not_trained=_why_not_trained(subject, task, budget),
            declared={part.name: len(part.values) for part in task.parts},
            repeated=given - len(regular.examples),
            shown=orbits_shown(regular, task),
        )

    def references(self, network: Subject, task: Task, data: FractureDraw, own: Reading, rng: Random) -> Mapping[str, Subject]:
        if data.not_trained:
            return {}
        from assay.training.relabelled import trained_on

        assert isinstance(task, GivesIrregular)
        several = range(data.budget.irregular)
        seeds = {f"{ALIKE} {k + 1}": keyed_seed(rng.seed, rng.within("irregular", k).name) for k in several}
        return {name: trained_on(task.irregular(seed), network, name=name, seed=seed) for name, seed in seeds.items()}

    def read(self, network: Subject, data: FractureDraw, rng: Random) -> Reading:
        own = self.read_copy(network, data, None, rng)
        names, others = [row[0] for row in own.kept.layers], []
        for number in range(0 if own.kept.made_anew else data.budget.shuffles):
            with suppress(NotEnough):
                others.append(_of_regularities(*_read(shuffled(network, names, rng("shuffle", number)), data), data)[0])
        values = list(own.values)
        for k, beside in enumerate(zip(*others, strict=True)):  # values of regularities come first
            values[k] = _with_shuffles(values[k], beside)
        return own._replace(values=values)

    def read_copy(self, network: Subject, data: FractureDraw, own: Reading | None, rng: Random) -> Reading:
        """With the noise, which the figure shows, and without weights in another order."""
        read, gauged = _read(network, data)
        check_outputs(read, data.regular)
        values, found = _of_regularities(read, gauged, data)
        hangs = carried(network, data.inputs, read)
        values += [
            *likeness(gauged, read, data.regular, data.groups, hangs, logits=isinstance(data.objective, Classification)),
            *_over_parts(read, data),
            *_of_maps(read, gauged, data),
        ]
        first = data.regular.regularities[0]
        targets, budget = data.regular.examples.targets, data.budget
        shaken: dict[str, Shaken] = {
            name: shake(
                network, data.inputs, targets, data.objective, regularity=first, scales=budget.scales, draws=budget.draws,
                convention=name, generator=rng("noise"),
            )
            for name in CONVENTIONS
        }  # fmt: skip
        made = made_anew(network, [layer.name for layer in read.layers])
        return Reading(values, FractureKept(found, _table(read, data, found[first.name]), shaken, read.unread, hangs, made))

    def explain(self, data: FractureDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
        kept: FractureKept = readings.own.kept
        copies = [copy.kept for copy in readings.copies if copy.kept is not None]
        beside = {name: reading.kept for name, reading in readings.references.items() if reading.kept is not None}
        unread, anew = sum(kept.unread.values()), ", ".join(kept.made_anew[:5])
        settings = {
            "orbits": len(data.regular.regularities[0].orbits().unique()),
            "weights not read, with normalisations": unread,
            "share of weights not read": kept.carried.share,
            "variance on weights not read": kept.carried.unread,
            **settings_of(data.regular, kept.found, data.declared),
        }
        return Notes(
            summary=summary_of(kept, measures, settings),
            warnings=warnings_of(kept, data.repeated),
            not_tested=(
                "Large changes of the weights: measures are of first order, and only the noise in the figure is not.",
                "Networks of the same outputs, unless one is given as a reference: coherence is compared with untrained copies "
                "and the same weights in another order.",
                *((f"{NAME.capitalize()}: those of {anew} are computed from other parameters.",) if anew else ()),
                *((f"Networks {ALIKE}: {why}.",) if (why := _not_run(data, readings)) else ()),
                "Regularities and parts that are not declared.",
            ),
            figures=(layers_figure(kept), *noise_figures(kept, copies, beside)),
            settings=settings,
            pictured="The inputs of an orbit.",
            **data.shown,
        )


def _read(network: Subject, data: FractureDraw) -> tuple[ReadNetwork, list[Layer]]:
    """Responses of a network, as they are and in the balanced gauge. **Raises:** `NotEnough` where they are not finite."""
    read = finite(read_layers(network, data.inputs, centred=isinstance(data.objective, Classification)))
    return read, [balanced(layer) for layer in read.layers]


def _most(subject: Subject, regular: Regular, budget: FractureBudget) -> int:
    """Examples whose responses and gradients this effort has room for. Weights that are used at one position need no responses
    of their own, and those at a few need one for each position where that is fewer than one for each output."""
    layers = read_layers(subject, {name: values[:2] for name, values in regular.examples.inputs.items()}, centred=False).layers
    used = [(one, len(positions_used(one))) for one in layers]
    products = sum(min(len(one.gradients), at) * one.weight.numel() for one, at in used if at > 1)
    gradients = sum(one.gradients[:, :1].numel() for one in layers)
    return min(budget.examples, int(budget.products // max(1, products)), int(budget.gradients // max(1, gradients)))


def _why_not_trained(subject: Subject, task: Task, budget: FractureBudget) -> str:
    """Why no network is trained alike on outputs without the regularity; empty where some are."""
    if not budget.irregular:
        return "not run, since this effort trains none"
    if not isinstance(task, GivesIrregular):
        return "not run, since the task gives no such outputs"
    if subject.training is None:
        return "not run, since how the network was trained is not known; train them and give them as references"
    took, most = subject.training.cpu_seconds, budget.irregular_seconds
    return f"not run, since training took {took:,.0f} s of CPU time, and this effort allows {most:,.0f}" if took > most else ""


def _not_run(data: FractureDraw, readings: Readings) -> str:
    made = any(name.startswith(ALIKE) for name in readings.references)
    return data.not_trained or ("" if made else "not run, since this access level does not reach the task")


def _of_regularities(
    read: ReadNetwork, gauged: Sequence[Layer], data: FractureDraw
) -> tuple[list[Values], dict[str, Coherence]]:
    """Coherence in both forms and sharing with each regularity, and the balanced one by its name.

    **Raises:** `NotEnough` for a network whose outputs respond to nothing.
    """
    if not read.layers:
        raise NotEnough("no linear layer or convolution runs at any position, so that there are no responses")
    values, found = [], {}
    for regularity in data.regular.regularities:
        about = {"regularity": regularity.name}
        for metric, layers in ((COHERENCE, gauged), (PLAIN, read.layers)):
            one = coherence(layers, read.outputs, regularity)
            if not float(one.total.sum()) > 0:
                raise NotEnough("no output responds to any weight, so that coherence is undefined")
            values.append(
                Values(metric=metric.key, units=one.units, ids=one.orbits, about=about, ceiling=max(one.of_outputs, one.value))
            )
            found.setdefault(regularity.name, one)
        votes, orbits = found[regularity.name].sharing()
        values.append(Values(metric=SHARING.key, units=votes, ids=orbits, about=about))
    return values, found


def _with_shuffles(own: Values, others: Sequence[Values]) -> Values:
    """A value beside those of networks of the same weights in another order; p as beside untrained copies, by t."""
    means = [other.mean for other in others if len(other.units)]
    if len(means) < 2 or len(own.units) < 2:
        return own
    beyond = gain_over(own.mean, float(own.units.var()) / len(own.units), means)
    null = Control(name=NAME, how=HOW, values=torch.tensor(means, dtype=torch.float64), p=beyond.p)
    return replace(own, controls=(null,))


def _over_parts(read: ReadNetwork, data: FractureDraw) -> list[Values]:
    """Entanglement of the declared parts and lateralisation over the sides, in the gauge of units."""
    num, sides, names = read.outputs.shape[1], int(data.sides.max()) + 1, list(data.regular.parts)
    asked = []
    if len(names) > 1:
        masks = [data.regular.parts[name].expand(-1, num) for name in names]
        asked.append((ENTANGLEMENT, {"parts": ", ".join(names)}, participation, masks))
    if sides > 1:
        masks = [(data.sides == side)[:, None].expand(-1, num) for side in range(sides)]
        asked.append((SIDES, {"regularity": data.regular.regularities[0].name}, one_sidedness, masks))
    if not asked:
        return []
    every = torch.stack([mask for *_, masks in asked for mask in masks])
    energies = [energies_over(layer, every, data.groups) * energy_by_unit(layer) for layer in read.layers]
    found, start = [], 0
    for metric, about, measure, masks in asked:
        found.append(left_out(metric, about, measure, [energy[:, start : start + len(masks)] for energy in energies]))
        start += len(masks)
    return [one for one in found if one is not None]


def _of_maps(read: ReadNetwork, gauged: Sequence[Layer], data: FractureDraw) -> list[Values]:
    """Dimensions, repetition and decodability of what lies in the hidden layers."""
    hidden = maps.hidden_maps(read.layers)
    hidden = [one for one in hidden if one.shape[1]]
    if not hidden:
        return []
    pooled = [maps.standardised(one) for one in hidden]
    free = [layer.inputs.mean(1) for layer in gauged[1:]]
    targets, names = _targets(data)

    def held(rows: Tensor) -> list[tuple[Metric, dict[str, str], float | None]]:
        few, first = [one[rows] for one in hidden], data.first[rows]
        found = [
            (DIMENSIONS, {"maps": "in the balanced gauge"}, float(maps.dimensions([one[rows] for one in free]))),
            (DIMENSIONS, {"maps": "standardised"}, float(maps.dimensions([one[rows] for one in pooled]))),
            (REPEATED, {}, maps.predictability(few, first)),
        ]
        if names:
            best = max(maps.decodability(one, targets[rows], first) for one in few)
            found.append((DECODED, {"parts": ", ".join(names)}, best))
        return found

    whole = held(torch.arange(len(data.groups)))
    left = [held((data.groups != group).nonzero()[:, 0]) for group in range(_GROUPS)]
    made = [values_around(metric, about, value, [one[k][2] for one in left]) for k, (metric, about, value) in enumerate(whole)]
    return [one for one in made if one is not None]


def _targets(data: FractureDraw) -> tuple[Float[Tensor, "n q"], list[str]]:
    """A column for each part that lies in some examples and not in others."""
    columns = {name: mask.any(1).double() for name, mask in data.regular.parts.items()}
    columns = {name: column for name, column in columns.items() if 0 < float(column.mean()) < 1}
    num = len(data.groups)
    return torch.stack(list(columns.values()), 1) if columns else torch.zeros(num, 0, dtype=torch.float64), list(columns)


def _table(
    read: ReadNetwork, data: FractureDraw, found: Coherence
) -> tuple[tuple[str, float | None, float, float | None, float], ...]:
    """Of every layer: coherence, share of the energy, decodability beside it, and how far what enters it has the regularity."""
    targets, names = _targets(data)
    rows = []
    regularity = data.regular.regularities[0]
    for layer, share, own in zip(read.layers, found.shares(), found.by_layer(), strict=True):
        entering = layer.inputs.mean(1)
        probe = maps.decodability(entering, targets, data.first) if names else None
        stays = torch.arange(entering.shape[1]).expand(len(regularity.rows), -1)
        centred = type(regularity)(regularity.name, regularity.rows, stays)
        rows.append((layer.name, own, share, probe, kept_share(entering, centred)))
    return tuple(rows)
