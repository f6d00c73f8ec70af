"""Rows of finished cells with planted scores."""

from collections.abc import Mapping

from assay.sweep.rows import Row


def row(point: Mapping[str, str], seed: int, novel: float | None, *, seen: float = 0.99, null: float = 0.1) -> Row:
    """One finished cell."""
    values = {"seen_score": seen, "seen_score_null_shuffled_targets": null}
    values |= {"novel_score": novel, "novel_score_null_shuffled_targets": null, "novel_score_null_a_memoriser": null + 0.02}
    told = ",".join(f"{name}={value}" for name, value in point.items())
    return Row(
        name=f"{told},seed={seed}",
        point=dict(point),
        seed=seed,
        round=0,
        task="modular",
        model="mlp",
        num_weights=100,
        steps=10,
        num_seen=8,
        num_novel=4,
        unit="accuracy",
        chance=0.1,
        values=values,
        verdict="not resolved",
        works="not resolved",
        basis="nothing",
        breaks="not resolved",
        train_seconds=0.5,
        audit_seconds=0.25,
        weights_sha256="0" * 64,
    )
