"""The API reference has every name that the documentation and the examples tell their readers to import or call."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import assay
from reference_pages import PAGES, ROOT, entries, home

OURS = {"docs/design-notes.md"}
"""Pages for who changes Assay itself, which name what is inside."""
TOLD = [
    path
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted(path for path in (ROOT / "examples").rglob("*") if path.suffix in (".py", ".ipynb", ".md")),
    )
    if path not in PAGES and "_build" not in path.parts
]
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(assay(?:\.\w+)+)(?:\(.*?\))?`")
PUBLIC = {home(f"assay.{name}") for name in assay.__all__} | {home(entry.name) for entry in entries()}


def code_of(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return [text]
    if path.suffix == ".ipynb":
        return ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return _BLOCK.findall(text)


def used(path: Path) -> Iterator[str]:
    """Names that are imported from Assay, those that stand behind `assay.`, and those that the text of a page has as code."""
    for code in code_of(path):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "assay":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Attribute) and re.fullmatch(r"assay(\.\w+)+", name := ast.unparse(node)):
                yield name
    if path.suffix == ".md" and path.relative_to(ROOT).as_posix() not in OURS:
        yield from _INLINE.findall(_BLOCK.sub("", path.read_text(encoding="utf-8")))


def is_module(name: str) -> bool:
    parent, _, last = name.rpartition(".")
    value = getattr(importlib.import_module(parent), last, None)
    return isinstance(importlib.import_module(name) if value is None else value, ModuleType)


def is_attribute(name: str) -> bool:
    """Whether it is a name of `assay` itself, or an attribute of one, such as `assay.Table.combinations`."""
    _, first, *further = name.split(".")
    return first in assay.__all__ and (not further or hasattr(getattr(assay, first), further[0]))


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_name_that_a_page_or_an_example_uses_is_in_the_reference(path):
    for name in sorted(set(used(path))):
        if is_attribute(name):
            continue
        known = is_module(name) and any(entry.name.startswith(f"{name}.") for entry in entries())
        assert known or home(name) in PUBLIC, f"{name} stands in no page of the API reference"


def test_every_public_name_is_in_the_reference_once():
    homes = [home(entry.name) for entry in entries()]
    assert sorted(homes) == sorted(set(homes))
    assert {home(f"assay.{name}") for name in assay.__all__} <= set(homes)
