"""The address of a task whose options are the fields of a dataclass."""

from dataclasses import fields
from typing import Any


def written(family: str, task: Any) -> str:
    """The family and those options that differ from their defaults, such as `lists:largest=3`."""
    differing = [one.name for one in fields(task) if one.init and getattr(task, one.name) != one.default]
    return f"{family}:{','.join(f'{name}={getattr(task, name)}' for name in differing)}" if differing else family
