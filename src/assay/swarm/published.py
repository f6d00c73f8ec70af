"""The update of Model Swarms (Feng et al. 2024, arXiv 2410.11163) on coefficients, with the behaviour of its code as options.

Every term of the update has one coefficient for all weights of an expert, so this is the published search: the trajectory of
the weights is the trajectory of the coefficients, times the experts.
"""

from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64
from numpy.random import Generator

from assay.errors import AssayError
from assay.swarm.engines import SearchEngine
from assay.swarm.pool import Span


@runtime_checkable
class RandomNumbers(Protocol):
    """Source of random numbers for the search: a numpy generator, or a recording."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def integers(self, high: int, /) -> Any:
        """Uniform in `range(high)`."""
        ...


@dataclass(frozen=True, kw_only=True)
class SwarmOptions:
    """The settings of the published search.

    **Attributes:**

    - `particles`: N. The experts are the first; crossover makes the others.
    - `inertia`, `own`, `leader`, `repel`: the weights of velocity, personal best, global best and global worst. 0 removes a
      term.
    - `step`, `decay`, `least_step`: the step length, its factor per iteration, and its lower bound.
    - `crossover`: `unit` draws the weight of a child's first parent from U(0, 1), as in the paper, `double` from U(0, 2), as in
      the code, where half of the children lie beyond a parent.
    - `velocity`: initial velocity: towards another random particle, none, or towards the best.
    - `patience`: iterations without a better global best after which the search ends; `most`: the most iterations.
    - `restart`: share of the patience after which a particle without a better personal best returns to it, with no velocity.
      None: never. `forget`: whether the count then starts anew. In the published code it does not, so the particle returns
      every time.
    - `dropout_iteration`, `dropout_particle`: chances that an iteration or a particle is moved without evaluation (dropout-K,
      -N).
    - `directions`: `random` replaces every move by one of the same length in a random direction of the span: a null.
    """

    particles: int = 20
    inertia: float = 0.2
    own: float = 0.3
    leader: float = 0.4
    repel: float = 0.05
    step: float = 0.8
    decay: float = 0.95
    least_step: float = 0.1
    crossover: Literal["unit", "double"] = "double"
    velocity: Literal["random", "zero", "best"] = "random"
    patience: int = 10
    most: int = 50
    restart: float | None = 0.5
    forget: bool = False
    dropout_iteration: float = 0.0
    dropout_particle: float = 0.0
    directions: Literal["published", "random"] = "published"

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not 0 <= value < 1e6:
                raise AssayError(f"{field.name} must not be negative", given=value)
        for name in ("dropout_iteration", "dropout_particle"):
            if getattr(self, name) >= 1:
                raise AssayError(f"{name} must be a chance below 1", given=getattr(self, name))
        if not self.inertia + self.own + self.leader + self.repel:
            raise AssayError("one of inertia, own, leader and repel must be above 0")

    @classmethod
    def drawn(cls, rng: Generator, **fixed: Any) -> "SwarmOptions":
        """Random settings among the 1,350 of the published scripts."""
        tenths = {"inertia": (1, 3), "own": (1, 5), "leader": (2, 6), "step": (5, 10)}
        settings: dict[str, Any] = {name: int(rng.integers(low, high + 1)) / 10 for name, (low, high) in tenths.items()}
        settings["repel"] = float(rng.choice([0.01, 0.05, 0.1]))
        return cls(**(settings | fixed))


class PublishedSwarm(SearchEngine):
    """Model Swarms. In a linear span the base is one more initial particle, the only one whose coefficients do not sum to 1.

    **Arguments:** `options`: None draws settings, as the published scripts do. `draws`: random numbers other than those of
    `rng`.
    """

    name = "swarm"

    def __init__(
        self, size: int, span: Span, *, rng: Generator, options: SwarmOptions | None = None, draws: RandomNumbers | None = None,
        **fixed: Any,
    ):  # fmt: skip
        super().__init__(size, span, rng=rng)
        self.options = options or SwarmOptions.drawn(rng, **fixed)
        self._draws: RandomNumbers = draws or rng
        self.x = self._populated(np.vstack([np.eye(size), *([np.zeros(size)] if span == "linear" else [])]))
        self.v = np.zeros_like(self.x)
        self.best, self.best_values = self.x.copy(), np.full(len(self.x), -np.inf)
        self.age = np.zeros(len(self.x), dtype=int)
        self.top, self.top_value = self.x[0], -np.inf
        self.bottom, self.bottom_value = self.x[0], np.inf
        self.length = self.options.step
        self._unchanged = self._iteration = 0
        self._asked: Bool[np.ndarray, " N"] | None = None

    def ask(self) -> Float64[np.ndarray, "N K"]:
        """The initial particles, then those that moved and are evaluated."""
        if self._asked is None:
            self._asked = np.ones(len(self.x), dtype=bool)
            return self.x
        self._asked = np.zeros(len(self.x), dtype=bool)
        while not self._asked.any() and not self.finished:
            for k in range(len(self.x)):
                self._move(k)
            self.length = max(self.length * self.options.decay, self.options.least_step)
            skipped = self.options.dropout_iteration and self._draws.random() < self.options.dropout_iteration
            chance = self.options.dropout_particle
            self._asked = np.array([not skipped and not (chance and self._draws.random() < chance) for _ in self.x])
            self._iteration += 1
            if not self._asked.any():
                self._grow_older(np.zeros(len(self.x), dtype=bool), changed=False)
        return self.x[self._asked]

    def tell(self, candidates: Float64[np.ndarray, "N K"], values: Float64[np.ndarray, " N"], **more: Any) -> None:
        """Update the bests and the worst over the whole history. A particle that was not evaluated keeps its last value."""
        assert self._asked is not None
        begins = not np.isfinite(self.top_value)
        mine = np.flatnonzero(self._asked)
        better = values > self.best_values[mine]
        self.best[mine[better]], self.best_values[mine[better]] = self.x[mine[better]], values[better]
        improved = np.zeros(len(self.x), dtype=bool)
        improved[mine[better]] = True
        changed = bool(len(values)) and bool(values.max() > self.top_value)
        if changed:
            self.top, self.top_value = self.x[mine[values.argmax()]].copy(), float(values.max())
        if len(values) and values.min() < self.bottom_value:
            self.bottom, self.bottom_value = self.x[mine[values.argmin()]].copy(), float(values.min())
        self._grow_older(improved, changed=changed)
        if begins:
            self._set_off()

    @property
    def finished(self) -> bool:
        """Whether patience or iterations are exhausted."""
        return self._unchanged >= self.options.patience or self._iteration >= self.options.most

    def _populated(self, experts: Float64[np.ndarray, "k K"]) -> Float64[np.ndarray, "N K"]:
        """Experts and their children, which may be parents too."""
        x = list(experts)
        while len(x) < self.options.particles:
            first, second = self._two(len(x))
            weight = self._draws.random() * (2 if self.options.crossover == "double" else 1)
            x.append(weight * x[first] + (1 - weight) * x[second])
        return np.array(x)

    def _two(self, num: int) -> tuple[int, int]:
        first = int(self._draws.integers(num))
        return first, self._other(first, num)

    def _other(self, one: int, num: int) -> int:
        second = int(self._draws.integers(num - 1))
        return second + (second >= one)

    def _set_off(self) -> None:
        """Initial velocities."""
        for k in range(len(self.x)):
            if self.options.velocity == "random":
                self.v[k] = self.x[self._other(k, len(self.x))] - self.x[k]
            elif self.options.velocity == "best":
                self.v[k] = self.top - self.x[k]

    def _move(self, k: int) -> None:
        """Move one particle: a convex combination of its velocity, the directions to its best and the global best, and the
        direction away from the worst."""
        options = self.options
        if options.restart is not None and self.age[k] > options.restart * options.patience:
            self.x[k], self.v[k] = self.best[k], 0.0
            if options.forget:
                self.age[k] = 0
        weights = (options.inertia, options.own, options.leader, options.repel)
        shares = np.array([self._draws.random() * weight for weight in weights])
        shares = shares / shares.sum()
        ways = np.stack([self.v[k], self.best[k] - self.x[k], self.top - self.x[k], self.x[k] - self.bottom])
        velocity = shares @ ways
        if options.directions == "random":
            velocity = self._random_direction() * np.linalg.norm(velocity)
        self.v[k] = velocity
        self.x[k] = self.x[k] + self.length * velocity

    def _random_direction(self) -> Float64[np.ndarray, " K"]:
        drawn = self.rng.standard_normal(self.space.basis.shape[0]) @ self.space.basis
        return drawn / np.linalg.norm(drawn)

    def _grow_older(self, improved: Bool[np.ndarray, " N"], *, changed: bool) -> None:
        self.age = np.where(improved, 0, self.age + 1)
        self._unchanged = 0 if changed else self._unchanged + 1


class RandomSteps(PublishedSwarm):
    """A null of the published swarm: steps of the same lengths in random directions of the span."""

    name = "random steps"

    def __init__(self, size: int, span: Span, *, rng: Generator):
        super().__init__(size, span, rng=rng, directions="random")
