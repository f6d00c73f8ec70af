"""How models are trained together: what can be stacked, what cannot and why, and that the choice changes no result."""

import copy

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.errors import AssayError
from assay.models import build
from assay.objective import Classification, Regression
from assay.tasks import load_task
from assay.tasks.modular import Modular
from assay.training import TrainingConfig, TrainingData, fit, fit_many
from assay.training.population import plan as planning
from assay.training.population.plan import Chunk, Member, make_plan

CONFIG = TrainingConfig(steps=4, batch_size=8, learning_rate=1e-2)
TOKENS = TrainingData({"input": torch.arange(60).reshape(20, 3) % 7}, torch.arange(20) % 4, Classification(4))
VECTORS = TrainingData(
    {"input": torch.randn(20, 6, generator=Generator().manual_seed(0))},
    torch.randn(20, 2, generator=Generator().manual_seed(1)),
    Regression(2, 1.0),
)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, input: Tensor) -> Tensor:
        return self.head(input + self.inner(input))


class Between(nn.Module):
    """What happens between its layers is no layer."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 2)

    def forward(self, input: Tensor) -> Tensor:
        return self.second(F.relu(self.first(input), inplace=True))


class Twice(nn.Module):
    """One layer is used twice."""

    def __init__(self):
        super().__init__()
        self.shared, self.head = nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, input: Tensor) -> Tensor:
        return self.head(self.shared(self.shared(input)))


class Unused(nn.Module):
    """Some of its weights take no part, and some shall not be trained."""

    def __init__(self):
        super().__init__()
        self.used, self.unused, self.frozen = nn.Linear(6, 3), nn.Linear(6, 3), nn.Linear(3, 2)
        self.frozen.requires_grad_(False)

    def forward(self, input: Tensor) -> Tensor:
        return self.frozen(self.used(input))


class Scaled(nn.Module):
    """A number that no printed form of the module shows."""

    def __init__(self, scale: float):
        super().__init__()
        self.layer, self.scale = nn.Linear(6, 2), scale

    def forward(self, input: Tensor) -> Tensor:
        return self.scale * self.layer(input)


class Counting(nn.Module):
    """It assigns a buffer anew in every forward."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, input: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return self.layer(input)


class Branching(nn.Module):
    """What it computes depends on the data."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, input: Tensor) -> Tensor:
        return self.layer(input if input.sum() > 0 else -input)


CHAINS = {
    "a layer": (lambda: nn.Linear(6, 2), VECTORS),
    "no bias": (lambda: nn.Sequential(nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Linear(5, 2)), VECTORS),
    "LayerNorm": (lambda: nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 2)), VECTORS),
    "bare LayerNorm": (lambda: nn.Sequential(nn.LayerNorm(6, elementwise_affine=False), nn.Linear(6, 2)), VECTORS),
    "in place": (lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Linear(5, 2)), VECTORS),
    "Embedding": (lambda: nn.Sequential(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(9, 4)), TOKENS),
    "by position": (
        lambda: nn.Sequential(
            nn.Embedding(7, 4), nn.LayerNorm((3, 4)), nn.Linear(4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4)
        ),
        TOKENS,
    ),
    "softmax": (lambda: nn.Sequential(nn.Linear(6, 5), nn.Softmax(-1), nn.Linear(5, 2)), VECTORS),
    "used twice": (Twice, VECTORS),
    "unused and frozen": (Unused, VECTORS),
}
NOT_CHAINS = {
    "residual": (Residual, VECTORS),
    "between": (Between, VECTORS),
    "padding": (lambda: nn.Sequential(nn.Embedding(7, 3, padding_idx=0), nn.Flatten(), nn.Linear(9, 4)), TOKENS),
    "convolution": (lambda: nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 6), nn.Flatten()), VECTORS),
}


def fresh(factory, num: int = 3) -> list[nn.Module]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [factory() for _ in range(num)]


def ways(models, data, strategy="rule", config: TrainingConfig = CONFIG, jobs: int = 1) -> list[str]:
    sources = data if isinstance(data, list) else [data] * len(models)
    members = [Member(model, source, config) for model, source in zip(models, sources, strict=True)]
    return [chunk.way for chunk in make_plan(members, strategy=strategy, jobs=jobs)]


def close(alone, together) -> bool:
    pairs = zip(alone, together, strict=True)
    return all(
        torch.allclose(p, q, rtol=0, atol=1e-5) for a, b in pairs for p, q in zip(a.parameters(), b.parameters(), strict=True)
    )


def trained_alone(models, data, config: TrainingConfig = CONFIG) -> list[nn.Module]:
    for model in models:
        fit(model, data, config=config)
    return models


# What can be stacked


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_is_stacked_and_trained_the_same(name: str):
    factory, data = CHAINS[name]
    config = TrainingConfig(**{**vars(CONFIG), "weight_decay": 0.5})
    assert ways(fresh(factory), data) == ["stack"]
    together, initial = fresh(factory), fresh(factory)
    fit_many(together, data, configs=config, strategy="stack")
    assert close(trained_alone(fresh(factory), data, config), together)
    assert not close(initial, together)


@pytest.mark.parametrize("name", NOT_CHAINS)
def test_what_is_no_chain_goes_to_vmap(name: str):
    factory, data = NOT_CHAINS[name]
    assert ways(fresh(factory), data)[0] != "stack"
    with pytest.raises(AssayError, match="it is no chain of Linear"):
        fit_many(fresh(factory), data, configs=CONFIG, strategy="stack")
    together = fresh(factory)
    fit_many(together, data, configs=CONFIG, strategy="rule")
    assert close(trained_alone(fresh(factory), data), together)


def test_a_residual_network_is_batched_by_vmap():
    assert ways(fresh(Residual), VECTORS) == ["vmap"]


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        (lambda: nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.1), nn.Linear(5, 2)), "the model draws at random"),
        (Counting, "the buffer calls is another"),
        (Branching, "data-dependent control flow"),
    ],
)
def test_what_one_batched_step_gets_wrong_is_left_to_the_loop(factory, reason: str):
    assert ways(fresh(factory), VECTORS) == ["loop"]
    with pytest.raises(AssayError, match=reason):
        fit_many(fresh(factory), VECTORS, configs=CONFIG, strategy="vmap")


def test_a_layer_whose_gradient_is_another_in_a_stack_is_found_out():
    class Normalising(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x.register_hook(lambda gradient: gradient / gradient.norm())  # of one model, or of all together
            return x.clone()

    with pytest.raises(AssayError, match=r"the gradient of 0\.weight is another"):
        fit_many(
            fresh(lambda: nn.Sequential(nn.Linear(6, 5), Normalising(), nn.Linear(5, 2))),
            VECTORS,
            configs=CONFIG,
            strategy="stack",
        )


def test_models_that_only_look_alike_are_left_to_the_loop():
    models = [Scaled(scale) for scale in (1.0, 1.0, 1.1)]
    assert ways(models[:2], VECTORS) == ["vmap"]
    assert ways(models, VECTORS) == ["loop"]


def test_hooks_of_the_users_are_not_passed_over():
    models = fresh(lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)))
    for model in models:
        model[0].register_forward_hook(lambda module, args, out: 2 * out)
    assert ways(models, VECTORS) == ["vmap"]
    alone, together = copy.deepcopy(models), copy.deepcopy(models)
    fit_many(together, VECTORS, configs=CONFIG, strategy="rule")
    assert close(trained_alone(alone, VECTORS), together)


def test_batch_statistics_are_those_of_each_model():
    def factory() -> nn.Module:
        return nn.Sequential(nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))

    together, alone = fresh(factory), trained_alone(fresh(factory), VECTORS)
    fit_many(together, VECTORS, configs=CONFIG, strategy="rule")
    for a, b in zip(alone, together, strict=True):
        for one, other in zip(a.buffers(), b.buffers(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_loss_of_the_tasks_own_is_left_to_the_loop():
    class Weighted(Modular):
        def loss(self, outputs, examples):
            return super().loss(outputs, examples) * (1 + float(examples.targets[0]))

    task = Weighted(p=5, num_first=4, num_second=4, coverage=0.5)
    models = [build("mlp", task, generator=Generator().manual_seed(seed), width=8) for seed in range(2)]
    assert ways(models, task) == ["loop"]
    with pytest.raises(AssayError, match="do not share the loss"):
        fit_many(models, task, configs=CONFIG, strategy="stack")


def test_a_token_out_of_range_does_not_read_the_next_model():
    tokens = torch.zeros(40, 1, dtype=torch.int64)
    tokens[39] = 7
    data = TrainingData({"input": tokens}, torch.zeros(40, dtype=torch.int64), Classification(4))
    models = fresh(lambda: nn.Sequential(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(3, 4)))
    with pytest.raises(IndexError):
        fit_many(models, data, configs=TrainingConfig(steps=100, batch_size=2), strategy="stack")


# The choice


def test_the_rule_depends_on_sizes_alone():
    task = load_task("modular:p=5,num_first=4,num_second=4,coverage=0.5")

    def models(width: int, num: int = 8) -> list[nn.Module]:
        return [build("mlp", task, generator=Generator().manual_seed(seed), width=width) for seed in range(num)]

    def small_and_large(batch_size: int) -> list[str]:
        config = TrainingConfig(steps=10**6, batch_size=batch_size)
        return [ways(models(width), task, config=config)[0] for width in (16, 512)]

    assert small_and_large(16) == ["stack", "stack"]
    assert small_and_large(256) == ["stack", "loop"]  # 470 million operations a step
    assert ways(models(16, num=1), task) == ["loop"]


def test_arithmetic_and_activations_are_counted():
    (model,) = fresh(lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)), 1)
    traced, operations = planning._traced(Member(model, VECTORS, CONFIG))
    assert operations == 3 * 2 * 8 * (6 * 5 + 5 * 2)
    assert sum(call.num_values for call in traced.calls) == 8 * (5 + 5 + 2)


def test_chunks_are_of_one_size_and_stay_in_the_cache(monkeypatch: pytest.MonkeyPatch):
    models = fresh(lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)), 10)
    bytes_of_one = 4 * 8 * (5 + 5 + 2)
    monkeypatch.setattr(planning, "MOST_ACTIVATIONS", 4 * bytes_of_one)

    def sizes(jobs: int) -> list[int]:
        members = [Member(model, VECTORS, CONFIG) for model in models]
        plan = make_plan(members, strategy="stack", jobs=jobs)
        assert [i for chunk in plan for i in chunk.models] == list(range(10))
        return [len(chunk.models) for chunk in plan]

    assert sizes(jobs=1) == [3, 3, 4]
    assert sizes(jobs=2) == [2, 3, 2, 3]
    assert sizes(jobs=16) == [1] * 10
    monkeypatch.setattr(planning, "MOST_ACTIVATIONS", bytes_of_one - 1)
    assert ways(models, VECTORS, "rule") == ["loop"]


@pytest.mark.parametrize("faster", ["stack", "loop"])
def test_timing_chooses_and_changes_no_result(monkeypatch: pytest.MonkeyPatch, faster: str):
    def factory() -> nn.Module:
        return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))

    taken = {"Stacked": 1.0, "Separate": 2.0} if faster == "stack" else {"Stacked": 2.0, "Separate": 1.0}
    timed: list[str] = []

    def seconds(cohort, clock) -> float:
        timed.append(type(cohort).__name__)
        cohort.backward(())  # which must not touch the models, nor their batches
        cohort.update(0, ())
        return taken[type(cohort).__name__]

    monkeypatch.setattr(planning, "_seconds", seconds)
    config = TrainingConfig(steps=60, batch_size=8)
    together, chosen = fresh(factory), fresh(factory)
    assert ways(chosen, VECTORS, "auto", config) == [faster]
    fit_many(together, VECTORS, configs=config, strategy="auto")
    assert close(trained_alone(fresh(factory), VECTORS, config), together)
    assert set(timed) == {"Stacked", "Separate"}


def test_the_real_timing_ends_in_one_of_the_two():
    def factory() -> nn.Module:
        return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))

    (way,) = ways(fresh(factory), VECTORS, "auto", TrainingConfig(steps=60, batch_size=8))
    assert way in ("stack", "loop")


def test_threads_are_timed_only_where_the_process_is_alone(monkeypatch: pytest.MonkeyPatch):
    def plan(jobs: int) -> list[Chunk]:
        members = [Member(model, VECTORS, config) for model in fresh(lambda: nn.Linear(6, 2))]
        return make_plan(members, strategy="auto", jobs=jobs)

    config = TrainingConfig(steps=60, batch_size=8)
    monkeypatch.setattr(planning, "_seconds", lambda cohort, clock: 1.0 / torch.get_num_threads())
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert {chunk.threads for chunk in plan(jobs=1)} == {2}
        assert {chunk.threads for chunk in plan(jobs=2)} == {1}
        assert torch.get_num_threads() == 2
        together = fresh(lambda: nn.Linear(6, 2))
        fit_many(together, VECTORS, configs=config, strategy="auto")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert {chunk.threads for chunk in plan(jobs=1)} == {1}
    assert close(trained_alone(fresh(lambda: nn.Linear(6, 2)), VECTORS, config), together)


def test_neither_the_choice_nor_the_training_draws_from_the_global_generator():
    state = torch.get_rng_state()
    fit_many(fresh(Residual), VECTORS, configs=TrainingConfig(steps=60, batch_size=8), strategy="auto")
    assert torch.equal(state, torch.get_rng_state())
