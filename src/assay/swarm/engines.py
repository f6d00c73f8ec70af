"""Search engines on coefficients with one interface: `ask` for candidates `(N, K)`, `tell` their values.

Each moves in the span of its pool: over all coefficients where it is linear, over those that sum to 1 where it is affine.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float64
from numpy.random import Generator

from assay.errors import AssayError
from assay.swarm.pool import Span

LOWEST, HIGHEST = -0.5, 1.5
"""The box in which searches begin, slightly larger than from 0 (without an expert) to 1 (all of it)."""


class Coordinates:
    """An orthonormal basis of the span: coefficients `c = origin + z @ basis`.

    **Attributes:** `origin` `(K,)`: zero, or the mean of the experts. `basis` `(D, K)`: D is K, or K - 1 where `c` sums to 1.

    Example::

        coordinates = Coordinates(3, "affine")
        assert np.allclose(coordinates.coefficients(np.ones((1, 2))).sum(), 1)
    """

    def __init__(self, size: int, span: Span):
        if span == "linear":
            self.origin, self.basis = np.zeros(size), np.eye(size)
        else:
            self.origin = np.full(size, 1 / size)
            # The rows of the Helmert matrix: each expert against the mean of those before it.
            rows = [np.r_[np.full(k, -1.0), k, np.zeros(size - k - 1)] / math.sqrt(k * (k + 1)) for k in range(1, size)]
            self.basis = np.array(rows)

    def coefficients(self, z: Float64[np.ndarray, "N D"]) -> Float64[np.ndarray, "N K"]:
        """Coefficients of points in the basis."""
        return self.origin + z @ self.basis

    def coordinates(self, c: Float64[np.ndarray, "N K"]) -> Float64[np.ndarray, "N D"]:
        """Coordinates of the nearest points in the basis."""
        return (c - self.origin) @ self.basis.T


class SearchEngine(ABC):
    """Ask-and-tell search; higher values are better. Candidates are a function of the generator.

    **Arguments:** `size`: number of experts. `rng`: source of all randomness.
    """

    name: ClassVar[str]
    gradient: ClassVar[bool] = False
    """Whether `tell` needs gradients, one candidate at a time."""

    def __init__(self, size: int, span: Span, *, rng: Generator):
        self.size, self.span, self.rng = size, span, rng
        self.space = Coordinates(size, span)

    @abstractmethod
    def ask(self) -> Float64[np.ndarray, "N K"]:
        """The next candidates."""

    @abstractmethod
    def tell(self, candidates: Float64[np.ndarray, "N K"], values: Float64[np.ndarray, " N"], **more: Any) -> None:
        """The values of the last candidates. `gradients` `(N, K)` where the engine needs them."""

    @property
    def finished(self) -> bool:
        """Whether the search has converged. With evaluations left it is then restarted."""
        return False

    def scattered(self, num: int) -> Float64[np.ndarray, "N D"]:
        """Initial points, uniform in a box around the experts."""
        return self.space.coordinates(self.rng.uniform(LOWEST, HIGHEST, (num, self.size)))


class RandomSearch(SearchEngine):
    """Candidates drawn independently and uniformly from the box in which every engine begins."""

    name = "random"

    def ask(self) -> Float64[np.ndarray, "N K"]:
        """Ten candidates at a time."""
        return self.space.coefficients(self.scattered(10))

    def tell(self, candidates: Float64[np.ndarray, "N K"], values: Float64[np.ndarray, " N"], **more: Any) -> None:
        """No effect: the search does not learn."""


class ParticleSwarm(SearchEngine):
    """Textbook particle swarm (Kennedy and Eberhart 1995) with the constriction coefficients of Clerc and Kennedy (2002).

    Unlike the published swarm of experts it draws a random number for every coordinate, so that particles leave the line
    between two points.
    """

    name = "pso"
    inertia, pull = 0.7298, 1.49618

    def __init__(self, size: int, span: Span, *, rng: Generator, particles: int = 20):
        super().__init__(size, span, rng=rng)
        self.x = self.scattered(particles)
        self.v = (self.scattered(particles) - self.x) / 2
        self.best, self.best_values = self.x.copy(), np.full(particles, -np.inf)
        self._begun = False

    def ask(self) -> Float64[np.ndarray, "N K"]:
        """All particles after a move."""
        if self._begun:
            leader = self.best[np.argmax(self.best_values)]
            own, all_ = self.rng.random((2, *self.x.shape))
            self.v = self.inertia * self.v + self.pull * (own * (self.best - self.x) + all_ * (leader - self.x))
            self.x = self.x + self.v
        self._begun = True
        return self.space.coefficients(self.x)

    def tell(self, candidates: Float64[np.ndarray, "N K"], values: Float64[np.ndarray, " N"], **more: Any) -> None:
        """Keep the best of each particle; of equal values the later one, so that a plateau is crossed."""
        better = values >= self.best_values
        self.best[better], self.best_values[better] = self.x[better], values[better]

    @property
    def finished(self) -> bool:
        """Whether no particle moves."""
        return self._begun and float(np.abs(self.v).max()) < 1e-6


class CovarianceAdaptation(SearchEngine):
    """CMA-ES (Hansen and Ostermeier 2001), by pycma, from the mean of the experts with a step of .5.

    It draws from `rng` alone: pycma would seed numpy for the whole program.
    """

    name = "cmaes"
    step = 0.5

    def __init__(
        self, size: int, span: Span, *, rng: Generator, penalty: float = 0.0, box: float | None = None, zero: bool = False
    ):
        super().__init__(size, span, rng=rng)
        self.penalty = penalty
        cma = _cma()
        start = np.zeros((1, size)) if zero else np.full((1, size), 1 / size)
        options: dict[str, Any] = {
            "seed": np.nan,
            "randn": lambda *shape: rng.standard_normal(shape),
            "verbose": -9,
            "maxiter": 10**9,
        }
        if box is not None:
            options["bounds"] = [-box, box]
        self._one = self.space.basis.shape[0] == 1  # pycma needs two dimensions: the second has no effect
        begin = self.space.coordinates(start)[0]
        self._es = cma.CMAEvolutionStrategy(np.r_[begin, 0.0] if self._one else begin, self.step, options)

    def ask(self) -> Float64[np.ndarray, "N K"]:
        """The candidates of one generation."""
        self._asked = self._es.ask()
        z = np.asarray(self._asked)
        return self.space.coefficients(z[:, :1] if self._one else z)

    def tell(self, candidates: Float64[np.ndarray, "N K"], values: Float64[np.ndarray, " N"], **more: Any) -> None:
        """Values of the generation, minus a penalty on the size of its candidates."""
        self._es.tell(self._asked, (-values + self.penalty * np.abs(candidates).mean(1)).tolist())

    @property
    def finished(self) -> bool:
        """Whether pycma has converged."""
        return bool(self._es.stop())


class LoraHub(CovarianceAdaptation):
    """The search of LoraHub (Huang et al. 2024): from zero, in the box [-1.5, 1.5], with a penalty of .05 of the mean size.

    The published code calls nevergrad's NGOpt; here CMA-ES searches.
    """

    name = "lorahub"

    def __init__(self, size: int, span: Span, *, rng: Generator):
        if span != "linear":
            raise AssayError("LoraHub's coefficients need not sum to 1", given=span, next_step="use span='linear'")
        super().__init__(size, span, rng=rng, penalty=0.05, box=1.5, zero=True)


class GradientAscent(SearchEngine):
    """Adam (Kingma and Ba 2015) on the coefficients, for a differentiable graded score.

    The first start is the mean of the experts; later ones are scattered.
    """

    name = "gradient"
    gradient = True

    def __init__(self, size: int, span: Span, *, rng: Generator, rate: float = 0.05, steps: int = 140):
        super().__init__(size, span, rng=rng)
        noise = 0.05 * rng.standard_normal(self.space.basis.shape[0])
        self.z = self.space.coordinates(np.full((1, size), 1 / size))[0] + noise
        self.rate, self.steps, self._step = rate, steps, 0
        self._mean, self._square = np.zeros_like(self.z), np.zeros_like(self.z)

    def ask(self) -> Float64[np.ndarray, "N K"]:
        """The single current point."""
        return self.space.coefficients(self.z[None])

    def tell(self, candidates: Float64[np.ndarray, "N K"], values: Float64[np.ndarray, " N"], **more: Any) -> None:
        """One step of Adam."""
        slope = self.space.basis @ more["gradients"][0]
        self._step += 1
        self._mean = 0.9 * self._mean + 0.1 * slope
        self._square = 0.999 * self._square + 0.001 * slope**2
        mean, square = self._mean / (1 - 0.9**self._step), self._square / (1 - 0.999**self._step)
        self.z = self.z + self.rate * mean / (np.sqrt(square) + 1e-8)

    @property
    def finished(self) -> bool:
        """Whether all steps are taken."""
        return self._step >= self.steps


def _cma() -> Any:
    try:
        import cma
    except ImportError as error:
        raise AssayError(
            "the engines cmaes and lorahub need pycma",
            given="it is not installed",
            next_step="pip install 'assay[swarm]', or choose the engine pso",
        ) from error
    return cma
