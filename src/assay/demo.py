"""Three networks of one architecture, one of them genuine: trained, audited, and compared on one page.

The first two are trained with the same steps and settings and end with the same accuracy on what they were trained on.
Only the share of the pairs (i, j) that they see differs. What it took (docs/demo.md): shifts, which can be learned as a
rule; twenty times twenty pairs; weight decay 1; and a coverage of .8 against .15.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assay.audit import Audit, audit
from assay.errors import AssayError
from assay.models import load_subject
from assay.parallel import run_parallel
from assay.report import read_report, write_comparison, write_report
from assay.store import RECORD, RunDirectory
from assay.tasks import load_task
from assay.training import train

TASK = "modular:num_first=20,num_second=20,coverage={coverage}"
MODEL = {"width": 128, "depth": 2}
TRAINING = {"steps": 2000, "batch_size": 512, "learning_rate": 3e-3, "weight_decay": 1.0}


@dataclass(frozen=True)
class _Network:
    """One of the three: its folder, what it sees, and whether it is trained at all."""

    name: str
    coverage: float
    trained: bool = True


NETWORKS = (
    _Network("wide-coverage", coverage=0.8),
    _Network("narrow-coverage", coverage=0.15),
    _Network("untrained", coverage=0.8, trained=False),
)
_INTRO = (
    "Three networks of one architecture learn y = g_j(f_i(x)) mod 11, where the part i chooses one shift, the part j another "
    "and x is the number they act on. The first saw 80 % of all pairs (i, j), the second 15 %, with the same number of steps "
    "and the same settings; the third was not trained. On the pairs they saw, the first two cannot be told apart."
)


def run_demo(
    out: Path, *, seed: int = 0, jobs: int = 2, progress: Callable[[str, float], None] = lambda doing, done: None
) -> Path:
    """Train, audit and compare the three networks beneath `out`; continues what was interrupted there.

    **Returns:** the comparison page. Each network's run and report are in a folder of its own beside it.
    """
    progress("training and auditing three networks", 0.0)
    audits = run_parallel(
        _train_and_audit,
        [(network, out / network.name, seed) for network in NETWORKS],
        jobs=jobs,
        progress=lambda finished, done: progress(f"training and auditing three networks, {finished} done", 0.95 * done),
    )
    page = write_comparison(out, audits, title="One of these networks composes", intro=_INTRO)
    progress("done", 1.0)
    return page


def _train_and_audit(job: tuple[_Network, Path, int]) -> Audit:
    network, folder, seed = job
    address = TASK.format(coverage=network.coverage)
    run = _trained(network, folder, address, seed)
    if (folder / "report.html").exists():  # the last file of a report: what is there is whole
        return read_report(folder)
    task = load_task(address)
    subject = load_subject(str(run.path), task=task)
    subject.name = network.name
    result = audit(subject, task, seed=seed, effort="standard", address=str(run.path))
    write_report(folder, result)
    return result


def _trained(network: _Network, folder: Path, address: str, seed: int) -> RunDirectory:
    """The finished run, made now, continued, or found."""
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
    config = {**TRAINING, "seed": seed, **({} if network.trained else {"steps": 0})}
    return train(address, "mlp", options=MODEL, config=config, out=folder)
