"""`assay data`: the published data sets that tasks use."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg, subcommand

from assay.cli.command import Command, Flag
from assay.cli.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class DataListCommand(Command):
    """List the data sets: title, size, licence, source."""

    json: Flag = False
    """Print a JSON list."""

    def run(self, terminal: Terminal) -> None:
        """Print the list."""
        from assay.data.registry import data_sets

        rows = [
            {
                "name": data_set.name,
                "title": data_set.title,
                "files": len(data_set.hashes),
                "bytes": data_set.size,
                "licence": data_set.licence,
                "address": data_set.base_url,
            }
            for data_set in data_sets()
        ]
        terminal.listing(rows, as_json=self.json)


@dataclass(frozen=True, kw_only=True)
class DataGetCommand(Command):
    """Fetch a data set, check the SHA-256 of every file and print the paths."""

    name: Annotated[Positional[str], arg(metavar="NAME")]
    """A name from `assay data list`."""

    def run(self, terminal: Terminal) -> None:
        """Fetch the missing files, check all and print their paths."""
        from assay.data.registry import fetch, get

        paths = list(get(self.name).hashes)
        with terminal.progress() as progress:
            for done, path in enumerate(paths):
                progress(path, done / len(paths))
                terminal.result(str(fetch(self.name, path)))


@dataclass(frozen=True, kw_only=True)
class DataCommand(Command):
    """List or fetch the published data sets that some tasks use.

    Files are searched in the folder named by the environment variable ASSAY_DATA, then in the cache, then at their public
    address; a file with a wrong hash is never used.

    Examples:

      assay data list
      assay data get scan
    """

    action: Annotated[DataListCommand, subcommand("list")] | Annotated[DataGetCommand, subcommand("get")]

    def run(self, terminal: Terminal) -> None:
        """Run the action."""
        self.action.run(terminal)

    def after_interrupt(self) -> str:
        """How to go on after Ctrl-C."""
        return "Repeat the command; complete files are kept."
