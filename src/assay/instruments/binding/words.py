"""Summary sentences, figures and tables of `binding`, for lists and for scenes."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from assay.display import number
from assay.entities import Contexts
from assay.evidence import Measure
from assay.figure import Cell, Curve, DetailTable, Figure, Line, Plot
from assay.instrument import Notes, Readings
from assay.instruments.binding import metrics
from assay.instruments.binding.grouping import Grouping
from assay.instruments.binding.lists import Inside, ListsDraw, ListsKept
from assay.instruments.binding.scene_figures import grouping_figures, segments_figure, sizes_table
from assay.instruments.binding.scenes import KeptScenes, ScenesDraw
from assay.instruments.binding.swaps import ANSWERS, QUERIES
from assay.stats import mean_interval

MEANINGS = {
    "binding": "entities are bound to their attributes in context, also in pairs never bound in training",
    "imitation": "trained pairs are answered correctly, but not by binding",
    "not shown": "binding is not shown, and trained pairs are not answered correctly either",
    "undecided": "whether entities are bound is undecided",
}


def explain_lists(data: ListsDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
    """The summary, the figures and what was not tested, for lists of entities."""
    kept: ListsKept = readings.own.kept
    copies = [copy.kept for copy in readings.copies if copy.kept is not None]
    scores = ", ".join(f"{name} {number(score.value)}" for name, score in kept.scores.items() if score.value is not None)
    inside = f" By patching, the mechanism is {kept.inside.signature}." if kept.inside else ""
    warnings = [f"{name}: {score.reason}." for name, score in kept.scores.items() if score.value is None]
    if kept.inside and not kept.inside.sites:
        warnings.append(
            "No states were exchanged: no site holds one vector for every token and lets all of the input pass through."
        )
    return Notes(
        summary=f"In lists of {kept.base}, {MEANINGS[kept.word]} ({scores or 'no score'}).{inside}",
        warnings=warnings,
        not_tested=(
            "Segregation: the tokens of a list are already separate in the input.",
            "Other seeds: networks trained by one recipe may differ, and only one was read.",
            "The mechanism, as a criterion: it is named from patches and does not enter the verdict.",
            *data.not_drawn,
        ),
        figures=(_sizes(data, kept, copies), *(_inside(kept.inside) if kept.inside else ())),
        settings={"entities in a list": kept.base, "verdict": kept.word},
        inputs={metrics.ACCURACY.of: dict(enumerate(_lists(data.asked[kept.base].contexts)))},
    )


def _lists(contexts: Contexts) -> Iterator[str]:
    """A description of every list, with entities and attributes by their numbers."""
    for pairs in torch.stack([contexts.entities, contexts.attributes], -1).tolist():
        yield ", ".join(f"entity {entity} with attribute {attribute}" for entity, attribute in pairs)


def explain_scenes(data: ScenesDraw, readings: Readings, measures: Sequence[Measure]) -> Notes:
    """The summary, the figures and what was not tested, for scenes of objects."""
    kept: KeptScenes = readings.own.kept
    scores = ", ".join(f"{name} {number(score.value)}" for name, score in kept.scores.items() if score.value is not None)
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
            f"{'' if shown else '; segregation of objects is not shown'} ({scores or 'no score'}; {place})."
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
    )


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


def _sizes(data: ListsDraw, kept: ListsKept, copies: Sequence[ListsKept]) -> Curve:
    def line(name: str, found: Mapping[int, Tensor], *, null: bool = False) -> Line:
        each = {size: mean_interval(units, bounds=(0.0, 1.0)) for size, units in found.items()}
        return Line(
            name=name,
            x=tuple(found),
            y=tuple(float(units.mean()) for units in found.values()),
            low=tuple(i.low if i else None for i in each.values()),
            high=tuple(i.high if i else None for i in each.values()),
            null=null,
        )

    lines = [line("trained pairs", kept.accuracy)]
    for pairs in dict.fromkeys(pairs for pairs, _ in kept.novel):
        lines.append(line(f"new: {pairs}", {size: units for (kind, size), units in kept.novel.items() if kind == pairs}))
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
            "do not enter any score."
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
                note=f"The first item's states at {inside.patched.site}, patched from another list. Shares sum to 1.",
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
                note=f"Share of answers by place, at {inside.patched.site}. Without exchange, 1 on the diagonal is right.",
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
                    "The last token's state is patched from a list with the same words at other places. First the shares "
                    "of answers at the place that each mechanism predicts, which sum to 1; then the share of answers on "
                    "held-out lists that the fitted mixture predicts, without and with a term for every place, and the "
                    "best single mechanism or place."
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
                caption="First and last item, their states exchanged at each site through which all of the input passes.",
                level=0,
            )
        )
    return tuple(found)
