"""Problems that a file declares: what becomes of texts, by another route, and what is refused, by file and line."""

import json
import re

import numpy as np
import pytest
import torch

from assay.errors import AssayError
from assay.swarm.declared import problem_in, tokenised
from assay.swarm.evaluate import Evaluator
from assay.swarm.scores import IGNORED

pytest.importorskip("transformers")
from texts_for_tests import ENDS, MIDDLES, NUM, VOCABULARY, write_problem


@pytest.fixture(scope="module")
def declared(tmp_path_factory):
    return write_problem(tmp_path_factory.mktemp("swarm"), kept={"shared": "test.jsonl"})


def test_neither_expert_answers_and_their_sum_does(declared):
    problem = problem_in(declared)
    assert problem.pool.span == "linear"
    one = Evaluator(problem.network, problem.pool, utility=problem.utility)
    c = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert one.scores(c).mean(1).tolist() == [0.0, 0.0, 1.0]
    assert one.way == "rows"
    assert list(problem.kept) == ["shared"]
    assert problem.chance == pytest.approx(1 / NUM)
    assert np.unique(problem.utility.test_shared["word"]).tolist() == list(range(NUM))
    assert problem.sources["first"].endswith("adapters/first")


def test_an_item_is_right_when_generation_gives_its_answer(declared):
    problem = problem_in(declared)
    model = problem.network
    model.load_state_dict(problem.pool.weights([1.0, 1.0]))
    prompts = problem.utility.items.inputs["input_ids"][:NUM, :2]
    said = model.generate(prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=2, do_sample=False)[:, 2:]
    assert [[VOCABULARY[k] for k in row] for row in said.tolist()] == [list(pair) for pair in zip(MIDDLES, ENDS, strict=True)]


def test_prompts_of_other_lengths_are_padded_behind_and_not_scored(tmp_path):
    from assay.encoding.hugging_face import load_tokenizer
    from assay.tasks.table_files import read_rows

    write_problem(tmp_path)
    (tmp_path / "a.jsonl").write_text('{"prompt": "f0 w1", "answer": "m1"}\n{"prompt": "w2", "answer": "m2 e2 e3"}\n')
    found = tokenised(read_rows(tmp_path / "a.jsonl"), load_tokenizer(tmp_path / "base"), longest=4)
    name = lambda row: [VOCABULARY[k] if k != IGNORED else None for k in row.tolist()]  # noqa: E731
    assert [name(row) for row in found.inputs["input_ids"]] == [["f0", "w1", "<unk>"], ["w2", "m2", "e2"]]
    assert found.inputs["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert [name(row) for row in found.targets] == [[None, "m1", None], ["m2", "e2", "e3"]]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"prompt": "f0 w0"}', "items.jsonl, line 2 must have a text in answer"),
        ('{"prompt": 3, "answer": "m0"}', "items.jsonl, line 2 must have a text in prompt. Given: 3"),
        ('{"prompt": "", "answer": "m0"}', "items.jsonl, line 2: prompt and answer must each have a token"),
        (json.dumps({"prompt": "f0 " * 8, "answer": "m0 e0"}), "items.jsonl, line 2 must fit in the model's 8 positions"),
        ("[1]", "items.jsonl, line 2 must be one JSON object"),
        ('{"prompt": "f7 w0", "answer": "m0 e0"}', "no test item may be a validation item"),
    ],
)
def test_a_line_that_cannot_be_scored_is_named(line, told, tmp_path):
    path = write_problem(tmp_path, items="items.jsonl")
    first = (tmp_path / "validation.jsonl").read_text().splitlines()[0]
    (tmp_path / "items.jsonl").write_text(f"{first}\n{line}\n")
    with pytest.raises(AssayError, match=re.escape(told)):
        problem_in(path)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"space": "deltas"}, "must declare base, experts, items and test. Given: space"),
        ({"other": 1}, "Given: other"),
        ({"test": "tests.jsonl"}, "the data file must exist. Given: tests.jsonl"),
        ({"base": "bases"}, "bases"),
        ({"experts": {"first": "adapters/first"}}, "at least two experts"),
        ({"experts": {"first": "adapters/first", "second": "adapters"}}, "must hold adapter_config.json"),
        ({"shared": ["filler"]}, "test.jsonl, line 1 must have a value in filler"),
    ],
)
def test_what_the_file_gets_wrong_is_named(changed, told, tmp_path):
    with pytest.raises(AssayError, match=re.escape(told)):
        problem_in(write_problem(tmp_path, **changed))
