"""Scores of candidates on the items of a utility: batched, cached by coefficients, and counted."""

import copy
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from assay.errors import AssayError
from assay.swarm.candidates import Functional, Way, can_be_rows, candidate_rows, load_changes, prepared, vmapped
from assay.swarm.pool import ExpertPool
from assay.swarm.utility import Run, Score, ScoredItems, Utility

MOST_ROWS = 2048  # rows whose states stay in the cache of one core
CHECKED = 8  # items on which two ways are compared before the fast one is trusted
AGREE = 1e-4
BACKWARD = 2  # a backward pass counts as two forward passes
_Key = tuple[bytes, bool]  # coefficients, and whether the score is the graded one
DIGITS = 12  # decimal places to which coefficients identify a candidate


class Evaluator:
    """Evaluator of candidates of a pool; each counts once.

    **Arguments:**

    - `network`: a module with the pool's base weights. It is copied.
    - `way`: how candidates are run (`rows`, `vmap` or `loop`). None takes `rows` where every change is a low-rank one of a
      linear layer, after a check against `loop` on two candidates and a few items; else `vmap`, or `loop` where that fails.
    - `graded`: whether searches maximise the graded score of the utility instead of its score.
    - `most_rows`: largest number of rows of one batch.

    **Attributes:** `evaluations`: the number of candidates scored on all items, with partial ones pro rata; a gradient counts
    as three.
    """

    def __init__(
        self,
        network: nn.Module,
        pool: ExpertPool,
        *,
        utility: Utility,
        way: Way | None = None,
        graded: bool = False,
        most_rows: int = MOST_ROWS,
    ):
        if way is not None and way not in get_args(Way):
            raise AssayError("way must be known", given=way, choices=get_args(Way))
        if graded and utility.graded is None:
            raise AssayError("to maximise a graded score the utility needs one", next_step="give `graded=log_probability`")
        self.pool, self.utility, self.graded, self.most_rows = pool, utility, graded, most_rows
        self._network = prepared(network, pool)
        self._chosen, self.way = way, way
        self._scored = 0.0  # number of items scored, over all candidates
        self._kept: dict[_Key, Float64[np.ndarray, " n"]] = {}
        self._slopes: dict[bytes, Float64[np.ndarray, " m"]] = {}  # a value and its gradient
        self._memory: dict[_Key | bytes, Float64[np.ndarray, " m"]] = {}

    @property
    def evaluations(self) -> float:
        """Candidates scored so far, in units of all validation items."""
        return self._scored / len(self.utility.items)

    def values(self, coefficients: Float64[np.ndarray, "N K"]) -> Float64[np.ndarray, " N"]:
        """The objective of a search: the value of each candidate over all validation items."""
        return self.utility.value(self.scores(coefficients, graded=self.graded), groups=self.utility.groups)

    def score_values(self, coefficients: Float64[np.ndarray, "N K"]) -> Float64[np.ndarray, " N"]:
        """The value of each candidate by the reported score, whatever a search maximises."""
        return self.utility.value(self.scores(coefficients), groups=self.utility.groups)

    def fresh(self) -> "Evaluator":
        """An evaluator without scores, on the same copy of the network, for another search of the same pool."""
        other = copy.copy(self)
        other._scored, other._kept, other._slopes, other._memory = 0.0, {}, {}, {}
        return other

    def scores(
        self, coefficients: Float64[np.ndarray, "N K"], *, graded: bool = False, items: Sequence[int] | np.ndarray | None = None
    ) -> Float64[np.ndarray, "N m"]:
        """Scores of each candidate on all or some validation items. Cached scores are neither recomputed nor counted again."""
        num = len(self.utility.items)
        wanted = np.arange(num) if items is None else np.asarray(items)
        rounded = np.round(coefficients, DIGITS) + 0.0  # so that -0 is 0
        rows = [self._kept.setdefault((c.tobytes(), graded), np.full(num, np.nan)) for c in rounded]
        lacking: dict[bytes, list[int]] = {}  # candidates grouped by the items that they lack
        for k, row in enumerate(rows):
            lacking.setdefault(np.isnan(row[wanted]).tobytes(), []).append(k)
        for key, members in lacking.items():
            new = wanted[np.frombuffer(key, dtype=bool)]
            first = {id(rows[k]): k for k in members}  # a repeated candidate is scored once
            if len(new) and first:
                chosen = list(first.values())
                found = self._recalled(coefficients[chosen], rounded[chosen], new, graded)
                for k, values in zip(chosen, found, strict=True):
                    rows[k][new] = values
                self._scored += len(new) * len(chosen)
        return np.stack([row[wanted] for row in rows])

    def scored(self) -> dict[str, np.ndarray]:
        """All cached scores with their coefficients, a few kB per candidate, as input to `remember`."""
        size, found = len(self.pool), {}
        for graded, name in ((False, "score"), (True, "graded")):
            mine = [(key, row) for (key, kind), row in self._kept.items() if kind == graded]
            found[f"{name}.coefficients"] = np.array([np.frombuffer(key) for key, _ in mine]).reshape(-1, size)
            found[f"{name}.items"] = np.array([row for _, row in mine]).reshape(-1, len(self.utility.items))
        found["slope.coefficients"] = np.array([np.frombuffer(key) for key in self._slopes]).reshape(-1, size)
        found["slope.values"] = np.array(list(self._slopes.values())).reshape(-1, 1 + size)
        return found

    def remember(self, scored: Mapping[str, Tensor]) -> None:
        """Load scores computed earlier. They are counted when they are requested, so that a repeated search gives the same
        result.

        **Raises:** `AssayError` when they are of another pool or other items.
        """
        shapes = {
            "score.items": len(self.utility.items),
            "graded.items": len(self.utility.items),
            "slope.values": 1 + len(self.pool),
        }
        for name, wide in shapes.items():
            kind = name.partition(".")[0]
            values, of = scored.get(name), scored.get(f"{kind}.coefficients")
            if values is None or of is None or values.shape[1:] != (wide,) or of.shape != (len(values), len(self.pool)):
                raise AssayError(
                    "a search resumes only with the pool and the items with which it began",
                    given=f"other {name} in its journal",
                    next_step="delete the journal, or repeat the first call",
                )
            for c, row in zip(of.double().numpy(), values.double().numpy(), strict=True):
                key = (np.round(c, DIGITS) + 0.0).tobytes()
                self._memory[key if kind == "slope" else (key, kind == "graded")] = row

    def _recalled(
        self, coefficients: Float64[np.ndarray, "p K"], rounded: Float64[np.ndarray, "p K"], items: np.ndarray, graded: bool
    ) -> Float64[np.ndarray, "p m"]:
        """Cached scores on validation items, for the candidates that have them all."""
        known = [self._memory.get((c.tobytes(), graded)) for c in rounded]
        missing = [k for k, row in enumerate(known) if row is None or np.isnan(row[items]).any()]
        found = np.stack([np.full(len(items), np.nan) if row is None else row[items] for row in known])
        if missing:
            some = self.utility.items.take(torch.from_numpy(items))
            found[missing] = self.score_items(coefficients[missing], some, graded=graded)
        return found

    def gradient(self, coefficients: Float64[np.ndarray, " K"]) -> tuple[float, Float64[np.ndarray, " K"]]:
        """The mean graded score over validation items and its gradient. Counts as three evaluations."""
        key = (np.round(coefficients, DIGITS) + 0.0).tobytes()
        if key in self._slopes:
            return float(self._slopes[key][0]), self._slopes[key][1:]
        known = self._memory.get(key)
        value, slope = (float(known[0]), known[1:]) if known is not None else self._differentiated(coefficients)
        self._slopes[key] = np.r_[value, slope]
        self._scored += (1 + BACKWARD) * len(self.utility.items)
        return value, slope

    def _differentiated(self, coefficients: Float64[np.ndarray, " K"]) -> tuple[float, Float64[np.ndarray, " K"]]:
        score = self._score(True)
        items = self.utility.items
        c = torch.from_numpy(np.array(coefficients, dtype=np.float64)).requires_grad_()
        if can_be_rows(self._network, self.pool):
            run = self._rows(c[None])
        else:
            weights = {name: self.pool.base[name] + change for name, change in self.pool.changes(c).items()}
            run = _always(Functional(self._network, weights))
        value = self.utility.per_item(run, items, score=score).mean()
        if not value.requires_grad:
            raise AssayError(
                "a graded score must be differentiable", next_step="give `graded=log_probability`, or another engine"
            )
        (slope,) = torch.autograd.grad(value, c)
        return float(value.detach()), slope.numpy()

    @torch.no_grad()
    def score_changes(
        self, changes: Mapping[str, Tensor], items: ScoredItems | None = None, *, split: str = "validation"
    ) -> Float64[np.ndarray, " n"]:
        """Scores of a candidate given by its changes of weights, such as a TIES merge, on validation or other items.

        On validation items it counts as an evaluation.
        """
        load_changes(self._network, self.pool, changes)
        try:
            found = self._looped(items or self.utility.items, self.utility.score, split)
        finally:
            load_changes(self._network, self.pool, {})
        if items is None:
            self._scored += len(self.utility.items)
        return found.double().numpy()[0]

    @torch.no_grad()
    def score_items(
        self, coefficients: Float64[np.ndarray, "N K"], items: ScoredItems, *, graded: bool = False, split: str = "validation"
    ) -> Float64[np.ndarray, "N n"]:
        """Scores of candidates on any items; neither cached nor counted."""
        c = torch.from_numpy(np.asarray(coefficients, dtype=np.float64))
        if c.ndim != 2 or c.shape[1] != len(self.pool):
            raise AssayError("candidates must have one coefficient for each expert", given=tuple(c.shape))
        if not torch.isfinite(c).all():
            raise AssayError("coefficients must be finite", given=c)
        score = self._score(graded)
        if self.way is None:
            self.way = self._choose(c, items, score, split)
        per_batch = max(1, self.most_rows // len(items))
        return torch.cat([self._by(self.way, some, items, score, split) for some in c.split(per_batch)]).double().numpy()

    def _score(self, graded: bool) -> Score:
        if graded and self.utility.graded is None:
            raise AssayError("the utility needs a graded score", next_step="give `graded=log_probability`")
        return self.utility.graded if graded and self.utility.graded is not None else self.utility.score

    def _choose(self, c: Float[Tensor, "p K"], items: ScoredItems, score: Score, split: str) -> Way:
        """The fastest way that agrees with the loop on two candidates and a few items."""
        few = items.take(torch.arange(min(CHECKED, len(items))))
        two = torch.cat([c[:1], c[-1:]])
        plain = self._by("loop", two, few, score, split)
        for way in ("rows",) if can_be_rows(self._network, self.pool) else ("vmap",):
            try:
                found = self._by(way, two, few, score, split)
            except Exception:  # the way does not support the network
                continue
            if bool((found - plain).abs().max() <= AGREE):
                return way
        return "loop"

    def _by(self, way: Way, c: Float[Tensor, "p K"], items: ScoredItems, score: Score, split: str) -> Float[Tensor, "p n"]:
        if way == "rows":
            parts = []
            size = max(1, self.most_rows // len(c))
            for first in range(0, len(items), size):
                some = items.take(torch.arange(first, min(first + size, len(items))))
                run = self._rows(c)
                parts.append(self.utility.per_item(run, some, score=score, repeats=len(c), first=first, split=split))
            return torch.cat(parts, 1)
        if way == "vmap":
            return vmapped(self._network, self.pool, c, lambda one: score(one, items.inputs, items.targets))
        found = []
        for one in c:
            load_changes(self._network, self.pool, self.pool.changes(one))
            try:
                found.append(self._looped(items, score, split))
            finally:
                load_changes(self._network, self.pool, {})
        return torch.cat(found)

    def _rows(self, c: Float[Tensor, "p K"]) -> Run:
        return lambda items: candidate_rows(self._network, self.pool, c, each=len(items))

    def _looped(self, items: ScoredItems, score: Score, split: str) -> Float[Tensor, "1 n"]:
        parts = []
        for first in range(0, len(items), self.most_rows):
            some = items.take(torch.arange(first, min(first + self.most_rows, len(items))))
            parts.append(self.utility.per_item(_always(self._network), some, score=score, first=first, split=split))
        return torch.cat(parts, 1)


def _always(network: Any) -> Run:
    return lambda items: nullcontext(network)
