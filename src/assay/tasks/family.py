"""What `assay tasks` says of a family of tasks, and of one option of its address."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TaskOption:
    """One option of an address.

    **Attributes:**

    - `type`: in words, with the choices where there are few.
    - `default`: as it would be written; None when the option must be given.
    """

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True, kw_only=True)
class TaskFamily:
    """**Attributes:**

    - `form`: an example of an address.
    - `home`: `module:class` that makes the task.
    - `variant`: the option that may be written first, without its name; empty when there is none.
    - `leads_to_code`: whether a file or address among its options may name code; `home` then takes `trust` as `load_task` does.
    """

    name: str
    summary: str
    form: str
    home: str
    options: tuple[TaskOption, ...]
    variant: str = ""
    leads_to_code: bool = False
