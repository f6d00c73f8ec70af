"""Scratchpads of multiplication: pairs of one size or of several, which are written, and read back."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import Generator

import assay
from assay.computation import MISSING
from assay.errors import AssayError
from assay.instrument import run
from assay.instruments.subgraphs import Subgraphs
from assay.instruments.subgraphs.instrument import Sizes
from assay.models import load_subject
from assay.tasks import load_task
from assay.tasks.multiplication import END, START, TIMES, ZERO, Multiplication

SIZES = Multiplication(first=2, second=2, smaller=True, longer=1, train=400, novel=200)
ONE = Multiplication(first=2, second=1, train=200, novel=300)
NONCE = Multiplication(train=200, novel=100, nonce=True)
TASKS = pytest.mark.parametrize("task", [SIZES, ONE, NONCE], ids=["sizes", "one size", "nonce"])


def drawn(task, split, num=10**6):
    return task.examples(split, num, generator=Generator().manual_seed(0))


def factors(source):
    """Both numbers of a row of `source`."""
    digits = [token - 1 for token in source if token]
    between = digits.index(TIMES - 1)
    return [int("".join(map(str, some))) for some in (digits[:between], digits[between + 1 :])]


@pytest.mark.parametrize("split", ["seen", "novel"])
def test_the_answer_ends_with_the_product_its_last_digit_first(split):
    for task in (SIZES, ONE):
        examples = drawn(task, split)
        columns = (examples.inputs["source"], examples.inputs["prefix"], examples.targets)
        for source, prefix, target in zip(*(column.tolist() for column in columns), strict=True):
            a, b = factors(source)
            end = target.index(END)
            product = str(a * b).zfill(len(str(a)) + len(str(b)))[::-1]
            assert [token - ZERO for token in target[end - len(product) : end]] == list(map(int, product))
            assert target[end + 1 :] == [0] * (len(target) - end - 1)
            assert prefix == [START, *target[:end], *[0] * (len(target) - end - 1)]


def test_a_scratchpad_by_hand():
    """47 x 3: 21, its digit and carry, 12 and 2 make 14, so 141."""
    task = Multiplication(first=2, second=1, train=810, novel=90)
    examples = drawn(task, "seen")
    row = next(k for k, source in enumerate(examples.inputs["source"].tolist()) if factors(source) == [47, 3])
    tokens = [token - ZERO for token in examples.targets[row].tolist() if token >= ZERO]
    assert tokens == [1, 2, 1, 2, 2, 1, 4, 1, 1, 4, 1]  # 21 | 1 | 2 | 12 | 14 | 141, each from its last digit


def sizes(examples):
    """How many examples have each number of digits."""
    return Counter(tuple(len(str(number)) for number in factors(source)) for source in examples.inputs["source"].tolist())


def test_sizes_and_splits():
    assert sizes(drawn(SIZES, "seen")) == {(1, 1): 55, (1, 2): 115, (2, 1): 115, (2, 2): 115}
    assert sizes(drawn(SIZES, "novel")) == {(1, 3): 40, (2, 3): 40, (3, 3): 40, (3, 1): 40, (3, 2): 40}
    inside = Multiplication(first=2, second=2, smaller=True, train=400, novel=200)
    assert sizes(drawn(inside, "novel")) == {(1, 2): 66, (2, 1): 67, (2, 2): 67}  # of 1 x 1 none is left
    for task in (SIZES, ONE, NONCE):
        both = {split: drawn(task, split) for split in ("seen", "novel")}
        pairs = {split: {frozenset(factors(source)) for source in one.inputs["source"].tolist()} for split, one in both.items()}
        assert not pairs["seen"] & pairs["novel"]  # nor exchanged
        assert [len(both[split].combination.unique()) for split in both] == [task.train, task.novel]


@TASKS
@pytest.mark.parametrize("split", ["train", "seen", "novel"])
def test_what_is_written_is_read_back(task, split):
    examples = drawn(task, split, 50)
    graphs = task.computation(examples)
    assert np.array_equal(task.node_values(examples, graphs, lambda inputs: examples.targets), graphs.values)
    wrong = examples.targets.clone()
    wrong[:, 0] = END
    found = task.node_values(examples, graphs, lambda inputs: wrong)
    changed = np.flatnonzero(found != graphs.values)
    assert {graphs.names[graphs.name[node]] for node in changed} == {"product 1.1"}
    assert set(found[changed].tolist()) == {MISSING}
    assert set(graphs.example[changed].tolist()) == set(range(50))


def test_rows_are_those_of_their_example():
    examples = drawn(SIZES, "seen")
    graphs = SIZES.computation(examples)
    for example in range(0, 400, 20):
        a, b = factors(examples.inputs["source"][example].tolist())
        assert graphs.values[graphs.find(example, f"sum {len(str(b))}" if b > 9 else "row 1")] == a * b


@pytest.mark.parametrize("nonce", [False, True])
def test_no_value_has_more_digits_than_its_place(nonce):
    task = Multiplication(first=3, second=3, train=3_000, novel=0, nonce=nonce)
    examples = drawn(task, "seen")
    graphs = task.computation(examples)
    assert np.array_equal(task.node_values(examples, graphs, lambda inputs: examples.targets), graphs.values)


def test_sizes_0_and_1():
    none = drawn(ONE, "novel", 0)
    assert task_shapes(none) == [(0, 4), (0, ONE.input_spec.target_length), (0, ONE.input_spec.target_length)]
    assert len(ONE.computation(none)) == 0
    least = Multiplication(first=1, second=1, train=1, novel=0)
    assert len(drawn(least, "seen")) == 1
    assert len(drawn(least, "novel")) == 0


def task_shapes(examples):
    return [tuple(one.shape) for one in (examples.inputs["source"], examples.inputs["prefix"], examples.targets)]


def test_addresses_and_parts():
    address = "multiplication:train=400,novel=200,smaller=true,longer=1"
    assert SIZES.address == address
    assert load_task(address) == SIZES
    assert load_task("multiplication").address == "multiplication"
    examples = drawn(SIZES, "novel", 5)
    rows = torch.stack([examples.parts[name] for name in SIZES.combines], 1)
    known = {tuple(row) for row in SIZES.combinations("novel").tolist()}
    assert all(tuple(row) in known for row in rows.tolist())


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"first": 1, "second": 1, "train": 50, "novel": 6}, "6 novel of 5"),
        ({"first": 2, "second": 1, "train": 901, "novel": 0}, "901 trained of 900"),
        ({"first": 5, "longer": 1}, "longer must be a whole number from 0 to 0"),
        ({"first": 6}, "first must be a whole number from 1 to 5"),
    ],
)
def test_pairs_that_there_are_not_are_refused(given, rule):
    with pytest.raises(AssayError, match=rule):
        Multiplication(**given)


def test_the_grid_of_the_documentation_runs_at_a_tiny_size(tmp_path):
    """What docs/methods/subgraphs.md gives for a GPU: training on smaller factors, then larger ones by the instrument."""
    task = "multiplication:first=1,second=1,smaller=true,longer=1,train=30,novel=30"
    assay.train(task, "causal", out=tmp_path / "run", config={"steps": 1, "batch_size": 8}, progress=None)
    budget = Sizes(trained=30, examples=30, copied=30, tables=2, shuffles=2, copies=2)
    found = run(Subgraphs(budgets={"full": budget}), load_subject(str(tmp_path / "run")), load_task(task), effort="full")
    assert found.measure("composition_gap").value is not None
    (sizes,) = [figure for figure in found.figures if figure.name == "Right answers by size"]
    assert {sizes.rows, sizes.columns} == {("1", "2")}
    assert sizes.values[0][0] is None  # a trained size
