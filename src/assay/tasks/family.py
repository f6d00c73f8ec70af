"""Descriptions of a task family and of its options, as listed by `assay tasks`."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TaskOption:
    """One option of an address.

    **Attributes:**

    - `type`: in words, with the choices where there are few.
    - `default`: as written in an address; None for a required option.

    Example::

        >>> from assay.tasks import TaskOption
        >>> TaskOption(name="size", type="whole number", default="9", meaning="values of each factor").default
        '9'
    """

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True, kw_only=True)
class TaskFamily:
    """A family of tasks.

    **Attributes:**

    - `form`: an example of an address.
    - `home`: `module:class` of the task.
    - `variant`: the option that may be written first, without its name; empty when there is none.
    - `leads_to_code`: whether a file or address among its options may name code; `home` then takes `trust` as `load_task`
      does.

    Example::

        >>> from assay.tasks import TaskFamily, TaskOption
        >>> option = TaskOption(name="size", type="whole number", default="9", meaning="values of each factor")
        >>> family = TaskFamily(
        ...     name="products", summary="the product of two factors", form="products:size=12", home="products:Products",
        ...     options=(option,),
        ... )
        >>> family.variant == "", [option.name for option in family.options]
        (True, ['size'])
    """

    name: str
    summary: str
    form: str
    home: str
    options: tuple[TaskOption, ...]
    variant: str = ""
    leads_to_code: bool = False
