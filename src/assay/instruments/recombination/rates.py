"""Rates of answers to constructed states: right, and in agreement with those to real inputs, as means over combinations."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.instruments.recombination.drawn import RecombinationDraw
from assay.instruments.recombination.items import HELD, SAME, CombinationItems
from assay.objective import Objective, score_of_answers
from assay.stats import cluster_means

CS, ES, C, E, P, BY_LABELS = "Cs", "Es", "C", "E", "P", "C by labels"
ROLLS = 8  # pairings of answers with those of other items, for agreement by chance


@dataclass(frozen=True, eq=False)
class Rate:
    """A mean over combinations. `chance`: the same rate with answers paired with other items."""

    ids: Int[Tensor, " u"]
    units: Float[Tensor, " u"]
    chance: float

    @property
    def mean(self) -> float:
        return float(self.units.mean())


Rates = Mapping[tuple[str, int], Rate]
"""Rates by letter and kind of combination."""


def rates_of(
    data: RecombinationDraw,
    items: CombinationItems,
    rows: Tensor,
    stand: Tensor,
    outputs: Tensor,
    answers: Tensor,
    before: Tensor | None,
) -> Rates:
    """Rates by letter and kind of combination. `rows`: the items that were answered; `stand`: those whose targets and inputs
    they are scored against; `before`: outputs for the bases of an exchange, which must not have been right already."""
    found: dict[tuple[str, int], Rate] = {}
    objective = data.objective
    ids, kinds, targets, shown = items.ids[rows], items.kinds[rows], items.targets[stand], items.shown[stand]
    declared, is_shown = items.declared[stand], shown >= 0
    right = objective.score(outputs, targets)
    if before is not None:
        right = torch.where(objective.score(before, targets) < right - SAME, right, 0.0)
    real = answers[shown.clamp(min=0)] if len(answers) else outputs
    if not targets.is_floating_point():
        outputs, real = outputs.argmax(-1), real.argmax(-1)
    counted = targets  # steps that count: those of the target; without labels, those of the real answer
    if not data.labelled and not targets.is_floating_point():
        counted = torch.where(declared.view(-1, *[1] * (targets.ndim - 1)), targets, real.to(targets.dtype))
    same = agreement(objective, outputs, real, counted)
    for kind in kinds.unique().tolist():
        of_kind = kinds == kind
        if kind == HELD:
            letters = {CS: (right, of_kind), ES: (same, of_kind & is_shown)}
        else:
            labelled = of_kind & is_shown & (declared | data.labelled)
            both = torch.minimum(right, same)
            letters = {C: (right, of_kind & declared), E: (same, of_kind & is_shown)}
            letters |= {P: (both, labelled), BY_LABELS: (right, labelled)}
        for letter, (values, which) in letters.items():
            if not bool(which.any()):
                continue
            where = which.nonzero()[:, 0]
            means = cluster_means(values[where], ids[where])
            others = [where.roll(step) for step in _steps(len(where))]
            if letter in (ES, E):
                chance = [agreement(objective, outputs[where], real[moved], counted[where]) for moved in others]
            else:
                chance = [score_of_answers(objective, outputs[where], targets[moved]) for moved in others]
            found[letter, kind] = Rate(means.ids, means.means, float(torch.stack(chance).mean()))
    return found


def agreement(objective: Objective, answers: Tensor, others: Tensor, targets: Tensor) -> Float[Tensor, " m"]:
    """Whether two answers agree at all steps of the targets; of real-valued answers the score of one with the other as
    target."""
    if targets.is_floating_point():
        return objective.score(answers, others)
    wrong = (targets + 1) % max(1, objective.width())
    return score_of_answers(objective, torch.where(answers == others, targets, wrong), targets)


def _steps(number: int) -> list[int]:
    """Offsets at which items are paired with others."""
    return sorted({max(1, number * k // (ROLLS + 1)) for k in range(1, ROLLS + 1)})
