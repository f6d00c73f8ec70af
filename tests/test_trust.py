"""What a stranger hands over is data: code that only a file names leaves no mark, unless the user names it too."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.cli import main
from assay.encoding import HuggingFaceEncoder
from assay.errors import AssayError
from assay.models import load_subject
from assay.report import read_report, write_report
from assay.sweep import SweepPlan
from assay.sweep.directory import RECORD, SweepDirectory
from assay.task import SwapsParts
from assay.tasks import load_task, task_of_run
from assay.tasks.table import read_table
from assay.training import train

MARK = "mark"
PAYLOAD = f"""
import pathlib
pathlib.Path({MARK!r}).touch()
def total(parts, row): return (parts["a"] + parts["b"]) % 3
def build():
    from assay.tasks.modular import Modular
    return Modular(p=5, num_first=4, num_second=4)
"""
TABLE = """data = "rows.jsonl"
executor = "{executor}"
[[inputs]]
kind = "token"
columns = ["a", "b"]
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    return train("modular:p=5,num_first=4,num_second=4", out=out, options={"width": 4}, config={"steps": 2, "warmup": 0}).path


@pytest.fixture
def theirs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that a stranger sent: a run, a module that leaves a mark, and a table with an executor."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tmp_path / "theirs"
    folder.mkdir()
    for file in trained.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "payload.py").write_text(PAYLOAD)
    (tmp_path / "payload_here.py").write_text(PAYLOAD)
    rows = [
        {"a": a, "b": b, "y": (a + b) % 3, "split": "novel" if a == b == 2 else "train"} for a in range(3) for b in range(3)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "table.toml").write_text(TABLE.format(executor="payload:total"))
    yield folder
    for name in ("payload_here", "theirs.payload", "theirs", "payload"):
        sys.modules.pop(name, None)


def with_task(folder: Path, address: str) -> None:
    """Put another task into the run's record."""
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "task": address}))


ADDRESSES = {
    "a factory": "payload_here:build",
    "a factory in the folder": "theirs.payload:build",
    "a module that opens a shell": "pty:spawn",
    "a factory behind another task": "odd-one-out:i=0+1,j=0+1/payload_here:build",
    "a factory behind two": "odd-one-out:i=0,j=0/odd-one-out:i=0,j=0/payload_here:build",
    "a table with an executor": "table:theirs/table.toml",
    "such a table behind another task": "odd-one-out:a=0+1,b=0+1/table:theirs/table.toml",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
@pytest.mark.parametrize("command", [["audit", "theirs"], ["audit", "theirs", "--level", "0"]], ids=["audit", "level 0"])
def test_a_run_that_names_code_is_refused(theirs: Path, command, address, capsys):
    with_task(theirs, address)
    assert main([*command, "--effort", "quick", "--quiet"]) == 2
    told = capsys.readouterr().err
    assert "code runs only when you name it yourself" in told
    assert "--trust" in told
    assert not Path(MARK).exists()
    assert not list(Path().glob("assay-audit*")), "nothing is written before a refusal"


def test_a_run_whose_code_is_trusted_is_audited(theirs: Path):
    with_task(theirs, "payload_here:build")
    with pytest.raises(
        AssayError, match=r"run\.json, which would import payload_here and call build.*--trust payload_here:build"
    ):
        task_of_run("theirs", trust=["payload_here:other"])
    assert not Path(MARK).exists()
    assert task_of_run("theirs", trust=["payload_here:build"]).address.startswith("modular:")
    assert Path(MARK).exists()


def test_code_that_the_user_names_runs(theirs: Path):
    assert load_task("payload_here:build").address.startswith("modular:")
    assert load_task("odd-one-out:i=0+1,j=0+1/payload_here:build").family == "odd-one-out"
    assert Path(MARK).exists()


@pytest.mark.parametrize(
    "use",
    [
        lambda: load_task("table:theirs/table.toml"),
        lambda: load_task("odd-one-out:a=0+1,b=0+1/table:theirs/table.toml"),
        lambda: read_table(Path("theirs/table.toml")),
        lambda: train("table:theirs/table.toml", out="run"),
        lambda: SweepPlan(task="table:theirs/table.toml", over={"width": ("4", "8")}).check(),
    ],
    ids=["address", "behind another", "Python", "train", "sweep"],
)
def test_a_table_that_names_code_is_refused(theirs: Path, use: Callable[[], object]):
    with pytest.raises(AssayError, match=r"table\.toml, which would import payload and call total"):
        use()
    assert not Path(MARK).exists()


class Payload:
    """What leaves a mark when it is unpickled."""

    def __reduce__(self):
        return Path(MARK).touch, ()


def test_an_array_of_objects_is_not_unpickled(theirs: Path):
    np.save(theirs / "images.npy", np.array([Payload()] * 9), allow_pickle=True)
    toml = TABLE.replace('executor = "{executor}"\n', "").replace('columns = ["a", "b"]', 'file = "images.npy"')
    (theirs / "table.toml").write_text(toml)
    with pytest.raises(AssayError, match=r"images\.npy must be a whole \.npy file of numbers"):
        load_task("table:theirs/table.toml")
    assert not Path(MARK).exists()
    np.load(theirs / "images.npy", allow_pickle=True)
    assert Path(MARK).exists(), "numpy alone would have run it"


@pytest.mark.parametrize("executor", ["..theirs.payload:total", "theirs..payload:total", ".payload:total", "payload.:total"])
def test_an_executor_cannot_name_a_file_outside_its_folder(theirs: Path, executor):
    (theirs / "table.toml").write_text(TABLE.format(executor=executor))
    with pytest.raises(AssayError, match=r"table\.toml: executor"):
        load_task("table:theirs/table.toml", trust=[executor])
    assert not Path(MARK).exists()


def test_coverage_needs_no_executor_and_runs_none(theirs: Path, capsys):
    assert main(["coverage", "theirs/table.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outside_1"]["count"] == 1
    assert not Path(MARK).exists()


def test_a_trusted_executor_runs_in_every_command(theirs: Path, capsys):
    trust = ["--trust", "payload:total", "--quiet"]
    assert isinstance(load_task("table:theirs/table.toml", trust=["payload:total"]), SwapsParts)
    assert Path(MARK).exists()
    table = "table:theirs/table.toml"
    assert main(["train", table, "--steps", "2", "--width", "4", "--out", "mine", *trust]) == 0
    assert main(["audit", "mine", "--effort", "quick", "--instrument", "systematicity", "--out", "report", *trust]) == 0
    grid = ["--over", "width=4,8", "--set", "steps=2", "--seeds", "1", "--instrument", "systematicity", "--jobs", "2"]
    # In a process of its own, since workers of an earlier test would write where they were started.
    subprocess.run([sys.executable, "-m", "assay", "sweep", table, *grid, "--out", "swept", *trust], check=True)
    assert main(["audit", "mine", "--effort", "quick", "--quiet"]) == 2, "a run of one's own names code as well"
    assert "payload:total" not in (Path("swept") / RECORD).read_text(), "a folder does not remember whom to trust"


def test_an_executor_folder_stands_in_for_no_installed_package(theirs: Path):
    (theirs / "colorsys.py").write_text("raise SystemExit('of the stranger')")
    load_task("table:theirs/table.toml", trust=["payload:total"])
    sys.modules.pop("colorsys", None)
    import colorsys

    assert "theirs" not in colorsys.__file__


def test_a_sweep_folder_cannot_ask_for_another_task(theirs: Path):
    task = "odd-one-out:i=0+1,j=0+1/modular:p=5,num_first=4,num_second=4"
    plan = SweepPlan(task=task, over={"width": ("4", "8")}, seeds=1, refine=1)
    SweepDirectory.begin("swept", plan)
    record = json.loads((Path("swept") / RECORD).read_text())
    cell = {"point": ["4+of=i=0,j=0/payload_here:build"], "seed": 0}
    (Path("swept") / RECORD).write_text(json.dumps({**record, "rounds": [[cell]]}))
    with pytest.raises(AssayError, match=r"a refined width must be a number or a declared value"):
        SweepDirectory("swept").record()
    assert main(["sweep", task, "--over", "width=4,8", "--seeds", "1", "--refine", "1", "--out", "swept", "--quiet"]) == 2
    assert not Path(MARK).exists()


def test_a_report_is_only_read(theirs: Path):
    """Whoever makes a report can make its checksum too: what it says is shown as text, and no link of it runs anything."""
    assert main(["audit", "theirs", "--effort", "quick", "--instrument", "systematicity", "--out", "report", "--quiet"]) == 0
    file = Path("report") / "report.json"
    content = json.loads(file.read_text())
    script = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    content["audit"]["subject"]["name"] = content["audit"]["verdict"]["sentence"] = script
    content["audit"]["task"]["address"] = "payload_here:build"
    content["audit"]["evidence"][0]["sources"][0]["url"] = "javascript:alert(1)"
    file.write_text(json.dumps(content))
    with pytest.raises(AssayError, match="must be what Assay wrote"):
        read_report("report")
    plain = json.dumps(content["audit"], sort_keys=True, separators=(",", ":"))
    file.write_text(json.dumps({**content, "sha256": hashlib.sha256(plain.encode()).hexdigest()}))
    assert main(["compare", "report", "report", "--out", "both", "--quiet"]) == 0
    for page in (Path("both") / "comparison.html", write_report("again", read_report("report"))):
        text = page.read_text()
        assert "&lt;script&gt;" in text
        assert text.count("<script") == 1, "that of tables"
        assert "<img" not in text
        assert 'href="javascript' not in text
    assert not Path(MARK).exists()


# Hugging Face folders


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """A model whose settings and tokenizer name code of their own beside them."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    folder = tmp_path / "bert"
    BertModel(config).save_pretrained(folder)
    (folder / "theirs.py").write_text(PAYLOAD + "\nclass Tokenizer: pass\nclass Config: pass\nclass Model: pass\n")
    settings = {"tokenizer_class": "Tokenizer", "auto_map": {"AutoTokenizer": ["theirs.Tokenizer", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def changed(folder: Path, **settings: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    return folder


def test_code_of_a_model_folder_is_not_run_though_the_terminal_says_yes(bert: Path, tmp_path: Path):
    changed(bert, auto_map={"AutoConfig": "theirs.Config", "AutoModel": "theirs.Model"})
    code = (
        "from assay.encoding import HuggingFaceEncoder\nfrom assay.models import load_subject\n"
        "for load in HuggingFaceEncoder.load, load_subject:\n"
        f"    try: load({str(bert)!r})\n    except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="y\ny\ny\n", capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert "[y/N]" not in done.stdout + done.stderr, "nobody is asked"
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("load", [HuggingFaceEncoder.load, load_subject], ids=["encoder", "subject"])
@pytest.mark.parametrize(
    "settings",
    [
        {"attn_implementation": "stranger/attention"},
        {"_attn_implementation": "stranger/attention"},
        {"text_config": {"attn_implementation": "stranger/attention@main"}},
        {"attn_implementation": {"text_config": "stranger/attention:forward"}},
        {"experts_implementation": "stranger/attention"},
    ],
)
def test_a_kernel_of_a_hub_is_not_fetched(bert: Path, load, settings):
    changed(bert, architectures=["BertModel"], **settings)
    with pytest.raises(AssayError, match=r"config\.json with the kernel stranger/attention"):
        load(str(bert))


def test_an_implementation_of_transformers_is_no_foreign_code(bert: Path):
    changed(bert, architectures=["BertModel"], attn_implementation="eager")
    assert load_subject(str(bert)).num_weights() > 0


def test_names_of_weights_do_not_act_on_the_terminal(bert: Path):
    """Transformers lists weights that it does not know, by their names."""
    from safetensors.torch import load_file, save_file

    weights = load_file(bert / "model.safetensors")
    save_file({**weights, "\x1b]0;owned\x07": torch.zeros(1)}, bert / "model.safetensors", metadata={"format": "pt"})
    changed(bert, architectures=["BertModel"])
    code = (
        "from transformers import logging\nfrom assay.encoding import HuggingFaceEncoder\n"
        "from assay.models import load_subject\n"
        "before = logging.get_verbosity(), logging.is_progress_bar_enabled()\n"
        "for load in HuggingFaceEncoder.load, load_subject:\n"
        f"    try: load({str(bert)!r})\n    except ValueError: pass\n"
        "    assert before == (logging.get_verbosity(), logging.is_progress_bar_enabled())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
