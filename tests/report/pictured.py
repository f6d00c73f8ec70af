"""Figures made up for the tests of pictures, with planted numbers."""

import math
import random

from assay.evidence import DetailTable, Evidence
from assay.figure import Curve, Edge, Line, Parse, Plot, Point, RelationGraphs, Scatter

LAYERS = ("word embedding", *(f"hidden {k}" for k in range(7)))
NULLS = {
    "chain": 0.428, "position only": 0.43, "no probe": 0.299, "random projection": 0.263, "untrained": 0.36,
    "permuted trees": 0.285, "control task": 0.33, "Jabberwocky": 0.5, "another seed's probe": 0.41,
}  # fmt: skip
LEVEL = ("chain", "position only")
UUAS = (0.265, 0.542, 0.607, 0.686, 0.685, 0.619, 0.439, 0.314)
WORDS = ("The", "dog", "that", "the", "cats", "near", "the", "old", "mill", "<b>chased</b>", "barks", ".")
HEADS = (1, 11, 9, 4, 9, 4, 8, 8, 5, 1, 11, None)
RELATIONS = ("det", "nsubj", "obj", "det", "nsubj", "case", "det", "amod", "nmod", "acl", "advmod", "root")


def layers(titles=("UUAS", "LAS"), names=tuple(NULLS), layers=LAYERS):
    """A value with its interval at every layer beside nulls; the one of untrained networks has a band."""
    draw = random.Random(0)
    plots = []
    for k, title in enumerate(titles):
        values = [max(0.02, UUAS[depth % len(UUAS)] - 0.2 * k) for depth in range(len(layers))]
        low, high = tuple(value - 0.015 for value in values), tuple(value + 0.015 for value in values)
        lines = [Line(name="measured", x=layers, y=tuple(values), low=low, high=high)]
        for name in names:
            y = [NULLS[name] - 0.1 * k + (0 if name in LEVEL else draw.uniform(-0.04, 0.04)) for _ in layers]
            band = [tuple(value + end for value in y) if name == "untrained" else () for end in (-0.03, 0.03)]
            missing = name == "Jabberwocky" and k > 0
            y = (None,) * len(layers) if missing else tuple(y)
            lines.append(Line(name=name, x=layers, y=y, low=band[0], high=band[1], null=True))
        plots.append(Plot(title=title, lines=tuple(lines)))
    caption = "Dots are measured at one layer, on their intervals. Grey lines are nulls."
    return Curve(name="Layer by layer", across="layer", plots=tuple(plots), caption=caption, level=0)


def sizes(parts=("A", "B"), seeds=2, untrained=3):
    """Of every part two plots: networks in several seeds and in another basis beside untrained ones."""
    kept = [0.6 * 0.5**step for step in range(7, -1, -1)]
    names = [*(("this", "solid", False) for _ in range(seeds)), ("rotated", "dashed", False)]
    names += [("untrained", "solid", True)] * untrained
    plots = []
    for part in parts:
        own, other, necessity = [], [], []
        for n, (name, style, null) in enumerate(names):
            x = tuple(share * (1 + 0.1 * n) for share in kept)
            more = {"x": x, "null": null, "marked": (3,) if n == 0 else ()}
            own.append(
                Line(name=f"own, {name}", y=tuple(min(1.0, 0.3 + (1 if null else 4) * k) for k in x), style=style, **more)
            )
            dotted = "dotted" if style == "solid" else style
            other.append(Line(name=f"other, {name}", y=tuple(0.25 + 0.7 * k for k in x), style=dotted, **more))
            y = tuple(0.05 * math.cos(n + s) if null else 0.7 * math.exp(-abs(s - 3) / 2) for s in range(8))
            necessity.append(Line(name=name, y=y, style=style, **more))
        plots.append(Plot(title=f"Part {part}: its mask alone", subtitle="accuracy on problems", lines=(*own, *other)))
        plots.append(Plot(title=f"Part {part}: without its mask", subtitle="necessity", lines=tuple(necessity)))
    caption = "Dots are masks of one path; the large one stands for the part. Grey lines were never trained."
    name, across = "Size of the mask against what it does", "share of weights kept"
    return Curve(name=name, across=across, plots=tuple(plots), caption=caption, level=2)


def directions(num=24, *, arrows=True):
    draw = random.Random(1)
    points = []
    for k in range(num):
        angle, length = 2 * math.pi * k / max(1, num) + draw.uniform(-0.4, 0.4), draw.uniform(0.3, 1.0)
        edges, accuracy = int(10 ** draw.uniform(1.5, 3.5)), draw.uniform(0.2, 0.98)
        x, y = length * math.cos(angle), length * math.sin(angle)
        points.append(Point(name=f"relation{k}", x=x, y=y, size=float(edges), note=f"{accuracy:.2f}"))
    caption = "Arrows are mean edges; more edges make a larger dot. Numbers are accuracies."
    name = "Relation directions" if arrows else "Relations on a plane"
    return Scatter(name=name, points=tuple(points), caption=caption, arrows=arrows, sizes="edges", level=0)


def sentences(num=3, words=WORDS, wrong=(3, 8)):
    declared, predicted = [], []
    for k in range(len(words)):
        head, relation = HEADS[k % len(HEADS)], RELATIONS[k % len(RELATIONS)]
        if head is not None and head < len(words) and head != k:
            declared.append(Edge(head=head, dependent=k, relation=relation))
            predicted.append(
                Edge(head=max(0, k - 1) if k in wrong else head, dependent=k, relation="obl" if k == 4 else relation)
            )
    edges = {"declared": tuple(declared), "predicted": tuple(predicted)}
    texts = tuple(Parse(name=f"Sentence {sentence}", words=words, **edges) for sentence in range(num))
    return RelationGraphs(name="Sentences", texts=texts, caption="Brackets join each word to its head.", level=0)


def counts():
    rows = (("nsubj", 3, 0.5), ("obj", 4, None))
    return DetailTable(name="Relations", columns=("relation", "edges", "accuracy"), rows=rows, note="All of them.", level=1)


def evidence(*figures, name="polar"):
    return Evidence(
        instrument=name,
        question="Does geometry hold the syntax?",
        summary="At hidden 2 it does.",
        figures=figures,
    )


def of_every_type():
    return evidence(layers(), sizes(), directions(5), directions(5, arrows=False), sentences(), counts())
