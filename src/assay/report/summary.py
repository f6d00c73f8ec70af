"""Summary of an audit for a terminal, typically within 80 columns and 24 lines."""

from collections.abc import Iterator
from io import StringIO

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from assay.audit import Audit
from assay.evidence import Measure
from assay.instrument.applicable import DOES_NOT_GIVE
from assay.printable import printable
from assay.report.words import capitalised, interval, mean_of, no_value, number, p_value, with_full_stop
from assay.verdict import Verdict, answered, next_step

MAX_MEASURES = 8
MAX_WARNINGS = 3


def summary(audit: Audit) -> RenderableType:
    """The verdict, the headline measures beside their best nulls, warnings, what failed, and what was not run."""
    blocks: list[RenderableType] = [
        Text.assemble((audit.verdict.headline.capitalize(), "bold cyan"), f"  {audit.subject.name}"),
        *_answers(audit.verdict),
        Text.assemble(("Next: ", "bold"), f"{next_step(audit.verdict)}."),
        Text(),
    ]
    blocks += [Text(f"The network is {remark}.", "dim") for remark in audit.subject.remarks]
    if not audit.integrity.holds:
        blocks.append(Text(f"Do not rely on this: {audit.integrity.failure}.", "bold red"))
    headlines = [(item.instrument, measure) for item in audit.evidence for measure in item.measures if measure.headline]
    if headlines:
        blocks += [_table([measure for _, measure in headlines[:MAX_MEASURES]]), Text()]
    if len(headlines) > MAX_MEASURES:
        blocks.append(Text(f"{len(headlines) - MAX_MEASURES} more measures are in the report.", "dim"))
    warnings = [(item.instrument, warning) for item in audit.evidence for warning in item.warnings]
    blocks += [Text.assemble(("Warning  ", "yellow"), f"{name}: {text}") for name, text in warnings[:MAX_WARNINGS]]
    if len(warnings) > MAX_WARNINGS:
        blocks.append(Text(f"{len(warnings) - MAX_WARNINGS} more warnings are in the report.", "dim"))
    blocks += [Text.assemble(("Failed  ", "bold red"), f"{fault.instrument}: {fault.reason}") for fault in audit.failed]
    unanswered = [(item.instrument, item.not_enough) for item in audit.evidence if item.not_enough]
    needing = [skip.instrument for skip in audit.skipped if skip.reason.startswith(DOES_NOT_GIVE)]
    unanswered += [(skip.instrument, skip.reason) for skip in audit.skipped if skip.instrument not in needing]
    if needing:
        unanswered.append((", ".join(needing), f"{DOES_NOT_GIVE} what they need (details on the page)"))
    # The reference to docs is shown on the page only.
    blocks += [Text.assemble(("Not run  ", "dim"), f"{name}: {reason.partition(' (docs/')[0]}") for name, reason in unanswered]
    return _Printable(Group(*blocks))


class _Printable:
    """A rich renderable with control characters of names escaped."""

    def __init__(self, laid_out: RenderableType):
        self.laid_out = laid_out

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for text, style, control in console.render(self.laid_out, options):
            yield Segment(text if control else printable(text, keep="\n"), style, control)


def _answers(verdict: Verdict) -> list[RenderableType]:
    """The three answers, or the verdict's sentence where nothing was judged."""
    blocks: list[RenderableType] = []
    for place, one in enumerate(answered(verdict), 1):
        texts = " ".join(capitalised(with_full_stop(words)) for words in (f"{one.answer}: {one.because}", *one.after))
        before = f"{one.before} " if one.before else ""
        blocks.append(Text.assemble((f"{place}. {one.question} ", "bold"), f"{before}{texts}"))
    return blocks or [Text(verdict.sentence)]


def summary_text(audit: Audit, *, width: int = 80) -> str:
    """The summary as plain text."""
    out = StringIO()
    Console(file=out, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(summary(audit))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _table(measures: list[Measure]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("measure", "value", "interval", "best null", "p"):
        table.add_column(name, justify="left" if name in ("measure", "interval") else "right", no_wrap=name != "measure")
    for measure in measures:
        null = measure.best_null
        if measure.value is None:
            table.add_row(Text(measure.label), "", no_value(measure))
            continue
        against = mean_of(null) if null else ""
        texts = Text(number(measure.value), "bold"), Text(interval(measure.interval)), against, p_value(measure.p)
        table.add_row(Text(measure.label), *texts)
    return table
