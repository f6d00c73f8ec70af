"""What is measured on every member of the zoo, one file each, and the table that comes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from assay.calibration import FEATURES, Subjects, subjects_of
from assay.calibration.table import BASELINE, NUMBERS, RECIPE, TEXTS, TRUTHS
from assay.competence import LEARNED
from assay.errors import AssayError
from assay.evidence import Evidence
from assay.former_verdict.features import asked_parts, features, missing_parts
from assay.instrument import run
from assay.instruments.former import Recombination
from assay.instruments.organisation import Organisation
from assay.jobs import Engine, run_unordered
from assay.novelty import Kind, novelty_of
from assay.stats import keyed_generator
from assay.store import faults_of, read_json, write_json
from assay.task import Task
from assay.tasks import load_task
from assay.tasks.slots import SlotTask
from assay.zoo.baselines import of_evidence, of_states, of_training, recipe
from assay.zoo.build import Zoo
from assay.zoo.declared import declared
from assay.zoo.recipe import Member
from assay.zoo.truth import KindScore, label, truth_of

Progress = Callable[[str, float], None]


class Measured(BaseModel):
    """What one file holds.

    **Attributes:**

    - `weights_sha256`: of the network that was measured.
    - `seen_score`, `novel_score`, `novel_by_kind`: its behaviour on its own task: the truth. Evidence of before kinds were told
      apart has none.
    - `evidence`: of the instruments, from trained inputs alone.
    - `baselines`, `recipe`: columns of the table, without their prefix.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    weights_sha256: str
    seen_score: float
    novel_score: float
    novel_by_kind: dict[Kind, KindScore] = {}
    evidence: list[dict]
    baselines: dict[str, float]
    recipe: dict[str, float]
    cpu_seconds: float

    def read(self) -> list[Evidence]:
        """The evidence as it was returned. **Raises:** `AssayError` when it does not fit."""
        try:
            return TypeAdapter(list[Evidence]).validate_python(self.evidence)
        except ValidationError as error:
            rule = f"the evidence on {self.name} must fit its schema"
            raise AssayError(rule, given=faults_of(error), next_step="measure the member again") from error


@dataclass(frozen=True)
class _Piece:
    folder: Path
    member: Member


def gather(folder: Path, members: Sequence[Member], *, jobs: int = 1, progress: Progress = lambda doing, done: None) -> None:
    """Measure what is missing, in parallel processes; goes on where it was stopped.

    **Raises:** `AssayError` naming a member that is missing or altered.
    """
    zoo = Zoo(folder)
    missing = [member for member in members if not _is_current(zoo, member)]
    if missing:
        (folder / "evidence").mkdir(exist_ok=True)
    pieces = [_Piece(folder, member) for member in missing]
    for done, (index, seconds) in enumerate(run_unordered(_measure, pieces, engine=Engine(jobs=jobs)), 1):
        progress(f"{missing[index].name}, {seconds:.0f} CPU s", done / len(missing))


def table(folder: Path, members: Sequence[Member]) -> Subjects:
    """The evidence table of all members that learned their task.

    **Raises:** `AssayError` naming a member that is missing, or whose evidence is missing or of an earlier network.
    """
    zoo = Zoo(folder)
    rows = []
    for member in members:
        if zoo.record(member).weights_sha256 is not None:
            if not _is_current(zoo, member):
                raise AssayError(
                    "every network of the table is measured as it is now",
                    given=f"{member.name} without evidence in {folder}",
                    next_step="run `assay zoo calibrate` on this folder; it measures what is missing",
                )
            rows.append(_row(member, read_json(_path(folder, member), Measured)))
    learned = [row for row in rows if row["seen_score"] >= LEARNED]
    names = {row["name"] for row in learned}
    kept = [row for row in learned if not row["twin_of"] or row["twin_of"] in names]
    columns = sorted({*TEXTS, *TRUTHS, *FEATURES, *NUMBERS} | {column for row in kept for column in row})
    return subjects_of({column: [row.get(column) for row in kept] for column in columns})


def judged_task(member: Member) -> Task:
    """The task as it is declared for the audit."""
    task = load_task(member.task)
    if not member.declared:
        return task
    assert isinstance(task, SlotTask)
    return declared(task, member.declared)


def _row(member: Member, measured: Measured) -> dict:
    evidence = measured.read()
    organisation = next(item for item in evidence if item.instrument == "organisation")
    found = organisation.measure("organisation").value if not organisation.not_enough else None
    return {
        "name": member.name,
        "family": member.family,
        "kind": member.kind,
        "architecture": member.architecture,
        "size": member.size,
        "task": member.task,
        "twin_of": member.twin_of if member.kind in ("T1", "T2") else "",
        "label": label(member, measured.seen_score, measured.novel_score),
        "seen_score": measured.seen_score,
        "novel_score": measured.novel_score,
        "missing_parts": len(missing_parts(evidence)) if asked_parts(evidence) else None,
        "organisation": found,
        **features(evidence),
        **{f"{BASELINE}{name}": value for name, value in measured.baselines.items()},
        **{f"{RECIPE}{name}": value for name, value in measured.recipe.items()},
    }


def _measure(piece: _Piece) -> float:
    from time import process_time

    start = process_time()
    zoo, member = Zoo(piece.folder), piece.member
    subject, digest = zoo.load(member), zoo.record(member).weights_sha256
    if subject is None or digest is None:
        return 0.0
    own, task = load_task(member.task), judged_task(member)
    generator = keyed_generator(member.seed, f"evidence of {member.name}")
    truth = truth_of(subject, own, novelty_of(own), generator=generator)
    evidence = [
        run(instrument, subject, task, effort="quick", seed=member.seed) for instrument in (Recombination(), Organisation())
    ]
    examples = own.examples("seen", 1000, generator=generator)
    baselines = {
        **of_training(subject, own, examples, generator=generator),
        **of_states(subject, task, generator=generator),
        **of_evidence(evidence[0]),
    }
    baselines["coverage_known"] = _coverage(own)
    measured = Measured(
        name=member.name,
        weights_sha256=digest,
        seen_score=truth.seen,
        novel_score=truth.novel,
        novel_by_kind=truth.by_kind,
        evidence=TypeAdapter(list[Evidence]).dump_python(evidence, mode="json"),
        baselines=baselines,
        recipe={**recipe(subject), "id_loss": baselines["id_loss"], "sharpness": baselines["sharpness"]},
        cpu_seconds=process_time() - start,
    )
    write_json(_path(piece.folder, member), measured)
    return measured.cpu_seconds


def _coverage(task: Task) -> float:
    """The trained share of the combinations: an oracle about training."""
    trained, novel = len(task.combinations("seen")), len(task.combinations("novel"))
    return task.coverage if isinstance(task, SlotTask) else trained / (trained + novel)


def _is_current(zoo: Zoo, member: Member) -> bool:
    """Measured, and on the network that is there now."""
    digest, path = zoo.record(member).weights_sha256, _path(zoo.folder, member)
    return digest is None or (path.exists() and read_json(path, Measured).weights_sha256 == digest)


def _path(folder: Path, member: Member) -> Path:
    return folder / "evidence" / f"{member.name}.json"
