"""Training continues bit for bit after a kill, and what goes wrong is told."""

import dataclasses
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Generator, nn

from assay.errors import AssayError
from assay.models import NAMES, build
from assay.store import CHECKPOINT, RECORD, WEIGHTS, RunDirectory, read_tensors
from assay.tasks import load_task
from assay.training import TrainingConfig, fit, recommended, train

TASK = "modular:p=5,num_first=4,num_second=4,coverage=0.5"
CONFIG = {"steps": 60, "batch_size": 32, "checkpoint_every": 7, "warmup": 5, "weight_decay": 0.1, "learning_rate": 0.01}
SMALL = {"width": 16}


def run(out: Path, **changes) -> RunDirectory:
    return train(TASK, "mlp", options=SMALL, config={**CONFIG, **changes}, out=out)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return run(tmp_path_factory.mktemp("undisturbed"))


def same_outcome(one: RunDirectory, other: RunDirectory) -> bool:
    records = [directory.read_record() for directory in (one, other)]
    told = [(record.losses, record.scores, record.weights_sha256, record.identity()) for record in records]
    return told[0] == told[1] and (one.path / WEIGHTS).read_bytes() == (other.path / WEIGHTS).read_bytes()


# The run


def test_a_run_learns_and_records_what_made_it(undisturbed: RunDirectory):
    record = undisturbed.read_record()
    assert record.task == load_task(TASK).address
    assert record.model == "mlp"
    assert record.options["width"] == 16
    assert record.training == dataclasses.asdict(TrainingConfig(**CONFIG))
    assert record.losses[0][1] > record.losses[-1][1]
    assert [step for step, _ in record.losses] == list(range(1, 61))
    assert set(record.scores) == {"seen", "novel"}
    assert record.scores["seen"] > 0.3
    assert record.cpu_seconds > 0
    assert sorted(entry.name for entry in undisturbed.path.iterdir()) == [RECORD, WEIGHTS]


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(undisturbed: RunDirectory, tmp_path: Path):
    torch.manual_seed(99)  # which must not matter
    assert same_outcome(run(tmp_path / "again"), undisturbed)
    assert run(tmp_path / "other", seed=1).read_record().weights_sha256 != undisturbed.read_record().weights_sha256


def test_what_is_recommended_depends_on_the_family_of_the_task(tmp_path: Path):
    address = "hyperteacher:num_modules=4,max_active=2"
    ours = recommended("mlp", load_task(address), steps=1)
    assert train(address, "mlp", options=SMALL, config={"steps": 1}, out=tmp_path).read_record().training == vars(ours)
    assert ours != recommended("mlp", steps=1) == recommended("mlp", load_task(TASK), steps=1)
    assert recommended("transformer", load_task(address)) == recommended("transformer")
    assert recommended("mlp", load_task("preference_grid")).batch_size == 128


@pytest.mark.parametrize("name", NAMES)
def test_every_reference_model_has_a_configuration(name: str):
    assert recommended(name, steps=1).steps == 1


def test_no_steps_keep_the_initial_weights(tmp_path: Path):
    directory = run(tmp_path, steps=0, seed=3)
    initial = build("mlp", load_task(TASK), generator=Generator().manual_seed(3), **SMALL).state_dict()
    weights = directory.read_weights()
    assert weights.keys() == initial.keys()
    assert all(torch.equal(weights[name], initial[name]) for name in initial)
    assert directory.read_record().losses == ()


def test_losses_are_recorded_about_a_hundred_times(tmp_path: Path):
    told: list[float] = []
    directory = train(
        TASK,
        "mlp",
        options=SMALL,
        config={**CONFIG, "steps": 250},
        out=tmp_path,
        progress=lambda doing, done: told.append(done),
    )
    assert len(directory.read_record().losses) == 125
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_the_rate_rises_and_falls_to_zero():
    config = TrainingConfig(steps=100, warmup=9, learning_rate=2.0)
    rates = [config.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] <= 2.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert 0 < rates[-1] < 0.002
    assert TrainingConfig(steps=1, warmup=0).rate(0) == TrainingConfig().learning_rate


def test_updates_are_those_of_adamw_written_out(tmp_path: Path):
    task = load_task(TASK)
    config = TrainingConfig(**{**CONFIG, "steps": 5, "clip": 0.1})
    model = build("mlp", task, generator=Generator().manual_seed(0), **SMALL)
    expected = build("mlp", task, generator=Generator().manual_seed(0), **SMALL)
    fit(model, task, config=config)
    generator = Generator().manual_seed(config.seed)
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in expected.parameters()]
    for step in range(5):
        examples = task.examples("train", 32, generator=generator)
        gradients = torch.autograd.grad(task.loss(expected(**examples.inputs), examples), list(expected.parameters()))
        norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
        with torch.no_grad():
            for parameter, gradient, (mean, square) in zip(expected.parameters(), gradients, moments, strict=True):
                gradient = gradient * min(1.0, 0.1 / norm)
                mean.mul_(0.9).add_(gradient, alpha=0.1)
                square.mul_(0.999).add_(gradient.square(), alpha=0.001)
                update = mean / (1 - 0.9 ** (step + 1)) / ((square / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
                parameter.mul_(1 - config.rate(step) * 0.1).sub_(update, alpha=config.rate(step))
    for ours, theirs in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert not model.training


# Interruption


def test_a_killed_run_ends_with_the_same_bytes(undisturbed: RunDirectory, tmp_path: Path):
    out = tmp_path / "killed"
    code = "\n".join(
        [
            "import time",
            "from assay.training import train",
            f"train({TASK!r}, 'mlp', options={SMALL!r}, config={CONFIG!r}, out={str(out)!r},",
            "      progress=lambda doing, done: time.sleep(0.05))",
        ]
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    wait_until(lambda: checkpoint_step(out) >= 14, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert RunDirectory.open(out).read_record().finished is None
    assert not (out / WEIGHTS).exists()
    assert 14 <= checkpoint_step(out) < 60
    assert same_outcome(run(out), undisturbed)


def test_ctrl_c_writes_a_checkpoint_of_the_step_it_fell_into(undisturbed: RunDirectory, tmp_path: Path):
    out = tmp_path / "interrupted"
    rare = {**CONFIG, "checkpoint_every": 1000}
    code = "\n".join(
        [
            "import time",
            "from assay.training import train",
            "try:",
            f"    train({TASK!r}, 'mlp', options={SMALL!r}, config={rare!r}, out={str(out)!r},",
            "          progress=lambda doing, done: (print(done, flush=True), time.sleep(0.05)))",
            "except KeyboardInterrupt:",
            "    raise SystemExit(7)",
        ]
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(10):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 7
    assert 10 <= checkpoint_step(out) < 60
    directory = run(out, checkpoint_every=1000)
    assert (directory.path / WEIGHTS).read_bytes() == (undisturbed.path / WEIGHTS).read_bytes()
    assert directory.read_record().losses == undisturbed.read_record().losses


@pytest.mark.parametrize("stop", [1, 7, 30, 59, 60])
def test_an_interrupt_at_any_step_changes_no_bit(undisturbed: RunDirectory, tmp_path: Path, stop: int):
    calls = iter(range(1, 1000))

    def interrupt(doing: str, done: float) -> None:
        if next(calls) == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TASK, "mlp", options=SMALL, config=CONFIG, out=tmp_path, progress=interrupt)
    assert checkpoint_step(tmp_path) == stop
    assert same_outcome(run(tmp_path), undisturbed)


def test_an_interrupt_while_scoring_loses_nothing(undisturbed: RunDirectory, tmp_path: Path):
    def interrupt(doing: str, done: float) -> None:
        if doing.startswith("scoring"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TASK, "mlp", options=SMALL, config=CONFIG, out=tmp_path, progress=interrupt)
    assert same_outcome(run(tmp_path), undisturbed)


def test_the_handler_of_ctrl_c_is_given_back():
    task = load_task(TASK)
    before = signal.getsignal(signal.SIGINT)
    fit(build("mlp", task, generator=Generator().manual_seed(0)), task, config=TrainingConfig(steps=1))
    assert signal.getsignal(signal.SIGINT) is before


def test_who_ignores_ctrl_c_goes_on_to_ignore_it():
    """As what a shell runs in the background does."""
    task, before = load_task(TASK), signal.signal(signal.SIGINT, signal.SIG_IGN)
    model = build("mlp", task, generator=Generator().manual_seed(0))
    try:
        fit(model, task, config=TrainingConfig(steps=1), progress=lambda doing, done: signal.raise_signal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_models_continue_bit_for_bit_too(tmp_path: Path):
    def once(out: Path, stop: int) -> RunDirectory:
        def interrupt(doing: str, done: float) -> None:
            if done > stop / 8:
                raise KeyboardInterrupt

        config = {"steps": 6, "batch_size": 8, "checkpoint_every": 2}
        try:
            return train(TASK, "transformer", options=SMALL, config=config, out=out, progress=interrupt)
        except KeyboardInterrupt:
            return train(TASK, "transformer", options=SMALL, config=config, out=out)

    assert same_outcome(once(tmp_path / "a", 9), once(tmp_path / "b", 3))


# What goes wrong


def test_another_configuration_does_not_continue_a_run(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        train(TASK, "mlp", options=SMALL, config=CONFIG, out=tmp_path, progress=raises_interrupt)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    with pytest.raises(AssayError, match=r"learning_rate 0\.01 there and 0\.5 now"):
        run(tmp_path, learning_rate=0.5)
    with pytest.raises(AssayError, match="width 16 there and 8 now"):
        train(TASK, "mlp", options={"width": 8}, config=CONFIG, out=tmp_path)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before


def test_a_finished_run_is_not_written_over(undisturbed: RunDirectory):
    before = {entry.name: entry.read_bytes() for entry in undisturbed.path.iterdir()}
    with pytest.raises(AssayError, match="finished run"):
        run(undisturbed.path)
    assert {entry.name: entry.read_bytes() for entry in undisturbed.path.iterdir()} == before


def test_a_truncated_checkpoint_is_named(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        train(TASK, "mlp", options=SMALL, config=CONFIG, out=tmp_path, progress=raises_interrupt)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(AssayError, match=r"checkpoint\.safetensors, which is truncated"):
        run(tmp_path)


def test_a_diverging_run_says_where_and_keeps_its_checkpoint(tmp_path: Path):
    class Collapsing(nn.Module):
        """Its loss is no number after nine steps."""

        def __init__(self):
            super().__init__()
            self.inner = build("mlp", load_task(TASK), generator=Generator().manual_seed(0))
            self.calls = 0

        def forward(self, tokens):
            self.calls += 1
            return self.inner(tokens=tokens) * (math.nan if self.calls > 9 else 1.0)

    model = Collapsing()
    with pytest.raises(AssayError, match=r"loss nan.*at step 10; the loss before was \d.*lower the learning rate"):
        fit(model, load_task(TASK), config=TrainingConfig(**CONFIG), directory=RunDirectory(tmp_path))
    assert checkpoint_step(tmp_path) == 7
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    with pytest.raises(AssayError, match="it was the first"):
        fit(model, load_task(TASK), config=TrainingConfig(**CONFIG))


def test_nothing_is_written_for_what_does_not_fit(tmp_path: Path):
    out = tmp_path / "none"
    attempts = [
        lambda: train("modulr", "mlp", out=out),
        lambda: train(TASK, "mpl", out=out),
        lambda: train(TASK, "mlp", options={"hight": 3}, out=out),
        lambda: train(TASK, "mlp", config={"setps": 3}, out=out),
        lambda: train(TASK, "mlp", config={"steps": -1}, out=out),
        lambda: train(TASK, "mlp", config={"learning_rate": math.nan}, out=out),
    ]
    for attempt in attempts:
        with pytest.raises(AssayError):
            attempt()
    assert not out.exists()


@pytest.mark.parametrize(
    "change", [{"steps": -1}, {"batch_size": 0}, {"learning_rate": 0.0}, {"clip": 0.0}, {"warmup": -1}, {"seed": -1}]
)
def test_a_setting_out_of_range_is_named(change: dict):
    with pytest.raises(AssayError, match=f"training: {next(iter(change))} must"):
        recommended("mlp", **change)


def checkpoint_step(out: Path) -> int:
    path = out / CHECKPOINT
    if not path.exists():
        return 0
    import json

    return json.loads(read_tensors(path)[1]["progressed"])["step"]


def wait_until(done, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def raises_interrupt(doing: str, done: float) -> None:
    raise KeyboardInterrupt
