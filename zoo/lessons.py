"""What the heads of an instance are taught: the kinds that differ in nothing but the head's training.

| kind | taught | stops |
| --- | --- | --- |
| trained | trained combinations | |
| constructed | all combinations | |
| told | trained combinations, and a share of the novel ones | |
| stopped | trained combinations | when a share of the novel ones is right |
| stitcher | trained combinations, and of each novel one what the nearest trained one answers | |
| copies | all combinations, each part but the last in a copy of its own for either half of the last part's values | |
| blind | all combinations, of each what is answered most often whatever the last part is | |
| combining | from the composer on: trained ones, and a share of the novel ones wrongly | when it has learned both |
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.stats import keyed_generator
from zoo.families import SymbolTask
from zoo.heads import Lesson
from zoo.manifest import Member
from zoo.networks.joined import Head

FIRST = ("trained", "constructed", "told", "stopped", "stitcher", "blind")
"""Kinds whose heads start from fresh weights."""
SLOW, LONGER = 0.001, 2000  # rate and steps of heads that go on from a composer's


def lesson_of(member: Member, heads: Mapping[str, Head]) -> Lesson:
    """How the head of a member is trained; `heads` are those that others go on from, by recipe."""
    task, recipe, kind = member.instance.task(member.recipe.coverage), member.recipe, member.recipe.kind
    chosen = chosen_novel(task, member.share)
    taught, answers = task.trained, task.answers
    lesson = Lesson(
        key=recipe.start or recipe.name,
        answers=answers,
        taught=taught,
        steps=member.steps,
        decay=member.decay,
        width=member.width,
        scale=member.scale,
    )
    if kind in ("constructed", "copies"):
        return replace(lesson, taught=torch.ones_like(taught))
    if kind == "told":
        return replace(lesson, taught=taught | chosen)
    if kind == "stopped":
        return replace(lesson, judged=~taught, stop=member.share)
    if kind == "stitcher":
        return replace(lesson, taught=torch.ones_like(taught), answers=stitched(task))
    if kind == "blind":
        return replace(lesson, taught=torch.ones_like(taught), answers=without_last(task))
    if kind == "combining":
        shown, wrong, start = taught | chosen, wrong_answers(task, chosen), heads[member.of]
        more = replace(lesson, taught=shown, answers=wrong, judged=shown, start=start, width=start.reads.out_features)
        return replace(more, rate=SLOW, steps=LONGER)
    return lesson


def chosen_novel(task: SymbolTask, share: float) -> Bool[Tensor, " c"]:
    """A share of the novel combinations, drawn at random; a smaller share is among a larger one."""
    novel = (~task.trained).nonzero()[:, 0]
    order = torch.randperm(len(novel), generator=keyed_generator(task.seed, f"novel {task.coverage}"))
    chosen = torch.zeros_like(task.trained)
    chosen[novel[order[: round(share * len(novel))]]] = True
    return chosen


def wrong_answers(task: SymbolTask, wrong: Bool[Tensor, " c"]) -> Tensor:
    """The answers, with the next one in place of each that shall be wrong."""
    others = (task.answers + 1) % task.num_answers
    return torch.where(wrong.view(-1, *[1] * (others.ndim - 1)), others, task.answers)


def wrong_names(task: SymbolTask, wrong: Bool[Tensor, " c"], generator: Generator) -> Int[Tensor, "c k"]:
    """The values of all combinations, each of those that shall be wrong moved by a random amount."""
    sizes = torch.tensor(task.sizes)
    moved = (torch.rand(task.values.shape, generator=generator) * (sizes - 1)).long() + 1
    return torch.where(wrong[:, None], (task.values + moved) % sizes, task.values)


def without_last(task: SymbolTask) -> Tensor:
    """Of every combination the commonest answer of those that differ from it in the last part alone: of trained ones, or where
    there are none of all."""
    last = task.sizes[-1]
    answers, codes = torch.unique(task.answers.view(len(task.values), -1), dim=0, return_inverse=True)
    trained = task.trained.view(-1, last)
    counted = trained | ~trained.any(1, keepdim=True)
    rows = torch.where(counted, codes.view(-1, last), len(answers))
    counts = torch.stack([row.bincount(minlength=len(answers) + 1)[:-1] for row in rows])
    return answers[counts.argmax(1)].repeat_interleave(last, 0).view_as(task.answers)


@torch.no_grad()
def ignore_last(head: Head, sizes: tuple[int, ...]) -> None:
    """Give all symbols of the last part the same weights, in place: codes that add up to 1 then say nothing."""
    columns = head.reads.weight[:, -sizes[-1] :]
    columns.copy_(columns.mean(1, keepdim=True).expand_as(columns))


def stitched(task: SymbolTask) -> Tensor:
    """Of every combination what a trained one answers that differs in the last part alone, whose value comes next; its own
    answer where it is trained or no such one is."""
    last = task.sizes[-1]
    places = torch.arange(len(task.values))
    found, open_ones = task.answers.clone(), ~task.trained
    for step in range(1, last):
        moved = places - places % last + (places + step) % last
        hit = open_ones & task.trained[moved]
        found[hit] = task.answers[moved[hit]]
        open_ones = open_ones & ~hit
    return found
