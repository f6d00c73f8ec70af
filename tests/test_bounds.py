"""What is beyond a bound is refused at once: files that are no files, numbers that no library holds, networks that no memory
holds. Before there were bounds, every case here ended in a traceback, in a hang or in memory without end."""

import gzip
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Generator, nn

import assay.bounds as bounds
from assay.audit import audit
from assay.data.conllu import MOST_WORDS, read_conllu
from assay.errors import AssayError
from assay.masks.files import load_mask
from assay.models import ModelConfig, configure, load_subject, rebuild
from assay.models.reference import MOST_LAYERS, MOST_WEIGHTS
from assay.report import read_report
from assay.stats import keyed_generator
from assay.store import RECORD, WEIGHTS, RunDirectory, RunRecord, read_json, read_tensors, write_json, write_tensors
from assay.subject import Subject
from assay.sweep import Axis, SweepPlan
from assay.tasks import load_task, task_of_run
from assay.tasks.graphs import Graphs
from assay.tasks.hyperteacher import Hyperteacher
from assay.tasks.modular import Modular
from assay.tasks.novelty import FEW, few_of_each
from assay.tasks.treebank import Treebank
from assay.training import TrainingConfig, prepare

RUN = {
    "task": "modular:p=3,num_first=3,num_second=3",
    "model": "mlp",
    "options": {"vocab": 9, "length": 3, "num_outputs": 3, "width": 4, "depth": 1, "init_scale": 1.0},
    "training": {"seed": 0, "steps": 1},
    "versions": {},
    "started": "2026-01-01",
    "finished": "2026-01-01",
}
TOML = """data = "rows.jsonl"
[[inputs]]
kind = "token"
column = "a"
[target]
column = "t"
kind = "class"
[[parts]]
name = "a"
[[parts]]
name = "b"
[split]
column = "s"
"""
ROWS = [
    {"a": "x", "b": "u", "t": 0, "s": "train"},
    {"a": "y", "b": "v", "t": 1, "s": "train"},
    {"a": "x", "b": "v", "t": 1, "s": "novel"},
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run."""
    write_json(tmp_path / RECORD, RunRecord.model_validate(RUN))
    module = rebuild(ModelConfig("mlp", RUN["options"]), generator=Generator().manual_seed(0))
    write_tensors(tmp_path / WEIGHTS, module.state_dict())
    return tmp_path


def table(folder: Path, *, toml: str = TOML, rows: str | None = None) -> str:
    (folder / "table.toml").write_text(toml)
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)) if rows is None else rows)
    return f"table:{folder / 'table.toml'}"


def changed(run: Path, **changes: object) -> str:
    """The run with other fields, written by whoever sent it."""
    (run / RECORD).write_text(json.dumps({**RUN, **changes}))
    return str(run)


# Files that are none

READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "run.json": (RECORD, lambda path: load_subject(str(path.parent))),
    "task of a run": (RECORD, lambda path: load_task(str(task_of_run(str(path.parent))))),
    "record": (RECORD, lambda path: read_json(path, RunRecord)),
    "weights": (WEIGHTS, read_tensors),
    "pt": ("w.pt", lambda path: load_subject(f"torch.nn:Identity@{path}")),
    "mask": ("mask", lambda path: load_mask(path, nn.Linear(1, 1))),
    "report": ("report.json", read_report),
    "declaration": ("table.toml", lambda path: load_task(f"table:{path}")),
    "rows": ("rows.jsonl", lambda path: load_task(f"table:{path.with_name('table.toml')}")),
    "csv": ("rows.csv", lambda path: load_task(f"table:{path.with_name('table.toml')}")),
    "array": ("images.npy", bounds.map_npy),
    "parquet": ("rows.parquet", lambda path: load_task(f"table:{path.with_name('table.toml')}")),
    "treebank": ("bank.conllu", read_conllu),
    "gzipped treebank": ("bank.conllu.gz", read_conllu),
}


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop", "huge"])
@pytest.mark.parametrize("name", READERS)
def test_only_regular_files_of_a_stated_size_are_read(tmp_path: Path, name: str, kind: str):
    file, read = READERS[name]
    (tmp_path / "table.toml").write_text(TOML.replace("rows.jsonl", file) if file.startswith("rows") else TOML)
    path = tmp_path / file
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case _:
            path.touch()
            os.truncate(path, bounds.MOST_WEIGHTS_FILE + 1)  # no block of it is on the disk
    told = {"huge": "must have at most", "pipe": "must be a regular file", "device": "must be a regular file"}
    with pytest.raises(AssayError, match=told.get(kind)):
        read(path)


@pytest.mark.parametrize(
    "address", ["x" * 5_000, "a/" * 3_000, "a\0b", "torch.nn:Identity@a\0b.pt", "torch.nn:Identity@" + "x" * 5_000]
)
def test_names_that_no_file_can_have(address: str):
    with pytest.raises(AssayError):
        load_subject(address)
    with pytest.raises(AssayError):
        load_task(f"table:{address}")
    for read in (read_report, RunDirectory.open, read_conllu, read_tensors):
        with pytest.raises(AssayError):
            read(Path(address))


def test_what_a_gzipped_file_unpacks_to_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("assay.data.conllu.MOST_TABLE", 10_000)
    (tmp_path / "bank.conllu.gz").write_bytes(gzip.compress(b"\n" * 10_001))
    with pytest.raises(AssayError, match="at most 10,000 bytes"):
        read_conllu(tmp_path / "bank.conllu.gz")


def test_what_a_parquet_file_unpacks_to_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table(tmp_path, toml=TOML.replace("jsonl", "parquet"))
    rows = pa.table({"a": ["x"] * 100_000})
    pq.write_table(rows, tmp_path / "rows.parquet", compression="zstd")
    assert (tmp_path / "rows.parquet").stat().st_size < 2_000
    monkeypatch.setattr(bounds, "MOST_TABLE_CELLS", 99_999)
    with pytest.raises(AssayError, match=r"at most 99,999 values\. Given: 100,000"):
        load_task(f"table:{tmp_path / 'table.toml'}")
    monkeypatch.setattr(bounds, "MOST_TABLE_CELLS", 100_000)
    monkeypatch.setattr(bounds, "MOST_TABLE", 10_000)
    pq.write_table(pa.table({"a": ["x" * 90] * 1_000}), tmp_path / "rows.parquet", use_dictionary=True)
    with pytest.raises(AssayError, match=r"at most 10,000 bytes. Given: [\d,]+, unpacked"):
        load_task(f"table:{tmp_path / 'table.toml'}")


def test_no_bit_of_a_parquet_footer_ends_the_process():
    """Reading damaged column statistics with pyarrow ended the process."""
    file = io.BytesIO()
    pq.write_table(pa.table({"a": ["x", "y"], "b": [[1.0], [2.0, 3.0]]}), file)
    whole = file.getvalue()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    refused = 0
    for at in range(footer, len(whole)):
        for bit in range(8):
            try:
                bounds.read_parquet(io.BytesIO(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]), "it")
            except AssayError:
                refused += 1
    assert 0 < refused < 8 * (len(whole) - footer)


# Nesting and numbers in files

BEYOND = {
    "nested": "[" * 200_000 + "]" * 200_000,
    "a little nested": "[" * 100 + "]" * 100,
    "unclosed": "[" * 200_000,
    "tables": '{"a":' * 100_000,
    "5,000 digits": "9" * 5_000,
    "10^400": "1" + "0" * 400,
    "2^63": str(2**63),
}


@pytest.mark.parametrize("text", [*BEYOND.values(), "NaN", "Infinity", "-Infinity", "1e999"], ids=[*BEYOND, *"NIMe"])
@pytest.mark.parametrize("read", [READERS["run.json"], READERS["report"]], ids=["run", "report"])
def test_numbers_and_nesting_in_json(tmp_path: Path, read: tuple[str, Callable[[Path], object]], text: str):
    path = tmp_path / read[0]
    for content in (text, f'{{"schema_version": 4, "wall_seconds": {text}, "sha256": "", "audit": {text}}}'):
        path.write_text(content)
        with pytest.raises(AssayError, match="whole JSON"):
            read[1](path)


@pytest.mark.parametrize("text", BEYOND.values(), ids=BEYOND)
def test_numbers_and_nesting_in_the_rows_of_a_table(tmp_path: Path, text: str):
    rows = "\n".join([json.dumps(ROWS[0]), f'{{"a": "y", "b": "v", "t": {text}, "s": "train"}}', json.dumps(ROWS[2])])
    with pytest.raises(AssayError, match="line 2 must be one JSON object"):
        load_task(table(tmp_path, rows=rows))


@pytest.mark.parametrize(
    "line",
    [
        f"a = {BEYOND['nested']}",
        f"a = {BEYOND['a little nested']}",
        f"a = {BEYOND['5,000 digits']}",
        f"a = {BEYOND['10^400']}",
        "a = nan",
        "a = -inf",
        "a = 1e999",
        ".".join(["a"] * 100_000) + " = 1",
        "[" + ".".join(['"a"'] * 100_000) + "]",
        "b = {" + " . ".join(["a"] * 100_000) + " = 1}",
        "a = {a=" * 2_000,
    ],
    ids=range(11),
)
def test_numbers_nesting_and_dotted_names_in_toml(tmp_path: Path, line: str):
    with pytest.raises(AssayError, match="must be a TOML file"):
        load_task(table(tmp_path, toml=f"{line}\n{TOML}"))


def test_dots_within_bounds_are_read():
    text = 'a.b = 1.5\nc = "' + "word. " * 500 + '"\n[d."e.f.g"]\nh = 1979-05-27\n'
    assert bounds.parse_toml(text.encode(), "it")["d"]["e.f.g"]
    assert bounds.parse_json(b"[" * bounds.MOST_NESTED + b"]" * bounds.MOST_NESTED, "it")
    with pytest.raises(AssayError, match="64 lists or tables"):
        bounds.parse_json(b"[" * (bounds.MOST_NESTED + 1) + b"]" * (bounds.MOST_NESTED + 1), "it")
    assert bounds.parse_json(b"5", "it") == 5
    assert bounds.parse_json(b"[-9223372036854775808, 9223372036854775807, 1e308]", "it")


def test_a_report_of_a_million_elements_is_read_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "report.json").write_text('{"schema_version": 4, "sha256": "", "audit": [' + "0," * 1_000_000 + "0]}")
    with pytest.raises(AssayError, match="what Assay wrote"):
        read_report(tmp_path)
    monkeypatch.setattr(bounds, "MOST_ELEMENTS", 1_000_000)
    with pytest.raises(AssayError, match="at most 1,000,000 elements"):
        read_report(tmp_path)


def test_long_rows_do_not_make_a_long_tensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("assay.tasks.table_rows.MOST_CELLS", 3_000)
    rows = "\n".join(json.dumps({**row, "a": "x " * n, "b": str(n)}) for row, n in zip(ROWS, (1, 2, 1_001), strict=True))
    with pytest.raises(AssayError, match="3 rows of 1,001"):
        load_task(
            table(tmp_path, toml=TOML.replace("token", "text").replace('name = "a"', 'name = "c"\ncolumn = "t"'), rows=rows)
        )


@pytest.mark.parametrize("cell", ["9" * 5_000, "1-" + "9" * 5_000, "9" * 5_000 + ".1"])
def test_numbers_in_a_treebank(tmp_path: Path, cell: str):
    line = ["1", "Go", "_", "VERB", "_", "_", "0", "root", "_", "_"]
    for column in (0, 6):
        (tmp_path / "bank.conllu").write_text("\t".join([*line[:column], cell, *line[column + 1 :]]) + "\n")
        with pytest.raises(AssayError, match="line 1"):
            read_conllu(tmp_path / "bank.conllu")


def test_a_sentence_has_an_end(tmp_path: Path):
    words = [f"{k}\tw\t_\tX\t_\t_\t{k - 1}\tdep\t_\t_" for k in range(1, MOST_WORDS + 2)]
    (tmp_path / "bank.conllu").write_text("\n".join(words))
    with pytest.raises(AssayError, match=r"at most 4,096 words\. Given: 4,097"):
        read_conllu(tmp_path / "bank.conllu")


# Seeds

SEEDS = (10**30, 2**63, -1, -(10**30), 10**400)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_rule_for_seeds(run: Path, seed: int):
    makers: list[Callable[[], object]] = [
        lambda: TrainingConfig(seed=seed),
        lambda: Modular(seed=seed),
        lambda: Hyperteacher(seed=seed),
        lambda: Graphs(seed=seed),
        lambda: Treebank(name="en_nested", seed=seed),
        lambda: keyed_generator(seed, "key"),
        lambda: audit(Subject(nn.Identity()), load_task(RUN["task"]), seed=seed, instruments=[]),
        lambda: load_task(f"modular:seed={seed}"),
        lambda: load_task(f"hyperteacher:seed={seed}"),
        lambda: load_subject(changed(run, training={"seed": seed})),
    ]
    for make in makers:
        with pytest.raises(AssayError):
            make()


@pytest.mark.parametrize("training", [{}, {"seed": "x"}, {"seed": 1.5}, {"seed": True}])
def test_a_run_names_its_seed(run: Path, training: dict[str, object]):
    with pytest.raises(AssayError, match="seed"):
        load_subject(changed(run, training=training))


def test_the_largest_seed_is_taken():
    assert Modular(p=3, num_first=3, num_second=3, seed=2**63 - 1).address
    assert TrainingConfig(seed=2**63 - 1)


# Networks and training

LARGE = [
    *({"width": 10**8}, {"width": 10**30}, {"width": 2**31}, {"depth": 10**9}, {"depth": MOST_LAYERS + 1}, {"width": 10**400}),
    *(
        {"init_scale": 10**30},
        {"init_scale": float("inf")},
        {"init_scale": float("nan")},
        {"init_scale": 0.0},
        {"width": 0},
        {"depth": -5},
        {"width": 2.5},
    ),
    {"width": True},
]


@pytest.mark.parametrize("sizes", LARGE, ids=str)
def test_no_network_is_larger_than_memory(run: Path, sizes: dict[str, object]):
    task = load_task(RUN["task"])
    for model in ("mlp", "transformer", "gru"):
        with pytest.raises(AssayError):
            rebuild(configure(model, task, **sizes), generator=Generator().manual_seed(0))
    with pytest.raises(AssayError):
        load_subject(changed(run, options={**RUN["options"], **sizes}) if 10**400 not in sizes.values() else "nowhere")


@pytest.mark.parametrize("option", ["vocab", "length", "num_outputs"])
@pytest.mark.parametrize("value", [10**10, 2**31, 2**31 - 1, 0, -5, 2.5, "x", True])
def test_sizes_that_a_stranger_recorded_are_checked(run: Path, option: str, value: object):
    with pytest.raises(AssayError):
        load_subject(changed(run, options={**RUN["options"], option: value}))


def test_weights_are_counted_before_they_are_allocated(monkeypatch: pytest.MonkeyPatch):
    task = load_task(RUN["task"])
    drawn = []
    monkeypatch.setattr(torch, "manual_seed", drawn.append)  # comes after the count, before the building
    with pytest.raises(AssayError, match=f"at most {MOST_WEIGHTS:,} weights"):
        rebuild(configure("mlp", task, width=10_000), generator=Generator())
    assert not drawn


def test_counting_does_not_change_what_is_drawn():
    module = rebuild(ModelConfig("mlp", RUN["options"]), generator=Generator().manual_seed(0))
    before = torch.random.get_rng_state()
    again = rebuild(ModelConfig("mlp", RUN["options"]), generator=Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), again.parameters(), strict=True))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *((name, (-1, 10**10, 10**30, 10**400)) for name in ("steps", "batch_size", "warmup", "checkpoint_every")),
        *((name, (-1.0, float("nan"), float("inf"))) for name in ("learning_rate", "weight_decay", "clip")),
    ],
)
def test_training_settings_are_finite(name: str, values: tuple[float, ...]):
    for value in values:
        with pytest.raises(AssayError, match=f"training: {name} must be"):
            TrainingConfig(**{name: value})


def test_a_batch_fits_into_memory():
    prepare("modular:p=7", "mlp", config={"batch_size": 1_000})
    with pytest.raises(AssayError, match="choose a batch_size of at most"):
        prepare("modular:p=7", "mlp", config={"batch_size": 1_000_000})


@pytest.mark.parametrize("weights", [torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.complex64)])
def test_weights_of_another_type_are_refused(tmp_path: Path, weights: torch.Tensor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "bounded_net.py").write_text("from torch import nn\ndef build(): return nn.Linear(3, 2)\n")
    torch.save({"weight": weights, "bias": torch.zeros(2)}, tmp_path / "w.pt")
    with pytest.raises(AssayError, match="weight holds"):
        load_subject(f"bounded_net:build@{tmp_path / 'w.pt'}")


# Tasks

TOO_LARGE = {
    "modular:p=1000000000": "p of at most 34,722",
    "modular:num_first=1000000000": "num_first of at most 11",
    "modular:num_second=1000000000,synonyms=true": "num_second of at most 41,322",
    "modular:stages=3,num_third=1000000000": "num_third of at most 10",
    "trees:modulus=1000000000": "modulus of at most 12",
    "digits:base=1000000000": "base of at most 35",
    "digits:base=9223372036854775807": "base of at most 35",
    "transducer:num_symbols=1000000000,synonyms=true": "num_symbols of at most 13",
    "transducer:length=1000000000": "length must be between 2 and 22",
    "transducer:num_states=1000000000": "num_states must be between 2 and 64",
    "hyperteacher:samples_per_task=1000000000": "from 1 to 65,536",
    "hyperteacher:num_train=" + "9" * 400 + "M": "num_train must be a number of supports",
    "hyperteacher:hotness=" + "9" * 5_000 + "-1-1": "hotness must be 3 numbers",
    "hyperteacher:num_modules=1000000000": "num_modules must be 2 to 62",
    "preference_grid:num_colours=1000000000": "from 2 to 256",
    "graphs:size=1000": "from 3 to 64",
    "bit-parity:num_bits=1000000000": "between 8 and 62",
    "modular:p=1" + "0" * 400: "within 64 bits",
    "modular:p=" + "9" * 5_000: "p must be of type integer",
    "modular:coverage=inf": "finite",
    "hyperteacher:held_out=nan": "finite",
    "odd-one-out:i=0,j=0/" * 2_000 + "modular": "an item must be tokens",
}


@pytest.mark.parametrize("address", TOO_LARGE, ids=lambda address: address[:40])
def test_tasks_that_no_memory_holds_are_refused_with_the_largest_that_are(address: str):
    with pytest.raises(AssayError, match=TOO_LARGE[address]):
        load_task(address)


@pytest.mark.parametrize("address", ["trees:modulus=5", "digits:base=8", "transducer:num_symbols=3", "modular:p=17"])
def test_the_largest_value_is_the_largest(address: str, monkeypatch: pytest.MonkeyPatch):
    """By a second route: the count of the options is the number of tuples, and one more value of the option is too many."""
    task = load_task(address)
    option = address.partition(":")[2].partition("=")[0]
    assert task._num_tuples() == torch.tensor(task._sizes(task._slots)).prod()
    monkeypatch.setattr("assay.tasks.slots.MOST_TUPLES", task._num_tuples())
    assert task._largest(option) == getattr(task, option)
    with pytest.raises(AssayError, match=f"{option} of at most {getattr(task, option)}"):
        type(task)(**{option: getattr(task, option) + 1})


def test_many_values_of_one_slot_are_no_hang():
    """The time to choose combinations grew with the values times the combinations: here 10^10."""
    task = Modular(p=2, num_first=2, num_second=50_000, synonyms=True)
    assert len(task.combinations("train")) == 80_000


def test_few_of_each_value_are_those_of_the_plain_loop():
    column = torch.randint(7, (200,), generator=Generator().manual_seed(0)) + 1
    found = few_of_each(column, range(1, 8), Generator().manual_seed(1))
    plain, generator = torch.zeros(200, dtype=torch.bool), Generator().manual_seed(1)
    for value in range(1, 8):
        having = (column == value).nonzero()[:, 0]
        plain[having[torch.randperm(len(having), generator=generator)[:FEW]]] = True
    assert torch.equal(found, plain)
    assert found.sum() == 7 * FEW


# Sweeps


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": 10**9},
        {"seeds": 10**30},
        {"seeds": 0},
        {"refine": 10**30},
        {"success": float("nan")},
        {"over": {name: [str(value) for value in range(1, 3_000)] for name in ("steps", "batch_size", "warmup")}},
        {"over": {"width": ["4", "9" * 5_000]}},
        {"over": {"depth": ["1", "1000000000"]}},
        {"over": {"learning_rate": ["0.1", "nan"]}},
        {"over": {"batch_size": ["4", "inf"]}},
        {"settings": {"steps": "1e400"}},
    ],
    ids=range(11),
)
def test_sweeps_are_bounded(changes: dict[str, object]):
    plan = SweepPlan.model_validate({"task": RUN["task"], "over": {"width": ("4", "8")}, **changes})
    with pytest.raises(AssayError):
        plan.check()


def test_an_axis_of_many_values_is_compared_once():
    with pytest.raises(AssayError, match=r"may be given once\. Given: 7"):
        Axis("width", (*map(str, range(200_000)), "7"))


# Messages


def test_a_message_is_short_whatever_is_given():
    assert "more than 4,300 digits" in str(AssayError("it must fit", given=10**5_000))
    deep: list[object] = []
    for _ in range(sys.getrecursionlimit() * 2):
        deep = [deep]
    assert "nested too deeply" in str(AssayError("it must fit", given=deep))
    assert len(str(AssayError("it must fit", given="ab" * 10**6, choices=["ba" * 10**6] * 50))) < 50_000


def test_numbers_of_a_report_have_a_finite_distance(tmp_path: Path):
    import hashlib

    plain = {"schema_version": 4, "audit": {"low": -1e308, "high": 1.7e308}}
    sealed = json.dumps(plain["audit"], sort_keys=True, separators=(",", ":")).encode()
    (tmp_path / "report.json").write_text(json.dumps({**plain, "sha256": hashlib.sha256(sealed).hexdigest()}))
    with pytest.raises(AssayError, match=r"at most 1e\+300. Given: -1e\+308 at audit.low"):
        read_report(tmp_path)


def test_a_byte_order_mark_is_no_part_of_a_text():
    assert bounds.parse_toml(b"\xef\xbb\xbfa = 1\n", "it") == {"a": 1}
    assert bounds.parse_json(b'\xef\xbb\xbf{"a": 1}', "it") == {"a": 1}
