"""`report.json`: an audit as one file, with the version of its schema and a checksum of its content."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from assay.audit import Audit
from assay.bounds import LARGEST, is_file, read_json_value
from assay.errors import AssayError
from assay.printable import printable, storable
from assay.store import faults_of

SCHEMA_VERSION = 2
FILE_NAME = "report.json"


class ReportFile(BaseModel):
    """What `report.json` holds.

    **Attributes:**

    - `schema_version`: raised whenever a reader of the last version would misread the file.
    - `sha256`: of the audit as JSON with sorted keys, no spaces and non-ASCII characters escaped.
    - `audit`: everything the report shows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2] = SCHEMA_VERSION
    sha256: str
    audit: Audit


def report_bytes(audit: Audit) -> bytes:
    """The content of `report.json`. The same audit gives the same bytes.

    **Raises:** `AssayError` naming a number that is not finite.
    """
    adapter = TypeAdapter(Audit)
    for where, number in _numbers(adapter.dump_python(audit)):
        if not abs(number) <= LARGEST:
            raise AssayError(
                f"a report holds finite numbers only, up to {LARGEST:g}; what could not be measured is None with a note",
                given=f"{number} at {where}",
                next_step="mend the instrument that returned it",
            )
    plain = storable(adapter.dump_python(audit, mode="json"))
    content = {"schema_version": SCHEMA_VERSION, "sha256": _checksum(plain), "audit": plain}
    return (printable(json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))) + "\n").encode()


def read_report(path: Path | str) -> Audit:
    """The audit in a `report.json`, or in the directory that holds one.

    **Raises:** `AssayError` naming the file when it is missing, truncated, altered or of a newer version.
    """
    path = Path(path)
    if os.path.isdir(path):
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
        # Through JSON again, because only from JSON does pydantic read a list as the tuple it was.
        return ReportFile.model_validate_json(json.dumps(content)).audit
    except ValidationError as error:
        raise AssayError(f"{path} must fit the report's schema", given=faults_of(error), next_step=again) from error


def json_schema() -> dict[str, Any]:
    """The JSON schema of `report.json`."""
    return ReportFile.model_json_schema()


def _checksum(plain: object) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _numbers(value: object, where: str = "audit") -> Iterator[tuple[str, float]]:
    """Every float in nested dictionaries and sequences, with its place."""
    if isinstance(value, float):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{where}[{index}]")
