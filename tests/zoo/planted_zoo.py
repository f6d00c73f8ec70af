"""A table of networks that nobody trained, on which the right answer is known."""

import numpy as np

from assay.calibration import Subjects, subjects_of
from assay.calibration.table import FEATURES


def planted(num: int = 40) -> Subjects:
    """Two families in which the features tell composers from memorisers, and four networks of the sealed one."""
    rng = np.random.default_rng(0)
    rows = []
    for k in range(num + 4):
        composes = k % 2 == 0
        features = {name: float(np.clip((0.8 if composes else 0.1) + rng.normal(0, 0.1), -1, 1)) for name in FEATURES}
        rows.append(
            {
                "name": f"network {k}",
                "family": ("modular", "digits")[k // 2 % 2] if k < num else "trees",
                "kind": "G2" if composes else "I1",
                "architecture": "mlp",
                "size": "96x2",
                "task": f"task {k // 4 % 5}",
                "twin_of": "",
                "label": "composes" if composes else "imitates",
                "seen_score": 1.0,
                "novel_score": 1.0 if composes else 0.1,
                "missing_parts": 0.0,
                "organisation": 0.5,
                "baseline.id_loss": rng.normal(),
                "recipe.log_norm_mean": rng.normal(),
                **features,
            }
        )
    return subjects_of({column: [row[column] for row in rows] for column in rows[0]})
