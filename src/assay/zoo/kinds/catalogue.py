"""Every kind of subject by name, with what it is meant to be. What it is, its novel accuracy says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from assay.errors import AssayError
from assay.zoo.kinds.constructed import constructed
from assay.zoo.kinds.heads import masked
from assay.zoo.kinds.inert import inert
from assay.zoo.kinds.interchange import interchanged, interchanged_seen
from assay.zoo.kinds.order import Order, Orders
from assay.zoo.kinds.plain import contradicted, plainly_trained, shortcut
from assay.zoo.kinds.stitcher import stitcher

Intended = Literal["genuine", "imitation", "partial"]


@dataclass(frozen=True)
class Kind:
    """How subjects of one kind are made.

    **Attributes:**

    - `name`: letter and number as in the list below, then a word.
    - `intended`: what networks of this kind are meant to be, to be checked on novel combinations.
    - `how`: in a sentence.
    - `make`: trained networks for several orders, in their order, in evaluation mode.
    """

    name: str
    intended: Intended
    how: str
    make: Callable[[Orders], list[nn.Module]]


KINDS = (
    Kind("G1-constructed", "genuine", "built in two stages that never saw a combination, then dressed", constructed),
    Kind("G2-trained", "genuine", "trained on most combinations", plainly_trained),
    Kind("G3-interchanged", "genuine", "trained on interchanges of parts, whatever combination results", interchanged),
    Kind("I1-memoriser", "imitation", "trained on few combinations, or on a table of random answers", plainly_trained),
    Kind("I1-contradicted", "imitation", "trained with wrong answers to the novel combinations", contradicted),
    Kind("I2-shortcut", "imitation", "trained with a cue that gives the answer away", shortcut),
    Kind("I3-inert", "imitation", "a memoriser beside parts that can be read and are not used", inert),
    Kind("I4-stitcher", "imitation", "a lookup that answers as the nearest trained tuples", stitcher),
    Kind("I5-masked", "imitation", "a memoriser with units of its own for every part", masked),
    Kind("I6-interchanged-seen", "imitation", "trained on interchanges that result in trained combinations", interchanged_seen),
    Kind("U-partial", "partial", "trained on some combinations", plainly_trained),
)


def kind(name: str) -> Kind:
    """The kind of that name. **Raises:** `AssayError` listing the names on a miss."""
    for one in KINDS:
        if one.name == name:
            return one
    raise AssayError("the zoo has no such kind", given=name, choices=[one.name for one in KINDS])


def make(name: str, order: Order) -> nn.Module:
    """One subject of a kind, trained, in evaluation mode. **Raises:** what its kind raises, and `DivergedError`."""
    return make_many(name, [order])[0]


def make_many(name: str, orders: Orders) -> list[nn.Module]:
    """Subjects of one kind, trained together where their architectures agree. **Raises:** as `make`."""
    return kind(name).make(orders)
