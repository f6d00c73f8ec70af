"""Making the zoo: one instance after the other, each network stored by itself, so that a stop loses one instance at most.

python -m zoo.build --out DIR --jobs 2            # everything that is missing
python -m zoo.build --out DIR --slice             # the small part that is built at every check
python -m zoo.build --out DIR --instances NAME    # some instances
python -m zoo.build --out DIR --table             # what is there, without building
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time

from pydantic import BaseModel, ConfigDict
from torch import nn

from assay.errors import AssayError
from assay.jobs import Engine, one_thread, run_unordered
from assay.models.addresses import load_weights
from assay.store import read_json, read_tensors, sha256, write_json, write_tensors
from assay.subject import Subject
from assay.task import Task
from zoo.checks import novel_of
from zoo.declared import How, WronglyDeclared
from zoo.manifest import Member, manifest, named
from zoo.skeletons import skeleton
from zoo.truth import Truth, truth_of
from zoo.twins import refitted
from zoo.workshop import made

DECLARED: tuple[How, How] = ("shifted", "dealt")


class Record(BaseModel):
    """What stands beside a network's weights.

    **Attributes:**

    - `recipe_sha256`: of the member as the manifest had it, by which a changed one is made again.
    - `weights_sha256`: of the file. `cpu_seconds`: its share of its instance's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    recipe_sha256: str
    weights_sha256: str
    cpu_seconds: float
    truth: Truth


@dataclass(frozen=True)
class Zoo:
    """A folder with networks of the manifest."""

    folder: Path

    def has(self, member: Member) -> bool:
        """Whether it was made as the manifest says now."""
        path = self._path(member, "json")
        return path.exists() and read_json(path, Record).recipe_sha256 == member.sha256

    def record(self, member: Member) -> Record:
        """**Raises:** `AssayError` for a member that was not made, and for a damaged record."""
        if not self.has(member):
            raise AssayError(
                "a member of the zoo must be there to be read",
                given=f"{member.name} is missing from {self.folder}, or of another recipe",
                next_step="run `python -m zoo.build` on this folder; it makes what is missing",
            )
        return read_json(self._path(member, "json"), Record)

    def load(self, member: Member) -> Subject:
        """The network. **Raises:** `AssayError` naming a member that is missing, or whose weights were altered."""
        record = self.record(member)
        path = self._path(member, "safetensors")
        weights, _ = read_tensors(path, digest=record.weights_sha256)
        original = named(manifest().members(member.instance.name), record.truth.of) if record.truth.of else None
        module = skeleton(member, original)
        if member.recipe.kind == "twin":
            module = refitted(module, weights)
        load_weights(module, weights, str(path))
        return Subject(module, name=member.name)

    def write(self, member: Member, module: nn.Module, truth: Truth, seconds: float) -> None:
        """Store a network; the record comes last, so that what has one is whole."""
        path = self._path(member, "safetensors")
        write_tensors(path, {name: value.contiguous() for name, value in module.state_dict().items()})
        record = Record(recipe_sha256=member.sha256, weights_sha256=sha256(path), cpu_seconds=seconds, truth=truth)
        write_json(self._path(member, "json"), record)

    def _path(self, member: Member, ending: str) -> Path:
        return self.folder / "members" / f"{member.name}.{ending}"


def task_for(member: Member) -> Task:
    """The task on which a member is judged, under the declaration that it is judged with."""
    task = member.instance.task(member.recipe.coverage)
    if member.recipe.kind != "misdeclared":
        return task
    return WronglyDeclared(task, DECLARED[member.instance.number % len(DECLARED)])


def build(
    folder: Path, members: Sequence[Member], *, jobs: int = 1, progress: Callable[[str], None] = lambda told: None
) -> Zoo:
    """Make what is missing, instance by instance; goes on where it was stopped. The same manifest gives the same bytes.

    **Raises:** `AssayError` for a damaged record.
    """
    zoo = Zoo(folder)
    (folder / "members").mkdir(parents=True, exist_ok=True)
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(member.instance.name, []).append(member)
    # Whole instances, also where some members are there: heads that train together share their rounding.
    pending = [group for group in groups.values() if not all(map(zoo.has, group))]
    finished = run_unordered(partial(_make, folder=folder), pending, engine=Engine(jobs=jobs))
    for done, (index, seconds) in enumerate(finished, 1):
        progress(f"{done} of {len(pending)}: {pending[index][0].instance.name}, {len(pending[index])} in {seconds:.0f} CPU s")
    return zoo


def _make(group: Sequence[Member], folder: Path) -> float:
    """Make the networks of an instance and store those that are missing; its CPU seconds."""
    zoo, start = Zoo(folder), process_time()
    with one_thread():
        networks = made(group)
        tasks = {member.recipe.coverage: member.instance.task(member.recipe.coverage) for member in group}
        novel = {coverage: novel_of(task) for coverage, task in tasks.items()}
        truths = [truth_of(one, tasks[one.member.recipe.coverage], novel[one.member.recipe.coverage]) for one in networks]
    seconds = process_time() - start
    for one, truth in zip(networks, truths, strict=True):
        if not zoo.has(one.member):
            zoo.write(one.member, one.module, truth, seconds / len(group))
    return seconds


def table(zoo: Zoo, members: Sequence[Member]) -> str:
    """What is there: every network with what it does and what its task holds, and how many of each family have each label. Of
    sealed families only how many networks there are, and what they cost."""
    built = [zoo.record(member) for member in members if zoo.has(member)]
    every = [record for record in built if not record.truth.sealed]
    lines = [f"{'network':44} meant              label        seen  outside                  additive chance main nearest"]
    for record in every:
        own = record.truth
        outside = f"{own.outside.share:.3f} of {own.outside.total} [{own.outside.low:.2f}, {own.outside.high:.2f}]"
        lines.append(
            f"{own.name:44} {own.meant:18} {own.label:12} {own.seen.share:.3f} {outside:26} {own.additive_input:.2f}"
            f"{' ' if own.entangled else '!'} {own.chance:.2f} {own.main_effects:.2f} {own.nearest:.2f}"
        )
    labels = Counter((record.truth.family, record.truth.label) for record in every)
    lines += [f"{family:12} {label:16} {number}" for (family, label), number in sorted(labels.items())]
    seconds = sum(record.cpu_seconds for record in built)
    sealed = f"{len(built) - len(every)} of them sealed"
    lines.append(f"{len(built)} networks, {sealed}, {seconds:.0f} CPU s, {seconds / max(1, len(built)):.1f} each")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--slice", action="store_true")
    parser.add_argument("--instances", nargs="*", default=[])
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    members = manifest().small_slice() if options.slice else manifest().members(*options.instances)
    zoo = Zoo(options.out)
    if not options.table:
        zoo = build(options.out, members, jobs=options.jobs, progress=lambda told: print(told, flush=True))
    print(table(zoo, members))


if __name__ == "__main__":
    main()
