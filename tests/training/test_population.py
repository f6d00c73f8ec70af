"""Many models trained together are trained as each would be alone, and what goes wrong with one stays with it."""

import inspect
import json
import math
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Generator, nn

from assay.errors import AssayError
from assay.models import build
from assay.objective import Classification, Regression, Sequences
from assay.store import read_tensors
from assay.tasks import load_task
from assay.training import DivergedError, TrainingConfig, TrainingData, fit, fit_many
from assay.training.population.plan import PopulationMember, make_plan

TASK = "modular:p=5,num_first=4,num_second=4,coverage=0.5"
VECTORS = "hyperteacher:num_modules=4,max_active=2"
WAYS = {"token MLP": ["stack", "vmap", "loop"], "vector MLP": ["stack", "vmap", "loop"], "transformer": ["vmap", "loop"]}
CASES = [(kind, way) for kind, ways in WAYS.items() for way in ways]


def models_of(kind: str, num: int = 4) -> list[nn.Module]:
    name, address = {
        "token MLP": ("mlp", TASK),
        "vector MLP": ("mlp", VECTORS),
        "transformer": ("transformer", TASK),
    }[kind]
    task = load_task(address)
    return [build(name, task, generator=Generator().manual_seed(seed), width=16) for seed in range(num)]


def task_of(kind: str):
    return load_task(VECTORS if kind == "vector MLP" else TASK)


def configs_of(num: int = 4, **changes) -> list[TrainingConfig]:
    """Every setting that may differ between models does, and every other gradient is clipped."""
    return [
        TrainingConfig(
            **{
                "steps": 5,
                "batch_size": 32,
                "warmup": 1 + seed % 2,
                "learning_rate": (1e-3, 1e-2)[seed % 2],
                "weight_decay": (0.0, 0.5)[seed // 2 % 2],
                "clip": (1e-2, 1e3)[seed % 2],
                "seed": seed,
                **changes,
            }
        )
        for seed in range(num)
    ]


def distance(one: nn.Module, other: nn.Module, config: TrainingConfig) -> float:
    """Largest difference of a weight, in learning rates per step: Adam's first steps are of that size whatever the gradient.

    A weight of 1 is rounded to 1e-7, which is 1e-4 of the lowest learning rate here.
    """
    # A key's bias moves all scores of a query alike, which softmax ignores: its gradient is rounding and nothing else.
    pairs = [
        (p, q) for (name, p), q in zip(one.named_parameters(), other.parameters(), strict=True) if not name.endswith("key.bias")
    ]
    most = max(float((p.detach() - q.detach()).abs().max()) for p, q in pairs)
    return most / config.learning_rate / max(1, config.steps)


def same_bits(ours: Sequence[nn.Module], theirs: Sequence[nn.Module]) -> bool:
    pairs = zip(ours, theirs, strict=True)
    return all(
        torch.equal(p, q) for a, b in pairs for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


# Equal to training alone


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize(("kind", "way"), CASES)
def test_weights_are_those_of_training_alone(kind: str, way, steps: int):
    alone, together, configs = models_of(kind), models_of(kind), configs_of(steps=steps)
    expected = [fit(model, task_of(kind), config=config) for model, config in zip(alone, configs, strict=True)]
    found = fit_many(together, task_of(kind), configs=configs, strategy=way)
    initial = models_of(kind)
    for a, b, start, config, one, other in zip(alone, together, initial, configs, expected, found, strict=True):
        assert distance(a, b, config) < 1e-3
        assert distance(b, start, config) > 1e-2, "nothing was trained"
        assert not b.training
        assert [step for step, _ in other.losses] == [step for step, _ in one.losses]
        assert [loss for _, loss in other.losses] == pytest.approx([loss for _, loss in one.losses], rel=1e-4)
    if way == "loop":
        assert same_bits(alone, together)


def test_clipping_is_by_model_and_matters():
    """The gradient of one model is a thousand times that of the other; either alone decides its own clipping."""
    x = torch.randn(64, 3, generator=Generator().manual_seed(0))
    data = [TrainingData({"input": x}, scale * x[:, :1], Regression(1, 1.0)) for scale in (1.0, 1000.0)]
    config = TrainingConfig(steps=20, batch_size=8, learning_rate=1e-2, clip=3.0)
    alone, together, unclipped = ([linear(3, 1, seed) for seed in (0, 1)] for _ in range(3))
    for model, source in zip(alone, data, strict=True):
        fit(model, source, config=config)
    fit_many(together, data, configs=config, strategy="stack")
    fit_many(unclipped, data, configs=TrainingConfig(**{**vars(config), "clip": 1e9}), strategy="stack")
    assert all(distance(a, b, config) < 1e-3 for a, b in zip(alone, together, strict=True))
    assert distance(unclipped[1], together[1], config) > 1e-3


def test_groups_are_formed_by_architecture_and_batch():
    task = load_task(TASK)
    sizes = [{"width": 8}, {"width": 12}, {"width": 8}, {"width": 8}]
    configs = [TrainingConfig(steps=4, batch_size=size, seed=seed) for seed, size in enumerate((16, 16, 16, 24))]

    def fresh() -> list[nn.Module]:
        return [build("mlp", task, generator=Generator().manual_seed(seed), **size) for seed, size in enumerate(sizes)]

    alone, together = fresh(), fresh()
    records = [fit(model, task, config=config) for model, config in zip(alone, configs, strict=True)]
    found = fit_many(together, task, configs=configs, strategy="rule")
    assert [record.losses[-1][1] for record in found] == pytest.approx([record.losses[-1][1] for record in records])
    assert all(distance(a, b, c) < 1e-3 for a, b, c in zip(alone, together, configs, strict=True))
    members = [PopulationMember(model, task, config) for model, config in zip(fresh(), configs, strict=True)]
    plan = make_plan(members, strategy="rule", jobs=1)
    assert [(chunk.way, chunk.models) for chunk in plan] == [("stack", (0, 2)), ("loop", (1,)), ("loop", (3,))]


def test_two_processes_train_the_same():
    alone, together, configs = models_of("token MLP"), models_of("token MLP"), configs_of()
    for model, config in zip(alone, configs, strict=True):
        fit(model, task_of("token MLP"), config=config)
    told: list[float] = []
    fit_many(
        together, task_of("token MLP"), configs=configs, strategy="loop", jobs=2, progress=lambda doing, done: told.append(done)
    )
    assert same_bits(alone, together)
    assert told[-2:] == [0.5, 1.0]
    assert told == sorted(told)
    assert not any(model.training for model in together)


def test_sequence_models_whose_shapes_depend_on_the_data_are_left_to_the_loop():
    draw = Generator().manual_seed(0)
    source, target = torch.randint(1, 5, (40, 4), generator=draw), torch.randint(1, 5, (40, 3), generator=draw)
    source[:20, 2:], target[:20, 1:] = 0, 0
    prefix = torch.cat([torch.ones(40, 1, dtype=torch.int64), target[:, :-1]], 1)
    data = TrainingData({"source": source, "prefix": prefix}, target, Sequences(5))
    alone, together = sequence_models(), sequence_models()
    config = TrainingConfig(steps=3, batch_size=8)
    for model in alone:
        fit(model, data, config=config)
    fit_many(together, data, configs=config, strategy="rule")
    assert same_bits(alone, together)
    with pytest.raises(AssayError, match="the strategy vmap must train these models as a plain loop does"):
        fit_many(sequence_models(), data, configs=config, strategy="vmap")


def sequence_models() -> list[nn.Module]:
    from assay.models.reference import ModelConfig, rebuild

    sizes = {"source_vocab": 5, "source_length": 4, "target_vocab": 5, "target_length": 3, "width": 8, "depth": 1, "heads": 2}
    return [rebuild(ModelConfig("encoder-decoder", sizes), generator=Generator().manual_seed(seed)) for seed in range(2)]


# Data of one's own


def linear(num_inputs: int, num_outputs: int, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Linear(num_inputs, num_outputs)


@pytest.mark.parametrize("way", ["stack", "vmap", "loop"])
@pytest.mark.parametrize("shared", [True, False])
def test_tensors_of_ones_own_are_drawn_as_for_one_model(way, shared: bool):
    tables = [
        TrainingData({"input": torch.randn(n, 3, generator=Generator().manual_seed(n))}, torch.arange(n) % 4, Classification(4))
        for n in ([12] if shared else [12, 7, 30])
    ]
    data = tables * 3 if shared else tables
    alone, together = ([linear(3, 4, seed) for seed in range(3)] for _ in range(2))
    configs = configs_of(3)
    for model, source, config in zip(alone, data, configs, strict=True):
        fit(model, source, config=config)
    fit_many(together, data[0] if shared else data, configs=configs, strategy=way)
    assert all(distance(a, b, c) < 1e-3 for a, b, c in zip(alone, together, configs, strict=True))


# Divergence


def poisoned(num: int, bad: int, at: int | None = None) -> list[TrainingData]:
    """Regression data, of which one table holds a NaN: in every row, or in one."""
    tables = []
    for i in range(num):
        x = torch.randn(64, 3, generator=Generator().manual_seed(i))
        if i == bad:
            x[slice(None) if at is None else at] = math.nan
        tables.append(TrainingData({"input": x}, x.nan_to_num().sum(1, keepdim=True), Regression(1, 1.0)))
    return tables


@pytest.mark.parametrize("at", [None, 5])
@pytest.mark.parametrize("way", ["stack", "vmap", "loop"])
def test_one_diverging_model_is_named_and_spoils_no_other(way, at: int | None):
    data = poisoned(4, bad=2, at=at)
    configs = [TrainingConfig(steps=30, batch_size=4, warmup=0, weight_decay=1.0, seed=seed) for seed in range(4)]
    alone, together = ([linear(3, 1, seed) for seed in range(4)] for _ in range(2))
    for i, (model, source, config) in enumerate(zip(alone, data, configs, strict=True)):
        if i == 2:
            with pytest.raises(DivergedError) as expected:
                fit(model, source, config=config)
        else:
            fit(model, source, config=config)
    with pytest.raises(DivergedError, match="model 2: loss nan") as found:
        fit_many(together, data, configs=configs, strategy=way)
    # The diverged one keeps the weights of the step before, which fit left in it too.
    assert all(distance(a, b, c) < 1e-3 for a, b, c in zip(alone, together, configs, strict=True))
    assert list(found.value.models) == [2]
    assert found.value.models[2].split(";")[0] == expected.value.models[0].split(";")[0], "at the same step"
    assert [len(record.losses) for record in found.value.records] == [30, 30, len(expected.value.records[0].losses), 30]
    travelled = pickle.loads(pickle.dumps(found.value))
    assert (str(travelled), travelled.models, travelled.records) == (str(found.value), found.value.models, found.value.records)


def test_training_ends_when_all_have_diverged():
    data = poisoned(1, bad=0)[0]
    told: list[float] = []
    with pytest.raises(DivergedError, match=r"model 0: .*model 1: .*lower the learning rate"):
        fit_many(
            [linear(3, 1, seed) for seed in range(2)],
            data,
            configs=TrainingConfig(steps=10, batch_size=4),
            strategy="stack",
            progress=lambda doing, done: told.append(done),
        )
    assert told == []


# Interruption


def interrupting(stop: int) -> Callable[[str, float], None]:
    calls = iter(range(1, 1000))

    def progress(doing: str, done: float) -> None:
        if next(calls) == stop:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("stop", [1, 7, 12])
@pytest.mark.parametrize(("kind", "way"), [case for case in CASES if case[0] != "vector MLP"])
def test_an_interrupt_at_any_step_changes_no_bit(kind: str, way, stop: int, tmp_path: Path):
    configs = configs_of(steps=10, checkpoint_every=3)
    configs[3] = TrainingConfig(**{**vars(configs[3]), "batch_size": 16})  # a second chunk, from the eleventh report on

    def run(models, **more):
        return fit_many(models, task_of(kind), configs=configs, strategy=way, **more)

    undisturbed, continued = models_of(kind), models_of(kind)
    expected = run(undisturbed)
    with pytest.raises(KeyboardInterrupt):
        run(models_of(kind), checkpoint=tmp_path, progress=interrupting(stop))
    found = run(continued, checkpoint=tmp_path)
    assert same_bits(undisturbed, continued)
    assert [record.losses for record in found] == [record.losses for record in expected]
    again, told = models_of(kind), []
    once_more = run(again, checkpoint=tmp_path, progress=lambda doing, done: told.append(done))
    assert told == [], "a finished population is not trained again"
    assert [record.losses for record in once_more] == [record.losses for record in expected]
    assert same_bits(undisturbed, again)


def test_a_diverged_model_stays_so_after_an_interrupt(tmp_path: Path):
    data, config = poisoned(3, bad=1), TrainingConfig(steps=10, batch_size=4, weight_decay=0.5)
    undisturbed, continued = ([linear(3, 1, seed) for seed in range(3)] for _ in range(2))
    with pytest.raises(DivergedError) as expected:
        fit_many(undisturbed, data, configs=config, strategy="stack")
    with pytest.raises(KeyboardInterrupt):
        fit_many(
            [linear(3, 1, i) for i in range(3)],
            data,
            configs=config,
            strategy="stack",
            checkpoint=tmp_path,
            progress=interrupting(5),
        )
    with pytest.raises(DivergedError) as found:
        fit_many(continued, data, configs=config, strategy="stack", checkpoint=tmp_path)
    assert same_bits(undisturbed, continued)
    assert found.value.models == expected.value.models


def test_a_killed_population_ends_with_the_same_bits(tmp_path: Path):
    code = "\n".join(
        [
            "import sys, time",
            "from pathlib import Path",
            "from torch import Generator",
            "from assay.models import build",
            "from assay.tasks import load_task",
            "from assay.training import TrainingConfig, fit_many",
            f"task = load_task({TASK!r})",
            "models = [build('mlp', task, generator=Generator().manual_seed(seed), width=16) for seed in range(4)]",
            "configs = [TrainingConfig(steps=60, batch_size=32, checkpoint_every=4, seed=seed) for seed in range(4)]",
            f"fit_many(models, task, configs=configs, strategy='rule', checkpoint=Path({str(tmp_path)!r}),",
            "         progress=lambda doing, done: time.sleep(0.05))",
        ]
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while checkpoint_step(tmp_path) < 8:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 8 <= checkpoint_step(tmp_path) < 60
    configs = [TrainingConfig(steps=60, batch_size=32, checkpoint_every=4, seed=seed) for seed in range(4)]
    undisturbed, continued = models_of("token MLP"), models_of("token MLP")
    fit_many(undisturbed, load_task(TASK), configs=configs, strategy="rule")
    fit_many(continued, load_task(TASK), configs=configs, strategy="rule", checkpoint=tmp_path)
    assert same_bits(undisturbed, continued)


def checkpoint_step(folder: Path) -> int:
    path = folder / "chunk-000.safetensors"
    return json.loads(read_tensors(path)[1]["progressed"])["step"] if path.exists() else 0


def test_a_checkpoint_of_another_population_is_refused(tmp_path: Path):
    task = load_task(TASK)
    configs = configs_of(checkpoint_every=2)
    fit_many(models_of("token MLP"), task, configs=configs, strategy="rule", checkpoint=tmp_path)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    with pytest.raises(AssayError, match="continues only with the strategy and the configurations it began with"):
        fit_many(models_of("token MLP"), task, configs=configs_of(seed=9), strategy="rule", checkpoint=tmp_path)
    with pytest.raises(AssayError, match="continues only with the strategy"):
        fit_many(models_of("token MLP"), task, configs=configs, strategy="loop", checkpoint=tmp_path)
    wider = [build("mlp", task, generator=Generator().manual_seed(seed), width=24) for seed in range(4)]
    with pytest.raises(AssayError, match=r"a checkpoint must belong to the run that it continues.*shape"):
        fit_many(wider, task, configs=configs, strategy="rule", checkpoint=tmp_path)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before
    path = tmp_path / "chunk-000.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(AssayError, match=r"chunk-000\.safetensors, which is truncated"):
        fit_many(models_of("token MLP"), task, configs=configs, strategy="rule", checkpoint=tmp_path)


# Sizes 0 and 1, and what does not fit


def test_no_models_and_no_steps_are_nothing_to_do():
    task = load_task(TASK)
    assert fit_many([], task, configs=TrainingConfig()) == []
    models, initial = models_of("token MLP"), models_of("token MLP")
    records = fit_many(models, task, configs=TrainingConfig(steps=0))
    assert same_bits(models, initial)
    assert not any(model.training for model in models)
    assert [record.losses for record in records] == [()] * 4


@pytest.mark.parametrize("way", ["rule", "stack", "vmap", "loop"])
def test_one_model_is_a_population(way):
    (alone,), (together,) = models_of("token MLP", 1), models_of("token MLP", 1)
    config = TrainingConfig(steps=5, batch_size=32)
    fit(alone, load_task(TASK), config=config)
    fit_many([together], load_task(TASK), configs=config, strategy=way)
    assert distance(alone, together, config) < 1e-3


def test_what_does_not_fit_is_told_before_anything_is_trained(tmp_path: Path):
    task, models = load_task(TASK), models_of("token MLP", 2)
    empty = TrainingData({"x": torch.zeros(0, 3)}, torch.zeros(0, 1), Regression(1, 1.0))
    config = TrainingConfig(steps=2, batch_size=4)
    unchecked = inspect.unwrap(fit_many)  # the types that tests check would speak first
    attempts: list[tuple[str, Callable[[], object]]] = [
        (
            "data must be one for all models or one for each. Given: 3 for 2",
            lambda: fit_many(models, [task] * 3, configs=config),
        ),
        ("configs must be one for all models or one for each", lambda: fit_many(models, task, configs=[config])),
        ("no such strategy. Given: stak.*Did you mean stack", lambda: unchecked(models, task, configs=config, strategy="stak")),
        ("jobs must be at least 1", lambda: fit_many(models, task, configs=config, jobs=0)),
        ("distinct objects", lambda: fit_many([models[0]] * 2, task, configs=config)),
        ("must have weights. Given: model 1", lambda: fit_many([models[0], nn.ReLU()], task, configs=config)),
        ("must have training examples", lambda: fit_many([linear(3, 1, 0)], empty, configs=config)),
        (
            "one row per example. Given: rows",
            lambda: TrainingData({"x": torch.zeros(3, 1)}, torch.zeros(2), Regression(1, 1.0)),
        ),
    ]
    initial = models_of("token MLP", 2)
    for message, attempt in attempts:
        with pytest.raises(AssayError, match=message):
            attempt()
    assert same_bits(models, initial)
