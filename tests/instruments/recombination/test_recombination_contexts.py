"""Three parts: combinations several exchanges away, and whether the effect of a part is one thing in all contexts."""

import dataclasses
from itertools import permutations

import numpy as np
import pytest
import torch
from staged import N, Sparse, Staged, by_triple, staged
from stages import Declared, Stages, composer
from torch import Tensor
from torch.nn import functional as F

from assay.evidence import Evidence
from assay.instrument import Random, run
from assay.instruments.recombination import Recombination
from assay.instruments.recombination.instrument import BUDGETS
from assay.subject import Subject

pytestmark = pytest.mark.slow

BUDGET = dataclasses.replace(BUDGETS["quick"], examples=300, scrambled=1, turned=1, copies=5)
INSTRUMENT = Recombination(budgets={"quick": BUDGET})


def in_copies(half: Tensor) -> Subject:
    """Codes of x and j, and two of i, weak in the one that is not of the half of x. Then a unit for each triple."""
    first, offset = torch.zeros(4 * N, 3 * N), torch.zeros(4 * N)
    for k in range(2):
        first[k * N : k * N + N, :N] = torch.eye(N)
        first[k * N : k * N + N, N : 2 * N] = 0.7 * (half == k).float()
        offset[k * N : k * N + N] = -0.7
    first[2 * N :, N:] = torch.eye(2 * N)
    triples = torch.cartesian_prod(*[torch.arange(N)] * 3)
    i, x, j = triples.T
    units = F.one_hot(i + N * half[x], 2 * N), F.one_hot(x, N), F.one_hot(j, N)
    answer = F.one_hot(triples.sum(1) % N, N).float().T, torch.zeros(N)
    second = torch.cat(units, 1).float(), torch.full((N**3,), -2.0)
    return Subject(Stages((first, offset), second, answer))


def effects(evidence: Evidence, part: str, context: str) -> list[float | None]:
    found = [m for m in evidence.measures if m.key == "seen_from_effect_in_context"]
    found = [m for m in found if (m.about["part"], m.about["context"]) == (part, context)]
    assert [m.about["effect from"] for m in found] == ["the same context", "other contexts"]
    return [m.value for m in found]


@pytest.mark.parametrize("half", [torch.arange(N) % 2, (torch.arange(N) < 2).long()])
def test_copies_of_a_part_by_context_are_told_from_one_part(half):
    """The score cannot tell them: both are right on all trained combinations, and on additive states."""
    shared, copied = (run(INSTRUMENT, one, Staged(), effort="quick") for one in (staged(at_once=True), in_copies(half)))
    for evidence in (shared, copied):
        assert evidence.measure("seen_from_state", form="sum").value == 1.0
        assert evidence.settings["headline_depth"] == 1
    for part, context in permutations("ixj", 2):
        assert effects(shared, part, context) == [1.0, 1.0]
    same, other = effects(copied, "i", "x")
    assert same == 1.0
    across = float((half[:, None] != half).sum()) / (N * (N - 1))
    assert other == pytest.approx(1 - across, abs=0.15), "it fails where the effect comes from the other copy"
    assert effects(copied, "j", "i") == effects(copied, "j", "x") == [1.0, 1.0]
    measure = shared.measure("seen_from_effect_in_context", part="i", context="x", **{"effect from": "other contexts"})
    assert {null.name for null in measure.nulls} == {"untrained copies", "scrambled declaration", "random subspace"}
    assert all(null.mean < 0.5 for null in measure.nulls)


def test_of_two_parts_effects_come_from_other_contexts_alone():
    """The context and the new value are the combination that was held out."""
    data = INSTRUMENT.data(composer(), Declared(), BUDGET, Random(0, "test"))
    assert [plan.name for plan in data.plans] == ["all parts", "i in contexts of j", "j in contexts of i"]
    assert [[recipe.about["effect from"] for recipe in plan.recipes] for plan in data.plans[1:]] == [["other contexts"]] * 2
    evidence = run(INSTRUMENT, composer(), Declared(), effort="quick")
    about = {"part": "i", "context": "j", "effect from": "other contexts"}
    assert evidence.measure("seen_from_effect_in_context", **about).value == 1.0


def test_combinations_that_need_several_exchanges_have_the_declared_answers():
    task = Sparse()
    data = INSTRUMENT.data(by_triple(task.table), task, BUDGET, Random(0, "test"))
    items = data.plans[0].recipes[0].items
    triples = torch.stack([items.ids // N**2, items.ids // N % N, items.ids % N], 1)
    assert torch.equal(items.targets, task.table[tuple(triples.T)])
    trained = {tuple(row) for row in task.combinations("seen").tolist()}
    further = [one for one, number in data.exchanges.items() if number == 2]
    assert len(further) > 3
    fitted = {divmod(one, N**2) for one in data.combination.unique().tolist()}
    known = {(i, rest // N, rest % N) for i, rest in fitted}
    for one in further:
        triple = (one // N**2, one // N % N, one % N)
        assert triple not in trained
        near = [other for other in known if sum(a != b for a, b in zip(triple, other, strict=True)) == 1]
        assert not near, "one exchange would have done"


def test_nulls_and_copies_are_read_on_some_combinations_of_everything_that_is_reported():
    budgets = [dataclasses.replace(BUDGET, null_combinations=number) for number in (5, 10_000)]
    instruments = [Recombination(budgets={"quick": budget}) for budget in budgets]
    few, whole = (run(one, by_triple(Sparse.table), Sparse(), effort="quick").measures for one in instruments)
    fewer = 0
    for one, other in zip(few, whole, strict=True):
        assert (one.value, one.interval, one.repeats) == (other.value, other.interval, other.repeats)
        assert [null.name for null in one.nulls] == [null.name for null in other.nulls], one.label
        for null in one.nulls:
            if null.units is not None:
                read = (~np.isnan(null.units)).all(0).sum()
                assert read >= min(5, one.units), one.label
                fewer += read < one.units
    assert fewer > 20
    data = instruments[0].data(by_triple(Sparse.table), Sparse(), budgets[0], Random(0, "test"))
    items, some = data.plans[0].recipes[0].items, data.few[0][0]
    for number in {*data.exchanges.values()}:
        made = torch.tensor([data.exchanges.get(one) == number for one in items.ids.tolist()])
        assert len(items.ids[made & some].unique()) >= min(5, len(items.ids[made].unique()))
    assert all(not np.isnan(null.units).any() for one in whole for null in one.nulls if null.units is not None)


def test_rates_are_reported_by_the_number_of_exchanges():
    evidence = run(INSTRUMENT, by_triple(Sparse.table), Sparse(), effort="quick")
    values = {m.about["exchanges"]: m for m in evidence.measures if m.key == "novel_from_state_by_exchanges"}
    whole = evidence.measure("novel_from_state", form="sum")
    assert {"1", "2"} <= {*values}
    assert sum(m.units for m in values.values()) == whole.units
    assert all(m.value in (None, 1.0) for m in values.values())


def test_an_effort_bounds_the_pairs_and_says_how_many_are_left_out():
    few = Recombination(budgets={"quick": dataclasses.replace(BUDGET, contexts=2)})
    evidence = run(few, staged(at_once=True), Staged(), effort="quick")
    asked = {(m.about["part"], m.about["context"]) for m in evidence.measures if m.key == "seen_from_effect_in_context"}
    assert len(asked) == 2
    assert "4 pairs of a part and its context were left out by this effort." in evidence.not_tested
