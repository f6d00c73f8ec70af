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
    """Write an interactive page on which the weights of picture-drawing networks (CPPNs) can be changed.

    The networks run in the page, without a server or downloads. Every slider shows the exact first-order response of the
    picture to the weight, the share of it that respects the picture's symmetry, and both for untrained copies. Several networks
    are shown side by side.

    NETWORK is the folder of a run of the model cppn, a genome file (zip or XML; genomes.json.gz#NAME for an entry of a JSON
    archive), or package.module:factory.

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
    """Random seed of the copies."""
    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: explorer)")] = None
    """Folder for explorer.html; new or empty."""

    def run(self, terminal: Terminal) -> None:
        """Read, measure and write."""
        new_folder(self.out, default="explorer", command="explore")  # a mistake is reported before anything slow
        from assay.explore import drawing_at, write_explorer

        with terminal.progress() as progress:
            drawings = [drawing_at(one, copies=self.copies, seed=self.seed, progress=progress) for one in self.network]
        with filling(self.out, default="explorer", command="explore") as folder:
            page = write_explorer(folder, drawings, size=self.size)
        terminal.result(str(page))
