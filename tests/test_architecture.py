"""What import-linter cannot state: the size of files, and which libraries may not be imported before they are used."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

SOURCE, ZOO = (Path(__file__).parents[1] / name for name in ("src", "zoo"))
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 400
SLOW = {"cma", "scipy", "sklearn", "jinja2", "transformers", "pandas", "pyarrow", "pooch"}


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def _imported(tree: ast.AST, *, in_functions: bool = False) -> Iterator[str]:
    """Modules and names that importing the module imports, and its functions too where asked; not for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from (name for other in node.orelse for name in _imported(ast.Module([other], []), in_functions=in_functions))
        elif in_functions or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _imported(node, in_functions=in_functions)


@cache
def _imports(path: Path) -> set[str]:
    """Top-level packages."""
    return {name.partition(".")[0] for name in _imported(ast.parse(path.read_text()))}


def test_files_are_short():
    """A longer one is split where its second idea begins."""
    assert FILES
    lines = {_name(path): len(path.read_text().splitlines()) for path in FILES}
    assert {name: number for name, number in lines.items() if number > MOST_LINES} == {}


def test_slow_libraries_are_imported_where_they_are_used():
    found = {_name(path): SLOW & _imports(path) for path in FILES}
    assert {name: slow for name, slow in found.items() if slow} == {}


def test_annotations_stay_objects():
    # jaxtyping's run-time checks need them, so the future import that makes them strings is not used.
    assert [_name(path) for path in FILES if "__future__" in _imports(path)] == []


def test_the_finder_of_imports_sees_what_it_should():
    program = """
import scipy.stats, torch
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import matplotlib
else:
    import pooch
try:
    from sklearn.linear_model import Ridge
except ImportError:
    pass
class Holder:
    import jinja2
    def method(self):
        import pandas
def function():
    import pyarrow
"""
    found = {"scipy.stats", "torch", "typing.TYPE_CHECKING", "pooch", "sklearn.linear_model.Ridge", "jinja2"}
    assert set(_imported(ast.parse(program))) == found
    assert set(_imported(ast.parse(program), in_functions=True)) == found | {"pandas", "pyarrow"}


def _rooms(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Imports between the folders and files that lie in src/assay."""
    rooms: dict[str, set[str]] = {}
    for module, others in graph.items():
        room, *reached = (".".join(name.split(".")[:2]) for name in (module, *others))
        rooms.setdefault(room, set()).update(set(reached) - {room})
    return rooms


def test_imports_have_no_circles():
    """Neither modules nor rooms import each other: an import inside a function may delay a library, not hide a circle."""
    modules = {".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}

    def imported(module: str) -> set[str]:
        names = set(_imported(ast.parse(modules[module].read_text()), in_functions=True))
        return {name if name in modules else name.rpartition(".")[0] for name in names} & modules.keys()

    graph = {module: imported(module) for module in modules}
    assert "assay.evidence" in graph["assay.audit"]
    assert "assay.models" in graph["assay.cli.audit"]  # within a function
    TopologicalSorter(graph).prepare()  # raises with the circle
    TopologicalSorter(_rooms(graph)).prepare()


def test_what_tests_import_has_one_meaning():
    """The folders on the path of the tests hold no two files of one name: which is imported would depend on the order."""
    root = SOURCE.parent
    folders = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["pythonpath"]
    paths = [path for folder in folders for path in (root / folder).glob("*.py") if not path.name.startswith("test_")]
    names = Counter(path.name for path in paths)
    assert "processes.py" in names
    assert [name for name, times in names.items() if times > 1] == []


def test_no_class_name_stands_in_two_files():
    places: dict[str, set[str]] = {}
    for path in [*FILES, *ZOO.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, set()).add(str(path))
    assert {name: sorted(files) for name, files in places.items() if len(files) > 1} == {}


SHARED = {
    "ability.py": "what a task can do beside giving examples",
    "access.py": "levels of access to a task",
    "addresses.py": "objects from the text that names them",
    "audit.py": "the audit, and its command",
    "checks.py": "what must hold before a result is believed",
    "contexts.py": "an effect beside other values of the other parts",
    "controls.py": "searches that must find nothing",
    "coverage.py": "k-coverage, and its command",
    "curves.py": "a score along an axis",
    "data.py": "data that a command or a training takes",
    "demo.py": "the demo, and its command",
    "drawn.py": "what an instrument draws from a task for all networks",
    "figures.py": "figures of a report",
    "fit.py": "fits by gradient descent",
    "graph.py": "the type of a graph",
    "graphs.py": "texts with a graph over their words",
    "hugging_face.py": "models in a Hugging Face folder",
    "instrument.py": "the class of an instrument",
    "language.py": "the task language, and experts for it",
    "lists.py": "lists of entities",
    "matrix.py": "matrices of shares",
    "metrics.py": "metrics and budgets of an instrument",
    "multiplication.py": "multiplication by hand",
    "novelty.py": "kinds of novelty",
    "nulls.py": "nulls of a score",
    "odd_one_out.py": "odd-one-out problems",
    "page.py": "a self-contained page",
    "plan.py": "what is run, and in which groups",
    "predictions.py": "answers in a file",
    "predictors.py": "predictors without a network",
    "rates.py": "shares of answers or calls that are right or false",
    "registry.py": "what can be had by its name",
    "run.py": "a run from its start to its result",
    "scan.py": "SCAN",
    "scenes.py": "scenes of objects",
    "scores.py": "scores of one network",
    "search.py": "searches, in steps and with a budget",
    "states.py": "vectors inside a network",
    "tasks.py": "lists of tasks",
    "values.py": "values of an instrument's metrics on one network",
    "words.py": "sentences of a report",
}


def test_files_of_one_name_hold_the_same_kind_of_thing():
    """A file name that stands in several folders is listed with what they share; else one of them gets a name of its own."""
    times = Counter(path.name for path in FILES if path.name != "__init__.py")
    assert {name for name, number in times.items() if number > 1} == set(SHARED)
