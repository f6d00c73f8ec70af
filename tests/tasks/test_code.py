"""The answers of a Python-like language by a second route, read off its tokens; what is novel is never shown in training."""

import re

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.objective import NOT_ASKED
from assay.task import SwapsParts
from assay.tasks import load_task
from assay.tasks.code import VOCABULARY, Code
from assay.tasks.code_questions import LINE, ONE, QUESTIONS, TWO

NAMES = tuple(QUESTIONS)


def drawn(question: str, split: str = "seen", n: int = 60, seed: int = 0):
    task = Code(question=question)
    return task, task.examples(split, n, generator=Generator().manual_seed(seed))


def by_reading(question: str, text: str) -> str:
    """The answer from the words of a window alone."""
    line = text.rpartition(LINE)[2].split()
    match question:
        case "single_double_quote":
            return next(word for word in reversed(line) if word in ("'", '"'))
        case "bracket_counting":
            return "]" * (line.count("[") - line.count("]"))
        case "set_or_string" | "set_or_string_fixedvarname":
            made = re.findall(rf"(\S+) = (set|str) \( \) (?={LINE})", text)
            return {"set": ".add", "str": "+="}[dict(made)[line[-1]]]
        case "with_as":
            return "as" if "with" in line else ":"
        case "for_while":
            return "in" if "for" in line else "<"
        case "if_ternary":
            return ":" if line[0] == "if" else "else"
        case "if_equals":
            return "==" if "if" in line else "="
        case "fstring_brace":
            return "}" if "{" in line else '"'
        case "bracket_brace":
            return {"[": "]", "{": "}"}[next(word for word in reversed(line) if word in ("[", "{"))]
        case "indent_for":
            before = text.split(LINE)[-2].split()
            return TWO if before[-1] == ":" else ONE
        case "lambda_func":
            return ":" if "lambda" in line else ")"
        case "enumerate_range":
            return "enumerate" if "," in line else "range"
        case "class_init":
            return "__init__" if line[0] == ONE else "run"
        case "var_swap":
            return line[-5] if "+" in line and line[-3] == "+" else next(word for word in line if word in ("a", "b"))
    raise AssertionError(question)


@pytest.mark.parametrize("question", NAMES)
@pytest.mark.parametrize("split", ["train", "novel"])
def test_answers_are_those_read_off_the_tokens(question: str, split: str):
    task, examples = drawn(question, split)
    answers = [VOCABULARY[token] for token in examples.targets[:, -1].tolist()]
    texts = [task.words(row) for row in examples.inputs["tokens"]]
    if question == "var_swap":
        texts = [re.sub(r" \+ \d", "", text) for text in texts]
    assert answers == [by_reading(question, text) for text in texts]
    assert bool((examples.targets[:, :-1] == NOT_ASKED).all())
    assert set(answers) == set(QUESTIONS[question].answers)


@pytest.mark.parametrize("question", [*NAMES, "program"])
def test_novel_combinations_are_never_trained(question: str):
    task, trained = drawn(question, "train", 400)
    novel = task.examples("novel", 100, generator=Generator().manual_seed(1))
    ids = {split: set(task.combination_id(dict(zip(task.combines, task.combinations(split).unbind(1), strict=True))).tolist())
           for split in ("train", "novel")}  # fmt: skip
    assert ids["train"].isdisjoint(ids["novel"])
    assert set(trained.combination.tolist()) <= ids["train"]
    assert set(novel.combination.tolist()) <= ids["novel"]
    assert len(trained) == 400
    assert len(novel) == 100


def test_windows_of_a_program_ask_everywhere_and_end_with_any_token_of_their_last_statement():
    task, examples = drawn("program", "train", 200)
    assert torch.equal(examples.inputs["tokens"][:, 1:], examples.targets[:, :-1])
    assert int(examples.targets.min()) >= 0
    assert len(examples.targets[:, -1].unique()) > 20
    quotes = examples.parts["statement"] == NAMES.index("bracket_counting")
    lines = [task.words(row).rpartition(LINE)[2] for row in examples.targets[quotes]]
    assert lines
    assert any("[" in line for line in lines)
    assert all(not line or "[" in line or len(line.split()) <= 2 for line in lines)


def test_a_program_of_training_holds_trained_combinations_of_questions_alone():
    task, novel = drawn("single_double_quote", "novel", 200)
    program, examples = drawn("program", "train", 400)
    found = set()
    for row in examples.inputs["tokens"]:
        for line in program.words(row).split(LINE)[1:-1]:
            words = line.split()
            mark = next((mark for mark in ("'", '"') if words.count(mark) == 2), None)
            if mark:
                num = words[words.index(mark) + 1 :].index(mark)
                kinds = {"(": "called", "=": "listed" if words[3] == "," else "assigned"}
                found.add(("double" if mark == '"' else "single", kinds.get(words[1], "returned"), str(num)))
    rows = task.combinations("novel").tolist()
    values = [tuple(part.values[k] for part, k in zip(task.parts, row, strict=True)) for row in rows]
    assert len(found) > 15
    assert found.isdisjoint(values)
    assert len(values) == 6
    assert len(novel) == 200


@pytest.mark.parametrize("question", NAMES)
def test_exchanging_a_part_gives_the_answer_of_the_new_combination(question: str):
    task, base = drawn(question)
    source = task.examples("seen", len(base), generator=Generator().manual_seed(5))
    assert isinstance(task, SwapsParts)
    same = task.swap(base, base, task.combines[0])
    assert torch.equal(same.targets, base.targets)
    for part in task.combines:
        swapped = task.swap(base, source, part)
        assert torch.equal(swapped.parts[part], source.parts[part])
        for row in range(0, len(base), 19):
            values = {one.name: one.values[int(swapped.parts[one.name][row])] for one in task.parts}
            answer = QUESTIONS[question].answers[QUESTIONS[question].second(values)]
            assert VOCABULARY[int(swapped.targets[row, -1])] == answer


def test_every_statement_fits_into_the_shortest_window():
    for question in NAMES:
        task = Code(question=question, length=24)
        examples = task.examples("seen", 300, generator=Generator().manual_seed(0))
        assert examples.inputs["tokens"].shape == (300, 24)


def test_the_loss_between_two_tokens_is_that_of_their_two_logits():
    task, examples = drawn("for_while", n=8)
    outputs = torch.randn(8, 32, len(VOCABULARY), generator=Generator().manual_seed(0))
    first, second = task.objective.pair
    gap = outputs[:, -1, second] - outputs[:, -1, first]
    sign = torch.where(examples.targets[:, -1] == second, 1.0, -1.0)
    assert float(task.loss(outputs, examples)) == pytest.approx(float(torch.log1p((-sign * gap).exp()).mean()), rel=1e-5)
    assert torch.equal(task.score(outputs, examples), (sign * gap > 0).float())
    assert bool((task.score(task.objective.ideal(examples.targets), examples) == 1).all())
    with pytest.raises(AssayError, match="must have shape"):
        task.loss(outputs[..., :2], examples)


def test_the_same_seed_draws_the_same_and_another_other_combinations():
    assert torch.equal(drawn("program")[1].inputs["tokens"], drawn("program")[1].inputs["tokens"])
    assert not torch.equal(Code(seed=1).combinations("novel"), Code().combinations("novel"))
    assert load_task(Code(question="with_as", length=40, seed=3).address) == Code(question="with_as", length=40, seed=3)


@pytest.mark.parametrize("question", ["program", "var_swap"])
@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one_example(question: str, n: int):
    for split in ("train", "seen", "novel"):
        _, examples = drawn(question, split, n)
        assert examples.inputs["tokens"].shape == (n, 32)
        assert len(examples.targets) == n


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"question": "quotes"}, "no such question"),
        ({"length": 23}, "length"),
        ({"coverage": 1.0}, "coverage"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_is_refused(options: dict, match: str):
    with pytest.raises(AssayError, match=match):
        Code(**options)
