"""`assay explore`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from assay.cli.command import Command
from assay.cli.folder import filling, new_folder
from assay.cli.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class ExploreCommand(Command):
    """Write a page on which the weights of networks that draw a picture can be moved, and the picture follows.

    The networks run in the page, which needs no server and fetches nothing. Beside every slider stand the exact first-order
    response of the picture to the weight, how much of it respects the picture's symmetry, and the same of untrained copies.
    Several networks stand side by side.

    NETWORK is the folder of a run of the model cppn, the file of a genome (a zip or XML; genomes.json.gz#NAME for one of an
    archive in JSON), or package.module:factory.

    Examples:

      assay explore assay.models.evolved:skull
      assay explore skull.zip runs/skull --out explorers/skull
    """

    network: Annotated[Positional[tuple[str, ...]], arg(metavar="NETWORK [NETWORK ...]", help_behavior_hint="(required)")]
    """One network or several."""
    size: int = 128
    """Pixels along a side of the pictures, 16 to 512."""
    copies: int = 5
    """Untrained copies of each network."""
    seed: int = 0
    """Draws the copies."""
    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: explorer)")] = None
    """Folder for explorer.html; new or empty."""

    def run(self, terminal: Terminal) -> None:
        """Read, measure and write."""
        new_folder(self.out, default="explorer", command="explore")  # a mistake shows before anything slow
        from assay.explore import drawing_at, write_explorer

        with terminal.progress() as progress:
            drawings = [drawing_at(one, copies=self.copies, seed=self.seed, progress=progress) for one in self.network]
        with filling(self.out, default="explorer", command="explore") as folder:
            page = write_explorer(folder, drawings, size=self.size)
        terminal.result(str(page))
