"""Trees against Python's own arithmetic, on expressions written out from the tokens."""

import pytest

from assay.errors import AssayError
from assay.tasks.trees import Trees

EVERYTHING = 10**6
BY_NAME = {
    "plus": lambda a, b: a + b,
    "minus": lambda a, b: a - b,
    "times": lambda a, b: a * b,
    "max": max,
    "min": min,
    "first": lambda a, b: a,
}


def expressions(task, examples):
    """((a, op1, b), op2, (c, op3, d)), with the operators' names, from the tokens alone."""
    names = list(BY_NAME)
    for row in examples.inputs["tokens"].tolist():
        a, op1, b, op2, c, op3, d = (names[token - task.modulus] if token >= task.modulus else token for token in row)
        yield (a, op1, b), op2, (c, op3, d)


def value(task, tree):
    if isinstance(tree, int):
        return tree
    left, operator, right = tree
    return BY_NAME[operator](value(task, left), value(task, right)) % task.modulus


@pytest.mark.parametrize("modulus", [2, 3])
def test_answers_and_subtrees_are_those_of_the_recursion(modulus, generator):
    task = Trees(modulus=modulus, coverage=0.5)
    for split in ("seen", "novel"):
        examples = task.examples(split, 4000, generator=generator)
        trees = list(expressions(task, examples))
        assert examples.targets.tolist() == [value(task, tree) for tree in trees]
        assert examples.parts["left"].tolist() == [value(task, left) for left, _, _ in trees]
        assert examples.parts["right"].tolist() == [value(task, right) for _, _, right in trees]


def test_no_trained_tree_has_a_held_out_nesting(generator):
    task = Trees(modulus=2, novel="under", coverage=0.5)

    def nestings(split):
        for (_, op1, _), op2, (_, op3, _) in expressions(task, task.examples(split, EVERYTHING, generator=generator)):
            yield {(op2, op1), (op2, op3)}

    seen = set().union(*nestings("seen"))
    held = {(outer, inner) for outer in BY_NAME for inner in BY_NAME} - seen
    assert len(held) == 5
    assert all(both & held for both in nestings("novel"))


def test_both_subtrees_are_real_in_novel_trees_alone(generator):
    task = Trees(modulus=2, novel="depth", coverage=0.2)
    for split in ("seen", "novel"):
        for (_, op1, _), _, (_, op3, _) in expressions(task, task.examples(split, EVERYTHING, generator=generator)):
            assert ("first" not in (op1, op3)) == (split == "novel")
    assert len(task.combinations("novel")) == 5 * 6 * 5


def test_errors_say_what_was_given():
    with pytest.raises(AssayError, match=r"modulus must be at least 2. Given: 1"):
        Trees(modulus=1)
