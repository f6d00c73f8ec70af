"""A subject comes from a run, a Hugging Face folder or a factory; what is wrong with one is told in one message."""

import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Generator, nn

from assay.errors import AssayError
from assay.models import load_subject
from assay.store import WEIGHTS, RunDirectory
from assay.tasks import load_task, task_of_run
from assay.training import train

TASK = "modular:p=5,num_first=4,num_second=4,coverage=0.5"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four steps."""
    config = {"steps": 4, "batch_size": 16, "checkpoint_every": 2, "warmup": 0}
    out = tmp_path_factory.mktemp("runs") / "small"
    return train(TASK, "mlp", options={"width": 8}, config=config, out=out).path


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the user's in the working directory."""
    lines = [
        "import torch",
        "from torch import nn",
        "class Net(nn.Module):",
        "    def __init__(self, width):",
        "        super().__init__()",
        "        self.linear = nn.Linear(width, 2)",
        "    def forward(self, x):",
        "        return self.linear(x)",
        "def net(): return Net(3)",
        "def frozen():",
        "    module = Net(3)",
        "    nn.init.ones_(module.linear.weight)",
        "    nn.init.ones_(module.linear.bias)",
        "    return module",
        "def number(): return 3",
    ]
    (tmp_path / "networks_of_mine.py").write_text("\n".join(lines))
    (tmp_path / "broken_of_mine.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    return tmp_path


# A run


def test_a_run_is_the_network_that_was_trained(run: Path):
    subject = load_subject(str(run))
    task = load_task(TASK)
    assert subject.name == "small"
    assert task_of_run(str(run)) == task
    written = RunDirectory.open(run).read_weights()
    assert all(torch.equal(value, written[name]) for name, value in subject.weights().items())
    examples = task.examples("seen", 100, generator=Generator().manual_seed(0))
    scored = float(task.score(subject(examples.inputs), examples).mean())
    assert scored == pytest.approx(RunDirectory.open(run).read_record().scores["seen"], abs=1e-6)


def test_untrained_twins_of_a_run_are_drawn_as_the_run_was(run: Path):
    subject = load_subject(str(run))
    twins = [subject.untrained(Generator().manual_seed(seed)).weights() for seed in (7, 7, 8)]
    assert all(torch.equal(twins[0][name], twins[1][name]) for name in twins[0])
    for name, value in subject.weights().items():
        assert not torch.equal(twins[0][name], value)
        assert not torch.equal(twins[0][name], twins[2][name])
    limit = 1 / 13**0.5  # PyTorch's bound for 13 inputs
    assert twins[0]["layers.0.weight"].abs().max() <= limit


def test_a_run_that_was_damaged_or_not_finished_is_told(run: Path, tmp_path: Path):
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    weights = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(weights[: len(weights) // 2])
    with pytest.raises(AssayError, match="truncated or altered"):
        load_subject(str(copy))
    record = RunDirectory.open(copy).read_record()
    RunDirectory(copy).write_record(record.model_copy(update={"finished": None}))
    with pytest.raises(AssayError, match="must be finished"):
        load_subject(str(copy))
    RunDirectory(copy).write_record(record.model_copy(update={"model": "perceptron"}))
    shutil.copy(run / WEIGHTS, copy)
    with pytest.raises(AssayError, match=r"perceptron.*Choices: mlp"):
        load_subject(str(copy))


# A factory


def test_a_factory_with_weights_is_loaded_from_either_file(factories: Path):
    state = {"linear.weight": torch.arange(6.0).view(2, 3), "linear.bias": torch.zeros(2)}
    save_file(state, factories / "weights.safetensors")
    torch.save(state, factories / "weights.pt")
    for suffix in ("safetensors", "pt"):
        subject = load_subject(f"networks_of_mine:net@weights.{suffix}")
        assert torch.equal(subject({"x": torch.eye(3)}), state["linear.weight"].T)
        assert subject.name == "networks_of_mine:net"
        twin = subject.untrained(Generator().manual_seed(0)).weights()
        assert twin["linear.weight"].abs().max() < 1


def test_a_factory_that_brings_its_own_weights_still_has_untrained_twins(factories: Path):
    subject = load_subject("networks_of_mine:frozen")
    assert (subject.weights()["linear.weight"] == 1).all()
    assert subject.fresh is None
    assert subject.untrained(Generator().manual_seed(0)).weights()["linear.weight"].unique().numel() == 6


def test_a_factory_gives_the_same_network_every_time(factories: Path):
    state = torch.random.get_rng_state()
    first, second = (load_subject("networks_of_mine:net").weights() for _ in range(2))
    assert torch.equal(first["linear.weight"], second["linear.weight"])
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nowhere_of_mine:net", r"must be importable.*nowhere_of_mine"),
        ("broken_of_mine:net", "ZeroDivisionError"),
        ("networks_of_mine:nte", r"callable of that name.*Did you mean net"),
        ("networks_of_mine:Net", "needs width"),
        ("networks_of_mine:number", r"must return a torch.nn.Module.*int"),
        ("networks_of_mine:net@gone.safetensors", "must exist"),
        ("networks_of_mine:net@gone.pt", "must exist"),
        ("networks_of_mine:net@weights.npz", r"Choices: \.safetensors, \.pt"),
        ("networks_of_mine", "package.module:factory"),
        ("no/such/folder", "no such file or folder"),
        (".", "without run.json"),
        ("", "package.module:factory"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(factories: Path, address: str, told: str):
    with pytest.raises(AssayError, match=told):
        load_subject(address)


def test_weights_that_do_not_fit_are_told_by_name(factories: Path):
    save_file({"linear.weight": torch.zeros(2, 9), "extra": torch.zeros(1)}, factories / "w.safetensors")
    faults = r"linear\.bias is missing; extra is not of this network; linear\.weight has shape \(2, 9\) instead of \(2, 3\)"
    with pytest.raises(AssayError, match=faults):
        load_subject("networks_of_mine:net@w.safetensors")


class Bomb:
    """A pickle that runs code when it is read."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_that_is_not_weights_only_is_never_run(factories: Path):
    trace = factories / "it-ran"
    torch.save({"linear.weight": Bomb(trace)}, factories / "bomb.pt")
    (factories / "plain.pt").write_bytes(pickle.dumps(Bomb(trace)))
    torch.save(nn.Linear(3, 2), factories / "whole.pt")
    for name in ("bomb", "plain", "whole"):
        with pytest.raises(AssayError, match="must hold weights only"):
            load_subject(f"networks_of_mine:net@{name}.pt")
    assert not trace.exists()


def test_a_pytorch_file_that_is_damaged_or_no_state_dictionary_is_told(factories: Path):
    torch.save({"linear.weight": torch.zeros(2, 3)}, factories / "whole.pt")
    whole = (factories / "whole.pt").read_bytes()
    for length in (0, 10, len(whole) // 2):
        (factories / "cut.pt").write_bytes(whole[:length])
        with pytest.raises(AssayError, match=r"cut\.pt"):
            load_subject("networks_of_mine:net@cut.pt")
    torch.save({"state": {"linear.weight": torch.zeros(2, 3)}}, factories / "deep.pt")
    with pytest.raises(AssayError, match="state dictionary"):
        load_subject("networks_of_mine:net@deep.pt")
    (factories / "cut.safetensors").write_bytes(b"12345678")
    with pytest.raises(AssayError, match="truncated or altered"):
        load_subject("networks_of_mine:net@cut.safetensors")


# Hugging Face


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("bert")
    sizes = {"vocab_size": 13, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForSequenceClassification(BertConfig(**sizes, num_labels=5)).save_pretrained(folder)
    return folder


def test_a_hugging_face_folder_runs_a_task_under_its_own_names(bert: Path):
    from transformers import BertForSequenceClassification

    task = load_task(TASK)
    subject = load_subject(str(bert), task=task)
    examples = task.examples("seen", 20, generator=Generator().manual_seed(0))
    outputs = subject(examples.inputs)
    assert task.score(outputs, examples).shape == (20,)
    model = BertForSequenceClassification.from_pretrained(bert, local_files_only=True).eval()
    with torch.no_grad():
        expected = model(input_ids=examples.inputs["tokens"]).logits
    torch.testing.assert_close(outputs, expected)
    assert subject.match("bert.encoder.layer.0.attention.self.query", examples.inputs)
    assert subject.integrity(examples.inputs).holds
    twin = subject.untrained(Generator().manual_seed(0))
    name = "bert.encoder.layer.0.output.dense.weight"
    assert not torch.equal(twin.weights()[name], subject.weights()[name])
    assert twin(examples.inputs).shape == outputs.shape
    assert task_of_run(str(bert)) is None


def test_a_language_model_answers_a_class_at_its_last_position(tmp_path: Path):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=13, n_embd=16, n_layer=1, n_head=2, n_positions=8, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config).eval()
    model.save_pretrained(tmp_path)
    task = load_task(TASK)
    examples = task.examples("seen", 6, generator=Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(input_ids=examples.inputs["tokens"]).logits
    torch.testing.assert_close(load_subject(str(tmp_path))(examples.inputs), expected)
    torch.testing.assert_close(load_subject(str(tmp_path), task=task)(examples.inputs), expected[:, -1])


def test_an_encoder_decoder_gets_source_and_prefix_with_its_padding_masked(tmp_path: Path):
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=13, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    subject = load_subject(str(tmp_path))
    source, prefix = torch.tensor([[3, 4, 0, 0]]), torch.tensor([[1, 5, 6]])
    outputs = subject({"source": source, "prefix": prefix})
    assert outputs.shape == (1, 3, 13)
    torch.testing.assert_close(outputs, subject({"source": source[:, :2], "prefix": prefix}))


def test_a_hugging_face_folder_that_cannot_be_loaded_is_told(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = Path(shutil.copytree(bert, tmp_path / "copy"))
    config, weights = folder / "config.json", folder / "model.safetensors"
    text, whole = config.read_text(), weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AssayError, match="truncated or altered"):
        load_subject(str(folder))
    weights.unlink()
    with pytest.raises(AssayError, match="whole weights as safetensors"):
        load_subject(str(folder))
    save_file({"classifier.bias": torch.zeros(5)}, weights, {"format": "pt"})
    with pytest.raises(AssayError, match="would stay untrained"):
        load_subject(str(folder))
    config.write_text(text.replace("BertForSequenceClassification", "os"))
    with pytest.raises(AssayError, match="must name an architecture of transformers"):
        load_subject(str(folder))
    config.write_text(text.replace('"bert"', '"no-such-type"'))
    with pytest.raises(AssayError, match="one that transformers knows"):
        load_subject(str(folder))
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(AssayError, match=r"pip install assay\[hf\]"):
        load_subject(str(folder))
