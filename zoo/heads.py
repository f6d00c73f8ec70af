"""Training heads, many at once: each on the codes of all combinations, of which some are taught.

Heads of one size are one tensor. Weights, targets, decay and the rows that are taught differ from head to head, so that one
run gives the composer, the imitator and most of what lies between.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from assay.optimisers import AdamW
from assay.stats import keyed_generator
from zoo.networks.joined import Head

EVERY = 20  # steps between looks at whether to stop


@dataclass(frozen=True, eq=False, kw_only=True)
class Lesson:
    """How one head is trained.

    **Attributes:**

    - `answers`: what it is taught of every combination, `(c,)` or `(c, steps)`; `taught`: of which combinations.
    - `decay`, `scale`: weight decay, and a factor on the usual initial weights.
    - `start`: the head that it goes on from; fresh weights if there is none.
    - `stop`: it keeps the weights that it has when it first gives `stop` of the `judged` answers in `goals`; never where
      `judged` is None.
    """

    key: str
    answers: Tensor
    taught: Bool[Tensor, " c"]
    decay: float
    width: int
    scale: float = 1.0
    steps: int = 1500
    rate: float = 0.01
    start: Head | None = None
    judged: Bool[Tensor, " c"] | None = None
    goals: Tensor | None = None
    stop: float = 1.0


def train_heads(
    codes: Float[Tensor, "c v"], lessons: Sequence[Lesson], *, num_answers: int, seed: int
) -> tuple[list[Head], list[int]]:
    """A head for every lesson, in evaluation mode, and after how many steps each was taken."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for place, lesson in enumerate(lessons):
        alike.setdefault((lesson.width, lesson.steps, lesson.rate), []).append(place)
    made: dict[int, tuple[Head, int]] = {}
    for places in alike.values():
        heads, steps = _together(codes, [lessons[place] for place in places], num_answers, seed)
        made |= dict(zip(places, zip(heads, steps, strict=True), strict=True))
    return [made[place][0] for place in range(len(lessons))], [made[place][1] for place in range(len(lessons))]


def _together(
    codes: Float[Tensor, "c v"], lessons: Sequence[Lesson], num_answers: int, seed: int
) -> tuple[list[Head], list[int]]:
    heads = [_initial(codes.shape[1], lesson, num_answers, seed) for lesson in lessons]
    weights = [torch.stack([list(head.parameters())[k].detach() for head in heads]).requires_grad_() for k in range(4)]
    rows = torch.stack([lesson.taught for lesson in lessons]).any(0)
    share = torch.stack([lesson.taught[rows] / lesson.taught.sum() for lesson in lessons]).float()
    answers = torch.stack([lesson.answers.view(len(codes), -1)[rows] for lesson in lessons])
    decay = torch.tensor([lesson.decay for lesson in lessons])
    steps, rate, read = lessons[0].steps, lessons[0].rate, codes[rows]
    optimiser = AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    kept: list[tuple[list[Tensor], int] | None] = [None] * len(lessons)
    for step in range(1, steps + 1):
        told = _answers(read, weights, answers.shape[2])
        losses = F.cross_entropy(told.flatten(0, 2), answers.flatten(), reduction="none").view_as(answers).mean(2)
        for weight in weights:
            weight.grad = None
        (losses * share).sum().backward()
        with torch.no_grad():
            for weight in weights:
                weight.mul_((1 - rate * decay).view(-1, *[1] * (weight.ndim - 1)))
        optimiser.step()
        if step % EVERY == 0 or step == steps:
            _keep(kept, codes, lessons, weights, step)
            if all(kept):
                break
    for head, place, found in zip(heads, range(len(heads)), kept, strict=True):
        with torch.no_grad():
            for parameter, weight in zip(head.parameters(), found[0] if found else [w[place] for w in weights], strict=True):
                parameter.copy_(weight)
    return [head.eval() for head in heads], [found[1] if found else steps for found in kept]


def _answers(read: Float[Tensor, "r v"], weights: Sequence[Tensor], steps: int) -> Float[Tensor, "h r s a"]:
    first, first_bias, last, last_bias = weights
    hidden = torch.relu(torch.baddbmm(first_bias[:, None], read.expand(len(first), -1, -1), first.transpose(1, 2)))
    return torch.baddbmm(last_bias[:, None], hidden, last.transpose(1, 2)).unflatten(2, (steps, -1))


@torch.no_grad()
def _keep(
    kept: list[tuple[list[Tensor], int] | None], codes: Tensor, lessons: Sequence[Lesson], weights: list[Tensor], step: int
) -> None:
    """Note the weights of every head that has just reached what it stops at."""
    asked = [k for k, lesson in enumerate(lessons) if kept[k] is None and lesson.judged is not None]
    if not asked:
        return
    num_steps = lessons[0].answers.view(len(codes), -1).shape[1]
    given = _answers(codes, [weight[asked] for weight in weights], num_steps).argmax(-1)
    for k, own in zip(asked, given, strict=True):
        lesson = lessons[k]
        assert lesson.judged is not None
        goals = lesson.answers if lesson.goals is None else lesson.goals
        if (own == goals.view(len(codes), -1)).all(1)[lesson.judged].float().mean() >= lesson.stop:
            kept[k] = ([weight[k].clone() for weight in weights], step)


def _initial(num_inputs: int, lesson: Lesson, num_answers: int, seed: int) -> Head:
    steps = lesson.answers.shape[1] if lesson.answers.ndim > 1 else 1
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=keyed_generator(seed, f"head {lesson.key}"))))
        head = Head(num_inputs, lesson.width, num_answers, steps)
    with torch.no_grad():
        if lesson.start is not None:
            head.load_state_dict(lesson.start.state_dict())
        elif lesson.scale != 1.0:
            for parameter in head.parameters():
                parameter.mul_(lesson.scale)
    return head


def codes_of(values: Int[Tensor, "c k"], sizes: tuple[int, ...]) -> Float[Tensor, "c v"]:
    """One-hot codes of all parts, side by side."""
    return torch.cat([F.one_hot(column, size) for column, size in zip(values.unbind(1), sizes, strict=True)], 1).float()
