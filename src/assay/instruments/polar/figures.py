"""Tables, layer curves, the plane of relations, and sentences with their predicted trees."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from assay.evidence import UNTRAINED, Measure
from assay.figure import Curve, DetailTable, Edge, Figure, Line, Parse, Plot, Point, RelationGraphs, Scatter
from assay.graph import coarse
from assay.instrument import Random
from assay.instruments.polar.fit import Fitting, Probes, fit_depprobe
from assay.instruments.polar.scores import RATES, Fitted, How, ScoredEdges, Scores, correlations, decode, length_mean, score
from assay.instruments.polar.search import CHAIN, POSITION, FoundProbes, Nulls, Rows, or_none
from assay.instruments.polar.targets import Batch, Sample

LEVEL = 2  # held-out texts and their gold graphs
BY = "By {}"  # the name of a table of rates
MIN_EDGES = 30  # fewest edges of a relation or a group for which a rate is given
GROUPS = {
    "|i - j|": ("span", ((1, 1), (2, 2), (3, 4), (5, 7), (8, 15), (16, None))),
    "depth": ("depth", ((1, 1), (2, 2), (3, 3), (4, 5), (6, None))),
    "length": ("length", ((1, 10), (11, 20), (21, 30), (31, 40), (41, None))),
}
_ALONE = "minimum spanning tree, direction and relation read for each edge alone"
_TREES = "decoded as legal trees (one root, one head for every other word)"
RANKS = (4, 16, 64, 256)
TEXTS = (250, 500, 1_000, 2_500)
Groups = Mapping[str, Bool[Tensor, " e"]]


def layer_curves(chosen: str, own: Rows, copies: Sequence[Rows], measures: Sequence[Measure], *, num: int) -> list[Curve]:
    """Scores of the network and of its untrained copies at every layer. The other nulls of `measures` are constant lines: they
    do not depend on the layer, or were computed at the `chosen` one alone. `num`: number of texts."""

    def plot(title: str) -> Plot:
        layers = tuple(own[title])
        values, lows, highs = zip(*own[title].values(), strict=True)
        at = layers.index(chosen)
        leads = next((one.label for one in measures if one.name == title and one.repeats), "")
        lines = [
            Line(
                name="measured", x=layers, y=values, low=lows, high=highs, marked=(at,), units=(f"{num} texts",) * len(layers),
                leads_to=tuple(leads if k == at else "" for k in range(len(layers))),
            )
        ]  # fmt: skip
        beside = [[value for copy in copies if (value := copy[title][layer][0]) is not None] for layer in layers]
        if all(beside):
            mean, low, high = zip(*((sum(some) / len(some), min(some), max(some)) for some in beside), strict=True)
            lines.append(Line(name=UNTRAINED, x=layers, y=mean, low=low, high=high, null=True))
        nulls = [null for one in measures if one.name == title for null in one.nulls if null.name != UNTRAINED]
        lines += [Line(name=null.name, x=layers, y=(null.mean,) * len(layers), null=True) for null in nulls]
        return Plot(title=title, lines=tuple(lines))

    captions = {
        "Layer curve": "UUAS: edges found by distance probes, direction ignored, punctuation excluded. DSpr: Spearman's "
        "correlation of predicted with declared distances. LAS: edges found by polar probes with direction and relation, "
        "punctuation included. This LAS can be far below the headline LAS. Here every layer has the prototype loss with "
        f"weight 1 and is decoded edge by edge ({_ALONE}). The headline, and the nulls other than copies, have the chosen loss "
        f"and are {_TREES}. The layer was chosen by this LAS, taken on the dev texts.",
        "Depth, layer by layer": "Depth probes on the test texts, one fit for each layer. NSpr is the depth correlation as "
        "published: the mean over texts of each length, then over lengths 5 to 50.",
    }
    how = (
        "Each dot is the value at one layer; the bar is its interval over texts, where there is one. Grey lines are nulls, "
        f"each named at its end. That of untrained copies is the mean of {len(copies)}, with bars from lowest to highest. The "
        "others are level, since they were computed at the chosen layer only or do not depend on the layer."
    )
    return [
        Curve(name=name, across="layer", plots=tuple(map(plot, titles)), caption=f"{how} {caption}", level=LEVEL)
        for (name, caption), titles in zip(captions.items(), (list(own)[:3], list(own)[3:]), strict=True)
    ]


# Tables


def tables(found: FoundProbes, fit: Fitted, own: Scores, nulls: Nulls, *, rng: Random) -> list[Figure]:
    """Tables of conventions, of the losses that were tried and of breakdowns; the plane of relations; and example sentences."""
    test, fitting = found.test, found.fitting
    width, num = found.train.states.shape[2], len(found.train)
    dep = fit_depprobe(found.train, fitting=fitting, generator=rng("depprobe"))
    structural = {name: nulls[name][1][0].structural for name in (CHAIN, POSITION)}
    relations = {name: own.polar.relation == k for k, name in enumerate(test.relations)}
    counts = torch.cat([target.relations for target in found.train.targets])
    return [
        conventions(
            {
                "distance probe, edge by edge": (fit.distance, "edges"),
                "polar probe, edge by edge": (fit.polar, "edges"),
                "polar probe, legal tree": (fit.polar, "legal"),
                "DepProbe": (dep, "depprobe"),
            },
            test,
        ),
        DetailTable(
            name="Angle losses",
            columns=("angle loss", "weight", "UUAS", "type accuracy", "LAS"),
            rows=found.tried,
            note="Pair compares edges in pairs, prototype each with a learned direction of its relation. On the dev texts, "
            f"{_TREES}, punctuation included. The loss with the highest LAS was chosen.",
            level=LEVEL,
        ),
        _sweep(found, "rank", {k: (found.train, replace(fitting, rank=k)) for k in RANKS if k <= width}, rng),
        _sweep(found, "number of training texts", {k: (found.train.first(k), fitting) for k in TEXTS if k <= num}, rng),
        rate_table("relation", own.polar, relations),
        *(rate_table(kind, own.structural, groups(own.structural, kind), beside=structural) for kind in GROUPS),
        plane(fit.polar, test.relations, [float((counts == k).sum()) for k in range(len(test.relations))]),
        sentences(fit.polar, test),
    ]


def conventions(probes: Mapping[str, tuple[Probes, How]], sample: Sample) -> DetailTable:
    """Every probe with its decoding, with and without punctuation, over all edges and as the mean over texts."""
    rows: list[tuple[str | float | None, ...]] = []
    for name, (fitted, how) in probes.items():
        dspr = None if how == "legal" else or_none(length_mean(correlations(fitted, sample)[0], sample))
        for punctuation in (True, False):
            (scored,) = score(fitted, sample, how=how, punctuation=punctuation)
            told = name, "included" if punctuation else "excluded"
            whole = scored.balanced(), or_none(float(scored.root.nanmean())), dspr
            rows.append((*told, "all edges", *map(scored.micro, RATES), *whole))
            rows.append((*told, "mean over texts", *map(scored.macro, RATES), None, None, None))
    return DetailTable(
        name="Conventions",
        columns=("probe, decoding", "punctuation", "average", *RATES, "balanced", "root", "DSpr"),
        rows=tuple(rows),
        note="Balanced: the mean over relations of type accuracy. Root: the share of texts whose root is right. DSpr: "
        f"Spearman's correlation of predicted with declared distances, punctuation included. Edge by edge: {_ALONE}.",
        level=LEVEL,
    )


def _sweep(found: FoundProbes, of: str, varied: Mapping[int, tuple[Sample, Fitting]], rng: Random) -> DetailTable:
    """The same fit at one layer for several ranks, or numbers of training texts."""
    rows = []
    for value, (train, fitting) in varied.items():
        one = replace(found, fitting=fitting).scores(train, found.test, generator=rng(of, value))
        rates = one.structural.micro("UUAS"), one.polar.micro("type accuracy"), one.polar.micro("LAS")
        rows.append((value, *rates))
    return DetailTable(
        name=f"By {of}",
        columns=(of, "UUAS", "type accuracy", "LAS"),
        rows=tuple(rows),
        note="On the test texts, one fit each. UUAS: distance probes, punctuation excluded. The other rates: polar probes, "
        f"punctuation included, {_TREES}.",
        level=LEVEL,
    )


def groups(scored: ScoredEdges, kind: str) -> Groups:
    """Group the edges by the distance between their words, by the depth of their dependent, or by the length of their text."""
    column, ranges = GROUPS[kind]
    values, found = getattr(scored, column), {}
    for low, high in ranges:
        name = f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
        found[name] = (values >= low) & (values <= (high or 10**9))
    return found


def rate_table(of: str, scored: ScoredEdges, masks: Groups, *, beside: Mapping[str, ScoredEdges] | None = None) -> DetailTable:
    """A row for every group with at least `MIN_EDGES` gold edges: their number, every rate, and the UUAS of the nulls `beside`,
    which score the same edges in the same order. `of`: the name of the grouping."""
    beside = beside or {}
    assert all(torch.equal(null.text, scored.text) for null in beside.values()), "the nulls must score the same edges"
    rows, few = [], []
    for group, mask in masks.items():
        num, rates = int(mask.sum()), [one.right[:, mask].double().mean(1).tolist() for one in (scored, *beside.values())]
        if num >= MIN_EDGES:
            rows.append((group, num, *rates[0], *(null[0] for null in rates[1:])))
        elif num:
            few.append(group)
    columns = (of, "edges", *RATES, *(f"UUAS, {null}" for null in beside))
    note = f"Not shown, with fewer than {MIN_EDGES} edges: {', '.join(few)}." if few else ""
    return DetailTable(name=BY.format(of), columns=columns, rows=tuple(rows), note=note, level=LEVEL)


# Pictures


def plane(probes: Probes, relations: Sequence[str], counts: Sequence[float], *, most: int = 16) -> Scatter:
    """The prototypes of the most frequent relations, as unit vectors, projected onto their first two principal directions."""
    unit = torch.nn.functional.normalize(probes.prototypes[0, :most], dim=-1)
    directions = torch.linalg.svd(unit.double(), full_matrices=False).Vh[:2].mT.float()
    # The sign of a singular vector is arbitrary: the largest entry is positive.
    directions = directions * directions.gather(0, directions.abs().argmax(0, keepdim=True)).sign()
    flat = torch.nn.functional.pad(unit @ directions, (0, 2 - directions.shape[1]))  # a single relation spans a line
    return Scatter(
        name="Plane of relations",
        points=tuple(
            Point(name=name, x=x, y=y, size=num) for name, num, (x, y) in zip(relations, counts, flat.tolist(), strict=False)
        ),
        caption="Each arrow is the mean edge, head minus dependent, of one relation in training graphs. It is scaled to length "
        "1 and projected onto the plane that holds most of their squared length. An arrow that appears short points out of the "
        "plane. Relations that coincide here may differ in directions not shown.",
        arrows=True,
        sizes="edges",
        rows=BY.format("relation"),
        level=LEVEL,
    )


def sentences(probes: Probes, sample: Sample, *, num: int = 8, longest: int = 16) -> RelationGraphs:
    """The first few test trees of moderate length, not selected otherwise: gold, and predicted as a legal tree."""
    chosen = [k for k, graph in enumerate(sample.graphs) if 6 <= len(graph) <= longest and graph.is_tree][:num]
    texts = []
    for k in chosen:
        batch, graph = Batch.of(sample, [k]), sample.targets[k].graph
        predicted = decode(probes, sample, batch, how="legal", kept=batch.real)[0][0, 0]
        texts.append(
            Parse(
                name=graph.sentence_id or " ".join(graph.words),
                words=tuple(" ".join(graph.words[w] for w in words) for words in graph.mentions),
                declared=tuple(Edge(head=h, dependent=d, relation=coarse(name)) for h, d, name in graph.edges),
                predicted=tuple(
                    Edge(head=h, dependent=d, relation=sample.relations[int(predicted[h, d]) - 1])
                    for h, d in predicted.nonzero().tolist()
                ),
            )
        )
    return RelationGraphs(
        name="Sentences",
        texts=tuple(texts),
        caption="Each word is joined to its head, with its relation, in the declared tree and in the predicted one.",
        level=LEVEL,
    )
