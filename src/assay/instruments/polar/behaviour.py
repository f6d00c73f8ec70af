"""Used, not only decodable: take a subspace out of the network and see what becomes of its behaviour.

Within the subspace every state is replaced by the mean state, so that nothing but what differs between words is lost. Taken out
are what the polar probe reads, and the relation axes: the mean edge of every relation among the states themselves. A probe may
read a direction that the network does not, beside the one that it does; a mean edge points where states truly differ. The same
is done with random subspaces of the same rank, and with the one along which states vary most.
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
_SENTENCES = 64  # read at a time: a model has a logit for every entry of its vocabulary at every position
Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Behaviour:
    """What a network does on `n` examples, and how to score it again while a site is changed.

    **Attributes:**

    - `name`, `unit`: of the score, in [0, 1].
    - `run`: scores `(n,)` with what the site's states are put through; None changes nothing.
    - `clusters` `(n,)`: examples of one cluster are no independent units.
    - `texts`: of every example, where each is a cluster.
    """

    name: str
    unit: str
    run: Callable[[Change | None], Float[Tensor, " n"]]
    clusters: Int[Tensor, " n"]
    texts: tuple[str, ...] = ()


def task_behaviour(subject: Subject, task: Task, site: str, *, num: int, generator: Generator) -> Behaviour | str:
    """The score on the task's own trained combinations; or, in words, why there is none."""
    if isinstance(task.objective, Unscored):
        return "the task asks for no answer, so that what the network does with the graph cannot be scored"
    examples = task.examples("seen", num, generator=generator)

    def run(change: Change | None) -> Float[Tensor, " n"]:
        return task.score(subject(examples.inputs, replace={} if change is None else {site: change}), examples)

    return Behaviour("score", task.objective.unit, run, examples.combination)


def agreement(
    subject: Subject, task: GivesContinuations, encoder: Encoder, site: str, *, num: int, generator: Generator
) -> Behaviour | str:
    """Shares of sentences in which the right form of a word that the tree decides is likelier than the wrong one; or, in words,
    why they cannot be had. What the model is given is `HuggingFaceEncoder.choices`."""
    if not isinstance(encoder, HuggingFaceEncoder):
        return "agreement needs a language model with a tokenizer of its own"
    # pyrefly: ignore[not-callable]  (a method of every model of transformers)
    if encoder.module.get_output_embeddings() is None:
        return "the model has no head that predicts tokens"
    inputs, places, forms, sentences = encoder.choices(task.continuations(num, generator=generator))
    if not len(forms):
        return "no sentence of the task has a right and a wrong form that are one token each"

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
    """An orthonormal basis of the directions, such as those that a probe reads."""
    basis, scale, _ = torch.linalg.svd(directions.double(), full_matrices=False)
    return basis[:, scale > 1e-6 * scale.max()].float()


def relation_basis(sample: Sample) -> Float[Tensor, "width rank"]:
    """An orthonormal basis of the mean edges, head minus dependent, of the most frequent relations of a sample of one layer: as
    many as there are, at most half of the width."""
    axes = unfitted(sample, None, generator=Generator()).prototypes[0].mT
    return orthonormal(axes[:, : max(1, len(axes) // 2)])


def without(basis: Float[Tensor, "width rank"], mean: Float[Tensor, " width"]) -> Change:
    """What puts the mean state in place of a state within the subspace, and leaves it alone elsewhere."""

    def changed(states: Tensor) -> Tensor:
        own = basis.to(states)
        return states - (states - mean.to(states)) @ own @ own.mT

    return changed


def lost_without(
    behaviour: Behaviour, subspace: str, bases: Sequence[Tensor], sample: Sample, *, repeats: int, generator: Generator
) -> Values:
    """How much of the score is lost without a subspace, beside what is lost without others of its rank.

    **Arguments:** `subspace`: what it is called; `bases` `(width, rank)`: of it, orthonormal, one for each fit of it; `sample`:
    of the layer that it is taken out of.
    """
    mean = sample.states[0].float().mean(0)
    width, rank = bases[0].shape
    whole = behaviour.run(None)

    def lost(directions: Tensor) -> Float[Tensor, " c"]:
        report(f"without the {subspace}, and others like it", 0.0)
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
                how=f"the same with the {rank} directions along which states vary most",
                values=lost(principal[0])[None],
            ),
        ),
        note=f"{behaviour.name} {number(before)} with it, {number(before - float(units.mean()))} without; "
        f" rank {rank} of {width}",
        ceiling=before,
    )
