"""The published works that instruments follow, from the `references.bib` beside this file."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from assay.errors import AssayError
from assay.evidence import Source

_ENTRY = re.compile(r"^@\w+\{(?P<key>\w+),\n.*?^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (?P<name>\w+) = \{(?P<text>.*)\},?$", re.MULTILINE)


def cited(works: Sequence[str | Source]) -> tuple[Source, ...]:
    """Cited works in the given order, with keys looked up in `references.bib`.

    **Raises:** `AssayError` for a key that `references.bib` lacks.

    Example::

        (work,) = cited(["hewitt2019"])
        assert work.citation.startswith("Hewitt, Liang. Designing and Interpreting Probes")
    """
    known = references()
    for work in works:
        if isinstance(work, str) and work not in known:
            raise AssayError(
                "a work cited by key must be in references.bib",
                given=work,
                choices=list(known),
                next_step="give another work as assay.evidence.Source(key=..., citation=..., url=..., bibtex=...)",
            )
    return tuple(known[work] if isinstance(work, str) else work for work in works)


@cache
def references() -> Mapping[str, Source]:
    """All entries of `references.bib` by key."""
    text = resources.files("assay").joinpath("references.bib").read_text(encoding="utf-8")
    return {entry["key"]: _source(entry["key"], entry[0]) for entry in _ENTRY.finditer(text)}


def _source(key: str, bibtex: str) -> Source:
    fields = {found["name"]: found["text"] for found in _FIELD.finditer(bibtex)}
    names = ", ".join(author.split(",")[0] for author in fields["author"].replace("{\\'e}", "e").split(" and "))
    return Source(key=key, citation=f"{names}. {fields['title']}. {fields['note']}.", url=fields["url"], bibtex=bibtex)
