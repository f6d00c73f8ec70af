"""Audits made up for the tests of the report: what the instruments return, with planted numbers."""

import random
from dataclasses import replace

from assay.audit import Audit, Skipped
from assay.cards import Environment, PartCard, SubjectCard, TaskCard
from assay.evidence import DetailTable, Evidence, Interval, Measure, Null, Source
from assay.figure import Curve, Line, Plot, Stretch
from assay.subject import Integrity
from assay.verdict import judge

SOURCE = Source(
    key="redhardt2025",
    citation="Redhardt, Akram, Schug. Scaling can lead to compositional generalization. NeurIPS 2025.",
    url="https://arxiv.org/abs/2507.07207",
    bibtex="@inproceedings{redhardt2025,\n  title = {Scaling can lead to compositional generalization},\n  year = {2025}\n}",
)
NULLS = ("encoded input", "untrained copies", "control task", "shuffled pairing")


def null(name, mean, *, spread=0.01, repeats=99, p=0.01, seed=0):
    draw = random.Random(f"{name}{mean}{seed}")
    values = tuple(min(1.0, max(0.0, draw.gauss(mean, spread))) for _ in range(repeats))
    return Null(name=name, how=f"how {name} was made, {repeats} times", values=values, p=p)


def measure(name, value, half=0.02, nulls=(), **more):
    interval = (
        None if value is None else Interval(low=value - half, high=min(1.0, value + half), level=0.95, method="BCa bootstrap")
    )
    defaults = {"unit": "accuracy", "direction": "higher", "units": 115, "unit_of": "combination", "level": 0}
    return Measure(
        key=name.replace(",", "").replace("-", " ").replace(" ", "_"),
        name=name,
        value=value,
        interval=interval,
        nulls=tuple(nulls),
        **{**defaults, **more},
    )


def systematicity(seen=0.997, novel=0.946, *, half=0.02):
    shared = {"headline": True, "repeats": (1.0, 1.0, 0.9, 0.95)}
    seen_nulls = [null("shuffled targets", 0.091, p=0.005), null("untrained copies", 0.09, repeats=5, p=0.0000021)]
    novel_nulls = [
        null("shuffled targets", 0.092, spread=0.02, p=0.005),
        null("untrained copies", 0.085, spread=0.03, repeats=5, p=0.00000132),
        null("nearest trained example", 0.112, spread=0.015, p=0.005 if novel > 0.15 else 0.31),
    ]
    gap = Measure(
        key="generalisation_gap",
        name="generalisation gap",
        value=seen - novel,
        unit="accuracy, seen minus novel",
        direction="lower",
        interval=Interval(low=seen - novel - 0.015, high=seen - novel + 0.02, level=0.95, method="MOVER"),
        nulls=(Null(name="mixed combinations", how="dealt at random", values=(-0.012, 0.004, 0.011, -0.003, 0.0), p=0.9),),
        units=144,
        unit_of="combination",
        level=0,
    )
    pairs = [
        measure(
            "novel score",
            max(0.0, novel - 0.04 * k),
            0.03,
            [null("shuffled targets", 0.09, p=0.005)],
            about={"unfamiliar pairs": str(k)},
            units=10 * k,
        )
        for k in (1, 2)
    ]
    pairs.append(
        measure("novel score", None, about={"unfamiliar pairs": "3"}, units=2, note="not enough data: 2 combinations, 5 needed")
    )
    usage = DetailTable(
        name="usage of every part value",
        columns=("part", "value", "trained combinations"),
        rows=tuple((part, str(value), 7 + value % 4) for part in "ij" for value in range(12)),
        note="Every value occurs, and all of them hang together.",
        level=0,
    )
    values = DetailTable(
        name="score by part value",
        columns=("part", "value", "seen", "novel", "novel combinations"),
        rows=tuple((part, str(v), 0.99, None if v == 3 else 0.9 + v / 200, 2 + v % 3) for part in "ij" for v in range(12)),
        level=0,
    )
    return Evidence(
        instrument="systematicity",
        question="Does the network work on combinations of parts that it was never trained on?",
        summary=f"Trained combinations score {seen:.3f}, novel ones {novel:.3f}, far above every null.",
        measures=(
            measure("seen score", seen, 0.002, seen_nulls, **shared),
            measure("novel score", novel, half, novel_nulls, units=29, **shared),
            gap,
            *pairs,
        ),
        figures=(values, usage),
        sources=(SOURCE,),
        warnings=("The value i=3 occurs in one trained combination only; what is said about it is weak.",),
        not_tested=("combinations of more parts than were declared", "inputs longer than those trained"),
        settings={"effort": "standard", "examples": 20_000, "copies": 5, "unit": "accuracy", "chance": 1 / 11},
    )


def decodability(parts=("i", "j", "x"), sites=("embed:out", "layers.0:in", "layers.0:out", "layers.1:in", "layers.1:out")):
    measures = []
    for part in parts:
        chance = 1 / 11 if part == "x" else 1 / 12
        for depth, site in enumerate(sites):
            draw = random.Random(f"{part}{site}")
            value = min(0.999, 0.35 + 0.15 * depth + draw.uniform(-0.1, 0.1))
            nulls = [
                null("encoded input", min(0.9, value * 0.6), repeats=1, p=None),
                null("untrained copies", min(0.95, 0.3 + 0.08 * depth), repeats=5, spread=0.03, p=0.0004),
                null("control task", 0.2, repeats=5, spread=0.02, p=0.003),
                null("shuffled pairing", chance, repeats=199, spread=0.012, p=0.005),
            ]
            about = {"part": part, "site": site}
            measures.append(measure("cross-combination accuracy", value, 0.04, nulls, about=about))
            if depth == len(sites) - 1:
                best = max(nulls[:2], key=lambda n: n.mean)
                gain = value - best.mean
                own = [Null(name=best.name, how=best.how, values=tuple(v - best.mean for v in best.values), p=best.p)]
                unit = "accuracy above the best null"
                more = {"about": about, "unit": unit, "headline": True, "unit_of": "network", "units": 6}
                measures.append(measure("gain", gain, 0.06, own, **more))
    return Evidence(
        instrument="decodability",
        question="Can the value of every part be read linearly from the activations, also on combinations the probe never saw?",
        summary="Every part can be read from layers.1:out above all nulls; that says nothing about whether it is used.",
        measures=tuple(measures),
        sources=(SOURCE,),
        not_tested=("whether what can be read is used",),
        settings={"effort": "standard", "probe": "ridge", "penalties": 7},
    )


def recombination(c=1.0, e=None, *, breaks="nothing found", level=1):
    """As the instrument gives it, read at a cut behind layers.0."""
    nulls = [null("untrained copies", 0.09, repeats=5, p=0.001), null("random subspace", 0.08, repeats=5, p=0.002)]
    shared = {"about": {"form": "sum", "cut": "2 layers.0"}, "units": 29, "repeats": (1.0, 1.0, 0.0, 1.0, 1.0)}
    rates = {"seen_from_state": (1.0, 0), "novel_from_state": (c, 0), "novel_as_state": (e, 1)}
    measures = tuple(
        replace(measure(key, value, 0.04, nulls, level=at, headline=key == "novel_from_state", **shared), key=key)
        for key, (value, at) in rates.items()
        if value is not None
    )
    places = ("0 embed", "2 layers.0", "3 layers.1")
    curve = Curve(
        name="Curves",
        across="cut",
        plots=(
            Plot(
                title="form sum",
                lines=(Line(name="C", x=places, y=(0.1, c, 0.0), marked=(1,), notes=("next: relu#1", "next: relu#2", "")),),
                stretches=(Stretch(start="2 layers.0", end="3 layers.1", note="parts are combined here, by relu#2"),),
            ),
        ),
        caption="From the input to the last cut.",
        level=0,
    )
    return Evidence(
        instrument="recombination",
        question="Where are the parts combined?",
        summary="At 2 layers.0.",
        measures=measures,
        figures=(curve,),
        settings={
            "one_best": True, "headline_cut": "2 layers.0", "combined_from": "2 layers.0", "combined_to": "3 layers.1",
            "combining_calls": "relu#2", "breaks": breaks, "carried_i": "0 embed", "carried_j": "not found",
        },
    )  # fmt: skip


def lean(name="subgraphs", reason="3 trained combinations; an interval needs 5"):
    return Evidence(
        instrument=name, question="Rules, or matched subgraphs?", summary=f"Not enough data: {reason}.", not_enough=reason
    )


def audit(evidence=None, *, name="wide coverage", unlearned="", **changes):
    evidence = (systematicity(), decodability(), lean()) if evidence is None else tuple(evidence)
    made = Audit(
        subject=SubjectCard(
            name=name,
            address="runs/wide",
            architecture="MLP(\n  (embed): Embedding(35, 64)\n  (layers): ModuleList(\n    (0-1): 2 x Linear(128, 128)\n  )\n)",
            num_weights=43_147,
            weights_sha256="3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855e",
        ),
        task=TaskCard(
            address="modular:p=13,num_first=12,num_second=12,coverage=0.8,maps=shift,seed=0",
            parts=tuple(
                PartCard(name=part, values=tuple(str(v) for v in range(size)), graded=False)
                for part, size in (("i", 12), ("j", 12), ("x", 11))
            ),
            combines=("i", "j"),
            num_seen=115,
            num_novel=29,
            unit="accuracy",
            chance=1 / 11,
        ),
        verdict=judge(evidence, unlearned=unlearned),
        evidence=evidence,
        skipped=(Skipped(instrument="polar", reason="the task cannot do what it needs: HasTree"),),
        integrity=Integrity(outputs_identical=True, weights_identical=True, num_examples=256, num_sites=9),
        effort="standard",
        level=2,
        seed=0,
        environment=Environment(
            versions={"assay": "0.1.0", "torch": "2.13.0", "numpy": "2.4.0"},
            python="3.11.4",
            machine="Linux x86_64",
            device="cpu",
            threads=1,
        ),
    )
    return replace(made, **changes)


def three():
    """The demo's shape: one that composes, one that memorises, one untrained."""
    return [
        audit(name="composes"),
        audit([systematicity(0.998, 0.165, half=0.03), decodability()], name="memorises"),
        audit([systematicity(0.095, 0.09), decodability()], name="untrained", unlearned="it scores 0.095"),
    ]
