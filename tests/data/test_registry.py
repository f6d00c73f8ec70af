"""The registry: planted files behind a local server, in a mirror and in a cache; and every registered file in the mirror."""

import functools
import gzip
import hashlib
import io
import os
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest

from assay.data import registry
from assay.data.registry import MIRROR_VARIABLE, DataSet, fetch, read_registry
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
        self.registry = root / "planted.txt"
        self.registered, self.archive = CONTENT, ""
        self.cached = self.cache / "planted" / "part" / "tasks.txt"

    def data_sets(self) -> tuple[DataSet, ...]:
        lines = [
            "# title: Planted",
            "# licence: CC0-1.0",
            "# citation: nobody",
            f"# address: {self.base_url}",
            *([f"# archive: {self.archive}"] if self.archive else []),
            "# mirror: planted/core",
            f"# bytes: {len(self.registered)}",
            f"part/tasks.txt sha256:{hashlib.sha256(self.registered).hexdigest()}",
        ]
        self.registry.write_text("\n".join(lines))
        return (read_registry(self.registry),)

    def publish(self, content: bytes) -> None:
        _write(self.public / "part/tasks.txt", content)

    def mirror_as(self, content: bytes, *, name: str = "tasks.txt.gz") -> Path:
        return _write(self.mirror / "planted/core" / name, content)


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
    with pytest.raises(AssayError) as caught:
        fetch("planted", "part/tasks.txt")
    for content in (OTHER, CONTENT):
        assert hashlib.sha256(content).hexdigest() in str(caught.value)
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
    for needed in (MIRROR_VARIABLE, "http://127.0.0.1:1/part/tasks.txt", "place tasks.txt in the folder planted/core"):
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
    path = mirrored.mirror_as(CONTENT, name="tasks.txt")
    assert fetch("planted", "part/tasks.txt") == path
    assert not mirrored.cache.exists()


def test_an_empty_file_is_a_file(mirrored: Place):
    mirrored.registered = b""
    mirrored.mirror_as(gzip.compress(b""))
    assert fetch("planted", "part/tasks.txt").read_bytes() == b""


@pytest.mark.parametrize(
    ("packed", "fault"),
    [
        (
            gzip.compress(OTHER),
            f"with sha256 {hashlib.sha256(OTHER).hexdigest()} instead of {hashlib.sha256(CONTENT).hexdigest()}",
        ),
        (gzip.compress(CONTENT + b"x"), f"altered or truncated, {len(CONTENT) + 1:,} bytes"),
        (gzip.compress(CONTENT[:-1]), f"altered or truncated, {len(CONTENT) - 1:,} bytes"),
        (gzip.compress(CONTENT)[:-20], "reading failed"),
        (CONTENT, "reading failed"),
        (b"", "truncated, 0 bytes"),
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


def test_a_download_prints_nothing(place: Place, capfd: pytest.CaptureFixture[str]):
    place.publish(CONTENT)
    fetch("planted", "part/tasks.txt")
    assert capfd.readouterr() == ("", "")


def test_unknown_names_list_the_known(place: Place):
    with pytest.raises(AssayError, match=r"Given: plantd\. Choices: planted\. Did you mean planted"):
        fetch("plantd", "part/tasks.txt")
    with pytest.raises(AssayError, match=r"planted has no such file.*Choices: part/tasks\.txt"):
        fetch("planted", "tasks.txt")


@pytest.mark.parametrize("data_set", registry.data_sets(), ids=lambda data_set: data_set.name)
def test_every_registry_file_is_whole_and_pooch_reads_the_same_from_it(data_set: DataSet):
    assert registry.get(data_set.name) == data_set
    assert all((data_set.title, data_set.licence, data_set.citation, data_set.mirror))
    assert data_set.base_url.startswith("https://")
    assert data_set.base_url.endswith("/")
    names = list(data_set.hashes)
    assert len({Path(name).name for name in names}) == len(names) >= 1  # they lie in one folder of the mirror
    assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in data_set.hashes.values())
    read = pooch.create("nowhere", data_set.base_url)
    read.load_registry(data_set.registry)
    assert read.registry == {name: f"sha256:{sha256}" for name, sha256 in data_set.hashes.items()}
    if not data_set.archive:
        assert [read.get_url(name) for name in names] == [data_set.address_of(name) for name in names]


def test_the_registered_sets_are_these():
    assert [data_set.name for data_set in registry.data_sets()] == [
        *("cogs", "faith-and-fate", "genesis", "gutenberg", "pcfg-set", "picbreeder", "scan", "slog", "tinyshakespeare"),
        *(
            "ud_english_ewt",
            "ud_french_gsd",
            "ud_french_sequoia",
            "ud_pud_parallel",
            "wikitext2",
            "word_relations",
            "wordnet31",
        ),
    ]


@pytest.mark.parametrize("data_set", registry.data_sets(), ids=lambda data_set: data_set.name)
def test_every_file_of_the_mirror_has_its_registered_content(
    data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if MIRROR_VARIABLE not in os.environ or not Path(os.environ[MIRROR_VARIABLE], data_set.mirror).is_dir():
        pytest.skip("no mirror of this data set here")
    monkeypatch.setattr(registry, "cache_folder", lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "pooch", None)  # the mirror serves without it
    paths = {name: fetch(data_set.name, name) for name in data_set.hashes}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()} == data_set.hashes
    assert sum(path.stat().st_size for path in paths.values()) == data_set.size


# Files of a zip


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture
def in_zip(place: Place):
    place.archive = "all.zip"
    return place


def test_a_file_of_a_zip_is_taken_out_checked_and_kept(in_zip):
    (in_zip.public / "all.zip").write_bytes(zipped("part/tasks.txt", CONTENT))
    for _ in range(2):
        found = fetch("planted", "part/tasks.txt")
        assert found.read_bytes() == CONTENT
    assert [entry.name for entry in found.parent.iterdir()] == ["tasks.txt"]


@pytest.mark.parametrize(
    "content",
    [zipped("part/tasks.txt", OTHER), zipped("part/tasks.txt", CONTENT[:-1]), zipped("other", CONTENT), b"no zip"],
    ids=["altered", "truncated", "missing", "no zip"],
)
def test_a_zip_that_does_not_hold_it_is_refused_and_leaves_nothing(in_zip, content):
    (in_zip.public / "all.zip").write_bytes(content)
    with pytest.raises(AssayError, match="downloading failed"):
        fetch("planted", "part/tasks.txt")
    assert [path for path in in_zip.cache.rglob("*") if path.is_file()] == []
