"""A study of one pool: every engine and its nulls on one budget over many seeds, merges as baselines, and one use of the test
items."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float64
from torch import Tensor, nn

from assay.errors import AssayError
from assay.jobs import Engine as Where
from assay.jobs import run_unordered
from assay.stats import keyed_generator
from assay.swarm.candidates import Way
from assay.swarm.evaluate import Evaluator
from assay.swarm.merges import Merge, merges
from assay.swarm.pool import ExpertPool
from assay.swarm.problem import Problem
from assay.swarm.search import ENGINES, SearchTrace, search_once
from assay.swarm.utility import ScoredItems, Utility, permuted_classes

Kind = Literal["own", "noise", "renamed", "beyond"]
STANDARD = ("cmaes", "swarm", "pso", "random", "random steps")
SHARES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Shares of the budget at which the best candidate so far is scored on the test items."""


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """Methods and sizes of a study.

    **Attributes:**

    - `engines`: names of search engines. The first one is judged, and it also searches the nulls.
    - `budget`: most evaluations in one search or one merge. `seeds`: number of searches by each engine. `nulls`: on each null.
    - `race`, `graded`, `way`: as in `search_once` and `Evaluator`.
    - `beyond`: number of searches with random directions, as many as there are experts, added to the span of the experts.

    Example::

        >>> from assay.swarm.study import StudyPlan
        >>> StudyPlan(engines=("cmaes",), budget=90, seeds=3, nulls=5, beyond=0).engines
        ('cmaes',)
    """

    engines: tuple[str, ...] = STANDARD
    budget: int = 420
    seeds: int = 10
    nulls: int = 10
    beyond: int = 5
    race: bool = False
    graded: bool = False
    way: Way | None = None
    seed: int = 0

    def __post_init__(self):
        if not self.engines:
            raise AssayError("a study needs an engine", choices=list(ENGINES))
        for engine in self.engines:
            if engine not in ENGINES:
                raise AssayError("the engine must be known", given=engine, choices=list(ENGINES))
        minima = {"seeds": 3, "nulls": 5, "beyond": 0}
        if few := [f"{name} must be at least {least}" for name, least in minima.items() if getattr(self, name) < least]:
            raise AssayError("; ".join(few), given={name: getattr(self, name) for name in minima})


@dataclass(frozen=True, kw_only=True)
class Study:
    """Results of a study on test items.

    **Attributes:**

    - `traces`: by kind of pool and engine, one for each seed. `noise`: every expert replaced by a random change of its norms.
      `renamed`: the control task of renamed answers. `beyond`: with additional random directions.
    - `tested`: by the same key, the scores of each seed's best `(seeds, n)`; for `renamed` against the renamed answers.
    - `curves`: by engine, the mean test score at `points` evaluations `(seeds, points)`.
    - `validated`: by engine, the validation score of each seed's best.
    - `experts` `(K, n)`, `base` `(n,)`, `merged` by name `(n,)`: their scores on test items. `merges`: each merge with its
      cost.
    - `ablated` `(seeds, K, n)`: scores of the judged engine's best candidates without one expert each.
    - `union` `(seeds, n)`: the best score of any candidate of the final generation, and `swarm` the number of these.
    - `experts_renamed` `(nulls, K, n)`: scores of the experts on each control task.
    - `kept`: for each further set of items, the mean score of the experts `(K,)` and of each seed's best `(seeds,)`.
    - `shared`: the clusterings of test items, as in `Utility.test_shared`.
    """

    plan: StudyPlan
    names: tuple[str, ...]
    traces: Mapping[tuple[Kind, str], tuple[SearchTrace, ...]]
    tested: Mapping[tuple[Kind, str], Float64[np.ndarray, "s n"]]
    points: tuple[int, ...]
    curves: Mapping[str, Float64[np.ndarray, "s p"]]
    validated: Mapping[str, Float64[np.ndarray, " s"]]
    experts: Float64[np.ndarray, "K n"]
    base: Float64[np.ndarray, " n"]
    merges: tuple[Merge, ...]
    merged: Mapping[str, Float64[np.ndarray, " n"]]
    ablated: Float64[np.ndarray, "s K n"]
    union: Float64[np.ndarray, "s n"]
    swarm: int
    experts_renamed: Float64[np.ndarray, "r K n"]
    kept: Mapping[str, tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, " s"]]]
    num_validation: int
    chance: float
    way: str
    failed: tuple[str, ...] = ()
    shared: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One search, built in its own process, so that little is transferred."""

    kind: Kind
    engine: str
    seed: int
    network: nn.Module
    pool: ExpertPool
    utility: Utility
    plan: StudyPlan
    journal: Path | None = field(default=None)


def study(
    problem: Problem,
    plan: StudyPlan | None = None,
    *,
    jobs: int = 1,
    where: Where | None = None,
    journals: Path | None = None,
    progress: Callable[[str, float], None] = lambda doing, done: None,
) -> Study:
    """Search with every engine and its nulls, then score all candidates on the test items, once.

    **Arguments:**

    - `problem`: its test items are used up.
    - `jobs`, `where`: processes of this machine, or a Ray or Dask cluster; the result does not depend on them.
    - `journals`: a folder for scores. An interrupted study is resumed by the same call.

    **Raises:** `AssayError` as `search_once` does; without test items; and when they were scored before.

    Example::

        >>> from assay.swarm.study import StudyPlan, study
        >>> from assay.swarm.worlds import WorldSize, make_world
        >>> size = WorldSize(modulus=5, old=3, experts=2, base_steps=5, expert_steps=5, validation=30)
        >>> plan = StudyPlan(engines=("random",), budget=6, seeds=3, nulls=5, beyond=0)
        >>> found = study(make_world(seed=0, size=size), plan)
        >>> found.tested["own", "random"].shape  # searches, test items
        (3, 60)
    """
    network, pool, utility = problem.network, problem.pool, problem.utility
    plan = plan or StudyPlan()
    if plan.budget < len(pool):
        raise AssayError("the budget must pay for each expert once", given=f"{plan.budget} evaluations, {len(pool)} experts")
    if utility.test is None or utility.is_tested:
        utility.open_test()  # raises before any search where something is wrong
    mark = "" if journals is None else _fingerprint(pool, utility, plan)
    made = [
        _Job(kind=kind, engine=engine, seed=plan.seed + seed, network=network, pool=pool, utility=utility.closed(), plan=plan,
             journal=_journal(journals, mark, kind, engine, plan.seed + seed))
        for kind, engine, num in _searches(plan) for seed in range(num)
    ]  # fmt: skip
    found: dict[int, SearchTrace] = {}
    for index, trace in run_unordered(_searched, made, engine=where or Where(jobs=jobs)):
        found[index] = trace
        progress(f"search {len(found)} of {len(made)}", 0.9 * len(found) / len(made))
    traces: dict[tuple[Kind, str], tuple[SearchTrace, ...]] = {}
    for index, job in enumerate(made):
        key = (job.kind, job.engine)
        traces[key] = (*traces.get(key, ()), found[index])
    progress("merges", 0.9)
    evaluator = Evaluator(network, pool, utility=utility, way=plan.way)
    return _scored(problem, evaluator, plan, traces, tuple(merges(evaluator, budget=plan.budget)))


def _searches(plan: StudyPlan) -> Sequence[tuple[Kind, str, int]]:
    judged = plan.engines[0]
    nulls: list[tuple[Kind, str, int]] = [("noise", judged, plan.nulls), ("renamed", judged, plan.nulls)]
    return [*(("own", engine, plan.seeds) for engine in plan.engines), *nulls, ("beyond", judged, plan.beyond)]


def _searched(job: _Job) -> SearchTrace:
    pool, utility = _of_kind(job.kind, job.seed, job.pool, job.utility)
    evaluator = Evaluator(job.network, pool, utility=utility, way=job.plan.way, graded=job.plan.graded)
    return search_once(evaluator, job.engine, budget=job.plan.budget, seed=job.seed, race=job.plan.race, journal=job.journal)


def _of_kind(kind: Kind, seed: int, pool: ExpertPool, utility: Utility) -> tuple[ExpertPool, Utility]:
    """The pool and the utility of a search, drawn by its seed."""
    rng = keyed_generator(seed, f"swarm {kind}")
    if kind == "noise":
        return pool.noise(rng), utility
    if kind == "beyond":
        return pool.with_noise(len(pool), rng), utility
    if kind == "renamed":
        rename = permuted_classes(utility.items, rng)
        return pool, utility.closed(rename(utility.items.targets))
    return pool, utility


def _journal(folder: Path | None, mark: str, kind: str, engine: str, seed: int) -> Path | None:
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(f'{mark} {kind} {engine}'.encode()).hexdigest()[:16]}-{seed}.safetensors"


def _fingerprint(pool: ExpertPool, utility: Utility, plan: StudyPlan) -> str:
    """Hash of everything that decides a score, so that no score of other experts or items is reused."""
    scores = [getattr(score, "__qualname__", type(score).__qualname__) for score in (utility.score, utility.graded)]
    found = hashlib.sha256(repr((pool, plan.graded, plan.way, scores)).encode())
    found.update(pool.gram().tobytes())
    for column in (utility.items.inputs, utility.items.targets):
        found.update(column.cpu().numpy().tobytes() if isinstance(column, Tensor) else repr(column).encode())
    return found.hexdigest()


def _scored(
    problem: Problem,
    evaluator: Evaluator,
    plan: StudyPlan,
    traces: Mapping[tuple[Kind, str], tuple[SearchTrace, ...]],
    merged: tuple[Merge, ...],
) -> Study:
    """Scores of all candidates on the test items, which are opened once."""
    utility, pool, judged = evaluator.utility, evaluator.pool, plan.engines[0]
    size = len(pool)
    test = utility.open_test()
    score = lambda c: evaluator.score_items(np.atleast_2d(c), test, split="test")  # noqa: E731
    tested, renamed_experts = {}, []
    for (kind, engine), mine in traces.items():
        rows = []
        for trace in mine:
            if kind == "own":
                rows.append(score(trace.best)[0])
                continue
            other, control = _of_kind(kind, trace.seed, pool, utility)
            items, one = test, Evaluator(problem.network, other, utility=control, way=plan.way)
            if kind == "renamed":
                rename = permuted_classes(utility.items, keyed_generator(trace.seed, "swarm renamed"))
                items = ScoredItems(test.inputs, rename(test.targets))
                renamed_experts.append(evaluator.score_items(np.eye(size), items, split="test"))
            rows.append(one.score_items(trace.best[None], items, split="test")[0])
        if rows:
            tested[kind, engine] = np.array(rows)
    own = traces["own", judged]
    points = tuple(sorted({max(size, round(share * plan.budget)) for share in SHARES}))
    curves = {
        engine: np.array([[score(t.best_after(p)).mean() for p in points] for t in mine])
        for (kind, engine), mine in traces.items()
        if kind == "own"
    }
    ablated = np.array([score(np.array([_without(t.best, k, pool.span) for k in range(size)])) for t in own])
    return Study(
        plan=plan,
        names=pool.names,
        traces=traces,
        tested=tested,
        points=points,
        curves=curves,
        validated={
            e: np.array([evaluator.score_values(t.best[None])[0] for t in m]) for (k, e), m in traces.items() if k == "own"
        },
        experts=score(np.eye(size)),
        base=evaluator.score_changes({}, test, split="test"),
        merges=merged,
        merged={
            m.name: score(m.coefficients)[0] if m.coefficients is not None else evaluator.score_changes(m.changes or {}, test)
            for m in merged
        },
        ablated=ablated,
        union=np.array([score(t.last).max(0) for t in own]),
        swarm=len(own[0].last),
        experts_renamed=np.array(renamed_experts),
        kept={
            name: (
                evaluator.score_items(np.eye(size), items).mean(1),
                evaluator.score_items(np.array([t.best for t in own]), items).mean(1),
            )
            for name, items in problem.kept.items()
        },
        num_validation=len(utility.items),
        chance=problem.chance,
        way=str(evaluator.way),
        failed=tuple(f"{one.split} item {one.item}: {one.reason}" for one in utility.failed),
        shared={name: np.asarray(ids) for name, ids in (utility.test_shared or {}).items()},
    )


def _without(c: Float64[np.ndarray, " K"], k: int, span: str) -> Float64[np.ndarray, " K"]:
    """A candidate without one expert. In the affine span the others are shifted equally, so that they sum to 1 again."""
    left = c.copy()
    left[k] = 0.0
    if span == "affine":
        others = np.arange(len(c)) != k
        left[others] += c[k] / others.sum()
    return left
