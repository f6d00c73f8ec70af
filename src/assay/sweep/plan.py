"""Plan of a sweep, as stored in `sweep.json`, and the recipe of each of its cells."""

import dataclasses
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from assay.bounds import check_real, check_whole
from assay.display import brief
from assay.errors import AssayError
from assay.evidence import Effort
from assay.instruments import load_instrument
from assay.models import size_names
from assay.sweep.grid import MOST_NETWORKS, Cell, Grid, Point, grid_of
from assay.sweep.shape import CellShape
from assay.tasks import given_options, load_task, option_names, with_options
from assay.training import PreparedRun, TrainingConfig, prepare

_TRAINING = tuple(field.name for field in dataclasses.fields(TrainingConfig) if field.name not in ("seed", "checkpoint_every"))
_WHOLE = tuple(field.name for field in dataclasses.fields(TrainingConfig) if field.type is int)


class SweepPlan(BaseModel):
    """Plan of a sweep.

    **Attributes:**

    - `task`: an address. Its options may be varied, as may everything in `choices`.
    - `over`: the values of every axis, as text.
    - `seeds`: networks at every point. Seed s draws weights and batches, and also the task if it has a `seed` that its address
      leaves open.
    - `settings`: settings of all cells that differ from the recommended ones.
    - `effort`, `instruments`: of every cell's audit; empty for all instruments.
    - `success`: the novel score at which a network counts as composing.
    - `refine`: number of additional networks at points with an uncertain outcome.

    Example::

        >>> plan = assay.SweepPlan(task="modular-addition", over={"coverage": ("0.3", "0.7"), "weight_decay": ("0", "1")})
        >>> plan.effort, plan.success
        ('quick', 0.8)
    """

    __repr__ = brief

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    schema_version: Literal[1] = 1
    task: str
    over: dict[str, tuple[str, ...]]
    seeds: int = 3
    settings: dict[str, str] = {}
    effort: Effort = "quick"
    instruments: tuple[str, ...] = ()
    success: float = 0.8
    refine: int = 0
    _shapes: dict[Point, CellShape] = PrivateAttr(default_factory=dict)
    _trust: tuple[str, ...] = PrivateAttr(default=())  # never stored: only the user grants trust

    def __init__(self, **given: Any):
        try:
            super().__init__(**given)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            text = f"the plan of a sweep: {field} {first['msg'][:1].lower()}{first['msg'][1:]}"
            raise AssayError(text, given=first["input"], choices=list(type(self).model_fields)) from None

    def trusting(self, addresses: Collection[str]) -> "SweepPlan":
        """The same plan with trust in code at these addresses, which only a file names."""
        copy = self.model_copy()
        copy._trust = tuple(addresses)
        return copy

    @cached_property
    def grid(self) -> Grid:
        """The axes."""
        return grid_of(self.over, self.seeds)

    def recipe(self, cell: Cell) -> "CellRecipe":
        """The recipe of a cell. **Raises:** `AssayError` for an unknown setting, or one with two values."""
        settings = dict(self.settings)
        for name, text in self.grid.settings(cell.point).items():
            if name in settings:
                raise AssayError(f"{name} may be an axis or a setting, not both", given=f"{settings[name]} and {text}")
            settings[name] = text
        options = {name: text for name, text in settings.items() if name in option_names(self.task)}
        if "seed" in options:
            raise AssayError("a sweep has no seed setting: use --seeds", given=f"seed={options['seed']}")
        if "seed" in option_names(self.task) and "seed" not in given_options(self.task):
            options["seed"] = str(cell.seed)
        rest = {name: text for name, text in settings.items() if name not in options}
        unknown = [name for name in rest if name not in self.choices()]
        if unknown:
            raise AssayError("a sweep varies and sets existing options only", given=unknown[0], choices=self.choices())
        return CellRecipe(
            task=with_options(self.task, options),
            model=rest.get("model"),
            sizes={name: _number(name, rest[name]) for name in size_names() if name in rest},
            trust=self._trust,
            training={"seed": cell.seed, **{name: _number(name, rest[name]) for name in _TRAINING if name in rest}},
        )

    def choices(self) -> list[str]:
        """All options that may be varied or set."""
        options = [name for name in option_names(self.task) if name != "seed"]
        return list(dict.fromkeys([*options, "model", *size_names(), *_TRAINING]))

    def check(self) -> None:
        """Prepare every point without training. **Raises:** `AssayError` for the first invalid one."""
        check_whole("refine, a number of networks,", self.refine, least=0, most=MOST_NETWORKS)
        check_real("success, a score,", self.success)
        for name in self.instruments:
            load_instrument(name)
        if not option_names(self.task):  # a plug-in, or misspelt
            load_task(self.task, trust=self._trust)
        for point in self.grid.points():
            self.shape(point)

    def shape(self, point: Point) -> CellShape:
        """Shape of the networks of a point. **Raises:** `AssayError` naming the point."""
        if point not in self._shapes:
            try:
                self._shapes[point] = CellShape.of(self.recipe(Cell(point, 0)).prepare())
            except AssayError as error:
                rule = f"{error.rule} (at {self.grid.text(point)})"
                raise AssayError(rule, given=error.given, choices=error.choices, next_step=error.next_step) from error
        return self._shapes[point]

    def continues(self, earlier: "SweepPlan") -> None:
        """Check that this plan continues an earlier one: it may add values, seeds and refinement.

        **Raises:** `AssayError` saying what differs.
        """
        old, new = earlier.model_dump(), self.model_dump()
        differing = [
            f"{name} {old[name]} there and {new[name]} now"
            for name in old
            if name not in ("over", "seeds", "refine") and old[name] != new[name]
        ]
        if list(old["over"]) != list(new["over"]):
            differing.append(f"axes {', '.join(old['over'])} there and {', '.join(new['over'])} now")
        else:
            lost = [f"{name}={value}" for name in old["over"] for value in old["over"][name] if value not in new["over"][name]]
            differing += [f"{', '.join(lost)} there and not now"] if lost else []
        differing += [f"{name} {old[name]} there and {new[name]} now" for name in ("seeds", "refine") if old[name] > new[name]]
        if differing:
            raise AssayError(
                "a continued sweep must keep its plan; only values, seeds and refinement may be added",
                given="; ".join(differing),
                next_step="repeat the first command, or choose another --out; nothing in it was changed",
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellRecipe:
    """Recipe of one cell: the task's address, the model's name (None for the default of the task), the sizes of the model, the
    fields of the training configuration that differ from the recommended ones, and trusted addresses of code."""

    task: str
    model: str | None
    sizes: Mapping[str, int | float]
    training: Mapping[str, int | float]
    trust: tuple[str, ...] = ()

    def prepare(self) -> PreparedRun:
        """The task, the untrained model and its record. **Raises:** `AssayError` for an invalid setting."""
        ready = prepare(self.task, self.model, options=self.sizes, config=self.training, trust=self.trust)
        if ready.task.level < 2:
            rule = "a sweep measures scores on novel combinations, so its task must have these, with answers"
            raise AssayError(rule, given=self.task, next_step="audit single networks instead")
        return ready


def _number(name: str, text: str) -> int | float:
    """The number in a text; a whole number for names of counts."""
    for kind in (int,) if name in _WHOLE else (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise AssayError(f"{name} must be a {'whole ' if name in _WHOLE else ''}number", given=text)
