"""Readers of data and of addresses: tables, treebanks, published files, tasks and sweeps as they are written."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from mutations import EXTREMES, changed, cut, lines_of, written
from of_networks import TASK
from reader import Reader, written_as
from torch import Generator

from assay.data.conllu import read_conllu
from assay.tasks import load_task, task_families

_TOML = b"""data = "rows.jsonl"
combines = ["a", "b"]

[[inputs]]
kind = "token"
columns = ["x", "y"]

[[inputs]]
kind = "number"
name = "amount"
column = "n"

[target]
column = "t"
kind = "class"

[[parts]]
name = "a"
values = ["u", "v"]

[[parts]]
name = "b"

[[parts]]
name = "c"
of = ["a", "b"]

[split]
column = "s"
"""
_ROWS = [
    {"x": x, "y": y, "n": [0.5, 1.0], "t": (x + y) % 2, "a": "uv"[x], "b": y, "c": str(x + y), "s": ("train", "novel")[x * y]}
    for x in range(2)
    for y in range(2)
]
_JSONL = "\n".join(map(json.dumps, _ROWS)).encode()
_TOML_TOKENS = (
    *(b"data", b"inputs", b"[[inputs]]", b"[[parts]]", b"[split]", b"[target]", b"kind", b"column", b"values", b"of", b"="),
    *(b'"text"', b'"number"', b'"token"', b'"class"', b'"a"', b'""', b'"\0"', b"[]", b'["a"]', b'[["u", 1], ["v", 0]]'),
    *(
        b"novel",
        b"nan",
        b"inf",
        b"1" * 5_000,
        b"1979-05-27",
        b"true",
        b".".join([b"a"] * 3_000),
        b"[" * 3_000,
        b"{a.b.c.d=1}",
        b"'''",
    ),
    *(b'"/dev/zero.jsonl"', b'"../rows.jsonl"', b'"' + b"x" * 300 + b'.jsonl"', b'"rows.parquet"'),
    *(b"tokenizer", b"graded", b"\xff"),
)
_IMAGES = _TOML.replace(
    b'kind = "number"\nname = "amount"\ncolumn = "n"', b'kind = "image"\nfile = "images.npy"\nchannels = 1\nsize = 2'
)
_IMAGE_TOKENS = (
    b"shape",
    b"file",
    b"channels",
    b"size",
    b"0",
    b"-1",
    b"2",
    b"[1, 4]",
    b"[2, 2, 2]",
    b"[]",
    b"9" * 30,
    b'"/dev/zero"',
)
_PIXELS = np.arange(16, dtype=np.float32).reshape(4, 1, 2, 2)
_HEADERS = (
    *(
        b"(4, 1, 2, 2)",
        b"(16,)",
        b"()",
        b"(-4, 1, 2, 2)",
        b"(4, 0, 2, 2)",
        b"(4, 1, 2, 2" + b"0" * 30 + b")",
        b"(4, True, 2, 2)",
    ),
    *(
        b"'<f4'",
        b"'>f4'",
        b"'<f8'",
        b"'|O'",
        b"'|V4'",
        b"'<U9'",
        b"'<c8'",
        b"'<M8[s]'",
        b"'|b1'",
        b"'(2,2)<f4'",
        b"[('a', '<f4')]",
    ),
    *(b"{'descr': '<f4'}", b"__import__('os')", b"[" * 2_000, b"True", b"None", b"", b"\xff"),
)
_ROWS_CSV = b"x,y,n,t,a,b,c,s\n" + b"".join(
    ",".join(str(row[name] if name != "n" else x) for name in ("x", "y", "n", "t", "a", "b", "c", "s")).encode() + b"\n"
    for x, row in enumerate(_ROWS)
)
_CONLLU_TOKENS = (
    *(b"0", b"1", b"2", b"3", b"-1", b"1-2", b"2-1", b"1.1", b"0.1", b"_", b"", b" ", b"root", b"PUNCT", b"# text = a", b"#"),
    *(b"9" * 5_000, b"1-" + b"9" * 5_000, b"9" * 5_000 + b".1", "\u0663".encode(), "\u00b2".encode(), b"\xff", b"\t\t", b"\r"),
)
_CONLLU = b"".join(
    b"# sent_id = s%d\n# text = The cat sat .\n" % k
    + b"1\tThe\tthe\tDET\t_\t_\t2\tdet\t_\t_\n2\tcat\tcat\tNOUN\t_\t_\t3\tnsubj\t_\t_\n"
    + b"3\tsat\tsit\tVERB\t_\t_\t0\troot\t_\t_\n4\t.\t.\tPUNCT\t_\t_\t3\tpunct\t_\t_\n\n"
    for k in range(2)
)


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@st.composite
def _npy_files(draw: st.DrawFn) -> bytes:
    """Arrays with a header of another length, version, shape, type or text, or with damaged bytes."""
    content = _npy(_PIXELS)
    match draw(st.sampled_from(("header", "header", "header", "version", "other", "bytes"))):
        case "header":
            header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1, 2, 2), }"
            old = draw(st.sampled_from((b"'<f4'", b"False", b"(4, 1, 2, 2)", header)))
            header = header.replace(old, draw(st.sampled_from(_HEADERS)))
            padded = header + b" " * (-(len(header) + 11) % 64) + b"\n"
            return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + _PIXELS.tobytes()
        case "version":
            return content[:6] + draw(st.binary(min_size=2, max_size=2)) + content[8:]
        case "other":
            shape = draw(st.sampled_from(((4,), (4, 4), (4, 1, 2, 2), (3, 1, 2, 2), (0, 1, 2, 2), (4, 2, 2, 1))))
            kind = draw(st.sampled_from(("<f2", ">f8", "<i8", "|u1", "|b1", "<c8", "|S1", "<g")))
            return _npy(np.ones(shape, kind))
        case _:
            return draw(cut(content))


def _read_table(path: Path) -> None:
    task = load_task(f"table:{path}")
    task.combinations("novel")
    task.examples("train", 3, generator=Generator().manual_seed(0))


def _read_rows(path: Path) -> None:
    _read_table(path.with_name("table.toml"))


_CSV = b"a,b,y\nu,0,1\nv,0,1\nu,1,2\nv,1,2\n"
_CSV_TOKENS = (
    *(b"a", b"", b'"', b'""', b'"u', b"u\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"\t", b"1,2", b"\xc2\x85", b"\n\n"),
    b"x" * 5_000,
)


def _read_coverage(path: Path) -> None:
    from assay.coverage import coverage, write_coverage

    found = coverage(path, path.with_name(f"test{path.suffix}"))
    found.to_json()
    write_coverage(path.with_name("out"), found)


def _rows_files() -> st.SearchStrategy[bytes]:
    def line(value: Any) -> bytes:
        return b"\n".join([written(value), _JSONL])

    several = changed(_ROWS).map(lambda rows: b"\n".join(map(written, rows)) if isinstance(rows, list) else written(rows))
    tokens = tuple(written(value) for value in EXTREMES)
    return st.one_of(several, several, changed(_ROWS[0]).map(line), lines_of(_JSONL, tokens, separator=b", "))


def _parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


_COLUMNS = (
    pa.array([1, 2, None, 4]),
    pa.array([1.5, float("nan"), float("inf"), -1e300]),
    pa.array(["u", "v", "\0", ""]),
    pa.array([b"\xff", b"", b"a", b"b"]),
    pa.array([[1.0], [], None, [1.0, 2.0]]),
    pa.array([{"a": 1}] * 4),
    pa.array([True, False, True, None]),
    pa.array([2**63 - 1, -(2**63), 0, 0]),
    pa.array([2**64 - 1, 0, 0, 0], pa.uint64()),
    pa.array([2**62] * 4, pa.timestamp("us")),
    pa.array([2**62] * 4, pa.duration("us")),
    pa.array([1] * 4, pa.decimal128(38)),
    pa.array([None] * 4, pa.null()),
    pa.array([[("a", 1)]] * 4, pa.map_(pa.string(), pa.int64())),
    pa.array(["a"] * 4).dictionary_encode(),
    pa.array([b"\xff"] * 4).view(pa.string()),
)


def _parquet_files(valid: pa.Table) -> st.SearchStrategy[bytes]:
    @st.composite
    def altered(draw: st.DrawFn) -> bytes:
        table = valid
        for _ in range(draw(st.integers(1, 2))):
            at = draw(st.integers(0, table.num_columns - 1)) if table.num_columns else 0
            column = draw(st.sampled_from(_COLUMNS)).take(pa.array(np.arange(table.num_rows) % 4))
            match draw(st.sampled_from(("replace", "replace", "drop", "name", "rows", "twice"))):
                case "replace" if table.num_columns:
                    table = table.set_column(at, table.column_names[at], column)
                case "drop" if table.num_columns > 1:
                    table = table.remove_column(at)
                case "name" if table.num_columns:
                    table = table.rename_columns([*table.column_names[:at], "", *table.column_names[at + 1 :]])
                case "rows":
                    table = table.slice(0, draw(st.integers(0, 2)))
                case _:
                    table = table.append_column(table.column_names[at], table.column(at))
        return _parquet(table)

    return st.one_of(altered(), cut(_parquet(valid)))


def _mirrored(folder: Path, content: bytes) -> None:
    """One published file in a mirror of the user's."""
    from assay.data.registry import MIRROR_VARIABLE, fetch, get

    scan = get("scan")
    name = next(iter(scan.hashes))
    path = folder / scan.mirror / f"{Path(name).name}.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    before = os.environ.get(MIRROR_VARIABLE)
    os.environ[MIRROR_VARIABLE] = str(folder)
    try:
        fetch("scan", name)
    finally:
        if before is None:
            del os.environ[MIRROR_VARIABLE]
        else:
            os.environ[MIRROR_VARIABLE] = before


def _gzipped() -> st.SearchStrategy[bytes]:
    import gzip

    packed = gzip.compress(b"IN: jump OUT: I_JUMP\n" * 50, mtime=0)
    bomb = gzip.compress(b"\0" * 2**22, mtime=0) * 8
    return st.one_of(cut(packed), cut(bomb), st.just(bomb))


# What is written on the command line

_NUMBERS = (
    *("0", "1", "2", "3", "4", "5", "-1", "0.5", "1.0", "1e9", "1e400", "nan", "inf", "-inf", "", " 3", "1_000", "\u0663"),
    *("1000000", "1000000000", str(2**31), str(2**63 - 1), str(2**63), str(10**30), "1" + "0" * 400, "9" * 5_000),
    *("true", "none", "x", "\0"),
    *("3.5M", "0.5M^2", "9" * 400 + "M", "7-12-8", "1-1", "9" * 30 + "-1-1", "random", "pairs", "depth", "permutation", "khot"),
)
# Those of files are read above; scan has a list of names.
_FAMILIES = [family for family in task_families() if family.name not in ("scan", "table", "text", "treebank")]


@st.composite
def _addresses(draw: st.DrawFn) -> str:
    family = draw(st.sampled_from(_FAMILIES))
    if draw(st.integers(0, 9)) == 0:
        return draw(cut(family.form.encode())).decode("utf-8", errors="surrogateescape")
    options = draw(st.lists(st.sampled_from(family.options), min_size=1, max_size=2, unique_by=lambda option: option.name))
    choices = st.sampled_from([*_NUMBERS, *(word.strip(",") for option in options for word in option.type.split())])
    written = [f"{option.name}={draw(choices)}" for option in options]
    if family.name == "odd-one-out":
        return f"odd-one-out:i={draw(choices)}+1,j=0/{draw(st.sampled_from(['modular:p=3', 'odd-one-out:' * 900, 'x', '']))}"
    return f"{family.name}:{','.join(written)}"


def _read_address(_: Path, address: str) -> None:
    task = load_task(address)
    task.combinations("novel")
    task.examples("train", 2, generator=Generator().manual_seed(0))
    load_task(task.address)


@st.composite
def _sweeps(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]], int, int, float]:
    names = st.sampled_from(("p", "width", "depth", "steps", "learning_rate", "model", "coverage", "seed", "x", ""))
    values = st.sampled_from(
        [*_NUMBERS, "3", "4", "5", "0.5", "0.6", "3+width=4", "mlp", "gru", "3+", "+", ",", "1,2", "=" * 3]
    )
    axes = draw(
        st.lists(st.sampled_from(("p=3,5", "width=4,8", "learning_rate=0.1,0.001", "model=mlp,gru", "p=3+width=4")), max_size=2)
    )
    axes += [
        f"{draw(names)}={','.join(draw(st.lists(values, max_size=4)))}" for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2))))
    ]
    settings = draw(st.lists(st.tuples(names, values), max_size=1))
    counts = st.sampled_from((1, 1, 1, 2, 2, 3, 3, 0, -1, 10**6, 10**9, 2**63, 10**30))
    return axes, settings, draw(counts), draw(counts), draw(st.one_of(st.just(0.8), st.just(0.8), st.floats()))


def _plan(_: Path, given: tuple[list[str], list[tuple[str, str]], int, int, float]) -> None:
    from assay.sweep import Axis, SweepPlan

    axes, settings, seeds, refine, success = given
    over = {axis.name: axis.values for axis in map(Axis.parse, axes)}
    plan = SweepPlan(task=TASK, over=over, settings=dict(settings), seeds=seeds, refine=refine, success=success)
    plan.check()
    for axis in plan.grid.axes:
        if axis.numbers is not None:
            axis.between(axis.values[0], axis.values[-1])


def readers() -> tuple[Reader, ...]:
    toml = lines_of(_TOML, _TOML_TOKENS, separator=b" ")
    images = lines_of(_IMAGES, (*_TOML_TOKENS, *_IMAGE_TOKENS), separator=b" ")
    rows_csv = lines_of(_ROWS_CSV, (*_CSV_TOKENS, b"nan", b"1e999", b"9" * 400, b"0.5", b"novel"), separator=b",")
    parquet_toml = {"table__toml": _TOML.replace(b"rows.jsonl", b"rows.parquet")}
    covered = [
        Reader(f"coverage, {suffix}", inputs, written_as(f"train.{suffix}", _read_coverage, **{f"test__{suffix}": valid}))
        for suffix, inputs, valid in (
            ("csv", lines_of(_CSV, _CSV_TOKENS, separator=b","), _CSV),
            ("jsonl", _rows_files(), _JSONL),
            ("parquet", _parquet_files(pa.Table.from_pylist(_ROWS)), _parquet(pa.Table.from_pylist(_ROWS))),
        )
    ]
    parquet = _parquet_files(pa.Table.from_pylist(_ROWS))
    return (
        Reader("table.toml", toml, written_as("table.toml", _read_table, rows__jsonl=_JSONL)),
        Reader("rows.jsonl", _rows_files(), written_as("rows.jsonl", _read_rows, table__toml=_TOML)),
        Reader("rows.parquet", parquet, written_as("rows.parquet", _read_rows, **parquet_toml)),
        Reader("rows.csv", rows_csv, written_as("rows.csv", _read_rows, table__toml=_TOML.replace(b"rows.jsonl", b"rows.csv"))),
        Reader("images.npy", _npy_files(), written_as("images.npy", _read_rows, rows__jsonl=_JSONL, table__toml=_IMAGES)),
        Reader(
            "table.toml of images", images, written_as("table.toml", _read_table, rows__jsonl=_JSONL, images__npy=_npy(_PIXELS))
        ),
        Reader("CoNLL-U", lines_of(_CONLLU, _CONLLU_TOKENS, separator=b"\t"), written_as("bank.conllu", read_conllu)),
        Reader("CoNLL-U, gzipped", _gzipped(), written_as("bank.conllu.gz", read_conllu)),
        Reader("mirror of data", _gzipped(), _mirrored),
        Reader("task address", _addresses(), _read_address),
        Reader("sweep axes", _sweeps(), _plan),
        *covered,
    )
