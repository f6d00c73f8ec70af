"""A split that was run, and its mean score per combination."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.stats import cluster_means
from assay.subject import Subject
from assay.task import Examples, Split, Task


@dataclass(frozen=True)
class Scored:
    """Examples in canonical order, the subject's outputs, `scores` per example, and `units`, their mean per combination.

    `rows` holds the part values of every combination, in the order of `units`.
    """

    examples: Examples
    outputs: Tensor
    scores: Float[Tensor, " n"]
    units: Float[Tensor, " c"]
    rows: Int[Tensor, "c k"]
    combines: tuple[str, ...]

    def subset(self, num: int, generator: Generator) -> "Scored":
        """At most `num` examples drawn at random."""
        chosen = torch.randperm(len(self.examples), generator=generator)[:num].sort().values
        return scored(self.outputs[chosen], self.scores[chosen], self.examples.take(chosen), self.combines)

    @property
    def ids(self) -> Int[Tensor, " c"]:
        """The id of every combination, in the order of `units`."""
        return self.examples.combination.unique()

    def only(self, chosen: Bool[Tensor, " c"]) -> "Scored":
        """The chosen combinations."""
        rows = chosen[self.examples.combination.unique(return_inverse=True)[1]]
        return scored(self.outputs[rows], self.scores[rows], self.examples.take(rows), self.combines)


def run(subject: Subject, task: Task, split: Split, n: int, generator: Generator) -> Scored:
    """Run the subject on at most `n` examples of the split."""
    examples = task.examples(split, n, generator=generator).in_canonical_order()
    outputs = subject(examples.inputs)
    return scored(outputs, task.score(outputs, examples), examples, task.combines)


def scored(outputs: Tensor, scores: Float[Tensor, " n"], examples: Examples, combines: tuple[str, ...]) -> Scored:
    """Group scores by combination."""
    ids, units, _ = cluster_means(scores, examples.combination)
    first = torch.searchsorted(examples.combination, ids)  # canonical order is sorted by combination
    rows = torch.stack([examples.parts[name][first] for name in combines], 1)
    return Scored(examples, outputs, scores, units, rows, combines)
