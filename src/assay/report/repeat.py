"""Instructions that repeat an audit: its shell command, or equivalent Python."""

import shlex
from collections.abc import Sequence

from assay.audit import Audit
from assay.evidence import Effort, Level


def audit_command(
    subject: str,
    *,
    task: str | None = None,
    output: str | None = None,
    seed: int = 0,
    effort: Effort = "standard",
    level: Level = 2,
    instruments: Sequence[str] = (),
    sites: Sequence[str] = (),
    trust: Sequence[str] = (),
) -> str:
    """The shell command with all settings on which the numbers depend, so without the output folder and the number of
    processes.

    Example::

        >>> from assay.report.repeat import audit_command
        >>> audit_command("runs/decay", effort="quick", sites=["layers.*"])
        "assay audit runs/decay --seed 0 --effort quick --level 2 --sites 'layers.*'"
    """
    words = ["assay", "audit", subject]
    words += ["--task", task] if task is not None else []
    words += ["--output", output] if output is not None else []
    words += ["--seed", str(seed), "--effort", effort, "--level", str(level)]
    words += ["--instrument", *instruments] if instruments else []
    words += ["--sites", *sites] if sites else []
    words += [word for address in trust for word in ("--trust", address)]
    return shlex.join(words)


def python_call(audit: Audit) -> str:
    """Python code that repeats an audit run from Python. What only its author has, such as a module in memory, is a comment."""
    card = audit.subject
    subject = f"assay.load_subject({card.address!r}, task=task)" if card.address else "assay.Subject(...)  # your module"
    # The address of a task in memory is a description and cannot be loaded.
    can_be_loaded = " " not in audit.task.address.partition(":")[0]
    task = f"assay.load_task({audit.task.address!r})" if can_be_loaded else f"...  # {audit.task.address}"
    ran = [item.instrument for item in audit.evidence] + [fault.instrument for fault in audit.failed]
    return "\n".join(
        [
            "import assay",
            "",
            f"task = {task}",
            f"subject = {subject}",
            f"instruments = [assay.load_instrument(name) for name in {ran!r}]",
            f"audit = assay.audit(subject, task, seed={audit.seed}, effort={audit.effort!r}, level={audit.level}, "
            "instruments=instruments)",
            'assay.write_report("report", audit)',
        ]
    )
