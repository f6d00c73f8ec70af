"""The evidence table: one row for every network with a known answer, what was measured on it and what is true of it."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from assay.bounds import MOST_TABLE, in_python, is_file, read_bytes, read_parquet
from assay.errors import AssayError

if TYPE_CHECKING:
    import pyarrow

FEATURES = ("recombination", "additivity", "collapse", "homomorphism")
KINDS = ("G1", "G2", "G3", "I1", "I2", "I3", "I4", "I5", "I6", "T1", "T2", "U", "W")
LABELS = ("composes", "imitates", "partial", "disputed")
TEXTS = ("name", "family", "kind", "architecture", "size", "task", "twin_of", "label")
TRUTHS = ("seen_score", "novel_score")
BASELINE, RECIPE = "baseline.", "recipe."
NUMBERS = ("missing_parts", "organisation")
_REQUIRED = (*TEXTS, *TRUTHS, *FEATURES, *NUMBERS)
_AGAIN = "restore the table, or build it again"


@dataclass(frozen=True, kw_only=True, eq=False)
class Subjects:
    """The table by column, each `(n,)`. Numbers are float64; what is missing is NaN, here, and null on disk.

    **Attributes:**

    - `name`: unlike any other.
    - `family`, `kind`, `architecture`, `size`: what may be left out to see whether the verdict carries over.
    - `task`: address of the task instance, the unit of every interval.
    - `twin_of`: the name of the network that computes the same function, or "".
    - `label`: the truth, from construction and from measured novel scores; where the two disagree it is `disputed`.
    - `seen_score`, `novel_score`: behaviour; truth, never evidence.
    - `features`: by name of `FEATURES`, effect sizes against their own null; higher speaks for composition.
    - `missing_parts`: how many declared parts are missing inside; with one or more a network is not called composing.
    - `organisation`: the second axis; higher is tidier.
    - `baselines`: other people's signals, by name without the prefix `baseline.`.
    - `recipe`: how the network was trained, by name without the prefix `recipe.`; never evidence.
    """

    name: np.ndarray
    family: np.ndarray
    kind: np.ndarray
    architecture: np.ndarray
    size: np.ndarray
    task: np.ndarray
    twin_of: np.ndarray
    label: np.ndarray
    seen_score: Float[np.ndarray, " n"]
    novel_score: Float[np.ndarray, " n"]
    missing_parts: Float[np.ndarray, " n"]
    organisation: Float[np.ndarray, " n"]
    features: Mapping[str, Float[np.ndarray, " n"]]
    baselines: Mapping[str, Float[np.ndarray, " n"]]
    recipe: Mapping[str, Float[np.ndarray, " n"]]

    def __len__(self) -> int:
        return len(self.name)

    @property
    def decided(self) -> Bool[np.ndarray, " n"]:
        """Networks of the two classes: the only ones a verdict is fitted to. No twin, no wrong declaration."""
        built = np.char.startswith(self.kind, "G") | np.char.startswith(self.kind, "I")
        return built & np.isin(self.label, ["composes", "imitates"])

    @property
    def composes(self) -> Bool[np.ndarray, " n"]:
        return self.label == "composes"

    def columns(self) -> dict[str, np.ndarray]:
        """Every column by its name on disk."""
        return (
            {name: getattr(self, name) for name in (*TEXTS, *TRUTHS, *NUMBERS)}
            | {name: self.features[name] for name in FEATURES}
            | {BASELINE + name: column for name, column in self.baselines.items()}
            | {RECIPE + name: column for name, column in self.recipe.items()}
        )

    def take(self, rows: np.ndarray) -> "Subjects":
        """Some rows, by mask or by index."""
        return _assembled({name: column[rows] for name, column in self.columns().items()})

    def original(self) -> np.ndarray:
        """For every row the index of the network whose twin it is, or its own; its own too where that one is not here."""
        places = {name: index for index, name in enumerate(self.name.tolist())}
        return np.array([places.get(of, index) for index, of in enumerate(self.twin_of.tolist())], dtype=int)


def subjects_of(columns: Mapping[str, Sequence[Any] | np.ndarray]) -> Subjects:
    """A table from its columns by their names on disk. None and NaN are missing.

    **Raises:** `AssayError` naming a missing or unknown column, a number that is infinite, an unknown kind or label, a label
    that contradicts its kind, a name given twice, or a twin without its original.
    """
    columns = dict(columns)
    if missing := [name for name in _REQUIRED if name not in columns]:
        raise AssayError("an evidence table has every required column", given=f"none named {missing}", choices=_REQUIRED)
    if unknown := [name for name in columns if name not in _REQUIRED and not name.startswith((BASELINE, RECIPE))]:
        raise AssayError(
            f"further columns of an evidence table start with {BASELINE} or {RECIPE}", given=unknown[0], choices=_REQUIRED
        )
    table: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        if name in TEXTS:
            table[name] = np.array([str(value) for value in values], dtype=str)
        else:
            table[name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
            if np.isinf(table[name]).any():
                raise AssayError("numbers of an evidence table are finite or missing", given=f"infinity in {name}")
    if len(lengths := {len(column) for column in table.values()}) > 1:
        raise AssayError("columns of an evidence table have one length", given=sorted(lengths))
    _check(table)
    return _assembled(table)


def parquet_bytes(subjects: Subjects) -> bytes:
    """The table as a Parquet file. The same table gives the same bytes from the same version of Arrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            name: pa.array(column.tolist(), pa.string()) if name in TEXTS else pa.array(column, pa.float64(), from_pandas=True)
            for name, column in subjects.columns().items()
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def read_subjects(path: Path | str, *, sha256: str = "") -> Subjects:
    """The table in a Parquet file.

    **Arguments:** `sha256`: of the file's bytes, as they should be; "" does not check.

    **Raises:** `AssayError` naming the file when it is missing, altered or no table of this form.
    """
    path = Path(path)
    if not is_file(path):
        raise AssayError("an evidence table is a Parquet file", given=f"no {path}", next_step=_AGAIN)
    content = read_bytes(path, most=MOST_TABLE, next_step=_AGAIN)
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise AssayError(f"{path} must have SHA-256 {sha256}", given=f"an altered file, {found}", next_step=_AGAIN)
    table = read_parquet(io.BytesIO(content), path, next_step=_AGAIN)
    for field in table.schema:
        if field.name in _REQUIRED or field.name.startswith((BASELINE, RECIPE)):
            _check_field(table.column(field.name), field, path)
    return subjects_of({name: in_python(table.column(name), path, next_step=_AGAIN) for name in table.column_names})


def _check_field(column: "pyarrow.ChunkedArray", field: "pyarrow.Field", path: Path) -> None:
    import pyarrow.types as types

    text = field.name in TEXTS
    right = types.is_string(field.type) if text else types.is_floating(field.type) or types.is_null(field.type)
    if not right or (text and column.null_count):
        rule = f"column {field.name} of {path} holds {'text, none missing' if text else 'floating-point numbers'}"
        raise AssayError(rule, given=f"{field.type} with {column.null_count} missing", next_step=_AGAIN)


def _check(table: Mapping[str, np.ndarray]) -> None:
    for name, choices in (("kind", KINDS), ("label", LABELS)):
        if wrong := sorted(set(table[name].tolist()) - set(choices)):
            raise AssayError(f"every {name} of an evidence table is known", given=wrong[0], choices=choices)
    names = table["name"].tolist()
    known = set(names)
    if len(known) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise AssayError("every network has a name of its own", given=f"{twice} twice")
    for name, kind, label, twin in zip(
        *(table[column].tolist() for column in ("name", "kind", "label", "twin_of")), strict=True
    ):
        if (kind in ("T1", "T2") or twin) and (twin not in known or twin == name):
            rule = "a twin names the network that it was made from, and that one is in the table"
            raise AssayError(rule, given=f"{name} of kind {kind}, twin of {twin or 'nothing'}")
        if (kind[0], label) in (("G", "imitates"), ("I", "composes")):
            rule = "a network that does not do what it was built for is disputed"
            raise AssayError(rule, given=f"{name} of kind {kind} labelled {label}", choices=("disputed", "partial"))


def _assembled(table: Mapping[str, np.ndarray]) -> Subjects:
    def prefixed(prefix: str) -> dict[str, np.ndarray]:
        return {name.removeprefix(prefix): column for name, column in table.items() if name.startswith(prefix)}

    return Subjects(
        **{name: table[name] for name in (*TEXTS, *TRUTHS, *NUMBERS)},
        features={name: table[name] for name in FEATURES},
        baselines=prefixed(BASELINE),
        recipe=prefixed(RECIPE),
    )
