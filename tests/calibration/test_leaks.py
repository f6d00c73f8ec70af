import numpy as np
import pytest

from assay.calibration import metrics
from assay.calibration.leaks import recipe_leaks


def leaks_of(subjects):
    weights = metrics.resamples(subjects.family, subjects.task, np.random.default_rng(0))
    return {leak.family: leak for leak in recipe_leaks(subjects, weights)}


@pytest.mark.parametrize("tasks", [1, 8])  # one instance cannot be cross-validated over: networks are
def test_a_recipe_that_tells_the_class_is_flagged_where_it_does(plant, tasks):
    subjects = plant(families=("modular", "digits"), tasks=tasks)
    told = (subjects.family == "digits") & subjects.composes
    subjects.recipe["decay"][told] += 2.0
    leaks = leaks_of(subjects)
    assert leaks["digits"].flagged
    assert leaks["digits"].auroc.value > 0.85
    assert not leaks["modular"].flagged
    assert leaks["modular"].auroc.value < 0.65


def test_a_recipe_may_tell_either_way(plant):
    subjects = plant(families=("digits",))
    subjects.recipe["decay"][subjects.composes] -= 2.0
    assert leaks_of(subjects)["digits"].flagged


def test_noise_is_hardly_ever_flagged(plant):
    values = [leaks_of(plant(families=("digits",), seed=seed))["digits"] for seed in range(20)]
    assert sum(leak.flagged for leak in values) <= 1
    assert np.mean([leak.auroc.value for leak in values]) == pytest.approx(0.5, abs=0.06)


def test_missing_recipes_and_few_networks(plant):
    subjects = plant(families=("modular", "digits"))
    subjects.recipe["decay"][subjects.family == "modular"] = np.nan
    subjects.recipe["decay"][np.flatnonzero(subjects.family == "digits")[:5]] = np.nan
    leaks = leaks_of(subjects)
    assert leaks["modular"].auroc.value is None
    assert not leaks["modular"].flagged
    assert leaks["digits"].auroc.units == 120
    assert leaks_of(plant(num=8, families=("digits",)))["digits"].auroc.value is None
    assert leaks_of(plant(num=0)) == {}
