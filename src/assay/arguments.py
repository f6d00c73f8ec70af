"""Type checks of the public functions' arguments against their annotations, so that a wrong one is named at the call."""

import functools
import inspect
import os
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from assay.errors import AssayError

Function = TypeVar("Function", bound=Callable[..., Any])
_PLAIN: Mapping[object, tuple[type | tuple[type, ...], str]] = {
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "text"),
    bool: (bool, "true or false"),
    Path: ((str, os.PathLike), "a path"),
    type(None): (type(None), "None"),
}


def checked(function: Function, *, leave: Collection[str] = ()) -> Function:
    """Decorator: the function raises `AssayError` for an argument that does not fit its annotation. Checked are types, items of
    lists and mappings, choices of a `Literal`, and the number of arguments of a callable.

    ```python
    >>> @checked
    ... def audit(seed: int = 0, progress: Callable[[str, float], None] | None = None): ...
    >>> audit(progress="none")
    AssayError: progress of audit must be a function of 2 arguments or None. Given: none.
    ```

    **Arguments:** `leave`: arguments that the function checks itself. Arguments with a string as annotation are not checked.
    """
    signature = inspect.signature(function)
    name = function.__qualname__.removesuffix(".__init__")
    hints = {
        one.name: one.annotation
        for one in signature.parameters.values()
        if one.name not in leave
        and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        and one.annotation is not one.empty
        and not isinstance(one.annotation, str)
    }

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:  # Python's own message names what is missing
            return function(*args, **kwargs)
        for argument in (one for one in given if one in hints):
            value, hint = given[argument], hints[argument]
            if not _fits(value, hint):
                choices = [str(one) for one in get_args(hint)] if get_origin(hint) is Literal else []
                rule = f"{argument} of {name} must be {'one of its choices' if choices else _described(hint)}"
                raise AssayError(rule, given=_given(value), choices=choices, next_step=_NEXT.get(argument, ""))
        return function(*args, **kwargs)

    return call  # pyrefly: ignore[bad-return]


_NEXT = {
    "progress": "None shows nothing; leave it out for a bar",
    "subject": "wrap the network: assay.Subject(network)",
    "task": "assay.load_task(...) makes one of an address, assay.Table(...) of tensors",
    "train": "assay.load_task(...) makes one of an address, assay.Table(...) of tensors",
    "instruments": 'assay.load_instrument("NAME") makes one; give a list of them',
    "instrument": 'assay.load_instrument("NAME") makes one',
    "audit": "assay.audit(...) makes one, and assay.read_report(...) reads one",
    "audits": "assay.audit(...) makes one, and assay.read_report(...) reads one; give a list of them",
}


def _fits(value: Any, hint: Any) -> bool:
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inside)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inside)
    if hint in _PLAIN:
        return isinstance(value, _PLAIN[hint][0]) and not (hint in (int, float) and isinstance(value, bool))
    if origin is Callable:
        return callable(value) and _takes(value, inside[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(_fits(k, inside[0]) and _fits(v, inside[1]) for k, v in value.items())
    if isinstance(origin, type) and issubclass(origin, Iterable):
        listed = isinstance(value, origin) and not isinstance(value, str | bytes | Mapping)
        return listed and all(_fits(one, inside[0]) for one in value)
    if not isinstance(origin or hint, type):
        return True
    try:
        return isinstance(value, origin or hint)
    except TypeError:  # a protocol that cannot be checked at run time
        return True


def _takes(function: Callable[..., Any], arguments: Any) -> bool:
    """Whether a function can be called with that many arguments; True where its signature is not known."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*arguments if isinstance(arguments, list) else ())
    except TypeError:
        return not isinstance(arguments, list)
    return True


def _described(hint: Any) -> str:
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_described, inside)))
    if origin is Literal:
        return " or ".join(map(str, inside))
    if hint in _PLAIN:
        return _PLAIN[hint][1]
    if origin is Callable:
        number = len(inside[0]) if isinstance(inside[0], list) else None
        return "a function" if number is None else f"a function of {number} argument{'' if number == 1 else 's'}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a dictionary from {_described(inside[0])} to {_described(inside[1])}"
    if isinstance(origin, type) and issubclass(origin, Sequence | Collection):
        return f"a list, each {_described(inside[0])}"
    named = origin or hint
    return "anything" if hint is Any else f"an assay.{named.__name__}" if _is_ours(named) else f"a {named.__name__}"


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "assay"


def _given(value: Any) -> object:
    """The value for an error message: a plain value as it is, else its type."""
    return value if isinstance(value, str | int | float | list | tuple | dict | None) else f"a {type(value).__name__}"
