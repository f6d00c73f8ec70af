"""Objective of a search: a score on validation items, with a test split that can be scored once."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.bounds import first_line
from assay.errors import AssayError
from assay.stats import MIN_UNITS
from assay.swarm.scores import IGNORED

Score = Callable[[Any, Any, Any], Any]
"""`score(network, inputs, targets)`: one number for each item, higher is better."""
FEWEST = 20
"""The fewest validation items: with fewer, the best of some hundred candidates is best by luck alone."""


@dataclass(frozen=True)
class ScoredItems:
    """Items to score a network on.

    **Attributes:** `inputs`, `targets`: a tensor or a list with one entry for each item, or a tuple or mapping of these.

    Example::

        >>> from assay.swarm.utility import ScoredItems
        >>> items = ScoredItems({"input_ids": torch.zeros(30, 4, dtype=torch.long)}, torch.ones(30, dtype=torch.long))
        >>> len(items), len(items.take(torch.tensor([0, 7])))
        (30, 2)
    """

    inputs: Any
    targets: Any

    def __len__(self) -> int:
        return _length(self.inputs)

    def take(self, indices: Int[Tensor, " m"]) -> "ScoredItems":
        """These items, in this order."""
        return ScoredItems(_taken(self.inputs, indices), _taken(self.targets, indices))

    def check(self, what: str) -> None:
        """Check the items. **Raises:** `AssayError` when there are none, or unequal numbers of inputs and targets."""
        if not len(self) or _length(self.targets) != len(self):
            raise AssayError(
                f"{what} must be items with as many inputs as targets",
                given=f"{len(self)} inputs and {_length(self.targets)} targets",
            )


Run = Callable[[ScoredItems], AbstractContextManager[Any]]


@dataclass(frozen=True)
class FailedItem:
    """An item on which the score raised: its index, its split, and the error."""

    split: str
    item: int
    reason: str


@dataclass(kw_only=True)
class Utility:
    """A score on items, and its use in a search.

    **Attributes:**

    - `items`: validation items, at least 20, which searches may read without limit.
    - `score`: the reported score; see `Score`. `graded`: an objective for searches instead, such as the log-probability of the
      answer, which distinguishes candidates where none is right; the engine `gradient` needs it to be differentiable.
    - `test`: items that are scored once, for all candidates together: `open_test` returns them once, and raises at a second
      call.
    - `groups`: the task of each validation item. The value is then the harmonic mean over tasks, so that none is sacrificed.
    - `test_groups`: the task of each test item; `worst`: the score of an item on which `score` raised.
    - `test_shared`: clusterings of test items: by name (a fact, a text, a template), the id of each item. Items of one cluster
      are not independent, so that intervals and p-values are over clusters (`assay.swarm.clustered`).
    - `on_error`: `stop` at the first item on which `score` raises, or `skip`: score it as `worst` and continue. Either names
      the item.
    - `failed`: the items on which it raised.

    **Raises:** `AssayError` for fewer than 20 validation items, validation items that are also test items, and fewer than five
    clusters of test items.

    Example::

        >>> from assay.swarm.scores import exact_match
        >>> from assay.swarm.utility import ScoredItems, Utility
        >>> inputs, targets = torch.randn(60, 4), torch.arange(60) % 4
        >>> validation, test = ScoredItems(inputs[:30], targets[:30]), ScoredItems(inputs[30:], targets[30:])
        >>> utility = Utility(items=validation, test=test, score=exact_match)
        >>> len(utility.open_test()), utility.is_tested
        (30, True)
    """

    items: ScoredItems
    score: Score
    graded: Score | None = None
    test: ScoredItems | None = None
    groups: Sequence[int] | None = None
    test_groups: Sequence[int] | None = None
    test_shared: Mapping[str, Sequence[int] | np.ndarray] | None = None
    on_error: Literal["stop", "skip"] = "stop"
    worst: float = 0.0
    failed: list[FailedItem] = field(default_factory=list)
    _touched: bool = field(default=False, init=False)

    def __post_init__(self):
        self.items.check("validation")
        if len(self.items) < FEWEST:
            raise AssayError(
                f"validation needs at least {FEWEST} items",
                given=len(self.items),
                next_step="with fewer, the best of many candidates is the luckiest; add items, or split them again",
            )
        if self.test is not None:
            self.test.check("test")
            if shared := _num_shared(self.items.inputs, self.test.inputs):
                raise AssayError("no test item may be a validation item", given=f"{shared} that are both")
        for name, groups, items in (("groups", self.groups, self.items), ("test_groups", self.test_groups, self.test)):
            if groups is not None and (items is None or len(groups) != len(items)):
                raise AssayError(f"{name} must have one entry for each item", given=len(groups))
        for name, ids in (self.test_shared or {}).items():
            if self.test is None or len(ids) != len(self.test):
                raise AssayError("test_shared must have one entry for each test item", given=f"{len(ids)} of {name}")
            if (num := len(np.unique(ids))) < MIN_UNITS:
                raise AssayError(
                    f"test items must form at least {MIN_UNITS} clusters: there is no interval over fewer",
                    given=f"{num} of {name}",
                    next_step="leave this clustering out, and state that the result holds for these clusters only",
                )

    def value(self, scores: Float[np.ndarray, "*c n"], *, groups: Sequence[int] | None = None) -> Float[np.ndarray, "*c"]:
        """One number from the scores of all items: their mean, or the harmonic mean of the means of groups."""
        if groups is None:
            return np.asarray(scores.mean(-1))
        ids = np.asarray(groups)
        means = np.stack([scores[..., ids == one].mean(-1) for one in np.unique(ids)], -1)
        with np.errstate(divide="ignore"):
            return np.where((means > 0).all(-1), means.shape[-1] / (1 / np.maximum(means, 1e-300)).sum(-1), 0.0)

    def open_test(self) -> ScoredItems:
        """The test items, once.

        **Raises:** `AssayError` at the second call, and without test items.
        """
        if self.test is None:
            raise AssayError("a utility needs test items for this", next_step="give `test=ScoredItems(...)`")
        if self._touched:
            raise AssayError(
                "the test items may be scored once",
                given="a second time",
                next_step="give all candidates to one call; choose between candidates by validation, or draw new test items",
            )
        self._touched = True
        return self.test

    @property
    def is_tested(self) -> bool:
        """Whether the test items were scored."""
        return self._touched

    def closed(self, targets: Any = None) -> "Utility":
        """The same validation items without test items, with other targets where given, for a control."""
        items = self.items if targets is None else ScoredItems(self.items.inputs, targets)
        return replace(self, items=items, test=None, test_groups=None, test_shared=None)

    def per_item(
        self, run: Run, items: ScoredItems, *, score: Score, repeats: int = 1, first: int = 0, split: str = "validation"
    ) -> Float[Tensor, "p n"]:
        """Scores of `items`, repeated for `repeats` candidates, candidate by candidate.

        Where the score raises, each item is tried alone to find the failing one.

        **Arguments:** `run`: a function of items that returns a context with the network for their rows. `first`: the index of
        the first item, for messages.
        """
        try:
            return self._called(run, items, score, repeats)
        except Exception as error:
            if len(items) == 1:
                reason = f"{type(error).__name__}: {first_line(error)}"
                failed = FailedItem(split, first, reason)
                if self.on_error == "stop":
                    raise AssayError(
                        f"the score must not raise: {split} item {first}",
                        given=reason,
                        next_step="correct the score or the item, or skip the item by on_error='skip'",
                    ) from error
                if failed not in self.failed:
                    self.failed.append(failed)
                return torch.full((repeats, 1), self.worst)
            alone = (items.take(torch.tensor([k])) for k in range(len(items)))
            each = [
                self.per_item(run, one, score=score, repeats=repeats, first=first + k, split=split)
                for k, one in enumerate(alone)
            ]
            return torch.cat(each, 1)

    def _called(self, run: Run, items: ScoredItems, score: Score, repeats: int) -> Tensor:
        rows = items.take(torch.arange(len(items)).repeat(repeats)) if repeats > 1 else items
        with run(items) as network:
            found = score(network, rows.inputs, rows.targets)
        scores = found if isinstance(found, Tensor) else torch.as_tensor(np.asarray(found, dtype=np.float64))
        if scores.shape != (repeats * len(items),):
            given = f"shape {tuple(scores.shape)} for {repeats * len(items)} items"
            raise AssayError("a score must be one number for each item", given=given)
        if not torch.isfinite(scores).all():
            raise AssayError("a score must be finite", given=f"{int((~torch.isfinite(scores)).sum())} that are not")
        return scores.reshape(repeats, len(items))


def permuted_classes(items: ScoredItems, rng: Generator, *, classes: int | None = None) -> Callable[[Any], Any]:
    """A control task of the same form: every class is renamed, consistently over items (after Hewitt and Liang 2019).

    No expert holds a part of such a task, but a search can still fit it as far as its coefficients allow. In answers of several
    tokens each token is renamed; one that occurs in no target of `items` keeps its name. Where targets are neither classes nor
    tokens (whole numbers), the answers are shuffled over items instead.

    **Returns:** a function of targets.
    """
    targets = items.targets
    if isinstance(targets, Tensor) and not targets.is_floating_point():
        scored = targets[targets != IGNORED]
        used = torch.arange(classes or int(scored.max()) + 1) if targets.ndim == 1 else scored.unique()
        if len(used) > 1 and bool((scored >= 0).all()):
            names = torch.arange(int(used.max()) + 1)
            names[used] = used[_derangement(len(used), rng)]
            return lambda given: torch.where((given >= 0) & (given < len(names)), names[given.clamp(0, len(names) - 1)], given)
    return lambda given: _taken(given, _derangement(_length(given), rng))


def _derangement(num: int, rng: Generator) -> Int[Tensor, " n"]:
    """A random permutation without fixed points, where there are two elements or more."""
    while True:
        order = torch.randperm(num, generator=rng)
        if num < 2 or bool((order != torch.arange(num)).all()):
            return order


def _length(column: Any) -> int:
    if isinstance(column, Mapping):
        return _length(next(iter(column.values()))) if column else 0
    if isinstance(column, tuple):
        return _length(column[0]) if column else 0
    return len(column)


def _taken(column: Any, indices: Int[Tensor, " m"]) -> Any:
    if isinstance(column, Mapping):
        return {name: _taken(each, indices) for name, each in column.items()}
    if isinstance(column, tuple):
        return tuple(_taken(each, indices) for each in column)
    if isinstance(column, Tensor):
        return column[indices.to(column.device)]
    return column[indices.numpy()] if isinstance(column, np.ndarray) else [column[k] for k in indices.tolist()]


def _num_shared(first: Any, second: Any) -> int:
    """The number of rows in both, for plain tensors; other columns are not compared."""
    if not (isinstance(first, Tensor) and isinstance(second, Tensor) and first.shape[1:] == second.shape[1:]):
        return 0
    mine = {row.numpy().tobytes() for row in first.cpu().flatten(1)}
    return sum(row.numpy().tobytes() in mine for row in second.cpu().flatten(1).to(first.dtype))
