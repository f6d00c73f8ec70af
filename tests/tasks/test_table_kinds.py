"""Images, shapes, arrays beside the rows, CSV, byte order marks: every kind of file gives the same numbers; and tables whose
novel rows are missing, or lack their answers."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Generator, nn

import assay
from assay.coverage import coverage
from assay.errors import AssayError
from assay.models import configure, rebuild
from assay.models.reference import default_name
from assay.objective import Regression
from assay.task import Image, Task, Tokens
from assay.tasks.table import read_table
from assay.training import train
from plain_instrument import Plain

SIDE = 8
PAIRS = [(a, b) for a in range(SIDE) for b in range(SIDE)]
NOVEL = [(3 * a + b) % 5 == 0 for a, b in PAIRS]
IMAGES = np.random.default_rng(0).random((len(PAIRS), 2, 3, 3)).round(3)
ENDING = """
[[parts]]
name = "a"
[[parts]]
name = "b"
[split]
column = "split"
"""
IMAGE = 'kind = "image"\nchannels = 2\nsize = 3\n'
TARGET = '[target]\nkind = "class"\ncolumn = "y"'


def rows(**columns) -> list[dict]:
    return [
        {"a": a, "b": b, "y": (a + b) % SIDE, "split": "novel" if novel else "train"}
        | {name: cells[index] for name, cells in columns.items()}
        for index, ((a, b), novel) in enumerate(zip(PAIRS, NOVEL, strict=True))
    ]


def write(folder: Path, lines: list[dict], *, inputs: str, target: str = TARGET, data: str = "rows.jsonl") -> Path:
    path = folder / data
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(lines), path)
    else:
        cells = [list(lines[0]), *(["" if cell is None else cell for cell in line.values()] for line in lines)]
        path.write_text("\n".join(",".join(map(str, line)) for line in cells), encoding="utf-8")
    (folder / "table.toml").write_text(f'data = "{data}"\n[[inputs]]\n{inputs}\n{target}\n{ENDING}', encoding="utf-8")
    return folder / "table.toml"


def every_row(task: Task, split: str = "seen"):
    return task.examples(split, 1_000, generator=Generator().manual_seed(0)).in_canonical_order()


def nested(folder: Path, data: str) -> Path:
    return write(folder, rows(pixels=IMAGES.tolist()), inputs=f'{IMAGE}column = "pixels"', data=data)


def flat(folder: Path, data: str) -> Path:
    return write(folder, rows(pixels=IMAGES.reshape(64, -1).tolist()), inputs=f'{IMAGE}column = "pixels"', data=data)


def beside(folder: Path, kind: str) -> Path:
    np.save(folder / "pixels.npy", np.asfortranarray(IMAGES) if kind == "columns" else IMAGES.astype(kind))
    return write(folder, rows(), inputs=f'{IMAGE}file = "pixels.npy"')


def columns_of_csv(folder: Path, data: str) -> Path:
    names = [f"p{k}" for k in range(18)]
    cells = dict(zip(names, IMAGES.reshape(64, -1).T.tolist(), strict=True))
    return write(folder, rows(**cells), inputs=f"{IMAGE}columns = {names}", data=data)


def tensors(folder: Path, data: str) -> Path:
    kind = pa.list_(pa.list_(pa.list_(pa.float32(), 3), 3), 2)
    write(folder, rows(), inputs=f'{IMAGE}column = "pixels"', data=data)
    table = pa.Table.from_pylist(rows()).append_column("pixels", pa.array(IMAGES.tolist(), kind))
    pq.write_table(table, folder / data)
    return folder / "table.toml"


@pytest.mark.parametrize(
    ("make", "how"),
    [
        *((nested, f"rows.{kind}") for kind in ("jsonl", "parquet")),
        *((flat, f"rows.{kind}") for kind in ("jsonl", "parquet")),
        *((beside, kind) for kind in ("<f4", ">f8", "<f2", "columns")),
        (columns_of_csv, "rows.csv"),
        (tensors, "rows.parquet"),
    ],
)
def test_images_are_the_same_from_every_file(tmp_path, make, how):
    task = read_table(make(tmp_path, how))
    assert task.input_spec == Image(channels=2, size=3)
    examples = every_row(task, "novel")
    wanted = torch.from_numpy(IMAGES).float()[torch.tensor(NOVEL)]
    assert examples.inputs["image"].dtype == torch.float32
    torch.testing.assert_close(examples.inputs["image"], wanted, atol=1e-3 if how == "<f2" else 0.0, rtol=0.0)


def test_an_array_beside_the_rows_is_mapped_and_the_file_left_alone(tmp_path):
    path = beside(tmp_path, "<f4")
    before = (tmp_path / "pixels.npy").read_bytes()
    task = read_table(path)
    task._examples.inputs["image"].zero_()
    assert (tmp_path / "pixels.npy").read_bytes() == before


def test_dimensions_of_one_may_be_left_out(tmp_path):
    grey = write(tmp_path, rows(p=IMAGES[:, 0].tolist()), inputs='kind = "image"\nchannels = 1\nsize = 3\ncolumn = "p"')
    assert every_row(read_table(grey)).inputs["image"].shape[1:] == (1, 3, 3)
    wide = write(tmp_path, rows(p=IMAGES[:, :, :2].tolist()), inputs=f'{IMAGE.replace("3", "[2, 3]")}column = "p"')
    task = read_table(wide)
    assert every_row(task).inputs["image"].shape[1:] == (2, 2, 3)
    assert task.input_spec is None, "no model of ours takes an image that is not square"


class Decoder(nn.Module):
    """Two tokens to an image of 2 x 3 x 3 numbers."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(SIDE, 8), nn.Linear(16, 18)

    def forward(self, tokens):
        return self.out(self.embed(tokens).flatten(1)).unflatten(1, (2, 3, 3))


@pytest.mark.parametrize("where", ['column = "p"', 'file = "pixels.npy"'])
def test_a_network_that_answers_with_images(tmp_path, where):
    np.save(tmp_path / "pixels.npy", IMAGES)
    target = f'[target]\nkind = "number"\nshape = [2, 3, 3]\n{where}'
    path = write(tmp_path, rows(p=IMAGES.tolist()), inputs='kind = "token"\ncolumns = ["a", "b"]', target=target)
    task = read_table(path)
    variance = float(torch.from_numpy(IMAGES)[~torch.tensor(NOVEL)].var(0, correction=0).sum())
    assert isinstance(task.objective, Regression)
    assert (task.objective.num_features, task.objective.variance) == (18, pytest.approx(variance))
    assert task.input_spec is None, "no model of ours answers with images"
    examples = every_row(task)
    assert examples.targets.shape[1:] == (2, 3, 3)
    assert task.score(examples.targets, examples).eq(1).all()
    mean = examples.targets.mean(0).expand_as(examples.targets)
    assert float(task.objective.unclipped(mean, examples.targets).mean()) == pytest.approx(0, abs=1e-6)
    audit = assay.audit(
        assay.Subject(Decoder()), task, effort="quick", instruments=[assay.load_instrument("systematicity")], progress=silent
    )
    assert audit.evidence[0].measure("seen_score").value < 0.5


def silent(doing: str, share: float) -> None:
    """No progress."""


@pytest.mark.parametrize(
    ("pixels", "inputs", "message"),
    [
        (IMAGES.transpose(0, 2, 3, 1), f'{IMAGE}column = "p"', r"line 1, column 'p': .* \[2, 3, 3\]. Given: 3 x 3 x 2"),
        (IMAGES[:, 0], f'{IMAGE}column = "p"', r"must be \[2, 3, 3\]. Given: 3 x 3 numbers"),
        (IMAGES[:, 0, 0], f'{IMAGE}column = "p"', r"must hold the numbers of its shape, \[2, 3, 3\]. Given: 3 numbers"),
        (IMAGES, 'kind = "number"\ncolumn = "p"', r"must be declared, such as shape = \[2, 3, 3\]"),
        (IMAGES, 'kind = "number"\nshape = [0]\ncolumn = "p"', r"inputs\[0\].shape\[0\]: Input should be greater"),
        (IMAGES, 'kind = "image"\ncolumn = "p"', r"takes channels = ... and size = ..."),
        (IMAGES, 'kind = "number"\nsize = 3\ncolumn = "p"', r"takes channels = ... and size = ..."),
        (IMAGES, 'kind = "token"\nshape = [2]\ncolumn = "p"', r"of kind token takes no shape"),
        (IMAGES, f'{IMAGE}column = "p"\nfile = "p.npy"', r"needs either column = .* or file"),
        (IMAGES, f'{IMAGE}file = "p.npy"', r"p.npy must be readable"),
    ],
)  # fmt: skip
def test_mistakes_about_shapes(tmp_path, pixels, inputs, message):
    with pytest.raises(AssayError, match=message):
        read_table(write(tmp_path, rows(p=pixels.tolist()), inputs=inputs))


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (IMAGES[:5], r"pixels.npy must have as many rows as .*rows.jsonl. Given: 5 and 64"),
        (np.full((64, 18), np.nan), r"line 1, column '.*pixels.npy': numbers must be finite in 32 bits. Given: nan"),
        (np.full((64, 18), 1e39), r"finite in 32 bits. Given: 1e\+39"),
        (np.array([{}] * 64), r"must be a whole .npy file of numbers"),
        (np.array(["a"] * 64), r"must be a whole .npy file of numbers. Given: <U1"),
        (np.ones((64, 18), complex), r"must be a whole .npy file of numbers"),
        (np.float32(3), r"must be a whole .npy file of numbers"),
    ],
)
def test_mistakes_about_arrays(tmp_path, saved, message):
    path = beside(tmp_path, "<f4")
    np.save(tmp_path / "pixels.npy", saved, allow_pickle=True)
    with pytest.raises(AssayError, match=message):
        read_table(path)


def test_the_size_of_an_array_is_bounded_by_what_it_says(tmp_path, monkeypatch):
    path = beside(tmp_path, "<f4")
    whole = (tmp_path / "pixels.npy").read_bytes()
    (tmp_path / "pixels.npy").write_bytes(whole[:-1])
    with pytest.raises(AssayError, match=r"Given: 4,607 bytes for 1,152 numbers"):
        read_table(path)
    (tmp_path / "pixels.npy").write_bytes(whole)
    monkeypatch.setattr("assay.bounds.MOST_CELLS", 1_151)
    with pytest.raises(AssayError, match=r"at most 1,151 numbers. Given: 1,152"):
        read_table(path)


def test_tokens_in_lists_and_arrays(tmp_path):
    wanted = torch.tensor(PAIRS)[torch.tensor(NOVEL)]
    np.save(tmp_path / "ids.npy", np.array(PAIRS, dtype="u1"))
    for given in ('column = "ids"', 'file = "ids.npy"'):
        for data in ("rows.jsonl", "rows.parquet"):
            task = read_table(write(tmp_path, rows(ids=PAIRS), inputs=f'kind = "token"\n{given}', data=data))
            assert task.input_spec == Tokens(SIDE, 2)
            assert every_row(task, "novel").inputs["tokens"].equal(wanted)
    np.save(tmp_path / "ids.npy", np.array(PAIRS) - 1)
    with pytest.raises(AssayError, match=r"line 1.*whole numbers from 0.*Given: \[-1, -1\]"):
        read_table(write(tmp_path, rows(), inputs='kind = "token"\nfile = "ids.npy"'))


# CSV and byte order marks


def test_csv_gives_the_same_task_as_json_lines(tmp_path):
    words = [f"{a} {b}" for a, b in PAIRS]
    kinds = {"number": "x", "text": "digits", "token": "word"}
    inputs = "[[inputs]]\n".join(f'kind = "{kind}"\ncolumn = "{name}"\nname = "{name}"\n' for kind, name in kinds.items())
    cells = {"x": [a / 2 for a, _ in PAIRS], "digits": [str(b) for _, b in PAIRS], "word": words}
    found = [
        every_row(read_table(write(tmp_path, rows(**cells), inputs=inputs, data=f"rows.{kind}"))) for kind in ("jsonl", "csv")
    ]
    for one, other in ((found[0].inputs, found[1].inputs), (found[0].parts, found[1].parts)):
        assert one.keys() == other.keys()
        assert all(one[name].equal(other[name]) for name in one)
    assert found[0].targets.equal(found[1].targets)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"must hold at least one row"),
        ("a,b,y,split\n", r"must hold at least one row"),
        ("a,b,y,split\n0,1,0\n", r"rows.csv, line 2 must have as many cells as the first line has names. Given: 3 and 4"),
        ("a,b,y,y\n0,1,0,0\n", r"must name every column once"),
        ('a,b,y,split\n0,1,"0" 0,train\n', r"rows.csv, line 2 must be comma-separated values"),
        ("a,b,y,split\n0,1,,train\n1,1,0,novel\n1,0,1,train\n", r"line 2, column 'y': every row needs a value"),
        ("a,b,y,split\n00,1,1,train\n1,1,0,novel\n1,0,1,train\n", r"line 2, column 'y': must be all text"),
    ],
)  # fmt: skip
def test_mistakes_in_csv(tmp_path, text, message):
    path = write(tmp_path, rows(), inputs='kind = "token"\ncolumns = ["a", "b"]', data="rows.csv")
    (tmp_path / "rows.csv").write_text(text)
    if "00" in text:
        path.write_text(path.read_text().replace('["a", "b"]', '["a", "y"]'))
    with pytest.raises(AssayError, match=message):
        read_table(path)


@pytest.mark.parametrize("data", ["rows.jsonl", "rows.csv"])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path, data):
    path = write(tmp_path, rows(), inputs='kind = "token"\ncolumns = ["a", "b"]', data=data)
    plain = every_row(read_table(path))
    for file in (path, tmp_path / data):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert every_row(read_table(path)).inputs["tokens"].equal(plain.inputs["tokens"])
    if data == "rows.jsonl":
        assert coverage(path).num_novel == sum(NOVEL)


# Without novel rows, or without their answers


class Adds(nn.Module):
    """Addition of two numbers, computed."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(SIDE, SIDE)
        self.out = nn.Linear(SIDE * SIDE, SIDE, bias=False)
        numbers = torch.arange(SIDE)
        with torch.no_grad():
            self.embed.weight.copy_(torch.eye(SIDE))
            self.out.weight.copy_(nn.functional.one_hot((numbers[:, None] + numbers).flatten() % SIDE).float().T)

    def forward(self, tokens):
        both = self.embed(tokens)
        return self.out((both[:, 0, :, None] * both[:, 1, None, :]).flatten(1))


def lacking(folder: Path, how: str) -> Task:
    lines = rows()
    if how == "no novel rows":
        lines = [line for line in lines if line["split"] == "train"]
    else:
        lines = [{**line, "y": None} if line["split"] == "novel" else line for line in lines]
    return read_table(write(folder, lines, inputs='kind = "token"\ncolumns = ["a", "b"]'))


@pytest.mark.parametrize(("how", "level"), [("no novel rows", 0), ("no answers", 1)])
def test_what_a_table_lacks_is_said_and_the_rest_is_audited(tmp_path, how, level):
    task = lacking(tmp_path, how)
    assert task.level == level
    assert len(task.combinations("novel")) == (sum(NOVEL) if level else 0)
    names = ("systematicity", "decodability", "recombination")
    audit = assay.audit(
        assay.Subject(Adds()), task, effort="quick", instruments=[assay.load_instrument(name) for name in names]
    )
    assert audit.level == level
    assert [item.instrument for item in audit.evidence] == list(names)
    score, probe, _ = audit.evidence
    assert score.measure("seen_score").value == 1.0
    assert not any(measure.key.startswith("novel") or measure.key == "generalisation_gap" for measure in score.measures)
    assert ("no novel combinations" if level == 0 else "novel combinations without answers") in score.summary
    assert score.not_tested[0].startswith("Whether novel combinations work: the task has")
    read = [measure for measure in probe.measures if measure.key == "decodability_on_novel_combinations"]
    assert bool(read) == (level == 1), "the inside is read on novel inputs, which need no answers"
    assert audit.verdict.novel.basis == "nothing"


@pytest.mark.parametrize("how", ["no answers", "images"])
def test_a_table_of_every_kind_is_judged_in_a_process_that_cannot_reach_it(tmp_path, how):
    task = read_table(beside(tmp_path, "<f4")) if how == "images" else lacking(tmp_path, how)
    network = rebuild(configure(default_name(task), task, width=4), generator=Generator().manual_seed(0))
    chosen = [Plain()]
    here, apart = (
        assay.audit(assay.Subject(network), task, effort="quick", level=level, instruments=chosen) for level in (2, 0)
    )
    assert apart.level == 0
    assert apart.evidence == here.evidence


@pytest.mark.parametrize("how", ["no novel rows", "no answers"])
def test_what_needs_novel_answers_refuses_or_leaves_them_out(tmp_path, how):
    task = lacking(tmp_path, how)
    with pytest.raises(AssayError, match=r"a task must have both\. Given: table:.*, which has"):
        coverage(task)
    run = train(task.address, out=tmp_path / "run", options={"width": 4}, config={"steps": 2, "warmup": 0})
    assert run.read_record().scores.keys() == {"seen"}
    plan = assay.SweepPlan(task=task.address, over={"width": ("4", "8")}, seeds=1)
    with pytest.raises(AssayError, match="a sweep measures scores on novel combinations"):
        assay.sweep(plan, out=tmp_path / "swept")


def test_a_table_without_a_split_has_trained_rows_alone(tmp_path):
    path = write(tmp_path, rows(), inputs='kind = "token"\ncolumns = ["a", "b"]')
    path.write_text(path.read_text().partition("[split]")[0])
    task = read_table(path)
    assert (task.level, len(task.combinations("train")), len(every_row(task, "novel"))) == (0, 64, 0)


def test_some_answers_of_novel_rows_are_a_mistake(tmp_path):
    lines = rows()
    first = NOVEL.index(True)
    lines[first]["y"] = None
    with pytest.raises(AssayError, match=rf"line {first + 1}, column 'y': either every novel row has an answer or none has"):
        read_table(write(tmp_path, lines, inputs='kind = "token"\ncolumns = ["a", "b"]'))
    trained = NOVEL.index(False)
    lines = [{**line, "y": None} if line["split"] == "novel" or index == trained else line for index, line in enumerate(rows())]
    with pytest.raises(AssayError, match=rf"line {trained + 1}, column 'y': every row needs a value"):
        read_table(write(tmp_path, lines, inputs='kind = "token"\ncolumns = ["a", "b"]'))


def test_texts_without_answers_are_read_and_scored_before_their_first_word(tmp_path):
    """And trained whole."""
    words = ("no", "one", "two", "three")
    lines = [
        {**line, "text": f"t{line['a']} u{line['b']}", "y": f"{words[line['a'] % 4]} {words[line['b'] % 4]}"} for line in rows()
    ]
    lacks = [{**line, "y": None} if line["split"] == "novel" else line for line in lines]
    target, inputs = '[target]\nkind = "text"\ncolumn = "y"', 'kind = "text"\ncolumn = "text"'
    whole = read_table(write(tmp_path, lines, inputs=inputs, target=target))
    task = read_table(write(tmp_path, lacks, inputs=inputs, target=target))
    assert (whole.level, task.level) == (2, 1)
    assert task.objective.unit == "exact match of the first word"
    seen, novel, full = (every_row(task, split) for split in ("seen", "novel", "train"))
    for examples in (seen, novel):
        assert examples.inputs["prefix"][:, 0].eq(1).all()
        assert examples.inputs["prefix"][:, 1:].eq(0).all()
    assert seen.targets[:, 1:].eq(0).all()
    assert seen.targets[:, 0].gt(2).all()
    complete = every_row(whole, "seen")
    assert seen.targets[:, 0].equal(complete.targets[:, 0])
    assert full.targets[:, 2].eq(2).all()  # the end
    assert len(novel) == sum(NOVEL)
    scores = task.score(task.objective.ideal(complete.targets), seen)
    assert scores.eq(1).all()
    run = train(
        task.address, out=tmp_path / "run", options={"width": 16, "depth": 1, "heads": 2}, config={"steps": 2, "warmup": 0}
    )
    assert run.read_record().scores.keys() == {"seen"}


def test_a_missing_declaration_says_what_to_do(tmp_path):
    with pytest.raises(AssayError, match=r"TOML file that exists.*Next: check the path, or write one: docs/table.md"):
        read_table(tmp_path / "table.toml")
