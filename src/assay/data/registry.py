"""Registry of data sets: address, hash and licence of each file; `fetch` gives a verified copy.

A file is taken from the folder named by the environment variable `ASSAY_DATA` (a mirror, for machines without a network), else
from the cache, else from its public address. Its sha256 must equal the registered one.
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
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from assay.bounds import MOST_TABLE, is_file, open_file
from assay.data.cogs_files import COGS_FILES, SLOG_FILES, SLOG_TESTS
from assay.data.computation_files import FAITH_AND_FATE_FILES, PCFG_LOCALISM_FILES
from assay.data.scan_files import SCAN_FILES
from assay.data.text_sets import TEXT_SETS, TextSource
from assay.data.treebank_files import TREEBANKS, UNIVERSAL_DEPENDENCIES, TreebankSource
from assay.errors import AssayError

MIRROR_VARIABLE = "ASSAY_DATA"
_GENOMES = (
    ("skull.zip", "63adfccc384d6fb48c79719c9336483c478839e1fc4773f289d3aee9fefaabb2", 1_817),
    ("butterfly.zip", "62df8bf336617ffbcf1a981a70d31378453e806efdd1850f4d394da88b106610", 3_017),
    ("apple.zip", "2a81d8ce890d39e80d7221c0d58034d0a402560cf138229e2f73219d6e261434", 6_632),
)


@dataclass(frozen=True)
class DataFile:
    """One file of a data set.

    **Attributes:**

    - `path`: relative to the data set's address, and to its folder in the cache.
    - `sha256`, `size`: of the original content; the size in bytes.
    - `mirror`: path in the mirror folder; with the ending `.gz` that `path` lacks, the mirror holds it gzipped.
    - `archive`: a zip at the data set's address that contains it as `path`; empty where it has an address of its own.
    """

    path: str
    sha256: str
    size: int
    mirror: str
    archive: str = ""

    @property
    def gzipped_in_mirror(self) -> bool:
        return self.mirror.endswith(".gz") and not self.path.endswith(".gz")


@dataclass(frozen=True)
class DataSet:
    """A published data set. `base_url` ends in a slash; a file's address is `base_url` and its path."""

    name: str
    title: str
    licence: str
    citation: str
    base_url: str
    files: tuple[DataFile, ...] = field(repr=False)

    def file(self, path: str) -> DataFile:
        """The file of that path. **Raises:** `AssayError` listing the paths for an unknown one."""
        for file in self.files:
            if file.path == path:
                return file
        raise AssayError(f"data set {self.name} has no such file", given=path, choices=[file.path for file in self.files])


def data_sets() -> tuple[DataSet, ...]:
    """Every registered data set."""
    return (
        DataSet(
            name="scan",
            title="SCAN: navigation commands and their action sequences",
            licence="BSD-3-Clause",
            citation=(
                "Lake and Baroni 2018, Generalization without systematicity, arXiv 1711.00350; template and filler splits: "
                "Loula, Baroni and Lake 2018, Rearranging the familiar, arXiv 1807.07545"
            ),
            base_url="https://raw.githubusercontent.com/brendenlake/SCAN/c4b756cbc010d75c912f16c42c8f15dc6b7e6c8f/",
            files=tuple(
                DataFile(path, sha256, size, mirror=f"scan/core/{path.rpartition('/')[2]}.gz")
                for path, sha256, size in SCAN_FILES
            ),
        ),
        DataSet(
            name="cogs",
            title="COGS: sentences and their logical forms, with 21 kinds of generalisation",
            licence="MIT",
            citation="Kim and Linzen 2020, COGS: A Compositional Generalization Challenge, arXiv 2010.05465",
            base_url="https://raw.githubusercontent.com/najoungkim/COGS/165a7b669eade971fa47bf568a2e51925360fed8/",
            files=tuple(
                DataFile(f"data/{side}.tsv", sha256, size, mirror=f"cogs/{side}.tsv.gz") for side, sha256, size in COGS_FILES
            ),
        ),
        DataSet(
            name="slog",
            title="SLOG: COGS with 17 kinds of structural generalisation",
            licence="MIT",
            citation="Li, Donatelli, Koller, Linzen, Yao and Kim 2023, SLOG, arXiv 2310.15040",
            base_url="https://raw.githubusercontent.com/bingzhilee/SLOG/1c55df85006d58b842520c79dcb8e1b43df2836f/",
            files=(
                *(
                    DataFile(f"data/varfree_LF/{side}.tsv", sha256, size, mirror=f"slog/varfree_{side}.tsv.gz")
                    for side, sha256, size in SLOG_FILES
                ),
                DataFile(*SLOG_TESTS, mirror="slog/generalization_sets.zip"),
            ),
        ),
        DataSet(
            name="pcfg-set",
            title="PCFG SET: answers of LSTMs that were fed their own answers to constituents",
            licence="MIT",
            citation="Hupkes, Dankers, Mul and Bruni 2020, Compositionality decomposed, arXiv 1908.08351",
            base_url="https://raw.githubusercontent.com/i-machine-think/am-i-compositional/4f75bdd78889150dd78e90bbb7ddec840204c159/",
            files=tuple(
                DataFile(path, sha256, size, mirror=f"pcfg-set/model_predictions/lstms2s_localism_run{run}.txt.gz")
                for run, (path, sha256, size) in enumerate(PCFG_LOCALISM_FILES, 1)
            ),
        ),
        DataSet(
            name="faith-and-fate",
            title="Faith and Fate: gold scratchpads of multiplication and a dynamic program, in zips with a published password",
            licence="MIT",
            citation="Dziri et al. 2023, Faith and Fate: Limits of Transformers on Compositionality, arXiv 2305.18654",
            base_url="https://raw.githubusercontent.com/nouhadziri/faith-and-fate/1e90edb54b4ed0fa150259a72c994b0fee90d388/",
            files=tuple(
                DataFile(path, sha256, size, mirror=f"faith-and-fate/{path.rpartition('/')[2]}")
                for path, sha256, size in FAITH_AND_FATE_FILES
            ),
        ),
        *(_treebank(source) for source in TREEBANKS),
        *(_texts(source) for source in TEXT_SETS),
        DataSet(
            name="picbreeder",
            title="Picbreeder: three evolved networks that draw a skull, a butterfly and an apple",
            licence="Apache-2.0",
            citation="Kumar, Clune, Lehman and Stanley 2025, arXiv 2505.11581; genomes: Secretan et al. 2011, Picbreeder",
            base_url="https://raw.githubusercontent.com/akarshkumar0101/fer/23a9c452a57810c86db07c3ed23c1d1352011299/picbreeder_genomes/",
            files=tuple(DataFile(name, sha256, size, mirror=f"picbreeder/{name}") for name, sha256, size in _GENOMES),
        ),
    )


def _treebank(source: TreebankSource) -> DataSet:
    files = tuple(
        DataFile(path, sha256, size, mirror=f"{source.name}/{path.rpartition('/')[2]}.gz")
        for path, sha256, size in source.files
    )
    return DataSet(source.name, source.title, source.licence, source.citation, UNIVERSAL_DEPENDENCIES, files)


def _texts(source: TextSource) -> DataSet:
    files = tuple(
        DataFile(path, sha256, size, mirror=f"{source.mirror}/{path.rpartition('/')[2]}{packed}", archive=source.archive)
        for path, sha256, size, packed in source.files
    )
    return DataSet(source.name, source.title, source.licence, source.citation, source.base_url, files)


def get(name: str) -> DataSet:
    """The data set of that name. **Raises:** `AssayError` listing the names for an unknown one."""
    found = {data_set.name: data_set for data_set in data_sets()}
    if name not in found:
        raise AssayError("a data set must be a registered one", given=name, choices=found)
    return found[name]


def cache_folder() -> Path:
    """The folder of verified copies, with a subfolder for each data set."""
    return platformdirs.user_cache_path("assay")


def fetch(name: str, path: str, *, progress: bool = False) -> Path:
    """A local, verified copy of one file.

    **Arguments:**

    - `name`, `path`: the data set and the file in it.
    - `progress`: show a bar while downloading.

    **Raises:** `AssayError` for an unknown data set or file, when a copy is altered or truncated, and when no copy is
    available.
    """
    data_set = get(name)
    file = data_set.file(path)
    cached = cache_folder() / name / path
    mirrored = _in_mirror(file)
    if mirrored is None:
        return _download(data_set, file, cached, progress=progress)
    content = _verified(file, mirrored)
    if not file.gzipped_in_mirror:
        return mirrored
    if not _is_intact(file, cached):
        _write(cached, content)
    return cached


def _in_mirror(file: DataFile) -> Path | None:
    folder = os.environ.get(MIRROR_VARIABLE)
    if not folder:
        return None
    if not os.path.isdir(folder):
        raise AssayError(
            f"{MIRROR_VARIABLE} must name an existing folder",
            given=folder,
            next_step=f"correct it, or unset {MIRROR_VARIABLE} to use the cache and the network",
        )
    mirrored = Path(folder) / file.mirror
    return mirrored if is_file(mirrored) else None


def _verified(file: DataFile, mirrored: Path) -> bytes:
    """The unpacked content of a file in the mirror."""
    content = b""
    try:
        opened = open_file(mirrored, most=MOST_TABLE)
        with opened, gzip.open(opened) if file.gzipped_in_mirror else opened as stream:
            content = stream.read(file.size + 1)  # one byte more reveals a longer file, and bounds the size of a hostile one
        fault = _fault(file, content)
    except (OSError, EOFError, zlib.error) as error:
        fault = f"reading failed: {error}"
    if fault:
        raise AssayError(
            f"{mirrored} must hold the registered content of {file.path}",
            given=fault,
            next_step="copy the file again; nothing was taken from it",
        )
    return content


def _fault(file: DataFile, content: bytes) -> str:
    """A description of what is wrong with the content; empty when it is intact."""
    if len(content) < file.size:
        return f"it is truncated, {len(content)} of {file.size} bytes"
    if len(content) > file.size:
        return f"it is altered, longer than its {file.size} bytes"
    digest = hashlib.sha256(content).hexdigest()
    return "" if digest == file.sha256 else f"it is altered, sha256 {digest} instead of {file.sha256}"


def _is_intact(file: DataFile, cached: Path) -> bool:
    return os.path.isfile(cached) and cached.stat().st_size == file.size and not _fault(file, cached.read_bytes())


def _write(cached: Path, content: bytes) -> None:
    with _writing(cached.parent) as folder:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{cached.name}.")
        try:
            with open(handle, "wb") as stream:
                stream.write(content)
            os.replace(temporary, cached)
        finally:
            Path(temporary).unlink(missing_ok=True)


def _download(data_set: DataSet, file: DataFile, cached: Path, *, progress: bool) -> Path:
    """The cached copy if intact, else a download from the public address."""
    if _is_intact(file, cached):
        return cached
    address = data_set.base_url + (file.archive or file.path)
    try:
        import pooch
    except ImportError as error:
        raise AssayError(
            f"downloading {file.path} of data set {data_set.name} needs pooch",
            given=str(error),
            next_step=f"run `pip install assay[data]`, or download {address} elsewhere and set {MIRROR_VARIABLE}",
        ) from None
    with _writing(cached.parent):
        pass  # first, so that a locked disk is not reported as a failed download
    bar = _Bar(file.path) if progress else None
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # silence pooch's announcement of every download; the bar replaces it
    try:
        found = pooch.retrieve(
            address,
            known_hash=None if file.archive else f"sha256:{file.sha256}",
            fname=Path(file.archive).name or cached.name,
            path=cached.parent,
            # pyrefly: ignore[bad-argument-type]  (pooch annotates a flag and documents that a bar may stand for it)
            progressbar=bar or False,
        )
        if file.archive:
            _write(cached, _unpacked(file, Path(found)))
    except (OSError, ValueError, zipfile.BadZipFile) as error:  # no connection, or a wrong hash
        stale = f"; the copy in the cache, {cached}, is altered or truncated" if cached.exists() else ""
        raise AssayError(
            f"{file.path} of data set {data_set.name} must come from {MIRROR_VARIABLE}, the cache or its address",
            given=f"downloading failed: {str(error).partition('. ')[0]}{stale}",  # without pooch's sentence on both hashes
            next_step=(
                f"connect to the network, or download {address} elsewhere, place it as {file.mirror} "
                f"{'(gzipped) ' if file.gzipped_in_mirror else ''}in a folder, and set {MIRROR_VARIABLE} to that folder"
            ),
        ) from error
    finally:
        logger.setLevel(level)
        if bar:
            bar.close()
    return cached


def _unpacked(file: DataFile, archive: Path) -> bytes:
    """The file's content from a zip, which is then deleted. **Raises:** `ValueError` where it is not the registered one."""
    try:
        with zipfile.ZipFile(archive) as opened:
            try:
                with opened.open(file.path) as stream:
                    content = stream.read(file.size + 1)
            except (KeyError, RuntimeError, zlib.error) as error:
                raise ValueError(f"the zip holds no readable {file.path}") from error
    finally:
        archive.unlink(missing_ok=True)
    if fault := _fault(file, content):
        raise ValueError(f"{file.path} in the zip: {fault}")
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


class _Bar:
    """rich's progress bar in the form that pooch drives: `total` is set, then `update`, `reset` and `close` are called."""

    total = 0

    def __init__(self, label: str):
        from rich.console import Console
        from rich.progress import Progress

        self._progress = Progress(console=Console(stderr=True))
        self._task = self._progress.add_task(label, total=None)
        self._progress.start()

    def update(self, num_bytes: int) -> None:
        self._progress.update(self._task, total=self.total or None, advance=num_bytes)

    def reset(self) -> None:
        self._progress.reset(self._task)

    def close(self) -> None:
        self._progress.stop()
