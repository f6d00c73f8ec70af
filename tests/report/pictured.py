"""Tables made up for the tests of pictures, with planted numbers."""

import math
import random

from assay.evidence import Evidence, Table

LAYERS = ("word embedding", *(f"hidden {k}" for k in range(7)))
NULLS = {
    "chain": 0.428, "position only": 0.43, "no probe": 0.299, "random projection": 0.263, "untrained": 0.36,
    "permuted trees": 0.285, "control task": 0.33, "Jabberwocky": 0.5, "another seed's probe": 0.41,
}  # fmt: skip
LEVEL = ("chain", "position only")
UUAS = (0.265, 0.542, 0.607, 0.686, 0.685, 0.619, 0.439, 0.314)
WORDS = ("The", "dog", "that", "the", "cats", "near", "the", "old", "mill", "<b>chased</b>", "barks", ".")
HEADS = (1, 11, 9, 4, 9, 4, 8, 8, 5, 1, 11, -1)
RELATIONS = ("det", "nsubj", "obj", "det", "nsubj", "case", "det", "amod", "nmod", "acl", "advmod", "root")


def layers(measures=("UUAS", "LAS"), names=tuple(NULLS), layers=LAYERS):
    draw = random.Random(0)
    rows = []
    for k, measure in enumerate(measures):
        for depth, layer in enumerate(layers):
            value = max(0.02, UUAS[depth % len(UUAS)] - 0.2 * k)
            nulls = [NULLS[name] - 0.1 * k + (0 if name in LEVEL else draw.uniform(-0.04, 0.04)) for name in names]
            nulls = [None if name == "Jabberwocky" and k else null for name, null in zip(names, nulls, strict=True)]
            rows.append((layer, measure, value, value - 0.015, value + 0.015, *nulls))
    return Table(name="Layer by layer", columns=("layer", "measure", "value", "low", "high", *names), rows=tuple(rows), level=0)


def directions(num=24):
    draw = random.Random(1)
    rows = []
    for k in range(num):
        angle, length = 2 * math.pi * k / max(1, num) + draw.uniform(-0.4, 0.4), draw.uniform(0.3, 1.0)
        x, y = length * math.cos(angle), length * math.sin(angle)
        rows.append((f"relation{k}", x, y, int(10 ** draw.uniform(1.5, 3.5)), draw.uniform(0.2, 0.98)))
    return Table(name="Relation directions", columns=("relation", "x", "y", "edges", "accuracy"), rows=tuple(rows), level=0)


def sentences(num=3, words=WORDS, wrong=(3, 8)):
    columns = ("sentence", "word", "form", "gold head", "gold relation", "predicted head", "predicted relation")
    rows = []
    for sentence in range(num):
        for k, word in enumerate(words):
            head, relation = HEADS[k % len(HEADS)], RELATIONS[k % len(RELATIONS)]
            predicted = max(0, k - 1) if k in wrong else head
            rows.append((sentence, k, word, head, relation, predicted, "obl" if k == 4 else relation))
    return Table(name="Sentences", columns=columns, rows=tuple(rows), level=0)


def sizes(parts=("A", "B"), seeds=2, untrained=3):
    rows = []
    for part in parts:
        networks = [*(f"this, seed {k}" for k in range(seeds)), "this, rotated", *(f"untrained {k}" for k in range(untrained))]
        for n, network in enumerate(networks):
            for step in range(8):
                kept = 0.6 * 0.5**step * (1 + 0.1 * n)
                trained = network.startswith("this")
                own = min(1.0, 0.4 + 4 * kept) if trained else min(1.0, 0.3 + kept)
                other = 0.25 + 0.7 * kept
                necessity = 0.7 * math.exp(-abs(step - 4) / 2) if trained else 0.05 * math.cos(n + step)
                mark = "chosen" if network == "this, seed 0" and step == 4 else ""
                rows.append((part, network, 2.0**step, kept, own, own, other, 0.4, 0.9, necessity, mark))
    columns = (
        "part", "network", "price", "kept", "solves own", "alone, own", "alone, other", "without, own", "without, other",
        "necessity", "stands for the part",
    )  # fmt: skip
    return Table(name="Size of the mask against what it does", columns=columns, rows=tuple(rows), level=2)


def evidence(*tables, name="polar"):
    return Evidence(
        instrument=name,
        question="Does geometry hold the syntax?",
        summary="At hidden 2 it does.",
        figures=tables,
    )
