"""Restricted views of a task, for the access levels."""

import math
from collections.abc import Collection, Mapping
from functools import partial

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from assay.entities import BindsEntities, Contexts, ListsEntities, ObjectScenes, Pairs, ShowsObjects, trained_objects
from assay.errors import AssayError
from assay.figure import Level
from assay.objective import Objective
from assay.task import NO_ANSWER, Examples, InputSpec, Part, Split, Task


class NoNovelInputs(AssayError):  # noqa: N818 (what is missing, not a fault)
    """Novel inputs were requested at access level 0, which does not allow them."""


class View(Task):
    """A restricted task. Methods of the given abilities are those of the task itself."""

    def __init__(self, task: Task, abilities: Collection[str]):
        self._task = task
        written = [name for name in ("input_texts", "answer_texts") if hasattr(task, name)]
        for name in (*abilities, *written):
            setattr(self, name, getattr(task, name))

    @property
    def address(self) -> str:
        return self._task.address

    @property
    def parts(self) -> tuple[Part, ...]:
        return self._task.parts

    @property
    def combines(self) -> tuple[str, ...]:
        return self._task.combines

    @property
    def input_spec(self) -> InputSpec | None:
        return self._task.input_spec

    @property
    def objective(self) -> Objective:
        return self._task.objective

    @property
    def level(self) -> Level:  # pyrefly: ignore[bad-override] (that of the task; this view refuses what it forbids)
        return self._task.level

    def combinations(self, split: Split) -> Int[Tensor, "c k"]:
        return self._task.combinations(split)

    def combination_id(self, parts: Mapping[str, Int[Tensor, " n"]]) -> Int[Tensor, " n"]:
        return self._task.combination_id(parts)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        return self._task.examples(split, n, generator=generator)

    def trained_examples(self, n: int, *, generator: Generator) -> Examples:
        return self._task.trained_examples(n, generator=generator)


class TrainedOnly(View):
    """A task at access level 0: trained examples and the declaration, with the list of novel combinations, but no novel inputs.
    It keeps the abilities that need only these: exchanges of parts (`SwapsParts`) and declared regularities
    (`assay.regularity`).

    Example::

        view = TrainedOnly(load_task("modular"))
        view.examples("novel", 1, generator=torch.Generator())  # raises NoNovelInputs
    """

    def __init__(self, task: Task):
        super().__init__(task, [name for name in ("swap", "regular") if hasattr(task, name)])
        _let_bind_trained(self, task)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        if split == "novel" and n:
            raise NoNovelInputs("novel inputs are drawn at access level 1 or 2", next_step="audit at level 1 or 2")
        return super().examples(split, n, generator=generator)


class Unlabelled(View):
    """A task at access level 1: targets of novel inputs are `NO_ANSWER`, or NaN where they are real numbers. Decoders still get
    the correct prefix as an input.

    Example::

        view = Unlabelled(load_task("modular"))
        view.examples("novel", 1, generator=torch.Generator()).targets  # tensor([-1])
    """

    def __init__(self, task: Task):
        own = (name for name in dir(type(task)) if not name.startswith("_") and not hasattr(Task, name))
        super().__init__(task, [name for name in own if callable(getattr(type(task), name))])
        # The answer to a list can be read from it, so lists of new pairs would be labelled.
        _let_bind_trained(self, task)

    @property
    def level(self) -> Level:
        return min(1, self._task.level)

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        found = super().examples(split, n, generator=generator)
        if split != "novel":
            return found
        blank = torch.full_like(found.targets, math.nan if found.targets.is_floating_point() else NO_ANSWER)
        return Examples(found.inputs, blank, found.parts, found.combination, found.amounts)


def _let_bind_trained(view: View, task: Task) -> None:
    """Add to a view the lists and scenes of a task that binds entities, with trained sizes and pairs only."""
    if not isinstance(task, BindsEntities):
        return
    abilities: dict[str, object] = {"entities_in": task.entities_in, "larger": ()}
    if isinstance(task, ListsEntities):
        abilities |= {name: getattr(task, name) for name in ("sizes", "num_entities", "answers", "write", "trained_with")}
        abilities["contexts"] = partial(_trained_contexts, task)
    if isinstance(task, ShowsObjects):
        abilities |= {"sizes": task.sizes, "attributes": task.attributes}
        abilities |= {"scenes": partial(_trained_scenes, task), "redrawn": partial(_redrawn_as_trained, task)}
    for name, ability in abilities.items():
        setattr(view, name, ability)


def _trained_contexts(task: ListsEntities, n: int, *, size: int, pairs: Pairs, generator: Generator) -> Contexts:
    if pairs != "trained" or size not in task.sizes:
        raise _not_here()
    return task.contexts(n, size=size, pairs=pairs, generator=generator)


def _trained_scenes(task: ShowsObjects, n: int, *, size: int, novel: bool, generator: Generator) -> ObjectScenes:
    if novel or size not in task.sizes:
        raise _not_here()
    return task.scenes(n, size=size, novel=False, generator=generator)


def _redrawn_as_trained(task: Task, scenes: ObjectScenes, attributes: Int[Tensor, "n k a"]) -> ObjectScenes:
    assert isinstance(task, ShowsObjects)
    if not bool(trained_objects(task, attributes).all()):
        raise _not_here()
    return task.redrawn(scenes, attributes)


def _not_here() -> NoNovelInputs:
    return NoNovelInputs(
        "new pairs, and more entities than were trained, are shown at access level 2", next_step="audit at level 2"
    )
