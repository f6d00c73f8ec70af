"""The names that the API reference documents (docs/python.md and docs/reference), and the docstring of each."""

import ast
import importlib
import inspect
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "docs" / "python.md", *sorted((ROOT / "docs" / "reference").glob("*.md")))
_DIRECTIVE = re.compile(r"^\.\. auto(function|class|exception|data):: (\S+)\n(?:   :members: (.+)\n)?", re.MULTILINE)


class Entry(NamedTuple):
    """One name of the reference: `assay.module.Name`, whether it is a constant, and the members that are shown with it."""

    name: str
    constant: bool
    members: tuple[str, ...]

    def docstring(self) -> str:
        return text_behind(self.name) if self.constant else inspect.getdoc(named(self.name)) or ""


def entries() -> list[Entry]:
    """All of them; a directive without a module is of `assay`, as `currentmodule` says on the pages."""
    found = []
    for page in PAGES:
        for kind, name, members in _DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            full = name if name.startswith("assay.") else f"assay.{name}"
            found.append(Entry(full, kind == "data", tuple(filter(None, members.split(", ")))))
    return found


def named(name: str) -> Any:
    """What `from assay.module import Name` gives."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def home(name: str) -> str:
    """The name at the place where it is defined: one thing may be imported from several modules."""
    value = named(name)
    if inspect.isclass(value) or inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    module, _, attribute = name.rpartition(".")
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom) and any(alias.name == attribute for alias in node.names):
            return home(f"{node.module}.{attribute}")
    return name


def text_behind(constant: str) -> str:
    """The text behind the assignment of a constant, which Sphinx shows as its docstring."""
    module, _, attribute = constant.rpartition(".")
    body = _tree(module).body
    for node, behind in pairwise(body):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == attribute for target in targets):
            text = behind.value if isinstance(behind, ast.Expr) else None
            return inspect.cleandoc(text.value) if isinstance(text, ast.Constant) and isinstance(text.value, str) else ""
    return ""


def _tree(module: str) -> ast.Module:
    return ast.parse(Path(str(importlib.import_module(module).__file__)).read_text(encoding="utf-8"))
