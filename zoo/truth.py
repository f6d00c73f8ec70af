"""What a network of the zoo does, and the label that follows from it, whatever it was meant to be."""

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from scipy.stats import beta
from torch import Generator, Tensor, nn

from assay.stats import keyed_generator
from zoo.checks import ABOVE_CHANCE, NovelCombinations, additive_input_score
from zoo.families import SymbolTask
from zoo.manifest import Kind, Meant
from zoo.workshop import Made

LEARNED, COMPOSES, IMITATES = 0.95, 0.9, 0.5
ENOUGH = 30  # novel combinations outside 1-coverage
BROKEN = {
    "way-in": "interface.layers",
    "retaught": "encoder",
    "combining": "head.layers",
    "interchange": "interface.flags",
    "front": "filter_by",
}
"""In which module a network of a kind was made to answer wrongly."""
Label = Literal["composes", "imitates", "partial", "not learned", "not enough data"]


class Score(BaseModel):
    """How many combinations are answered right, each shown once, with Clopper and Pearson's interval at 95 %."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    right: int
    total: int
    low: float
    high: float

    @classmethod
    def of(cls, hits: Tensor) -> "Score":
        """From one answer for each combination."""
        right, total = int(hits.sum()), len(hits)
        low = float(beta.ppf(0.025, right, total - right + 1)) if right else 0.0
        high = float(beta.ppf(0.975, right + 1, total - right)) if right < total else 1.0
        return cls(right=right, total=total, low=low, high=high)

    @property
    def share(self) -> float:
        """0 where nothing was scored."""
        return self.right / self.total if self.total else 0.0


class Truth(BaseModel):
    """The record of a member.

    **Attributes:**

    - `label`: `composes` where the lower bound of `outside` is at least .9, `imitates` where its upper bound is below .5,
      `partial` between, whatever `meant` says.
    - `seen`: on trained combinations. `outside`: on novel ones outside 1-coverage; `right` has their ids and answers.
    - `entangled`: whether the network answers an additive input at most at chance + .1 on held-out trained combinations.
    - `wrong_right`, `others_right`: the share right of the novel combinations that it was made to answer wrongly, and of
      the rest.
    - `ignored`: the parts of which the answer provably does not depend; `copied_by`: the part by which others are copied.
    - `broken`: where it was made to answer wrongly: a module, in which the first call that breaks lies.
    - `combining`: the call that combines the parts, where one was built to; `main_effects`, `nearest`: what needs no network.
    - `recipe`: every number of how it was made, those of the head it changes where there is one, and the norm of its weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    family: str
    architecture: str
    kind: Kind
    meant: Meant
    of: str
    task: str
    sealed: bool
    behavioural: bool
    label: Label
    seen: Score
    outside: Score
    right: dict[int, bool]
    synonyms: int
    main_effects: float
    nearest: float
    entangled: bool
    additive_input: float
    chance: float
    taught_wrongly: float | None
    wrong_right: float | None
    others_right: float | None
    combining: str
    recipe: dict[str, float]
    ignored: tuple[str, ...] = ()
    copied_by: str = ""
    broken: str = ""


def truth_of(made: Made, task: SymbolTask, novel: NovelCombinations) -> Truth:
    """Run a network on its own task, each combination shown once."""
    member = made.member
    # The same inputs for all networks of an instance: what has the same function has the same score.
    generator = keyed_generator(member.instance.seed, f"truth {member.recipe.coverage}")
    hits = right_of(made.module, task, generator)
    ids = task.ids(task.combinations("novel"))
    outside = Score.of(hits[ids[novel.outside]])
    seen = Score.of(hits[task.trained])
    additive, chance = additive_input_score(made.module, task, generator=generator)
    wrong = None if made.wrong is None else made.wrong & ~task.trained
    return Truth(
        name=member.name,
        family=member.instance.family,
        architecture=member.instance.encoder.architecture,
        kind=member.recipe.kind,
        meant=member.recipe.meant,
        of=f"{member.instance.name}-{member.of}" if member.of else "",
        task=task.address,
        sealed=member.sealed,
        behavioural=member.behavioural,
        label=label_of(seen, outside),
        seen=seen,
        outside=outside,
        right={int(place): bool(hits[place]) for place in ids[novel.outside]},
        synonyms=novel.synonyms,
        main_effects=novel.main_effects,
        nearest=novel.nearest,
        entangled=additive <= chance + ABOVE_CHANCE,
        additive_input=additive,
        chance=chance,
        taught_wrongly=None if wrong is None else float(wrong[ids].float().mean()),
        wrong_right=None if wrong is None else _share(hits[wrong]),
        others_right=None if wrong is None else _share(hits[ids][~wrong[ids]]),
        combining=combining_call(made.module),
        recipe=_numbers(made),
        ignored=task.combines[-1:] if member.recipe.kind == "blind" else (),
        copied_by=task.combines[-1] if member.recipe.kind == "copies" else "",
        broken=BROKEN.get(member.recipe.kind, ""),
    )


def label_of(seen: Score, outside: Score) -> Label:
    """By the rule alone."""
    if seen.share < LEARNED:
        return "not learned"
    if outside.total < ENOUGH:
        return "not enough data"
    if outside.low >= COMPOSES:
        return "composes"
    return "imitates" if outside.high < IMITATES else "partial"


@torch.no_grad()
def right_of(module: nn.Module, task: SymbolTask, generator: Generator) -> Tensor:
    """Whether a network answers each combination right on one fresh input."""
    given = module(task.shown(task.values, generator=generator)).argmax(-1)
    return (given == task.answers).view(len(task.values), -1).all(1)


def combining_call(module: nn.Module) -> str:
    """The module whose call combines the parts: the ReLUs of the head, where the head is a module."""
    return next((name for name, _ in module.named_modules() if name.endswith("head.layers.1")), "")


def _share(hits: Tensor) -> float | None:
    return float(hits.float().mean()) if len(hits) else None


def _numbers(made: Made) -> dict[str, float]:
    member, source = made.member, made.source
    norm = sum(float(weight.detach().square().sum()) for weight in made.module.parameters()) ** 0.5
    return {
        "coverage": member.instance.task(member.recipe.coverage).coverage,
        "decay": source.decay,
        "width": source.width,
        "scale": source.scale,
        "steps": made.steps,
        "encoder_steps": member.instance.encoder.steps,
        "rate": member.instance.encoder.rate,
        "weights": sum(weight.numel() for weight in made.module.parameters()),
        "norm": norm,
    }
