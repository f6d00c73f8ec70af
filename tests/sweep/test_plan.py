"""What a plan makes of each cell, and which plans go on with which."""

import pytest

from assay.errors import AssayError
from assay.sweep import SweepPlan
from assay.sweep.grid import Cell
from assay.tasks import load_task


def plan(**changes) -> SweepPlan:
    fields = {"task": "modular:p=5", "over": {"coverage": ("0.4", "0.8"), "width": ("8", "16")}, "seeds": 2}
    return SweepPlan(**{**fields, **changes})


def test_every_setting_goes_where_it_belongs():
    asked = plan(settings={"steps": "50", "learning_rate": "0.01", "num_first": "4", "init_scale": "0.5", "model": "mlp"})
    recipe = asked.recipe(Cell(("0.4", "16"), 1))
    task = load_task(recipe.task)
    assert (task.p, task.num_first, task.coverage, task.seed) == (5, 4, 0.4, 1)
    assert recipe.model == "mlp"
    assert recipe.sizes == {"width": 16, "init_scale": 0.5}
    assert recipe.training == {"steps": 50, "learning_rate": 0.01, "seed": 1}


def test_a_prepared_cell_is_what_training_alone_would_prepare():
    from assay.training import prepare

    prepared = plan().recipe(Cell(("0.8", "8"), 1)).prepare()
    alone = prepare("modular:p=5,coverage=0.8,seed=1", "mlp", options={"width": 8}, config={"seed": 1})
    assert prepared.record.identity() == alone.record.identity()
    for one, other in zip(prepared.model.parameters(), alone.model.parameters(), strict=True):
        assert one.equal(other)


def test_the_task_is_drawn_again_by_every_seed_unless_its_address_says_which():
    drawn = [plan().recipe(Cell(("0.4", "8"), seed)).task for seed in (0, 1)]
    fixed = [plan(task="modular:p=5,seed=7").recipe(Cell(("0.4", "8"), seed)).task for seed in (0, 1)]
    assert drawn[0] != drawn[1]
    assert fixed[0] == fixed[1]
    assert load_task(fixed[0]).seed == 7


def test_a_value_may_set_several_things():
    asked = plan(task="hyperteacher", over={"supports": ("random+num_train=28", "two_halves+num_train=28")})
    task = load_task(asked.recipe(Cell(("two_halves+num_train=28",), 0)).task)
    assert (task.supports, task.num_train) == ("two_halves", 28)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"over": {"widht": ("8",)}}, r"sets existing options only \(at widht=8\). Given: widht.*Did you mean width"),
        ({"settings": {"width": "9"}}, r"width may be an axis or a setting, not both .*width=8\). Given: 9 and 8"),
        ({"over": {"seed": ("1", "2")}}, r"a sweep has no seed setting: use --seeds \(at seed=1\). Given: seed=1"),
        ({"over": {"width": ("wide",)}}, r"width must be a number \(at width=wide\). Given: wide"),
        ({"over": {"coverage": ("7",)}}, "coverage"),
        ({"over": {"width": ("0",)}}, r"width must be a whole number from 1 to 2,147,483,648 \(at width=0\). Given: 0"),
        ({"over": {"model": ("mlp", "mpl")}}, r"no such reference model \(at model=mpl\). Given: mpl.*Did you mean mlp"),
        ({"refine": -1}, "refine, a number of networks, must be a whole number from 0 to 100,000. Given: -1"),
        ({"instruments": ("systematics",)}, "Did you mean systematicity"),
        ({"task": "moduler"}, "no such task"),
        ({"over": {}}, "at least one axis"),
        ({"seeds": 0}, "at least one seed"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_trained(changes, message):
    with pytest.raises(AssayError, match=message):
        plan(**changes).check()


def test_a_plan_goes_on_with_itself_and_with_a_smaller_one():
    plan().continues(plan())
    plan(seeds=3, refine=4, over={"coverage": ("0.4", "0.6", "0.8"), "width": ("8", "16")}).continues(plan())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "modular:p=7"}, "task modular:p=5 there and modular:p=7 now"),
        ({"seeds": 1}, "seeds 2 there and 1 now"),
        ({"success": 0.5}, "success 0.8 there and 0.5 now"),
        ({"settings": {"steps": "9"}}, "settings {} there and {'steps': '9'} now"),
        ({"over": {"coverage": ("0.4",), "width": ("8", "16")}}, "coverage=0.8 there and not now"),
        ({"over": {"width": ("8", "16")}}, "axes coverage, width there and width now"),
    ],
)
def test_a_plan_does_not_go_on_with_another(changes, message):
    with pytest.raises(AssayError, match="a continued sweep must keep its plan") as caught:
        plan(**changes).continues(plan())
    assert message in str(caught.value)


def test_a_task_of_ones_own_varies_in_model_and_training_only():
    asked = plan(task="tasks_for_conformance:small", over={"width": ("8",)})
    assert "coverage" not in asked.choices()
    assert {"width", "steps", "model"} <= set(asked.choices())
    with pytest.raises(AssayError, match="varies and sets existing options only"):
        plan(task="tasks_for_conformance:small").recipe(Cell(("0.4", "8"), 0))
