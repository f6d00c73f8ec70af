"""Checks of types and shapes at run time that are built when a function is first called.

A third of what the tests took to collect was building checks of functions that no test of that process calls.
"""

import functools
from collections.abc import Callable
from typing import Any

from beartype import beartype


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` under beartype, from its first call on: the type checker that jaxtyping is given."""
    with_checks = functools.cache(lambda: beartype(function))

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        return with_checks()(*arguments, **keywords)

    return call
