"""Scratchpads of non-adjacent sums: lists of one size or of several, which are written, and read back."""

import numpy as np
import pytest
import torch
from torch import Generator

from assay.computation import MISSING
from assay.errors import AssayError
from assay.tasks import load_task
from assay.tasks.non_adjacent_sum import END, FIRST, START, NonAdjacentSum

SIZES = NonAdjacentSum(n=4, high=2, shortest=2, longer=1, train=200, novel=300)


def drawn(task, split, num=10**6):
    return task.examples(split, num, generator=Generator().manual_seed(0))


def best(elements):
    """The best sum of non-adjacent elements, by trying all."""
    sums = [0]
    for mask in range(2 ** len(elements)):
        if not mask & mask >> 1:
            sums.append(sum(x for k, x in enumerate(elements) if mask >> k & 1))
    return max(sums)


@pytest.mark.parametrize("split", ["seen", "novel"])
def test_targets_are_the_sums_from_the_right_and_then_what_is_picked(split):
    examples = drawn(SIZES, split)
    columns = (examples.inputs["source"], examples.inputs["prefix"], examples.targets)
    for source, prefix, target in zip(*(column.tolist() for column in columns), strict=True):
        elements = [token - 3 for token in source if token]
        k = len(elements)
        assert source == [e + 3 for e in elements] + [0] * (5 - k)
        assert [token - FIRST for token in target[:k]] == [best(elements[i:]) for i in reversed(range(k))]
        picks = [token - FIRST for token in target[k : 2 * k]]
        assert sum(e for e, pick in zip(elements, picks, strict=True) if pick == 1) == best(elements)
        assert target[2 * k :] == [END] + [0] * (10 - 2 * k)
        assert prefix == [START, *target[: 2 * k], *[0] * (10 - 2 * k)]


def test_sizes_of_trained_and_novel_lists():
    sizes = {split: (drawn(SIZES, split).inputs["source"] > 0).sum(1) for split in ("seen", "novel")}
    assert sizes["seen"].bincount().tolist() == [0, 0, 25, 87, 88]  # all of the first, and the others alike
    assert set(sizes["novel"].tolist()) == {5}
    seen, novel = (drawn(SIZES, split).combination for split in ("seen", "novel"))
    assert len(seen.unique()) == 200
    assert len(novel.unique()) == 300
    assert not set(seen.tolist()) & set(novel.tolist())
    same = NonAdjacentSum(n=4, high=2, shortest=2, train=200, novel=300)
    assert set((drawn(same, "novel").inputs["source"] > 0).sum(1).tolist()) == {4}
    assert not set(drawn(same, "seen").combination.tolist()) & set(drawn(same, "novel").combination.tolist())


@pytest.mark.parametrize("task", [SIZES, NonAdjacentSum(n=4, high=2, train=200, novel=300)], ids=["sizes", "one size"])
@pytest.mark.parametrize("split", ["train", "seen", "novel"])
def test_what_is_written_is_read_back(task, split):
    examples = drawn(task, split, 50)
    graphs = task.computation(examples)
    assert graphs.num_examples == len(examples)
    assert np.array_equal(task.node_values(examples, graphs, lambda inputs: examples.targets), graphs.values)
    wrong = examples.targets.clone()
    wrong[:, 0] = FIRST + 9
    wrong[:, 1] = END
    found = task.node_values(examples, graphs, lambda inputs: wrong)
    changed = np.flatnonzero(found != graphs.values)
    names = np.array(graphs.names)[graphs.name[changed]]
    size = (examples.inputs["source"] > 0).sum(1).numpy()[graphs.example[changed]]
    assert set(zip(names.tolist(), size.tolist(), strict=True)) <= {(f"d{k - j}", k) for k in range(2, 6) for j in (0, 1)}
    assert set(found[changed].tolist()) == {9, MISSING}


def test_rows_are_those_of_their_example():
    examples = drawn(SIZES, "seen", 30)
    graphs = SIZES.computation(examples)
    for example in range(30):
        elements = [token - 3 for token in examples.inputs["source"][example].tolist() if token]
        assert graphs.values[graphs.find(example, "d1")] == best(elements)


def test_addresses_and_parts():
    address = "non-adjacent-sum:n=4,high=2,train=200,novel=300,shortest=2,longer=1"
    assert SIZES.address == address
    assert load_task(address) == SIZES
    assert load_task("non-adjacent-sum").address == "non-adjacent-sum"
    assert [part.values[0] for part in SIZES.parts] == ["none"] * 5
    examples = drawn(SIZES, "novel", 5)
    rows = torch.stack([examples.parts[name] for name in SIZES.combines], 1)
    known = {tuple(row) for row in SIZES.combinations("novel").tolist()}
    assert all(tuple(row) in known for row in rows.tolist())


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"n": 2, "high": 1, "train": 5, "novel": 5}, "5 and 5 of 9"),
        ({"n": 3, "high": 1, "shortest": 2, "train": 37, "novel": 0}, "37 trained of 36"),
        ({"n": 2, "high": 1, "longer": 1, "train": 9, "novel": 28}, "0 and 28 of 27"),
        ({"n": 7, "longer": 2}, "longer must be a whole number from 0 to 1"),
        ({"n": 3, "shortest": 4}, "shortest must be a whole number from 0 to 3"),
    ],
)
def test_lists_that_there_are_not_are_refused(given, rule):
    with pytest.raises(AssayError, match=rule):
        NonAdjacentSum(**given)
