"""`coverage.html` and `coverage.json`: coverage of a data set on one page, with the matrix of its combinations."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from assay.arguments import checked
from assay.coverage.result import DEFINITIONS, ENOUGH, Coverage
from assay.report.page import render
from assay.report.words import number
from assay.store import write_bytes_atomically
from assay.versions import versions_of

PAGE, RESULTS = "coverage.html", "coverage.json"
MOST_SIDE = 120  # most values on one side of the picture
MOST_LABELS = 40
MOST_ROWS = 60  # rows of a table
ABSENT, TRAINED, SYNONYM, INSIDE, OUTSIDE = range(5)
CELLS = (
    ("outside", OUTSIDE, "novel, outside 1-coverage"),
    ("inside", INSIDE, "novel, inside 1-coverage"),
    ("synonym", SYNONYM, "novel, a synonym of a trained one"),
    ("trained", TRAINED, "trained"),
    ("absent", ABSENT, "in neither"),
)


class PairMatrix(NamedTuple):
    """Matrix of one pair of parts: for every order of values one SVG path for the cells of each kind."""

    first: str
    second: str
    orders: list[dict[str, object]]
    left_out: str


@checked
def write_coverage(directory: Path | str, found: Coverage) -> Path:
    """Write `coverage.json` and `coverage.html` into a directory, which is created if needed.

    **Returns:** the path of `coverage.html`.

    Example::

        >>> rows = [{"a": 0, "b": 0, "y": 1}, {"a": 1, "b": 0, "y": 1}, {"a": 0, "b": 1, "y": 2}]
        >>> assay.write_coverage("coverage", assay.coverage(rows, [{"a": 1, "b": 1, "y": 2}])).name
        'coverage.html'
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(directory / RESULTS, (json.dumps(found.to_json(), indent=2) + "\n").encode())
    page = directory / PAGE
    write_bytes_atomically(page, coverage_html(found).encode())
    return page


def coverage_html(found: Coverage) -> str:
    """The page as HTML."""
    doomed = found.doomed
    usage = sorted((value for value in found.usage if value.novel), key=lambda value: (value.trained, -value.novel))
    return render(
        "coverage.html.j2",
        found=found,
        definitions=DEFINITIONS,
        cells=[
            ("synonyms of trained combinations", found.synonyms),
            ("others inside 1-coverage", found.inside_1),
            ("outside 1-coverage", found.outside_1),
        ],
        enough=ENOUGH,
        matrix=matrix(found) if found.num_novel else None,
        legend=CELLS,
        doomed=doomed[:MOST_ROWS],
        more_doomed=max(0, len(doomed) - MOST_ROWS),
        usage=usage[:MOST_ROWS],
        more_usage=max(0, len(usage) - MOST_ROWS),
        percent=lambda share: "none" if share is None else f"{number(100 * share)}\N{NO-BREAK SPACE}%",
        version=versions_of("assay").get("assay", ""),
    )


def matrix(found: Coverage) -> PairMatrix:
    """Matrix of combinations. With more than two parts it shows the pair with most values that fit, and a cell has the kind of
    its most novel combination."""
    kinds = np.array([{"synonym": SYNONYM, "inside": INSIDE, "outside": OUTSIDE}[cell] for cell in found.cells])
    sizes = [len(names) for names in found.values]
    fitting = [part for part, size in enumerate(sizes) if size <= MOST_SIDE] or list(range(len(sizes)))
    chosen = sorted(fitting, key=lambda part: -sizes[part])[:2]
    if len(chosen) < 2:
        chosen += [min((part for part in range(len(sizes)) if part not in chosen), key=sizes.__getitem__)]
    a, b = sorted(chosen)
    table = np.zeros((sizes[a], sizes[b]), int)
    np.maximum.at(table, (found.trained[:, a], found.trained[:, b]), TRAINED)
    np.maximum.at(table, (found.novel[:, a], found.novel[:, b]), kinds)
    outside = [(table == OUTSIDE).sum(1 - side) for side in range(2)]
    trained = [(table == TRAINED).sum(1 - side) for side in range(2)]
    named = [_in_order(found.values[part]) for part in (a, b)]
    rankings = (
        ("most outside 1-coverage first", [np.lexsort((trained[s], -outside[s])) for s in range(2)]),
        ("least trained first", [np.argsort(trained[s], kind="stable") for s in range(2)]),
        ("by name", named),
    )
    left_out = " and ".join(
        f"{size - MOST_SIDE:,} of {size:,} values of {found.parts[part]}"
        for part, size in ((a, sizes[a]), (b, sizes[b]))
        if size > MOST_SIDE
    )
    orders = []
    for name, ranking in rankings:
        rows, columns = (ranks[:MOST_SIDE] for ranks in ranking)
        orders.append(
            _drawn(
                name,
                table[np.ix_(rows, columns)],
                *([found.values[part][value] for value in order.tolist()] for part, order in ((a, rows), (b, columns))),
            )
        )
    return PairMatrix(found.parts[a], found.parts[b], orders, left_out)


_LONGEST_NUMBER = 100  # characters of a short name


def _in_order(names: Sequence[str]) -> Int[np.ndarray, " v"]:
    """Order of values: numeric if all are whole numbers, else alphabetic."""
    whole = all(len(name) <= _LONGEST_NUMBER and name.removeprefix("-").isdecimal() for name in names)
    keys = [(int(name) if whole else 0, name) for name in names]
    return np.array(sorted(range(len(names)), key=lambda value: keys[value]))


def _drawn(name: str, table: Int[np.ndarray, "r c"], rows: Sequence[str], columns: Sequence[str]) -> dict[str, object]:
    """One SVG path for every kind of cell; neighbours in a row are one rectangle."""
    paths = []
    for key, kind, _ in CELLS[:-1]:
        strokes = []
        for y, row in enumerate(table == kind):
            edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0))
            strokes += [f"M{start} {y}h{end - start}v1h{start - end}z" for start, end in edges.reshape(-1, 2).tolist()]
        paths.append((key, "".join(strokes)))
    labelled = [[_short(text) for text in names] if len(names) <= MOST_LABELS else [] for names in (rows, columns)]
    margins = [2.0 + 1.1 * max(map(len, names), default=0) for names in labelled]
    return {
        "margins": margins,
        "name": name,
        "height": len(table),
        "width": table.shape[1],
        "paths": paths,
        "rows": labelled[0],
        "columns": labelled[1],
    }


def _short(text: str) -> str:
    return text if len(text) <= 12 else f"{text[:11]}\N{HORIZONTAL ELLIPSIS}"
