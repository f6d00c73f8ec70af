"""Cohorts: models trained in lockstep, each on its own batches, one by one or with stacked weights."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.isolation import seed_generators
from assay.keywords import as_taken
from assay.objective import Objective, Regression
from assay.optimisers import AdamW
from assay.outputs import answer_of
from assay.stats import keyed_seed
from assay.task import Task
from assay.training.config import TrainingConfig
from assay.training.data import Batches, Source, TrainingData, draw
from assay.training.sparse import Projection, normalise_gradient

Forward = Callable[[Mapping[str, Tensor], Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]
"""From stacked weights, buffers and inputs by name, each `(models, ...)`, to outputs `(models, batch, ...)`."""


_ADAM = {False: {"betas": (0.9, 0.999), "eps": 1e-8}, True: {"betas": (0.9, 0.95), "eps": 0.1}}
"""Adam's epsilon: torch's default, and that of sparse networks, whose gradients have a root mean square of 1."""


class Cohort(ABC):
    """Models that are trained together.

    **Attributes:**

    - `configs`: one for every model; they agree in `steps`, `batch_size` and `checkpoint_every`.
    - `generators`: of the batches, one for every model.
    - `optimiser`: one fused AdamW over all weights, with a group for every schedule.
    """

    optimiser: AdamW

    def __init__(self, models: Sequence[nn.Module], sources: Sequence[Source], configs: Sequence[TrainingConfig]):
        self.models, self.sources, self.configs = models, sources, configs
        self.generators = [Generator().manual_seed(config.seed) for config in configs]
        self.device = next(models[0].parameters()).device
        for model in models:
            if not model.training:  # a model in training mode may have frozen parts in evaluation mode
                model.train()

    @abstractmethod
    def backward(self, step: int, diverged: Collection[int]) -> Float[Tensor, " models"]:
        """Draw a batch for every model and accumulate its gradient; returns the losses. Call within `seeded`."""

    @abstractmethod
    def clip(self) -> Float[Tensor, " models"]:
        """Clip the gradient of every model to its `clip`, or normalise that of a sparse one; returns the norms before."""

    @abstractmethod
    def update(self, step: int, diverged: Collection[int]) -> None:
        """Take the optimiser's step that follows `step` finished ones; models in `diverged` are left unchanged."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Every weight and buffer, by a name unique in the cohort; writing to them changes the models."""

    @abstractmethod
    def optimised(self) -> dict[str, Tensor]:
        """Tensors with an optimiser state, by a name unique in the cohort."""

    def finish(self) -> None:
        """Write the trained weights into the models, and set these to evaluation mode."""
        for model in self.models:
            model.eval()

    def _schedule(self, groups: Sequence[tuple[TrainingConfig, list[Tensor]]]) -> None:
        self._schedules = [config for config, _ in groups]
        self.optimiser = AdamW(
            [
                {"params": params, "lr": config.learning_rate, "weight_decay": config.weight_decay, **_ADAM[config.sparse < 1]}
                for config, params in groups
            ],
            fused=True,
        )

    def _step(self, step: int) -> None:
        for group, config in zip(self.optimiser.param_groups, self._schedules, strict=True):
            group["lr"] = config.rate(step)
        self.optimiser.step()


class Separate(Cohort):
    """Each model runs its own forward and backward pass, with the same bits on the CPU as training it alone."""

    def __init__(self, models: Sequence[nn.Module], sources: Sequence[Source], configs: Sequence[TrainingConfig]):
        super().__init__(models, sources, configs)
        groups: dict[object, tuple[TrainingConfig, list[Tensor]]] = {}
        for model, config in zip(models, configs, strict=True):
            groups.setdefault(schedule(config), (config, []))[1].extend(model.parameters())
        self._schedule(list(groups.values()))
        pairs = zip(models, configs, strict=True)
        self._projections = {
            i: Projection(model, config) for i, (model, config) in enumerate(pairs) if config.sparse < 1 and config.steps
        }

    def backward(self, step: int, diverged: Collection[int]) -> Float[Tensor, " models"]:
        lost = torch.full((), torch.nan, device=self.device)
        return torch.stack([lost if i in diverged else self._backward(i, step) for i in range(len(self.models))])

    def _backward(self, i: int, step: int) -> Float[Tensor, ""]:
        model, source = self.models[i], self.sources[i]
        # Seeded at every step, so that dropout depends neither on the other models nor on where a run was resumed.
        seed_generators(keyed_seed(self.configs[i].seed, f"draws of the network at step {step}"))
        examples = draw(source, self.generators[i], self.configs[i].batch_size)
        inputs = {name: column.to(self.device) for name, column in examples.inputs.items()}
        examples = dataclasses.replace(examples, targets=examples.targets.to(self.device))
        model.zero_grad()
        loss = source.loss(answer_of(model(**as_taken(model, inputs))), examples)
        loss.backward()
        return loss.detach().float()

    def clip(self) -> Float[Tensor, " models"]:
        return torch.stack([self._shortened(i) for i in range(len(self.models))])

    def _shortened(self, i: int) -> Float[Tensor, ""]:
        if i in self._projections:
            return normalise_gradient(self.models[i])
        return nn.utils.clip_grad_norm_(self.models[i].parameters(), self.configs[i].clip).float()

    def update(self, step: int, diverged: Collection[int]) -> None:
        for i in diverged:
            self.models[i].zero_grad()  # the optimiser skips weights without a gradient
        self._step(step)
        for i, projection in self._projections.items():
            if i not in diverged:
                projection.after(step)

    def tensors(self) -> dict[str, Tensor]:
        found = {f"{i}.{name}": value for i, model in enumerate(self.models) for name, value in model.state_dict().items()}
        return found | {f"{i}.{name}": value for i, one in self._projections.items() for name, value in one.state()}

    def optimised(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": value for i, model in enumerate(self.models) for name, value in model.named_parameters()}


class Stacked(Cohort):
    """Weights stacked by name in tensors `(models, ...)`, with one forward and backward pass for all models.

    The models must have one architecture; they keep their old weights until `finish`.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        sources: Sequence[Source],
        configs: Sequence[TrainingConfig],
        *,
        forward: Forward,
    ):
        super().__init__(models, sources, configs)
        self.weights = _stack([dict(model.named_parameters()) for model in models])
        self.buffers = _stack([dict(model.named_buffers()) for model in models])
        for name, parameter in models[0].named_parameters():
            self.weights[name].requires_grad_(parameter.requires_grad)
        self._forward, self._loss = forward, _batched(sources[0].objective)
        self._batches = Batches(sources, self.generators, configs[0].batch_size)
        self._clips = torch.tensor([config.clip for config in configs], device=self.device)
        # Neighbours with one schedule share a group. Views are optimised, so that a group may be a range of rows.
        self._runs = _runs([schedule(config) for config in configs])
        self._views = {
            f"{rows.start}.{name}": (value, rows, value.detach()[rows])
            for rows in self._runs
            for name, value in self._trained()
        }
        views = [view for _, _, view in self._views.values()]
        size = len(views) // len(self._runs)
        self._schedule([(configs[rows.start], views[k * size : (k + 1) * size]) for k, rows in enumerate(self._runs)])

    def _trained(self) -> list[tuple[str, Tensor]]:
        return [(name, value) for name, value in self.weights.items() if value.requires_grad]

    def backward(self, step: int, diverged: Collection[int]) -> Float[Tensor, " models"]:
        for value in self.weights.values():
            value.grad = None
        inputs, targets = self._batches.draw(self.device)
        losses = self._loss(self._forward(self.weights, self.buffers, inputs), targets)
        losses.sum().backward()
        return losses.detach()

    def clip(self) -> Float[Tensor, " models"]:
        gradients = [value.grad for value in self.weights.values() if value.grad is not None]
        norms = torch.linalg.vector_norm(torch.stack([_norms(gradient) for gradient in gradients]), dim=0)
        longer = norms + 1e-6  # as in torch.nn.utils.clip_grad_norm_
        if bool((longer > self._clips).any()):
            shares = (self._clips / longer).clamp(max=1.0)
            for gradient in gradients:
                gradient.mul_(shares.view(-1, *[1] * (gradient.ndim - 1)))
        return norms

    def update(self, step: int, diverged: Collection[int]) -> None:
        rows = list(diverged)
        with torch.no_grad():
            before = {name: value[rows] for name, value in self._trained()} if rows else {}
            for value in self.weights.values():
                if rows and value.grad is not None:
                    value.grad[rows] = 0.0
            for value, run, view in self._views.values():
                view.grad = None if value.grad is None else value.grad[run]
            self._step(step)
            for name, kept in before.items():
                self.weights[name][rows] = kept

    def tensors(self) -> dict[str, Tensor]:
        return {name: value.detach() for name, value in {**self.weights, **self.buffers}.items()}

    def optimised(self) -> dict[str, Tensor]:
        return {name: view for name, (_, _, view) in self._views.items()}

    def finish(self) -> None:
        with torch.no_grad():
            for i, model in enumerate(self.models):
                for name, value in (*model.named_parameters(), *model.named_buffers()):
                    value.copy_({**self.weights, **self.buffers}[name][i])
        super().finish()


def schedule(config: TrainingConfig) -> tuple[int | float, ...]:
    """Settings that models in one optimiser group share."""
    return config.learning_rate, config.weight_decay, config.warmup, config.sparse


def _runs(keys: Sequence[object]) -> list[slice]:
    """Slices of consecutive equal keys."""
    starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(keys)], strict=True)]


def _stack(tables: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([table[name].detach() for table in tables]) for name in tables[0]}


def _norms(gradient: Tensor) -> Float[Tensor, " models"]:
    rows = gradient if gradient.ndim > 1 else gradient[:, None]
    return torch.linalg.vector_norm(rows, dim=tuple(range(1, rows.ndim)))


def _batched(objective: Objective) -> Callable[[Tensor, Tensor], Float[Tensor, " models"]]:
    """The loss of every model, without `vmap`, which takes a tenth of the step of a small network."""
    if type(objective) is not Regression:
        return torch.vmap(objective.loss)
    return lambda outputs, targets: F.mse_loss(outputs, targets, reduction="none").flatten(1).mean(1)


def has_batched_loss(sources: Sequence[Source]) -> bool:
    """Whether one batched call gives the losses of all sources: these are the objectives' own losses, of one kind."""
    own = {Task.loss, TrainingData.loss}
    return {type(source).loss for source in sources} <= own and len({type(source.objective) for source in sources}) == 1
