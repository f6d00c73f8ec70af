"""What `assay tasks` says of a family of tasks, and of one option of its address."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TaskOption:
    """One option in the address of a task family.

    **Attributes:**

    - `name`: as it is written before `=`; `meaning`: one line for `assay tasks`.
    - `type`: in words, with the choices where there are few.
    - `default`: as it would be written; None when the option must be given.

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
    """Declaration of a family of tasks: what `assay tasks` lists, and which class makes the task of an address. A package
    registers its own under the entry point `assay.tasks`.

    **Attributes:**

    - `name`: before the colon of an address; `summary`: one line.
    - `form`: an example of an address.
    - `home`: `module:class` that makes the task.
    - `options`: all that an address may set.
    - `variant`: the option that may be written first, without its name; empty when there is none.
    - `leads_to_code`: whether a file or address among its options may name code; `home` then takes `trust` as `load_task` does.

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
