"""How models are trained together: what can be stacked, what cannot and why, and that the choice changes no result."""

import copy
import math

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
from assay.training.population.plan import PopulationMember, make_plan
from assay.training.population.stack import stacked_chain, trace

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
    members = [PopulationMember(model, source, config) for model, source in zip(models, sources, strict=True)]
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
    traced, operations = planning._traced(PopulationMember(model, VECTORS, CONFIG))
    assert operations == 3 * 2 * 8 * (6 * 5 + 5 * 2)
    assert sum(call.num_values for call in traced.calls) == 8 * (5 + 5 + 2)


def test_chunks_are_of_one_size_and_stay_in_the_cache(monkeypatch: pytest.MonkeyPatch):
    models = fresh(lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)), 10)
    bytes_of_one = 4 * 8 * (5 + 5 + 2)
    monkeypatch.setitem(planning.MOST_ACTIVATIONS, "stack", 4 * bytes_of_one)

    def sizes(jobs: int) -> list[int]:
        members = [PopulationMember(model, VECTORS, CONFIG) for model in models]
        plan = make_plan(members, strategy="stack", jobs=jobs)
        assert [i for chunk in plan for i in chunk.models] == list(range(10))
        return [len(chunk.models) for chunk in plan]

    assert sizes(jobs=1) == [3, 3, 4]
    assert sizes(jobs=2) == [2, 3, 2, 3]
    assert sizes(jobs=16) == [1] * 10
    monkeypatch.setitem(planning.MOST_ACTIVATIONS, "vmap", 2 * bytes_of_one - 1)
    assert ways(models, VECTORS, "rule") == ["loop"]


@pytest.mark.parametrize("scales", [(1.0, 1.0, 1.0), (1.0, 1.0, 1.1)])
def test_what_differs_in_more_than_weights_is_compared_too(scales: tuple[float, ...]):
    """Constants that no `state_dict` holds, as numbers and as tensors."""
    alike = len(set(scales)) == 1
    numbers, tensors = (
        [PopulationMember(Scaled(of(scale)), VECTORS, CONFIG) for scale in scales] for of in (float, torch.tensor)
    )
    assert len(planning._representatives(numbers)) == (2 if alike else 3)
    for members in (numbers, tensors):
        assert [chunk.way for chunk in make_plan(members, strategy="rule", jobs=1)] == ["vmap" if alike else "loop"]


def test_what_cannot_be_written_down_is_compared_one_by_one():
    models = [Scaled(1.0) for _ in range(4)]
    for model in models:
        model.register_forward_hook(lambda module, args, out: out)
    assert len(planning._representatives([PopulationMember(model, VECTORS, CONFIG) for model in models])) == 4


def test_models_without_a_finite_loss_prove_nothing_about_the_others():
    """Buffers and gradients are compared where the loss is finite: not of the first two, whose data are NaN."""
    lost = TrainingData({"input": torch.full((20, 6), math.nan)}, torch.zeros(20, 2), Regression(2, 1.0))
    members = [PopulationMember(Counting(), lost if i < 2 else VECTORS, CONFIG) for i in range(5)]
    assert len(planning._representatives(members)) == 5
    assert [chunk.way for chunk in make_plan(members, strategy="rule", jobs=1)] == ["loop"]


def shared_layer() -> nn.Module:
    layer = nn.Linear(16, 16)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(16, 3))


def partly_frozen() -> nn.Module:
    module = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 32), nn.Linear(32, 3))
    module[2].requires_grad_(False)
    return module


GRADIENTS = {
    "whole registers": lambda: nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16)),
    "odd sizes": lambda: nn.Sequential(nn.Linear(16, 7), nn.ReLU(), nn.Linear(7, 3)),
    "a ReLU at the end": lambda: nn.Sequential(nn.Linear(16, 5), nn.ReLU(inplace=True)),
    "no bias": lambda: nn.Sequential(nn.Linear(16, 16, bias=False), nn.ReLU(), nn.Linear(16, 3, bias=False)),
    "between other layers": lambda: nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 16), nn.Tanh(), nn.ReLU(), nn.Linear(16, 3)),
    "used twice": shared_layer,
    "partly frozen": partly_frozen,
}


@pytest.mark.parametrize("shape", [(9, 16), (9, 4, 16), (1, 16)])
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_by_hand_are_those_of_autograd(name: str, shape: tuple[int, ...]):
    """At three steps, so that what a step leaves in the tensors that are used again would show."""
    models = [model.double() for model in fresh(GRADIENTS[name], 3)]
    traced = trace(copy.deepcopy(models[0]), {"input": torch.zeros(shape, dtype=torch.float64)})
    forward = stacked_chain(models[0], traced)
    assert forward is not None
    weights = {
        n: torch.stack([dict(m.named_parameters())[n].detach() for m in models]) for n, _ in models[0].named_parameters()
    }
    for n, p in models[0].named_parameters():
        weights[n].requires_grad_(p.requires_grad)
    draw = Generator().manual_seed(0)
    for _ in range(3):
        x = torch.randn(3, *shape, generator=draw, dtype=torch.float64)
        for value in (*weights.values(), *(p for model in models for p in model.parameters())):
            value.grad = None
        out = forward(weights, {}, {"input": x})
        out.square().sum().backward()
        for i, model in enumerate(models):
            expected = model(x[i])
            expected.square().sum().backward()
            torch.testing.assert_close(out[i], expected)
            for n, p in model.named_parameters():
                found = weights[n].grad
                assert (found is None) == (p.grad is None)
                if found is not None:
                    torch.testing.assert_close(found[i], p.grad)


def test_neither_the_choice_nor_the_training_draws_from_the_global_generator():
    state = torch.get_rng_state()
    fit_many(fresh(Residual), VECTORS, configs=TrainingConfig(steps=60, batch_size=8), strategy="rule")
    assert torch.equal(state, torch.get_rng_state())
