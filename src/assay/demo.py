"""Three networks of one architecture, one of which composes: trained, audited, and compared on one page.

The first two are trained on the same pairs for the same number of steps and end with the same accuracy on them. Only the weight
decay differs (docs/demo.md), so no property of the data can tell them apart.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from assay.audit import Audit, audit
from assay.errors import AssayError
from assay.jobs import Engine, run_parallel
from assay.models import load_subject
from assay.report import read_report, write_comparison, write_report
from assay.report.repeat import audit_command
from assay.store import RECORD, RunDirectory
from assay.tasks import load_task
from assay.training import train

TASK = "modular-addition:p=31,coverage=0.7"
MODEL = {"width": 128, "depth": 2}
TRAINING = {"steps": 2000, "batch_size": 672, "learning_rate": 1e-2}


@dataclass(frozen=True)
class _Network:
    """One of the three: its folder, its weight decay, and whether it is trained at all."""

    name: str
    weight_decay: float
    trained: bool = True


NETWORKS = (
    _Network("weight-decay-1", weight_decay=1.0),
    _Network("weight-decay-0", weight_decay=0.0),
    _Network("untrained", weight_decay=0.0, trained=False),
)
_INTRO = (
    "Three networks of one architecture are asked for (i + j) mod 31, where each number is a token that says nothing of its "
    "size. The first two were trained on the same 673 of the 961 pairs, with the same number of steps; only the weight decay "
    "differs, 1 and 0. The third was not trained. On the pairs they saw, the first two cannot be told apart. None of the 288 "
    "novel pairs follows from trained ones by exchanging values that act alike."
)


def run_demo(
    out: Path, *, seed: int = 0, jobs: int = 2, progress: Callable[[str, float], None] = lambda doing, done: None
) -> Path:
    """Train, audit and compare the three networks beneath `out`; continues what was interrupted there.

    **Returns:** the comparison page. Each network's run and report are in a folder of its own beside it.
    """
    Engine(jobs=jobs)  # a mistake is reported before any progress
    progress("training and auditing three networks", 0.0)
    audits = run_parallel(
        _train_and_audit,
        [(network, out / network.name, seed) for network in NETWORKS],
        jobs=jobs,
        progress=lambda finished, done: progress(f"training and auditing three networks, {finished} done", 0.95 * done),
    )
    page = write_comparison(out, audits, title="One of these networks works on novel pairs", intro=_INTRO)
    progress("done", 1.0)
    return page


def _train_and_audit(job: tuple[_Network, Path, int]) -> Audit:
    network, folder, seed = job
    run = _trained(network, folder, seed)
    if (folder / "report.html").exists():  # written last, so a report that has it is complete
        return read_report(folder)
    task = load_task(TASK)
    subject = load_subject(str(run.path), task=task)
    subject.name = network.name
    result = audit(subject, task, seed=seed, effort="standard", address=str(run.path), progress=None)
    result = replace(result, command=audit_command(str(run.path), seed=seed))
    write_report(folder, result)
    return result


def _trained(network: _Network, folder: Path, seed: int) -> RunDirectory:
    """The finished run: trained now, continued, or already there."""
    if (folder / RECORD).exists():
        run = RunDirectory.open(folder)
        if run.read_record().seed != seed:
            raise AssayError(
                "an interrupted demo must be continued with the seed it was started with",
                given=f"seed {seed}, started with {run.read_record().seed}",
                next_step="give that seed, or another --out",
            )
        if run.read_record().finished is not None:
            return run
    config = {**TRAINING, "weight_decay": network.weight_decay, "seed": seed, **({} if network.trained else {"steps": 0})}
    return train(TASK, "mlp", options=MODEL, config=config, out=folder, progress=None)
