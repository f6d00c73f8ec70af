"""Tables in memory: the task that the same rows in files give, and every mistake with its row."""

import json
import pickle

import cloudpickle
import numpy as np
import pytest
import stages
import torch
from torch import Generator

import assay
from assay.errors import AssayError
from assay.objective import Classification, Regression, Sequences
from assay.task import Image, SwapsParts, Tokens, Vector
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


# Executors

FIRST, SECOND = torch.cartesian_prod(torch.arange(6), torch.arange(6)).unbind(1)
PAIRS = torch.stack([FIRST, SECOND], 1)
UNSEEN = (FIRST + 2 * SECOND) % 5 == 0


def executed(executor, *, targets=(FIRST + SECOND) % 5, parts=None, **changes):
    parts = {"a": FIRST, "b": SECOND} if parts is None else parts
    return assay.Table(inputs=PAIRS, targets=targets, parts=parts, executor=executor, **{"split": UNSEEN, **changes})


def swapped(task, part="a"):
    examples = task.trained_examples(100, generator=Generator().manual_seed(0))
    other = examples.take(torch.arange(len(examples)).flip(0))
    return examples, other, task.swap(examples, other, part)


@pytest.mark.parametrize("split", [UNSEEN, None])
def test_an_executor_in_memory_exchanges_parts(split):
    task = executed(lambda parts, row: (parts["a"] + row["tokens"][1]) % 5, split=split)
    base, source, found = swapped(task)
    assert isinstance(task, SwapsParts)
    assert not isinstance(table(), SwapsParts)
    assert found.targets.equal((source.parts["a"] + base.parts["b"]) % 5)
    assert found.defined.all()
    again = cloudpickle.loads(cloudpickle.dumps(task))
    assert swapped(again)[2].targets.equal(found.targets)
    assert task.address == executed(None, split=split).address


@pytest.mark.parametrize(
    ("targets", "executor"),
    [
        ((FIRST + SECOND).float(), lambda parts, row: parts["a"] + parts["b"]),
        (PAIRS.float() / 3, lambda parts, row: torch.tensor([parts["a"] / 3, parts["b"] / 3])),
        ((PAIRS.float() / 3)[:, :, None], lambda parts, row: np.array([[parts["a"] / 3], [parts["b"] / 3]])),
        (PAIRS + 1, lambda parts, row: [parts["a"] + 1, parts["b"] + 1]),
        (torch.stack([FIRST + 1, FIRST * 0], 1), lambda parts, row: (parts["a"] + 1,)),
        ((FIRST > 2).numpy(), lambda parts, row: parts["a"] > 2),
        ((FIRST + SECOND)[~UNSEEN], lambda parts, row: np.int64(parts["a"] + parts["b"])),
    ],
    ids=range(7),
)
def test_what_an_executor_in_memory_answers(targets, executor):
    task = executed(executor, targets=targets)
    found = swapped(task)[2]
    assert found.defined.any()
    rows = task.combination_id({"a": FIRST, "b": SECOND})
    if len(targets) == 36:
        known = dict(zip(rows.tolist(), task._examples.targets, strict=True))
        for id_, target, defined in zip(found.combination.tolist(), found.targets, found.defined, strict=True):
            assert not defined or target.equal(known[id_])


@pytest.mark.parametrize("answer", [None, 9, -1, 2.5, "two", [1, 2], [[1], [2, 3]], float("nan"), object(), {}])
def test_what_is_no_answer_is_undefined(answer):
    task = executed(
        lambda parts, row: (parts["a"] + parts["b"]) % 5 if (parts["a"], parts["b"]) == tuple(row["tokens"]) else answer
    )
    base, source, found = swapped(task)
    assert found.defined.equal(base.parts["a"] == source.parts["a"])


def test_classes_of_no_row_are_answers_where_the_objective_has_them():
    def executor(parts, row):
        return parts["a"] + parts["b"] if (parts["a"], parts["b"]) == tuple(row["tokens"]) else 11

    assert not swapped(executed(executor, targets=FIRST + SECOND))[2].defined.all()
    assert swapped(executed(executor, targets=FIRST + SECOND, objective=Classification(12)))[2].defined.all()


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        (lambda parts, row: 4, r"row 1: the executor <lambda> must give every row its own target\. Given: 4.*the row has 0"),
        (lambda parts, row: parts["c"], r"executor must answer.*raises KeyError: 'c'"),
        (lambda: 4, r"executor of Table must be a function of 2 arguments or None. Given: a function"),
    ],
)
def test_mistakes_in_executors(executor, message):
    with pytest.raises(AssayError, match=message):
        executed(executor)


def test_a_part_called_as_an_input_has_its_own_value_in_the_row():
    task = executed(
        lambda parts, row: (parts["tokens"] + row["b"]) % 5 if isinstance(row["tokens"], int) else None,
        parts={"tokens": FIRST, "b": SECOND},
    )
    assert swapped(task, "tokens")[2].defined.all()


@pytest.mark.slow
@pytest.mark.parametrize("executor", [lambda parts, row: (parts["i"] + parts["j"]) % stages.SIZE, None])
@pytest.mark.parametrize("rows", ["trained", "all"])
def test_level_zero_estimates_with_an_executor_in_memory(executor, rows):
    """Without one it says why not."""
    pairs = stages.Declared()
    examples = pairs.of(torch.cat([pairs.rows[True], *([pairs.rows[False]] if rows == "all" else [])]))
    split = torch.arange(len(examples)) >= len(pairs.rows[True])
    task = assay.Table(
        inputs=examples.inputs["x"], targets=examples.targets, parts=examples.parts, split=split, executor=executor
    )
    instruments = [assay.load_instrument("recombination")]
    result = assay.audit(stages.composer(), task, effort="quick", level=0, instruments=instruments, progress=None)
    (evidence,) = result.evidence
    measured = evidence.measure("novel_from_state", form="sum")
    assert measured.value == (None if executor is None else 1.0)
    assert executor or "does not say what follows when a part is exchanged" in measured.note
    assert (result.verdict.novel.basis, result.level) == ("estimated" if executor else "nothing", 0)
