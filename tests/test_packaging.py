"""The package as its users meet it: its weight, its public names, and the files that travel with it."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import assay

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MOST_DISTRIBUTIONS = 24


def _brought(names: Iterable[str], requirements_of: Callable[[str], list[str] | None]) -> set[str]:
    """Everything that installing `names` installs, themselves among it, on this machine."""
    found: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(name), "") for name in names]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for line in requirements_of(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(requirement.name), wanted) for wanted in ("", *requirement.extras)]
    return {name for name, _ in found}


def _besides_torch(requirements_of: Callable[[str], list[str] | None]) -> set[str]:
    return _brought(["assay"], requirements_of) - _brought(["torch"], requirements_of) - {"assay"}


def test_the_core_installs_few_distributions():
    brought = _besides_torch(requires)
    assert {"numpy", "scipy", "scikit-learn", "pydantic-core"} <= brought  # it did walk
    assert len(brought) <= MOST_DISTRIBUTIONS, f"{len(brought)}: {sorted(brought)}"


def test_counting_follows_requirements_markers_and_extras():
    made_up = {
        "assay": ["torch>=2", "a", "b[fast]; python_version >= '3.11'", "never; python_version < '3'", "hub; extra == 'hf'"],
        "torch": ["Shared.Thing"],
        "a": ["shared-thing", "c"],
        "b": ["d; extra == 'fast'", "e; extra == 'slow'"],
        "c": ["a"],
    }
    assert _besides_torch(made_up.get) == {"a", "b", "c", "d"}


def test_public_names_are_listed_once_for_people_for_type_checkers_and_for_python():
    tree = ast.parse(Path(assay.__file__).read_text())
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in typed.body if isinstance(node, ast.ImportFrom)]
    for_type_checkers = {(node.module, alias.asname) for node in imports for alias in node.names}
    at_run_time = {(f"assay.{home}", name) for name, home in assay._HOME_OF.items()}
    assert for_type_checkers == at_run_time
    assert assay.__all__ == sorted(assay.__all__) == sorted(name for _, name in at_run_time)


@pytest.mark.parametrize("name", assay.__all__)
def test_public_names_are_there(name):
    value = getattr(assay, name)
    assert value is getattr(importlib.import_module(f"assay.{assay._HOME_OF[name]}"), name)
    assert value.__doc__


def test_a_name_that_is_not_there_says_so():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = assay.nothing


@pytest.mark.parametrize(
    "program",
    [
        "import assay; import sys; assert 'torch' not in sys.modules",
        "import assay; assay.audit; import assay.audit; assert callable(assay.audit)",
        "import assay.report; import inspect; assert callable(assay.audit) and inspect.ismodule(assay.errors)",
    ],
)
def test_importing_is_light_and_audit_is_the_function_in_every_order(program):
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def _pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    matches = [re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9._-]+)", line) for line in lines]
    assert all(matches), f"only name==version: {[line for line, match in zip(lines, matches, strict=True) if not match]}"
    return {canonicalize_name(match[1]): match[2] for match in matches if match}


def test_constraints_pin_everything_that_is_installed_for_the_checks():
    extras = PROJECT["optional-dependencies"]
    asked = [Requirement(line) for line in [*PROJECT["dependencies"], *extras["dev"], *extras["docs"]]]
    pins = _pins()
    missing = _brought([requirement.name for requirement in asked], _requires_if_installed) - set(pins)
    assert not {name for name in missing if not name.startswith(("nvidia-", "triton", "cuda-"))}  # those follow torch's build
    for requirement in asked:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])
    assert pins["torch"] == "2.13.0"


def _requires_if_installed(name: str) -> list[str] | None:
    try:
        return requires(name)
    except PackageNotFoundError:  # the tools of the documentation need not be there
        return None


def test_one_version_everywhere():
    assert PROJECT["version"] == version("assay")
    assert f"\nversion: {PROJECT['version']}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_type_checkers_may_read_the_package():
    assert Path(assay.__file__).with_name("py.typed").exists()
