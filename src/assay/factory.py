"""Addresses of a user's code, `package.module:function`, and the rule for importing them.

Code is imported when the user names it, on the command line or in Python. A file that names code (a `run.json`, a table's
declaration) is data: an address in it is imported only when the user names the same address.
"""

import importlib
import importlib.util
import inspect
import os
import shlex
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType

from assay.errors import AssayError


def require_trust(address: str, *, found_in: Path, trust: Collection[str]) -> None:
    """Check that an address found in a file is trusted.

    **Arguments:**

    - `address`: `package.module:function`, as in the file.
    - `found_in`: the file.
    - `trust`: the addresses that the user named.

    **Raises:** `AssayError` naming what would be imported and called, unless `trust` holds exactly this address.
    """
    if address not in ((trust,) if isinstance(trust, str) else trust):  # `in` on a string would match a part of it
        module_name, _, name = address.partition(":")
        raise AssayError(
            "code runs only when you name it yourself; a file that names code is not enough",
            given=f"{found_in}, which would import {module_name} and call {name}",
            next_step=f"read that code; if you trust it, repeat with --trust {shlex.quote(address)}, in Python trust=[...]",
        )


def is_importable(module_name: str) -> bool:
    """Whether the top-level package of `module_name` is installed or lies in the working directory."""
    _search_working_directory()
    top = module_name.partition(".")[0]
    return top.isidentifier() and importlib.util.find_spec(top) is not None


def call_factory(module_name: str, name: str) -> object:
    """Call the function of that name without arguments and return its result; the working directory is searched too.

    **Raises:** `AssayError` when the module cannot be imported, has no such function, or the function needs arguments or
    raises.
    """
    factory = find_function(module_name, name)
    required = [
        parameter.name
        for parameter in inspect.signature(factory).parameters.values()
        if parameter.default is parameter.empty and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if required:
        raise AssayError(
            "a factory is called without arguments",
            given=f"{module_name}:{name}, which needs {', '.join(required)}",
            next_step="write a function that calls it with these arguments and give that",
        )
    try:
        return factory()
    except AssayError:
        raise
    except Exception as error:  # a user's function may raise anything
        raise AssayError(
            "a factory must return what it makes",
            given=f"{module_name}:{name}, which ends in {type(error).__name__}: {error}",
            next_step=f"make `from {module_name} import {name}; {name}()` work first",
        ) from error


def find_function(module_name: str, name: str, *, beside: Path | None = None) -> Callable[..., object]:
    """The callable of that name, from a module in the folder `beside`, the working directory or the import path, in this order.

    **Raises:** `AssayError` when the module cannot be imported or has no such callable.
    """
    _search_working_directory()
    if beside is not None and str(beside) not in sys.path:
        sys.path.append(str(beside))  # last, so that none of its files shadows an installed package
    try:
        module = _module(module_name, beside)
    except Exception as error:  # a user's module may raise anything
        missing = isinstance(error, ModuleNotFoundError) and error.name and module_name.startswith(error.name)
        raise AssayError(
            "the module of a factory must be importable",
            given=f"{module_name}: {type(error).__name__}: {error}",
            next_step="run in the folder that holds it, or install its package"
            if missing
            else "make `import` of it work first",
        ) from error
    factory = getattr(module, name, None)
    if not callable(factory):
        own = [
            key for key, value in vars(module).items() if callable(value) and getattr(value, "__module__", "") == module_name
        ]
        raise AssayError(f"{module_name} must have a callable of that name", given=name, choices=own)
    return factory


def _module(module_name: str, beside: Path | None) -> ModuleType:
    file = beside / f"{module_name.replace('.', '/')}.py" if beside is not None else None
    spec = importlib.util.spec_from_file_location(module_name, file) if file is not None and file.is_file() else None
    if spec is None or spec.loader is None:
        return importlib.import_module(module_name)
    module = importlib.util.module_from_spec(spec)  # not registered: another folder may have one of that name
    spec.loader.exec_module(module)
    return module


def _search_working_directory() -> None:
    if os.getcwd() not in sys.path:  # left on the path: a factory may import its neighbours when it is called
        sys.path.insert(0, os.getcwd())
