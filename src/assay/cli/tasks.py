"""`assay tasks`."""

from dataclasses import asdict, dataclass

from assay.cli.command import Command, Flag
from assay.cli.terminal import Terminal
from assay.tasks import TaskOption, task_families


@dataclass(frozen=True, kw_only=True)
class TasksCommand(Command):
    """List the tasks: what each requires of a network, the form of its address, and its settings.

    Commands take a TASK in the form listed under `form`. Your own task in Python is package.module:factory, a function without
    arguments that returns it.

    Examples:

      assay tasks
      assay tasks --json
    """

    json: Flag = False
    """Print a JSON list, in which every setting has its type, default and meaning."""

    def run(self, terminal: Terminal) -> None:
        """Print the families in order of registration."""
        rows = []
        for family in task_families():
            settings = [asdict(option) for option in family.options] if self.json else dict(map(_described, family.options))
            rows.append({"name": family.name, "summary": family.summary, "form": family.form, "settings": settings})
        terminal.listing(rows, as_json=self.json)


def _described(option: TaskOption) -> tuple[str, str]:
    """Name of a setting, and its meaning, type and default as text."""
    default = "required" if option.default is None else f"default {option.default}"
    return option.name, f"{option.meaning} ({option.type}; {default})"
