"""Attribute binding: several objects with a shape and a colour each, and a query for the shape of a given colour."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from assay.stats import keyed_generator
from assay.task import InputSpec, Part, Tokens, Vector
from assay.tasks.novelty import few_of_each, held_out_pairs
from assay.tasks.slots import Derived, SlotTask, Values

Novel = Literal["random", "pairs", "roles", "objects"]
Form = Literal["slots", "scene"]
SHAPES = ("square", "circle", "triangle", "star", "cross", "ring", "heart", "moon")
COLOURS = ("red", "green", "blue", "yellow", "white", "black", "pink", "brown")
SIDE = 8
PLACES = (9, 14, 49)  # cells of the objects: three corners, one cell away from the edges
ASKED, HINT = 54, 27  # cells of the query and of the cue


@dataclass(frozen=True, kw_only=True)
class BindingTask(SlotTask):
    """The shape of the first object that has the queried colour, or `none of them`.

    The combination is the scene: the shape and the colour of every object. The query varies freely. Slots of one attribute
    share their tokens. The index of the answering object, which follows from the colours and the query, is a part too.

    **Arguments:** those of `SlotTask`, and

    - `num_objects`: 2 or 3; `num_shapes`, `num_colours`: 2 to 8.
    - `novel`: `random` scenes; `pairs`: some shapes never have some colours; `roles`: some shapes have some colours in the
      first object alone; `objects`: the last object may be missing (its colour is `none`), and is present in few trained
      scenes.
    - `form`: `slots`: `tokens` `(n, 2 objects + 1)`. `scene`: `x` `(n, 64 channels)`, a flat 8 x 8 grid with a channel for
      every token; objects, query and cue lie in cells of their own.
    """

    family: ClassVar[str] = "binding"
    num_objects: int = 3
    num_shapes: int = 4
    num_colours: int = 3
    novel: Novel = "random"
    form: Form = "slots"
    _held: Bool[Tensor, "shapes colours"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        self._check_whole("num_objects", 2, len(PLACES))
        self._check_whole("num_shapes", 2, len(SHAPES))
        self._check_whole("num_colours", 2, len(COLOURS))
        self._check_choice("novel", get_args(Novel))
        self._check_choice("form", get_args(Form))
        super().__post_init__()

    @property
    def input_spec(self) -> InputSpec:
        return Tokens(self._num_tokens(), self._length()) if self.form == "slots" else Vector(SIDE**2 * self._num_tokens())

    def _objects(self) -> range:
        return range(1, self.num_objects + 1)

    def _slot_parts(self) -> tuple[Part, ...]:
        shapes, colours = SHAPES[: self.num_shapes], COLOURS[: self.num_colours]
        parts = [part for k in self._objects() for part in (Part(f"shape{k}", shapes), Part(f"colour{k}", colours))]
        if self.novel == "objects":
            parts[-1] = Part(parts[-1].name, (*colours, "none"))
        return (*parts, Part("query", colours))

    def _combined(self) -> tuple[str, ...]:
        return tuple(f"{attribute}{k}" for k in self._objects() for attribute in ("shape", "colour"))

    def _alphabet(self, slot: str) -> str:
        return "shape" if slot.startswith("shape") else "colour"

    def _num_classes(self) -> int:
        return self.num_shapes + 1

    def _rule(self, values: Values) -> Int[Tensor, " n"]:
        none = torch.full_like(values["query"], self.num_shapes)
        shapes = torch.stack([*(values[f"shape{k}"] for k in self._objects()), none], 1)
        return shapes.gather(1, self._which(values)[:, None])[:, 0]

    def _derived(self) -> tuple[Derived, ...]:
        values = (*(str(k) for k in self._objects()), "none of them")
        return (Derived(Part("object", values), (*(f"colour{k}" for k in self._objects()), "query"), self._which),)

    def _which(self, values: Values) -> Int[Tensor, " n"]:
        """The first object of the queried colour, or the number of objects if none has it."""
        has = torch.stack([values[f"colour{k}"] == values["query"] for k in self._objects()], 1)
        return (has.cumsum(1) == 0).sum(1)

    def _draw_rule(self, generator: Generator) -> None:
        held = held_out_pairs(self.num_shapes, self.num_colours, keyed_generator(self.seed, "binding pairs"))
        self._set(_held=torch.cat([held, torch.zeros(self.num_shapes, 1, dtype=torch.bool)], 1))  # a missing object has no pair

    def _novel(self, values: Values) -> Bool[Tensor, " c"] | None:
        if self.novel == "random":
            return None
        if self.novel == "objects":
            return self._is_there(values) & ~self._shown(values)
        apart = [self._held[values[f"shape{k}"], values[f"colour{k}"]] for k in self._objects()]
        return torch.stack(apart[self.novel == "roles" :]).any(0)

    def _always(self, values: Values) -> Bool[Tensor, " c"] | None:
        return self._shown(values) if self.novel == "objects" else None

    def _is_there(self, values: Values) -> Bool[Tensor, " c"]:
        return values[f"colour{self.num_objects}"] != self.num_colours

    def _shown(self, values: Values) -> Bool[Tensor, " c"]:
        """The few scenes with the last object, in every colour."""
        last = values[f"colour{self.num_objects}"]
        return few_of_each(last, range(self.num_colours), keyed_generator(self.seed, "binding objects"))

    def _inputs(self, tokens: Int[Tensor, "n slots"]) -> dict[str, Tensor]:
        if self.form == "slots":
            return {"tokens": tokens}
        cells = torch.tensor([cell for cell in PLACES[: self.num_objects] for _ in range(2)] + [ASKED, HINT])
        x = torch.zeros(len(tokens), SIDE**2 * self._num_tokens())
        return {"x": x.scatter_(1, cells[: tokens.shape[1]] * self._num_tokens() + tokens, 1.0)}
