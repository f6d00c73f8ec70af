"""Making the members of the zoo: in groups that train together, each stored by itself, so that a stop loses one group."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from torch import nn

from assay.errors import AssayError
from assay.jobs import Engine, run_unordered
from assay.models import configure, rebuild
from assay.models.addresses import load_weights
from assay.stats import keyed_generator
from assay.store import read_json, read_tensors, sha256, write_json, write_tensors
from assay.subject import Subject
from assay.tasks import load_task
from assay.tasks.slots import SlotTask
from assay.training import DivergedError, TrainingConfig, fit_many
from assay.zoo.kinds import Order, make_many
from assay.zoo.kinds.staged import build_staged
from assay.zoo.kinds.stages import stages_of
from assay.zoo.recipe import Member, recipe_hash
from assay.zoo.twins import fractured
from assay.zoo.units import refitted

TOGETHER = 8  # networks of one group
Progress = Callable[[str, float], None]


class MemberRecord(BaseModel):
    """What stands beside a member's weights: that they are whole, and what they cost.

    **Attributes:**

    - `weights_sha256`: of the file; None for a network whose training diverged, which has none.
    - `cpu_seconds`: its share of its group's training.
    - `recipe_sha256`: of the member as the recipe had it, by which a changed one is made again; not checked where empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    task: str
    how: str
    weights_sha256: str | None
    cpu_seconds: float
    recipe_sha256: str = ""


@dataclass(frozen=True)
class Zoo:
    """A folder with networks of the recipe."""

    folder: Path

    def has(self, member: Member) -> bool:
        """Whether it was made as the recipe says now; a misdeclared network is there when the one is that it shares its weights
        with."""
        path = self._record(member)
        return path.exists() and read_json(path, MemberRecord).recipe_sha256 in ("", _recipe_sha256(member))

    def record(self, member: Member) -> MemberRecord:
        """**Raises:** `AssayError` for a member that was not made, and for a damaged record."""
        if not self.has(member):
            raise AssayError(
                "a member of the zoo must be there to be read",
                given=f"{member.name} is missing from {self.folder}, or of another recipe",
                next_step="run `assay zoo build` on this folder; it makes what is missing",
            )
        return read_json(self._record(member), MemberRecord)

    def load(self, member: Member) -> Subject | None:
        """The network; None where training diverged.

        **Raises:** `AssayError` naming a member that is missing, or whose weights were altered.
        """
        record = self.record(member)
        if record.weights_sha256 is None:
            return None
        weights, _ = read_tensors(self._weights(member), digest=record.weights_sha256)
        module = _architecture(member)
        if member.how == "fractured":
            module = refitted(module, weights)
        load_weights(module, weights, str(self._weights(member)))
        return Subject(module, name=member.name)

    def write(self, member: Member, module: nn.Module | None, seconds: float) -> None:
        """Store a network; the record comes last, so that what has one is whole."""
        digest = None
        if module is not None:
            write_tensors(self._weights(member), {name: value.contiguous() for name, value in module.state_dict().items()})
            digest = sha256(self._weights(member))
        record = MemberRecord(
            name=member.name,
            task=member.task,
            how=member.how,
            weights_sha256=digest,
            cpu_seconds=seconds,
            recipe_sha256=_recipe_sha256(member),
        )
        write_json(self._record(member), record)

    def _weights(self, member: Member) -> Path:
        return self.folder / "members" / f"{self._shared(member)}.safetensors"

    def _record(self, member: Member) -> Path:
        return self.folder / "members" / f"{self._shared(member)}.json"

    def _shared(self, member: Member) -> str:
        return member.twin_of if member.kind == "W" else member.name


def build(folder: Path, members: Sequence[Member], *, jobs: int = 1, progress: Progress = lambda doing, done: None) -> Zoo:
    """Make what is missing, in groups of one kind and architecture that are trained together; goes on where it was stopped.

    **Raises:** `AssayError` for a damaged record, and what making a kind raises.
    """
    zoo = Zoo(folder)
    (folder / "members").mkdir(parents=True, exist_ok=True)
    for twins in (False, True):  # a twin needs its original
        made_here = [member for member in members if (member.how == "fractured") == twins and member.how != "misdeclared"]
        # Whole groups, also where some of one are there: networks that train together share their rounding.
        groups = [group for group in _groups(made_here) if not all(map(zoo.has, group))]
        pieces = [_Piece(folder, group, _originals(group, members)) for group in groups]
        made = run_unordered(_make, pieces, engine=Engine(jobs=jobs))
        for done, (index, seconds) in enumerate(made, 1):
            group = groups[index]
            progress(f"{group[0].how}, {group[0].architecture}: {len(group)} in {seconds:.0f} CPU s", done / len(groups))
    return zoo


def _groups(members: Sequence[Member]) -> Iterator[list[Member]]:
    """At most `TOGETHER` networks of one kind and architecture on tasks of one family and input."""
    alike: dict[tuple[str, ...], list[Member]] = {}
    for member in members:
        alike.setdefault((member.how, member.architecture, member.size, member.task.partition(",coverage")[0]), []).append(
            member
        )
    for group in alike.values():
        for start in range(0, len(group), TOGETHER):
            yield group[start : start + TOGETHER]


@dataclass(frozen=True)
class _Piece:
    """A group, and of twins the networks that they are made from, in the same order."""

    folder: Path
    group: Sequence[Member]
    originals: Sequence[Member]


def _originals(group: Sequence[Member], members: Sequence[Member]) -> list[Member]:
    named = {member.name: member for member in members}
    if lost := [member.name for member in group if member.twin_of and member.twin_of not in named]:
        raise AssayError("a twin is built together with its original, or after it", given=f"{lost[0]} without")
    return [named[member.twin_of] for member in group if member.twin_of]


def _make(piece: _Piece) -> float:
    """Train a group and store what is missing; its CPU seconds."""
    zoo, start = Zoo(piece.folder), process_time()
    modules = _modules(zoo, piece)
    seconds = process_time() - start
    for member, module in zip(piece.group, modules, strict=True):
        if not zoo.has(member):
            zoo.write(member, module, seconds / len(piece.group))
    return seconds


def _modules(zoo: Zoo, piece: _Piece) -> Sequence[nn.Module | None]:
    group, how = piece.group, piece.group[0].how
    if how == "fractured":
        return [_fractured(zoo, *pair) for pair in zip(group, piece.originals, strict=True)]
    if group[0].family == "hyperteacher":
        tasks, configs = [load_task(member.task) for member in group], [_training(member) for member in group]
        modules = [_initial(member) for member in group]
        fit_many(modules, tasks, configs=configs, strategy="rule")
        return modules
    orders = [_order(member) for member in group]
    try:
        return make_many(how, orders)
    except DivergedError:
        return [_alone(how, order) for order in orders]


def _alone(how: str, order: Order) -> nn.Module | None:
    try:
        return make_many(how, [order])[0]
    except DivergedError:
        return None


def _fractured(zoo: Zoo, member: Member, of: Member) -> nn.Module | None:
    original = zoo.load(of)
    return None if original is None else fractured(original.module, keyed_generator(member.seed, "twin"))


def _architecture(member: Member) -> nn.Module:
    """The untrained network, of the original's sizes for a twin."""
    staged = (member.how == "G1-constructed" or "-G1-constructed-" in member.name) and member.architecture != "mlp"
    return build_staged(stages_of(_order(member))) if staged else _initial(member)


def _initial(member: Member) -> nn.Module:
    """The reference model as `Order.initial` draws it, for any task."""
    model = configure(member.architecture, load_task(member.task), **dict(member.sizes))
    return rebuild(model, generator=keyed_generator(member.seed, "weights"))


def _order(member: Member) -> Order:
    task = load_task(member.task)
    assert isinstance(task, SlotTask), "kinds are made for tasks of slots"
    return Order(task, configure(member.architecture, task, **dict(member.sizes)), _training(member))


def _training(member: Member) -> TrainingConfig:
    settings: dict[str, Any] = dict(member.training)
    return TrainingConfig(**settings)


def _recipe_sha256(member: Member) -> str:
    """Of the member that the weights belong to: a wrong declaration changes none."""
    if member.kind != "W":
        return recipe_hash([member])
    return recipe_hash([replace(member, name=member.twin_of, kind="G2", how="G2-trained", declared="", twin_of="")])
