"""Networks of every kind are trained to their density, learn there, and go on after a kill to the same bits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Generator, nn

from assay.errors import AssayError
from assay.models import build, load_subject
from assay.store import RunDirectory
from assay.tasks import load_task
from assay.training import TrainingConfig, density_of, fit, fit_many, recommended, train
from assay.training.sparse import Projection

pytestmark = pytest.mark.slow

TASK = "modular:p=5,num_first=4,num_second=4,maps=permutation,coverage=0.5"
CONFIG = {
    "steps": 40, "batch_size": 32, "warmup": 4, "learning_rate": 0.03, "checkpoint_every": 7, "sparse": 0.25, "sparse_floor": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "task"),
    [
        ("mlp", TASK),
        ("transformer", TASK),
        ("gru", TASK),
        ("transformer", "text:file=CHANGELOG.md,length=16,num_words=20"),
        ("causal", "non-adjacent-sum:n=2,train=20,novel=20"),
    ],
)
def test_every_kind_of_network_ends_at_the_density(model: str, task: str):
    source = load_task(task)
    network = build(model, source, generator=Generator().manual_seed(0), width=16)
    config = TrainingConfig(**{**CONFIG, "steps": 6, "batch_size": 4})
    planned = Projection(network, config).planned()
    fit(network, source, config=config)
    matrices = [weight for weight in network.parameters() if weight.ndim >= 2]
    reached = sum(int(torch.count_nonzero(weight)) for weight in matrices)
    assert reached <= planned <= 1.1 * 0.25 * sum(weight.numel() for weight in matrices)
    assert reached > 0.9 * planned
    assert density_of(network) == pytest.approx(reached / sum(weight.numel() for weight in matrices))


def network(seed: int = 0) -> nn.Module:
    return build("mlp", load_task(TASK), generator=Generator().manual_seed(seed), width=32)


def test_it_learns_and_thresholds_used_again_change_little():
    losses = {}
    for exact in (1, 20):
        config = TrainingConfig(**{**CONFIG, "steps": 150, "sparse_exact": exact})
        losses[exact] = [loss for _, loss in fit(network(), load_task(TASK), config=config).losses]
    last = {key: float(np.mean(some[-10:])) for key, some in losses.items()}
    assert all(loss < 0.3 * losses[1][0] for loss in last.values()), last
    assert abs(last[20] - last[1]) <= 0.1 * losses[1][0], last


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path):
    whole = network()
    fit(whole, load_task(TASK), config=TrainingConfig(**CONFIG))

    class StoppedError(Exception):
        pass

    def stop(doing: str, done: float) -> None:
        if done > 0.6:  # amid thresholds that are used again
            raise StoppedError

    for k in range(2):
        model = network()
        try:
            fit(
                model,
                load_task(TASK),
                config=TrainingConfig(**CONFIG),
                directory=RunDirectory(tmp_path),
                progress=stop if k == 0 else lambda doing, done: None,
            )
        except StoppedError:
            assert k == 0
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), model.parameters(), strict=True))


def test_a_population_is_trained_as_each_would_be_alone():
    alone, together = [network(seed) for seed in range(2)], [network(seed) for seed in range(2)]
    configs = [TrainingConfig(**{**CONFIG, "seed": seed, "sparse": share}) for seed, share in ((0, 0.25), (1, 1.0))]
    for model, config in zip(alone, configs, strict=True):
        fit(model, load_task(TASK), config=config)
    fit_many(together, load_task(TASK), configs=configs)
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert density_of(together[0]) < 0.3 < density_of(together[1])
    with pytest.raises(AssayError, match="one network at a time"):
        fit_many([network(), network()], load_task(TASK), configs=configs[0], strategy="stack")


def test_a_run_keeps_its_active_units_and_its_density(tmp_path: Path):
    run = train(TASK, "transformer", options={"width": 16, "active": 0.25}, config={**CONFIG, "steps": 8}, out=tmp_path)
    subject = load_subject(str(run.path))
    assert density_of(subject.module) <= 1.1 * 0.25
    examples = load_task(TASK).examples("seen", 50, generator=Generator().manual_seed(0))
    places = ["attention_norm", "attention.query", "attention.key", "attention.value", "attention.output"]
    places += ["mlp_norm", "mlp.activation", "mlp.down"]
    states = subject.read(examples.inputs, [f"blocks.0.{place}:out" for place in places])
    for place, state in states.items():
        active = (state != 0).sum(-1)
        assert int(active.max()) == state.shape[-1] // 4, place


def test_a_density_below_the_floor_is_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(AssayError, match="ask for a density of at least"):
        train(TASK, "mlp", options={"width": 16}, config={"sparse": 1 / 64}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_gradients_pass_through_active_units_alone():
    model = build("mlp", load_task(TASK), generator=Generator().manual_seed(0), width=8, depth=1, active=0.25)
    tokens = load_task(TASK).examples("seen", 1, generator=Generator().manual_seed(0)).inputs["tokens"]
    model(tokens).sum().backward()
    reached = model.get_parameter("layers.0.bias").grad
    assert reached is not None
    assert int(torch.count_nonzero(reached)) <= 2
    with pytest.raises(AssayError, match="active is the share of units"):
        build("mlp", load_task(TASK), generator=Generator().manual_seed(0), active=1.5)


def test_a_sparse_network_is_trained_at_a_higher_rate_by_default():
    assert recommended("mlp", sparse=0.5).learning_rate > recommended("mlp").learning_rate
    assert recommended("mlp", sparse=0.5, learning_rate=0.1).learning_rate == 0.1
    assert recommended("mlp", sparse=1.0) == recommended("mlp")
