"""Digits against whole numbers, composed from the tokens and multiplied or added by Python."""

import pytest

from assay.errors import AssayError
from assay.tasks.digits import Digits, Novel, Operation

EVERYTHING = 10**6


def sums(task, examples):
    """Both numbers and the position asked, from the tokens alone."""
    for row in examples.inputs["tokens"].tolist():
        *digits, position = row
        a = sum(digit * task.base**power for power, digit in enumerate(reversed(digits[: task.digits])))
        b = sum(digit * task.base**power for power, digit in enumerate(reversed(digits[task.digits :])))
        yield a, b, position - task.base


@pytest.mark.parametrize(("operation", "digits", "base"), [("add", 2, 5), ("add", 3, 3), ("times", 2, 7), ("times", 4, 3)])
def test_answers_are_digits_of_whole_numbers(operation: Operation, digits, base, generator):
    task = Digits(operation=operation, digits=digits, base=base, coverage=0.5)
    count = 0
    for split in ("seen", "novel"):
        examples = task.examples(split, EVERYTHING, generator=generator)
        for (a, b, position), target in zip(sums(task, examples), examples.targets.tolist(), strict=True):
            result = a + b if operation == "add" else a * b
            assert target == result // base**position % base
            count += 1
    assert count == base ** (2 * digits if operation == "add" else digits + 1) * (digits + 1)


@pytest.mark.parametrize("operation", ["add", "times"])
def test_carries_by_whole_numbers(operation: Operation, generator):
    task = Digits(operation=operation, digits=3, base=4, coverage=0.5)
    examples = task.examples("seen", 2000, generator=generator)
    for position in (2, 3, 4):
        below = task.base ** (position - 1)
        expected = [
            (a % below + b % below) // below if operation == "add" else (a % below) * b // below
            for a, b, _ in sums(task, examples)
        ]
        assert examples.parts[f"carry{position}"].tolist() == expected
    assert task.derived["carry2"] == (("a1", "b1") if operation == "add" else ("a1", "b"))


@pytest.mark.parametrize(("operation", "base"), [("add", 3), ("times", 4)])
def test_carries_in_a_row_are_never_trained(operation: Operation, base, generator):
    task = Digits(operation=operation, digits=3, base=base, novel="carry", coverage=0.4)
    for split in ("seen", "novel"):
        examples = task.examples(split, EVERYTHING, generator=generator)
        for a, b, _ in sums(task, examples):
            result = a + b if operation == "add" else a * b
            # A carry is what the digits below add up to beyond their own places.
            into = []
            for power in (1, 2, 3):
                below = base**power
                low = a % below + b % below if operation == "add" else (a % below) * b
                into.append(low >= below)
            assert ((into[0] and into[1]) or (into[1] and into[2])) == (split == "novel"), (a, b, result)


@pytest.mark.parametrize(("operation", "novel"), [("add", "pairs"), ("times", "pairs")])
def test_held_out_digits_never_meet_at_the_highest_position(operation: Operation, novel: Novel, generator):
    task = Digits(operation=operation, base=5, novel=novel, coverage=0.5)
    highest = task.base ** (task.digits - 1)

    def meeting(split):
        rows = sums(task, task.examples(split, EVERYTHING, generator=generator))
        return {(a // highest, b // highest if operation == "add" else b) for a, b, _ in rows}

    seen, novel_pairs = meeting("seen"), meeting("novel")
    assert not seen & novel_pairs
    assert len(novel_pairs) == 4
    assert len({a for a, _ in novel_pairs}) == len({b for _, b in novel_pairs}) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": 2}, "base must be at least 3. Given: 2"),
        ({"digits": 1}, "digits must be between 2 and 4. Given: 1"),
        ({"digits": 5}, "digits must be between 2 and 4. Given: 5"),
    ],
)
def test_errors_say_what_was_given(options, message):
    with pytest.raises(AssayError, match=message):
        Digits(**options)
