"""What other packages add: found by name, imported when asked for, and refused or left out by name where it is broken."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import assay
from assay import plugins
from assay.errors import AssayError
from assay.tasks import task_families
from assay.tasks.table_files import read_rows

PLUGIN = Path(__file__).parents[1] / "examples" / "plugin"
OURS = {
    plugins.INSTRUMENTS: {"silhouette": "silhouette:Silhouette"},
    plugins.TASKS: {"products": "products_family:PRODUCTS"},
    plugins.READERS: {".tsv": "tsv:read"},
}


@pytest.fixture
def install(monkeypatch):
    """Take entry points for those of installed packages."""
    monkeypatch.syspath_prepend(str(PLUGIN))

    def installed(found):
        def entries(group):
            return tuple(EntryPoint(name, value, group) for name, value in found.get(group, {}).items())

        monkeypatch.setattr(plugins, "_entries", entries)

    installed(OURS)
    return installed


def test_an_instrument_is_found_by_name_and_follows_ours(install):
    assert assay.load_instrument("silhouette").question == "Do hidden states cluster by the value of a part?"
    assert [one.name for one in assay.all_instruments()][-1] == "silhouette"
    with pytest.raises(AssayError, match="Did you mean silhouette"):
        assay.load_instrument("silhouete")


def test_a_task_is_found_by_its_address(install):
    task = assay.load_task("products:size=4")
    assert (task.address, len(task.combinations("novel"))) == ("products:size=4", 4)
    assert task_families()[-1].name == "products"
    with pytest.raises(AssayError, match="products has no such option"):
        assay.load_task("products:sizes=4")


def test_a_file_is_read_by_its_suffix(install, tmp_path):
    (tmp_path / "train.tsv").write_text("a\tb\ty\n0\t0\t1\n1\t0\t1\n0\t1\t2\n")
    (tmp_path / "test.tsv").write_text("a\tb\ty\n1\t1\t2\n")
    assert [row["y"] for row in read_rows(tmp_path / "train.tsv").rows] == ["1", "1", "2"]
    assert assay.coverage(tmp_path / "train.tsv", tmp_path / "test.tsv").synonyms.count == 1
    with pytest.raises(AssayError, match=r"(?s)\.txt.*Choices: .*\.tsv"):
        read_rows(tmp_path / "train.txt")


def test_nothing_is_imported_before_it_is_asked_for(install):
    install({plugins.INSTRUMENTS: {"other": "no_such_module:Other"}})
    assert assay.load_instrument("systematicity").name == "systematicity"
    assert assay.load_task("modular-addition:p=7").combines == ("i", "j")


@pytest.mark.parametrize("value", ["no_such_module:Other", "silhouette:METRIC", "silhouette:Silhouette"])
def test_a_broken_one_is_a_warning_and_an_error_where_it_is_named(install, value):
    """One that cannot be imported, is no instrument, or has another name."""
    install({plugins.INSTRUMENTS: {"other": value}})
    with pytest.warns(UserWarning, match=f"left out: the plug-in other of an unnamed package .{value}"):
        found = assay.all_instruments()
    assert "other" not in [one.name for one in found]
    with pytest.raises(AssayError, match="the plug-in other"):
        assay.load_instrument("other")


@pytest.mark.parametrize("name", ["systematicity", "silhouette"])
def test_a_name_that_two_have_names_both(install, name, monkeypatch):
    twice = [EntryPoint(name, value, plugins.INSTRUMENTS) for value in ("silhouette:Silhouette", "another:Silhouette")]
    monkeypatch.setattr(plugins, "_entries", lambda group: twice[: 1 if name == "systematicity" else 2])
    other = "of assay" if name == "systematicity" else r"\(silhouette:Silhouette\)"
    with pytest.raises(AssayError, match=f"must belong to one package.*{other}"):
        assay.load_instrument("silhouette2")


def test_a_reader_that_fails_is_named_with_its_file(install, tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(AssayError, match=r"rows\.tsv must be readable by tsv:read.*UnicodeDecodeError"):
        read_rows(path)


@pytest.mark.slow
def test_it_installs_and_stands_among_ours(tmp_path):
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    source.mkdir()
    for file in PLUGIN.iterdir():
        if file.is_file():
            (source / file.name).write_bytes(file.read_bytes())
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(tmp_path / "site")]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(*arguments):
        command = [sys.executable, "-m", "assay", *arguments]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(run("instruments", "--json"))[-1]["name"] == "silhouette"
    assert json.loads(run("tasks", "--json"))[-1]["form"] == "products:size=6"
    assert "FAILS" not in run("check", "silhouette", "--networks", "1")
