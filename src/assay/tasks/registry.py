"""Families of tasks, read from families.toml since their classes import torch; a test compares every option with its field."""

import tomllib
from functools import cache
from importlib import resources
from importlib.metadata import EntryPoint

from assay.plugins import TASKS, loaded, plugins, unbroken
from assay.tasks.family import TaskFamily, TaskOption


def task_families() -> tuple[TaskFamily, ...]:
    """Every built-in family, then those of plug-ins; a broken plug-in is a warning."""
    return (*_own().values(), *unbroken(plugins(TASKS, list(_own())), _plugged_in))


def family_named(name: str) -> TaskFamily | None:
    """The family of that name; a plug-in is imported for its own names alone."""
    if name in _own():
        return _own()[name]
    return _plugged_in(entry) if (entry := plugins(TASKS, list(_own())).get(name)) else None


def _plugged_in(entry: EntryPoint) -> TaskFamily:
    return loaded(
        entry, lambda found: isinstance(found, TaskFamily) and found.name == entry.name, "a TaskFamily that has this name"
    )


@cache
def _own() -> dict[str, TaskFamily]:
    """The built-in families by name."""
    declared = tomllib.loads(resources.files("assay.tasks").joinpath("families.toml").read_text(encoding="utf-8"))
    shared = declared.pop("shared")
    found = {}
    for name, family in declared.items():
        options = {**shared.get(family.pop("shared", ""), {}), **family.pop("options", {})}
        found[name] = TaskFamily(name=name, options=tuple(_option(*option) for option in options.items()), **family)
    return found


def _option(name: str, row: list[str]) -> TaskOption:
    kind, *default, meaning = row
    return TaskOption(name=name, type=kind, default=default[0] if default else None, meaning=meaning)
