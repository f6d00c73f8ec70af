"""Planted networks: one that computes the rule, one that looks answers up, one that fails on a single value."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn

from assay import Table
from assay.conformance.tasks import Wrapped
from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments.systematicity import Systematicity
from assay.instruments.systematicity.instrument import BUDGETS
from assay.instruments.systematicity.nulls import WIDE, all_pairs, nearest
from assay.novelty import novelty_of
from assay.objective import NOT_ASKED, Classification, Regression, Steps
from assay.subject import Subject
from assay.task import Examples, Split, Task
from assay.tasks import load_task
from assay.tasks.modular import Modular
from assay.verdict import judge

TASK = Modular(p=11, num_first=11, num_second=11, coverage=0.6)  # whose 48 novel combinations lie outside 1-coverage
OF_EVERY_KIND = Modular(p=11, num_first=14, num_second=14, synonyms=True, coverage=0.35)
FEW = Modular(p=7, num_first=7, num_second=7, coverage=0.6)  # with 20 of them
TRAINED = torch.zeros(11, 11, dtype=torch.bool).index_put(tuple(TASK.combinations("seen").T), torch.tensor(True))


class Rule(nn.Module):
    """The exact rule, except on what `fails` says, where it answers at random but always the same."""

    def __init__(self, fails=lambda i, j: torch.zeros_like(i, dtype=torch.bool), task: Modular = TASK):
        super().__init__()
        self.fails, self.task = fails, task
        self.unused = nn.Linear(1, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        first, second, p = (len(self.task.part(name).values) for name in ("i", "j", "x"))
        i, j, x = tokens[:, 0], tokens[:, 1] - first, tokens[:, 2] - first - second
        right = self.task._rule({"i": i, "j": j, "x": x})
        wrong = (i * 5 + j * 3 + x * x) % p
        return nn.functional.one_hot(torch.where(self.fails(i, j), wrong, right), p).float()


def never_trained(i: Tensor, j: Tensor) -> Tensor:
    return ~TRAINED[i, j]


def measured(module: nn.Module, effort: str = "quick", task: Task = TASK) -> Evidence:
    return run(Systematicity(), Subject(module), task, effort=effort, seed=0)


def test_a_network_with_the_rule_works_on_novel_combinations():
    evidence = measured(Rule())
    assert evidence.measure("novel_score").value == 1.0
    assert evidence.measure("novel_score").interval.low > 0.8


def test_a_combination_that_has_most_of_the_examples_does_not_crowd_out_the_others_for_copies():
    """Copies at quick effort are read on a hundred examples, of which nearly all would be of that combination."""
    pairs = torch.cartesian_prod(torch.arange(12), torch.arange(12))
    novel = torch.randperm(144, generator=Generator().manual_seed(0))[:60]
    times = torch.ones(144, dtype=torch.long)
    times[novel[0]] = 1500
    x = pairs.repeat_interleave(times, 0)
    split = torch.isin(torch.arange(144), novel).repeat_interleave(times)
    task = Table(inputs=x, targets=x.sum(1) % 12, parts={"first": x[:, 0], "second": x[:, 1]}, split=split)
    network = nn.Sequential(nn.Embedding(12, 8), nn.Flatten(), nn.Linear(16, 12))
    measure = measured(network, task=task).measure("novel_score")
    (untrained,) = (null for null in measure.nulls if null.name == "untrained copies")
    assert measure.units == 60
    assert "of 60" not in untrained.how, "all sixty are read"


def test_what_an_untrained_copy_can_do_as_well_is_no_finding():
    """The rule is in this module's code, not in its weights: a copy with fresh weights has it too."""
    assert measured(Rule()).findings() == ()


def test_what_only_the_trained_network_can_do_is_a_finding():
    wrong = Rule(lambda i, j: torch.ones_like(i, dtype=torch.bool))
    subject = Subject(Rule(), fresh=lambda generator: wrong)
    evidence = run(Systematicity(), subject, TASK, effort="quick", seed=0)
    assert {m.name for m in evidence.findings()} == {"seen score", "novel score"}


def test_copies_are_run_on_some_examples_and_no_own_value_depends_on_which():
    fails = Rule(lambda i, j: torch.rand(len(i), generator=Generator().manual_seed(0)) < 0.5)
    found = []
    for copied in (50, 500):
        instrument = Systematicity(budgets={"quick": replace(BUDGETS["quick"], copied_examples=copied)})
        found.append(run(instrument, Subject(Rule(), fresh=lambda generator: fails), TASK, effort="quick", seed=0))
    fewer, more = (one.measure("seen_score") for one in found)
    assert (fewer.value, fewer.interval, fewer.repeats) == (more.value, more.interval, more.repeats)
    null, whole = (one.nulls[0] for one in (fewer, more))
    assert 50 == (~np.isnan(null.units)).all(0).sum() < (~np.isnan(whole.units)).all(0).sum()
    assert sum(null.values) / 5 == pytest.approx(sum(whole.values) / 5, abs=0.15)
    assert {m.key for m in found[0].findings()} == {m.key for m in found[1].findings()} == {"seen_score", "novel_score"}


class Contradicting(Modular):
    """One trained combination comes with a second answer."""

    def trained_examples(self, n, *, generator):
        examples = super().trained_examples(n, generator=generator)
        twice = examples.take(torch.cat([torch.arange(len(examples)), torch.tensor([0])]))
        targets = torch.cat([examples.targets, (examples.targets[:1] + 1) % 11])
        return replace(twice, targets=targets)


def test_contradictions_of_the_training_data_are_a_warning():
    told = "Trained combinations with more than one answer: 1."
    task = Contradicting(p=11, num_first=11, num_second=11, coverage=0.6)
    assert any(told in warning for warning in measured(Rule(), task=task).warnings)
    assert not any("more than one answer" in warning for warning in measured(Rule()).warnings)


def test_a_look_up_table_scores_one_on_seen_and_chance_on_novel():
    evidence = measured(Rule(never_trained))
    assert evidence.measure("seen_score").value == 1.0
    assert evidence.measure("novel_score").value == pytest.approx(1 / 11, abs=0.08)
    gap = evidence.measure("generalisation_gap")
    assert gap.interval.low > 0.6
    assert gap.nulls[0].p < 0.05


def test_scores_count_every_combination_once():
    evidence = measured(Rule(lambda i, j: i == 3))
    rows = TASK.combinations("novel")
    expected = float(((rows[:, 0] != 3).float()).mean())
    wrong_right = evidence.measure("novel_score").value - expected  # wrong answers are right now and then
    assert 0 <= wrong_right < 0.1
    assert len(evidence.measure("novel_score").repeats) == len(rows)


def of_kind(task: Modular, wanted: str) -> tuple[Tensor, int]:
    """Where the novel combinations of a kind lie, and their number."""
    novelty = novelty_of(task)
    rows = task.combinations("novel")
    ids = task.combination_id({"i": rows[:, 0], "j": rows[:, 1]})
    chosen = rows[torch.tensor([kind == wanted for kind in novelty.of(ids)])]
    shape = [len(task.part(name).values) for name in ("i", "j")]
    return torch.zeros(shape, dtype=torch.bool).index_put(tuple(chosen.T), torch.tensor(True)), len(chosen)


def test_the_novel_score_counts_what_lies_outside_and_each_kind_has_a_score_of_its_own():
    synonyms, num_synonyms = of_kind(OF_EVERY_KIND, "synonym")
    num_outside = of_kind(OF_EVERY_KIND, "outside")[1]
    assert num_synonyms >= 30
    assert num_outside >= 30
    evidence = measured(Rule(lambda i, j: ~synonyms[i, j], OF_EVERY_KIND), task=OF_EVERY_KIND)
    novel = evidence.measure("novel_score")
    assert (novel.units, novel.value) == (num_outside, pytest.approx(1 / 11, abs=0.1))
    beside = evidence.measure("novel_score_by_kind", kind="synonyms of trained combinations")
    assert (beside.units, beside.value) == (num_synonyms, 1.0)
    assert evidence.measure("novel_score_by_kind", kind="inside 1-coverage").value is None  # 4 of them
    assert {null.name for null in beside.nulls} == {"shuffled targets", "untrained copies", "nearest trained example"}
    assert evidence.settings["outside 1-coverage"] == num_outside
    within = num_synonyms + of_kind(OF_EVERY_KIND, "inside")[1]
    assert any(f"{within} of {within + num_outside} novel combinations follow" in told for told in evidence.warnings)
    reverse = measured(Rule(lambda i, j: synonyms[i, j], OF_EVERY_KIND), task=OF_EVERY_KIND)
    assert reverse.measure("novel_score").value == 1.0


def test_fewer_than_thirty_outside_are_not_enough_data():
    assert of_kind(FEW, "outside")[1] == 20
    evidence = measured(Rule(task=FEW), task=FEW)
    novel = evidence.measure("novel_score")
    assert (novel.value, novel.interval, novel.units) == (None, None, 20)
    assert novel.note == "not enough data: 20 novel combinations outside 1-coverage, and a score needs 30"
    assert "generalisation gap" not in {measure.name for measure in evidence.measures}
    judged = judge([evidence]).novel
    assert (judged.answer, judged.basis) == ("not resolved", "nothing")
    assert "20 novel combinations outside 1-coverage" in judged.because


def test_where_kinds_are_not_known_all_novel_combinations_count_and_it_says_so():
    task = load_task("hyperteacher:held_out=0.5")

    class Zero(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.LazyLinear(1)

        def forward(self, x):
            return self.out(x).expand(-1, task.examples("seen", 1, generator=Generator()).targets.shape[1])

    subject = Zero()
    subject(**task.examples("seen", 2, generator=Generator()).inputs)
    evidence = measured(subject, task=task)
    assert evidence.measure("novel_score").units == len(task.combinations("novel")) >= 30
    assert evidence.settings["novel score"] == "novel combinations, of a kind not known"
    assert any("is not known" in told for told in evidence.warnings)


def test_the_value_that_fails_is_named():
    failing = int(TASK.combinations("novel")[:, 0].bincount().argmax())
    warnings = " ".join(measured(Rule(lambda i, j: i == failing)).warnings)
    assert f"i={failing} (" in warnings
    assert warnings.count("other values") == 1


def test_no_value_is_named_when_all_fail_alike():
    assert not any("fail more often" in warning for warning in measured(Rule(never_trained)).warnings)


def test_the_memoriser_null_agrees_with_a_look_up_by_hand(generator):
    null = next(n for n in measured(Rule()).measure("novel_score").nulls if n.name == "nearest trained example")
    pool = TASK.examples("seen", 10**6, generator=generator)
    novel = TASK.examples("novel", 10**6, generator=generator)
    hits = []
    for row in range(len(novel)):
        shared = sum((pool.parts[name] == novel.parts[name][row]).long() for name in ("i", "j", "x", "z"))
        nearest = pool.targets[shared == shared.max()]
        hits.append(float((nearest == novel.targets[row]).float().mean()))
    assert null.mean == pytest.approx(sum(hits) / len(hits), abs=0.03)


def test_coverage_is_reported():
    table = next(t for t in measured(Rule()).figures if t.name == "Coverage of the training set")
    counted = {(row[0], row[1]): row[2] for row in table.rows}
    assert counted["i", "0"] == int((TASK.combinations("seen")[:, 0] == 0).sum())


def test_disconnected_training_is_warned_about():
    diagonal = Modular(p=5, num_first=6, num_second=6, synonyms=True, coverage=6 / 36)
    model = nn.Sequential(nn.Embedding(17, 8), nn.Flatten(), nn.Linear(24, 5))

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = model

        def forward(self, tokens):
            return self.layers(tokens)

    evidence = run(Systematicity(), Subject(Named()), diagonal, effort="quick", seed=0)
    assert any("6 groups" in warning for warning in evidence.warnings)


def test_unfamiliar_pairs_have_a_measure_each():
    numbers = [m.about["unfamiliar pairs"] for m in measured(Rule()).measures if m.name == "novel score by unfamiliar pairs"]
    assert numbers == ["1"]


class InSteps(Wrapped):
    """Two steps: the first is as in the task, the second asks for the symbol itself, of every second example."""

    @property
    def objective(self) -> Steps:
        return Steps(11, whole=self.whole)

    def __init__(self, inner: Task, *, whole: bool):
        super().__init__(inner)
        self.whole = whole

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        found = super().examples(split, n, generator=generator)
        second = found.parts["x"].where(torch.arange(len(found)) % 2 == 0, NOT_ASKED)
        return replace(found, targets=torch.stack([found.targets, second], 1))


class TwoSteps(nn.Module):
    """Knows the first step, and answers the second with class 0."""

    def __init__(self):
        super().__init__()
        self.rule = Rule()

    def forward(self, tokens: Tensor) -> Tensor:
        first = self.rule(tokens)
        return torch.stack([first, torch.eye(11)[0].expand_as(first)], 1)


def test_answers_with_steps_are_scored_by_exact_match_and_by_the_mean_over_steps():
    by_step, whole = (measured(TwoSteps(), task=InSteps(TASK, whole=whole)) for whole in (False, True))
    for split in ("seen", "novel"):
        mean, exact = by_step.measure(f"{split}_score"), by_step.measure(f"{split}_exact_match")
        # Half of the second steps are asked, and one in eleven of these is of class 0.
        assert exact.value == pytest.approx(0.5 + 0.5 / 11, abs=0.05)
        assert mean.value == pytest.approx((1 + exact.value) / 2, abs=1e-6)
        assert [null.name for null in exact.nulls] == ["untrained copies"]
        assert whole.measure(f"{split}_score").value == exact.value
        assert whole.measure(f"{split}_score_by_step").value == mean.value
    assert not {"seen_score_by_step", "seen_exact_match"} & {measure.key for measure in measured(Rule()).measures}


@pytest.mark.parametrize(("right", "p"), [(0, 1.0), (1, 0.5), (3, 2**-3)])
def test_a_few_lucky_answers_do_not_beat_a_memoriser_that_is_always_wrong(right, p):
    """Sharing one summand gives another sum: by rank alone one right answer would have the smallest p that there is."""
    task = load_task("modular-addition:p=13,coverage=0.7")
    novel, pool = (task.examples(split, 400, generator=Generator().manual_seed(0)) for split in ("novel", "seen"))
    own = torch.zeros(len(novel.combination.unique()))
    own[:right] = 1.0
    control = nearest(own, novel, pool, task, repeats=99, generator=Generator().manual_seed(0))
    assert control.values.max() == 0
    assert control.p == pytest.approx(p)


def test_all_pairs_of_wide_answers_are_scored_as_each_pair_is():
    drawn = Generator().manual_seed(0)
    targets = 5 + torch.randn(6, WIDE, generator=drawn)
    outputs = torch.cat([targets[:4], targets + 0.5 * torch.randn(6, WIDE, generator=drawn)])
    objective = Regression(WIDE, variance=1.5 * WIDE)
    found = all_pairs(objective, outputs, targets)
    wanted = [[float(objective.score(one[None], other[None])) for other in targets] for one in outputs]
    assert torch.allclose(found, torch.tensor(wanted), atol=1e-5)
    assert bool((found == 0).any()), "floored"
    assert float(found.max()) == pytest.approx(1, abs=1e-5)
    assert all_pairs(Regression(2, variance=1.0), outputs[:, :2], targets[:, :2]) is None
    assert all_pairs(Classification(WIDE), outputs, torch.zeros(6, dtype=torch.int64)) is None
    assert all_pairs(objective, outputs[:0], targets).shape == (0, 6)
    whole = targets.round().long()
    assert torch.allclose(all_pairs(objective, outputs, whole), all_pairs(objective, outputs, whole.float()))

    class Other(Regression):
        """With a score of its own, which no distance gives."""

    assert all_pairs(Other(WIDE, variance=1.0), outputs, targets) is None
