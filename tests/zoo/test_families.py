"""The families of the zoo: what they declare, how new their novel combinations are, and that their inputs are entangled."""

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.stats import keyed_generator
from assay.task import SwapsParts
from assay.tasks.teacher import draw_inputs
from zoo.checks import novel_of
from zoo.families import FAMILIES, SEALED, task_of
from zoo.rules import RULES, teacher_of

ENTANGLED = sorted(name for name, family in FAMILIES.items() if not family.side_by_side)
OF_TWO = sorted(name for name, rule in RULES.items() if len(rule.sizes) == 2 and name != "mostly")


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture(params=sorted(FAMILIES))
def task(request: pytest.FixtureRequest):
    return task_of(request.param)


def test_splits_share_no_combination_and_training_shows_every_value(task):
    seen, novel = task.combinations("seen"), task.combinations("novel")
    assert not set(map(tuple, seen.tolist())) & set(map(tuple, novel.tolist()))
    assert len(seen) + len(novel) == len(task.values)
    assert [len(column.unique()) for column in seen.T] == list(task.sizes)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_examples_show_the_parts_and_carry_the_answer_of_the_rule(task, n):
    for split in ("train", "seen", "novel"):
        examples = task.examples(split, n, generator=seeded())
        assert len(examples) == n
        assert torch.equal(examples.targets, task.answers[examples.combination])
        assert torch.equal(task.combination_id(examples.parts), examples.combination)
        assert (
            bool(task.trained[examples.combination].all()) if split != "novel" else not task.trained[examples.combination].any()
        )


def test_nuisance_is_drawn_anew_and_belongs_to_the_generator(task):
    values = task.values[:1].expand(4, -1)
    shown = task.shown(values, generator=seeded(1))
    assert torch.equal(shown, task.shown(values, generator=seeded(1)))
    assert len(shown.flatten(1).unique(dim=0)) == 4
    assert torch.isfinite(shown).all()


def test_all_combinations_come_before_one_comes_again(task):
    number = len(task.combinations("novel"))
    examples = task.examples("novel", number + 3, generator=seeded())
    assert len(examples.combination[:number].unique()) == number


def test_a_lower_coverage_is_part_of_a_higher_one(task):
    low = task_of(task.family, rule=task.rule, coverage=0.3)
    assert not (low.trained & ~task.trained).any()
    assert torch.equal(low.shown(low.values[:3], generator=seeded()), task.shown(task.values[:3], generator=seeded()))


def test_a_swap_answers_the_combination_that_results(task):
    assert isinstance(task, SwapsParts)
    base, source = (task.examples("seen", 6, generator=seeded(k)) for k in (0, 1))
    part = task.combines[-1]
    swapped = task.swap(base, source, part)
    values = torch.stack([(source if name == part else base).parts[name] for name in task.combines], 1)
    assert torch.equal(swapped.targets, task.answers[task.ids(values)])


def _probed(task, part: str) -> float:
    """How often a linear reader, fitted to inputs by least squares, names a part on other inputs of trained combinations."""
    fitted, held = (task.examples("train", n, generator=seeded(k)) for k, n in ((1, 3000), (2, 1000)))

    def columns(examples):
        return torch.cat([examples.inputs["x"].flatten(1), torch.ones(len(examples), 1)], 1).double()

    size = len(task.part(part).values)
    design = columns(fitted)
    gram = design.T @ design + 1e-2 * torch.eye(design.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, design.T @ torch.nn.functional.one_hot(fitted.parts[part], size).double())
    return float(((columns(held) @ weights).argmax(1) == held.parts[part]).float().mean())


@pytest.mark.parametrize("name", ENTANGLED)
def test_no_linear_reader_names_every_part_of_an_entangled_input(name):
    """The regression of names on the input is at chance for a part, so that sums of effects cannot hold the answer."""
    task = task_of(name)
    share = min(_probed(task, part) - 1 / len(task.part(part).values) for part in task.combines)
    assert share <= 0.1


def test_a_linear_reader_names_both_parts_where_they_stand_side_by_side():
    task = task_of("phrases")
    assert all(_probed(task, part) >= 0.95 for part in task.combines)


@pytest.mark.parametrize("rule", OF_TWO)
@pytest.mark.parametrize("coverage", [0.7, 0.4])
def test_novel_pairs_lie_outside_1_coverage_and_no_sum_of_effects_completes_them(rule, coverage):
    novel = novel_of(task_of("sounds", rule=rule, coverage=coverage))
    assert novel.synonyms == 0
    assert novel.outside.all()
    assert len(novel.outside) >= 30
    assert novel.main_effects <= 0.1
    assert novel.nearest <= 0.1


@pytest.mark.parametrize(("rule", "coverages"), [("chain", (0.75, 0.2)), ("chain-pairs", (0.8, 0.4)), ("decoy", (0.8, 0.4))])
def test_novel_triples_lie_outside_1_coverage_and_no_sum_of_effects_completes_them(rule, coverages):
    for coverage in coverages:
        novel = novel_of(task_of("scenes", rule=rule, coverage=coverage))
        assert novel.outside.all()
        assert len(novel.outside) >= 30
        assert novel.main_effects <= 0.1
        assert novel.nearest <= 0.1


@pytest.mark.parametrize("coverage", [0.8, 0.7])
def test_of_two_answers_most_follow_from_the_first_part_and_novel_pairs_are_new(coverage):
    task = task_of("sounds", rule="mostly", coverage=coverage)
    novel = novel_of(task)
    assert int(novel.outside.sum()) >= 30
    assert novel.outside.float().mean() >= 0.9
    assert set(task.answers.tolist()) == {0, 1}
    turned = task.answers.view(31, 31).float().mean(1).sub(0.5).abs() + 0.5
    assert torch.allclose(turned, torch.full((31,), 25 / 31))


def _answered(teacher, x, i: int, j: int, amounts=(1.0, 1.0)):
    """What the paper's formula says of a mixture of two modules, of 46, without biases."""
    weights = (amounts[0] * teacher.weights[i] + amounts[1] * teacher.weights[23 + j]) / 2**0.5
    return torch.relu(x @ weights.T) @ teacher.readout.T


def test_a_teacher_answers_what_its_mixture_of_two_modules_says():
    task = task_of("hyperteachers", rule="teacher", seed=3)
    generator = keyed_generator(3, "rule teacher")
    teacher, x = teacher_of(46, generator), draw_inputs(3, generator=generator)
    outputs = torch.stack([_answered(teacher, x, i, j) for i, j in task.values.tolist()])
    assert torch.equal(task.answers, (outputs - outputs.mean(0)).argmax(-1))


def test_a_hyperteacher_answers_the_questions_that_it_shows():
    """With each module at half to full strength."""
    task = task_of("hyperteachers", seed=3)
    amounts = torch.cartesian_prod(*2 * [torch.arange(5, 11) / 10]).tolist()
    for shown, (i, j) in zip(task.shown(task.values[:5], generator=seeded()), task.values[:5].tolist(), strict=True):
        x, y = shown.split([16, 16], -1)
        assert x.abs().max() <= 1
        assert min(float((_answered(task._teacher, x, i, j, pair) - y).abs().max()) for pair in amounts) <= 1e-4


def test_held_pairs_are_novel_whatever_comes_with_them():
    task = task_of("scenes", rule="chain-pairs", coverage=0.8)
    pairs = [{tuple(row) for row in task.combinations(split)[:, :2].tolist()} for split in ("seen", "novel")]
    assert not pairs[0] & pairs[1]


def test_order_matters_in_the_dihedral_rule():
    answers = task_of("sounds", rule="dihedral").answers.view(26, 26)
    assert not torch.equal(answers, answers.T)
    assert all(len(row.unique()) == 26 for row in (*answers, *answers.T))


def test_passive_sentences_say_the_same_in_the_other_order():
    task = task_of("sentences", passive=True)
    shown = task.shown(torch.tensor([[1, 2]]).expand(50, -1), generator=seeded())
    assert len(shown[:, 0].unique(dim=0)) == 2


def test_the_sealed_family_is_one_of_them():
    assert set(SEALED) < set(FAMILIES)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("smells", {}),
        ("sounds", {"rule": "product"}),
        ("sounds", {"coverage": 1.0}),
        ("sounds", {"coverage": 0.0}),
        ("sounds", {"loud": 1}),
        ("pictures", {"size": 20}),
        ("scenes", {"size": 20}),
        ("sounds", {"rule": "chain"}),
    ],
)
def test_what_a_family_cannot_be_is_refused(family, options):
    with pytest.raises(AssayError):
        task_of(family, **options)
