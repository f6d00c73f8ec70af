"""`audit(subject, task)`: run the instruments that apply, give the reason for those that do not, and reach a verdict."""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Generator, Tensor

from assay import competence
from assay.access import judged_apart
from assay.arguments import checked
from assay.bounds import check_seed
from assay.cards import Environment, SubjectCard, TaskCard
from assay.children import unpicklable
from assay.computation.ability import DeclaresComputation
from assay.display import DataFrameColumns, brief, columns_of, interval, measures_table, number, page, words
from assay.entities import BindsEntities
from assay.errors import AssayError
from assay.evidence import Effort, Evidence, Level
from assay.failed import Failed, attempt
from assay.graph import GivesGraphs
from assay.instrument import Instrument, answering, missing_abilities, run, with_running
from assay.instruments import all_instruments
from assay.isolation import undisturbed
from assay.jobs import one_thread, run_parallel
from assay.objective import Unscored, check_finite
from assay.predictions import Predictions
from assay.printable import printable
from assay.progress import Progress, Shown, shown, silent
from assay.regularity import DeclaresRegularities
from assay.stored_examples import StoredExample, stored_examples
from assay.subject import Integrity, Subject
from assay.task import Examples, PosesPartProblems, Task
from assay.text.corpus import GivesCorpus
from assay.verdict import Verdict, judge
from assay.views import TrainedOnly, Unlabelled

DOES_NOT_GIVE = "the task does not give"
NUM_INTEGRITY_EXAMPLES = 256
NUM_UNSCORED_EXAMPLES = 4  # fewer where the output is not scored: a language model gives a logit for every word
GIVES: Mapping[type, str] = {
    DeclaresComputation: "a declared computation graph (docs/methods/subgraphs.md says which tasks have one, and how)",
    DeclaresRegularities: "a declared regularity, or symmetry (docs/methods/fracture.md says which tasks have one, and how)",
    BindsEntities: "entities with attributes, such as lists or scenes (docs/methods/binding.md)",
    PosesPartProblems: "problems that depend on a single part (docs/tasks/odd_one_out.md says which tasks do, and how)",
    GivesCorpus: "a training text and a held-out text (docs/methods/langue.md)",
    GivesGraphs: "texts with a graph over their words (docs/tasks/treebank.md and docs/tasks/graphs.md say which tasks do)",
}
NOTHING_RUN = Integrity(outputs_identical=True, weights_identical=True, num_examples=0, num_sites=0)
"""The integrity of a file of predictions: there is no network that reading could change."""
NOT_NAMED = "it takes longer than all others together, so it runs only if it is named or at full effort"
NEEDS_MORE = "it needs novel inputs or the task itself, which access level 0 does not allow"


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """An instrument that was not run, and why."""

    __repr__ = brief

    instrument: str
    reason: str


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
            sample = _sample(task, seed)
            outputs = _outputs(subject, task, sample)
            report("checking that reading leaves the network as it is", 0.0)
            integrity = subject.integrity(sample.inputs)
            unlearned = "" if outputs is None else competence.unlearned(outputs, sample, task.objective)
            if outputs is not None and unlearned:
                hint = _other_order(subject, task, outputs, seed)
                if not hint and subject.initial:
                    hint = f"No weights file was given: its weights are those that {subject.initial} gave it"
        if unlearned:
            report(f"unlearned: {unlearned}", 0.0)
        chosen = all_instruments() if instruments is None else instruments
        applying, skipped = _applicable(chosen, subject, task, level, unlearned, instruments is not None or effort == "full")
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


def _sample(task: Task, seed: int) -> Examples:
    num = NUM_UNSCORED_EXAMPLES if isinstance(task.objective, Unscored) else NUM_INTEGRITY_EXAMPLES
    return task.examples("seen", num, generator=Generator().manual_seed(seed))


def _other_order(subject: Subject, task: Task, outputs: Tensor, seed: int) -> str:
    """Warning that the classes are in another order, or empty. It needs more examples than the check for an unlearned
    network."""
    num = competence.examples_for_order(outputs, task.objective)
    more = task.examples("seen", num, generator=Generator().manual_seed(seed))
    return competence.other_order(subject(more.inputs), more, task.objective)


def _outputs(subject: Subject, task: Task, sample: Examples) -> Tensor | None:
    """Outputs on trained examples, after checks that weights, inputs and outputs are finite and that the task can score them;
    None where the task scores no outputs."""
    trained = {name for name, _ in subject.module.named_parameters(remove_duplicate=False)}
    for name, weight in subject.weights().items():
        if weight.is_meta:
            raise AssayError(
                "the weights of a network must be loaded before it is audited",
                given=f"{name} on the meta device",
                next_step="load them all, in nnsight with dispatch=True",
            )
        # A buffer may hold an infinite constant, such as what a mask adds to the scores of attention.
        check_finite(weight if name in trained else weight[~weight.isinf()], f"the subject's weight {name}")
    for name, values in sample.inputs.items():
        check_finite(values, f"the task's input {name}")
    if isinstance(task.objective, Unscored):
        return None
    outputs = subject(sample.inputs)
    if not outputs.is_floating_point():
        raise AssayError(
            "the subject's output must be real numbers, such as logits",
            given=f"{str(outputs.dtype).removeprefix('torch.')} of shape {tuple(outputs.shape)}",
            next_step="return the scores from which the answer is chosen, not the answer itself",
        )
    check_finite(outputs, "the subject's output")
    task.score(outputs, sample)
    return outputs


def _applicable(
    chosen: Sequence[Instrument], subject: Subject, task: Task, level: Level, unlearned: str, asked: bool
) -> tuple[list[Instrument], list[Skipped]]:
    """The instruments that apply, and those that do not with the reason."""
    applying, skipped = [], []
    for instrument in chosen:
        if isinstance(subject, Predictions) and not instrument.reads_predictions:
            reason = "it runs the network, but only a file of its answers was given"
        elif missing := missing_abilities(instrument, task):
            reason = f"{DOES_NOT_GIVE} {' and '.join(GIVES.get(ability, ability.__name__) for ability in missing)}"
        elif isinstance(task.objective, Unscored) and not {GivesCorpus, GivesGraphs}.intersection(instrument.needs):
            reason = "the task does not score the network's output, so there is no behaviour to judge"
        elif level == 0 and missing_abilities(instrument, TrainedOnly(task)):
            reason = NEEDS_MORE
        elif not asked and not getattr(instrument, "by_default", True):
            reason = NOT_NAMED
        elif unlearned and getattr(instrument, "searches", False):
            reason = f"its search is long, and the network has not learned its task: {unlearned}"
        else:
            applying.append(instrument)
            continue
        skipped.append(Skipped(instrument=instrument.name, reason=reason))
    return applying, skipped


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
