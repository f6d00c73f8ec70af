"""Objectives: loss, score per example in [0, 1], and perfect output for each kind of target.

Outputs are what a subject's forward returns. All shapes below share the first dimension `n`, the examples.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from assay.bounds import MOST_CELLS, check_whole
from assay.errors import AssayError

PAD = 0  # target of sequence positions that are neither trained nor scored
NOT_ASKED = -1  # the same for steps, where 0 is a class


@runtime_checkable
class Objective(Protocol):
    """Loss, score and perfect output for one kind of target."""

    @property
    def unit(self) -> str:
        """Name of the score, such as `accuracy`."""
        ...

    @property
    def chance(self) -> float:
        """Score of guessing."""
        ...

    def loss(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, ""]:
        """Scalar loss."""
        ...

    def score(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, " n"]:
        """One number in [0, 1] per example; 1 is right."""
        ...

    def ideal(self, targets: Tensor) -> Tensor:
        """Outputs that score 1 on these targets."""
        ...

    def width(self) -> int:
        """Size of the last dimension of the outputs."""
        ...


@runtime_checkable
class Stepwise(Protocol):
    """An objective with several steps per answer, such as the words of a sequence or the actions of an episode.

    **Attributes:** `whole`: whether the score of an answer is that of its worst step; else it is the mean over steps.
    """

    @property
    def whole(self) -> bool: ...

    def steps(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, "n t"]:
        """Score of every step, in [0, 1]; NaN where the step is not scored."""
        ...


def mean_step(steps: Float[Tensor, "n t"]) -> Float[Tensor, " n"]:
    """Mean over the steps that are scored."""
    return steps.nanmean(-1).float()


def worst_step(steps: Float[Tensor, "n t"]) -> Float[Tensor, " n"]:
    """Lowest score of a step that is scored. Where steps are right or wrong this is exact match."""
    return steps.nan_to_num(1.0).amin(-1).float()


_FEATURES, _POSITIONS = "examples, features", "examples, positions, vocabulary"


def _check_shape(outputs: Tensor, expected: tuple[int, ...], what: str) -> None:
    if tuple(outputs.shape) != expected:
        raise AssayError(
            f"the subject's output must have shape {expected} ({what})",
            given=tuple(outputs.shape),
            next_step=_reshaped(tuple(outputs.shape), expected, what)
            or "check that the subject was built for this task, or wrap it so that forward returns the logits alone",
        )


def _reshaped(shape: tuple[int, ...], expected: tuple[int, ...], what: str) -> str:
    """Remedy for a common mismatch of shapes: a change of forward, or of the task's targets; empty for others."""
    if expected == (*shape, 1):
        return "let forward return `output.unsqueeze(-1)`"
    if what == _POSITIONS and len(shape) == 2:
        return "where each example has one answer, give targets as class ids of shape (n,), neither a column nor one-hot"
    if what == _FEATURES and len(shape) == 2 and expected[1:] == (1,):
        return "where targets are classes, give whole numbers, as `targets.long()`"
    if what == _FEATURES:
        return ""
    if len(expected) == 2 and expected[1] == 2 and shape in (expected[:1], (expected[0], 1)):
        return "let forward return a logit for each of the two classes: of one x of shape (n, 1), `torch.cat([-x, x], 1) / 2`"
    if len(expected) == 3 and shape == (expected[0], expected[2], expected[1]):
        return "let forward return `output.transpose(1, 2)`, with classes last"
    if len(shape) == len(expected) == 2 and shape[0] == expected[0] and shape[1] > expected[1]:
        return (
            f"where the network has more classes than the rows, say so: `values = [...]`, all {shape[1]}, under [target] "
            f"of a table, `objective=assay.Classification({shape[1]})` in Python"
        )
    return ""


@dataclass(frozen=True)
class Classification:
    """One class per example. Outputs: logits `(n, num_classes)`. Targets: integers `(n,)`.

    **Arguments:** `num_classes`, or `names` in the order of the outputs, or both.

    **Raises:** `AssayError` for names that are not different, or not as many as classes.

    Example::

        >>> colours = assay.Classification(names=("red", "green"))
        >>> colours.score(torch.tensor([[0.2, 1.5], [0.9, 0.1]]), torch.tensor([1, 1])).tolist()
        [1.0, 0.0]
    """

    num_classes: int = 0
    unit: str = "accuracy"
    names: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self):
        listed = not isinstance(self.names, str | bytes | Mapping) and isinstance(self.names, Collection)
        check_whole("classes", self.num_classes, least=0, most=MOST_CELLS)
        if not listed:
            raise AssayError("classes have a list of names, in the order of the outputs", given=self.names)
        object.__setattr__(self, "names", tuple(map(str, self.names)))
        object.__setattr__(self, "num_classes", self.num_classes or len(self.names))
        if self.names and not len(set(self.names)) == len(self.names) == self.num_classes:
            raise AssayError(
                "classes must have names that differ, one for each in the order of the outputs",
                given=f"{', '.join(self.names)} for {self.num_classes} classes",
            )

    @property
    def chance(self) -> float:
        return 1 / self.num_classes

    def width(self) -> int:
        return self.num_classes

    def loss(self, outputs: Float[Tensor, "n c"], targets: Int[Tensor, " n"]) -> Float[Tensor, ""]:
        _check_shape(outputs, (len(targets), self.num_classes), "examples, classes")
        return F.cross_entropy(outputs, targets)

    def score(self, outputs: Float[Tensor, "n c"], targets: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        _check_shape(outputs, (len(targets), self.num_classes), "examples, classes")
        return self.score_of(outputs.argmax(-1), targets)

    def score_of(self, answers: Int[Tensor, " n"], targets: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Score of outputs whose most likely classes are `answers`."""
        return (answers == targets).float()

    def ideal(self, targets: Int[Tensor, " n"]) -> Float[Tensor, "n c"]:
        return F.one_hot(targets, self.num_classes).float()


@dataclass(frozen=True)
class Regression:
    """Real targets `(n, num_features)`, or `(n, ...)` of any shape with that many numbers. The score is `max(0, 1 - squared
    error / variance)`, both summed over them.

    `variance` is the summed variance of the targets over the task's distribution, fixed in advance, so that the mean of the
    unclipped scores is the pooled R2.

    Example::

        >>> objective = assay.Regression(num_features=2, variance=1.0)
        >>> objective.score(torch.tensor([[0.0, 0.5]]), torch.tensor([[0.0, 0.0]])).tolist()
        [0.75]
    """

    num_features: int
    variance: float
    unit: str = "R2, pooled, floored at 0 per example"
    chance: float = 0.0

    def width(self) -> int:
        return self.num_features

    def loss(self, outputs: Float[Tensor, "n *f"], targets: Float[Tensor, "n *f"]) -> Float[Tensor, ""]:
        _check_shape(outputs, tuple(targets.shape), _FEATURES)
        return F.mse_loss(outputs, targets)

    def score(self, outputs: Float[Tensor, "n *f"], targets: Float[Tensor, "n *f"]) -> Float[Tensor, " n"]:
        return self.unclipped(outputs, targets).clamp(min=0.0)

    def unclipped(self, outputs: Float[Tensor, "n *f"], targets: Float[Tensor, "n *f"]) -> Float[Tensor, " n"]:
        """Score without the floor at 0; its mean over examples is the pooled R2."""
        _check_shape(outputs, tuple(targets.shape), _FEATURES)
        return 1 - (outputs - targets).square().flatten(1).sum(1) / self.variance

    def ideal(self, targets: Float[Tensor, "n *f"]) -> Float[Tensor, "n *f"]:
        return targets


@dataclass(frozen=True)
class Sequences:
    """A token sequence per example. Outputs: logits `(n, length, vocab)` given the correct prefix. Targets `(n, length)`, `PAD`
    (0) where nothing is scored.

    The score is 1 when every scored token is right. With the correct prefix given, this holds exactly when greedy decoding
    returns the sequence, because both make the same first error.

    Example::

        >>> logits = torch.eye(4)[torch.tensor([[2, 3, 1]])]  # of token 2, then 3, then 1
        >>> assay.Sequences(vocab=4).score(logits, torch.tensor([[2, 3, 0]])).tolist()  # 0 is padding
        [1.0]
    """

    vocab: int
    unit: str = "exact match"
    chance: float = 0.0

    @property
    def whole(self) -> bool:
        return True

    def width(self) -> int:
        return self.vocab

    def loss(self, outputs: Float[Tensor, "n t v"], targets: Int[Tensor, "n t"]) -> Float[Tensor, ""]:
        _check_shape(outputs, (*targets.shape, self.vocab), _POSITIONS)
        return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=PAD)

    def score(self, outputs: Float[Tensor, "n t v"], targets: Int[Tensor, "n t"]) -> Float[Tensor, " n"]:
        return worst_step(self.steps(outputs, targets))

    def score_of(self, answers: Int[Tensor, "n t"], targets: Int[Tensor, "n t"]) -> Float[Tensor, " n"]:
        """Score of outputs whose most likely tokens are `answers`."""
        return ((answers == targets) | (targets == PAD)).all(-1).float()

    def steps(self, outputs: Float[Tensor, "n t v"], targets: Int[Tensor, "n t"]) -> Float[Tensor, "n t"]:
        _check_shape(outputs, (*targets.shape, self.vocab), _POSITIONS)
        return (outputs.argmax(-1) == targets).float().masked_fill(targets == PAD, torch.nan)

    def ideal(self, targets: Int[Tensor, "n t"]) -> Float[Tensor, "n t v"]:
        return F.one_hot(targets, self.vocab).float()


@dataclass(frozen=True)
class Steps:
    """A class at each step of an episode. Outputs: logits `(n, steps, num_classes)`. Targets: integers `(n, steps)`,
    `NOT_ASKED` (-1) after the end of an episode; every example has a scored step.

    The score is the share of scored steps that are right or, with `whole`, 1 when all of them are.
    """

    num_classes: int
    whole: bool = False

    @property
    def unit(self) -> str:
        return "episodes with every action right" if self.whole else "action accuracy"

    @property
    def chance(self) -> float:
        return 0.0 if self.whole else 1 / self.num_classes

    def width(self) -> int:
        return self.num_classes

    def loss(self, outputs: Float[Tensor, "n t c"], targets: Int[Tensor, "n t"]) -> Float[Tensor, ""]:
        _check_shape(outputs, (*targets.shape, self.num_classes), "examples, steps, classes")
        return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=NOT_ASKED)

    def score(self, outputs: Float[Tensor, "n t c"], targets: Int[Tensor, "n t"]) -> Float[Tensor, " n"]:
        steps = self.steps(outputs, targets)
        return worst_step(steps) if self.whole else mean_step(steps)

    def score_of(self, answers: Int[Tensor, "n t"], targets: Int[Tensor, "n t"]) -> Float[Tensor, " n"]:
        """Score of outputs whose most likely classes are `answers`."""
        right, asked = answers == targets, targets != NOT_ASKED
        return (right | ~asked).all(-1).float() if self.whole else mean_step(right.float().masked_fill(~asked, torch.nan))

    def steps(self, outputs: Float[Tensor, "n t c"], targets: Int[Tensor, "n t"]) -> Float[Tensor, "n t"]:
        _check_shape(outputs, (*targets.shape, self.num_classes), "examples, steps, classes")
        return (outputs.argmax(-1) == targets).float().masked_fill(targets == NOT_ASKED, torch.nan)

    def ideal(self, targets: Int[Tensor, "n t"]) -> Float[Tensor, "n t c"]:
        return F.one_hot(targets.clamp(min=0), self.num_classes).float()


@dataclass(frozen=True)
class RealSteps:
    """Real targets at every step, `(n, steps, features)`. Outputs have their shape.

    A step scores `max(0, 1 - squared error / variance)`, both summed over features; `variance` is that of the targets of all
    steps over the task's distribution, fixed in advance. The score is the mean over steps or, with `whole`, that of the worst.

    **Example:** a position in the plane at every moment is `RealSteps(2, variance=1.5)`.
    """

    num_features: int
    variance: float
    whole: bool = False
    chance: float = 0.0

    @property
    def unit(self) -> str:
        return "R2 of the worst step, floored at 0" if self.whole else "R2, floored at 0 per step"

    def width(self) -> int:
        return self.num_features

    def loss(self, outputs: Float[Tensor, "n t f"], targets: Float[Tensor, "n t f"]) -> Float[Tensor, ""]:
        _check_shape(outputs, tuple(targets.shape), "examples, steps, features")
        return F.mse_loss(outputs, targets)

    def score(self, outputs: Float[Tensor, "n t f"], targets: Float[Tensor, "n t f"]) -> Float[Tensor, " n"]:
        steps = self.steps(outputs, targets)
        return worst_step(steps) if self.whole else mean_step(steps)

    def steps(self, outputs: Float[Tensor, "n t f"], targets: Float[Tensor, "n t f"]) -> Float[Tensor, "n t"]:
        _check_shape(outputs, tuple(targets.shape), "examples, steps, features")
        return (1 - (outputs - targets).square().sum(-1) / self.variance).clamp(min=0.0)

    def ideal(self, targets: Float[Tensor, "n t f"]) -> Float[Tensor, "n t f"]:
        return targets


@dataclass(frozen=True)
class Unscored:
    """Objective of a task that does not score outputs: only activations are read. Every score is 0."""

    unit: str = ""
    chance: float = 0.0

    def width(self) -> int:
        return 0

    def loss(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, ""]:
        raise AssayError(
            "a network can be trained only on a task that scores its output",
            given="a task whose outputs are not scored",
            next_step="train it elsewhere, and audit it here",
        )

    def score(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, " n"]:
        return torch.zeros(len(targets))

    def ideal(self, targets: Tensor) -> Float[Tensor, "n 0"]:
        return torch.zeros(len(targets), 0)


def score_of_answers(objective: Objective, answers: Tensor, targets: Tensor) -> Float[Tensor, " n"]:
    """Score of perfect outputs for `answers` against `targets`. For classes and tokens no outputs are built."""
    scored = getattr(objective, "score_of", None)
    return scored(answers, targets) if scored else objective.score(objective.ideal(answers), targets)


def scorer(objective: Objective, outputs: Tensor) -> Callable[[Tensor], Tensor]:
    """Function from targets to the scores of fixed outputs, whose most likely classes are computed once."""
    scored = getattr(objective, "score_of", None)
    return partial(scored, outputs.argmax(-1)) if scored else partial(objective.score, outputs)


def check_finite(values: Tensor, what: str) -> None:
    """**Raises:** `AssayError` when `values` holds NaN or infinity; `what` names them in the message."""
    if values.is_floating_point() and not torch.isfinite(values).all():
        bad = int((~torch.isfinite(values)).sum())
        masked = bool(torch.isneginf(values).sum() == bad)
        raise AssayError(
            f"{what} must be finite",
            given=f"{bad} of {values.numel()} values are {'minus infinity' if masked else 'NaN or infinite'}",
            next_step="replace minus infinity, such as that of a mask, by a large negative number such as -1e4"
            if masked
            else "look at the inputs and the weights for NaN; a diverged training run needs a smaller learning rate",
        )
