"""Whether the network uses what can be decoded: its loss of behaviour when a subspace is ablated.

Within the subspace every state is replaced by the mean state, so that only differences between words are lost. Two subspaces
are ablated: the one that the polar probe reads, and the relation axes, spanned by the mean edge of every relation among the
states themselves. A probe may read a direction that carries the information but that the network does not use; a mean edge
points along actual differences of states. The nulls are random subspaces of the same rank, and the leading principal
components.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.display import number
from assay.encoding import Encoder, HuggingFaceEncoder
from assay.graph import GivesContinuations
from assay.instrument import Control, Values, report
from assay.instruments.polar.fit import unfitted
from assay.instruments.polar.scores import metric
from assay.instruments.polar.targets import Sample, principal_components
from assay.objective import Unscored
from assay.stats import cluster_means, fitted_interval
from assay.subject import Subject
from assay.task import Task

SUBSPACE, AXES = "polar subspace", "relation axes"
RANDOM, PRINCIPAL = "random subspaces", "principal subspace"
LOST = {
    (behaviour, subspace): metric(
        f"{behaviour} lost without the {subspace}", bounds=(-1.0, 1.0), of=unit, headline=True, beats=(RANDOM, PRINCIPAL)
    )
    for behaviour, unit in (("score", "combination"), ("agreement", "sentence"))
    for subspace in (SUBSPACE, AXES)
}
"""By behaviour and subspace."""
_SENTENCES = 64  # sentences per batch: a model has a logit for every entry of its vocabulary at every position
Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Behaviour:
    """A network's score on `n` examples, and how to compute it again while the states at a site are changed.

    **Attributes:**

    - `name`, `unit`: those of the score, which lies in [0, 1].
    - `run`: called with a function of the site's states, or None for no change; returns the scores `(n,)`.
    - `clusters` `(n,)`: the cluster of each example; clusters, not examples, are the independent units.
    - `texts`: the text of each example, where each is a cluster.
    """

    name: str
    unit: str
    run: Callable[[Change | None], Float[Tensor, " n"]]
    clusters: Int[Tensor, " n"]
    texts: tuple[str, ...] = ()


def task_behaviour(subject: Subject, task: Task, site: str, *, num: int, generator: Generator) -> Behaviour | str:
    """The score on the task's trained combinations, or a sentence that says why there is none."""
    if isinstance(task.objective, Unscored):
        return "the task defines no answer, so that the network's use of the graph cannot be scored"
    examples = task.examples("seen", num, generator=generator)

    def run(change: Change | None) -> Float[Tensor, " n"]:
        return task.score(subject(examples.inputs, replace={} if change is None else {site: change}), examples)

    return Behaviour("score", task.objective.unit, run, examples.combination)


def agreement(
    subject: Subject, task: GivesContinuations, encoder: Encoder, site: str, *, num: int, generator: Generator
) -> Behaviour | str:
    """Agreement: whether the right form of a word that depends on the tree is more likely than the wrong one, for each
    sentence; or a sentence that says why this cannot be computed. The model's inputs are `HuggingFaceEncoder.choices`."""
    if not isinstance(encoder, HuggingFaceEncoder):
        return "agreement needs a language model with a tokenizer of its own"
    # pyrefly: ignore[not-callable]  (a method of every model of transformers)
    if encoder.module.get_output_embeddings() is None:
        return "the model has no head that predicts tokens"
    inputs, places, forms, sentences = encoder.choices(task.continuations(num, generator=generator))
    if not len(forms):
        return "no sentence of the task has a right and a wrong form that are single tokens"

    def run(change: Change | None) -> Float[Tensor, " n"]:
        right = []
        for rows in torch.arange(len(places)).split(_SENTENCES):
            batch = {name: values[rows] for name, values in inputs.items()}
            logits = subject(batch, replace={} if change is None else {site: change})
            chosen = logits[torch.arange(len(rows)), places[rows]].gather(1, forms[rows])
            right.append((chosen[:, 0] > chosen[:, 1]).float() + 0.5 * (chosen[:, 0] == chosen[:, 1]).float())
        return torch.cat(right)

    texts = tuple(f"{' '.join(one.graph.words)} (or {one.wrong})" for one in sentences)
    return Behaviour("agreement", "share of right verb forms", run, torch.arange(len(forms)), texts)


def orthonormal(directions: Float[Tensor, "width k"]) -> Float[Tensor, "width rank"]:
    """An orthonormal basis of the span of some directions, such as those that a probe reads."""
    basis, scale, _ = torch.linalg.svd(directions.double(), full_matrices=False)
    return basis[:, scale > 1e-6 * scale.max()].float()


def relation_basis(sample: Sample) -> Float[Tensor, "width rank"]:
    """An orthonormal basis of the mean edges, head minus dependent, of the most frequent relations of a sample of one layer,
    with at most half as many dimensions as the states."""
    axes = unfitted(sample, None, generator=Generator()).prototypes[0].mT
    return orthonormal(axes[:, : max(1, len(axes) // 2)])


def without(basis: Float[Tensor, "width rank"], mean: Float[Tensor, " width"]) -> Change:
    """A function that replaces the component of every state within the subspace by that of the mean state."""

    def changed(states: Tensor) -> Tensor:
        own = basis.to(states)
        return states - (states - mean.to(states)) @ own @ own.mT

    return changed


def lost_without(
    behaviour: Behaviour, subspace: str, bases: Sequence[Tensor], sample: Sample, *, repeats: int, generator: Generator
) -> Values:
    """The score that is lost when a subspace is ablated, with other subspaces of the same rank as nulls.

    **Arguments:** `subspace`: its name; `bases` `(width, rank)`: its orthonormal basis, one for each fit; `sample`: states of
    the layer at which it is ablated.
    """
    mean = sample.states[0].float().mean(0)
    width, rank = bases[0].shape
    whole = behaviour.run(None)

    def lost(directions: Tensor) -> Float[Tensor, " c"]:
        report(f"ablating the {subspace} and subspaces of its rank", 0.0)
        return cluster_means(whole - behaviour.run(without(directions, mean)), behaviour.clusters).means

    units = torch.stack([lost(basis) for basis in bases])
    drawn = [torch.linalg.qr(torch.randn(width, rank, generator=generator)).Q for _ in range(repeats)]
    principal, _ = principal_components(sample, rank, generator=generator)
    before = float(cluster_means(whole, behaviour.clusters).means.mean())
    return Values(
        metric=LOST[behaviour.name, subspace].key,
        units=units.mean(0),
        ids=cluster_means(whole, behaviour.clusters).ids,
        interval=fitted_interval(units, bounds=(-1.0, 1.0)) if len(bases) > 1 else None,
        unit=behaviour.unit,
        controls=(
            Control(
                name=RANDOM,
                how=f"the same with {repeats} random subspaces of rank {rank} of {width}",
                values=torch.stack([lost(directions).mean() for directions in drawn]),
            ),
            Control(
                name=PRINCIPAL,
                how=f"the same with the {rank} leading principal components of the states",
                values=lost(principal[0])[None],
            ),
        ),
        note=f"{behaviour.name} {number(before)} before the ablation, {number(before - float(units.mean()))} after; "
        f"rank {rank} of {width} dimensions",
        ceiling=before,
    )
