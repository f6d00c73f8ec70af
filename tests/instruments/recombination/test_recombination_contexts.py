"""Three parts: combinations several exchanges away, and whether the effect of a part is one thing in all contexts."""

import dataclasses

import pytest
import torch
from staged import N, Sparse, Staged, by_triple, staged
from stages import Stages
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


def effects(evidence: Evidence, part: str) -> list[float | None]:
    about = [{"part": part, "effect from": name} for name in ("the same contexts", "other contexts")]
    return [evidence.measure("seen_from_effect_in_context", **one).value for one in about]


def halves(part: str) -> Tensor:
    return torch.randperm(N, generator=Random(0, INSTRUMENT.name).within("contexts", part)("halves")) % 2


def test_copies_of_a_part_by_context_are_told_from_one_part():
    """The score cannot tell them: both are right on all trained combinations, and on additive states."""
    shared, copied = (run(INSTRUMENT, one, Staged(), effort="quick") for one in (staged(at_once=True), in_copies(halves("i"))))
    for evidence in (shared, copied):
        assert evidence.measure("seen_from_state", form="sum").value == 1.0
        assert evidence.settings["headline_depth"] == 1
    assert effects(shared, "i") == effects(shared, "x") == effects(shared, "j") == [1.0, 1.0]
    assert effects(copied, "i") == [1.0, 0.0]
    assert effects(copied, "j") == [1.0, 1.0]
    measure = shared.measure("seen_from_effect_in_context", part="i", **{"effect from": "other contexts"})
    assert {null.name for null in measure.nulls} == {"untrained copies", "scrambled declaration", "random subspace"}
    assert all(null.mean < 0.5 for null in measure.nulls)


def test_with_two_parts_a_context_is_one_value_and_nothing_is_said():
    from stages import Declared, composer

    data = INSTRUMENT.data(composer(), Declared(), BUDGET, Random(0, "test"))
    assert [plan.name for plan in data.plans] == ["all parts"]


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


def test_rates_are_reported_by_the_number_of_exchanges():
    evidence = run(INSTRUMENT, by_triple(Sparse.table), Sparse(), effort="quick")
    values = {m.about["exchanges"]: m for m in evidence.measures if m.key == "novel_from_state_by_exchanges"}
    whole = evidence.measure("novel_from_state", form="sum")
    assert {"1", "2"} <= {*values}
    assert sum(m.units for m in values.values()) == whole.units
    assert all(m.value in (None, 1.0) for m in values.values())
