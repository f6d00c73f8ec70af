"""What must hold of a family and of a network before its score says anything: novel combinations outside 1-coverage, answers
that no sum of effects completes, and an input in which the parts are entangled."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.novelty import novelty_of
from assay.substitution import Trained
from assay.substitution.predictors import main_effects, nearest
from zoo.families import SymbolTask

HELD, EACH = 0.2, 2  # share of the trained combinations that is held out, and inputs of each of the others
ABOVE_CHANCE = 0.1


@dataclass(frozen=True)
class NovelCombinations:
    """The novel combinations of a task, in the order of `task.combinations("novel")`: which lie outside 1-coverage, and the
    share of these that needs no network: `main_effects`, `nearest`."""

    outside: Bool[Tensor, " m"]
    synonyms: int
    main_effects: float
    nearest: float


def novel_of(task: SymbolTask) -> NovelCombinations:
    """How new the novel combinations are. No network is involved."""
    found = novelty_of(task)
    values = task.combinations("novel")
    kinds = found.of(task.ids(values))
    outside = torch.tensor([kind == "outside" for kind in kinds])
    _, answers = np.unique(task.answers.view(len(task.values), -1).numpy(), axis=0, return_inverse=True)
    trained = task.trained.numpy()
    known = Trained.of(task.values.numpy()[trained], answers[trained], list(task.sizes))
    right = {
        predictor.__name__: predictor(known, values.numpy(), *more).answers == answers[~trained]
        for predictor, more in ((main_effects, (int(answers.max()) + 1,)), (nearest, ()))
    }
    shares = {name: float(own[outside.numpy()].mean()) if outside.any() else 0.0 for name, own in right.items()}
    return NovelCombinations(outside, kinds.count("synonym"), **shares)


def additive_input_score(network: nn.Module, task: SymbolTask, *, generator: Generator) -> tuple[float, float]:
    """How many held-out trained combinations a network answers right from the sum of the effects of their parts on the input,
    and chance: the share of their commonest answer.

    Effects are the least squares of inputs of four fifths of the trained combinations on indicators of all values.
    """
    values = task.combinations("seen")
    values = values[torch.randperm(len(values), generator=generator)]
    held, fitted = values[: round(HELD * len(values))], values[round(HELD * len(values)) :].repeat(EACH, 1)
    inputs = task.shown(fitted, generator=generator)
    effects = torch.linalg.pinv(_design(fitted, task.sizes)) @ inputs.flatten(1).double()
    made = (_design(held, task.sizes) @ effects).float().view(len(held), *inputs.shape[1:])
    answers = task.answers[task.ids(held)].view(len(held), -1)
    with torch.no_grad():
        given = network(made).argmax(-1).view(len(held), -1)
    commonest = torch.unique(answers, dim=0, return_counts=True)[1].max()
    return float((given == answers).all(1).float().mean()), float(commonest / len(held))


def _design(values: Int[Tensor, "n k"], sizes: tuple[int, ...]) -> Tensor:
    columns = [F.one_hot(column, size) for column, size in zip(values.unbind(1), sizes, strict=True)]
    return torch.cat([torch.ones(len(values), 1), *columns], 1).double()
