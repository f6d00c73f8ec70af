"""`assay instruments`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from assay.cli.command import Command, Flag
from assay.cli.terminal import Terminal

if TYPE_CHECKING:
    import assay.instrument


@dataclass(frozen=True, kw_only=True)
class InstrumentsCommand(Command):
    """List the instruments, or print the method page of one.

    The list has the question that each answers, the work it follows and what it needs of a task. A method page has the
    equation, assumptions, nulls and failure modes; for an instrument without one its measures and nulls are printed.

    Examples:

      assay instruments
      assay instruments polar
      assay instruments --json
    """

    instrument: Annotated[Positional[str | None], arg(metavar="NAME", help_behavior_hint="(default: all)")] = None
    """The instrument whose method page to print."""
    json: Flag = False
    """Print a JSON list."""

    def run(self, terminal: Terminal) -> None:
        """Print the list, in the order of the report, or one method page."""
        from assay.instruments import all_instruments, load_instrument

        if self.instrument is None:
            terminal.listing([_row(instrument) for instrument in all_instruments()], as_json=self.json)
        elif self.json:
            terminal.listing([_row(load_instrument(self.instrument))], as_json=True)
        else:
            from assay.methods import method_page

            terminal.result(method_page(load_instrument(self.instrument)))


def _row(instrument: "assay.instrument.Instrument") -> dict[str, object]:
    from assay.instrument.applicable import GIVES
    from assay.references import cited

    gives = {need: words.partition(" (docs/")[0] for need, words in GIVES.items()}
    return {
        "name": instrument.name,
        "question": instrument.question,
        "source": cited(instrument.cites)[0].citation,
        "needs": [gives.get(need, need.__name__) for need in instrument.needs],
    }
