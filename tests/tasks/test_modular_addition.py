"""Modular addition by brute force, and its synonyms where they are asked for."""

import pytest

from assay.tasks.modular_addition import ModularAddition


@pytest.mark.parametrize("names", [1, 3])
def test_answers_are_sums(names, generator):
    task = ModularAddition(p=5, names=names, coverage=0.5)
    seen, novel = (task.examples(split, 1000, generator=generator) for split in ("seen", "novel"))
    assert len(seen) + len(novel) == (5 * names) ** 2
    for examples in (seen, novel):
        for i, j, y in zip(*(examples.parts[part].tolist() for part in "ij"), examples.targets.tolist(), strict=True):
            named = int(task.part("i").values[i].split()[0]) + int(task.part("j").values[j].split()[0])
            assert y == named % 5


def test_the_usual_task_is_the_one_of_the_demo():
    task = ModularAddition()
    assert (len(task.combinations("seen")), len(task.combinations("novel"))) == (673, 288)
    assert task.address == "modular-addition:coverage=0.7,seed=0,p=31"
    assert len(set(task.part("i").values)) == 31
