"""Tasks from addresses, such as `modular:coverage=0.8`."""

import importlib
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from assay.arguments import checked
from assay.bounds import is_file, is_whole
from assay.errors import AssayError, shortened
from assay.factory import call_factory, is_importable, require_trust
from assay.tasks.family import TaskFamily
from assay.tasks.registry import family_named, task_families

if TYPE_CHECKING:
    import assay.task

_FORMS = "name, name:option=value,option=value, or package.module:factory"


@checked
def load_task(address: str, *, trust: Collection[str] = (), found_in: Path | None = None) -> "assay.task.Task":
    """The task at an address.

    | form | example |
    | --- | --- |
    | `name` | `modular` |
    | `name:option=value,...` | `modular:p=7,coverage=0.5` |
    | `name:variant` and `name:variant,option=value,...` | `scan:addprim_jump`, `table:my/table.toml` |
    | `package.module:factory` | a function without arguments that returns a `Task`; the working directory is searched too |

    **Arguments:**

    - `trust`: addresses of code, `package.module:function`, that may be imported although only a file names them, such as the
      executor of a table.
    - `found_in`: the file in which the address was found; None when the caller names it. A factory in an address that was found
      in a file is imported only when `trust` holds it.

    **Raises:** `AssayError` for an unknown task, option or value, with the choices, and for code that is not trusted.

    Example::

        >>> assay.load_task("modular-addition:p=7,coverage=0.5").address
        'modular-addition:coverage=0.5,...p=7'
    """
    factory = _factory_in(address)
    if factory is not None and found_in is not None:
        require_trust(factory, found_in=found_in, trust=trust)
    name, _, rest = address.partition(":")
    family = _family(address)
    if family:
        return _of_family(family, rest, trust)
    if rest and ("." in name or is_importable(name)):
        return _of_factory(name, rest)
    names = [family.name for family in task_families()]
    raise AssayError("there is no such task", given=address, choices=names, next_step=f"an address is {_FORMS}")


def task_of_run(address: str, *, trust: Collection[str] = ()) -> "assay.task.Task | None":
    """The task that a run directory was trained on; None when the address is not a run directory.

    **Arguments:** `trust`: addresses of code that may be imported although only the directory names it.

    **Raises:** `AssayError` as `load_task` does, and for code in `run.json` that is not in `trust`.
    """
    from assay.store import RECORD, RunDirectory

    record = Path(address) / RECORD
    if not is_file(record):
        return None
    return load_task(RunDirectory.open(address).read_record().task, trust=trust, found_in=record)


def option_names(address: str) -> tuple[str, ...]:
    """The options of the task at an address; none for a factory."""
    family = _family(address)
    return tuple(option.name for option in family.options) if family else ()


def given_options(address: str) -> Mapping[str, str]:
    """The options that an address sets, as written; none for a factory."""
    family = _family(address)
    return _split(family, address.partition(":")[2]) if family else {}


def with_options(address: str, options: Mapping[str, str]) -> str:
    """The address with these options, as written, in place of its own.

    **Raises:** `AssayError` for an unknown option; a factory has none.
    """
    for option in options:
        if option not in option_names(address):
            raise AssayError(f"{address} has no such option", given=option, choices=option_names(address))
    given = {**given_options(address), **options}
    written = ",".join(f"{option}={text}" for option, text in given.items())
    return f"{address.partition(':')[0]}:{written}" if given else address


def _family(address: str) -> TaskFamily | None:
    return family_named(address.partition(":")[0])


def _factory_in(address: str) -> str | None:
    """The factory in an address, also within the address of an odd-one-out task; None without one."""
    while (family := _family(address)) and family.name == "odd-one-out":
        address = address.partition("/")[2]
    return address if family is None and ":" in address else None


def _of_family(family: TaskFamily, rest: str, trust: Collection[str]) -> "assay.task.Task":
    home, _, class_name = family.home.partition(":")
    make = getattr(importlib.import_module(home), class_name)
    given = _split(family, rest)
    types = {**get_type_hints(make), **get_type_hints(make.__init__)}  # fields of a dataclass, else arguments
    for option in family.options:
        if option.default is None and option.name not in given:
            raise AssayError(f"{family.name} needs its {option.name}", given=family.name, next_step=f"write {family.form}")
    options = {option: _parsed(family, option, types[option], text) for option, text in given.items()}
    return make(**options, trust=trust) if family.leads_to_code else make(**options)


def _split(family: TaskFamily, rest: str) -> Mapping[str, str]:
    """The options as written."""
    names = [option.name for option in family.options]
    if names == [family.variant]:  # nothing else follows, so a path may contain commas and equal signs
        return {family.variant: rest.removeprefix(f"{family.variant}=")} if rest else {}
    given: dict[str, str] = {}
    for position, piece in enumerate(rest.split(",") if rest else ()):
        option, equals, text = piece.partition("=")
        if not equals:
            if position or not family.variant:
                raise AssayError(f"an option of {family.name} is written option=value", given=piece or "nothing", choices=names)
            option, text = family.variant, piece
        if option not in names:
            raise AssayError(f"{family.name} has no such option", given=option, choices=names)
        if option in given:
            raise AssayError(f"{family.name}: {option} may be given once", given=f"{given[option]} and {text}")
        given[option] = text
    return given


def _parsed(family: TaskFamily, option: str, kind: Any, text: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        value = TypeAdapter(kind).validate_strings(text)
        beyond = isinstance(value, int) and not isinstance(value, bool) and not is_whole(value)
        if beyond or (isinstance(value, float) and not math.isfinite(value)):
            raise AssayError(f"{family.name}: {option} must be a finite number within 64 bits", given=shortened(text, 60))
        return value
    except ValidationError:
        words = next(known.type for known in family.options if known.name == option)
        literals = [str(value) for value in get_args(kind) if isinstance(value, str)]
        rule = f"{family.name}: {option} must be {'one of its choices' if literals else f'of type {words}'}"
        raise AssayError(rule, given=text or "nothing", choices=literals) from None


def _of_factory(module_name: str, name: str) -> "assay.task.Task":
    from assay.task import Task

    task = call_factory(module_name, name)
    needed = ("address", "parts", "combines", "input_spec", "objective")
    if not isinstance(task, Task) or not all(hasattr(task, attribute) for attribute in needed):
        raise AssayError(
            f"{module_name}:{name}() must return an assay.task.Task that has {', '.join(needed)}",
            given=type(task).__name__,
            next_step="derive the class from assay.task.Task and set these attributes",
        )
    return task
