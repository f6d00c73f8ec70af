"""The truth about a network of the zoo: what it does on its own task, and the label that this and its construction give it."""

from pydantic import BaseModel, ConfigDict
from torch import Generator

from assay.novelty import ENOUGH, Kind, Novelty
from assay.stats import ClusterMeans, cluster_means
from assay.subject import Subject
from assay.task import Split, Task
from assay.zoo.recipe import Member

SCORED = 4_000  # examples of a split
COMPOSES = 0.95  # share of the seen score that novel combinations must reach
IMITATES = 0.50  # share that they must stay below
NOT_ENOUGH, NOT_KNOWN = "not enough data", "not known"


class KindScore(BaseModel):
    """Mean score over the novel combinations of one kind, and how many were scored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    score: float
    combinations: int


class Truth(BaseModel):
    """Mean scores over trained and over novel combinations, and over the novel ones of every kind that there is. `by_kind` is
    empty when the kinds are not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seen: float
    novel: float
    by_kind: dict[Kind, KindScore]


def truth_of(subject: Subject, task: Task, novelty: Novelty, *, generator: Generator) -> Truth:
    """Run a network on its own task, whose novel combinations are of these kinds."""

    def scored(split: Split) -> ClusterMeans:
        examples = task.examples(split, SCORED, generator=generator).in_canonical_order()
        return cluster_means(task.score(subject(examples.inputs), examples), examples.combination)

    seen, novel = scored("seen"), scored("novel")
    masks = novelty.masks(novel.ids) if novelty.kinds else {}
    by_kind = {
        kind: KindScore(score=float(novel.means[mask].mean()), combinations=int(mask.sum()))
        for kind, mask in masks.items()
        if mask.any()
    }
    return Truth(seen=float(seen.means.mean()), novel=float(novel.means.mean()), by_kind=by_kind)


def label(member: Member, seen: float, novel: float) -> str:
    """From what a network was meant to be and what it does on novel combinations; `disputed` where these contradict."""
    intended = "I" if member.kind == "T2" else "G" if member.kind == "T1" else member.kind[0]
    share = novel / max(seen, 1e-9)
    if intended == "W":
        return "partial"  # of no class: the declaration is wrong, whatever the network does
    if intended == "U" or IMITATES < share < COMPOSES:
        return "partial"
    does = "G" if share >= COMPOSES else "I"
    return ("composes" if does == "G" else "imitates") if does == intended else "disputed"


def label_by_kind(member: Member, truth: Truth) -> str:
    """The label from what lies outside 1-coverage alone.

    `not enough data` for fewer than 30 combinations of that kind, and `not known` where kinds are not.
    """
    if not truth.by_kind:
        return NOT_KNOWN
    outside = truth.by_kind.get("outside")
    if outside is None or outside.combinations < ENOUGH:
        return NOT_ENOUGH
    return label(member, truth.seen, outside.score)
