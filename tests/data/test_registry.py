"""The registry: planted files behind a local server, in a mirror and in a cache; and the registered SCAN itself."""

import functools
import gzip
import hashlib
import io
import os
import re
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assay.data import registry
from assay.data.registry import MIRROR_VARIABLE, DataFile, DataSet, fetch
from assay.data.treebank_files import TREEBANKS
from assay.errors import AssayError

CONTENT = b"IN: jump OUT: I_JUMP\n" * 1000
OTHER = CONTENT.replace(b"I_JUMP", b"I_WALK")  # of the same length


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - one server at a time

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Place:
    """A public folder behind a server, a mirror and a cache, all empty, and a data set `planted` of one file."""

    def __init__(self, root: Path, address: str):
        self.public, self.mirror, self.cache = root / "public", root / "mirror", root / "cache"
        for folder in (self.public, self.mirror):
            folder.mkdir()
        self.base_url = address
        self.file = DataFile("part/tasks.txt", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), mirror="planted/tasks.txt.gz")
        self.cached = self.cache / "planted" / "part" / "tasks.txt"

    def data_sets(self) -> tuple[DataSet, ...]:
        return (DataSet("planted", "Planted", "CC0-1.0", "nobody", self.base_url, (self.file,)),)

    def publish(self, content: bytes) -> None:
        _write(self.public / self.file.path, content)

    def mirror_as(self, content: bytes) -> Path:
        return _write(self.mirror / self.file.mirror, content)


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    Quiet.asked.clear()
    handler = functools.partial(Quiet, directory=str(tmp_path / "public"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        planted = Place(tmp_path, f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(registry, "data_sets", planted.data_sets)
        monkeypatch.setattr(registry, "cache_folder", lambda: planted.cache)
        monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield planted
        server.shutdown()
        thread.join()


@pytest.fixture
def closed(place: Place) -> Place:
    """The same with an address at which nobody answers."""
    place.base_url = "http://127.0.0.1:1/"
    return place


@pytest.fixture
def mirrored(closed: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The same with the mirror in use, still without a network."""
    monkeypatch.setenv(MIRROR_VARIABLE, str(closed.mirror))
    return closed


def test_a_download_is_kept_and_not_asked_for_again(place: Place):
    place.publish(CONTENT)
    for _ in range(2):
        assert fetch("planted", "part/tasks.txt") == place.cached
        assert place.cached.read_bytes() == CONTENT
    assert Quiet.asked == ["/part/tasks.txt"]


def test_a_download_that_differs_is_refused_and_leaves_nothing(place: Place):
    place.publish(OTHER)
    with pytest.raises(AssayError, match=hashlib.sha256(OTHER).hexdigest()):
        fetch("planted", "part/tasks.txt")
    assert list(place.cached.parent.iterdir()) == []


@pytest.mark.parametrize("stale", [OTHER, CONTENT[:-1], b""], ids=["altered", "truncated", "empty"])
def test_a_spoilt_copy_in_the_cache_is_fetched_again(place: Place, stale: bytes):
    place.publish(CONTENT)
    _write(place.cached, stale)
    assert fetch("planted", "part/tasks.txt").read_bytes() == CONTENT


def test_a_spoilt_copy_in_the_cache_is_named_when_there_is_no_network(closed: Place):
    _write(closed.cached, OTHER)
    with pytest.raises(AssayError) as caught:
        fetch("planted", "part/tasks.txt")
    assert f"{closed.cached}, is altered" in str(caught.value)


def test_without_mirror_cache_and_network_the_next_step_names_mirror_and_address(closed: Place):
    with pytest.raises(AssayError) as caught:
        fetch("planted", "part/tasks.txt")
    for needed in (MIRROR_VARIABLE, "http://127.0.0.1:1/part/tasks.txt", "planted/tasks.txt.gz", "(gzipped)"):
        assert needed in caught.value.next_step


def test_a_gzipped_mirror_is_unpacked_into_the_cache_once(mirrored: Place):
    mirrored.mirror_as(gzip.compress(CONTENT))
    assert fetch("planted", "part/tasks.txt") == mirrored.cached
    written = mirrored.cached.stat().st_mtime_ns
    assert fetch("planted", "part/tasks.txt").read_bytes() == CONTENT
    assert mirrored.cached.stat().st_mtime_ns == written
    assert list(mirrored.cached.parent.iterdir()) == [mirrored.cached]


def test_a_gzipped_mirror_mends_a_spoilt_copy_in_the_cache(mirrored: Place):
    mirrored.mirror_as(gzip.compress(CONTENT))
    _write(mirrored.cached, OTHER)
    assert fetch("planted", "part/tasks.txt").read_bytes() == CONTENT


def test_a_plain_mirror_is_used_where_it_lies(mirrored: Place):
    mirrored.file = DataFile("part/tasks.txt", mirrored.file.sha256, len(CONTENT), mirror="plain/tasks.txt")
    path = mirrored.mirror_as(CONTENT)
    assert fetch("planted", "part/tasks.txt") == path
    assert not mirrored.cache.exists()


def test_an_empty_file_is_a_file(mirrored: Place):
    mirrored.file = DataFile("part/tasks.txt", hashlib.sha256(b"").hexdigest(), 0, mirror="planted/tasks.txt.gz")
    mirrored.mirror_as(gzip.compress(b""))
    assert fetch("planted", "part/tasks.txt").read_bytes() == b""


@pytest.mark.parametrize(
    ("packed", "fault"),
    [
        (gzip.compress(OTHER), "altered, sha256"),
        (gzip.compress(CONTENT + b"x"), "altered, longer"),
        (gzip.compress(CONTENT[:-1]), f"truncated, {len(CONTENT) - 1} of {len(CONTENT)} bytes"),
        (gzip.compress(CONTENT)[:-20], "reading failed"),
        (CONTENT, "reading failed"),
        (b"", "truncated, 0 of"),
        (gzip.compress(CONTENT)[:10] + b"\xff" * 40, "reading failed"),
    ],
    ids=["altered", "longer", "shorter", "cut", "not gzip", "no bytes", "bad stream"],
)
def test_a_spoilt_mirror_is_named_and_nothing_is_taken_from_it(mirrored: Place, packed: bytes, fault: str):
    path = mirrored.mirror_as(packed)
    _write(mirrored.cached, CONTENT)  # an intact copy elsewhere does not hide the fault
    with pytest.raises(AssayError) as caught:
        fetch("planted", "part/tasks.txt")
    assert str(path) in str(caught.value)
    assert fault in str(caught.value)
    assert mirrored.cached.read_bytes() == CONTENT


def test_a_file_that_the_mirror_lacks_comes_from_the_address(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(MIRROR_VARIABLE, str(place.mirror))
    place.publish(CONTENT)
    assert fetch("planted", "part/tasks.txt") == place.cached


def test_without_pooch_a_mirror_serves_and_a_download_says_what_to_install(mirrored: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    mirrored.mirror_as(gzip.compress(CONTENT))
    assert fetch("planted", "part/tasks.txt").read_bytes() == CONTENT
    monkeypatch.delenv(MIRROR_VARIABLE)
    mirrored.cached.unlink()
    with pytest.raises(AssayError, match=r"needs pooch.*pip install assay\[data\]"):
        fetch("planted", "part/tasks.txt")


def test_the_mirror_must_exist(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(MIRROR_VARIABLE, str(place.mirror / "nowhere"))
    with pytest.raises(AssayError, match=f"{MIRROR_VARIABLE} must name an existing folder"):
        fetch("planted", "part/tasks.txt")


@pytest.mark.parametrize("packed", [True, False])
def test_a_cache_that_cannot_be_written_is_told(place: Place, monkeypatch: pytest.MonkeyPatch, packed: bool):
    place.publish(CONTENT)
    if packed:
        place.mirror_as(gzip.compress(CONTENT))
        monkeypatch.setenv(MIRROR_VARIABLE, str(place.mirror))
    place.cache.write_text("a file where the folder should be")
    with pytest.raises(AssayError, match="the cache folder must be writable"):
        fetch("planted", "part/tasks.txt")


def test_the_bar_is_drawn_only_when_asked_for(place: Place, capfd: pytest.CaptureFixture[str]):
    place.publish(CONTENT)
    fetch("planted", "part/tasks.txt")
    assert capfd.readouterr() == ("", "")
    place.cached.unlink()
    fetch("planted", "part/tasks.txt", progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "part/tasks.txt" in err
    assert "100%" in err


def test_unknown_names_list_the_known(place: Place):
    with pytest.raises(AssayError, match=r"Given: plantd\. Choices: planted\. Did you mean planted"):
        fetch("plantd", "part/tasks.txt")
    with pytest.raises(AssayError, match=r"planted has no such file.*Choices: part/tasks\.txt"):
        fetch("planted", "tasks.txt")


def test_scan_is_registered_with_all_its_core_files():
    scan = registry.get("scan")
    assert scan in registry.data_sets()
    assert len({file.path for file in scan.files}) == len({file.mirror for file in scan.files}) == 25
    assert scan.base_url.startswith("https://")
    assert scan.base_url.endswith("/")
    assert all(len(bytes.fromhex(file.sha256)) == 32 and file.size > 0 for file in scan.files)
    assert "BSD" in scan.licence


def test_every_scan_file_of_the_mirror_has_its_registered_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = Path(os.environ.get(MIRROR_VARIABLE, "")) / "scan"
    if MIRROR_VARIABLE not in os.environ or not folder.is_dir():
        pytest.skip("no mirror with SCAN here")
    monkeypatch.setattr(registry, "cache_folder", lambda: tmp_path)
    for file in registry.get("scan").files:
        path = fetch("scan", file.path)
        assert path == tmp_path / "scan" / file.path
        assert path.stat().st_size == file.size
        assert path.read_bytes()[:4] == b"IN: "


@pytest.mark.parametrize("source", TREEBANKS, ids=lambda source: source.name)
def test_every_treebank_of_the_mirror_has_its_registered_content(source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data_set = registry.get(source.name)
    assert all(re.search(r"/UD_[\w-]+/[0-9a-f]{40}/[\w-]+\.conllu$", data_set.base_url + file.path) for file in data_set.files)
    folder = Path(os.environ.get(MIRROR_VARIABLE, "")) / source.name
    if MIRROR_VARIABLE not in os.environ or not folder.is_dir():
        pytest.skip("no mirror with this treebank here")
    monkeypatch.setattr(registry, "cache_folder", lambda: tmp_path)
    for file in data_set.files:
        path = fetch(source.name, file.path)
        assert path.stat().st_size == file.size
        assert path.read_text(encoding="utf-8").startswith("# ")


# Files of a zip


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture
def in_zip(place: Place, monkeypatch):
    file = DataFile("inner/tasks.txt", place.file.sha256, place.file.size, mirror="none", archive="all.zip")
    data_set = DataSet("zipped", "Zipped", "CC0-1.0", "nobody", place.base_url, (file,))
    monkeypatch.setattr(registry, "data_sets", lambda: (data_set,))
    return place


def test_a_file_of_a_zip_is_taken_out_checked_and_kept(in_zip):
    (in_zip.public / "all.zip").write_bytes(zipped("inner/tasks.txt", CONTENT))
    for _ in range(2):
        found = fetch("zipped", "inner/tasks.txt")
        assert found.read_bytes() == CONTENT
    assert [entry.name for entry in found.parent.iterdir()] == ["tasks.txt"]


@pytest.mark.parametrize(
    "content",
    [zipped("inner/tasks.txt", OTHER), zipped("inner/tasks.txt", CONTENT[:-1]), zipped("other", CONTENT), b"no zip"],
    ids=["altered", "truncated", "missing", "no zip"],
)
def test_a_zip_that_does_not_hold_it_is_refused_and_leaves_nothing(in_zip, content):
    (in_zip.public / "all.zip").write_bytes(content)
    with pytest.raises(AssayError, match="downloading failed"):
        fetch("zipped", "inner/tasks.txt")
    assert not list((in_zip.cache / "zipped" / "inner").iterdir())
