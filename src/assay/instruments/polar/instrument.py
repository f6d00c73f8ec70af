"""The instrument `polar`: do distances and angles between states encode the declared graph?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from assay.display import number
from assay.encoding import Encoder, encoder_of
from assay.encoding.hugging_face import WORDS
from assay.evidence import UNTRAINED, Effort, Measure
from assay.graph import GivesContinuations, GivesGraphs, Graph
from assay.instrument import Budget, Control, Instrument, Metric, NotEnough, Notes, Random, Reading, Readings, Values, stage
from assay.instruments.polar import behaviour, figures, search
from assay.instruments.polar.fit import Fitting
from assay.instruments.polar.scores import CORRELATION, ROOT, Fitted, Scores, metric, score_fit
from assay.instruments.polar.search import CHAIN, EVERY, MOVED, POSITION, FoundProbes, Nulls
from assay.instruments.polar.targets import SPLITS, UNSEEN, Sample, TextStates, in_components, read_nonsense, read_texts
from assay.stats import MIN_UNITS, fitted_interval, fitted_p
from assay.subject import Subject
from assay.task import Task

MOST_EXAMPLES = 2_000  # largest number of examples for behaviour
MOST_NAMED = 5
FEWEST = 25  # fewest texts of a split for which a rate is meaningful
_EDGES, _SIGNED = "share of gold edges", (-1.0, 1.0)
_LEGAL = "polar probe, decoded as the maximum spanning arborescence; punctuation included; over all edges"

FITTED = {
    metric("UUAS", _EDGES, headline=True, beats=EVERY): "distance probe, minimum spanning tree; no punctuation, over all edges",
    metric("UAS", _EDGES, beats=EVERY): _LEGAL,
    metric("LAS", _EDGES, headline=True, beats=EVERY): _LEGAL,
    metric(
        "type accuracy", _EDGES, beats=EVERY
    ): "polar probe; of a gold edge, the relation with the nearest mean edge by cosine",
    metric(ROOT, "share of texts", beats=EVERY): "depth probe, the node with the smallest squared norm; punctuation excluded",
    metric(CORRELATION, "Spearman correlation", _SIGNED, beats=EVERY): "depth probe, squared norm and depth within a text",
}
"""Metrics of fitted probes, each with its probe, decoding and counting."""
SELECTIVITY = {
    of: metric(f"selectivity of {of}", f"difference of {of}", _SIGNED, headline=True, beats=(UNTRAINED,))
    for of in ("type accuracy", "UUAS")
}
"""Selectivity: a rate minus that on a control task (Hewitt and Liang 2019)."""
NONSENSE = {of: metric(f"{of} on nonsense words", _EDGES, beats=(CHAIN, POSITION)) for of in ("UUAS", "LAS")}


@dataclass(frozen=True, kw_only=True)
class PolarBudget(Budget):
    """Number of texts in each split, epochs, fits of the network's probes, repeats of each null, and random subspaces.

    **Attributes:**

    - `layers`: largest number of layers to read, evenly spaced; None for all.
    - `reading`: largest cost of encoding the texts with all networks, in weights times words; None for no limit. For a large
      network all splits are reduced in the same proportion, to `FEWEST` texts at the least.
    """

    train: int
    dev: int
    test: int
    epochs: int
    seeds: int
    repeats: int
    removals: int
    layers: int | None = None
    reading: float | None = None


BUDGETS: Mapping[Effort, PolarBudget] = {
    "quick": PolarBudget(train=300, dev=100, test=150, epochs=6, seeds=3, repeats=1, removals=5, layers=8, reading=1.5e12),
    "standard": PolarBudget(
        train=2_500, dev=400, test=600, epochs=12, seeds=5, repeats=2, removals=10, layers=16, reading=1e13
    ),
    "full": PolarBudget(train=10**9, dev=10**9, test=10**9, epochs=12, seeds=5, repeats=5, removals=20),
}


class PolarDraw(NamedTuple):
    """The data. `encoder`: encodes texts with any network by `on`; `share`: the share of the budget's texts that is read."""

    task: Task
    budget: PolarBudget
    graphs: Mapping[str, Sequence[Graph]]
    encoder: Encoder
    share: float


class PolarKept(NamedTuple):
    """What the copies and the summary need of the network under test. `test`, `basis`: states to which the probes of copies are
    transferred; `rows`: values of the layer curves."""

    test: Sample
    basis: Float[Tensor, "1 width kept"]
    rows: search.Rows
    notes: Notes


class Polar(Instrument[PolarDraw]):
    """Polar probes (Diego-Simon et al. 2024), scored by the graphs that they predict for held-out texts.

    A probe is a linear map of the states of a text's nodes under which squared distances approximate path lengths in the
    declared graph, and edges of one relation point in one direction. Intervals reflect variation over texts, and over
    repeated fits at the chosen layer. Every null has the same search, fit and scores.

    **Arguments:** `rank`: rank of the map, reduced to half of the width of the states where that is smaller; `budgets`: the
    budget at each effort.

    Example::

        >>> from assay.instruments.polar import Polar
        >>> Polar(rank=8).budgets["quick"].copies  # for `assay.instrument.run` and `assay.audit`
        5
    """

    name = "polar"
    question = "Do distances and angles between states encode the declared graph?"
    cites = ("diegosimon2024",)
    needs = (GivesGraphs,)
    metrics = (*FITTED, *SELECTIVITY.values(), *NONSENSE.values(), *behaviour.LOST.values())
    long = True

    def __init__(self, *, rank: int = 64, budgets: Mapping[Effort, PolarBudget] = BUDGETS):
        self.rank, self.budgets = rank, budgets

    def data(self, subject: Subject, task: Task, budget: PolarBudget, rng: Random) -> PolarDraw:
        assert isinstance(task, GivesGraphs)
        drawn = {split: task.graphs(split, getattr(budget, split), generator=rng(split)) for split in SPLITS}
        words = sum(len(graph.words) for some in drawn.values() for graph in some)
        cost, share = subject.num_weights() * (1 + budget.copies) * words, 1.0
        if budget.reading is not None and cost > budget.reading:
            share = budget.reading / cost
            fewer = {split: _share_of(len(some), share) for split, some in drawn.items()}
            drawn = {split: task.graphs(split, num, generator=rng(split)) for split, num in fewer.items()}
        graphs: dict[str, Sequence[Graph]] = {}
        for split, some in drawn.items():  # sorted, so that the evidence does not depend on the task's order
            graphs[split] = sorted(some, key=lambda graph: (graph.words, graph.mentions, graph.edges))
        if reason := _too_few(graphs):
            raise NotEnough(reason)
        return PolarDraw(task, budget, graphs, encoder_of(subject, task, most_layers=budget.layers), share)

    def read(self, network: Subject, data: PolarDraw, rng: Random) -> Reading:
        budget, encoder = data.budget, data.encoder.on(network)
        with stage("reading texts", 0.0, 0.3):
            texts = read_texts(encoder, data.graphs)
        splits: dict[str, Sequence[Graph]] = {split: getattr(texts, split).graphs for split in SPLITS}
        if reason := _too_few(splits):
            raise NotEnough(f"{reason}; {len(texts.refused)} were not encoded, the first of them {texts.refused[0]}")
        with stage("choosing the layer", 0.3, 0.5):
            found = self._searched(texts, budget, rng)
        layer, states, refused = texts.layers[found.layer], texts.train.at([found.layer]), texts.refused
        warned, not_tested = warnings_of(texts), _left_out(encoder, data)
        del texts  # these states have all layers and the full width
        with stage("fits and baselines", 0.5, 0.7):
            fits = [found.fit(found.train, generator=rng("fit", k)) for k in range(budget.seeds)]
            own = [score_fit(fit, found.test) for fit in fits]
            nulls = search.baselines(found, repeats=budget.repeats, rng=rng.within("nulls"))
            values = [fitted_values(metric, metric.title, own, nulls, note=note) for metric, note in FITTED.items()]
            values += _selectivity(found, own, seeds=budget.seeds, rng=rng)
        with stage("nonsense words", 0.7, 0.75):
            nonsense = read_nonsense(encoder, found.test, generator=rng("nonsense"))
        if nonsense is None:
            not_tested.append("Scores on nonsense words: the task declares no parts of speech.")
        else:
            at = in_components(nonsense.at([found.layer]), found.basis)
            again, some = [score_fit(fit, at) for fit in fits], {name: nulls[name] for name in (CHAIN, POSITION)}
            note = "the same probes, with every content word replaced by a made-up one"
            values += [fitted_values(metric, of, again, some, note=note) for of, metric in NONSENSE.items()]
        polar = [behaviour.orthonormal(fit.polar.after(found.basis).maps[0]) for fit in fits]
        subspaces = {behaviour.SUBSPACE: polar, behaviour.AXES: [behaviour.relation_basis(states)]}
        inputs = {}
        with stage("use", 0.75, 0.9):
            for one in _behaviours(network, data, encoder, layer, rng):
                if isinstance(one, str):
                    not_tested.append(f"Whether the network uses what can be decoded: {one}.")
                    continue
                if one.texts:
                    inputs["sentence"] = dict(enumerate(one.texts))
                for name, bases in subspaces.items():
                    options = {"repeats": budget.removals, "generator": rng(one.name, name)}
                    values.append(behaviour.lost_without(one, name, bases, states, **options))
        settings = {
            "rank": found.fitting.rank,
            **{f"texts, {split}": len(some) for split, some in splits.items()},
            "texts refused": len(refused),
            "layers read": ", ".join(encoder.layers),
            "width of states": states.states.shape[2],
            "principal components": found.texts.components,
            "layer": layer,
            "angle loss": found.angle,
            "weight of the angle loss": found.weight,
        }
        with stage("tables and curves", 0.9, 1.0):
            tables = figures.tables(found, fits[0], own[0], nulls, rng=rng.within("tables"))
            rows = search.curve_rows(found, generator=rng("depth curve"))
        notes = Notes("", warned, not_tested, tables, settings, inputs)
        return Reading(values, PolarKept(found.test, found.basis, rows, notes))

    def read_copy(self, network: Subject, data: PolarDraw, own: Reading, rng: Random) -> Reading:
        with stage("reading texts", 0.0, 0.6):
            texts = read_texts(data.encoder.on(network), data.graphs)
        with stage("choosing the layer", 0.6, 0.9):
            found = self._searched(texts, data.budget, rng)
        del texts
        return copy_reading(found, own.kept, repeats=data.budget.repeats, rng=rng)

    def explain(self, data: PolarDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
        kept, copies = readings.own.kept, [copy.kept for copy in readings.copies]
        notes, layer = kept.notes, kept.notes.settings["layer"]
        curves = figures.layer_curves(layer, kept.rows, copies, measures, num=len(kept.test.graphs))
        texts = {k: " ".join(graph.words) for k, graph in enumerate(kept.test.graphs)}
        return notes._replace(
            summary=_summary(measures, layer),
            figures=(*curves, *notes.figures),
            inputs={self.metrics[0].of: texts, **notes.inputs},
        )

    def _searched(self, texts: TextStates, budget: PolarBudget, rng: Random) -> FoundProbes:
        texts = texts.reduced(generator=rng("components"))
        # At most half of the dimensions, or there would be nothing left to compare the polar subspace with.
        rank = max(1, min(self.rank, texts.train.states.shape[2] // 2))
        return search.search(texts, fitting=Fitting(rank=rank, epochs=budget.epochs), generator=rng("search"))


def copy_reading(found: FoundProbes, kept: PolarKept, *, repeats: int, rng: Random) -> Reading:
    """The reading of an untrained copy: one fit, its probes transferred to the states of the network, and the control tasks."""
    fit = found.fit(found.train, generator=rng("fit"))
    own = score_fit(fit, found.test)
    moved = score_fit(Fitted(*(one.after(found.basis).after(kept.basis.mT) for one in fit)), kept.test)
    values = []
    for asked in FITTED:
        units = moved.units[asked.title][None]
        control = Control(name=MOVED, how="probes fitted on untrained copies, applied to this network", values=units)
        values.append(Values(metric=asked.key, units=own.units[asked.title], moved=(control,)))
    values += _selectivity(found, [own], seeds=repeats, rng=rng)
    return Reading(values, search.curve_rows(found, generator=rng("depth curve")))


def fitted_values(metric: Metric, of: str, own: Sequence[Scores], nulls: Nulls, *, note: str) -> Values:
    """The values of one metric over the network's fits, with the nulls made from the network. `of`: title of the scores."""
    units = _stacked(own, of)
    beside = [(name, how, _stacked(repeats, of)) for name, (how, repeats) in nulls.items()]
    means = units.mean(1).tolist()
    told = f"the mean of {len(means)} fits, which give {number(min(means))} to {number(max(means))}"
    return Values(
        metric=metric.key,
        units=units.mean(0),
        interval=fitted_interval(units, bounds=metric.bounds),
        controls=tuple(Control(name=name, how=how, values=null, p=fitted_p(units, null)) for name, how, null in beside),
        copies_how="each with the same search and fit as the network",
        note=f"{note}; {told if len(means) > 1 else 'a single fit, so that the interval leaves out differences between fits'}",
    )


def _stacked(scores: Sequence[Scores], of: str) -> Float[Tensor, "repeats texts"]:
    return torch.stack([one.units[of] for one in scores])


def _selectivity(found: FoundProbes, own: Sequence[Scores], *, seeds: int, rng: Random) -> list[Values]:
    values = []
    for of, (task, wrong) in search.control_scores(found, seeds=range(seeds), rng=rng.within("control tasks")).items():
        right, metric = _stacked(own, of), SELECTIVITY[of]
        note = f"{of} {number(float(right.mean()))} minus {number(float(wrong.mean()))} on a control task, {task}"
        units = right - wrong  # paired by fit, or one fit against all control tasks
        interval = fitted_interval(units, bounds=_SIGNED)
        values.append(Values(metric=metric.key, units=units.mean(0), interval=interval, note=note))
    return values


def _behaviours(
    network: Subject, data: PolarDraw, encoder: Encoder, layer: str, rng: Random
) -> list[behaviour.Behaviour | str]:
    """The behaviours by which the network's use of the graph can be scored, or sentences that say why there are none."""
    if not (site := encoder.site(layer)):
        return ["the layer is no site of the network, so that no subspace can be ablated there"]
    num = _share_of(min(data.budget.test, MOST_EXAMPLES), data.share)
    found = [behaviour.task_behaviour(network, data.task, site, num=num, generator=rng("score"))]
    if isinstance(data.task, GivesContinuations):
        asked = behaviour.agreement(network, data.task, encoder, site, num=num, generator=rng("agreement"))
        found = [asked, *(one for one in found if isinstance(one, behaviour.Behaviour))]
    return found


def _share_of(num: int, share: float) -> int:
    return num if share == 1 else min(num, max(FEWEST, int(num * share)))


def _too_few(splits: Mapping[str, Sequence[Graph]]) -> str:
    """A message if a split has too few texts with edges, else an empty string."""
    for name, graphs in splits.items():
        num = sum(len(graph.edges) > 0 for graph in graphs)
        if num < MIN_UNITS:
            return f"{num} {name} texts with edges, and at least {MIN_UNITS} are needed"
    return ""


def _left_out(encoder: Encoder, data: PolarDraw) -> list[str]:
    """What was left out at this effort because the network is large."""
    told = []
    if encoder.left_out:
        total = len([name for name in encoder.layers if name != WORDS]) + encoder.left_out
        told.append(
            f"{encoder.left_out} of {total} layers, left out at this effort in the network and in every null. The best layer "
            "may be among them."
        )
    if data.share < 1:
        told.append(
            f"More than {sum(map(len, data.graphs.values()))} texts: for a network of this size, this effort reads only "
            f"{data.share:.0%} of the texts that it reads for a small one. Untrained copies read as few."
        )
    return told


def warnings_of(texts: TextStates) -> tuple[str, ...]:
    """Warnings of texts that were not encoded, and of test relations that no training text has."""
    told = []
    if texts.refused:
        named = "; ".join(texts.refused[:MOST_NAMED])
        more = f"; and {len(texts.refused) - MOST_NAMED} more" if len(texts.refused) > MOST_NAMED else ""
        told.append(f"{len(texts.refused)} texts were not encoded: {named}{more}.")
    unseen = sum(int((target.relations == UNSEEN).sum()) for target in texts.test.targets)
    if unseen:
        told.append(f"{unseen} test edges have a relation that occurs in no training text; they count as wrong.")
    return tuple(told)


def _summary(measures: Sequence[Measure], layer: str) -> str:
    uuas, las = (next(measure for measure in measures if measure.key == key) for key in ("uuas", "las"))
    if uuas.value is None or las.value is None:
        return "Not enough data: too few test texts."
    first, second = (max(measure.nulls, key=lambda null: null.mean) for measure in (uuas, las))
    return (
        f"At layer {layer} distances between states recover {number(uuas.value)} of the edges (best null, {first.name}: "
        f"{number(first.mean)}). Distances and angles recover {number(las.value)} of them with direction and relation (best "
        f"null, {second.name}: {number(second.mean)})."
    )
