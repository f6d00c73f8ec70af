"""Display of results: a short `repr`, a table in a notebook, columns of a data frame."""

import dataclasses
import html
import importlib
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.printable import printable

if TYPE_CHECKING:
    from assay.evidence import Evidence, Interval, Measure

MINUS = "\N{MINUS SIGN}"
FEW, SHORT, LONG = 6, 60, 120  # entries of a collection shown one by one; characters of a text, and of any other value
MOST_ROWS = 30  # rows of a table in a notebook


def number(value: float | int) -> str:
    """Three significant digits, trailing zeros kept; whole numbers in full: 0.0912, 1.00, 43,147."""
    if isinstance(value, int):
        text = f"{value:,}"
    elif abs(value) < 1e-12:  # a zero with rounding error
        text = "0"
    else:
        text = f"{value:.2e}"
        magnitude = int(text.partition("e")[2])
        text = text if not -4 <= magnitude < 9 else f"{value:,.{max(0, 2 - magnitude)}f}"
    return text.replace("-", MINUS)


def plural(noun: str) -> str:
    """`combinations`, `searches`, `entities`, `pairs of values`, `groups of orbits`."""
    head, of, rest = noun.partition(" of ")
    if head.endswith(("s", "x", "ch", "sh")):
        return f"{head}es{of}{rest}"
    return f"{head[:-1]}ies{of}{rest}" if re.search("[^aeiou]y$", head) else f"{head}s{of}{rest}"


def counted(num: int, noun: str) -> str:
    """`1 combination`, `115 combinations`."""
    return f"{num:,} {noun if num == 1 else plural(noun)}"


def interval(bounds: "Interval | None") -> str:
    """`[0.926, 0.966]`, or nothing."""
    return "" if bounds is None else f"[{number(bounds.low)}, {number(bounds.high)}]"


def with_interval(value: float, bounds: "Interval | None") -> str:
    """`0.946 [0.926, 0.966]`: a value with its interval, the same in sentences and tables."""
    return f"{number(value)} {interval(bounds)}".strip()


def p_value(p: float | None) -> str:
    """`< .001`, `.012`, or `no p` where there were too few repeats to say."""
    if p is None:
        return "no p"
    if p < 0.001:
        return "< .001"
    return "1" if round(p, 3) >= 1 else f"{p:.3f}".removeprefix("0") if p < 0.1 else f"{p:.2f}".removeprefix("0")


def brief(self: Any) -> str:
    """A `__repr__` of a few lines for a dataclass, named tuple or pydantic model: long text is cut, arrays are shown by type
    and shape, long collections by length, and empty fields are left out.

    Example::

        @dataclass(frozen=True)
        class Found:
            values: tuple[float, ...]

            __repr__ = brief

        assert repr(Found((0.5,) * 100)) == "Found(values=<100 float>)"
    """
    held = [(name, getattr(self, name)) for name in _names(self)]
    shown = ", ".join(f"{name}={_short(value)}" for name, value in held if not _is_empty(value))
    return f"{type(self).__qualname__}({shown})"


def _names(record: Any) -> Iterable[str]:
    if dataclasses.is_dataclass(record):
        return [field.name for field in dataclasses.fields(record) if field.repr]
    return getattr(record, "_fields", None) or type(record).model_fields


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, (str, Mapping, Sequence, Set)) and not value)


def _short(value: Any) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= SHORT else f"{value[:SHORT]}...")
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, (Mapping, Sequence, Set)) and not hasattr(value, "_fields"):
        return _short_collection(value)
    text = repr(value)
    return text if len(text) <= LONG and "\n" not in text else f"<{type(value).__name__}>"


def _short_collection(values: Mapping[Any, Any] | Sequence[Any] | Set[Any]) -> str:
    if len(values) <= FEW:
        if isinstance(values, Mapping):
            text = f"{{{', '.join(f'{_short(key)}: {_short(value)}' for key, value in values.items())}}}"
        else:
            text = f"({', '.join(map(_short, values))})"
        if len(text) <= LONG:
            return text
    first = next(iter(values.values() if isinstance(values, Mapping) else values))
    return f"<{len(values)} {type(first).__name__}>"


class DataFrameColumns:
    """Base class of results that can be turned into a data frame."""

    def columns(self) -> dict[str, list[Any]]:
        """The columns of the frame by name, all of one length."""
        raise NotImplementedError

    def to_pandas(self) -> Any:
        """The columns as a pandas data frame. **Raises:** `AssayError` where pandas is not installed."""
        return _frame("pandas", self.columns())

    def to_polars(self) -> Any:
        """The columns as a Polars data frame. **Raises:** `AssayError` where Polars is not installed."""
        return _frame("polars", self.columns())


def _frame(library: str, columns: Mapping[str, list[Any]]) -> Any:
    try:
        module = importlib.import_module(library)
    except ImportError as error:
        raise AssayError(
            f"to_{library}() needs {library}, which Assay does not install by itself",
            given=str(error),
            next_step=f"pip install 'assay[{library}]', or use columns(), a dictionary of lists",
        ) from error
    return module.DataFrame(dict(columns))


def columns_of(evidence: Sequence["Evidence"]) -> dict[str, list[Any]]:
    """One row for every measure.

    `instrument`, `key`, `title`, `value`, `low` and `high` (its interval), `unit`, `n` and `n_of` (how many independent units
    there are, and of what), `p` (the largest over the nulls that count), `headline`, `level`; then `about.NAME` for what it
    was measured on, such as `about.site`, and for every null its mean `null.NAME` and its p `p.NAME`. None is missing.
    """
    rows = []
    for item in evidence:
        for measure in item.measures:
            bounds = measure.interval
            row: dict[str, Any] = {
                "instrument": item.instrument,
                "key": measure.key,
                "title": measure.name,
                "value": None if measure.value is None else float(measure.value),
                "low": float(bounds.low) if bounds else None,
                "high": float(bounds.high) if bounds else None,
                "unit": measure.unit,
                "n": measure.units,
                "n_of": measure.unit_of,
                "p": measure.p,
                "headline": measure.headline,
                "level": measure.level,
            }
            row |= {f"about.{name}": value for name, value in measure.about.items()}
            for null in measure.nulls:
                row |= {f"null.{null.name}": float(null.mean) if null.values else None, f"p.{null.name}": null.p}
            rows.append(row)
    names = dict.fromkeys(_MEASURE_COLUMNS) | dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


_MEASURE_COLUMNS = ("instrument", "key", "title", "value", "low", "high", "unit", "n", "n_of", "p", "headline", "level")


def page(*blocks: str) -> str:
    """HTML blocks joined for display in a notebook."""
    return f"<div>{''.join(blocks)}</div>"


def words(text: str, tag: str = "p") -> str:
    """A block of plain text."""
    return f"<{tag}>{_escaped(text)}</{tag}>" if text else ""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table; of more than `MOST_ROWS` rows the first, and the number of the others."""
    if not rows:
        return ""
    head = "".join(f"<th>{_escaped(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in rows[:MOST_ROWS])
    more = words(f"{len(rows) - MOST_ROWS} more rows are not shown.") if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def measures_table(measures: Iterable["Measure"]) -> str:
    """One row for every measure, headlines first, with the means of its nulls."""
    rows = []
    for measure in sorted(measures, key=lambda measure: not measure.headline):
        value = "not enough data" if measure.value is None else number(measure.value)
        nulls = "; ".join(f"{null.name} {number(null.mean)}" for null in measure.nulls if null.values)
        p = p_value(measure.p) if measure.nulls else ""
        rows.append((measure.label, value, interval(measure.interval), nulls, p, measure.unit))
    return table(("measure", "value", "interval", "nulls", "p", "unit"), rows)


def _escaped(text: str) -> str:
    return html.escape(printable(text))
