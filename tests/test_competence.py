"""Whether a network does its task, told before anything is searched, and whether it only reads its classes in another order."""

import pytest
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from assay.audit import audit
from assay.competence import LEARNED, other_order, unlearned
from assay.objective import NOT_ASKED, PAD, Classification, Objective, RealSteps, Regression, Sequences, Steps
from assay.subject import Subject
from assay.task import Examples
from assay.tasks.modular import Modular
from assay.tasks.table import Table
from plain_instrument import Plain

NAMES = ("blue", "green", "red", "white", "yellow")
ORDER = [2, 0, 4, 3, 1]  # the class that each output of a network in another order stands for


def examples_of(targets: Tensor, *, combinations: int = 40) -> Examples:
    number = torch.arange(len(targets)) % combinations
    return Examples({"x": torch.zeros(len(targets), 1)}, targets, {}, number)


def classes(n: int = 200, num: int = 5) -> Int[Tensor, " n"]:
    return torch.randint(num, (n,), generator=Generator().manual_seed(0))


def in_another_order(outputs: Tensor) -> Tensor:
    """What a network gives whose output k stands for the class ORDER[k]."""
    return outputs[..., ORDER]


def told(outputs: Tensor, targets: Tensor, objective: Objective, *, combinations: int = 40) -> str:
    return other_order(outputs, examples_of(targets, combinations=combinations), objective)


def test_the_order_of_a_network_that_has_another_is_found_and_named_as_it_is_declared():
    objective, targets = Classification(names=NAMES), classes()
    outputs = in_another_order(objective.ideal(targets))
    outputs[:6] = outputs[:6].roll(1, 1)  # some answers are wrong
    words = told(outputs, targets, objective)
    assert "they would stand for red, blue, yellow, white, green. If" in words
    assert "`values = [...]` under [target]" in words
    declared = Classification(names=[NAMES[k] for k in ORDER])
    as_declared = torch.tensor([ORDER.index(k) for k in range(5)])[targets]
    assert float(declared.score(outputs, as_declared).mean()) > 0.95
    assert told(outputs, as_declared, declared) == ""


def test_steps_and_words_have_an_order_too():
    targets = classes(400).view(100, 4)
    asked = targets.clone()
    asked[::2, 3] = NOT_ASKED
    objective = Steps(5)
    assert "stand for 2, 0, 4, 3, 1" in told(in_another_order(objective.ideal(targets)), asked, objective)
    padded = targets.clone()
    padded[::2, 3] = PAD
    assert "stand for 2, 0, 4, 3, 1" in told(in_another_order(Sequences(5).ideal(targets)), padded, Sequences(5))


@pytest.mark.parametrize(
    ("outputs", "targets", "objective"),
    [
        (Classification(5).ideal(classes()), classes(), Classification(5)),  # in order
        (torch.randn(200, 5, generator=Generator().manual_seed(1)), classes(), Classification(5)),  # knows nothing
        (torch.zeros(200, 1), torch.ones(200, 1), Regression(1, 1.0)),  # has no classes
        (torch.zeros(0, 5), classes(0), Classification(5)),
        (in_another_order(Classification(5).ideal(classes(1))), classes(1), Classification(5)),
    ],
)
def test_nothing_is_said_where_no_other_order_is_better(outputs, targets, objective):
    assert told(outputs, targets, objective) == ""


def test_an_order_that_fits_because_every_class_has_one_example_says_nothing():
    """Any answers that differ are right in some order of the classes."""
    targets = torch.arange(60)
    outputs = Classification(60).ideal(targets.roll(7))
    assert told(outputs, targets, Classification(60), combinations=60) == ""


def test_many_classes_are_not_listed_one_by_one():
    targets = classes(4_000, 200)
    words = told(Classification(200).ideal((targets + 1) % 200), targets, Classification(200))
    assert "output 0 for 199" in words
    assert "and 180 more" in words


@pytest.mark.parametrize(("share", "gated"), [(0.0, True), (0.8, True), (0.94, False), (1.0, False)])
def test_only_a_score_that_surely_lies_below_the_gate_is_unlearned(share, gated):
    """With 40 combinations, .94 may be above .95."""
    right = (torch.arange(40) < share * 40).long()
    objective, targets = Classification(2), torch.zeros(40, dtype=torch.int64)
    reason = unlearned(objective.ideal(1 - right), examples_of(targets), objective)
    assert bool(reason) == gated
    assert f"below {LEARNED}" in reason or not gated


@pytest.mark.parametrize("n", [0, 1, 4])
def test_too_few_combinations_are_not_called_unlearned(n):
    objective, targets = Classification(2), torch.zeros(n, dtype=torch.int64)
    assert unlearned(objective.ideal(1 - targets), examples_of(targets), objective) == ""


# In an audit

TASK = Modular(p=5, num_first=6, num_second=6, synonyms=True, coverage=0.6)


class Rule(nn.Module):
    """The rule of the task; its output k stands for the class `order[k]`."""

    def __init__(self, order: list[int]):
        super().__init__()
        self.order = order
        self.unused = nn.Linear(1, 1)

    def forward(self, tokens: Tensor) -> Float[Tensor, "n 5"]:
        i, j, x = tokens[:, 0], tokens[:, 1] - 6, tokens[:, 2] - 12
        return nn.functional.one_hot(TASK._rule({"i": i, "j": j, "x": x}), 5).float()[:, self.order]


class Quick(Plain):
    """One that says whether it searches for long."""

    def __init__(self, name: str, *, searches: bool):
        super().__init__(name)
        self.searches = searches


@pytest.mark.parametrize("order", [list(range(5)), ORDER])
def test_nothing_is_searched_in_a_network_that_does_not_do_its_task(order):
    steps = []
    result = audit(
        Subject(Rule(order)),
        TASK,
        effort="quick",
        instruments=[Quick("searching", searches=True), Quick("reading", searches=False)],
        progress=lambda doing, done: steps.append(doing),
    )
    if order == ORDER:
        assert [item.instrument for item in result.evidence] == ["reading"]
        (skipped,) = result.skipped
        assert skipped.instrument == "searching"
        assert "has not learned its task: the score on trained combinations is 0" in skipped.reason
        assert result.verdict.headline == "unlearned"
        assert "they would stand for 2, 0, 4, 3, 1" in result.verdict.sentence
        told = next(k for k, step in enumerate(steps) if step.startswith("unlearned: the score on trained combinations is 0"))
        assert all(step.startswith("checking") for step in steps[:told])
    else:
        assert [item.instrument for item in result.evidence] == ["searching", "reading"]
        assert result.skipped == ()
        assert "unlearned" not in result.verdict.sentence.lower()


def test_steps_of_real_numbers():
    objective = RealSteps(2, variance=4.0)
    targets = torch.zeros(3, 2, 2)
    outputs = torch.tensor([[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [2.0, 0.0]], [[9.0, 0.0], [1.0, 1.0]]])
    assert objective.steps(outputs, targets).tolist() == [[1, 1], [1, 0], [0, 0.5]]
    assert objective.score(outputs, targets).tolist() == [1, 0.5, 0.25]
    assert RealSteps(2, variance=4.0, whole=True).score(outputs, targets).tolist() == [1, 0, 0]
    assert objective.score(objective.ideal(targets), targets).tolist() == [1, 1, 1]
    assert objective.loss(outputs, targets) == (outputs**2).mean()


def test_the_order_of_classes_without_examples_is_not_claimed():
    targets = torch.tensor([0, 1, 2, 3]).repeat(20)
    examples = Examples(inputs={}, targets=targets, parts={}, combination=torch.arange(80) // 4)
    outputs = torch.nn.functional.one_hot(torch.tensor([7, 6, 5, 4])[targets], 8).float()
    hint = other_order(outputs, examples, Classification(8))
    assert hint.count("a class without examples") == 4
    assert "3, 2, 1, 0. If" in hint


@pytest.mark.parametrize("alone", [False, True])
def test_an_order_of_three_hundred_classes_with_few_examples_each(alone):
    """Rare ones too: of a class that has two examples one shows the order. With `alone` every class is one combination."""
    num = 300
    targets = torch.cat([torch.arange(num).repeat(3), torch.arange(30).repeat(10)])
    combination = targets if alone else torch.arange(len(targets))
    examples = Examples({}, targets, {}, combination)
    noise = torch.rand(len(targets), num, generator=Generator().manual_seed(0)) / 10
    hint = other_order(Classification(num).ideal((targets + 1) % num) + noise, examples, Classification(num))
    assert "would score 1.00 instead of 0" in hint
    assert "output 0 for 299" in hint
    assert other_order(Classification(num).ideal(targets) + noise, examples, Classification(num)) == ""
    shuffled = targets[torch.randperm(len(targets), generator=Generator().manual_seed(1))]
    assert other_order(Classification(num).ideal(shuffled) + noise, examples, Classification(num)) == ""


def test_a_large_vocabulary_of_which_few_words_occur():
    targets = classes(400).view(100, 4) + 1
    outputs = Sequences(20_000).ideal(targets % 5 + 1)
    assert "output 1 for 5" in told(outputs, targets, Sequences(20_000))


class Renumbered(nn.Module):
    """The sum of two numbers, each sum as the output behind its own."""

    def __init__(self, num: int):
        super().__init__()
        self.num, self.unused = num, nn.Linear(1, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        return nn.functional.one_hot((tokens.sum(1) + 1) % self.num, self.num).float()


def test_an_audit_draws_enough_examples_for_many_classes():
    """Of 256 examples that show that it is unlearned, most classes have one or none."""
    pairs = torch.cartesian_prod(torch.arange(150), torch.arange(150))
    pairs = pairs[torch.randperm(len(pairs), generator=Generator().manual_seed(0))[:6_000]]
    task = Table(inputs=pairs, targets=pairs.sum(1), parts={"i": pairs[:, 0], "j": pairs[:, 1]})
    num = task.objective.width()
    hint = audit(Subject(Renumbered(num)), task, instruments=[], progress=None).verdict.sentence
    assert "With its outputs in another order of the classes it would score 1.00 instead of 0" in hint
