"""`audit(subject, task)`: run the instruments that apply, give the reason for those that do not, and reach a verdict."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from assay.access import judged_apart
from assay.arguments import checked
from assay.bounds import check_seed
from assay.cards import Environment, SubjectCard, TaskCard
from assay.children import unpicklable
from assay.competence import checked_sample, unlearned_task
from assay.display import DataFrameColumns, brief, columns_of, interval, measures_table, number, page, words
from assay.evidence import Effort, Evidence, Level
from assay.failed import Failed, attempt
from assay.instrument import Instrument, answering, run, with_running
from assay.instrument.applicable import NEEDS_MORE, Skipped, applicable
from assay.instruments import all_instruments
from assay.isolation import undisturbed
from assay.jobs import one_thread, run_parallel
from assay.predictions import Predictions
from assay.printable import printable
from assay.progress import Progress, Shown, shown, silent
from assay.stored_examples import StoredExample, stored_examples
from assay.subject import Integrity, Subject
from assay.task import Task
from assay.verdict import Verdict, judge
from assay.views import Unlabelled

NOTHING_RUN = Integrity(outputs_identical=True, weights_identical=True, num_examples=0, num_sites=0)
"""The integrity of a file of predictions: there is no network that reading could change."""


@dataclass(frozen=True, kw_only=True)
class Audit(DataFrameColumns):
    """One subject on one task: everything a report shows. `examples`: inputs and answers of the combinations that measures rest
    on; `command`: the shell command that repeats the audit, empty where it was run from Python.

    Example::

        >>> audit = assay.read_report("report")
        >>> [evidence.instrument for evidence in audit.evidence]
        ['systematicity']
        >>> sorted(audit.columns())[:3]  # audit.to_pandas() makes a data frame of them
        ['headline', 'high', 'instrument']
    """

    __repr__ = brief

    subject: SubjectCard
    task: TaskCard
    verdict: Verdict
    evidence: tuple[Evidence, ...]
    skipped: tuple[Skipped, ...]
    failed: tuple[Failed, ...] = ()
    integrity: Integrity
    effort: Effort
    level: Level
    seed: int
    environment: Environment
    examples: tuple[StoredExample, ...] = ()
    command: str = ""

    def columns(self) -> dict[str, list[Any]]:
        """One row for every measure of every instrument, as `assay.display.columns_of` has it."""
        return columns_of(self.evidence)

    def __str__(self) -> str:
        """The verdict, and the headline measures beside their nulls."""
        rows = [f"{self.subject.name} on {self.task.address}: {self.verdict.headline}", self.verdict.sentence]
        for measure in (measure for item in self.evidence for measure in item.measures if measure.headline):
            if measure.value is None:
                rows.append(f"  {measure.label}: not enough data")
                continue
            nulls = ", ".join(f"{null.name} {number(null.mean)}" for null in measure.nulls if null.values)
            rows.append(f"  {measure.label}: {number(measure.value)} {interval(measure.interval)} ({nulls})")
        rows += [f"  failed: {fault.instrument}: {fault.reason}" for fault in self.failed]
        return printable("\n".join(rows), keep="\n")

    def _repr_html_(self) -> str:
        headlines = [measure for item in self.evidence for measure in item.measures if measure.headline]
        unanswered = [(item.instrument, item.not_enough) for item in self.evidence if item.not_enough]
        unanswered += [(skip.instrument, skip.reason) for skip in self.skipped]
        return page(
            words(f"{self.subject.name} on {self.task.address}"),
            self.verdict._repr_html_(),
            measures_table(headlines),
            *(words(f"Failed: {fault.instrument}: {fault.reason}") for fault in self.failed),
            *(words(f"Not run: {name}: {reason}") for name, reason in unanswered),
        )


@checked
def audit(
    subject: Subject,
    task: Task,
    *,
    seed: int = 0,
    effort: Effort = "standard",
    level: Level = 2,
    instruments: Sequence[Instrument] | None = None,
    address: str = "",
    jobs: int = 1,
    progress: Shown = "bar",
) -> Audit:
    """Audit one network, or a file of its answers (`assay.predictions.Predictions`), by the instruments that apply.

    **Arguments:**

    - `seed`: random seed. The same seed gives the same bytes on one thread of a CPU.
    - `effort`: `quick` (seconds), `standard` (a minute or two on two cores) or `full`.
    - `level`: access level. 0 allows trained inputs and the declaration only: instruments run in a process that cannot reach
      the task, and those that need it are skipped. 1 also allows novel inputs, and 2 their labels; measures that need more are
      left out. A task without novel combinations allows at most 0, one without their answers at most 1 (`Task.level`).
    - `instruments`: by default all registered ones, but `circuits` only at full effort.
    - `address`: where the subject came from, for the report.
    - `jobs`: number of processes, over which instruments run in parallel; long ones run one after the other, with their copies
      in parallel. The result does not depend on it.
    - `progress`: by default a bar on stderr, or a line at most every 30 seconds where stderr is no terminal; None shows
      nothing; a function is called with the name of the current step and the share done.

    An instrument that raises is listed in `failed` with its reason; the evidence of the others is kept.

    **Raises:** `AssayError` when the subject cannot run the task, or holds or returns NaN.

    Example::

        >>> subject, task = assay.load_subject("runs/addition"), assay.load_task("modular-addition:p=7")
        >>> systematicity = assay.load_instrument("systematicity")
        >>> assay.audit(subject, task, effort="quick", instruments=[systematicity], progress=None).seed
        0
    """
    check_seed("the seed of an audit", seed)
    allowed = min(level, task.level)
    subject = answering(subject, task)
    with one_thread(), undisturbed(subject.module, seed), shown(progress) as report:
        # No progress is shown before the network is known to run, so that a mistake shows its message alone.
        unlearned, hint, integrity = "", "", NOTHING_RUN
        if not isinstance(subject, Predictions):
            sample, outputs = checked_sample(subject, task, seed)
            report("checking that reading leaves the network as it is", 0.0)
            integrity = subject.integrity(sample.inputs)
            unlearned, hint = unlearned_task(subject, task, sample, outputs, seed)
        if unlearned:
            report(f"unlearned: {unlearned}", 0.0)
        chosen = all_instruments() if instruments is None else instruments
        applying, skipped = applicable(chosen, subject, task, level, unlearned, instruments is not None or effort == "full")
        if level == 0:
            report("judging in a process that cannot reach the task", 0.0)
            judged = judged_apart(applying, subject, task, effort=effort, seed=seed, progress=report)
            found = [item for item in judged if item is not None]
            left_out = [one.name for one, item in zip(applying, judged, strict=True) if item is None]
            skipped += [Skipped(instrument=name, reason=NEEDS_MORE) for name in left_out]
        else:
            allowing = Unlabelled(task) if level == 1 else task
            subject, warnings = with_running(subject, allowing) if applying else (subject, ())
            pieces = [_InstrumentRun(instrument, subject, allowing, effort, seed, warnings) for instrument in applying]
            found = _run_all(pieces, jobs=jobs, progress=report)
        evidence = [item.at_level(allowed) for item in found if isinstance(item, Evidence)]
        with undisturbed(subject.module, seed):
            stored = attempt("stored examples", lambda: stored_examples(evidence, subject, task, level=allowed, seed=seed))
        environment = Environment.of(subject)
        report("done", 1.0)
    failed = tuple(item for item in (*found, stored) if isinstance(item, Failed))
    return Audit(
        subject=SubjectCard.of(subject, address),
        task=TaskCard.of(task),
        verdict=judge(evidence, unreliable=integrity.failure, unlearned=unlearned, hint=hint, failed=failed),
        evidence=tuple(evidence),
        skipped=tuple(skipped),
        failed=failed,
        integrity=integrity,
        effort=effort,
        level=allowed,
        seed=seed,
        environment=environment,
        examples=() if isinstance(stored, Failed) else stored,
    )


def _run_all(pieces: Sequence["_InstrumentRun"], *, jobs: int, progress: Progress) -> list[Evidence | Failed]:
    """Run every instrument. Those that parallelise their own work come after the others, with all processes."""
    beside = [k for k, piece in enumerate(pieces) if jobs != 1 and not getattr(piece.instrument, "long", False)]

    def scaled_beside(doing: str, share: float) -> None:
        progress(doing, share * len(beside) / len(pieces))

    try:
        results = run_parallel(_measure, [pieces[k] for k in beside], jobs=jobs, progress=scaled_beside)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        sent = {"the network": pieces[0].subject, "the task": pieces[0].task}
        sent |= {f"the instrument {piece.instrument.name}": piece.instrument for piece in pieces}
        raise unpicklable(sent, "with jobs, instruments run in processes") or error from error
    found = dict(zip(beside, results, strict=True))
    for index, piece in enumerate(pieces):
        if index not in found:

            def scaled(doing: str, done: float, name: str = piece.instrument.name) -> None:
                progress(f"{name}: {doing}", (len(found) + done) / len(pieces))

            found[index] = _measure(piece, scaled, jobs=jobs)
    return [found[index] for index in range(len(pieces))]


class _InstrumentRun(NamedTuple):
    """One instrument with its subject, task and settings."""

    instrument: Instrument
    subject: Subject
    task: Task
    effort: Effort
    seed: int
    warnings: tuple[str, ...]


def _measure(piece: _InstrumentRun, progress: Progress = silent, *, jobs: int = 1) -> Evidence | Failed:
    instrument, subject, task, effort, seed, warnings = piece
    return attempt(
        instrument.name,
        lambda: run(instrument, subject, task, effort=effort, seed=seed, jobs=jobs, warnings=warnings, progress=progress),
    )
