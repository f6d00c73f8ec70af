"""Nulls of a score: the same outputs against shuffled targets, and the nearest trained example."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.instrument import Control
from assay.objective import Objective, Regression, score_of_answers, scorer
from assay.stats import means_within, permutation_p, sign_test_p
from assay.task import Examples, Task
from assay.usage import indicator

SHUFFLED, NEAREST = "shuffled targets", "nearest trained example"
WIDE, MOST_PAIRS = 64, 2**26  # answer width from which all pairs are scored at once, and the most pairs for which they are


def shuffled(own: float, outputs: Tensor, examples: Examples, task: Task, *, repeats: int, generator: Generator) -> Control:
    """The null of shuffled targets: the same outputs scored against the targets of other examples."""
    values, rows = [], torch.arange(len(examples))
    score, pairs = scorer(task.objective, outputs), all_pairs(task.objective, outputs, examples.targets)
    means = means_within(examples.combination)
    for _ in range(repeats):
        mixed = torch.randperm(len(examples), generator=generator)
        scores = score(examples.targets[mixed]) if pairs is None else pairs[rows, mixed]
        values.append(float(means(scores).means.mean()))
    how = f"the same outputs scored against targets permuted among these examples, {repeats} times"
    return Control(name=SHUFFLED, how=how, values=torch.tensor(values, dtype=torch.float64), p=permutation_p(own, values))


def nearest(
    own: Float[Tensor, " c"], examples: Examples, pool: Examples, task: Task, *, repeats: int, generator: Generator
) -> Control:
    """The null of a memoriser that answers with the target of the trained example sharing the most declared parts. p is the
    larger of the p by rank and that of the paired test over combinations: a memoriser that is always wrong has no spread to
    rank in."""
    shared = _values(examples, task) @ _values(pool, task).T
    # For each row, all trained examples that share the most parts.
    candidates = (shared == shared.amax(1, keepdim=True)).nonzero()
    counts = candidates[:, 0].bincount(minlength=len(shared))
    starts = counts.cumsum(0) - counts
    answers: list[float] = []
    each, rows = torch.zeros_like(own), torch.arange(len(examples))
    pairs, within = all_pairs(task.objective, pool.targets, examples.targets), means_within(examples.combination)
    for _ in range(repeats):
        chosen = (torch.rand(len(counts), generator=generator) * counts).long().clamp(max=counts - 1)
        nearest = candidates[starts + chosen, 1]
        if pairs is None:
            scores = score_of_answers(task.objective, pool.targets[nearest], examples.targets)
        else:
            scores = pairs[nearest, rows]
        means = within(scores).means
        answers.append(float(means.mean()))
        each += means / repeats
    how = (
        "the answer to each example is the target of the trained example that shares the most declared parts with it, out of "
        f"{len(pool)}; ties are broken at random, {repeats} times"
    )
    p = max(permutation_p(float(own.mean()), answers), sign_test_p(own, each))
    return Control(name=NEAREST, how=how, values=torch.tensor(answers, dtype=torch.float64), p=p)


def all_pairs(objective: Objective, outputs: Tensor, targets: Tensor) -> Float[Tensor, "n m"] | None:
    """The score of every output against every target by one matrix product, for real-valued answers of many numbers (squared
    distances are sums of squares less twice the product). None for other answers."""
    if type(objective) is not Regression or len(outputs) * len(targets) > MOST_PAIRS or targets[:1].numel() < WIDE:
        return None
    middle = targets.float().mean(0)  # subtracted to preserve single precision
    one, other = (outputs - middle).flatten(1).float(), (targets - middle).flatten(1).float()
    squares = one.square().sum(1)[:, None] + other.square().sum(1) - 2 * one @ other.T
    return (1 - squares / objective.variance).clamp(0.0, 1.0)


def _values(examples: Examples, task: Task) -> Float[Tensor, "n v"]:
    """Indicator columns: one per value of every declared part, 1 where the example has it."""
    return indicator(torch.stack([examples.parts[part.name] for part in task.parts], 1), task.parts).float()
