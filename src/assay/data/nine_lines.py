"""What every line of evidence said of the networks of the test bed, beside the truth. The table ships with the package."""

import csv
from importlib.resources import files

Cell = str | float | None
_TEXT = ("world", "kind", "gaps")


def nine_lines() -> list[dict[str, Cell]]:
    """One row for each network of docs/experiments/nine-lines.md.

    **Returns:** rows with the same keys: the recipe (`world`, `kind`, `coverage`, `decay`, `steps`, `width`, `scale`, `sparse`,
    `wrong`, `seed`); `seen` and `novel`, the mean scores on trained combinations and on novel ones outside 1-coverage, of which
    there are `outside`; the headline measures, each by `instrument key`; baselines by their names; CPU time in seconds by
    `seconds instrument`. None where there is no value; `gaps` then has the reason.

    Example::

        >>> from assay.data.nine_lines import nine_lines
        >>> rows = nine_lines()
        >>> sorted({row["world"] for row in rows})
        ['language', 'sprites']
        >>> max(row["novel"] for row in rows if row["kind"] == "untrained") < 0.2
        True
    """
    text = files("assay.data").joinpath("nine_lines.csv").read_text(encoding="utf-8")
    return [{name: _cell(name, value) for name, value in row.items()} for row in csv.DictReader(text.splitlines())]


def _cell(name: str, value: str) -> Cell:
    if name in _TEXT:
        return value
    return float(value) if value else None
