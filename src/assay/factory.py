"""Addresses of the form `package.module:factory`, for whatever a user brings along."""

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable

from assay.errors import AssayError


def is_importable(module_name: str) -> bool:
    """Whether the top-level package of `module_name` is installed or lies in the working directory."""
    _search_working_directory()
    top = module_name.partition(".")[0]
    return top.isidentifier() and importlib.util.find_spec(top) is not None


def call_factory(module_name: str, name: str) -> object:
    """What the function of that name returns, called without arguments; the working directory is searched too.

    **Raises:** `AssayError` when the module cannot be imported, has no such function, or the function needs arguments.
    """
    factory = _find(module_name, name)
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
    return factory()


def _find(module_name: str, name: str) -> Callable[..., object]:
    _search_working_directory()
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the module is the user's: whatever it raises is theirs to see
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


def _search_working_directory() -> None:
    if os.getcwd() not in sys.path:  # and it stays there: a factory may import its neighbours when it is called
        sys.path.insert(0, os.getcwd())
