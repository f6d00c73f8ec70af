"""What is drawn: refusals in words, intermediate results, tasks without novel combinations, sequences; and the picture."""

import dataclasses

import pytest
import torch
from staged import Staged, staged
from stages import SIZE, Declared, Pairs, Stages, by_pair, composer, is_trained, memoriser, reading, sums
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.conformance.tasks import Few
from assay.evidence import Evidence
from assay.instrument import NotEnough, Random, run
from assay.instruments.recombination import Recombination
from assay.instruments.recombination.instrument import BUDGETS
from assay.objective import Sequences
from assay.subject import Subject
from assay.task import Examples, Task

pytestmark = pytest.mark.slow

QUICK = {"quick": dataclasses.replace(BUDGETS["quick"], examples=300, scrambled=1, turned=1)}


def of(subject: Subject, task: Task) -> Evidence:
    return run(Recombination(budgets=QUICK), subject, task, effort="quick")


class Changed(Declared):
    """Pairs with other parts or inputs."""

    def __init__(self, change, **options):
        super().__init__(**options)
        self.change = change

    def of(self, rows: Tensor) -> Examples:
        return self.change(super().of(rows))


def same_part(examples: Examples) -> Examples:
    return dataclasses.replace(examples, parts={"i": examples.parts["i"], "j": examples.parts["i"]})


def one_value(examples: Examples) -> Examples:
    return dataclasses.replace(examples, parts={"i": examples.parts["i"], "j": examples.parts["j"] * 0})


@pytest.mark.parametrize(
    ("task", "why"),
    [
        (Changed(same_part), "part i determines part j"),
        (Changed(one_value), "part j takes one value"),
        (Few(Declared(), seen=1, novel=1), "1 trained combinations"),
        (Few(Declared(), seen=0, novel=0), "0 trained combinations"),
        (Declared(torch.zeros(SIZE**2, dtype=torch.int64)), "answered alike"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_told_apart_is_refused_in_words(task, why):
    with pytest.raises(NotEnough, match=why):
        Recombination().data(composer(), task, QUICK["quick"], Random(0, "test"))


def test_a_network_that_has_not_learned_is_told_so_before_any_search():
    wrong = Subject(Stages(reading(), *by_pair(torch.randint(SIZE, (SIZE**2,), generator=Generator().manual_seed(0)))))
    assert "has not learned the trained combinations" in of(wrong, Declared()).not_enough


class Unlisted(Declared):
    """No novel combination is listed, and none shown."""

    def __init__(self):
        super().__init__()
        self.rows = {True: self.rows[True], False: self.rows[False][:0]}


def test_where_no_novel_combination_is_listed_the_executor_gives_answers_to_those_never_trained():
    task = Unlisted()
    for subject, right in ((composer(), 1.0), (memoriser(task), 0.0)):
        evidence = of(subject, task)
        measure = evidence.measure("novel_from_state", form="sum")
        assert (measure.value, measure.units) == (right, int((~is_trained(task)).sum()))
        assert evidence.measure("novel_as_state", form="sum").value is None


class Unlabelled(Pairs):
    """Novel inputs without their answers: the targets that stand there mean nothing."""

    level = 1

    def of(self, rows: Tensor) -> Examples:
        examples = super().of(rows)
        novel = ~torch.isin(examples.combination, self.combination_id(dict(zip("ij", self.rows[True].T, strict=True))))
        return dataclasses.replace(examples, targets=examples.targets.masked_fill(novel, 0))


def test_without_labels_the_way_in_is_measured_and_nothing_else_of_novel_inputs():
    evidence = of(composer(), Unlabelled())
    assert evidence.measure("novel_as_state", form="sum").value == 1.0
    both = evidence.measure("novel_both", form="sum")
    assert (both.value, both.note) == (None, "novel inputs have no labels")
    assert all(m.key != "novel_from_state_by_labels" for m in evidence.measures)
    assert evidence.settings["breaks"] == "not resolved"

    class WithExecutor(Unlabelled, Declared):
        pass

    evidence = of(composer(), WithExecutor())
    assert evidence.measure("novel_both", form="sum").value == 1.0, "an executor gives the labels of novel inputs"


def test_synonyms_are_reported_beside_and_not_in_the_headline():
    """i = 6 to 11 act as i = 0 to 5 do, so that most novel pairs follow by exchanging values that act alike."""
    grid = torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE))
    task = Declared((grid[:, 0] % 6 + grid[:, 1]) % SIZE)
    evidence = of(Subject(Stages(reading(), *by_pair(task.table))), task)
    beside = evidence.measure("novel_from_state_by_kind", form="sum", kind="synonyms of trained combinations")
    assert beside.value == 1.0
    headline = evidence.measure("novel_from_state", form="sum")
    assert (headline.value, headline.units < 30) == (None, True)
    assert "not enough data" in headline.note


def test_an_intermediate_result_is_carried_from_where_it_is_found_on():
    evidence = of(staged(at_once=False), Staged())
    assert evidence.settings["headline_cut"] == "1 layers.1", "of all three parts"
    assert evidence.settings["carried_z"] == "2 layers.2"
    z = evidence.measure("seen_from_state", part="z")
    assert (z.value, z.about["cut"]) == (1.0, "3 layers.3"), "the last at which z and j add up"
    assert {null.name for null in z.nulls} == {"untrained copies", "scrambled declaration", "random subspace"}
    kind = "inside 1-coverage"  # pairs (i, x) of one sum act alike in all trained examples
    assert evidence.measure("novel_from_state_by_kind", form="sum", kind=kind).value == 1.0
    assert "no novel combination outside 1-coverage" in evidence.measure("novel_from_state", form="sum").note
    evidence = of(staged(at_once=True), Staged())
    assert evidence.settings["carried_z"] == "not found"
    assert any("z" in warning for warning in evidence.warnings)


def test_the_picture_shows_nulls_as_bands_and_marks_the_cuts_that_count():
    curve, table = of(composer(), Declared()).figures
    every = curve.plots[0]
    cs = next(line for line in every.lines if line.name.startswith("Cs"))
    assert cs.x == ("0 layers.0", "1 layers.1", "2 layers.2")
    assert cs.marked == (1,), "the headline cut"
    (stretch,) = every.stretches
    assert (stretch.start, stretch.end) == ("1 layers.1", "2 layers.2")
    assert "relu#2" in stretch.note
    assert cs.notes[1] == "next: relu#2"
    assert cs.y[:2] == (1.0, 1.0)
    bands = [line for line in every.lines if line.null]
    assert {line.name for line in bands} == {"untrained copies", "scrambled declaration", "random subspace"}
    assert all(line.y[0] is None and line.y[1] is not None and line.y[1] < 0.3 for line in bands)
    assert [row[0] for row in table.rows] == list(cs.x)
    assert [plot.title for plot in curve.plots] == ["form sum", "form shift", "part i", "part j"]


def test_a_part_that_one_value_of_another_hides_is_drawn_from_pairs():
    task = Pairs()
    assert torch.equal(task.table, sums())
    assert of(composer(), task).measure("seen_from_state", part="i").value == 1.0, "looked up among held-out examples"


def test_a_sequence_answered_in_one_pass_is_right_at_all_steps():
    def twice(examples: Examples) -> Examples:
        return dataclasses.replace(examples, targets=torch.stack([examples.targets + 1, examples.targets * 0 + 3], 1))

    class Twice(Changed):
        objective = Sequences(SIZE + 1)

        def swap(self, base, source, part):
            swapped = super().swap(base, source, part)
            return swapped._replace(targets=torch.stack([swapped.targets + 1, swapped.targets * 0 + 3], 1))

    task = Twice(twice)
    pairs, (answer, none) = by_pair(sums())

    class Answers(Stages):
        def forward(self, x):
            first = F.pad(super().forward(x), (1, 0))
            second = torch.zeros_like(first) + F.one_hot(torch.tensor(3), SIZE + 1)
            return torch.stack([first, second], 1)

    assert of(Subject(Answers(reading(), pairs, (answer, none))), task).measure("novel_from_state", form="sum").value == 1.0
