"""Evidence with planted answers, and a calibration on planted networks."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from assay.calibration import FEATURES, Subjects, subjects_of
from assay.evidence import Evidence, Interval, Measure, Null
from assay.former_verdict import Calibration, calibrate
from assay.stats import mean_interval

FAMILIES = ("modular", "commands", "hyperteacher")


def score(name: str, value: float | None, half: float = 0.02, p: float = 0.001, *, level: int = 0) -> Measure:
    """A score of behaviour; None is not enough data."""
    interval = None if value is None else Interval(low=value - half, high=min(1.0, value + half), level=0.95, method="made up")
    return Measure(
        key=name.replace(",", "").replace("-", " ").replace(" ", "_"),
        name=name,
        value=value,
        unit="accuracy",
        direction="higher",
        interval=interval,
        nulls=() if value is None else (Null(name="shuffled targets", how="made up", values=(0.1,), p=p),),
        units=30,
        unit_of="combination",
        headline=True,
        note="" if value is not None else "not enough data: 2 combinations",
        level=level,
    )


def behaviour(seen: float, novel: float | None, *, half: float = 0.02, p: float = 0.001) -> Evidence:
    measures = (score("seen score", seen, half), score("novel score", novel, half, p, level=2))
    return Evidence(instrument="systematicity", question="?", summary="", measures=measures)


def units_of(value: float, num: int) -> tuple[float, ...]:
    """Ones and zeros of that mean, as nearly as they can."""
    ones = round(value * num)
    return (1.0,) * ones + (0.0,) * (num - ones)


def exchange(
    part: str, value: float, nulls: Sequence[float] = (0.1,), *, ceiling: float | None = 1.0, num: int = 100
) -> Measure:
    """Novel recombination of one part."""
    repeats = units_of(value, num)
    return Measure(
        key="novel_recombination",
        name="novel recombination",
        about={"part": part},
        value=sum(repeats) / num,
        unit="accuracy",
        direction="higher",
        interval=mean_interval(repeats, bounds=(0.0, 1.0)),
        nulls=tuple(Null(name=f"null {k}", how="made up", values=(null - 0.05, null + 0.05)) for k, null in enumerate(nulls)),
        units=num,
        unit_of="combination",
        repeats=repeats,
        headline=True,
        ceiling=ceiling,
        level=0,
    )


def companion(name: str, value: float, untrained: float = 0.1, *, num: int = 100) -> Measure:
    """Additivity and its like, beside untrained copies and another null that does not count."""
    nulls = (("untrained copies", untrained), ("shuffled labels", 0.99))
    return Measure(
        key=name.replace(",", "").replace("-", " ").replace(" ", "_"),
        name=name,
        value=value,
        unit="R2",
        direction="higher",
        interval=Interval(low=value - 0.1, high=value + 0.1, level=0.95, method="made up"),
        nulls=tuple(Null(name=title, how="made up", values=(mean,)) for title, mean in nulls),
        units=num,
        unit_of="combination",
        repeats=(value - 0.1, value + 0.1) * (num // 2),
        ceiling=1.0,
        level=0,
    )


def within(
    *exchanges: Measure, additivity: float = 0.9, collapse: float = 0.9, homomorphism: float = 0.9, combined: str = "ij"
) -> Evidence:
    """What `recombination` found."""
    companions = (
        companion("additivity", additivity),
        companion("equivalence collapse", collapse),
        companion("homomorphism", homomorphism),
    )
    return Evidence(
        instrument="recombination",
        question="?",
        summary="",
        measures=(*exchanges, *companions),
        settings={f"part {name}": "combined" for name in combined},
    )


def composer(value: float = 0.9) -> Evidence:
    return within(exchange("i", value), exchange("j", value))


def imitator() -> Evidence:
    return within(exchange("i", 0.1), exchange("j", 0.1), additivity=0.1, collapse=0.1, homomorphism=0.1)


def tidiness(value: float, half: float = 0.02) -> Evidence:
    measure = score("organisation", value, half)
    return Evidence(instrument="organisation", question="?", summary="", measures=(measure,))


def table(*, num: int = 60, twins: int = 20, seed: int = 0) -> Subjects:
    """Composers have effects about .9 and imitators about 0; fractured twins score .2 on organisation, all others .8."""
    rng = np.random.default_rng(seed)
    rows = []
    for family in FAMILIES:
        for index in range(num):
            truth = index % 2
            row = {
                "name": f"{family}-{index}",
                "family": family,
                "kind": "G2" if truth else "I1",
                "architecture": "mlp",
                "size": "small",
                "task": f"{family}:{index % 6}",
                "twin_of": "",
                "label": "composes" if truth else "imitates",
                "seen_score": 1.0,
                "novel_score": float(truth),
                "missing_parts": 0.0,
                "organisation": float(rng.normal(0.8, 0.05)),
                **{name: float(rng.normal(0.9 * truth, 0.15)) for name in FEATURES},
            }
            rows.append(row)
            if index < twins:
                told = {"name": f"{row['name']}-twin", "twin_of": row["name"], "organisation": float(rng.normal(0.2, 0.05))}
                rows.append(row | told | {"kind": "T1" if truth else "T2"})
    return subjects_of({name: [row[name] for row in rows] for name in rows[0]})


@pytest.fixture(scope="session")
def calibration() -> Calibration:
    return calibrate(table(), recipe_sha256="a" * 64, table_sha256="b" * 64)


@pytest.fixture(scope="session")
def plant() -> SimpleNamespace:
    """The functions of this file."""
    return SimpleNamespace(
        behaviour=behaviour, companion=companion, composer=composer, exchange=exchange, imitator=imitator, score=score,
        table=table, tidiness=tidiness, within=within,
    )  # fmt: skip
