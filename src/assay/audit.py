"""`audit(subject, task)`: run the instruments that apply, say why the rest do not, and judge."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator

from assay.access import JudgesObserved, judged_apart
from assay.bounds import check_seed
from assay.evidence import Effort, Evidence, Level
from assay.graph import GivesGraphs
from assay.instrument import Instrument, Measures, Progress, missing_abilities, run, silent
from assay.instruments import all_instruments
from assay.jobs import one_thread, run_parallel
from assay.objective import Unscored, check_finite
from assay.subject import Integrity, Subject
from assay.task import Examples, Task
from assay.verdict import Verdict, judge
from assay.versions import versions_of

NUM_INTEGRITY_EXAMPLES = 256


@dataclass(frozen=True, kw_only=True)
class SubjectCard:
    """What was audited: enough to find it again and to know that it is the same."""

    name: str
    address: str
    architecture: str
    num_weights: int
    weights_sha256: str


@dataclass(frozen=True, kw_only=True)
class PartCard:
    """One declared part."""

    name: str
    values: tuple[str, ...]
    graded: bool


@dataclass(frozen=True, kw_only=True)
class TaskCard:
    """What it was audited on."""

    address: str
    parts: tuple[PartCard, ...]
    combines: tuple[str, ...]
    num_seen: int
    num_novel: int
    unit: str
    chance: float


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """An instrument that was not run, and why."""

    instrument: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the numbers may depend on besides the seed."""

    versions: Mapping[str, str]
    python: str
    machine: str
    device: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class Audit:
    """One subject on one task: everything a report shows."""

    subject: SubjectCard
    task: TaskCard
    verdict: Verdict
    evidence: tuple[Evidence, ...]
    skipped: tuple[Skipped, ...]
    integrity: Integrity
    effort: Effort
    level: Level
    seed: int
    environment: Environment


def audit(
    subject: Subject,
    task: Task,
    *,
    seed: int = 0,
    effort: Effort = "standard",
    level: Level = 2,
    instruments: Sequence[Instrument | Measures] | None = None,
    address: str = "",
    jobs: int = 1,
    progress: Progress = silent,
) -> Audit:
    """Audit one network.

    **Arguments:**

    - `seed`: of everything drawn. The same seed gives the same bytes on one thread of a CPU.
    - `effort`: `quick` (seconds), `standard` (a minute or two on two cores) or `full`.
    - `level`: of access. 0 allows trained inputs and the declaration only: instruments run in a process that cannot reach
      the task, and those that need it are skipped. 1 also allows novel inputs, 2 their labels; at 1 what needs labels is
      left out. A task that has no novel combinations, or none with answers (`Task.level`), allows no more than 0 or 1.
    - `instruments`: all registered ones by default.
    - `address`: where the subject came from, for the report.
    - `jobs`: processes in which instruments run side by side, and those that take long read their copies; the bytes of the
      result do not depend on it.

    **Raises:** `AssayError` when the subject cannot run the task, or holds or returns NaN.
    """
    check_seed("the seed of an audit", seed)
    allowed = min(level, task.level)
    with one_thread():
        _check_runs(subject, task, seed)
        integrity = subject.integrity(_sample(task, seed).inputs)
        applying, skipped = _sorted_out(all_instruments() if instruments is None else instruments, task, level)
        if level == 0:
            progress("judging in a process that cannot reach the task", 0.1)
            able = [instrument for instrument in applying if isinstance(instrument, JudgesObserved)]
            evidence = judged_apart(able, subject, task, effort=effort, seed=seed) if able else []
        else:
            pieces = [_Piece(instrument, subject, task, effort, seed) for instrument in applying]
            evidence = [item.at_level(allowed) for item in _run_all(pieces, jobs=jobs, progress=progress)]
        environment = _environment(subject)
    progress("done", 1.0)
    return Audit(
        subject=_subject_card(subject, address),
        task=_task_card(task),
        verdict=judge(evidence),
        evidence=tuple(evidence),
        skipped=tuple(skipped),
        integrity=integrity,
        effort=effort,
        level=allowed,
        seed=seed,
        environment=environment,
    )


def _sample(task: Task, seed: int) -> Examples:
    return task.examples("seen", NUM_INTEGRITY_EXAMPLES, generator=Generator().manual_seed(seed))


def _check_runs(subject: Subject, task: Task, seed: int) -> None:
    """The weights and outputs are finite, and the outputs are what the task scores."""
    for name, weight in subject.weights().items():
        check_finite(weight, f"the subject's weight {name}")
    sample = _sample(task, seed)
    for name, values in sample.inputs.items():
        check_finite(values, f"the task's input {name}")
    outputs = subject(sample.inputs)
    check_finite(outputs, "the subject's output")
    task.score(outputs, sample)


def _sorted_out(
    chosen: Sequence[Instrument | Measures], task: Task, level: Level
) -> tuple[list[Instrument | Measures], list[Skipped]]:
    """What applies, and what does not with the reason."""
    applying, skipped = [], []
    for instrument in chosen:
        if missing := missing_abilities(instrument, task):
            reason = f"the task cannot do what it needs: {', '.join(missing)}"
        elif isinstance(task.objective, Unscored) and GivesGraphs not in instrument.needs:
            reason = "the task asks nothing of the network's output, so there is no behaviour to judge"
        elif level == 0 and not isinstance(instrument, JudgesObserved):
            reason = "it draws novel inputs, which access level 0 does not allow"
        else:
            applying.append(instrument)
            continue
        skipped.append(Skipped(instrument=instrument.name, reason=reason))
    return applying, skipped


def _run_all(pieces: Sequence["_Piece"], *, jobs: int, progress: Progress) -> list[Evidence]:
    """Every piece, here or side by side; what shares its own work out comes after the others, with all processes."""
    beside = [k for k, piece in enumerate(pieces) if jobs != 1 and not getattr(piece.instrument, "long", False)]

    def told(doing: str, share: float) -> None:
        progress(doing, share * len(beside) / len(pieces))

    found = dict(zip(beside, run_parallel(_measure, [pieces[k] for k in beside], jobs=jobs, progress=told), strict=True))
    for index, piece in enumerate(pieces):
        if index not in found:

            def scaled(doing: str, done: float, name: str = piece.instrument.name) -> None:
                progress(f"{name}: {doing}", (len(found) + done) / len(pieces))

            found[index] = _measure(piece, scaled, jobs=jobs)
    return [found[index] for index in range(len(pieces))]


class _Piece(NamedTuple):
    """One instrument to run."""

    instrument: Instrument | Measures
    subject: Subject
    task: Task
    effort: Effort
    seed: int


def _measure(piece: _Piece, progress: Progress = silent, *, jobs: int = 1) -> Evidence:
    instrument, subject, task, effort, seed = piece
    return run(instrument, subject, task, effort=effort, seed=seed, jobs=jobs, progress=progress)


def _subject_card(subject: Subject, address: str) -> SubjectCard:
    digest = hashlib.sha256()
    for name, weight in sorted(subject.weights().items()):
        digest.update(name.encode())
        digest.update(weight.cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes())
    return SubjectCard(
        name=subject.name,
        address=address,
        architecture=str(subject.module),
        num_weights=subject.num_weights(),
        weights_sha256=digest.hexdigest(),
    )


def _task_card(task: Task) -> TaskCard:
    return TaskCard(
        address=task.address,
        parts=tuple(PartCard(name=part.name, values=part.values, graded=part.graded) for part in task.parts),
        combines=task.combines,
        num_seen=len(task.combinations("seen")),
        num_novel=len(task.combinations("novel")),
        unit=task.objective.unit,
        chance=task.objective.chance,
    )


def _environment(subject: Subject) -> Environment:
    return Environment(
        versions=versions_of("assay", "torch", "numpy", "scipy", "scikit-learn"),
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        device=str(subject.device),
        threads=torch.get_num_threads(),
    )
