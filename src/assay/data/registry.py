"""Registry of data sets: address, licence and the sha256 of each file; `fetch` gives a verified copy.

Each file in the folder `sets` describes one data set in the format of pooch: lines of `name sha256:hash [address]`, headed by
comments `# key: value`. A file is taken from the folder named by the environment variable `ASSAY_DATA` (a mirror, for machines
without a network), else from the cache, else from its public address by pooch. Its sha256 must equal the registered one.
"""

import gzip
import hashlib
import logging
import os
import tempfile
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from assay.bounds import MOST_TABLE, is_file, open_file
from assay.errors import AssayError

MIRROR_VARIABLE = "ASSAY_DATA"


@dataclass(frozen=True)
class DataSet:
    """A published data set.

    **Attributes:**

    - `base_url`: ends in a slash; the address of a file is `base_url` and its name, unless `addresses` has another.
    - `mirror`: its folder in the mirror, which holds each file under the last part of its name, plain or gzipped.
    - `size`: of all files together, in bytes.
    - `hashes`: the sha256 of each file, by its name, which is also its path in the cache.
    - `archive`: a zip at `base_url` that holds the files under their names; empty where each has an address of its own.
    - `registry`: the file that says all this.

    Example::

        >>> from assay.data.registry import get
        >>> scan = get("scan")
        >>> scan.licence, len(scan.hashes), scan.address_of("tasks.txt").rpartition("/")[2]
        ('BSD-3-Clause', 25, 'tasks.txt')
    """

    name: str
    title: str
    licence: str
    citation: str
    base_url: str
    mirror: str
    size: int
    archive: str
    hashes: dict[str, str]
    addresses: dict[str, str]
    registry: Path

    def address_of(self, name: str) -> str:
        """The public address of a file, or of the zip that holds it."""
        return self.addresses.get(name, self.base_url + (self.archive or name))


def read_registry(path: Path) -> DataSet:
    """The data set that a registry file describes, named as the file is; pooch is not needed for it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return DataSet(
        name=path.stem,
        title=header["title"],
        licence=header["licence"],
        citation=header["citation"],
        base_url=header["address"],
        mirror=header["mirror"],
        size=int(header["bytes"]),
        archive=header.get("archive", ""),
        hashes={row[0]: row[1].removeprefix("sha256:") for row in rows},
        addresses={row[0]: row[2] for row in rows if len(row) > 2},
        registry=path,
    )


def data_sets() -> tuple[DataSet, ...]:
    """Every registered data set, sorted by name."""
    return tuple(read_registry(path) for path in sorted((Path(__file__).parent / "sets").glob("*.txt")))


def get(name: str) -> DataSet:
    """The data set of that name. **Raises:** `AssayError` listing the names for an unknown one."""
    found = {data_set.name: data_set for data_set in data_sets()}
    if name not in found:
        raise AssayError("a data set must be a registered one", given=name, choices=found)
    return found[name]


def cache_folder() -> Path:
    """The folder of verified copies, with a subfolder for each data set."""
    return platformdirs.user_cache_path("assay")


def fetch(name: str, path: str) -> Path:
    """A local, verified copy of one file.

    **Arguments:** `name`, `path`: the data set and the name of the file in it.

    **Raises:** `AssayError` for an unknown data set or file, when a copy is altered or truncated, and when no copy is
    available.
    """
    data_set = get(name)
    if path not in data_set.hashes:
        raise AssayError(f"data set {name} has no such file", given=path, choices=list(data_set.hashes))
    cached = cache_folder() / name / path
    mirrored = _in_mirror(data_set, path)
    if mirrored is None:
        if not _is_intact(data_set, path, cached):
            _download(data_set, path, cached)
        return cached
    gzipped = mirrored.suffix == ".gz" and not path.endswith(".gz")
    content = _verified(data_set, path, mirrored, gzipped=gzipped)
    if not gzipped:
        return mirrored
    if not _is_intact(data_set, path, cached):
        _write(cached, content)
    return cached


def _in_mirror(data_set: DataSet, path: str) -> Path | None:
    folder = os.environ.get(MIRROR_VARIABLE)
    if not folder:
        return None
    if not os.path.isdir(folder):
        raise AssayError(
            f"{MIRROR_VARIABLE} must name an existing folder",
            given=folder,
            next_step=f"correct it, or unset {MIRROR_VARIABLE} to use the cache and the network",
        )
    plain = Path(folder, data_set.mirror, Path(path).name)
    return next((found for found in (plain, plain.with_name(f"{plain.name}.gz")) if is_file(found)), None)


def _verified(data_set: DataSet, path: str, mirrored: Path, *, gzipped: bool) -> bytes:
    """The unpacked content of a file in the mirror."""
    content = b""
    try:
        opened = open_file(mirrored, most=MOST_TABLE)
        with opened, gzip.open(opened) if gzipped else opened as stream:
            content = stream.read(
                data_set.size + 1
            )  # one byte more reveals a longer file, and bounds the size of a hostile one
        fault = _fault(data_set, path, content)
    except (OSError, EOFError, zlib.error) as error:
        fault = f"reading failed: {error}"
    if fault:
        raise AssayError(
            f"{mirrored} must hold the registered content of {path}",
            given=fault,
            next_step="copy the file again; nothing was taken from it",
        )
    return content


def _fault(data_set: DataSet, path: str, content: bytes) -> str:
    """A description of what is wrong with the content; empty when it is intact."""
    digest, registered = hashlib.sha256(content).hexdigest(), data_set.hashes[path]
    if digest == registered:
        return ""
    return f"it is altered or truncated, {len(content):,} bytes with sha256 {digest} instead of {registered}"


def _is_intact(data_set: DataSet, path: str, cached: Path) -> bool:
    return os.path.isfile(cached) and not _fault(data_set, path, cached.read_bytes())


def _write(cached: Path, content: bytes) -> None:
    with _writing(cached.parent) as folder:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{cached.name}.")
        try:
            with open(handle, "wb") as stream:
                stream.write(content)
            os.replace(temporary, cached)
        finally:
            Path(temporary).unlink(missing_ok=True)


def _download(data_set: DataSet, path: str, cached: Path) -> None:
    """A copy from the public address into the cache."""
    address = data_set.address_of(path)
    try:
        import pooch
    except ImportError as error:
        raise AssayError(
            f"downloading {path} of data set {data_set.name} needs pooch",
            given=str(error),
            next_step=f"run `pip install assay[data]`, or download {address} elsewhere and set {MIRROR_VARIABLE}",
        ) from None
    with _writing(cached.parent):
        pass  # first, so that a locked disk is not reported as a failed download
    # The hashes of files in a zip are registered, not the hash of the zip.
    zips = {data_set.archive: None} if data_set.archive else None
    files = pooch.create(cache_folder() / data_set.name, data_set.base_url, registry=zips)
    files.load_registry(data_set.registry)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # silences pooch's announcement of every download
    try:
        found = files.fetch(data_set.archive or path)
        if data_set.archive:
            _write(cached, _unpacked(data_set, path, Path(found)))
    except (OSError, ValueError, zipfile.BadZipFile) as error:  # no connection, or a wrong hash
        stale = f"; the copy in the cache, {cached}, is altered or truncated" if cached.exists() else ""
        raise AssayError(
            f"{path} of data set {data_set.name} must come from {MIRROR_VARIABLE}, the cache or its address",
            given=f"downloading failed: {str(error).partition('. ')[0]}{stale}",  # without pooch's sentence on both hashes
            next_step=(
                f"connect to the network, or download {address} elsewhere, place {Path(path).name} in the folder "
                f"{data_set.mirror} of another folder, plain or gzipped (.gz), and set {MIRROR_VARIABLE} to the latter"
            ),
        ) from error
    finally:
        logger.setLevel(level)


def _unpacked(data_set: DataSet, path: str, archive: Path) -> bytes:
    """The file's content from a zip, which is then deleted. **Raises:** `ValueError` where it is not the registered one."""
    try:
        with zipfile.ZipFile(archive) as opened:
            try:
                with opened.open(path) as stream:
                    content = stream.read(data_set.size + 1)
            except (KeyError, RuntimeError, zlib.error) as error:
                raise ValueError(f"the zip holds no readable {path}") from error
    finally:
        archive.unlink(missing_ok=True)
    if fault := _fault(data_set, path, content):
        raise ValueError(f"{path} in the zip: {fault}")
    return content


@contextmanager
def _writing(folder: Path) -> Generator[Path, None, None]:
    """Make the folder, with failures to write in it raised as `AssayError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        raise AssayError(
            "the cache folder must be writable",
            given=error,
            next_step="free or unlock the disk, or (on Linux) set XDG_CACHE_HOME to a folder that can be written",
        ) from error
