"""What is observed leads back to no task, and every exchange agrees with a second way to its answer."""

import dataclasses
import itertools
import pickle
import pickletools

import pytest
import torch
from torch import Generator

from assay.conformance.tasks import Few, Swapping, Wrapped, small_task
from assay.observed import Observed, observe
from assay.task import Examples, Swapped, Task
from assay.tasks.hyperteacher import Hyperteacher
from assay.tasks.modular import Modular

TASK = small_task()
SIZES = {"num_examples": 400, "num_pairs": 200, "num_scrambles": 3, "num_folds": 4}
SHOWN = ("i", "j", "x")


def observed(task: Task, **changes) -> Observed:
    return observe(task, **{**SIZES, "generator": Generator().manual_seed(0), **changes})


def assay_modules(thing: object) -> set[str]:
    """The modules of Assay that unpickling the thing would import."""
    named = {argument for _, argument, _ in pickletools.genops(pickle.dumps(thing)) if isinstance(argument, str)}
    return {name for text in named for name in text.split() if name.startswith("assay")}


def answers() -> dict[tuple[int, ...], int]:
    """Of every tuple, read from examples of both splits."""
    table = {}
    for split in ("seen", "novel"):
        examples = TASK.examples(split, 10**6, generator=Generator().manual_seed(0))
        rows = torch.stack([examples.parts[name] for name in SHOWN], 1).tolist()
        table |= dict(zip(map(tuple, rows), examples.targets.tolist(), strict=True))
    return table


@pytest.mark.parametrize("task", [TASK, Wrapped(TASK)], ids=["executor", "none"])
def test_nothing_leads_back_to_the_task(task):
    assert assay_modules(observed(task)) == {"assay.observed", "assay.task", "assay.objective"}
    assert "assay.tasks.modular" in assay_modules(TASK), "the finder does not see tasks"


@pytest.mark.parametrize("task", [TASK, Wrapped(TASK)], ids=["executor", "none"])
def test_pairs_share_a_fold_and_differ_in_part_and_answer(task):
    found = observed(task)
    assert set(found.exchanges) == {"i", "j", "x", "z"}
    for name, exchange in found.exchanges.items():
        assert len(exchange) == 200
        assert torch.equal(found.fold[exchange.base], found.fold[exchange.source])
        assert bool((found.examples.targets[exchange.base] != exchange.targets).all())
        if name != "z":
            values = found.examples.parts[name]
            assert bool((values[exchange.base] != values[exchange.source]).all())


def test_a_combination_is_of_one_fold():
    found = observed(TASK)
    pairs = torch.stack([found.examples.combination, found.fold], 1).unique(dim=0)
    assert len(pairs) == len(found.examples.combination.unique())
    assert found.num_folds == 4


def test_novel_is_what_was_never_trained():
    found = observed(TASK)
    trained = {tuple(row) for row in TASK.combinations("train").tolist()}
    moved = {"i": (True, False), "j": (False, True), "x": (False, False), "z": (True, False)}
    for name, exchange in found.exchanges.items():
        i, j = (
            found.examples.parts[part][exchange.source if own else exchange.base]
            for part, own in zip(("i", "j"), moved[name], strict=True)
        )
        made = list(zip(i.tolist(), j.tolist(), strict=True))
        assert exchange.novel.tolist() == [pair not in trained for pair in made]
        assert exchange.combination.tolist() == [6 * a + b for a, b in made]
        assert bool(exchange.novel.any()) == (name != "x")


def test_what_is_looked_up_is_what_the_task_says():
    """Every exchange that a trained example answers has the answer of the executor."""
    found = observed(Wrapped(TASK))
    assert not found.declared
    for name, exchange in found.exchanges.items():
        swapped = TASK.swap(found.examples.take(exchange.base), found.examples.take(exchange.source), name)
        assert torch.equal(swapped.targets, exchange.targets)
        assert torch.equal(swapped.combination, exchange.combination)
        assert not bool(exchange.novel.any())


@pytest.mark.parametrize("task", [TASK, Wrapped(TASK)], ids=["executor", "none"])
@pytest.mark.parametrize("name", ["i", "j", "x"])
def test_wrong_declarations_take_every_value_for_another(task, name):
    """For each value of the source one other value, no two alike, answers all of its pairs."""
    found, table = observed(task), answers()
    exchange, place = found.exchanges[name], SHOWN.index(name)
    base = torch.stack([found.examples.parts[part][exchange.base] for part in SHOWN], 1).tolist()
    own = found.examples.parts[name][exchange.source].tolist()
    for scramble in exchange.scrambled:
        fits = {}
        for k in scramble.known.nonzero()[:, 0].tolist():
            known, target = base[k], int(scramble.targets[k])
            values = range(len(task.part(name).values))
            right = {v for v in values if table[(*known[:place], v, *known[place + 1 :])] == target}
            fits[own[k]] = fits.get(own[k], right) & right
        others = [fit - {value} for value, fit in fits.items()]
        assert any(len(set(chosen)) == len(chosen) for chosen in itertools.product(*others)), fits
        assert min(len(fit) for fit in fits.values()) < len(values)
    assert task is not TASK or all(bool(scramble.known.all()) for scramble in exchange.scrambled)


def test_wrong_answers_that_no_example_shows_are_missing():
    found = observed(Wrapped(TASK))
    exchange = found.exchanges["i"]
    known = torch.stack([scramble.known for scramble in exchange.scrambled])
    assert 0.2 < float(known.double().mean()) < 0.9
    trained = {tuple(row) for row in TASK.combinations("train").tolist()}
    j = found.examples.parts["j"][exchange.base]
    for scramble in exchange.scrambled:
        for k in (~scramble.known).nonzero()[:, 0].tolist():
            assert any((i, int(j[k])) not in trained for i in range(6)), "every value was trained with this one"


@pytest.mark.parametrize("seen", [0, 1])
def test_few_combinations(seen):
    found = observed(Few(TASK, seen=seen, novel=1))
    assert len(found.examples) == 5 * seen
    assert len(found.trained) == seen
    assert found.num_folds == seen
    assert {"i", "j"}.isdisjoint(found.exchanges)
    assert found.contradicted == (0, 0)


def test_assumed_are_the_combinations_of_the_examples():
    few = observed(TASK, num_examples=12, assumed=True)
    assert few.assumed
    assert torch.equal(few.trained, few.examples.combination.unique())
    assert len(few.trained) < len(TASK.combinations("train")) == len(observed(TASK, num_examples=12).trained)


# Declarations that are wrong


class Changed(Swapping):
    """Another answer to some exchanges."""

    def __init__(self, inner: Modular, *, by: int = 0, defined: bool = True):
        super().__init__(inner)
        self.by, self.defined = by, defined

    def swap(self, base: Examples, source: Examples, part: str) -> Swapped:
        swapped = self.inner.swap(base, source, part)
        chosen = swapped.parts["x"] == 0
        targets = (swapped.targets + self.by * chosen) % 5
        return swapped._replace(targets=targets, defined=None if self.defined else ~chosen)


def test_a_right_declaration_is_contradicted_nowhere():
    wrong, checked = observed(TASK).contradicted
    assert wrong == 0
    assert checked > 1000


def test_a_wrong_declaration_is_contradicted_where_it_is_wrong():
    wrong, checked = observed(Changed(TASK, by=1)).contradicted
    assert wrong / checked == pytest.approx(1 / 5, abs=0.05)
    assert checked == observed(TASK).contradicted[1]


def test_without_a_declaration_there_is_nothing_to_contradict():
    assert observed(Wrapped(TASK)).contradicted == (0, 0)


def test_undefined_answers_are_not_asked():
    found = observed(Changed(TASK, defined=False))
    exchanged = found.exchanges["i"]
    assert bool((found.examples.parts["x"][exchanged.base] != 0).all())
    assert len(exchanged) == 200
    assert found.contradicted[0] == 0
    assert 0 < found.contradicted[1] < observed(TASK).contradicted[1]
    assert all(torch.equal(scramble.known, torch.ones(200).bool()) for scramble in exchanged.scrambled)


def test_parts_that_do_not_decide_the_answer_show_nothing():
    """Hyperteacher: sixteen examples share their parts and differ in x, and so in the answer."""
    task = Hyperteacher(num_modules=4, max_active=2)
    assert observed(task).contradicted == (0, 0)
    assert observed(task).exchanges
    assert not observed(Undeclared(task)).exchanges


class Undeclared(Wrapped):
    """Examples whose amounts are all the same where a module is present, so that groups of them share all parts."""

    def examples(self, split, n, *, generator):
        examples = super().examples(split, n, generator=generator)
        return dataclasses.replace(examples, amounts={name: (a > 0).float() for name, a in examples.amounts.items()})
