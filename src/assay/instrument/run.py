"""Run of one instrument on one network: read it, its untrained copies and named references, and compute the evidence."""

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Generator

from assay.arguments import checked
from assay.children import unpicklable
from assay.compiled import uncompiled
from assay.errors import AssayError
from assay.evidence import UNTRAINED, Effort, Evidence
from assay.instrument.frame import Instrument, NotEnough, Notes, Random, Reading, Readings, Values
from assay.instrument.nulls import Nulls, measure_of
from assay.integrity import weights_kept
from assay.isolation import undisturbed
from assay.jobs import run_parallel
from assay.objective import Unscored
from assay.predictions import Predictions
from assay.progress import Progress, following, report, silent, stage
from assay.references import cited
from assay.stats import keyed_generator, keyed_seed
from assay.stored_examples import cut
from assay.subject import Subject
from assay.task import Task

_FEW = 8  # examples from which the answer among several outputs is determined
SLACK = 1e-5  # rounding by which a value may exceed its bounds
NUM_RUNNING = 64
READS_PREDICTIONS = "give the network itself, or take an instrument that reads predictions, such as subgraphs"
NOT_DRAWN_AGAIN = (
    "Untrained copies answer exactly as the network does, so nothing can lie above them: its forward uses weights that "
    "copies share (in a closure, a compiled method, modules in a plain list), or it has no parameters. Give `Subject` a "
    "`fresh` that builds a new network from a generator."
)


@checked
def run(
    instrument: Instrument,
    subject: Subject,
    task: Task,
    *,
    effort: Effort = "standard",
    seed: int = 0,
    jobs: int = 1,
    references: Mapping[str, Subject] | None = None,
    warnings: Sequence[str] | None = None,
    progress: Progress = silent,
) -> Evidence:
    """Evidence of one instrument on one network.

    **Arguments:**

    - `seed`: random seed. The same seed gives the same bytes, whatever `jobs` is.
    - `jobs`: number of processes in which the untrained copies of the network and the `references` are read.
    - `subject`: a network, or a file of answers (`assay.predictions.Predictions`, without copies).
    - `references`: further networks by name, such as a dense twin or another seed, each read like the first. Each serves
      as a null of every measure for which it has a value.
    - `warnings`: None, or what `with_running` returned beside the subject if the caller has called it before.

    **Raises:** `AssayError` for an effort without a budget, and for an instrument that changes the network's weights, which are
    restored; any exception of the instrument.

    Example::

        >>> from assay.instrument import run
        >>> subject, task = assay.load_subject("runs/addition"), assay.load_task("modular-addition:p=7")
        >>> evidence = run(assay.load_instrument("systematicity"), subject, task, effort="quick", seed=0)
        >>> evidence.measure("seen_score").units
        34
    """
    if isinstance(subject, Predictions) and not instrument.reads_predictions:
        raise AssayError(f"{instrument.name} must run a network", given=subject.name, next_step=READS_PREDICTIONS)
    subject = answering(subject, task)
    named = {name: answering(network, task) for name, network in (references or {}).items()}
    if warnings is None:
        subject, warnings = with_running(subject, task)
    guarded = weights_kept(subject.module, instrument.name)
    with undisturbed(subject.module, seed_of_draws(seed, instrument.name)), following(progress), uncompiled(), guarded:
        evidence = _run(instrument, subject, task, effort, seed, jobs, named)
    return replace(evidence, warnings=(*evidence.warnings, *warnings))


def seed_of_draws(seed: int, name: str) -> int:
    """Seed of a network's own random draws while an instrument reads it."""
    return keyed_seed(seed, f"{name}: draws of the network")


def with_running(subject: Subject, task: Task) -> tuple[Subject, tuple[str, ...]]:
    """The subject with the buffers that untrained copies redraw (`Subject.with_running`), and warnings where these are not
    known or a copy has the same outputs as the network."""
    if isinstance(subject, Predictions):
        return subject, ()
    sample = task.examples("train", NUM_RUNNING, generator=Generator().manual_seed(0))
    warnings_found: tuple[str, ...] = ()
    with undisturbed(subject.module, 0), uncompiled():
        try:
            subject = subject.with_running(sample.inputs)
        except AssayError as error:
            warnings_found = (f"Untrained copies may hold learned buffers: {error}",)
        try:
            few = sample.take(torch.arange(min(_FEW, len(sample)))).inputs
            own, copy = subject(few), subject.untrained(keyed_generator(0, "a copy"))(few)
        except AssayError:
            return subject, warnings_found  # a network that cannot be run or copied is reported later
    if len(own) > 1 and torch.equal(own, copy) and not torch.equal(own, own[:1].expand_as(own)):
        warnings_found += (NOT_DRAWN_AGAIN,)
    return subject, warnings_found


def _run(
    instrument: Instrument,
    subject: Subject,
    task: Task,
    effort: Effort,
    seed: int,
    jobs: int,
    references: Mapping[str, Subject],
) -> Evidence:
    if effort not in instrument.budgets:
        raise AssayError(f"{instrument.name} must have a budget for the effort", given=effort, choices=list(instrument.budgets))
    try:
        data = draw(instrument, subject, task, effort=effort, seed=seed)
    except NotEnough as reason:
        return not_enough(instrument, reason)

    def further(own: Reading) -> dict[str, Subject]:
        made = instrument.references(subject, task, data, own, Random(seed, instrument.name).within("references"))
        return {name: answering(network, task) for name, network in made.items()}

    return read(instrument, subject, data, effort=effort, seed=seed, jobs=jobs, references=references, further=further)


def draw(instrument: Instrument, subject: Subject, task: Task, *, effort: Effort, seed: int) -> Any:
    """Data that an instrument draws from a task. **Raises:** `NotEnough`."""
    with undisturbed(subject.module, seed_of_draws(seed, instrument.name)), stage("drawing examples", 0.0, 0.05):
        return instrument.data(subject, task, instrument.budgets[effort], Random(seed, instrument.name))


def not_enough(instrument: Instrument, reason: NotEnough) -> Evidence:
    """Evidence of an instrument with too little data: the reason and no number."""
    why = str(reason).rstrip(".")
    return Evidence(
        instrument=instrument.name,
        question=instrument.question,
        summary=f"Not enough data: {why}.",
        not_enough=why,
        sources=cited(instrument.cites),
    )


def read(
    instrument: Instrument,
    subject: Subject,
    data: Any,
    *,
    effort: Effort,
    seed: int,
    jobs: int = 1,
    references: Mapping[str, Subject] | None = None,
    further: Callable[[Reading], Mapping[str, Subject]] = lambda own: {},
) -> Evidence:
    """The second half of `run`, from drawn `data`, which gives the same evidence in any process. `further`: makes references
    from the network's reading; those of the instrument where the task is available."""
    with undisturbed(subject.module, seed_of_draws(seed, instrument.name)):
        return _read(instrument, subject, data, effort, seed, jobs, references or {}, further)


def _read(
    instrument: Instrument,
    subject: Subject,
    data: Any,
    effort: Effort,
    seed: int,
    jobs: int,
    references: Mapping[str, Subject],
    further: Callable[[Reading], Mapping[str, Subject]],
) -> Evidence:
    budget, rng = instrument.budgets[effort], Random(seed, instrument.name)
    try:
        with stage("reading the network", 0.05, 0.4):
            own = _checked(instrument, instrument.read(subject, data, rng.within("network")))
    except NotEnough as reason:
        return not_enough(instrument, reason)
    references = {**references, **further(own)}
    num_copies = 0 if isinstance(subject, Predictions) else budget.copies
    others = [_Other(subject, rng.within("copy", k), draw=True) for k in range(num_copies)]
    others += [_Other(network, rng.within("reference", name)) for name, network in references.items()]
    others = [other._replace(place=(k, len(others))) for k, other in enumerate(others)]
    with stage("reading untrained copies", 0.4, 0.8):
        try:
            found = run_parallel(partial(_read_other, instrument, data, own), others, jobs=jobs, progress=report)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            sent = {"what `data` returns": data, "what `read` keeps": own, "the network": subject}
            raise unpicklable(sent, f"{instrument.name} reads copies in processes with jobs") or error from error
    copies, beside = found[:num_copies], dict(zip(references, found[num_copies:], strict=True))
    again = {}
    for name, other in instrument.controls(data, rng.within("controls")).items():
        with stage(name, 0.8, 1.0):
            repeats = [
                _read_other(
                    instrument, some, own, _Other(subject, rng.within("control", name, k), place=(k, len(other.repeats)))
                )
                for k, some in enumerate(other.repeats)
            ]
        again[name] = other.how, repeats
    nulls = Nulls.of(copies, again, beside)
    metrics = {metric.key: metric for metric in instrument.metrics}
    if isinstance(subject, Predictions):  # predictions have no untrained copies
        metrics = {key: replace(one, beats=tuple(set(one.beats) - {UNTRAINED})) for key, one in metrics.items()}
    measures = [measure_of(metrics[values.metric], values, nulls) for values in own.values]
    notes = instrument.explain(data, Readings(own, copies, beside), measures)
    if not isinstance(notes, Notes):
        raise _broken(instrument, "`explain` must return assay.instrument.Notes", type(notes).__name__)
    return Evidence(
        instrument=instrument.name,
        question=instrument.question,
        summary=notes.summary,
        measures=tuple(measures),
        figures=tuple(notes.figures),
        sources=cited(instrument.cites),
        warnings=tuple(notes.warnings),
        not_tested=tuple(notes.not_tested),
        settings={"effort": effort, **_plain(asdict(budget)), **notes.settings},
        inputs=_cut(notes.inputs),
        images=notes.images,
        pictured=notes.pictured,
        answers=_cut(notes.answers),
    )


def _cut(texts: Mapping[str, Mapping[int, str]]) -> dict[str, dict[int, str]]:
    return {unit: {k: cut(text) for k, text in of_unit.items()} for unit, of_unit in texts.items()}


def answering(subject: Subject, task: Task) -> Subject:
    """The network with the tensor of its output that fits the task's answers as its output, unless one is named.

    **Raises:** `AssayError` listing the candidates when none of several fits, or more than one.
    """
    if subject.column is not None or isinstance(task.objective, Unscored) or isinstance(subject, Predictions):
        return subject
    few = task.examples("seen", _FEW, generator=Generator().manual_seed(0))
    return subject.answering(few.inputs, like=task.objective.ideal(few.targets))


class _Other(NamedTuple):
    """A further network to read: a reference or, with `draw`, a randomly initialised copy, made in the process that reads it.
    `place`: its index and the number of networks."""

    network: Subject
    rng: Random
    draw: bool = False
    place: tuple[int, int] = (0, 1)


def _read_other(instrument: Instrument, data: Any, own: Reading, other: _Other) -> Reading:
    k, num = other.place
    try:
        with stage(f"{k + 1} of {num}", k / num, (k + 1) / num), uncompiled():
            network = other.network.untrained(other.rng("weights")) if other.draw else other.network
            with undisturbed(network.module, other.rng("draws of the network")):
                return _checked(instrument, instrument.read_copy(network, data, own, other.rng))
    except NotEnough:
        return Reading(())


def _checked(instrument: Instrument, reading: Any) -> Reading:
    """A validated reading. **Raises:** `AssayError` naming the instrument and the rule that it breaks."""
    if not isinstance(reading, Reading):
        raise _broken(instrument, "`read` must return an assay.instrument.Reading", type(reading).__name__)
    if not isinstance(reading.values, Sequence):
        raise _broken(instrument, "the values of a Reading must be a list", type(reading.values).__name__)
    metrics = {metric.key: metric for metric in instrument.metrics}
    for values in reading.values:
        if not isinstance(values, Values):
            raise _broken(instrument, "a Reading must hold assay.instrument.Values", type(values).__name__)
        if values.metric not in metrics:
            raise _broken(
                instrument, "a Reading must hold values of the metrics that the instrument declares", values.metric, metrics
            )
        # Checked for the value, not for each unit: units of a ratio of sums are influence values, which may lie outside.
        bounds = values.bounds or metrics[values.metric].bounds
        outside = bounds is not None and (values.mean < bounds[0] - SLACK or values.mean > bounds[1] + SLACK)
        if bounds is not None and outside and not values.reason:
            rule = f"the value of {values.metric} must lie within its bounds, {bounds[0]:g} to {bounds[1]:g}"
            raise _broken(instrument, rule, f"{values.mean:g}")
    for same, count in Counter(values.same for values in reading.values).items():
        if count > 1:
            raise _broken(instrument, "a Reading must hold each metric and `about` once", f"{same[0]}, {count} times")
    return reading


def _broken(instrument: Instrument, rule: str, given: object, choices: Iterable[str] = ()) -> AssayError:
    return AssayError(f"{instrument.name}: {rule}", given=given, choices=choices, next_step="fix the instrument")


def _plain(settings: Mapping[str, Any]) -> dict[str, str | int | float | bool | None]:
    """Settings as plain values, with sequences as text."""
    return {key: ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else value for key, value in settings.items()}


def missing_abilities(instrument: Instrument, task: Task) -> tuple[type, ...]:
    """The abilities that `instrument` needs and `task` lacks."""
    return tuple(need for need in instrument.needs if not isinstance(task, need))
