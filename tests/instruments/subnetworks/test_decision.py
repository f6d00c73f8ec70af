"""The rule from numbers to words, case by case, on numbers made by hand."""

import dataclasses
import re

import pytest
import torch
from scipy import stats

from assay.instrument import Reading
from assay.instrument.nulls import Nulls, measure_of
from assay.instruments.subnetworks.controls import AT_RANDOM, PartReading
from assay.instruments.subnetworks.decision import NECESSITY, decide
from assay.instruments.subnetworks.instrument import values_along, values_of
from assay.instruments.subnetworks.path import PathPoint, SparsityPath
from assay.instruments.subnetworks.problems import Accuracy, Effect
from assay.masks import Mask
from assay.stats import gain_over

MASK = Mask("weight", {}, {})


def scored(accuracy: float) -> Accuracy:
    """Forty units of that mean, a little apart."""
    spread = torch.linspace(-0.05, 0.05, 40, dtype=torch.float64)
    return Accuracy(accuracy + spread, 0.25)


def point(
    own: float, other: float, *, accuracy: float = 1.0, density: float = 0.1, validation: float = 0.5, degenerate: str = ""
) -> PathPoint:
    """A mask that, removed, leaves so much of either part."""
    alone, without = Effect(scored(1.0), scored(0.25)), Effect(scored(own), scored(other))
    return PathPoint(1.0, MASK, density, degenerate, accuracy, validation, alone, without)


@dataclasses.dataclass
class Case:
    """A part, and the necessity of untrained copies."""

    part: PartReading
    fresh: tuple[float, ...]

    @property
    def necessity(self):
        own, *_ = values_of(self.part)
        copies = [values_along("a", (SparsityPath((point(1.0 - value, 1.0),)),)) for value in self.fresh]
        return measure_of(NECESSITY, own, Nulls.of([Reading(values) for values in copies], {}, {}))


def found(
    *paths: SparsityPath,
    fresh: tuple[float, ...] = (0.0, 0.02, -0.02, 0.01, -0.01),
    random: float = 0.0,
    nonsense: float = 0.0,
    removals: tuple[float, ...] = (0.7, 0.7, 0.5, 0.5),
) -> Case:
    ablations = {f"way {k}": [Effect(scored(1.0 - value), scored(1.0))] for k, value in enumerate(removals)}
    part = PartReading(
        part="a",
        paths=paths,
        nonsense=(nonsense - 0.01, nonsense, nonsense + 0.01),
        ablations={**ablations, AT_RANDOM: [Effect(scored(1.0 - random), scored(1.0))] * 39},
    )
    return Case(part, fresh)


GOOD = SparsityPath((point(0.3, 1.0),))


@pytest.mark.parametrize(
    ("case", "word", "reason"),
    [
        (found(GOOD), "modular", "necessity 0.700"),
        (found(SparsityPath((point(0.95, 1.0),))), "not modular", "significantly less than 0.250"),
        (found(SparsityPath((point(0.3, 0.3),))), "not modular", "significantly less"),
        (found(SparsityPath((point(1.0, 0.3),))), "not modular", "necessity \N{MINUS SIGN}0.700"),
        (found(GOOD, random=0.7), "not resolved", "random masks do as much"),
        (found(GOOD, nonsense=0.7), "not resolved", "masks for nonsense do as much"),
        (found(GOOD, removals=(0.7, 0.7, -0.1, 0.5)), "not resolved", "sign of necessity depends on"),
        (found(GOOD, fresh=(0.7, 0.68, 0.72, 0.69, 0.71)), "not modular", r"necessity \S*0"),
        (found(GOOD, fresh=(0.7, 0.0, 0.6, 0.1, 0.4)), "not resolved", "necessity 0.340"),
        (found(SparsityPath((point(0.3, 1.0, accuracy=0.8),))), "not modular", "no isolable part: no mask solves 0.9"),
        (found(SparsityPath((point(0.3, 1.0, degenerate="keeps everything"),))), "not resolved", "the mask keeps everything"),
        (found(GOOD, SparsityPath((point(0.3, 1.0, accuracy=0.8),))), "not resolved", "1 of 2 seeds"),
    ],
)
def test_every_case_gets_its_word(case, word, reason):
    decision = decide(case.part, case.necessity)
    assert decision.word == word
    assert re.search(reason, decision.reason)


def test_the_mask_is_chosen_by_validation_and_the_smallest_by_size():
    large, middle, small = (
        point(0.3, 0.4, density=0.5, validation=0.1),
        point(0.3, 1.0, density=0.2, validation=0.7),
        point(0.9, 1.0, density=0.1, validation=0.1),
    )
    weak = point(0.2, 1.0, density=0.01, validation=0.9, accuracy=0.5)
    path = SparsityPath((large, middle, small, weak))
    assert path.chosen is middle
    assert path.smallest is small
    equal = dataclasses.replace(small, validation=0.7)
    assert SparsityPath((large, middle, equal)).chosen is equal, "of equals the smaller one"


def test_a_seed_without_a_mask_counts_as_nothing_found():
    none = SparsityPath((point(0.3, 1.0, accuracy=0.5),))
    assert values_along("a", (GOOD, none))[0].mean == pytest.approx(0.35)
    assert values_along("a", (GOOD, GOOD))[0].mean == pytest.approx(0.7)
    assert found(none).necessity.value is None, "without any mask there is no number"


def test_accuracies_below_chance_count_as_chance_and_are_kept_raw():
    effect = Effect(scored(0.1), scored(1.0))
    assert effect.necessity == pytest.approx(0.75)
    assert effect.raw == pytest.approx(0.9)


def test_gain_is_the_prediction_interval_of_one_more_null():
    """By a second route: with exact values, that of scipy's t distribution for one more draw."""
    nulls = [0.1, -0.05, 0.02, 0.07, -0.03]
    gain = gain_over(0.5, 0.0, nulls)
    error = stats.tstd(nulls) * (1 + 1 / 5) ** 0.5
    low, high = stats.t.interval(0.95, 4, loc=0.5 - sum(nulls) / 5, scale=error)
    assert (gain.interval.low, gain.interval.high) == pytest.approx((low, high))
    assert gain.p == pytest.approx(stats.t.sf(gain.gain / error, 4))


def test_uncertain_problems_widen_the_interval():
    nulls = [0.1, -0.05, 0.02]
    narrow, wide = gain_over(0.5, 0.0, nulls), gain_over(0.5, 0.04, nulls)
    assert wide.interval.low < narrow.interval.low
    assert wide.p > narrow.p


@pytest.mark.parametrize(("value", "p"), [(0.5, 2.0**-2), (0.0, 1.0)])
def test_without_any_error_the_p_is_that_of_the_sign_test(value, p):
    assert gain_over(value, 0.0, [0.0, 0.0]).p == p
