"""Entities that a task binds in its inputs: lists of entities with an attribute each, and scenes of objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from assay.display import brief
from assay.task import Task

Pairs = Literal["trained", "role", "queried", "balanced", "all"]
"""Which pairs of an entity and an attribute a context holds.

- `trained`: trained pairs alone, in places in which they were trained.
- `role`: the queried pair was trained in the first place of lists alone, and stands in another.
- `queried`: the queried pair was never trained, the others were.
- `balanced`: as `queried`, and no listed attribute was ever trained with the queried entity: what is new cannot be found by
  leaving out what is known.
- `all`: no pair was trained.
"""
NOVEL: tuple[Pairs, ...] = ("role", "queried", "balanced", "all")


@runtime_checkable
class BindsEntities(Protocol):
    """What a task must offer: inputs in which several entities have attributes. It must also implement `ListsEntities` or
    `ShowsObjects`, which defines how inputs are sampled; `entities_in` names the kind of input.

    Example::

        >>> from assay.entities import BindsEntities
        >>> task = assay.load_task("scenes")
        >>> isinstance(task, BindsEntities), task.entities_in
        (True, 'scenes')
    """

    entities_in: Literal["lists", "scenes"]


@dataclass(frozen=True)
class Contexts:
    """Lists of `k` entities with one attribute each, of which one is queried.

    **Attributes:**

    - `entities`, `attributes`: `(n, k)`, indices, in the order of the list.
    - `start`: `(n,)`, number of empty places before the list.
    - `queried`: `(n,)`, index of the queried entity in the list.
    """

    __repr__ = brief

    entities: Int[Tensor, "n k"]
    attributes: Int[Tensor, "n k"]
    start: Int[Tensor, " n"]
    queried: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.entities)

    @property
    def size(self) -> int:
        """Entities in a list."""
        return self.entities.shape[1]

    def take(self, rows: Tensor) -> "Contexts":
        """The chosen rows, in that order."""
        return Contexts(self.entities[rows], self.attributes[rows], self.start[rows], self.queried[rows])

    def at(self, place: Int[Tensor, " n"]) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        """Entity and attribute at one place of every list."""
        rows = torch.arange(len(self))
        return self.entities[rows, place], self.attributes[rows, place]

    def in_canonical_order(self) -> "Contexts":
        """The same rows in an order that does not depend on their present one."""
        columns = torch.cat([self.entities, self.attributes, self.start[:, None], self.queried[:, None]], 1)
        order = torch.arange(len(self))
        for column in columns.flip(1).unbind(1):
            order = order[column[order].argsort(stable=True)]
        return self.take(order)


@dataclass(frozen=True)
class Written:
    """Contexts as a network reads them.

    **Attributes:**

    - `inputs`: keyword arguments of its forward; rows of one call are equally long.
    - `entity_at`, `attribute_at`: `(n, k)`, the position of the last token of each.
    - `unrelated_at`: `(n, k)`, the position of a token of each list item that is neither, such as a full stop.
    """

    __repr__ = brief

    inputs: Mapping[str, Tensor]
    entity_at: Int[Tensor, "n k"]
    attribute_at: Int[Tensor, "n k"]
    unrelated_at: Int[Tensor, "n k"]


@runtime_checkable
class ListsEntities(Protocol):
    """What a task must offer: contexts that list entities with an attribute each, and query the attribute of one entity.

    Example::

        >>> from assay.entities import ListsEntities
        >>> task = assay.load_task("language")
        >>> contexts = task.contexts(4, size=2, pairs="trained", generator=torch.Generator().manual_seed(0))
        >>> queried = contexts.entities[torch.arange(4), contexts.queried]
        >>> isinstance(task, ListsEntities), task.write(contexts, queried).entity_at.shape
        (True, torch.Size([4, 2]))
    """

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of entities per list that occur in training, ascending."""
        ...

    @property
    def larger(self) -> tuple[int, ...]:
        """Numbers of entities per list beyond those in training."""
        ...

    @property
    def num_entities(self) -> int: ...

    @property
    def answers(self) -> Int[Tensor, " attributes"]:
        """The output that stands for each attribute."""
        ...

    def contexts(self, n: int, *, size: int, pairs: Pairs, generator: Generator) -> Contexts:
        """Draw `n` contexts, or all where there are fewer.

        **Raises:** `AssayError` for a size that does not fit, and where pairs of the kind cannot fill a list.
        """
        ...

    def write(self, contexts: Contexts, entity: Int[Tensor, " n"]) -> Written:
        """Inputs for every context with a query for one entity, which need not be in its list."""
        ...

    def trained_with(self) -> Float[Tensor, "entities attributes"]:
        """Relative frequency of each attribute of each entity in training."""
        ...


@dataclass(frozen=True)
class ObjectScenes:
    """Scenes of `k` objects each, with the attributes and layout that they are drawn from.

    **Attributes:**

    - `inputs`: keyword arguments of a network's forward.
    - `objects`: `(n, rows, columns)`, the number of the object visible at every place, 1 to k, and 0 for the background.
    - `attributes`: `(n, k, a)`, indices of each object's values, in the order of `ShowsObjects.attributes`.
    - `layout`: `(n, k, l)`, all else that determines an object, such as position and size.
    """

    __repr__ = brief

    inputs: Mapping[str, Tensor]
    objects: Int[Tensor, "n rows columns"]
    attributes: Int[Tensor, "n k a"]
    layout: Float[Tensor, "n k l"]

    def __len__(self) -> int:
        return len(self.objects)

    def take(self, rows: Tensor) -> "ObjectScenes":
        """The chosen rows, in that order."""
        inputs = {name: column[rows] for name, column in self.inputs.items()}
        return ObjectScenes(inputs, self.objects[rows], self.attributes[rows], self.layout[rows])


@runtime_checkable
class ShowsObjects(Protocol):
    """What a task must offer to render scenes of several objects from the attributes of the objects.

    Example::

        >>> from assay.entities import ShowsObjects
        >>> task = assay.load_task("scenes")
        >>> drawn = task.scenes(4, size=2, novel=False, generator=torch.Generator().manual_seed(0))
        >>> isinstance(task, ShowsObjects), drawn.attributes.shape, list(task.attributes)
        (True, torch.Size([4, 2, 2]), ['shape', 'colour'])
        >>> exchanged = task.redrawn(drawn, drawn.attributes.flip(1))  # both objects stay where they are
        >>> torch.equal(exchanged.layout, drawn.layout)
        True
    """

    @property
    def attributes(self) -> Mapping[str, int]:
        """How many values each attribute of an object has."""
        ...

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of objects per scene that occur in training, ascending."""
        ...

    @property
    def larger(self) -> tuple[int, ...]:
        """Numbers of objects per scene beyond those in training."""
        ...

    def scenes(self, n: int, *, size: int, novel: bool, generator: Generator) -> ObjectScenes:
        """Draw scenes. `novel`: the first object has a pair of attributes that was never trained.

        **Raises:** `AssayError` where `size` objects cannot be seen in one scene.
        """
        ...

    def redrawn(self, scenes: ObjectScenes, attributes: Int[Tensor, "n k a"]) -> ObjectScenes:
        """Scenes of the same layout with other attributes."""
        ...


def trained_objects(task: Task, attributes: Int[Tensor, "n k a"]) -> Bool[Tensor, "n k"]:
    """Whether the attributes of each object are a trained combination of the task; True throughout where the task combines
    something other than the attributes of an object."""
    names = tuple(task.attributes) if isinstance(task, ShowsObjects) else ()
    if tuple(task.combines) != names:
        return torch.ones(attributes.shape[:2], dtype=torch.bool)
    trained = task.combinations("train")
    return (attributes[:, :, None] == trained).all(3).any(2)
