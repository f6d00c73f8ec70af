"""Train, audit and compare for real, on networks too small to learn anything."""

import html
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

import assay
from assay.cli import main

pytestmark = pytest.mark.slow

TRAIN = ["train", "modular:num_first=6,num_second=6,p=7", "--width", "8", "--depth", "1", "--batch-size", "32", "--quiet"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a run and its report."""
    folder = tmp_path_factory.mktemp("made")
    assert main([*TRAIN, "--steps", "5", "--out", str(folder / "run")]) == 0
    assert main(["audit", str(folder / "run"), "--effort", "quick", "--out", str(folder / "report"), "--quiet"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _done(capsys, *words: object) -> str:
    assert main([*map(str, words), "--quiet"]) == 0
    written = capsys.readouterr()
    assert written.err == "", "quiet"
    return written.out


def test_train_prints_the_folder_and_records_what_was_asked(capsys):
    words = ["--seed", 3, "--steps", 2, "--learning-rate", 0.01, "--weight-decay", 0.5, "--warmup", 1, "--init-scale", 0.5]
    assert _done(capsys, *TRAIN, *words, "--model", "mlp", "--out", "run") == "run\n"
    record = assay.RunDirectory.open("run").read_record()
    assert (record.model, record.options["width"], record.options["depth"], record.options["init_scale"]) == ("mlp", 8, 1, 0.5)
    asked = {"seed": 3, "steps": 2, "batch_size": 32, "learning_rate": 0.01, "weight_decay": 0.5, "warmup": 1}
    assert record.training.items() >= asked.items()


def test_what_train_is_not_told_is_what_the_library_recommends(capsys):
    _done(capsys, "train", "modular", "--steps", 1, "--out", "run")
    record = assay.RunDirectory.open("run").read_record()
    from assay.training import recommended

    assert record.training == vars(recommended("mlp", steps=1))


def test_train_says_how_to_go_on_unless_quiet(capsys):
    assert main([*TRAIN[:-1], "--steps", "1", "--out", "run"]) == 0
    assert re.fullmatch(
        r" 98 % training, loss \d\.\d+\n"
        r"Mean scores: seen 0\.\d{3}, novel 0\.\d{3} \(novel of every kind, synonyms too\)\. Now: assay audit run\n",
        capsys.readouterr().err,
    )


def test_audit_equals_the_library_and_prints_one_screen(made, capsys):
    page = made / "report" / "report.html"
    out = _done(capsys, "audit", made / "run", "--effort", "quick", "--out", "again")
    assert out.splitlines()[-1] == "again/report.html"
    assert len(out.splitlines()) <= 30
    by_command = assay.read_report(page.parent)
    assert out.startswith(by_command.verdict.headline.capitalize())
    task = assay.load_task(TRAIN[1])
    by_library = assay.audit(assay.load_subject(str(made / "run")), task, effort="quick", address=str(made / "run"))
    assert replace(by_command, command="") == by_library
    assert (made / "report" / "report.json").read_bytes() == Path("again/report.json").read_bytes(), "same seed, same bytes"


def test_the_command_of_a_report_repeats_it_to_the_byte(made, capsys):
    """From the page alone: its line is run again as it stands there, and the checksum on the page is that of the new file."""
    words = (
        "--effort",
        "quick",
        "--level",
        1,
        "--seed",
        4,
        "--instrument",
        "decodability",
        "systematicity",
        "--sites",
        "layers.*",
    )
    _done(capsys, "audit", made / "run", *words, "--out", "first", "--jobs", 2)
    blocks = [
        html.unescape(block) for block in re.findall("<pre>(.*?)</pre>", Path("first/report.html").read_text(), re.DOTALL)
    ]
    command = next(block for block in blocks if block.startswith("assay audit"))
    assert command == assay.read_report("first").command
    _done(capsys, *shlex.split(command)[1:])
    written = Path("assay-audit/report.json").read_bytes()
    assert written == Path("first/report.json").read_bytes()
    assert json.loads(written)["sha256"] in blocks


def test_audit_at_level_zero_judges_without_novel_inputs(made, capsys):
    out = _done(
        capsys, "audit", made / "run", "--effort", "quick", "--level", 0, "--instrument", "recombination", "systematicity"
    )
    assert "systematicity: it needs novel inputs or the task itself" in " ".join(out.split())
    found = assay.read_report("assay-audit")
    assert found.level == 0
    assert found.evidence == ()
    reasons = {skipped.instrument: skipped.reason for skipped in found.skipped}
    assert reasons["recombination"].startswith("its search is long, and the network has not learned its task")


def test_audit_in_json_is_the_report_file(made, capsys):
    out = _done(capsys, "audit", made / "run", "--effort", "quick", "--instrument", "systematicity", "--seed", 4, "--json")
    assert out == Path("assay-audit/report.json").read_text()
    told = json.loads(out)["audit"]
    assert (told["seed"], told["effort"]) == (4, "quick")
    assert [evidence["instrument"] for evidence in told["evidence"]] == ["systematicity"]


def test_audit_reads_the_chosen_sites_alone(made, capsys):
    _done(capsys, "audit", made / "run", "--effort", "quick", "--instrument", "decodability", "--sites", "layers.1", "layers.2")
    (evidence,) = assay.read_report("assay-audit").evidence
    read = {measure.about["site"] for measure in evidence.measures if measure.name == "decodability by site"}
    assert read == {"layers.1:out", "layers.2:out"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sites", "attention.*"], ["Given: attention.*", "layers.0:out"]),
        (["--sites", "layers.0", "--instrument", "systematicity"], ["--sites needs an instrument", "Given: systematicity"]),
        (["--task", "modular:num_first=4,num_second=6,p=9"], ["output must have shape", ", 9)", ", 7)"]),
        (["--task", "hyperteacher"], ["inputs as keyword arguments", "made for this task"]),
        (["--task", "table:none.toml"], ["none.toml"]),
        (["--task", "scan"], ["scan needs its split"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_does_not_fit_the_network_is_told_before_anything_is_written(words, told, made, capsys):
    assert main(["audit", str(made / "run"), "--out", "report", "--effort", "quick", *words]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    for words in told:
        assert words in message
    assert not list(Path().rglob("*.*"))


def test_a_truncated_weights_file_is_told_by_name(made, capsys):
    import shutil

    shutil.copytree(made / "run", "cut")
    weights = Path("cut/weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-8])
    assert main(["audit", "cut"]) == 2
    assert re.fullmatch(r"assay: .*cut/weights\.safetensors, which is truncated or altered.*\n", capsys.readouterr().err)


def test_a_network_with_nan_is_told(made, capsys):
    Path("broken.py").write_text(
        "from assay import load_subject\n"
        f"def build():\n    module = load_subject({str(made / 'run')!r}).module\n"
        "    next(module.parameters()).data[0] = float('nan')\n    return module\n"
    )
    assert main(["audit", "broken:build", "--task", TRAIN[1]]) == 2
    assert "must be finite" in capsys.readouterr().err


def test_a_network_of_ones_own_is_audited(made, capsys):
    Path("mine.py").write_text(
        "from torch import nn\nfrom assay.models.mlp import TokenMLP\n"
        "def build() -> nn.Module:\n    return TokenMLP(vocab=19, length=3, num_outputs=7, width=8, depth=1)\n"
    )
    weights = made / "run" / "weights.safetensors"
    words = ["--task", TRAIN[1], "--effort", "quick", "--instrument", "systematicity"]
    _done(capsys, "audit", f"mine:build@{weights}", *words)
    own, ours = assay.read_report("assay-audit"), assay.read_report(made / "report")
    assert own.subject.weights_sha256 == ours.subject.weights_sha256
    for name in ("seen_score", "novel_score"):
        assert own.evidence[0].measure(name).value == ours.evidence[0].measure(name).value


def test_one_of_several_outputs_is_named(made, capsys):
    Path("several.py").write_text(
        "from assay.models.mlp import TokenMLP\n"
        "class Net(TokenMLP):\n"
        "    def forward(self, tokens):\n        answer = super().forward(tokens)\n"
        "        return {'no': -answer, 'yes': answer}\n"
        "def build():\n    return Net(vocab=19, length=3, num_outputs=7, width=8, depth=1)\n"
    )
    weights = made / "run" / "weights.safetensors"
    words = ["audit", f"several:build@{weights}", "--task", TRAIN[1], "--effort", "quick", "--instrument", "systematicity"]
    assert main(words) == 2
    assert re.search(r"2 could be.*Choices: no float32 \(8, 7\), yes float32 \(8, 7\)", capsys.readouterr().err)
    _done(capsys, *words, "--output", "yes")
    own, ours = assay.read_report("assay-audit"), assay.read_report(made / "report")
    assert own.subject.output == "yes"
    assert own.evidence[0].measure("novel_score").value == ours.evidence[0].measure("novel_score").value


def test_compare_writes_one_page(made, capsys):
    out = _done(capsys, "compare", made / "report", made / "report", "--out", "both")
    assert out == "both/comparison.html\n"
    assert Path("both/comparison.html").read_text().startswith("<!doctype html>")


def test_data_get_prints_verified_files(capsys, monkeypatch):
    import os

    from assay.data.registry import get

    if not os.environ.get("ASSAY_DATA"):
        pytest.skip("needs a mirror of the data: set ASSAY_DATA")
    paths = _done(capsys, "data", "get", "scan").splitlines()
    assert len(paths) == len(get("scan").hashes)
    assert all(Path(path).is_file() for path in paths)
