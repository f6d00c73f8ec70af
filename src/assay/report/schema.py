"""`report.json`: an audit as one file, with a schema version and a checksum."""

import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from assay.arguments import checked
from assay.audit import Audit
from assay.bounds import LARGEST, is_file, read_bytes, read_json_value
from assay.errors import AssayError
from assay.evidence import Evidence, Measure, Null
from assay.printable import printable, storable
from assay.store import faults_of, is_unfinished

SCHEMA_VERSION = 4
FILE_NAME, UNITS_NAME = "report.json", "units.safetensors"
MOST_UNITS = 2**31  # bytes of the values of nulls: about 100 MB for a full audit of the largest table


class ReportFile(BaseModel):
    """Content of `report.json`.

    **Attributes:**

    - `schema_version`: raised whenever a reader of the previous version would misread the file.
    - `sha256`: of the audit as JSON with sorted keys, no spaces and non-ASCII characters escaped.
    - `audit`: all data of the report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[4] = SCHEMA_VERSION
    sha256: str
    audit: Audit


def report_bytes(audit: Audit) -> bytes:
    """The content of `report.json`. The same audit gives the same bytes.

    **Raises:** `AssayError` naming a number that is not finite.
    """
    for where, number in _numbers(_as_schema().dump_python(audit)):
        if not abs(number) <= LARGEST:
            raise AssayError(
                f"a report must hold finite numbers up to {LARGEST:g}; a value that could not be measured is None with a note",
                given=f"{number} at {where}",
                next_step="fix the instrument that returned it",
            )
    plain = _plain(audit)
    content = {"schema_version": SCHEMA_VERSION, "sha256": _checksum(plain), "audit": plain}
    return (printable(json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))) + "\n").encode()


@checked
def read_report(path: Path | str) -> Audit:
    """The audit in a `report.json`, or in the directory that holds one.

    **Raises:** `AssayError` naming the file when it is missing, truncated, altered or of another version, and the folder when
    the audit in it was not finished.

    Example::

        >>> assay.read_report("report").task.address
        'modular-addition:...'
    """
    path = Path(path)
    if os.path.isdir(path):
        if is_unfinished(path):
            raise AssayError(
                "an audit must be finished before it is read",
                given=f"{path}, which an audit is writing or left unfinished",
                next_step="wait for it, or run the same command again",
            )
        path = path / FILE_NAME
    if not is_file(path):
        raise AssayError(
            f"an audit directory must hold {FILE_NAME}",
            given=f"no {path}",
            next_step="make one with `assay audit`",
        )
    again = "restore the file, or audit again"
    content = read_json_value(path, next_step=again)
    if not isinstance(content, dict) or not isinstance(content.get("schema_version"), int):
        raise AssayError(f"{path} must be an audit's report with a schema_version", given="another file", next_step=again)
    if content["schema_version"] != SCHEMA_VERSION:
        raise AssayError(
            f"{path} must follow schema version {SCHEMA_VERSION}",
            given=f"version {content['schema_version']}",
            next_step="read it with the version of Assay that wrote it, named in the file under audit.environment.versions",
        )
    if content.get("sha256") != _checksum(content.get("audit")):
        raise AssayError(f"{path} must be what Assay wrote", given="an altered file", next_step=again)
    for where, number in _numbers(content["audit"]):
        if not abs(number) <= LARGEST:
            raise AssayError(f"{path}: numbers must be at most {LARGEST:g}", given=f"{number} at {where}", next_step=again)
    try:
        # Via JSON, because pydantic reads a list as a tuple from JSON only.
        return ReportFile.model_validate_json(json.dumps(content)).audit
    except ValidationError as error:
        raise AssayError(f"{path} must fit the report's schema", given=faults_of(error), next_step=again) from error


def units_bytes(audit: Audit) -> bytes:
    """Values of every null per independent unit, `(r, u)`, by `units_name`, as safetensors; repeated names are numbered. The
    same audit gives the same bytes."""
    from safetensors.numpy import save

    found: dict[str, np.ndarray] = {}
    for evidence in audit.evidence:
        for measure in evidence.measures:
            for null in measure.nulls:
                if null.units is not None:
                    name = units_name(evidence, measure, null)
                    repeats = (f"{name} ({k})" for k in count(2))  # an instrument may have run twice, with different options
                    name = name if name not in found else next(other for other in repeats if other not in found)
                    found[name] = np.ascontiguousarray(null.units, dtype=np.float32)
    return save(found, metadata={"report": checksum_of(audit)})


def has_units_beside(directory: Path, audit: Audit) -> bool:
    """Whether an audit without values per unit (read from a file) belongs to a directory that has them."""
    if any(null.units is not None for evidence in audit.evidence for measure in evidence.measures for null in measure.nulls):
        return False
    try:
        return bool(read_units(directory))
    except (AssayError, OSError):
        return False


def units_name(evidence: Evidence, measure: Measure, null: Null) -> str:
    """Name of a null's values, such as `decodability/decodability gain (part i, readout value)/untrained copies`."""
    return "/".join([evidence.instrument, measure.label, null.name])


def read_units(path: Path | str) -> dict[str, np.ndarray]:
    """Values of every null per independent unit, by `units_name`: rows are repeats, columns the units of `Measure.repeats`, NaN
    for units that a repeat lacks. With them any measure of a report can be paired and tested again.

    **Raises:** `AssayError` when the audit's directory has none, or those of another report.

    Example::

        >>> from assay.report import read_units
        >>> {name: values.shape for name, values in read_units("report").items()}
        {'systematicity/seen score/untrained copies': (5, 34)}
    """
    import safetensors
    from safetensors.numpy import load

    path = Path(path) / UNITS_NAME if os.path.isdir(path) else Path(path)
    again = "restore the file, or audit again"
    content = read_bytes(path, most=MOST_UNITS, next_step=again)
    report = read_json_value(path.parent / FILE_NAME, next_step=again)
    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            belongs = (opened.metadata() or {}).get("report")
        found = load(content)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise AssayError(f"{path} must hold arrays as safetensors", given=str(error), next_step=again) from error
    if not isinstance(report, dict) or belongs != report.get("sha256"):
        raise AssayError(f"{path} must belong to the {FILE_NAME} beside it", given="another audit's", next_step=again)
    return found


def json_schema() -> dict[str, Any]:
    """The JSON schema of `report.json`."""
    return ReportFile.model_json_schema()


@cache
def _as_schema() -> TypeAdapter:
    """The type adapter, cached since building it takes longer than writing a small report."""
    return TypeAdapter(Audit)


def _plain(audit: Audit) -> Any:
    plain = _without_units(storable(_as_schema().dump_python(audit, mode="json")))
    for failed in plain["failed"]:
        del failed["traceback"]  # a traceback names files of one machine
    return plain


def _without_units(plain: Any) -> Any:
    """The data without empty `units` fields, whose values are in another file."""
    for evidence in plain["evidence"]:
        for measure in evidence["measures"]:
            for null in measure["nulls"]:
                del null["units"]
    return plain


def checksum_of(audit: Audit) -> str:
    """The `sha256` of an audit's `report.json`."""
    return _checksum(_plain(audit))


def _checksum(plain: object) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _numbers(value: object, where: str = "audit") -> Iterator[tuple[str, float]]:
    """Every float in nested dictionaries and sequences, with its path."""
    if isinstance(value, float):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{where}[{index}]")
