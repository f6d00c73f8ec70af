"""The untrained module of any member, so that stored weights can be loaded into it."""

from collections.abc import Mapping
from typing import Literal

from torch import Generator, nn

from zoo.families import SymbolTask
from zoo.manifest import Member
from zoo.networks.encoders import encoder
from zoo.networks.joined import Copied, Detour, Ensemble, Flagged, Front, Head, Inert, Joined, Refactored, Symbols
from zoo.training import seeded

SIGNS = 32  # of the code of one part
UNITS = 64  # between encoder and head where nothing in between has a meaning
DETOUR, FLAGGED, NUM_FLAGS, COPIES = 160, 96, 16, 3

Interface = Literal["symbols", "signs", "units"]


def interface_of(member: Member) -> Interface:
    """What stands between encoder and head."""
    alone: Mapping[str, Interface] = {"supervised": "symbols", "aided": "units"}
    return alone.get(member.recipe.kind, member.instance.interface)


def encoder_for(member: Member, interface: Interface, key: str) -> nn.Module:
    """A freshly initialised encoder."""
    task, wanted = member.instance.task("high"), member.instance.encoder
    outputs = {"symbols": sum(task.sizes), "signs": SIGNS * len(task.sizes), "units": UNITS}[interface]
    shape = shape_of(task)
    made = seeded(
        lambda: encoder(wanted.architecture, shape, outputs, width=wanted.width), member.instance.seed, f"encoder {key}"
    )
    return made.eval()


def head_for(member: Member, num_inputs: int) -> Head:
    """A head of the member's width."""
    task = member.instance.task("high")
    steps = task.answers.shape[1] if task.answers.ndim > 1 else 1
    return Head(num_inputs, member.width, task.num_answers, steps)


def between(task: SymbolTask, interface: Interface) -> tuple[nn.Module, int]:
    """The interface, and how many numbers it gives to the head."""
    if interface == "symbols":
        return Symbols(task.sizes), sum(task.sizes)
    return (nn.Tanh(), SIGNS * len(task.sizes)) if interface == "signs" else (nn.ReLU(), UNITS)


def skeleton(member: Member, original: Member | None) -> nn.Module:
    """The module of a member, untrained; `original` is the member whose network it changes, if there is one.

    A twin has the sizes of its original; `zoo.twins.refitted` gives it its own.
    """
    task, kind = member.instance.task("high"), member.recipe.kind
    if original is not None and kind in ("front", "ensemble", "twin", "misdeclared", "refactor"):
        network = skeleton(original, None)
        assert isinstance(network, Joined)
        if kind == "front":
            spoils = task.trained  # of the right shape; the values are stored
            filter_by = encoder_for(member, "symbols", "filter")
            return Front(network, filter_by, task.sizes, spoils, blank=member.recipe.blank)
        if kind == "ensemble":
            return Ensemble([network, *(skeleton(original, None) for _ in range(COPIES - 1))])
        return refactored(network) if kind == "refactor" else network
    interface = interface_of(member)
    middle, num_inputs = between(task, interface)
    if kind == "way-in":
        middle = Detour(task.sizes, DETOUR)
    elif kind == "interchange":
        middle = Flagged(task.sizes, FLAGGED, NUM_FLAGS)
        num_inputs += NUM_FLAGS
    elif kind == "copies":
        middle = Copied(task.sizes)
        num_inputs = middle.num_outputs
    head: nn.Module = head_for(member if original is None else original, num_inputs)
    if kind == "inert":
        assert isinstance(head, Head)
        head = Inert(head, num_inputs)
    return Joined(encoder_for(member, interface, "skeleton"), middle, head).eval()


def refactored(network: Joined) -> Refactored:
    """The same function without a module for the head."""
    assert isinstance(network.head, Head)
    return Refactored(network.encoder, network.interface, network.head)


def shape_of(task: SymbolTask) -> tuple[int, ...]:
    """The shape of one input."""
    return tuple(task.shown(task.values[:1], generator=Generator().manual_seed(0)).shape[1:])
