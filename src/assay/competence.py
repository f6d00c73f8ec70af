"""Whether a network does its task on trained combinations: told once, before anything inside it is searched."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from assay.display import number
from assay.objective import NOT_ASKED, PAD, Classification, Objective, Sequences, Steps
from assay.stats import cluster_means, mean_interval
from assay.task import Examples

LEARNED = 0.95  # score on trained combinations below which a network fails on novel ones for dull reasons
REORDERED = 0.9  # score that another order of the classes must reach, and the declared one must not
_MOST_CLASSES = 1_000  # an assignment takes time with the cube of their number
_MOST_SHOWN = 20


def unlearned(outputs: Tensor, examples: Examples, objective: Objective) -> str:
    """Why composition cannot be asked about: the score on trained combinations lies below `LEARNED` with its whole interval, so
    that more examples would say the same. Empty where it does not, or is not known."""
    if not len(examples):
        return ""
    units = cluster_means(objective.score(outputs, examples.targets), examples.combination).means
    interval = mean_interval(units, bounds=(0.0, 1.0))
    if interval is None or interval.high >= LEARNED:
        return ""
    told = f"{number(float(units.mean()))} [{number(interval.low)}, {number(interval.high)}]"
    return f"the score on trained combinations is {told}, below {LEARNED}"


def other_order(outputs: Tensor, examples: Examples, objective: Objective) -> str:
    """That the network scores above `REORDERED` when its outputs are read in another order of the classes, and which one; empty
    where it does not, or needs no other. Nothing is reordered.

    The order is the assignment with the most right answers on every second combination (Kuhn 1955), and scored on the others:
    on few examples of many classes some order fits anything.
    """
    place = examples.combination.unique(return_inverse=True)[1]
    shown, held_out = place % 2 == 0, place % 2 == 1
    if not bool(shown.any() & held_out.any()) or not isinstance(objective, Classification | Steps | Sequences):
        return ""
    targets, num = examples.targets, objective.width()
    score = float(objective.score(outputs[held_out], targets[held_out]).mean())
    if score > REORDERED or num > _MOST_CLASSES:
        return ""
    order = _assigned(outputs[shown].argmax(-1), targets[shown], _asked(targets[shown], objective), num)
    reordered = float(objective.score(outputs[held_out][..., order], targets[held_out]).mean())
    if reordered <= REORDERED:
        return ""
    names = objective.names if isinstance(objective, Classification) else ()
    words = list(names or map(str, range(num)))
    if isinstance(objective, Classification):  # of a class that no example has, the order is not known
        seen = set(targets.tolist())
        words = [word if k in seen else "a class without examples" for k, word in enumerate(words)]
    listed = _listed(words, order.argsort().tolist())
    return (
        f"With its outputs in another order of the classes it would score {number(reordered)} instead of {number(score)}: they "
        f"would stand for {listed}. If it was trained with this order, declare it: `values = [...]` under [target] of a table, "
        "`Classification(names=[...])` with targets numbered likewise in a task of your own"
    )


def _asked(targets: Tensor, objective: Objective) -> Bool[Tensor, "..."]:
    if isinstance(objective, Classification):
        return torch.ones_like(targets, dtype=torch.bool)
    return targets != (PAD if isinstance(objective, Sequences) else NOT_ASKED)


def _assigned(answers: Tensor, targets: Tensor, asked: Tensor, num: int) -> Int[Tensor, " classes"]:
    """For every class the output that answers for it most often, each output for one class; as declared where none does."""
    from scipy.optimize import linear_sum_assignment

    counts = torch.zeros(num, num).index_put((targets[asked], answers[asked]), torch.ones(()), accumulate=True)
    _, chosen = linear_sum_assignment((counts + 0.5 * torch.eye(num)).numpy(), maximize=True)
    return torch.from_numpy(chosen)


def _listed(names: Sequence[str], order: Sequence[int]) -> str:
    """The classes in the order of the outputs; of many those that are not in their place."""
    if len(order) <= _MOST_SHOWN:
        return ", ".join(names[k] for k in order)
    moved = [(place, k) for place, k in enumerate(order) if place != k]
    shown = ", ".join(f"output {place} for {names[k]}" for place, k in moved[:_MOST_SHOWN])
    return shown if len(moved) <= _MOST_SHOWN else f"{shown}, and {len(moved) - _MOST_SHOWN} more"
