"""Measuring the zoo: what the instruments say of each network, beside what needs no novel input at all.

python -m zoo.measure --zoo DIR --out DIR --jobs 2       # every network that was built and not measured as it is now
python -m zoo.measure --zoo DIR --out DIR --instances N  # of some instances
python -m zoo.measure --zoo DIR --out DIR --sealed       # of the sealed family alone, which is left out otherwise

One small file a network, so that a stop loses one network at most.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import process_time
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Generator

from assay import competence
from assay.evidence import LEVELS, Evidence, Level
from assay.failed import Failed, attempt
from assay.figure import Curve
from assay.instrument import run
from assay.instruments.recombination import Recombination
from assay.instruments.recombination.rules import Breaks, may_be_headline
from assay.instruments.systematicity import Systematicity
from assay.jobs import Engine, run_unordered
from assay.store import read_json, write_json
from assay.subject import Subject
from assay.task import Task
from assay.verdict import judge
from assay.verdict.answers import Basis, Works
from zoo.baselines import decodability, geometry
from zoo.build import Zoo, task_for
from zoo.manifest import Member, manifest
from zoo.truth import Truth

SEED, EFFORT = 0, "quick"
EDITION = 5  # raised when the same network would be measured otherwise
NUM_COMPETENCE = 256  # examples by which an audit tells that a network is unlearned
SUM = {"form": "sum"}
C, E, CS, ES = "novel_from_state", "novel_as_state", "seen_from_state", "seen_as_state"


class _MeasuredTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Value(_MeasuredTable):
    """One measure: its value and interval, on how many units it rests, the access level that it needs, and its nulls."""

    key: str
    about: dict[str, str]
    value: float | None
    low: float | None
    high: float | None
    units: int
    level: Level
    nulls: dict[str, tuple[float, ...]]


class Called(_MeasuredTable):
    """The verdict at one access level: does it work on novel combinations, on which basis, and what breaks."""

    novel: Works
    basis: Basis
    breaks: Breaks


class Measured(_MeasuredTable):
    """Everything that was measured on a network of the zoo.

    **Attributes:**

    - `edition`, `recipe_sha256`, `weights_sha256`: by which it is measured anew where code, recipe or weights are others.
    - `truth`: of the network, without the answer to each combination.
    - `failed`: why an instrument broke off; `unlearned`: why an audit would ask nothing.
    - `headline`, `combined`: depths of the headline cut, and of the cuts between which the parts are combined; `calls` is what
      lies between.
    - `curves`: rates at each of `cuts` with chance taken out; `carried`: from which cut on each part is.
    - `verdicts`: by access level. One reading serves all: what a level does not allow is left out of it.
    - `baselines`: numbers that know nothing of novel combinations.
    """

    schema_version: Literal[1] = 1
    edition: int
    recipe_sha256: str
    weights_sha256: str
    cpu_seconds: float = Field(ge=0)
    instance: str
    truth: Truth
    failed: str
    unlearned: str
    values: tuple[Value, ...]
    headline: int | None
    headline_cut: str
    combined: tuple[int, int] | None
    calls: str
    cuts: tuple[str, ...]
    curves: dict[str, tuple[float | None, ...]]
    carried: dict[str, str]
    verdicts: dict[int, Called]
    baselines: dict[str, float]

    @property
    def name(self) -> str:
        return self.truth.name

    def value(self, key: str, **about: str) -> Value | None:
        """A measure by its key and what it is about; by default of the additive state of all parts."""
        wanted = about or SUM
        return next((one for one in self.values if one.key == key and wanted.items() <= one.about.items()), None)

    def at_headline(self, key: str) -> float | None:
        """A rate of the additive state at the headline cut; None where there is no such cut."""
        found = self.value(key) if self.headline is not None else None
        return found.value if found else None


def measured_path(folder: Path, name: str) -> Path:
    """Where the record of a network is."""
    return folder / "measured" / f"{name}.json"


def measured_of(folder: Path, member: Member, zoo: Zoo | None = None) -> Measured | None:
    """The record of a network; None where it is not measured, or of another edition or recipe, or with `zoo` of other weights.

    **Raises:** `AssayError` for a damaged one.
    """
    path = measured_path(folder, member.name)
    if not path.exists():
        return None
    found = read_json(path, Measured)
    now = found.edition == EDITION and found.recipe_sha256 == member.sha256
    if zoo is not None:
        now = now and found.weights_sha256 == zoo.record(member).weights_sha256
    return found if now else None


def measure(
    zoo: Zoo, folder: Path, members: Sequence[Member], *, jobs: int = 1, progress: Callable[[str], None] = lambda told: None
) -> float:
    """Measure what was built and not measured, in processes over networks; the CPU seconds that it took.

    **Raises:** `AssayError` for a damaged record.
    """
    measured_path(folder, "").parent.mkdir(parents=True, exist_ok=True)
    pending = [one for one in members if zoo.has(one) and measured_of(folder, one, zoo) is None]
    spent = 0.0
    finished = run_unordered(partial(_measure, zoo=zoo, folder=folder), pending, engine=Engine(jobs=jobs))
    for done, (index, seconds) in enumerate(finished, 1):
        spent += seconds
        progress(f"{done} of {len(pending)}: {pending[index].name} in {seconds:.1f} CPU s")
    return spent


def _measure(member: Member, zoo: Zoo, folder: Path) -> float:
    found = measured(zoo, member)
    write_json(measured_path(folder, member.name), found)
    return found.cpu_seconds


def measured(zoo: Zoo, member: Member) -> Measured:
    """Read one network."""
    start = process_time()
    record = zoo.record(member)
    subject, task = zoo.load(member), task_for(member)
    sample = task.examples("seen", NUM_COMPETENCE, generator=Generator().manual_seed(SEED))
    unlearned = competence.unlearned(subject(sample.inputs), sample, task.objective)
    found = [
        attempt(one.name, partial(run, one, subject, task, effort=EFFORT, seed=SEED))
        for one in (Systematicity(), Recombination())
    ]
    evidence = [one for one in found if isinstance(one, Evidence)]
    inside = next((one for one in evidence if one.instrument == "recombination"), None)
    settings = inside.settings if inside else {}
    depth = settings.get("headline_depth")
    truth = record.truth.model_copy(update={"right": {}})
    return Measured(
        edition=EDITION,
        recipe_sha256=record.recipe_sha256,
        weights_sha256=record.weights_sha256,
        instance=member.instance.name,
        truth=truth,
        failed="; ".join(f"{one.instrument}: {one.reason}" for one in found if isinstance(one, Failed)),
        unlearned=unlearned,
        values=tuple(value for one in evidence for value in _values(one)),
        headline=depth if isinstance(depth, int) else None,
        headline_cut=str(settings.get("headline_cut") or ""),
        combined=_combined(settings),
        calls=str(settings.get("combining_calls") or ""),
        **_curves(inside),
        carried={key.removeprefix("carried_"): str(one) for key, one in settings.items() if key.startswith("carried_")},
        verdicts={level: _called(evidence, level, unlearned) for level in LEVELS},
        baselines=_baselines(subject, task, truth, depth if isinstance(depth, int) else None),
        cpu_seconds=process_time() - start,
    )


def _called(evidence: Sequence[Evidence], level: Level, unlearned: str) -> Called:
    verdict = judge([one.at_level(level) for one in evidence], unlearned=unlearned)
    return Called(novel=verdict.novel.answer, basis=verdict.novel.basis, breaks=verdict.combining.answer)


def _values(evidence: Evidence) -> list[Value]:
    return [
        Value(
            key=one.key,
            about=dict(one.about),
            value=one.value,
            low=one.interval.low if one.interval else None,
            high=one.interval.high if one.interval else None,
            units=one.units,
            level=one.level,
            nulls={null.name: null.values for null in one.nulls},
        )
        for one in evidence.measures
    ]


def _combined(settings: Mapping[str, object]) -> tuple[int, int] | None:
    """Cuts are named by their depth and a module."""
    ends = [settings.get(key) for key in ("combined_from", "combined_to")]
    first, last = (int(str(end).partition(" ")[0]) if end else None for end in ends)
    return (first, last) if first is not None and last is not None else None


def _curves(inside: Evidence | None) -> dict:
    figure = next((one for one in inside.figures if isinstance(one, Curve)), None) if inside else None
    if figure is None:
        return {"cuts": (), "curves": {}}
    lines = [line for line in figure.plots[0].lines if not line.null]
    return {"cuts": tuple(map(str, lines[0].x)), "curves": {line.name.partition(",")[0]: line.y for line in lines}}


def _baselines(subject: Subject, task: Task, truth: Truth, headline: int | None) -> dict[str, float]:
    """At the headline cut, or where there is none at the last that could have been one."""
    depth = headline
    if depth is None:
        few = task.examples("seen", 16, generator=Generator().manual_seed(SEED))
        cuts = list(subject.cuts(few.inputs))
        depth = next((cut.depth for cut in reversed(cuts) if may_be_headline(cut)), 0)
    return {
        "coverage": truth.recipe["coverage"],
        "main effects": truth.main_effects,
        "nearest example": truth.nearest,
        "norm": truth.recipe["norm"],
        "decodability": decodability(subject, task, depth=depth, seed=SEED),
        **geometry(subject, task, seed=SEED),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--instances", nargs="*", default=[])
    parser.add_argument("--sealed", action="store_true")
    options = parser.parse_args()
    zoo = Zoo(options.zoo)
    members = [one for one in manifest().members(*options.instances) if one.sealed == options.sealed]
    spent = measure(zoo, options.out, members, jobs=options.jobs, progress=lambda told: print(told, flush=True))
    built = [one for one in members if zoo.has(one)]
    there = sum(measured_of(options.out, one) is not None for one in built)
    print(f"{there} of {len(members)} networks measured, {len(built)} built; {spent:.0f} CPU s now")


if __name__ == "__main__":
    main()
