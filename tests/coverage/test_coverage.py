"""`assay coverage`: what is read, what is told, and what is refused."""

import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

import assay
from assay.cli import main
from assay.coverage.page import coverage_html
from assay.coverage.sequences import filled_template
from assay.errors import AssayError
from assay.novelty import novelty_of
from assay.tasks import load_task

TRAIN = [(0, 0, "p"), (1, 0, "p"), (0, 1, "q"), (2, 0, "r"), (2, 1, "s"), (3, 2, "t")]
TEST = [(1, 1, "q"), (0, 2, "x"), (3, 0, "y")]


def rows(data):
    return [dict(zip(("a", "b", "y"), map(str, row), strict=True)) for row in data]


def written(folder, suffix, data, name):
    path = folder / f"{name}{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows(data)))
    elif suffix == ".csv":
        path.write_text("a,b,y\n" + "".join(",".join(map(str, row)) + "\n" for row in data))
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows(data)), path)
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_every_kind_of_file_and_rows_in_memory_give_the_same(tmp_path, suffix):
    files = [written(tmp_path, suffix, data, name) for name, data in (("train", TRAIN), ("test", TEST))]
    found, memory = assay.coverage(*files), assay.coverage(rows(TRAIN), rows(TEST))
    assert (found.synonyms.count, found.inside_1.count, found.outside_1.count) == (1, 0, 2)
    assert found.synonyms.share == pytest.approx(1 / 3)
    skipped = ("title",)
    assert {k: v for k, v in found.to_json().items() if k not in skipped} == {
        k: v for k, v in memory.to_json().items() if k not in skipped
    }
    assert "Parts (all columns but the answer, which is the last column): a, b. Answer: y." in found.definition


def test_the_published_shares_of_tasks_of_ours():
    found = assay.coverage("modular:num_first=12,num_second=12,synonyms=true,coverage=0.8,seed=0")
    assert (found.synonyms.count, found.num_novel) == (23, 29)
    found = assay.coverage("modular:num_first=16,num_second=16,synonyms=true,seed=0,coverage=0.9")
    assert (found.synonyms.count, found.num_novel) == (24, 26)
    found = assay.coverage("transducer:synonyms=true,seed=1,coverage=0.8")
    assert (found.synonyms.count, found.num_novel) == (735, 819)
    assert all(each.accuracy == 1 for each in found.predictors if "substitution" in each.name)


def test_tasks_of_ours_have_no_synonyms_unless_asked_for():
    for address in ("modular", "modular:maps=affine", "modular-addition"):
        found = assay.coverage(address)
        assert (found.synonyms.count, found.inside_1.count, found.outside_1.count) == (0, 0, found.num_novel), address
    assert assay.coverage("modular-addition").outside_1.count == 288
    assert assay.coverage("modular-addition:names=2,p=15").synonyms.share > 0.9
    for address in ("transducer", "modular:stages=3"):  # three parts and more, of which two stand in for other two
        found = assay.coverage(address)
        assert (found.synonyms.count, found.inside_1.count) == (0, found.num_novel)


def test_sums_modulo_31_have_no_synonyms_and_nothing_inside():
    every = np.random.default_rng(0).permutation([(i, j) for i in range(31) for j in range(31)]).tolist()
    table = [{"i": i, "j": j, "y": (i + j) % 31} for i, j in every]
    found = assay.coverage(table[:672], table[672:])
    assert found.synonyms.count == found.inside_1.count == 0
    assert found.outside_1.count == 289
    assert found.sentence == ("0 % of your 289 novel combinations are synonyms of trained ones; 289 lie outside 1-coverage.")


def test_an_argument_may_be_a_part():
    as_map = assay.coverage("modular:coverage=0.8,maps=permutation")
    as_part = assay.coverage("modular:coverage=0.8,maps=permutation", parts=("i", "j", "x"))
    assert as_map.synonyms.count == as_map.inside_1.count == 0
    assert as_part.inside_k[1].share == 1  # what (i, x) gives stands in for another (i, x)


def test_parts_may_be_a_function_whose_docstring_is_told():
    def ends(row):
        """The first and the last letter."""
        return {"first": row["word"][0], "last": row["word"][-1]}

    words = [{"word": word, "kind": kind} for word, kind in (("ab", 0), ("cb", 0), ("ad", 1))]
    found = assay.coverage(words, [{"word": "cd", "kind": 1}], parts=ends)
    assert found.definition == "Parts: The first and the last letter."
    assert found.synonyms.count == 1


def test_a_toml_table_has_both_sides(tmp_path):
    data = [dict(row, split=split) for side, split in ((TRAIN, "train"), (TEST, "novel")) for row in rows(side)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    (tmp_path / "table.toml").write_text(
        'data = "data.jsonl"\ncombines = ["a", "b"]\ninputs = [{ kind = "token", columns = ["a", "b"] }]\n'
        'target = { column = "y", kind = "class" }\nparts = [{ name = "a" }, { name = "b" }]\nsplit = { column = "split" }\n'
    )
    found = assay.coverage(tmp_path / "table.toml")
    assert (found.synonyms.count, found.outside_1.count) == (1, 2)


# Bad input


def test_shared_rows_are_counted_named_and_left_out():
    found = assay.coverage(rows(TRAIN), rows([*TEST, TRAIN[1], TRAIN[3]]))
    assert (found.shared, found.num_novel) == (2, 3)
    assert any("2 combinations of the test data are trained and left out, such as a=1, b=0." in n for n in found.notes)
    assert assay.coverage(rows(TRAIN), rows(TRAIN)).sentence.startswith("No combination of the test data is novel")


def test_contradicting_answers_are_counted_and_the_first_is_named():
    found = assay.coverage(rows([*TRAIN, (1, 0, "z")]), rows(TEST))
    assert found.contradictions == 1
    assert any("1 trained combination with contradicting answers" in n and "a=1, b=0" in n for n in found.notes)


def test_a_part_that_determines_another_is_named():
    table = [{"a": a, "c": a % 2, "b": b, "y": a + b} for a in range(4) for b in range(3)]
    found = assay.coverage(table[:-1], table[-1:], parts=("a", "c", "b"), answer="y")
    assert found.determined == (("a", "c"),)
    assert "In training, a determines c, so their effects cannot be separated." in found.notes


def test_values_never_seen_and_values_apart_are_doomed():
    found = assay.coverage(rows(TRAIN), rows([*TEST, (9, 0, "p")]))
    assert [f"{value.part}={value.value}" for value in found.doomed] == ["a=3", "a=9", "b=2"]
    assert found.groups == 2
    assert any("1 value of novel combinations never trained, such as a=9." in note for note in found.notes)


@pytest.mark.parametrize(
    ("train", "test", "options", "told"),
    [
        (rows(TRAIN), [{"a": "0", "y": "p"}], {}, "the test data must have every part"),
        ([{"a": 1, "y": 2}], [{"a": 2, "y": 2}], {}, "at least two different parts"),
        (rows(TRAIN), rows(TEST), {"parts": ("a",)}, "at least two different parts"),
        (rows(TRAIN), rows(TEST), {"answer": "z"}, "the answer must be a column"),
        ([], rows(TEST), {}, "at least one row"),
        (rows(TRAIN), None, {}, "needs a file of test data"),
        ("modular", "modular", {}, "contain both"),
        ("hyperteacher", None, {}, "classes or sequences"),
    ],
)
def test_what_cannot_be_measured_is_refused(train, test, options, told):
    with pytest.raises(AssayError, match=told):
        assay.coverage(train, test, **options)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".txt"])
def test_empty_and_broken_files_are_named(tmp_path, suffix):
    good = written(tmp_path, ".csv", TEST, "test")
    for content in ("", "{", "a,b,y\n1,2\n"):
        bad = tmp_path / f"train{suffix}"
        bad.write_text(content)
        with pytest.raises(AssayError, match="train"):
            assay.coverage(bad, good)


@pytest.mark.parametrize("line", ["null", "1", "[1]", '"a"', "[" * 100_000])
def test_a_line_that_is_no_row_is_named(tmp_path, line):
    """Arrow's own reader ends the process at some of these."""
    good = written(tmp_path, ".jsonl", TEST, "test")
    bad = tmp_path / "train.jsonl"
    bad.write_text(f"{line}\n{good.read_text()}")
    with pytest.raises(AssayError, match=r"train\.jsonl, line 1"):
        assay.coverage(bad, good)


@pytest.mark.parametrize("options", [{}, {"parts": lambda row: {"a": row["a"], "b": row["b"]}}])
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"a": "1", "b": "1", "y": "0"} {"a": "2", "b": "2", "y": "1"}', "line 1 must be one JSON object"),
        ('{"a": "1", "y": "0"}', "train.jsonl: every row must have the same columns"),
        ('{"a": "1", "a": "2", "b": "1", "y": "0"}', "line 1 must be one JSON object. Given: the key .a. more than once"),
    ],
)
def test_a_line_that_arrow_would_read_as_something_else_is_refused(tmp_path, line, told, options):
    good = written(tmp_path, ".jsonl", TEST, "test")
    (tmp_path / "train.jsonl").write_text(f"{line}\n{good.read_text()}")
    with pytest.raises(AssayError, match=told):
        assay.coverage(tmp_path / "train.jsonl", good, **options)


def test_null_is_a_value_that_is_missing(tmp_path):
    good = written(tmp_path, ".jsonl", TEST, "test")
    (tmp_path / "train.jsonl").write_text('{"a": null, "b": "1", "y": "0"}\n')
    assert "(missing)" in assay.coverage(tmp_path / "train.jsonl", good).values[0]


@pytest.mark.parametrize("options", [{}, {"parts": lambda row: {"a": row["a"], "b": row["b"]}}])
def test_times_that_python_cannot_hold_are_refused(tmp_path, options):
    path = tmp_path / "train.parquet"
    columns = {"a": pyarrow.array([2**62, 1], pyarrow.timestamp("us")), "b": [0, 1], "y": [0, 1]}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    with pytest.raises(AssayError, match="Python can hold"):
        assay.coverage(path, written(tmp_path, ".csv", TEST, "test"), **options)


@pytest.mark.parametrize("value", ["\ud800", "9" * 5_000, "\x1b[31m"])
def test_strange_texts_are_values_like_others(tmp_path, value):
    data = [{"a": a, "b": b, "y": "p"} for a in (value, "u") for b in (value, "v")]
    for side in ("train", "test"):
        (tmp_path / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data[: 3 if side == "train" else 4]))
    found = assay.coverage(tmp_path / "train.jsonl", tmp_path / "test.jsonl")
    assert (found.num_novel, found.synonyms.count) == (1, 1)
    assert "\x1b" not in coverage_html(found)


@pytest.mark.parametrize("first", [[None, 0.5, 0.5, 1.0], [0.5, 1.0], []])
def test_lists_are_values(tmp_path, first):
    data = [{"n": first, "b": 0, "y": 0}, *({"n": [0.5, 1.0], "b": b, "y": b} for b in (0, 1, 2))]
    for side in ("train", "test"):
        (tmp_path / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    found = assay.coverage(tmp_path / "train.jsonl", tmp_path / "test.jsonl")
    assert found.num_trained == len({(str(row["n"]), row["b"]) for row in data})


def test_seen_rows_of_a_table_do_not_hide_its_training_rows(tmp_path):
    """Values 2k and 2k + 1 of a act identically; rows of `seen` repeat some trained ones."""
    rows = [{"a": str(a), "b": str(b), "y": (a // 2 * 7 + b) % 23} for a in range(8) for b in range(10)]
    rows = [{**row, "s": "novel" if int(row["a"]) % 2 and int(row["b"]) % 2 else "train"} for row in rows]
    rows += [{**row, "s": "seen"} for row in rows if row["a"] == "0"]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "table.toml").write_text(
        'data = "data.jsonl"\ncombines = ["a", "b"]\ninputs = [{ kind = "token", columns = ["a", "b"] }]\n'
        'target = { kind = "class", column = "y" }\nparts = [{ name = "a" }, { name = "b" }]\nsplit = { column = "s" }\n'
    )
    found = assay.coverage(tmp_path / "table.toml")
    assert (found.num_trained, found.num_novel, found.synonyms.count) == (60, 20, 20)
    assert novelty_of(load_task(f"table:{tmp_path / 'table.toml'}")).kinds == ("synonym",) * 20


def test_categories_are_values(tmp_path):
    columns = {name: pyarrow.array(["u", "v", "u"]).dictionary_encode() for name in ("a", "b", "y")}
    for side in ("train", "test"):
        pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / f"{side}.parquet")
    assert assay.coverage(tmp_path / "train.parquet", tmp_path / "test.parquet").num_trained == 2


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "train.csv").write_text("\ufeffa,b,y\n01,0,1\n1,1,2\n", encoding="utf-8")
    (tmp_path / "test.csv").write_text("a,b,y\n01,1,1\n")
    found = assay.coverage(tmp_path / "train.csv", tmp_path / "test.csv")
    assert (found.parts, found.values[0], found.num_novel) == (("a", "b"), ("01", "1"), 1)


@pytest.mark.parametrize("content", ["\n\n  \n", "{}\n{}\n"])
def test_rows_without_columns_are_refused(tmp_path, content):
    (tmp_path / "train.jsonl").write_text(content)
    with pytest.raises(AssayError, match=r"columns|at least one row"):
        assay.coverage(tmp_path / "train.jsonl", tmp_path / "train.jsonl")


def test_more_columns_than_anyone_combines_are_refused_at_once(tmp_path):
    (tmp_path / "wide.csv").write_text(",".join(f"c{k}" for k in range(8000)) + "\n" + ",".join("1" * 8000) + "\n")
    with pytest.raises(AssayError, match="at most 200 parts"):
        assay.coverage(tmp_path / "wide.csv", tmp_path / "wide.csv")


def test_what_cannot_be_text_is_refused(tmp_path):
    with pytest.raises(AssayError, match="convertible to text"):
        assay.coverage([{"a": 10**5_000, "b": 0, "y": 0}], [{"a": 1, "b": 1, "y": 0}])
    (tmp_path / "train.jsonl").write_bytes(b'{"\xf8": 0, "b": 1, "y": 0}\n')
    with pytest.raises(AssayError, match="must be UTF-8"):
        assay.coverage(tmp_path / "train.jsonl", written(tmp_path, ".csv", TEST, "test"))


def test_more_than_sixteen_parts_are_refused():
    table = [{f"p{k}": (row + k) % 2 for k in range(17)} | {"y": 0} for row in range(2)]
    with pytest.raises(AssayError, match="at most 16"):
        assay.coverage(table, [{**table[0], "p1": 0, "p0": 1}])


# The command and the page


def test_the_command_prints_the_sentence_and_writes_a_page_and_its_numbers(tmp_path, capsys):
    files = [str(written(tmp_path, ".csv", data, name)) for name, data in (("train", TRAIN), ("test", TEST))]
    assert main(["coverage", *files, "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert (
        shown.out.splitlines()[0] == "33 % of your 3 novel combinations are synonyms of trained ones; 2 lie outside 1-coverage."
    )
    assert "Parts (all columns but the answer" in shown.err
    page = (tmp_path / "out" / "coverage.html").read_text()
    assert page.count("<script") == 1
    assert "http" not in page.replace("http-equiv", "")
    assert main(["coverage", *files, "--json", "--parts", "a,b", "--answer", "y"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["synonyms"] == {"share": pytest.approx(1 / 3), "count": 1}
    assert told["outside_1"]["count"] == 2
    assert told["inside_1"] == {"share": 0, "count": 0}
    stored = json.loads((tmp_path / "out" / "coverage.json").read_text())
    assert stored.pop("definition") != told.pop("definition")
    assert stored == told


def test_values_are_escaped_and_all_cells_are_drawn():
    wild = [{"a": "<b>&", "b": 0, "y": 1}, {"a": "c", "b": 0, "y": 1}, {"a": "<b>&", "b": 1, "y": 2}]
    found = assay.coverage(wild, [{"a": "c", "b": 1, "y": 2}])
    page = coverage_html(found)
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page
    assert 'class="synonym"' in page


def test_a_sentence_is_its_template_and_its_words():
    assert filled_template("Who did the cat like ?") == ("who did the _ _ ?", ["cat", "like"])


@pytest.mark.parametrize(
    ("novel", "sentence"),
    [
        ({"a": 1, "b": 1, "y": 2}, "Your one novel combination lies outside 1-coverage."),
        ({"a": 2, "b": 1, "y": 1}, "Your one novel combination is a synonym of a trained one."),
    ],
)
def test_one_novel_combination_is_told_as_one(novel, sentence):
    trained = [{"a": 0, "b": 0, "y": 0}, {"a": 0, "b": 1, "y": 1}, {"a": 1, "b": 0, "y": 5}, {"a": 2, "b": 0, "y": 0}]
    assert assay.coverage(trained, [novel]).sentence == sentence
