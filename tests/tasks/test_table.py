"""The user's own table: every kind of column by construction, and every mistake with its file, line and field."""

import contextlib
import json

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.objective import Classification, Regression, Sequences
from assay.task import SourceToTarget, Tokens, Vector
from assay.tasks.table import read_table
from assay.tasks.table_files import read_rows

ROWS = [
    {"a": a, "b": b, "word": word, "y": a + b, "x": [a / 2, -b], "text": f"{word} and {b}", "split": split}
    for a, b, word, split in [
        (0, 0, "zero", "train"),
        (0, 1, "zero", "train"),
        (1, 0, "one", "train"),
        (1, 1, "one", "novel"),
        (0, 1, "zero", "seen"),
    ]
]
DECLARED = {
    "data": "rows.jsonl",
    "inputs": [{"kind": "token", "columns": ["a", "b"]}],
    "target": {"column": "y", "kind": "class"},
    "parts": [{"name": "a"}, {"name": "b"}],
    "split": {"column": "split"},
}


def toml(value):
    """A value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(value)


@pytest.fixture
def write(tmp_path):
    """Writes a declaration and its rows, changed as asked, and returns the declaration's path."""

    def write(rows=ROWS, *, raw=None, without=(), **changes):
        lines = raw if raw is not None else "\n".join(json.dumps(row) for row in rows)
        (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
        declared = {key: value for key, value in {**DECLARED, **changes}.items() if key not in without}
        text = "\n".join(f"{key} = {toml(value)}" for key, value in declared.items())
        (tmp_path / "table.toml").write_text(text, encoding="utf-8")
        return tmp_path / "table.toml"

    return write


def changed(index, **cells):
    """The rows, with some cells of one of them replaced."""
    return [{**row, **cells} if i == index else row for i, row in enumerate(ROWS)]


def test_classes_have_the_order_that_is_declared(write, generator):
    """Also one that no row has; without it texts are in alphabetical order."""
    words = {row["word"] for row in ROWS}
    declared = ["none of these", *sorted(words, reverse=True)]
    target = {"column": "word", "kind": "class"}
    plain, ordered = (read_table(write(target=one)) for one in (target, {**target, "values": declared}))
    assert plain.objective == Classification(len(words), names=tuple(sorted(words)))
    assert ordered.objective == Classification(len(words) + 1, names=tuple(declared))
    names = [
        [task.objective.names[k] for k in task.examples("seen", 99, generator=generator.clone_state()).targets.tolist()]
        for task in (plain, ordered)
    ]
    assert names[0] == names[1]


def test_whole_numbers_have_the_order_that_is_declared_too(write, generator):
    target = {"column": "y", "kind": "class"}
    values = sorted({row["y"] for row in ROWS}, reverse=True)
    plain = read_table(write(target=target)).examples("seen", 99, generator=generator.clone_state()).targets
    ordered = read_table(write(target={**target, "values": values}))
    found = ordered.examples("seen", 99, generator=generator.clone_state()).targets
    assert [values[k] for k in found.tolist()] == plain.tolist()
    assert ordered.objective.names == tuple(map(str, values))


def test_tokens_and_classes(write, generator):
    task = read_table(write())
    assert task.input_spec == Tokens(vocab=2, length=2)
    assert task.objective == Classification(3)
    assert task.combinations("train").tolist() == task.combinations("seen").tolist() == [[0, 0], [0, 1], [1, 0]]
    assert task.combinations("novel").tolist() == [[1, 1]]
    train = task.examples("train", 100, generator=generator)
    assert {tuple(row) for row in train.inputs["tokens"].tolist()} == {(0, 0), (0, 1), (1, 0)}
    assert torch.equal(train.targets, train.parts["a"] + train.parts["b"])
    seen = task.examples("seen", 100, generator=generator)
    assert seen.inputs["tokens"].tolist() == [[0, 1]], "rows that say seen are what is scored as seen"


def test_without_seen_rows_the_train_rows_are_seen(write, generator):
    seen = read_table(write(ROWS[:4])).examples("seen", 100, generator=generator)
    assert sorted(seen.inputs["tokens"].tolist()) == [[0, 0], [0, 1], [1, 0]]


def test_text_is_numbered_by_alphabet_over_all_columns(write, generator):
    inputs = [{"kind": "token", "columns": ["word", "text"]}]
    task = read_table(write(inputs=inputs, target={"column": "word", "kind": "class"}))
    words = sorted({row["word"] for row in ROWS} | {row["text"] for row in ROWS})
    novel = task.examples("novel", 5, generator=generator)
    assert novel.inputs["tokens"].tolist() == [[words.index("one"), words.index("one and 1")]]
    assert novel.targets.tolist() == [0]
    assert task.input_spec == Tokens(vocab=len(words), length=2)


def test_numbers_and_lists_of_numbers(write, generator):
    inputs = [{"kind": "number", "columns": ["a", "x"]}]
    task = read_table(write(inputs=inputs, target={"column": "x", "kind": "number"}))
    assert task.input_spec == Vector(3)
    novel = task.examples("novel", 5, generator=generator)
    assert novel.inputs["x"].tolist() == [[1.0, 0.5, -1.0]]
    assert novel.inputs["x"].dtype == novel.targets.dtype == torch.float32
    assert novel.targets.tolist() == [[0.5, -1.0]]
    expected = 0.25 * 2 / 9 + 2 / 9  # over the three train rows
    assert isinstance(task.objective, Regression)
    assert task.objective.variance == pytest.approx(expected)


def test_text_in_words(write, generator):
    task = read_table(write(inputs=[{"kind": "text", "column": "text"}]))
    words = ["PAD", "0", "1", "and", "one", "zero"]
    novel = task.examples("novel", 5, generator=generator)
    assert novel.inputs["tokens"].tolist() == [[words.index(word) for word in ("one", "and", "1")]]
    assert task.input_spec == Tokens(vocab=6, length=3)


def test_text_to_text(write, generator):
    rows = [
        {"in": "walk", "out": "W", "how": "once", "what": "walk", "split": "train"},
        {"in": "run", "out": "R", "how": "once", "what": "run", "split": "train"},
        {"in": "walk twice", "out": "W W", "how": "twice", "what": "walk", "split": "train"},
        {"in": "run twice", "out": "R R", "how": "twice", "what": "run", "split": "novel"},
    ]
    path = write(
        rows,
        inputs=[{"kind": "text", "column": "in"}],
        target={"column": "out", "kind": "text"},
        parts=[{"name": "how"}, {"name": "what"}],
    )
    task = read_table(path)
    assert task.input_spec == SourceToTarget(source_vocab=4, source_length=2, target_vocab=5, target_length=3)
    assert task.objective == Sequences(5)
    novel = task.examples("novel", 1, generator=generator)
    assert novel.inputs["source"].tolist() == [[1, 2]]  # PAD 0, run 1, twice 2, walk 3
    assert novel.inputs["prefix"].tolist() == [[1, 3, 3]]  # START 1, R 3
    assert novel.targets.tolist() == [[3, 3, 2]]  # END 2
    train = task.examples("train", 50, generator=generator)
    short = train.parts["how"] == 0
    assert train.targets[short][:, 1:].eq(torch.tensor([2, 0])).all()
    assert train.inputs["source"][short][:, 1].eq(0).all()
    assert task.score(task.objective.ideal(train.targets), train).eq(1).all()


def test_several_inputs_keep_their_names(write, generator):
    inputs = [{"kind": "token", "column": "a", "name": "digits"}, {"kind": "number", "column": "b", "name": "amount"}]
    task = read_table(write(inputs=inputs))
    assert task.input_spec is None
    examples = task.examples("novel", 1, generator=generator)
    assert {name: column.tolist() for name, column in examples.inputs.items()} == {"digits": [[1]], "amount": [[1.0]]}


def test_an_input_of_another_name_fits_no_reference_model(write):
    assert read_table(write(inputs=[{"kind": "token", "columns": ["a", "b"], "name": "ids"}])).input_spec is None
    assert read_table(write(inputs=[{"kind": "number", "columns": ["a", "b"], "name": "v"}])).input_spec is None


def test_graded_parts(write, generator):
    rows = [{**row, "much": amount} for row, amount in zip(ROWS, (0, 0.25, 0, -2, 0.5), strict=True)]
    parts = [{"name": "a"}, {"name": "m", "column": "much", "graded": True}]
    task = read_table(write(rows, parts=parts))
    assert task.part("m").graded
    assert task.part("m").values == ("absent", "present")
    novel = task.examples("novel", 1, generator=generator)
    assert (novel.parts["m"].tolist(), novel.amounts["m"].tolist()) == ([1], [-2.0])
    assert task.combinations("train").tolist() == [[0, 0], [0, 1], [1, 0]]


def test_values_in_the_declared_or_natural_order(write):
    def values(column, part):
        rows = [{**row, "p": value} for row, value in zip(ROWS, column, strict=True)]
        return read_table(write(rows, parts=[{"name": "a"}, {"name": "b"}, {"name": "p", **part}])).part("p").values

    assert values([10, 9, 10, 9, 9], {}) == ("9", "10")
    assert values(["10", "b", "10", "b", "b"], {}) == ("10", "b")
    assert values([True, False, True, True, False], {}) == ("false", "true")
    assert values([1, 2, 1, 2, 2], {"values": [2, "1", "never"]}) == ("2", "1", "never")


def test_combines_leaves_the_other_parts_free(write):
    task = read_table(write(combines=["b", "a"], parts=[{"name": "a"}, {"name": "b"}, {"name": "word"}]))
    assert task.combines == ("b", "a")
    assert task.combinations("novel").tolist() == [[1, 1]]
    assert task.combinations("train").tolist() == [[0, 0], [0, 1], [1, 0]]


def test_novel_combinations_may_be_listed(write, generator):
    task = read_table(write(split={"novel": [[1, 0], ["1", "1"]]}))
    assert task.combinations("novel").tolist() == [[1, 0], [1, 1]]
    assert len(task.examples("novel", 10, generator=generator)) == 2
    assert len(task.examples("seen", 10, generator=generator)) == 3


@pytest.mark.parametrize("split", ["train", "seen", "novel"])
@pytest.mark.parametrize("n", [0, 1])
def test_sizes_zero_and_one(write, split, n, generator):
    examples = read_table(write()).examples(split, n, generator=generator)
    assert len(examples) == n
    assert examples.inputs["tokens"].shape == (n, 2)


def test_parquet_gives_the_same_task_as_json_lines(write, tmp_path):
    import pyarrow
    import pyarrow.parquet

    inputs = [{"kind": "number", "column": "x"}, {"kind": "text", "column": "text"}]
    lines = read_table(write(inputs=inputs))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    columns = read_table(write(inputs=inputs, data="rows.parquet"))
    drawn = [task.examples("train", 20, generator=Generator().manual_seed(0)) for task in (lines, columns)]
    assert all(drawn[0].inputs[name].equal(drawn[1].inputs[name]) for name in ("x", "tokens"))
    assert drawn[0].targets.equal(drawn[1].targets)
    (tmp_path / "rows.parquet").write_bytes((tmp_path / "rows.parquet").read_bytes()[:-10])
    with pytest.raises(AssayError, match=r"rows.parquet must be a whole Parquet file"):
        read_table(tmp_path / "table.toml")


def test_what_a_tokenizer_folder_makes_transformers_say_stays_off_the_terminal(write, tmp_path, capfd):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, "one": 1}, unk_token="[PAD]"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]").save_pretrained(tmp_path / "tok")
    (tmp_path / "tok" / "config.json").write_text(json.dumps({"model_type": "bert\x1b]0;owned\x07\u202e"}))
    (tmp_path / "tok" / "tokenizer_config.json").write_text("{}")
    capfd.readouterr()
    with contextlib.suppress(AssayError):
        read_table(write(inputs=[{"kind": "text", "column": "text", "tokenizer": "tok"}]))
    said = "".join(capfd.readouterr())
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_a_local_tokenizer(write, tmp_path, generator):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"[PAD]": 0, "and": 1, "one": 2, "zero": 3, "0": 4, "1": 5}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]").save_pretrained(tmp_path / "tok")
    rows = changed(3, text="one")
    task = read_table(write(rows, inputs=[{"kind": "text", "column": "text", "tokenizer": "tok"}]))
    assert task.input_spec is None
    novel = task.examples("novel", 1, generator=generator)
    assert novel.inputs["input_ids"].tolist() == [[2, 0, 0]]
    assert novel.inputs["attention_mask"].tolist() == [[1, 0, 0]]
    with pytest.raises(AssayError, match=r"tokenizer must be a local Hugging Face folder. Given: .*nowhere"):
        read_table(write(inputs=[{"kind": "text", "column": "text", "tokenizer": "nowhere"}]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(AssayError, match=r"folder with a tokenizer. Given: .*empty"):
        read_table(write(inputs=[{"kind": "text", "column": "text", "tokenizer": "empty"}]))


A_TOKEN = {"kind": "token", "column": "a"}
X = {"inputs": [{"kind": "number", "column": "x"}]}
TEXT = {"inputs": [{"kind": "text", "column": "text"}]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"without": ["parts"]}, r"table.toml: parts must be declared. Given: nothing. Next: add \[\[parts\]\]"),
        ({"without": ["target"]}, r"target must be declared. .*add \[target\]"),
        ({"without": ["data"]}, r"data must be declared. .*add data = "),
        ({"parts": []}, r"parts must be declared"),
        ({"inputs": [{"column": "a"}]}, r"inputs\[0\].kind must be declared.*add kind = ... to inputs\[0\]"),
        ({"colour": 1}, r"table.toml: a table declaration has no such field. Given: colour. Choices: data, inputs, target"),
        (
            {"target": {"column": "y", "kind": "class", "colum": "z"}},
            r"target has no such field. Given: colum. Choices: column, kind, .*Did you mean column",
        ),
        (
            {"split": {"column": "split", "combines": ["a"]}},
            r"split has no such field. Given: combines.*write combines above the first \[table\]",
        ),
        (
            {"inputs": [{**A_TOKEN, "kind": "tokens"}]},
            r"inputs\[0\].kind must be one of .*Given: tokens. Choices: token, number, text, image. Did you mean token",
        ),
        ({"target": {"column": 3, "kind": "class"}}, r"target.column: Input should be a valid string. Given: 3"),
        ({"inputs": [{"kind": "token"}]}, r"inputs\[0\]: needs either column"),
        ({"inputs": [{**A_TOKEN, "columns": ["a"]}]}, r"inputs\[0\]: needs either column"),
        ({"inputs": [A_TOKEN, {"kind": "text", "columns": ["text"]}]}, r"inputs\[1\]: of kind text reads one column"),
        ({"inputs": [{**A_TOKEN, "tokenizer": "tok"}]}, r"inputs\[0\]: of kind token takes no tokenizer"),
        ({"inputs": [A_TOKEN, A_TOKEN]}, r"inputs must differ in name; 'tokens' is given twice"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, r"parts must differ in name; 'a' is given twice"),
        ({"combines": ["a", "c"]}, r"combines names 'c', which is no part; the parts are a, b"),
        ({"combines": ["a", "a"]}, r"combines must differ in name; 'a' is given twice"),
        ({"target": {"column": "y", "kind": "class", "values": ["0"]}}, r"target: needs two different values or more"),
        ({"target": {"column": "a", "kind": "number", "values": ["0", "1"]}}, r"target: of kind number takes no values"),
        (
            {"target": {"column": "y", "kind": "class", "values": [7, 8]}},
            r"line 1, column 'y': no such value of the target. Given: \d+. Choices: 7, 8",
        ),
        ({"parts": [{"name": "a", "values": ["0"]}]}, r"parts\[0\]: needs two different values or more.*given \['0'\]"),
        ({"parts": [{"name": "a", "values": [0, 0]}]}, r"parts\[0\]: needs two different values or more"),
        ({"parts": [{"name": "a", "values": ["0", "1"], "graded": True}]}, r"parts\[0\]: is graded.*leave values out"),
        ({"target": {"column": "text", "kind": "text"}}, r"a target of kind text needs exactly one input, of kind text"),
        ({"split": {}}, r"split: needs either column"),
        ({"split": {"column": "split", "novel": [["1", "1"]]}}, r"split: needs either column"),
        ({"split": {"novel": [["1"]]}}, r"split.novel: a combination has 2 values \(a, b\); given \['1'\]"),
        ({"split": {"novel": [["1", "2"]]}}, r"split.novel: no such value of part 'b'. Given: 2. Choices: 0, 1"),
        ({"data": "rows.tsv"}, r"rows.tsv: data must be JSON Lines, .*Given: .tsv. Choices: .jsonl, .csv, .parquet"),
        ({"data": "row.jsonl"}, r"data file must exist. Given: row.jsonl. Choices: rows.jsonl. Did you mean rows.jsonl"),
    ],
)
def test_mistakes_in_the_declaration(write, changes, message):
    with pytest.raises(AssayError, match=message):
        read_table(write(**changes))


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (ROWS, {"target": {"column": "z", "kind": "class"}}, r"rows.jsonl has no such column. Given: z. Choices: a, b, word"),
        (ROWS, {"parts": [{"name": "colour"}]}, r"has no such column. Given: colour"),
        (changed(2, y=None), {}, r"rows.jsonl, line 3, column 'y': every row needs a value. Given: null"),
        ([*ROWS, {"a": 1}], {}, r"rows.jsonl, line 6, column 'b': every row needs a value. Given: no such column in this row"),
        (changed(1, split="test"), {}, r"line 2, column 'split': no such split. Given: test. Choices: train, seen, novel"),
        (changed(1, split=3), {}, r"line 2, column 'split': no such split. Given: 3"),
        (
            changed(3, b=2),
            {"parts": [{"name": "a"}, {"name": "b", "values": ["0", "1"]}]},
            r"line 4, column 'b': no such value of part 'b'. Given: 2. Choices: 0, 1",
        ),
        (changed(2, b=0.5), {"inputs": [A_TOKEN]}, r"line 3, column 'b': the value of a part must be text.*Given: 0.5"),
        (
            [{**row, "b": 1} for row in ROWS],
            {},
            r"part 'b' must take at least two values.*Given: only '1' in column 'b' of rows.jsonl",
        ),
        (
            [{**row, "b": 1.5} for row in ROWS],
            {"inputs": [A_TOKEN], "parts": [{"name": "a"}, {"name": "b", "graded": True}]},
            r"part 'b' must take at least two values.*Given: only 'present'",
        ),
        (
            ROWS,
            {"parts": [{"name": "a"}, {"name": "x", "graded": True}]},
            r"line 1, column 'x': a graded part has one number. Given: a list of 2",
        ),
        (
            changed(3, b=0),
            {},
            r"a novel combination must not occur in train.*Given: a=1, b=0: novel in line 4, train in line 3",
        ),
        (changed(4, a=1), {}, r"rows of the split seen must have combinations that occur in train. Given: a=1, b=1 in line 5"),
        (ROWS[3:4], {"parts": [{"name": "a", "values": [0, 1]}]}, r"the split must have train rows. Given: only novel"),
        (ROWS[:3], {"split": {"novel": [[1, 1]]}}, r"needs rows to be tested on. Given: a=1, b=1 is in no row of rows.jsonl"),
        (changed(1, a="zero")[:4], {}, r"line 2, column 'a': must be all text, or all whole numbers.*Given: zero"),
        (changed(1, a=-1)[:4], {}, r"line 2, column 'a': must be all text, or all whole numbers.*Given: -1"),
        (changed(0, y=1.5), {}, r"line 1, column 'y': must be all text, or all whole numbers.*Given: 1.5"),
        ([{**row, "y": 0} for row in ROWS], {}, r"target 'y' must have two classes or more"),
        (
            [{**row, "y": 2.5} for row in ROWS],
            {"target": {"column": "y", "kind": "number"}},
            r"target 'y' must vary over the train rows",
        ),
        (
            changed(3, x=[0.5, "b"]),
            X,
            r"line 4, column 'x': must be a number or a list of numbers. Given: b",
        ),
        (
            changed(3, x=[0.5]),
            X,
            r"line 4.*as long as that of line 1, which has 2",
        ),
        (changed(0, x=True), X, r"line 1, column 'x': must be a number"),
        (
            changed(3, x=[0.5, float("nan")]),
            X,
            r"line 4, column 'x': numbers must be finite.*Given: nan",
        ),
        (
            changed(3, x=[1e39, float("-inf")]),
            X,
            r"line 4, column 'x': numbers must be finite.*Given: 1e\+39",
        ),
        (
            changed(1, text=" "),
            TEXT,
            r"line 2, column 'text': must hold at least one word",
        ),
        (
            changed(1, text=7),
            TEXT,
            r"line 2, column 'text': must be text. Given: 7",
        ),
    ],
)
def test_mistakes_in_the_rows(write, rows, changes, message):
    with pytest.raises(AssayError, match=message):
        read_table(write(rows, **changes))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", r"rows.jsonl must hold at least one row. Given: an empty file"),
        ("\n \n", r"must hold at least one row"),
        ('{"a": 1}\n{"a": 1', r"rows.jsonl, line 2 must be one JSON object. Given: Expecting"),
        ('{"a": 1}\n\n[1, 2]', r"rows.jsonl, line 3 must be one JSON object. Given: \[1, 2\]"),
    ],
)
def test_files_that_are_no_rows(write, raw, message):
    with pytest.raises(AssayError, match=message):
        read_table(write(raw=raw))


def test_a_file_that_is_not_text_or_not_toml(write, tmp_path):
    path = write()
    (tmp_path / "rows.jsonl").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(AssayError, match=r"rows.jsonl must be UTF-8 text"):
        read_table(path)
    path.write_text("data = \n", encoding="utf-8")
    with pytest.raises(AssayError, match=r"table.toml must be a TOML file. Given: Invalid value \(at line 1"):
        read_table(path)
    with pytest.raises(AssayError, match=r"exists. Given: .*tabel.toml. Choices: .*table.toml. Did you mean"):
        read_table(tmp_path / "tabel.toml")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a;b;split\n1;2;train\n", r"separated by commas.*a;b;split.*instead of ';'"),
        (b"a\tb\n1\t2\n", r"separated by commas.*instead of '\\t'"),
        ("a,b\n1,2\n".encode("utf-16"), r"must be UTF-8 text.*begins as UTF-16"),
    ],
)
def test_a_table_of_another_kind_of_text_is_named(tmp_path, content, told):
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(AssayError, match=f"(?s){told}"):
        read_rows(tmp_path / "rows.csv")


def test_words_of_a_text_are_numbered_as_declared(write):
    """A network whose vocabulary has another order than the alphabet reads the words that it was trained on."""
    words = ["zero", "one", "and", "1", "0"]
    text = {"kind": "text", "column": "text"}
    task = read_table(write(inputs=[{**text, "values": words}]))
    (tokens,) = task.examples("novel", 9, generator=Generator()).inputs.values()
    assert tokens.tolist() == [[2, 3, 4]]  # "one and 1"
    (plain,) = read_table(write(inputs=[text])).examples("novel", 9, generator=Generator()).inputs.values()
    assert plain.tolist() == [[4, 3, 2]]  # in the alphabet: 0 1 and one zero
    with pytest.raises(AssayError, match=r"rows.jsonl, line 3.*text.*no such value of the input.*one"):
        read_table(write(inputs=[{**text, "values": [word for word in words if word != "one"]}]))
    with pytest.raises(AssayError, match="takes values"):
        read_table(write(inputs=[{"kind": "token", "columns": ["a", "b"], "values": words}]))
