"""Checks of types and shapes at run time: built when a function is first called, and each value checked once.

A third of what the tests took to collect was building checks of functions that no test of that process calls.
"""

import functools
from collections.abc import Callable
from typing import Any

from beartype import beartype


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
        return with_checks()(*arguments, **keywords)

    return call
