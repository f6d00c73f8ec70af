"""Planted networks: one that computes the rule, one that looks answers up, one that fails on a single value."""

import pytest
import torch
from torch import Generator, Tensor, nn

from assay.evidence import Evidence
from assay.instruments.systematicity import Systematicity
from assay.subject import Subject
from assay.tasks.modular import Modular

TASK = Modular(p=7, num_first=8, num_second=8, synonyms=True, coverage=0.6)
TRAINED = torch.zeros(8, 8, dtype=torch.bool).index_put(tuple(TASK.combinations("seen").T), torch.tensor(True))


class Rule(nn.Module):
    """The exact rule, except on what `fails` says, where it answers at random but always the same."""

    def __init__(self, fails=lambda i, j: torch.zeros_like(i, dtype=torch.bool)):
        super().__init__()
        self.fails = fails
        self.unused = nn.Linear(1, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        i, j, x = tokens[:, 0], tokens[:, 1] - 8, tokens[:, 2] - 16
        right = TASK._rule({"i": i, "j": j, "x": x})
        wrong = (i * 5 + j * 3 + x * x) % 7
        return nn.functional.one_hot(torch.where(self.fails(i, j), wrong, right), 7).float()


def never_trained(i: Tensor, j: Tensor) -> Tensor:
    return ~TRAINED[i, j]


def measured(module: nn.Module, effort: str = "quick") -> Evidence:
    return Systematicity().measure(Subject(module), TASK, effort=effort, generator=Generator().manual_seed(0))


def test_a_network_with_the_rule_works_on_novel_combinations():
    evidence = measured(Rule())
    assert evidence.measure("novel score").value == 1.0
    assert evidence.measure("novel score").interval.low > 0.8


def test_what_an_untrained_copy_can_do_as_well_is_no_finding():
    """The rule is in this module's code, not in its weights: a copy with fresh weights has it too."""
    assert measured(Rule()).findings() == ()


def test_what_only_the_trained_network_can_do_is_a_finding():
    wrong = Rule(lambda i, j: torch.ones_like(i, dtype=torch.bool))
    subject = Subject(Rule(), fresh=lambda generator: wrong)
    evidence = Systematicity().measure(subject, TASK, effort="quick", generator=Generator().manual_seed(0))
    assert {m.name for m in evidence.findings()} == {"seen score", "novel score"}


def test_a_look_up_table_scores_one_on_seen_and_chance_on_novel():
    evidence = measured(Rule(never_trained))
    assert evidence.measure("seen score").value == 1.0
    assert evidence.measure("novel score").value == pytest.approx(1 / 7, abs=0.08)
    gap = evidence.measure("generalisation gap")
    assert gap.interval.low > 0.6
    assert gap.nulls[0].p < 0.05


def test_scores_count_every_combination_once():
    evidence = measured(Rule(lambda i, j: i == 3))
    rows = TASK.combinations("novel")
    expected = float(((rows[:, 0] != 3).float()).mean())
    wrong_right = evidence.measure("novel score").value - expected  # wrong answers are right now and then
    assert 0 <= wrong_right < 0.1
    assert len(evidence.measure("novel score").repeats) == len(rows)


def test_the_value_that_fails_is_named():
    failing = int(TASK.combinations("novel")[:, 0].bincount().argmax())
    warnings = " ".join(measured(Rule(lambda i, j: i == failing)).warnings)
    assert f"i={failing} (" in warnings
    assert warnings.count("other values") == 1


def test_no_value_is_named_when_all_fail_alike():
    assert not any("fail more often" in warning for warning in measured(Rule(never_trained)).warnings)


def test_the_memoriser_null_agrees_with_a_look_up_by_hand(generator):
    null = next(n for n in measured(Rule()).measure("novel score").nulls if n.name == "nearest trained example")
    pool = TASK.examples("seen", 10**6, generator=generator)
    novel = TASK.examples("novel", 10**6, generator=generator)
    hits = []
    for row in range(len(novel)):
        shared = sum((pool.parts[name] == novel.parts[name][row]).long() for name in ("i", "j", "x", "z"))
        nearest = pool.targets[shared == shared.max()]
        hits.append(float((nearest == novel.targets[row]).float().mean()))
    assert null.mean == pytest.approx(sum(hits) / len(hits), abs=0.03)


def test_coverage_is_reported():
    table = next(t for t in measured(Rule()).tables if t.name == "Coverage of the training set")
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

    evidence = Systematicity().measure(Subject(Named()), diagonal, effort="quick", generator=Generator().manual_seed(0))
    assert any("6 groups" in warning for warning in evidence.warnings)


def test_unfamiliar_pairs_have_a_measure_each():
    numbers = [m.about["unfamiliar pairs"] for m in measured(Rule()).measures if m.name == "novel score by unfamiliar pairs"]
    assert numbers == ["1"]
