"""Summary sentences, figures and tables of `binding`, for lists and for scenes."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor

from assay.display import counted, number
from assay.entities import Pairs
from assay.evidence import Measure
from assay.figure import Cell, Curve, DetailTable, Figure, Line, Plot
from assay.instrument import Notes, Readings
from assay.instruments.binding import metrics
from assay.instruments.binding.grouping import Grouping
from assay.instruments.binding.lists import Inside, ListsDraw, ListsKept
from assay.instruments.binding.scene_figures import grouping_figures, segments_figure, sizes_table
from assay.instruments.binding.scenes import KeptScenes, ScenesDraw
from assay.instruments.binding.scores import NormalisedScore
from assay.instruments.binding.shown import Shown, answers_in_words, lists_in_words, pictures_of
from assay.instruments.binding.swaps import ANSWERS, QUERIES, Signature
from assay.stats import mean_interval

MEANINGS = {
    "binding": "entities are bound to their attributes in context, also in pairs never bound in training",
    "imitation": "trained pairs are answered correctly, but not by binding",
    "not shown": "binding is not shown, and trained pairs are not answered correctly either",
    "undecided": "whether entities are bound is undecided",
}
SIGNATURES: Mapping[Signature, str] = {
    "ID-like": "an attribute that is patched in is the answer for the entity whose attribute it replaces",
    "direct": "an attribute that is patched in carries its own entity along and is the answer for that entity",
    "ID-like and direct": "an attribute that is patched in is the answer for its own entity and for the one that it replaces",
    "lexical or none": "an attribute that is patched in is the answer for neither entity",
    "not localised": "no patch changes more answers than an unrelated token does",
}


def explain_lists(data: ListsDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
    """The summary, the figures and what was not tested, for lists of entities."""
    kept: ListsKept = readings.own.kept
    copies = [copy.kept for copy in readings.copies if copy.kept is not None]
    scores = _in_brackets(kept.scores)
    signature = kept.inside.signature if kept.inside else None
    inside = f" By patching, the mechanism is {signature}: {SIGNATURES[signature]}." if signature else ""
    warnings = [f"{name}: {score.reason}." for name, score in kept.scores.items() if score.value is None]
    if kept.inside and not kept.inside.sites:
        warnings.append(
            "No states were exchanged: no site holds one vector for every token and lets all of the input pass through."
        )
    shown = _in_words(data, kept, measures)
    return Notes(
        summary=f"In lists of {kept.base}, {MEANINGS[kept.word]} ({scores}).{inside}",
        warnings=warnings,
        not_tested=(
            "Segregation: the tokens of a list are already separate in the input.",
            "Other seeds: networks trained by one recipe may differ, and only one was read.",
            "Whether the network uses the mechanism that patches point to: its name does not enter the verdict.",
            *data.not_drawn,
        ),
        figures=(_sizes(data, kept, copies, measures), *(_inside(kept.inside) if kept.inside else ())),
        settings={"entities in a list": kept.base, "verdict": kept.word},
        inputs=shown["inputs"],
        answers=shown["answers"],
    )


def _in_brackets(scores: Mapping[str, NormalisedScore]) -> str:
    found = "; ".join(f"{name} {number(score.value)}" for name, score in scores.items() if score.value is not None)
    return f"scores from 0, the best null, to 1, the ceiling: {found}" if found else "no score"


def _in_words(data: ListsDraw, kept: ListsKept, measures: Sequence[Measure]) -> dict[str, dict[str, dict[int, str]]]:
    """Inputs and answers in words: those of the lists that scores are read on by their kind of unit, others by the measure."""
    lists = {metrics.ACCURACY.of: (kept.base, data.asked[kept.base])}
    for one in measures:
        size = int(one.about.get("entities", kept.base))
        if one.unit_of == metrics.ACCURACY.of and size != kept.base:
            lists[one.label] = size, data.asked[size]
        elif one.key == metrics.TRANSPLANT.key and data.pairs:
            lists[one.label] = 0, data.pairs[1].target  # lists of their own, answered after an exchange
    found: dict[str, dict[str, dict[int, str]]] = {"inputs": _of_new_pairs(data, kept, measures), "answers": {}}
    for key, (size, asked) in lists.items():
        found["inputs"][key] = dict(enumerate(lists_in_words(asked, data.task)))
        if size:
            found["answers"][key] = dict(enumerate(answers_in_words(kept.answered[size], asked, data.task)))
    return found


def _of_new_pairs(data: ListsDraw, kept: ListsKept, measures: Sequence[Measure]) -> dict[str, dict[int, str]]:
    """For every measure of new pairs a list in which each of them is queried."""
    lowest, found = lowest_of(kept.scores), {}
    for one in measures:
        pairs = lowest.removeprefix("reuse, ") if one.key == metrics.COMPOSITE.key else one.about.get("pairs")
        asked = data.novel.get((cast(Pairs, pairs), int(one.about.get("entities", kept.base))))
        if asked is not None:
            texts = lists_in_words(asked, data.task)
            found[one.label] = dict(reversed([*zip(data.pair_of(asked).tolist(), texts, strict=True)]))  # the first of each
    return found


def lowest_of(scores: Mapping[str, NormalisedScore]) -> str:
    """Name of the lowest score; empty where one has no value."""
    values = {name: score.value for name, score in scores.items() if score.value is not None}
    return min(values, key=lambda name: values[name]) if values and len(values) == len(scores) else ""


def explain_scenes(data: ScenesDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
    """The summary, the figures and what was not tested, for scenes of objects."""
    kept: KeptScenes = readings.own.kept
    segregation = kept.scores["segregation"]
    shown = segregation.interval is not None and segregation.interval.low > 0
    place = (
        f"masks at {kept.where.masks}"
        if kept.where.masks
        else f"clusters of states at {kept.where.maps}"
        if kept.where.maps
        else "clusters of interacting cells"
    )
    left = [size for size in data.shown if size not in kept.by_size]
    warnings = [f"{name}: {score.reason}." for name, score in kept.scores.items() if score.value is None]
    if left:
        warnings.append(
            f"The network has {kept.where.num} slots: scenes with {', '.join(map(str, left))} objects were not read."
        )
    return Notes(
        summary=(
            f"In scenes of {kept.base} objects, {MEANINGS[kept.word]}"
            f"{'' if shown else '; segregation of objects is not shown'} ({_in_brackets(kept.scores)}; segments are {place})."
            f"{_grouped(kept.grouping)}"
        ),
        warnings=warnings,
        not_tested=(
            "Other seeds: networks trained by one recipe may differ, and only one was read.",
            "Other segmentations that are valid where objects have parts.",
        ),
        figures=(
            *([segments_figure(kept.pictured, place)] if kept.pictured else ()),
            sizes_table(kept.by_size, kept.nulls, place),
            *(() if isinstance(kept.grouping, str) else grouping_figures(kept.grouping)),
        ),
        settings={"objects in a scene": kept.base, "verdict": kept.word, "segments": place},
        pictured="The input, its true objects and, where they were read, the network's segments.",
        images=pictures_of(measures, _shown(data, kept, measures)),
    )


def _shown(data: ScenesDraw, kept: KeptScenes, measures: Sequence[Measure]) -> dict[str, Shown]:
    """Scenes of the smallest number of objects by their kind of unit, others by the label of the measure."""
    base: Shown = (data.shown[kept.base], kept.segments[kept.base])
    lowest = lowest_of(kept.scores) == "reuse, queried"
    shown: dict[str, Shown] = {metrics.FG_ARI.of: base, metrics.SEPARATION.of: base}
    for one in measures:
        size = int(one.about.get("objects", kept.base))
        if size != kept.base:
            shown[one.label] = data.shown[size], kept.segments[size]
        elif one.key == metrics.REUSE.key or (one.key == metrics.COMPOSITE.key and lowest):
            shown[one.label] = data.novel, None
    return shown


def _grouped(found: Grouping | str) -> str:
    """The sentence on IsSameObject and its best null."""
    if isinstance(found, str):
        return ""
    nulls = {name: float(units.mean()) for name, units in found.nulls.items()}
    best = max(nulls, key=lambda name: nulls[name])
    return (
        f" Whether one object covers two places is read correctly from the states at {found.site.name} for "
        f"{number(float(found.right.mean()))} of pairs, and from the input by {best} for {number(nulls[best])}."
    )


def _sizes(data: ListsDraw, kept: ListsKept, copies: Sequence[ListsKept], measures: Sequence[Measure]) -> Curve:
    labels = {(one.about.get("pairs", ""), one.about.get("entities")): one.label for one in measures if one.repeats}

    def line(name: str, found: Mapping[int, Tensor], unit: str, pairs: str = "") -> Line:
        each = {size: mean_interval(units, bounds=(0.0, 1.0)) for size, units in found.items()}
        return Line(
            name=name,
            x=tuple(found),
            y=tuple(float(units.mean()) for units in found.values()),
            low=tuple(i.low if i else None for i in each.values()),
            high=tuple(i.high if i else None for i in each.values()),
            units=tuple(counted(len(units), unit) for units in found.values()),
            leads_to=tuple(labels.get((pairs, str(size)), "") for size in found),
        )

    lines = [line("trained pairs", kept.accuracy, "list")]
    for pairs in dict.fromkeys(pairs for pairs, _ in kept.novel):
        of_kind = {size: units for (kind, size), units in kept.novel.items() if kind == pairs}
        lines.append(line(f"new: {pairs}", of_kind, "pair", pairs))
    sizes = tuple(kept.accuracy)
    lines.append(Line(name="guess", x=sizes, y=tuple(1 / size for size in sizes), null=True))
    if copies:
        mean = tuple(float(torch.stack([copy.accuracy[size].mean() for copy in copies]).mean()) for size in sizes)
        lines.append(Line(name="untrained copies", x=sizes, y=mean, null=True))
    return Curve(
        name="Accuracy by number of entities",
        across="entities in the list",
        plots=(Plot(title="accuracy", lines=tuple(lines)),),
        caption=(
            f"The network was trained on lists of {', '.join(map(str, data.sizes))}. Longer lists also have new positions, and "
            "do not enter any score. New pairs: only the queried one is new (queried), no listed attribute was trained with "
            "the queried entity (balanced), every pair is new (all), or pairs were trained only at the first place (role)."
        ),
        level=2,
    )


def _inside(inside: Inside) -> tuple[Figure, ...]:
    found: list[Figure] = []
    if inside.patched.site:
        rows: list[tuple[Cell, ...]] = [
            ("nothing", query, *inside.patched.unpatched[:, k].mean(0).tolist()) for k, query in enumerate(QUERIES)
        ]
        rows += [
            (patch, query, *shares[:, k].mean(0).tolist())
            for patch, shares in inside.patched.patched.items()
            for k, query in enumerate(QUERIES)
        ]
        found.append(
            DetailTable(
                name="Answers after patches",
                columns=("patched", "asked for", *ANSWERS),
                rows=tuple(rows),
                note=f"The states of the first item of a list, the target, at {inside.patched.site} are replaced by those of "
                "another list, the source. Shares of answers: the attribute of the target's item, of the source's, of another "
                "listed item, or none of these. They sum to 1 in a row.",
                level=0,
            )
        )
    for what, table in inside.tables.items():
        size = len(table)
        found.append(
            DetailTable(
                name=f"Answers by place: {what} of the first and last item exchanged",
                columns=("asked for", *(f"place {k + 1}" for k in range(size)), "none"),
                rows=tuple((f"place {k + 1}", *row) for k, row in enumerate(table.tolist())),
                note=f"Shares of answers after an exchange of states at {inside.patched.site}. Rows: the place in the list of "
                "the entity that is asked for; columns: the place of the attribute that is answered. A network that answers "
                "as if nothing were exchanged has 1 on the diagonal.",
                level=0,
            )
        )
    if inside.mixtures:
        rows = []
        for site, mixture in inside.mixtures.items():
            best = max(mixture.alone, key=lambda name: float(mixture.alone[name].mean()))
            alone = f"{number(float(mixture.alone[best].mean()))} ({best})"
            predicted = float(mixture.predicted.mean()), float(mixture.favoured.mean())
            rows.append((site, *mixture.shares.values(), *predicted, alone))
        found.append(
            DetailTable(
                name="Mixture of mechanisms",
                columns=("site", *next(iter(inside.mixtures.values())).shares, "predicted", "with place terms", "best alone"),
                rows=tuple(rows),
                note=(
                    "The last token's state is patched from a source list with the same words at other places. The answer is "
                    "at the place queried in the source (positional), of the source's queried entity (lexical), of the "
                    "source's answer (reflexive), or elsewhere; these shares sum to 1. Predicted: the share of answers on "
                    "held-out lists that a mixture of the three, fitted on others, predicts. With place terms: the same with "
                    "a term for every place. Best alone: the best single mechanism or place."
                ),
                level=0,
            )
        )
    if len(inside.sites) > 1:
        lines = tuple(
            Line(name=what, x=inside.sites, y=tuple(values.mean(1).tolist()), null=what == "unrelated tokens")
            for what, values in inside.curve.items()
        )
        found.append(
            Curve(
                name="Contrast after swaps within a list",
                across="site",
                plots=(Plot(title="contrast", subtitle="-1 exchanged, 1 unchanged", lines=lines),),
                caption="The states of the first and last item of a list are exchanged at one site at a time. Shown are sites "
                "through which all of the input passes.",
                level=0,
            )
        )
    return tuple(found)
