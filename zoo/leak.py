"""The leak detector: does how a network was trained give away whether it composes?

A classifier that sees the numbers of a recipe (initial scale, weight decay, steps, widths, the norm of the weights) and nothing
of the network or its data, fitted on all other families. Were it as good as the verdict, the verdict could read the recipe.
"""

import math

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from zoo.figures import Rows, Which
from zoo.measure import Measured

RECIPE = ("decay", "scale", "steps", "width", "encoder_steps", "rate", "weights", "norm", "coverage")
TREES = 300
LOGARITHMS = ("scale", "steps", "width", "encoder_steps", "rate", "weights", "norm")


def features(row: Measured) -> list[float]:
    """The numbers of a recipe, sizes by their logarithm."""
    return [math.log(row.truth.recipe[one]) if one in LOGARITHMS else row.truth.recipe[one] for one in RECIPE]


def recipe_scores(rows: Rows, positive: Which, negative: Which) -> dict[str, dict[str, float]]:
    """By classifier, for each network of both classes the chance of the first, as told by a fit to all other families.
    Families whose others lack a class are left out."""
    chosen = [row for row in rows if positive(row) or negative(row)]
    found: dict[str, dict[str, float]] = {"linear": {}, "forest": {}}
    for family in sorted({row.truth.family for row in chosen}):
        others = [row for row in chosen if row.truth.family != family]
        own = [row for row in chosen if row.truth.family == family]
        labels = [positive(row) for row in others]
        if len(set(labels)) < 2:
            continue
        classifiers: dict[str, Pipeline | RandomForestClassifier] = {
            "linear": make_pipeline(StandardScaler(), LogisticRegression()),
            "forest": RandomForestClassifier(TREES, min_samples_leaf=3, random_state=0),
        }
        for name, classifier in classifiers.items():
            classifier.fit(np.array([features(row) for row in others]), np.array(labels))
            chances = classifier.predict_proba(np.array([features(row) for row in own]))[:, 1]
            found[name] |= {row.name: float(chance) for row, chance in zip(own, chances, strict=True)}
    return found
