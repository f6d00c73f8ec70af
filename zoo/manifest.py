"""What the zoo holds: recipes, and the instances that are made by each of them. `manifest.toml` declares both."""

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from assay.errors import AssayError
from zoo.families import FAMILIES, SEALED, SymbolTask, task_of

FILE = Path(__file__).with_name("manifest.toml")
Kind = Literal[
    "trained", "constructed", "told", "stopped", "stitcher", "inert",
    "way-in", "retaught", "combining", "interchange", "front",
    "ensemble", "refactor", "twin", "misdeclared",
    "tuned", "supervised", "aided",
    "copies", "blind",
]  # fmt: skip
"""How a network is made; `zoo.lessons` and `zoo.workshop` say how for each."""
Meant = Literal["composer", "imitator", "partial", "way in", "combining", "attack", "wrong declaration", "copies", "ignoring"]
ADDED = frozenset({"special", "scale", "blank", "only", "names_of"})
"""Fields that came later. Where one is empty it is left out of a hash, so that what was declared before keeps its own."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Recipe(_Table):
    """How one network of each instance is made.

    **Attributes:**

    - `name`: the last part of the member's name. `kind`, and `meant`: what it is meant to be.
    - `coverage`: which of the instance's two shares of combinations its head is trained on.
    - `names`: whose combinations its encoder learned to name: those of a coverage, or `all`.
    - `decay`, `length`, `shares`: lists of which an instance takes the one that its number says: the head's weight decay, its
      steps as a share of the usual ones, and the share of novel combinations that are taught wrongly or rightly, or answered
      rightly where training stops.
    - `of`: the recipes whose network it changes, one of which an instance takes.
    - `start`: of the pair that differs in weight decay alone: the same initial weights, width, scale and steps.
    - `scale`: of the initial weights, where it does not take turns; of these an instance takes one, too.
    - `blank`: whether a front shows nothing in place of the inputs that it spoils.
    - `special`: whether only those instances are made by it that name it in `only`.
    """

    name: str
    kind: Kind
    meant: Meant
    coverage: Literal["high", "low"] = "high"
    names: Literal["high", "low", "all"] = "high"
    decay: tuple[float, ...] = (0.0,)
    length: tuple[float, ...] = (1.0,)
    shares: tuple[float, ...] = (0.0,)
    of: tuple[str, ...] = ()
    start: str = ""
    scale: tuple[float, ...] = ()
    blank: bool = False
    special: bool = False


class Encoding(_Table):
    """The encoder of an instance and how it is trained."""

    architecture: Literal["mlp", "cnn", "gru", "transformer"]
    width: int
    steps: int
    batch: int = 256
    rate: float


class Instance(_Table):
    """A task, an encoder and the networks made of them. `number` counts instances, so that what is crossed takes turns.

    `options` are those of the family; `coverage` is the high and the low one; `without` names recipes that are left out, `only`
    those that are made where not all are. `interface` stands between encoder and head: a softmax for each part, or a code of
    signs. With `names_of` its encoders learn to name the symbols of all combinations, whatever the recipe says.
    """

    name: str
    number: int
    family: str
    seed: int
    encoder: Encoding
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    coverage: tuple[float, float] = (0.7, 0.4)
    interface: Literal["symbols", "signs"] = "symbols"
    steps: int = 1500
    decay: float = 1.0
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    names_of: Literal["", "all"] = ""

    def made_by(self, recipe: Recipe) -> bool:
        """Whether it has a network of that recipe."""
        return recipe.name in self.only if self.only or recipe.special else recipe.name not in self.without

    def task(self, coverage: Literal["high", "low"]) -> SymbolTask:
        """The task of one of its coverages."""
        share = self.coverage[("high", "low").index(coverage)]
        return task_of(self.family, **self.options, coverage=share, seed=self.seed)


class Crossed(_Table):
    """Sizes that take turns."""

    widths: tuple[int, ...]
    scales: tuple[float, ...]
    steps: tuple[float, ...]


@dataclass(frozen=True)
class Member:
    """One network, before it is made."""

    instance: Instance
    recipe: Recipe
    place: int
    crossed: Crossed
    edition: int = 1

    @property
    def name(self) -> str:
        return f"{self.instance.name}-{self.recipe.name}"

    @property
    def sealed(self) -> bool:
        return self.instance.family in SEALED

    @property
    def behavioural(self) -> bool:
        """Whether the parts stand side by side in the input of its family."""
        return FAMILIES[self.instance.family].side_by_side

    @property
    def _turn(self) -> int:
        """Both networks of a pair have one turn."""
        return self.instance.number if self.recipe.start else self.instance.number + 7 * self.place

    @property
    def names(self) -> Literal["high", "low", "all"]:
        """Whose combinations its encoder learned to name."""
        return self.instance.names_of or self.recipe.names

    @property
    def width(self) -> int:
        """Hidden units of the head."""
        return self.crossed.widths[self._turn % len(self.crossed.widths)]

    @property
    def scale(self) -> float:
        """Factor on the head's usual initial weights."""
        if self.recipe.scale:
            return self._own(self.recipe.scale)
        return self.crossed.scales[self._turn // len(self.crossed.widths) % len(self.crossed.scales)]

    @property
    def steps(self) -> int:
        """Of the head's training, at most."""
        share = 1.0 if self.recipe.start else self.crossed.steps[self._turn % len(self.crossed.steps)]
        return round(share * self._own(self.recipe.length) * self.instance.steps)

    @property
    def decay(self) -> float:
        """Weight decay of the head, as a share of what the instance's composer needs."""
        return self._own(self.recipe.decay) * self.instance.decay

    @property
    def share(self) -> float:
        """Of the novel combinations, as the recipe says."""
        return self._own(self.recipe.shares)

    @property
    def of(self) -> str:
        """The recipe of the network that it changes, or nothing."""
        return self.recipe.of[self.instance.number % len(self.recipe.of)] if self.recipe.of else ""

    def _own(self, values: tuple[float, ...]) -> float:
        return values[self.instance.number % len(values)]

    @cached_property
    def sha256(self) -> str:
        """Of everything that its weights follow from."""
        tables = [_declared(one) for one in (self.instance, self.recipe, self.crossed)]
        return hashlib.sha256(json.dumps([self.edition, self.place, *tables], sort_keys=True).encode()).hexdigest()


class Manifest(_Table):
    """Everything that is declared.

    **Attributes:**

    - `edition`: is raised when the code makes other networks of the same declarations, so that all are made again.
    - `slice`: the instances and recipes of the small part that is built at every check.
    """

    edition: int
    slice: dict[str, tuple[str, ...]]
    crossed: Crossed
    recipes: tuple[Recipe, ...]
    instances: tuple[Instance, ...]

    def members(self, *instances: str) -> tuple[Member, ...]:
        """Members of some instances, or of all, in the order of their declaration: what a network is made of comes before it.

        **Raises:** `AssayError` for an unknown instance.
        """
        known = [instance.name for instance in self.instances]
        for name in instances:
            if name not in known:
                raise AssayError("the zoo has no such instance", given=name, choices=known)
        return tuple(
            Member(instance, recipe, place, self.crossed, self.edition)
            for instance in self.instances
            if instance.name in (instances or known)
            for place, recipe in enumerate(self.recipes)
            if instance.made_by(recipe)
        )

    def small_slice(self) -> tuple[Member, ...]:
        """The members of the slice."""
        found = self.members(*self.slice)
        return tuple(member for member in found if member.recipe.name in self.slice[member.instance.name])


def _declared(table: _Table) -> dict[str, object]:
    return {name: value for name, value in table.model_dump().items() if value or name not in ADDED}


@cache
def manifest() -> Manifest:
    """What `manifest.toml` declares."""
    declared = tomllib.loads(FILE.read_text())
    declared["instances"] = [{"number": k, **one} for k, one in enumerate(declared["instances"])]
    return Manifest.model_validate(declared)


def named(members: Sequence[Member], name: str) -> Member:
    """The member of that name. **Raises:** `AssayError` on a miss."""
    for member in members:
        if member.name == name:
            return member
    raise AssayError("the zoo has no such member", given=name)
