"""Evidence tables with planted answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from assay.calibration import FEATURES, Subjects, subjects_of

Plant = Callable[..., Subjects]
FAMILIES = ("modular", "commands", "hyperteacher", "attributes", "transduction", "digits")
IMITATIONS = ("I1", "I2", "I3", "I4", "I5", "I6")


def columns_of(
    *,
    num: int = 120,
    families: tuple[str, ...] = FAMILIES,
    strength: float = 3.0,
    strengths: dict[str, float] | None = None,
    missing: float = 0.0,
    shift: dict[str, float] | None = None,
    twins: int = 0,
    partial: int = 0,
    wrong: int = 0,
    prefix: str = "",
    tasks: int = 8,
    seed: int = 0,
) -> dict[str, Any]:
    """`num` decided networks in each family, half of them composers, and the others beside them. A feature is unit noise
    plus `strength` times the share of truth, plus the family's shift."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    strengths = dict.fromkeys(FEATURES, strength) | (strengths or {})

    def add(family: str, kind: str, label: str, truth: float, **more: Any) -> dict[str, Any]:
        features = {name: float(rng.normal() + by * truth + (shift or {}).get(family, 0.0)) for name, by in strengths.items()}
        row = {
            "name": f"{prefix}{family}-{len(rows):04d}",
            "family": family,
            "kind": kind,
            "architecture": ("mlp", "transformer", "gru")[len(rows) % 3],
            "size": ("small", "large")[len(rows) % 2],
            "task": f"{prefix}{family}:{int(rng.integers(tasks))}",
            "twin_of": "",
            "label": label,
            "seen_score": 1.0,
            "novel_score": truth,
            "missing_parts": 0.0,
            "organisation": float(rng.normal()),
            "baseline.noise": float(rng.normal()),
            "baseline.inverted": float(rng.normal() - 2 * truth),
            "recipe.decay": float(rng.normal()),
        }
        row |= {name: None if rng.random() < missing else value for name, value in features.items()} | more
        rows.append(row)
        return row

    for family in families:
        for index in range(num):
            kind = f"G{1 + index // 2 % 3}" if index % 2 else IMITATIONS[index // 2 % 6]
            original = add(family, kind, "composes" if index % 2 else "imitates", float(index % 2))
            if index < twins:
                same = {name: original[name] for name in FEATURES}
                told = {"twin_of": original["name"], "architecture": original["architecture"], "task": original["task"]}
                untidy = {"organisation": original["organisation"] - 5}
                add(family, "T1" if index % 2 else "T2", original["label"], original["novel_score"], **same, **told, **untidy)
        for _ in range(partial):
            add(family, "U", "partial", float(rng.uniform()))
        for _ in range(wrong):
            add(family, "W", "imitates", 0.0)
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else empty()


def empty() -> dict[str, list[Any]]:
    texts = ("name", "family", "kind", "architecture", "size", "task", "twin_of", "label")
    return {name: [] for name in (*texts, "seen_score", "novel_score", "missing_parts", "organisation", *FEATURES)}


@pytest.fixture
def columns() -> Callable[..., dict[str, Any]]:
    return columns_of


@pytest.fixture
def plant() -> Plant:
    return lambda **options: subjects_of(columns_of(**options))
