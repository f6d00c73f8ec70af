"""Method pages of instruments; those of Assay's own are shipped with it."""

from pathlib import Path

from assay.instrument import Instrument
from assay.references import cited

SHIPPED = Path(__file__).parent / "method_pages"
IN_A_CHECKOUT = Path(__file__).parents[2] / "docs" / "methods"


def method_page(instrument: Instrument) -> str:
    """The method page in Markdown: `docs/methods/NAME.md` of an instrument of Assay's own, else one made from its attributes.

    Example::

        >>> from assay.methods import method_page
        >>> method_page(assay.load_instrument("polar")).splitlines()[0]
        '# Polar'
    """
    own = type(instrument).__module__.startswith("assay.instruments.")
    found = [place for folder in (SHIPPED, IN_A_CHECKOUT) if own and (place := folder / f"{instrument.name}.md").is_file()]
    return found[0].read_text(encoding="utf-8").rstrip() if found else _own_page(instrument)


def _own_page(instrument: Instrument) -> str:
    lines = [f"# {instrument.name.capitalize()}", "", instrument.question, "", "| measure | unit | better | of | must beat |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    lines += [f"| {m.title} | {m.unit} | {m.better} | {m.of} | {', '.join(m.beats)} |" for m in instrument.metrics]
    lines += ["", *(f"- {source.citation} {source.url}".rstrip() for source in cited(instrument.cites))]
    return "\n".join(lines)
