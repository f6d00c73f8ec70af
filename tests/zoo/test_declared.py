"""Wrong declarations hang together: they are the task in other words, and the words of no network."""

import itertools

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.task import Task
from assay.tasks import load_task
from assay.tasks.slots import SlotTask
from assay.zoo.declared import WronglyDeclared, declared

TASKS = {
    "modular:p=5,num_first=4,num_second=3,coverage=0.6": "i",
    "commands:phrases=1,steps=3,coverage=0.6": "manner1",
    "digits:base=3,coverage=0.6": "b2",
    "binding:num_objects=2,num_colours=3,coverage=0.6": "colour2",
}
CASES = [(address, f"{how}:{part}") for address, part in TASKS.items() for how in ("entangled", "dealt")]


def pair(address: str, how: str) -> tuple[SlotTask, WronglyDeclared]:
    task = load_task(address)
    assert isinstance(task, SlotTask)
    return task, declared(task, how)


def everything(task: Task, split: str = "seen"):
    assert split in ("seen", "novel")
    return task.examples(split, 10**5, generator=Generator().manual_seed(0)).in_canonical_order()


@pytest.mark.parametrize(("address", "how"), CASES)
def test_exchanges_are_looked_up_among_all_examples(address: str, how: str):
    """By a second route: the answer to an exchange is that of the example which has the declared values that result."""
    _, wrong = pair(address, how)
    slots = [part.name for part in wrong.parts if not part.of]
    answers: dict[tuple[int, ...], tuple[int, int]] = {}
    for split in ("seen", "novel"):
        table = everything(wrong, split)
        keys = torch.stack([table.parts[name] for name in slots], 1).tolist()
        rows = zip(keys, table.targets.tolist(), table.combination.tolist(), strict=True)
        answers |= {tuple(key): (target, combination) for key, target, combination in rows}
    table = everything(wrong)
    rows = torch.randint(len(table), (2, 200), generator=Generator().manual_seed(1))
    base, source = table.take(rows[0]), table.take(rows[1])
    for name in slots:
        swapped = wrong.swap(base, source, name)
        told = {other: (source if other == name else base).parts[other] for other in slots}
        expected = [answers[tuple(key)] for key in torch.stack([told[other] for other in slots], 1).tolist()]
        assert list(zip(swapped.targets.tolist(), swapped.combination.tolist(), strict=True)) == expected
        assert all(torch.equal(swapped.parts[other], told[other]) for other in slots)


@pytest.mark.parametrize(("address", "how"), CASES)
def test_nothing_but_the_words_changes(address: str, how: str):
    task, wrong = pair(address, how)
    for split in ("seen", "novel"):
        own = task.examples(split, 50, generator=Generator().manual_seed(2))
        told = wrong.examples(split, 50, generator=Generator().manual_seed(2))
        assert torch.equal(own.targets, told.targets)
        assert all(torch.equal(own.inputs[name], told.inputs[name]) for name in own.inputs)
        assert not torch.equal(own.parts[wrong.part_replaced], told.parts[wrong.part_replaced])
        listed = wrong.combinations(split)
        ids = wrong.combination_id(dict(zip(wrong.combines, listed.unbind(1), strict=True)))
        assert len(ids.unique()) == len(task.combinations(split))
        assert torch.isin(told.combination, ids).all()


@pytest.mark.parametrize(("address", "how"), CASES)
def test_an_exchange_with_itself_changes_nothing(address: str, how: str):
    _, wrong = pair(address, how)
    table = everything(wrong)
    for part in wrong.parts:
        swapped = wrong.swap(table, table, part.name)
        assert torch.equal(swapped.targets, table.targets)
        assert torch.equal(swapped.combination, table.combination)


def test_entangled_is_the_sum_of_two_parts():
    task, wrong = pair("modular:p=5,num_first=4,num_second=3,coverage=0.6", "entangled:i")
    own, told = everything(task), everything(wrong)
    sums = {tuple(row) for row in torch.stack([own.parts["i"] + own.parts["j"], own.parts["j"]], 1).remainder(4).tolist()}
    assert {tuple(row) for row in torch.stack([told.parts["i"], told.parts["j"]], 1).tolist()} == sums


def test_derived_parts_that_would_tell_the_truth_are_left_out():
    task, wrong = pair("modular:p=5,num_first=4,num_second=3,stages=3,coverage=0.6", "entangled:i")
    assert {"z", "w"} <= {part.name for part in task.parts}
    assert [part.name for part in wrong.parts] == ["i", "j", "k", "x"]


def test_dealt_names_are_a_permutation_of_their_own_for_every_other_value():
    _, wrong = pair("digits:base=3,coverage=0.6", "dealt:a1")
    assert torch.equal(wrong.names.sort(1).values, torch.arange(3).expand(27, 3))
    assert len(wrong.names.unique(dim=0)) == len(list(itertools.permutations(range(3))))


def test_no_exchange_of_no_examples():
    _, wrong = pair("digits:base=3,coverage=0.6", "dealt:a1")
    none = wrong.examples("seen", 0, generator=Generator().manual_seed(0))
    assert len(wrong.swap(none, none, "a1").targets) == 0


@pytest.mark.parametrize("how", ["entangled", "stirred:i", "dealt:x", "dealt:z"])
def test_what_is_no_wrong_declaration_is_refused(how: str):
    with pytest.raises(AssayError):
        pair("modular:p=5,num_first=4,num_second=3,coverage=0.6", how)
