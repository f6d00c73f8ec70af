"""Versions of the packages that results depend on."""

import importlib.metadata
from functools import cache


def versions_of(*packages: str) -> dict[str, str]:
    """The installed version of every package, by name."""
    return {package: _version(package) for package in packages}


@cache  # reading it takes milliseconds, and a sweep needs it for every network
def _version(package: str) -> str:
    return importlib.metadata.version(package)
