"""`assay.check(instrument)`: the false-finding rate of an instrument, and the public checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Generator

from assay.conformance.case import Case, pairs
from assay.conformance.checks import CHECKS
from assay.display import brief
from assay.errors import AssayError
from assay.evidence import Effort, Interval
from assay.factory import call_factory
from assay.instrument import Instrument, missing_abilities, run
from assay.instruments import load_instrument
from assay.jobs import run_parallel
from assay.progress import Progress, silent
from assay.stats import keyed_seed, share_interval
from assay.subject import Subject
from assay.task import Task

NETWORKS = 20


@dataclass(frozen=True, kw_only=True)
class FalseFindings:
    """False findings of an instrument on networks in which there is nothing to find.

    **Attributes:**

    - `kind`: `untrained`, or trained on `wrong labels`; `task`: on which they were read.
    - `refused`: number of networks for which the instrument had no number; `found`: of the others, those with a finding.
    - `rate`, `interval`: share with a finding, and its exact interval (Clopper and Pearson 1934); None where all were refused.
    """

    kind: str
    task: str
    networks: int
    refused: int
    found: int
    rate: float | None
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """Result of `check`. `failures`: the message of every public check, empty if it passed; no checks were run for an
    instrument that needs its own task."""

    __repr__ = brief

    instrument: str
    false_findings: tuple[FalseFindings, ...]
    failures: dict[str, str]

    @property
    def passed(self) -> bool:
        """Whether no public check failed. Rates are left to the reader."""
        return not any(self.failures.values())


def check(
    instrument: Instrument | str,
    *,
    subject: Subject | None = None,
    task: Task | None = None,
    networks: int = NETWORKS,
    effort: Effort = "quick",
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = silent,
) -> Check:
    """Measure the false-finding rate of any instrument, and run the public checks (`assay.conformance`).

    Each untrained copy of a network is in turn the subject, with copies of its own; so are networks trained on wrong labels,
    where the case has them. A finding is a headline measure that beats all its nulls at a false discovery rate of 5 %; here
    every finding is false.

    **Arguments:**

    - `instrument`: an instrument, its name, or the address `package.module:Class` of your own, which is imported and called.
    - `subject`, `task`: the network whose copies are read, and the task. By default the MLP and the 36 pairs of values of
      `assay.conformance.pairs`, on which the checks run too. An instrument that needs more of a task needs both arguments.
    - `networks`: number of each kind, on each task.

    **Raises:** `AssayError` for an instrument that needs more than the pairs give, and for fewer than one network.

    Example::

        print(assay.check("systematicity", networks=20).false_findings)
    """
    instrument = _instrument(instrument) if isinstance(instrument, str) else instrument
    if networks < 1:
        raise AssayError("a rate needs one network or more", given=networks)
    if (subject is None) != (task is None):
        raise AssayError("a subject and its task must be given together", next_step="give both, or neither")
    measured = partial(false_findings, instrument, effort=effort, seed=seed, jobs=jobs, progress=progress)
    if subject is not None and task is not None:
        copies = [subject.untrained(Generator().manual_seed(keyed_seed(seed, f"check: {k}"))) for k in range(networks)]
        found = (measured(copies, task, kind="untrained", name=task.address),)
        return Check(instrument=instrument.name, false_findings=found, failures={})
    case = pairs()
    if missing := missing_abilities(instrument, case.task):
        raise AssayError(
            f"{instrument.name} must be checked on a task that gives what it needs",
            given=f"pairs of values, which lack {', '.join(ability.__name__ for ability in missing)}",
            next_step="give a subject and its task: --subject and --task on the command line",
        )
    found = []
    for name, hard in case.hard.items():
        found.append(measured([case.untrained(hard, k) for k in range(networks)], hard, kind="untrained", name=name))
        found.append(measured(case.memorisers(hard, networks), hard, kind="wrong labels", name=name))
    return Check(instrument=instrument.name, false_findings=tuple(found), failures=_failures(instrument, case))


def false_findings(
    instrument: Instrument,
    subjects: Sequence[Subject],
    task: Task,
    *,
    kind: str,
    name: str,
    effort: Effort = "quick",
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = silent,
) -> FalseFindings:
    """False-finding rate over networks in which there is nothing to find. `kind`, `name`: names of networks and task."""
    work = list(enumerate(subjects, start=seed))
    answers = run_parallel(partial(_found, instrument, task, effort), work, jobs=jobs, progress=progress)
    asked = [answer for answer in answers if answer is not None]
    return FalseFindings(
        kind=kind,
        task=name,
        networks=len(subjects),
        refused=len(answers) - len(asked),
        found=sum(asked),
        rate=sum(asked) / len(asked) if asked else None,
        interval=share_interval(sum(asked), len(asked)) if asked else None,
    )


def _found(instrument: Instrument, task: Task, effort: Effort, work: tuple[int, Subject]) -> bool | None:
    """Whether there was a finding; None where the instrument had too little data for a value."""
    seed, subject = work
    evidence = run(instrument, subject, task, effort=effort, seed=seed)
    return None if evidence.not_enough else bool(evidence.findings())


def _failures(instrument: Instrument, case: Case) -> dict[str, str]:
    failures = {}
    for one in CHECKS:
        name = one.__name__.removeprefix("check_").replace("_", " ")
        try:
            one(instrument, case)
        except Exception as error:  # any exception of a plug-in is a failed check
            failures[name] = str(error) or type(error).__name__
        else:
            failures[name] = ""
    return failures


def _instrument(name: str) -> Instrument:
    module, _, attribute = name.partition(":")
    if not attribute:
        return load_instrument(name)
    made = call_factory(module, attribute)
    if not isinstance(made, Instrument):
        raise AssayError("the address must name an assay.Instrument", given=f"{name}, {type(made).__name__}")
    return made
