"""Plug-ins: instruments, tasks and file readers of other packages, found by their entry points."""

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, TypeVar

from assay.errors import AssayError

INSTRUMENTS, TASKS, READERS = "assay.instruments", "assay.tasks", "assay.readers"
"""Groups of entry points: an `Instrument` class by name, an `assay.tasks.TaskFamily` by name, and by file suffix (`.tsv`) a
function from a path to rows, each a mapping from columns to cells."""

Made = TypeVar("Made")


def plugins(group: str, own: Collection[str]) -> Mapping[str, EntryPoint]:
    """Entry points of other packages in a group, by name; nothing is imported.

    **Arguments:** `own`: the names that Assay itself has in that group.

    **Raises:** `AssayError` for a name that occurs twice, naming both packages.
    """
    found: dict[str, EntryPoint] = {}
    for entry in _entries(group):
        other = found.get(entry.name)
        if other is not None or entry.name in own:
            rule = f"a name in {group} must belong to one package"
            given = f"{entry.name}, of {_home(entry)} and of {_home(other) if other is not None else 'assay'}"
            raise AssayError(rule, given=given, next_step="uninstall one of them, or rename it there")
        found[entry.name] = entry
    return MappingProxyType(found)


def loaded(entry: EntryPoint, fits: Callable[[Any], bool], what: str) -> Any:
    """The object that an entry point names.

    **Raises:** `AssayError` where it cannot be imported, or `fits` rejects it.
    """
    try:
        found = entry.load()
    except Exception as error:  # the import of another package may raise anything
        rule = f"the plug-in {entry.name} of {_home(entry)} must be importable"
        step = f"make `import {entry.module}` work, or uninstall it"
        raise AssayError(rule, given=f"{type(error).__name__}: {error}", next_step=step) from error
    if not fits(found):
        raise AssayError(f"the plug-in {entry.name} of {_home(entry)} must be {what}", given=entry.value)
    return found


def unbroken(entries: Mapping[str, EntryPoint], make: Callable[[EntryPoint], Made]) -> Iterator[Made]:
    """Objects made from the entries, with a warning for each broken one."""
    for entry in entries.values():
        try:
            yield make(entry)
        except AssayError as error:
            warnings.warn(f"left out: {error}", stacklevel=2)


@cache  # reading the installed packages takes tens of milliseconds
def _entries(group: str) -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=group), key=lambda entry: (entry.name, _home(entry))))


def _home(entry: EntryPoint) -> str:
    return f"{entry.dist.name if entry.dist is not None else 'an unnamed package'} ({entry.value})"
