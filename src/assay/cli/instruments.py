"""`assay instruments`."""

from dataclasses import dataclass

from assay.cli.command import Command, Flag
from assay.cli.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class InstrumentsCommand(Command):
    """List the instruments: the question each answers, the work it follows, what it needs of a task.

    Examples:

      assay instruments
      assay instruments --json
    """

    json: Flag = False
    """Print a JSON list."""

    def run(self, terminal: Terminal) -> None:
        """Print them in the order of the report."""
        from assay.audit import GIVES
        from assay.instruments import all_instruments
        from assay.references import cited

        gives = {need: words.partition(" (docs/")[0] for need, words in GIVES.items()}
        rows = [
            {
                "name": instrument.name,
                "question": instrument.question,
                "source": cited(instrument.cites)[0].citation,
                "needs": [gives.get(need, need.__name__) for need in instrument.needs],
            }
            for instrument in all_instruments()
        ]
        terminal.listing(rows, as_json=self.json)
