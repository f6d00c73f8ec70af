"""What of the zoo ships with the package: the table of what was measured, the calibration fitted to it, and their hashes."""

import hashlib
from pathlib import Path

from assay.calibration import Subjects, read_subjects
from assay.calibration.table import parquet_bytes
from assay.errors import AssayError
from assay.former_verdict.calibration import FILE, Calibration, calibrate
from assay.store import write_bytes_atomically
from assay.zoo.recipe import recipe_hash

TABLE = Path(__file__).with_name("shipped") / "evidence.parquet"


def ship(subjects: Subjects, folder: Path | None = None) -> Calibration:
    """Write the table, then the calibration that names it by its hash: into the package, or both into a folder.

    The same table gives the same bytes.
    """
    table, calibration = _places(folder)
    content = parquet_bytes(subjects)
    made = calibrate(subjects, recipe_sha256=recipe_hash(), table_sha256=hashlib.sha256(content).hexdigest())
    table.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(table, content)
    made.write(calibration)
    return made


def shipped_table(folder: Path | None = None) -> tuple[Subjects, Calibration]:
    """The table that ships, or one in a folder, and its calibration.

    **Raises:** `AssayError` when one of them is missing or damaged, or the table is not the one that was calibrated on.
    """
    table, calibration = _places(folder)
    if not calibration.is_file():
        raise AssayError(
            "scores need a table of known networks and the calibration that belongs to it",
            given=f"no {calibration}",
            next_step="make both with `assay zoo build --out DIR` and `assay zoo calibrate --zoo DIR`",
        )
    made = Calibration.read(calibration)
    return read_subjects(table, sha256=made.table_sha256), made


def _places(folder: Path | None) -> tuple[Path, Path]:
    return (TABLE, FILE) if folder is None else (folder / TABLE.name, folder / FILE.name)
