"""A reader: rows of a file whose columns are separated by tabs."""

import csv
from collections.abc import Iterator
from pathlib import Path


def read(path: Path) -> Iterator[dict[str, str]]:
    """Each row by the names of the first line."""
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file, delimiter="\t")
