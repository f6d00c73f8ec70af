"""`assay zoo`: error rates of the verdict on networks whose true answer is known."""

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

from assay.cli.command import Command, Flag
from assay.cli.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class ZooCommand(Command):
    """Print the error rates of the verdict on networks whose true answer is known.

    The table ships with Assay; the networks do not. docs/zoo.md says how both are made.

    Examples:

      assay zoo score
      assay zoo score --json
    """

    action: Positional[Literal["score"]]
    """Print the shipped error rates."""
    json: Flag = False
    """Print every figure as JSON by key: value, both ends of its interval, and the number of networks."""

    def run(self, terminal: Terminal) -> None:
        """Print the table."""
        from assay.verdict.rates import shipped_rates

        rates = shipped_rates()
        terminal.result(rates.as_json() if self.json else rates.as_text())
