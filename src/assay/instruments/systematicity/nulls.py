"""What novel combinations score where nothing was learned: shuffled targets, untrained copies, a memoriser."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.evidence import Null
from assay.instruments.systematicity.scored import Scored
from assay.stats import cluster_means, gain_over_networks, permutation_p
from assay.subject import Subject
from assay.task import Examples, Task
from assay.usage import indicator


def shuffled_targets(scored: Scored, task: Task, *, repeats: int, generator: Generator) -> Null:
    """The same outputs scored against the targets of other examples."""
    own = float(scored.units.mean())
    values = []
    for _ in range(repeats):
        mixed = scored.examples.targets[torch.randperm(len(scored.examples), generator=generator)]
        scores = task.objective.score(scored.outputs, mixed)
        values.append(float(cluster_means(scores, scored.examples.combination).means.mean()))
    how = f"the same outputs scored against the targets of other examples of the split, {repeats} times"
    return Null(name="shuffled targets", how=how, values=tuple(values), p=permutation_p(own, values))


def untrained_copies(scored: Scored, task: Task, copies: Sequence[Subject]) -> Null:
    """The same architecture with fresh weights on the same combinations."""
    examples = scored.examples
    units = torch.stack(
        [cluster_means(task.score(copy(examples.inputs), examples), examples.combination).means for copy in copies]
    )
    gain = gain_over_networks(scored.units, units)
    how = f"{len(copies)} copies of the same architecture with fresh weights, on {len(scored.units)} of the combinations"
    return Null(name="untrained copies", how=how, values=tuple(units.mean(1).tolist()), p=gain.p if gain else None)


def nearest_trained_example(scored: Scored, pool: Examples, task: Task, *, repeats: int, generator: Generator) -> Null:
    """A memoriser that answers with the target of the trained example sharing the most declared parts."""
    shared = _values(scored.examples, task) @ _values(pool, task).T
    # Row by row, the trained examples that share the most: any of them may answer.
    candidates = (shared == shared.amax(1, keepdim=True)).nonzero()
    counts = candidates[:, 0].bincount(minlength=len(shared))
    starts = counts.cumsum(0) - counts
    own = float(scored.units.mean())
    answers = []
    for _ in range(repeats):
        chosen = (torch.rand(len(counts), generator=generator) * counts).long().clamp(max=counts - 1)
        nearest = candidates[starts + chosen, 1]
        scores = task.objective.score(task.objective.ideal(pool.targets[nearest]), scored.examples.targets)
        answers.append(float(cluster_means(scores, scored.examples.combination).means.mean()))
    how = (
        "a memoriser that answers with the target of the trained example that shares the most declared parts, "
        f"ties broken at random, {repeats} times over {len(pool)} trained examples"
    )
    return Null(name="nearest trained example", how=how, values=tuple(answers), p=permutation_p(own, answers))


def _values(examples: Examples, task: Task) -> Float[Tensor, "n v"]:
    """One column per value of every declared part, 1 where the example has it."""
    return indicator(torch.stack([examples.parts[part.name] for part in task.parts], 1), task.parts).float()
