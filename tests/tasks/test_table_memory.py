"""Tables in memory: the task that the same rows in files give, and every mistake with its row."""

import json
import pickle

import numpy as np
import pytest
import torch
from torch import Generator

import assay
from assay.errors import AssayError
from assay.objective import Classification, Regression, Sequences
from assay.task import Image, Tokens, Vector
from assay.tasks.table import read_table

A, B = [0, 0, 1, 1, 0], ["u", "v", "u", "v", "v"]
Y = torch.tensor([0, 1, 2, 3, 1])
SPLIT = ["train", "train", "train", "novel", "seen"]
X = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1], [0, 1]])
TOML = """data = "rows.jsonl"
[[inputs]]
kind = "token"
columns = ["a", "c"]
[target]
column = "y"
kind = "class"
[[parts]]
name = "a"
[[parts]]
name = "b"
[split]
column = "split"
"""


def table(**changes) -> assay.Table:
    return assay.Table(**{"inputs": X, "targets": Y, "parts": {"a": A, "b": B}, "split": SPLIT, **changes})


def rows(task, split):
    return task.examples(split, 100, generator=Generator().manual_seed(0)).in_canonical_order()


def test_it_is_the_task_that_files_of_the_same_rows_give(tmp_path):
    lines = [
        {"a": a, "b": b, "c": int(x[1]), "y": int(y), "split": split}
        for a, b, x, y, split in zip(A, B, X, Y, SPLIT, strict=True)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "table.toml").write_text(TOML)
    one, other = table(), read_table(tmp_path / "table.toml")
    for name in ("parts", "combines", "input_spec", "objective", "level"):
        assert getattr(one, name) == getattr(other, name), name
    for split in ("train", "seen", "novel"):
        first, second = rows(one, split), rows(other, split)
        assert one.combinations(split).equal(other.combinations(split))
        assert first.inputs["tokens"].equal(second.inputs["tokens"])
        assert first.targets.equal(second.targets)
        assert first.combination.equal(second.combination)
    again = pickle.loads(pickle.dumps(one))
    assert rows(again, "train").targets.equal(rows(one, "train").targets)
    assert repr(one) == repr(again) == f"Table({one.address!r})"
    assert table(targets=Y.flip(0)).address != one.address == table().address


@pytest.mark.parametrize(
    "split",
    [[0, 0, 0, 1, 0], [False, False, False, True, False], torch.tensor([0, 0, 0, 1, 0]).bool(), np.array([0, 0, 0, 1, 0], bool),
     np.array(["seen", "seen", "seen", "novel", "seen"]), ["seen", "seen", "seen", "novel", "seen"]],
    ids=range(6),
)  # fmt: skip
def test_a_split_is_named_or_a_mask(split):
    task = table(split=split)
    assert task.combinations("novel").tolist() == [[1, 1]]
    assert len(rows(task, "seen")) == len(task.trained_examples(100, generator=Generator())) == 4


@pytest.mark.parametrize(
    ("inputs", "names", "spec", "kind"),
    [
        (X, ["tokens"], Tokens(2, 2), torch.int64),
        (X.numpy().astype("u1"), ["tokens"], Tokens(2, 2), torch.int64),
        (X.double(), ["x"], Vector(2), torch.float32),
        (X.numpy().astype(">f8")[::-1], ["x"], Vector(2), torch.float32),
        (X[:, :, None, None].float().expand(5, 2, 3, 3).requires_grad_(), ["image"], Image(2, 3), torch.float32),
        ({"ids": X}, ["ids"], None, torch.int64),
        ({"mask": X.bool()}, ["mask"], None, torch.bool),
        ({"tokens": X, "x": X.float()}, ["tokens", "x"], None, None),
        ({"tokens": X - 1}, ["tokens"], None, torch.int64),
    ],
)
def test_inputs_by_what_they_hold(inputs, names, spec, kind):
    task = table(inputs=inputs)
    found = rows(task, "train").inputs
    assert list(found) == names
    assert task.input_spec == spec
    assert all(kind in (None, x.dtype) and not x.requires_grad for x in found.values())


def test_targets_by_what_they_hold():
    assert table().objective == Classification(4)
    assert table(targets=Y > 0).objective == Classification(2)
    assert table(objective=Classification(10)).objective == Classification(10)
    assert table(targets=X + 1).objective == Sequences(3)
    flat, image = table(targets=Y.double()), table(targets=np.ones((5, 3, 2)) * Y.numpy()[:, None, None])
    assert rows(flat, "novel").targets.tolist() == [[3.0]]
    assert (flat.objective.num_features, flat.objective.variance) == (1, pytest.approx(2 / 3))
    assert (image.objective.num_features, image.objective.variance) == (6, pytest.approx(4.0))
    assert rows(image, "novel").targets.shape == (1, 3, 2)


def test_without_novel_rows_or_their_answers():
    assert table(split=None).level == 0
    task = table(targets=Y[[0, 1, 2, 4]])
    assert task.level == 1
    assert rows(task, "novel").targets.tolist() == [-1]
    assert rows(task, "seen").targets.tolist() == [1]
    assert table(targets=Y[[0, 1, 2, 4]].float()).level == 1
    assert table().level == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parts": {}}, r"parts must map the name of every part.*Given: split: 5"),
        ({"parts": {"a": A, "b": B[:3]}}, r"Given: a: 5, b: 3, split: 5"),
        ({"parts": {"a": [], "b": []}, "split": []}, r"Given: a: 0, b: 0, split: 0"),
        ({"parts": {"a": [0.5, *A[1:]], "b": B}}, r"memory, row 1, column 'a': the value of a part must .*Given: 0.5"),
        ({"parts": {"a": [1] * 5, "b": B}}, r"part 'a' must take at least two values"),
        ({"inputs": torch.zeros(5, 1, 2, 2, dtype=torch.uint8)}, r"images are real numbers.*whole numbers of shape.*float"),
        ({"split": [0, 1, 2, 0, 1]}, r"row 1, column 'split': no such split.*Given: 0"),
        ({"split": ["train", "trained", *SPLIT[2:]]}, r"row 2, column 'split': no such split.*Given: trained. Choices: train,"),
        ({"split": [1] * 5}, r"the split must have train rows. Given: only novel"),
        ({"split": [0, 1, 0, 0, 0]}, r"must not occur in train.*a=0, b=v: novel in row 2, train in row 5"),
        ({"inputs": X[:4]}, r"tokens must have as many rows as the parts. Given: 4 and 5"),
        ({"targets": Y[:3]}, r"targets must have as many rows as the parts, or as many as are not novel. Given: 3 and 5"),
        ({"inputs": X.float().where(X < 1, torch.nan)}, r"row 2: inputs must be finite in 32 bits"),
        ({"inputs": np.full((5, 2), 1e39)}, r"row 1: inputs must be finite in 32 bits"),
        ({"inputs": [["a"], ["b"]]}, r"inputs must be a tensor or array of numbers"),
        ({"inputs": {"x": [[1.0], [1.0, 2.0]]}}, r"input 'x' must be a tensor or array of numbers"),
        ({"inputs": torch.tensor(3.0)}, r"with the rows first"),
        ({"targets": Y - 1}, r"must be class ids \(n,\) or token ids \(n, length\), from 0. Given: from -1"),
        ({"targets": Y * 0}, r"targets must have two classes or more"),
        ({"targets": Y * 0.0}, r"targets must vary over the train rows"),
        ({"objective": Classification(3)}, r"the objective must fit the targets"),
        ({"objective": Regression(1, 1.0), "targets": Y}, r"the objective must fit the targets"),
    ],
)  # fmt: skip
def test_mistakes(changes, message):
    with pytest.raises(AssayError, match=message):
        table(**changes)
