"""Executors of tables: they answer exchanges, are checked against the rows, and say where there is no answer."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.task import SwapsParts, Task
from assay.tasks import load_task

RULE = """
CALLS = []
def total(parts, row):
    CALLS.append(parts)
    return (parts["a"] + parts["b"]) % 5
def named(parts, row):
    return ["none", "one", "two", "three", "four"][total(parts, row)] if parts["a"] != 3 or row["a"] == 3 else None
def halves(parts, row):
    return [total(parts, row) / 2, float(parts["a"])]
def spoken(parts, row):
    return " ".join(["on"] * total(parts, row))
def off(parts, row):
    return (total(parts, row) + (parts["a"] == 2 and parts["b"] == 1)) % 5
def breaks(parts, row):
    return parts["c"]
def silent(parts, row):
    return None
"""
NAMES = ("none", "one", "two", "three", "four")


def write(
    folder: Path, *, executor: str | None = "rule:total", target: str = "y", kind: str = "class", parts: str = ""
) -> Path:
    rows = []
    for a in range(5):
        for b in range(5):
            y = (a + b) % 5
            cells = {"y": y, "named": NAMES[y], "halves": [y / 2, float(a)], "spoken": " ".join(["on"] * y)}
            split = "novel" if (a + 2 * b) % 5 == 0 else "train"
            rows.append({"a": a, "b": b, "text": f"{a} {b}", "sum": a + b, **cells, "split": split})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "rule.py").write_text(RULE, encoding="utf-8")
    given = f'executor = "{executor}"\n' if executor else ""
    inputs = 'kind = "text"\ncolumn = "text"' if kind == "text" else 'kind = "token"\ncolumns = ["a", "b"]'
    text = f"""data = "rows.jsonl"
{given}[[inputs]]
{inputs}
[target]
column = "{target}"
kind = "{kind}"
[[parts]]
name = "a"
[[parts]]
name = "b"
{parts}
[split]
column = "split"
"""
    (folder / "table.toml").write_text(text, encoding="utf-8")
    return folder / "table.toml"


def loaded(folder: Path, **changes) -> Task:
    path = write(folder, **changes)
    return load_task(f"table:{path}", trust=[changes.get("executor") or "rule:total"])


def pairs(task: Task, num: int = 200):
    examples = task.examples("seen", 100, generator=Generator().manual_seed(0))
    base, source = torch.randint(len(examples), (2, num), generator=Generator().manual_seed(1))
    return examples.take(base), examples.take(source)


def test_without_executor_nothing_can_be_exchanged(tmp_path):
    task = loaded(tmp_path, executor=None)
    assert not isinstance(task, SwapsParts)


@pytest.mark.parametrize("part", ["a", "b"])
def test_the_answer_is_that_of_the_exchanged_values(tmp_path, part):
    task = loaded(tmp_path)
    assert isinstance(task, SwapsParts)
    base, source = pairs(task)
    swapped = task.swap(base, source, part)
    a, b = ((source if part == name else base).parts[name] for name in "ab")
    assert torch.equal(swapped.targets, (a + b) % 5)
    assert torch.equal(swapped.combination, 5 * a + b)
    assert torch.equal(swapped.parts["a"], a)
    assert bool(swapped.defined.all())


def test_classes_that_are_texts_and_answers_that_are_none(tmp_path):
    task = loaded(tmp_path, executor="rule:named", target="named")
    base, source = pairs(task)
    swapped = task.swap(base, source, "a")
    undefined = (source.parts["a"] == 3) & (base.parts["a"] != 3)
    assert torch.equal(swapped.defined, ~undefined)
    alphabet = sorted(NAMES)
    wanted = [alphabet.index(NAMES[(a + b) % 5]) for a, b in zip(source.parts["a"], base.parts["b"], strict=True)]
    assert torch.equal(swapped.targets[swapped.defined], torch.tensor(wanted)[swapped.defined])


def test_numbers_and_sequences(tmp_path):
    numbers = loaded(tmp_path, executor="rule:halves", target="halves", kind="number")
    base, source = pairs(numbers)
    a = source.parts["a"]
    wanted = torch.stack([(a + base.parts["b"]) % 5 / 2, a.float()], 1)
    torch.testing.assert_close(numbers.swap(base, source, "a").targets, wanted)
    texts = loaded(tmp_path, executor="rule:spoken", target="spoken", kind="text")
    base, source = pairs(texts)
    length = (source.parts["a"] + base.parts["b"]) % 5
    targets = texts.swap(base, source, "a").targets
    assert torch.equal((targets == 3).sum(1), length)
    assert torch.equal(targets.gather(1, length[:, None])[:, 0], torch.full((200,), 2))


def test_a_derived_part_is_exchanged_by_what_it_follows_from(tmp_path):
    task = loaded(tmp_path, parts='[[parts]]\nname = "sum"\nof = ["a", "b"]')
    assert task.combines == ("a", "b")
    assert task.part("sum").of == ("a", "b")
    base, source = pairs(task)
    swapped = task.swap(base, source, "sum")
    assert torch.equal(swapped.targets, source.targets)
    assert torch.equal(swapped.parts["sum"], source.parts["sum"])
    alone = task.swap(base, source, "a")
    values = torch.tensor([int(value) for value in task.part("sum").values])
    assert torch.equal(values[alone.parts["sum"]], source.parts["a"] + base.parts["b"])


def test_an_exchange_is_answered_once(tmp_path):
    task = loaded(tmp_path)
    calls = task._executor._function.__globals__["CALLS"]
    assert len(calls) == 25
    base, source = pairs(task)
    task.swap(base, source, "a")
    after = len(calls)
    assert after <= 25 + 125
    task.swap(base, source, "a")
    assert len(calls) == after


@pytest.mark.parametrize("num", [0, 1])
def test_sizes_zero_and_one(tmp_path, num):
    task = loaded(tmp_path)
    base, source = pairs(task, num)
    swapped = task.swap(base, source, "b")
    assert swapped.targets.shape == swapped.defined.shape == swapped.combination.shape == (num,)


def test_it_survives_pickling_and_other_folders(tmp_path):
    for folder, text in (("one", RULE), ("two", RULE.replace("% 5", "% 5 if True else 0"))):
        (tmp_path / folder).mkdir()
        task = loaded(tmp_path / folder)
        (tmp_path / folder / "rule.py").write_text(text, encoding="utf-8")
        base, source = pairs(task)
        again = pickle.loads(pickle.dumps(task))
        assert torch.equal(again.swap(base, source, "a").targets, task.swap(base, source, "a").targets)
        assert task._executor._function.__code__.co_filename.endswith(f"{folder}/rule.py")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"executor": "rule:off"},
            r"rows.jsonl, line 12: the executor rule:off must give every row its own target, column 'y'. Given: 4. "
            r"Next: the row has 3",
        ),
        ({"executor": "rule:silent"}, r"line 1: the executor .* Given: null"),
        ({"executor": "rule:breaks"}, r"table.toml: executor must answer, .* raises KeyError: 'c'"),
        ({"executor": "rule:totl"}, r"rule must have a callable of that name. Given: totl.*Did you mean total"),
        ({"executor": "no_such:total"}, r"must be importable. Given: no_such"),
        ({"executor": "rule.total"}, r"table.toml: executor: .*Given: rule.total"),
        ({"parts": '[[parts]]\nname = "sum"\nof = ["c"]'}, r"'sum' must follow from parts that follow from none; given 'c'"),
        ({"parts": '[[parts]]\nname = "sum"\nof = ["sum"]'}, r"parts\[2\]: follows from others by `of`"),
        (
            {"parts": '[[parts]]\nname = "sum"\nof = ["a"]'},
            r"line 2, column 'sum': part 'sum' must follow from a, which are the same in line 1. Given: 1",
        ),
    ],
)
def test_mistakes(tmp_path, changes, message):
    with pytest.raises(AssayError, match=message):
        loaded(tmp_path, **changes)


def test_combinations_are_of_parts_that_follow_from_none(tmp_path):
    path = write(tmp_path, parts='[[parts]]\nname = "sum"\nof = ["a", "b"]')
    path.write_text('combines = ["a", "sum"]\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(AssayError, match="made of parts that follow from no others; given 'sum'"):
        load_task(f"table:{path}")
