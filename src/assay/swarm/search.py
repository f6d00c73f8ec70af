"""One search: an engine, a budget of evaluations and a seed. It can be interrupted at any time and resumed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64

from assay.errors import AssayError
from assay.stats import keyed_seed
from assay.store import read_tensors, write_tensors
from assay.swarm.engines import CovarianceAdaptation, GradientAscent, LoraHub, ParticleSwarm, RandomSearch, SearchEngine
from assay.swarm.evaluate import Evaluator
from assay.swarm.published import PublishedSwarm, RandomSteps

_KINDS: tuple[type[SearchEngine], ...] = (
    CovarianceAdaptation, PublishedSwarm, ParticleSwarm, RandomSearch, GradientAscent, LoraHub, RandomSteps,
)  # fmt: skip
ENGINES: dict[str, type[SearchEngine]] = {kind.name: kind for kind in _KINDS}
SECONDS_KEPT = 5.0  # seconds between two writes of the journal


@dataclass(frozen=True, kw_only=True)
class SearchTrace:
    """Result of one search.

    **Attributes:**

    - `best` `(K,)`: the candidate with the best value among those scored on all validation items, including the experts.
      `value`: its value of the objective.
    - `evaluations`, `values`: numbers of evaluations and best values, one point for every improvement.
    - `candidates` `(K,)` each: the best at each of these points.
    - `last` `(N, K)`: the last candidates of the engine, the final swarm.
    - `spent`: evaluations, including those of the experts at the start. `starts`: how often the engine was started, each time
      with newly drawn settings where it draws any.
    """

    engine: str
    seed: int
    best: Float64[np.ndarray, " K"]
    value: float
    evaluations: tuple[float, ...]
    values: tuple[float, ...]
    candidates: Float64[np.ndarray, "m K"]
    last: Float64[np.ndarray, "N K"]
    spent: float
    starts: int

    def best_after(self, evaluations: float | int) -> Float64[np.ndarray, " K"]:
        """The best candidate after so many evaluations."""
        known = [k for k, spent in enumerate(self.evaluations) if spent <= evaluations]
        return self.candidates[known[-1]] if known else self.candidates[0]


def search_once(
    evaluator: Evaluator,
    engine: str | Callable[..., SearchEngine],
    *,
    budget: int,
    seed: int,
    race: bool = False,
    journal: Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> SearchTrace:
    """Search with one engine until the budget is spent. It begins with the experts themselves, and restarts when it has
    converged.

    **Arguments:**

    - `engine`: a name of `ENGINES`, or a function that makes an engine.
    - `budget`: evaluations of a candidate on all validation items.
    - `race`: drop candidates of a generation that are behind after a quarter or half of the items (successive halving; Jamieson
      and Talwalkar 2016). Items are taken in one random order. A dropped candidate keeps its partial value, and is never the
      best.
    - `journal`: a file for all scores, so that the same call resumes after an interruption, with the same result.
    - `options`: further arguments of the engine.

    **Raises:** `AssayError` for a budget smaller than the number of experts, and an unknown engine.

    Example::

        trace = search_once(Evaluator(network, pool, utility=utility), "cmaes", budget=420, seed=0)
        print(trace.value, pool.weights(trace.best))
    """
    make = _engine(engine) if isinstance(engine, str) else engine
    size = len(evaluator.pool)
    if budget < size:
        raise AssayError(
            "the budget must pay for each expert once",
            given=f"{budget} evaluations and {size} experts",
            next_step="raise the budget: a search takes some tens of evaluations for each expert",
        )
    name = engine if isinstance(engine, str) else getattr(engine, "name", "engine")
    rng = np.random.default_rng(keyed_seed(seed, f"search {name}"))
    order = rng.permutation(len(evaluator.utility.items))
    run = _SearchState(evaluator, order if race else None, budget, journal)
    run.score(np.eye(size))
    starts = 0
    while run.left >= 1:
        one = make(size, evaluator.pool.span, rng=rng, **(options or {}))
        before = evaluator.evaluations
        while run.left >= 1 and not one.finished and run.step(one):
            pass
        if evaluator.evaluations == before:  # all its candidates are in the cache
            break
        starts += 1
    run.keep()
    return SearchTrace(
        engine=name,
        seed=seed,
        best=run.best,
        value=run.value,
        evaluations=tuple(run.when),
        values=tuple(run.values),
        candidates=np.array(run.candidates),
        last=run.last,
        spent=evaluator.evaluations,
        starts=starts,
    )


def _engine(name: str) -> type[SearchEngine]:
    if name not in ENGINES:
        raise AssayError("the engine must be known", given=name, choices=list(ENGINES))
    return ENGINES[name]


class _SearchState:
    """The best so far, and the remaining budget."""

    def __init__(self, evaluator: Evaluator, order: np.ndarray | None, budget: int, journal: Path | None):
        self.evaluator, self.order, self.budget, self.journal = evaluator, order, budget, journal
        self.value = -np.inf
        self.best = self.last = np.zeros(0)
        self.when: list[float] = []
        self.values: list[float] = []
        self.candidates: list[np.ndarray] = []
        self._kept_at = time.monotonic()
        self._idle = 0
        if journal is not None and journal.exists():
            evaluator.remember(read_tensors(journal)[0])

    @property
    def left(self) -> float:
        return self.budget - self.evaluator.evaluations

    def step(self, engine: SearchEngine) -> bool:
        """One generation; False when the budget does not cover another, or the engine gives no new candidate."""
        candidates = engine.ask()
        if not len(candidates):
            return False
        before = self.evaluator.evaluations
        if engine.gradient:
            if self.left < 3:
                return False
            value, slope = self.evaluator.gradient(candidates[0])
            values, gradients = np.array([value]), slope[None]
            self._note(candidates, values)
        else:
            allowed = int(self.left + 1e-9)  # a truncated generation is scored but not passed to the engine
            values, gradients = self.score(candidates[:allowed]), None
            if len(values) < len(candidates):
                return False
        engine.tell(candidates, values, gradients=gradients)
        self.last = candidates
        self._idle = self._idle + 1 if self.evaluator.evaluations == before else 0
        if time.monotonic() - self._kept_at > SECONDS_KEPT:
            self.keep()
        return self._idle < 20

    def score(self, candidates: np.ndarray) -> np.ndarray:
        """The values of candidates, by race or on all items."""
        if self.order is None or len(candidates) < 4 or self.evaluator.utility.groups is not None:
            values = self.evaluator.values(candidates)
            self._note(candidates, values)
        else:
            values = self._raced(candidates)
        if not len(self.last):
            self.last = candidates
        return values

    def _raced(self, candidates: np.ndarray) -> np.ndarray:
        """Values by successive halving: a quarter of the items for all, a half for the better half, all for the best
        quarter."""
        assert self.order is not None
        num, alive = len(self.order), np.arange(len(candidates))
        values = np.zeros(len(candidates))
        for share, kept in ((0.25, 0.5), (0.5, 0.5), (1.0, 1.0)):
            items = self.order[: max(1, round(share * num))]
            values[alive] = self.evaluator.scores(candidates[alive], graded=self.evaluator.graded, items=items).mean(1)
            if share < 1:
                alive = alive[np.argsort(-values[alive], kind="stable")[: max(1, round(kept * len(alive)))]]
        self._note(candidates[alive], values[alive])
        return values

    def _note(self, candidates: np.ndarray, values: np.ndarray) -> None:
        if len(values) and values.max() > self.value:
            k = int(values.argmax())
            self.value, self.best = float(values[k]), candidates[k].copy()
            self.when.append(self.evaluator.evaluations)
            self.values.append(self.value)
            self.candidates.append(self.best)

    def keep(self) -> None:
        """Write the journal."""
        self._kept_at = time.monotonic()
        if self.journal is not None:
            write_tensors(self.journal, {name: torch.from_numpy(a) for name, a in self.evaluator.scored().items()})
