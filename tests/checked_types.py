"""Checks of types and shapes at run time: built when a function is first called, and made of its first calls in each test.

A third of what the tests took to collect was building checks of functions that no test of that process calls; two thirds of
what some took to run was checking the same function tens of thousands of times.
"""

import functools
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from beartype import beartype

CALLS = 16
"""How often a function is checked in one test."""

_calls: Counter[Callable[..., Any]] = Counter()
_checked_enough: list[Any] = []


def begin_test() -> None:
    """Check every function again."""
    for function in _checked_enough:
        del function.__no_type_check__
    _checked_enough.clear()
    _calls.clear()


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` under beartype, from its first call on: the type checker that jaxtyping is given.

    jaxtyping gives it two functions for each of ours. The first returns `Any`, and checks the arguments. The second checks the
    result by the sizes that the first has bound, and needs to check no argument again.
    """

    @functools.cache
    def with_checks() -> Callable[..., Any]:
        hints = function.__annotations__
        if hints.get("return", Any) is not Any:
            function.__annotations__ = {"return": hints["return"]}
        return beartype(function)

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        _calls[call] += 1
        if _calls[call] == CALLS:
            ours = sys._getframe(1).f_locals.get("fn")  # jaxtyping's name for what it decorates; what is marked is let through
            if ours is not None and not hasattr(ours, "__no_type_check__"):
                ours.__no_type_check__ = True
                _checked_enough.append(ours)
        return with_checks()(*arguments, **keywords)

    return call
