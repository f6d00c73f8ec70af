"""Scratchpads and prediction files: what is written is read back, what is damaged is named or counted apart."""

import json

import numpy as np
import pytest

from assay.computation import MISSING
from assay.computation.labels import UNPARSED, labelled
from assay.computation.predictions import load_predictions
from assay.computation.scratchpad import read_back, written
from assay.errors import AssayError
from assay.tasks.algorithms import multiplication, non_adjacent_sum, non_adjacent_values, pcfg_trees

PAIR = non_adjacent_values(np.array([[3, -1], [0, 5]]), outputs=False)  # a1 a2 d2 d1
TREES = ["append swap_first_last remove_first A B , C D E , echo shift F G", "repeat A"]


@pytest.mark.parametrize("steps", [True, False])
@pytest.mark.parametrize(
    "graph",
    [
        non_adjacent_sum(np.random.default_rng(0).integers(-5, 6, (5, 6))),
        multiplication(np.array([35, 99]), np.array([90, 12]), 2, 2),
        pcfg_trees(TREES),
    ],
    ids=["sum", "product", "strings"],
)
def test_what_is_written_is_read_back(graph, steps):
    read = read_back(graph, [written(graph, k, steps=steps)[1] for k in range(graph.num_examples)])
    assert np.array_equal(read.values, graph.values)
    assert not read.truncated.any()


def test_a_scratchpad_line_by_line():
    assert written(PAIR, 0) == ("a1 = 3\na2 = -1", "d2 = best sum 1(a2) = 0\nd1 = best sum 2(a1, d2) = 3")
    assert written(PAIR, 0, steps=False)[1] == "d2 = 0\nd1 = 3"


@pytest.mark.parametrize(
    ("text", "values", "truncated"),
    [
        ("d2 = 0\nd1 = 3", [0, 3], False),
        ("Sure! Let us see:\n 1. **D2** = max(-1, 0) = 0.\n- `d1`: 3;\nDone", [0, 3], False),
        ("d2 = 7\nd2 = 0\nd1 = 3", [0, 3], False),  # the correction counts
        ("d2 = 0\nd1 =", [0, MISSING], True),
        ("d2 = 0", [0, MISSING], True),
        ("d1 = 3", [MISSING, 3], False),
        ("d1 = three\nd9 = 4", [MISSING, MISSING], False),
        ("", [MISSING, MISSING], False),
        ("d1 = 3.5", [MISSING, MISSING], False),
    ],
)
def test_reading_is_tolerant_and_knows_what_it_could_not_read(text, values, truncated):
    read = read_back(PAIR, [text, ""])
    assert read.values.tolist() == [3, -1, *values, 0, 5, MISSING, MISSING]
    assert read.truncated.tolist() == [truncated, False]
    kinds = labelled(PAIR, read.values).kind
    assert (kinds[-2:] == UNPARSED).all()


def test_a_text_for_each_example():
    with pytest.raises(AssayError, match="1 for 2"):
        read_back(PAIR, [""])


def save(tmp_path, *lines):
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_a_file_of_predictions(tmp_path):
    path = save(
        tmp_path, {"id": 1, "nodes": {"d2": 5, "d1": None}, "answer": 5, "truncated": True}, "", {"id": 0, "text": "d2 = 1"}
    )
    predicted = load_predictions(path, PAIR)
    assert predicted.values.tolist() == [3, -1, 1, MISSING, 0, 5, 5, MISSING]
    assert predicted.direct.tolist() == [MISSING, 5]
    assert predicted.truncated.tolist() == [False, True], "what the file says"
    assert predicted.unfinished.tolist() == [True, True], "what it holds"
    assert predicted.absent == 0


def test_examples_that_are_not_answered_are_left_out(tmp_path):
    predicted = load_predictions(save(tmp_path, {"id": "second", "nodes": {"d2": 5, "d1": 5}}), PAIR, ids=["first", "second"])
    assert predicted.computations.num_examples == 1
    assert np.array_equal(predicted.values, predicted.computations.values)
    assert predicted.absent == 1
    assert load_predictions(save(tmp_path), PAIR).computations.num_examples == 0


def test_a_number_where_ids_are_strings_is_named(tmp_path):
    with pytest.raises(AssayError, match=r"Given: the number 1\. Choices: 0, 1\. Next: write the string in quotation marks"):
        load_predictions(save(tmp_path, {"id": 1, "nodes": {}}), PAIR, ids=["0", "1"])


def test_texts_are_values_too(tmp_path):
    graph = pcfg_trees(TREES)
    predicted = load_predictions(save(tmp_path, {"id": 1, "text": "v1 = A A", "answer": "A  A"}), graph)
    assert predicted.values[-1] == graph.values[-1] == predicted.direct[0]


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (['{"id": 0, "text": "'], "line 1 must be a JSON object"),
        (["[1]"], "line 1 must be a JSON object"),
        ([{"text": "d1 = 3"}], "Given: id:"),
        ([{"id": 0}], "either text or nodes. Given: neither"),
        ([{"id": 0, "text": "", "nodes": {}}], "Given: both"),
        ([{"id": 0, "text": "", "score": 1}], "Given: score:"),
        ([{"id": 0, "text": 3}], "Given: text:"),
        ([{"id": 7, "text": ""}], "must be that of an example. Given: 7. Choices: 0, 1"),
        ([{"id": "0", "text": ""}], 'Given: the string "0". Choices: 0, 1. Next: write the number without quotation marks'),
        ([{"id": 0, "text": ""}, {"id": 0, "text": ""}], "line 2: every example must be answered once. Given: id 0 again"),
        ([{"id": 0, "nodes": {"d3": 1}}], "must have the node. Given: d3. Choices: a1, a2, d2, d1"),
    ],
)
def test_damaged_files_are_named(tmp_path, lines, rule):
    with pytest.raises(AssayError, match=rule):
        load_predictions(save(tmp_path, *lines), PAIR)
