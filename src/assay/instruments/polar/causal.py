"""Used, not only decodable: take a subspace out of the network and see what becomes of its behaviour.

Within the subspace every state is replaced by the mean state, so that nothing but what differs between words is lost. Taken out
are what the polar probe reads, and the relation axes: the mean edge of every relation among the states themselves. A probe may
read a direction that the network does not, beside the one that it does; a mean edge points where states truly differ. The same
is done with random subspaces of the same rank, and with the one along which states vary most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.evidence import Measure, Null
from assay.instruments.polar.fit import Probes, unfitted
from assay.instruments.polar.targets import Sample
from assay.objective import Unscored
from assay.stats import MIN_UNITS, cluster_means, mean_interval, paired_p, permutation_p
from assay.subject import Subject
from assay.task import Task

LEVEL = 2
_MOST_NODES = 20_000


@dataclass(frozen=True)
class Behaviour:
    """What a network does on `n` examples, and how to score it again while a site is changed.

    **Attributes:**

    - `name`, `unit`: of the score, in [0, 1].
    - `run`: scores `(n,)` with what the site's states are put through; None changes nothing.
    - `clusters` `(n,)`: examples of one cluster are no independent units; `unit_of` says what they are.
    """

    name: str
    unit: str
    run: Callable[[Callable[[Tensor], Tensor] | None], Float[Tensor, " n"]]
    clusters: Int[Tensor, " n"]
    unit_of: Literal["combination", "example"] = "combination"


def task_behaviour(subject: Subject, task: Task, site: str, *, num: int, generator: Generator) -> Behaviour | str:
    """The score on the task's own trained combinations; or, in words, why there is none."""
    if isinstance(task.objective, Unscored):
        return "the task asks for no answer, so that what the network does with the graph cannot be scored"
    if not site:
        return "the layer is no site of the network, so that nothing can be taken out there"
    examples = task.examples("seen", num, generator=generator)

    def run(change: Callable[[Tensor], Tensor] | None) -> Float[Tensor, " n"]:
        outputs = subject(examples.inputs, replace={} if change is None else {site: change})
        return task.score(outputs, examples)

    return Behaviour("score", task.objective.unit, run, examples.combination)


def polar_basis(probes: Probes) -> Float[Tensor, "width rank"]:
    """An orthonormal basis of the directions that a probe reads."""
    return _orthonormal(probes.maps[0])


def relation_basis(sample: Sample) -> Float[Tensor, "width rank"]:
    """An orthonormal basis of the mean edges, head minus dependent, of the most frequent relations of a sample of one layer: as
    many as there are, at most half of the width."""
    axes = unfitted(sample, None, generator=Generator()).prototypes[0].mT
    return _orthonormal(axes[:, : max(1, len(axes) // 2)])


def _orthonormal(directions: Float[Tensor, "width k"]) -> Float[Tensor, "width rank"]:
    basis, scale, _ = torch.linalg.svd(directions.double(), full_matrices=False)
    return basis[:, scale > 1e-6 * scale.max()].float()


def without(basis: Float[Tensor, "width rank"], mean: Float[Tensor, " width"]) -> Callable[[Tensor], Tensor]:
    """What puts the mean state in place of a state within the subspace, and leaves it alone elsewhere."""

    def changed(states: Tensor) -> Tensor:
        own = basis.to(states)
        return states - (states - mean.to(states)) @ own @ own.mT

    return changed


def principal_basis(sample: Sample, rank: int) -> Float[Tensor, "width rank"]:
    """The `rank` directions along which the sample's first layer varies most."""
    states = sample.states[0, :_MOST_NODES].float()
    covariance = (states - states.mean(0)).mT @ (states - states.mean(0))
    return torch.linalg.eigh(covariance.double()).eigenvectors[:, -rank:].float()


def used_measure(
    behaviour: Behaviour,
    basis: Float[Tensor, "width rank"],
    sample: Sample,
    *,
    repeats: int,
    generator: Generator,
    of: str = "polar subspace",
) -> Measure:
    """How much of the score is lost without a subspace, beside what is lost without others of its rank.

    **Arguments:** `basis`: orthonormal; `sample`: of the layer that it is taken out of; `of`: what it is called.
    """
    mean = sample.states[0, :_MOST_NODES].float().mean(0)
    width, rank = basis.shape
    whole = behaviour.run(None)

    def lost(directions: Tensor) -> Float[Tensor, " n"]:
        return whole - behaviour.run(without(directions, mean))

    def means(values: Float[Tensor, " n"]) -> Float[Tensor, " c"]:
        return cluster_means(values, behaviour.clusters).means

    own, principal = means(lost(basis)), means(lost(principal_basis(sample, rank)))
    random = [
        float(means(lost(torch.linalg.qr(torch.randn(width, rank, generator=generator)).Q)).mean()) for _ in range(repeats)
    ]
    value, interval = float(own.mean()), mean_interval(own, bounds=(-1.0, 1.0))
    enough = len(own) >= MIN_UNITS and interval is not None
    before = float(means(whole).mean())
    told = f"{behaviour.name} {before:.3f} with it, {before - value:.3f} without; rank {rank} of {width}"
    return Measure(
        key="_".join(f"{behaviour.name} lost without the {of}".split()),
        name=f"{behaviour.name} lost without the {of}",
        value=value if enough else None,
        unit=behaviour.unit,
        direction="higher",
        interval=interval,
        nulls=(
            Null(
                name="random subspaces",
                how=f"the same with {repeats} random subspaces of rank {rank} of {width}",
                values=tuple(random),
                p=permutation_p(value, random),
            ),
            Null(
                name="principal subspace",
                how=f"the same with the {rank} directions along which states vary most",
                values=(float(principal.mean()),),
                p=paired_p(own, principal),
            ),
        ),
        units=len(own),
        unit_of=behaviour.unit_of,
        headline=True,
        note=told if enough else f"{len(own)} independent units, and an interval needs {MIN_UNITS}",
        ceiling=before,
        level=LEVEL,
    )
