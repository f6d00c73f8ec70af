"""Matching of a task's single input to the keyword argument of a network's forward."""

import inspect
from collections.abc import Mapping
from typing import TypeVar

from torch import nn

Value = TypeVar("Value")


def as_taken(module: nn.Module, inputs: Mapping[str, Value]) -> Mapping[str, Value]:
    """The inputs under the argument names of forward. A single input is renamed to the only argument that can take it; several
    keep their names.

    ```python
    >>> list(as_taken(nn.Sequential(nn.Linear(2, 3)), {"tokens": torch.zeros(4, 2)}))
    ['input']
    ```
    """
    if len(inputs) != 1:
        return inputs
    ((name, value),) = inputs.items()
    code = getattr(module.forward, "__code__", None)
    if code is not None and name in code.co_varnames[: code.co_argcount]:  # the common case, ten times faster
        return inputs
    try:
        parameters = [*inspect.signature(module.forward).parameters.values()]
        if getattr(module.forward, "__wrapped__", None) is type(module).forward:
            parameters = parameters[1:]  # a wrapper, such as nnsight's, has the signature of the unbound method
    except (TypeError, ValueError):  # forward is not a Python function
        return inputs
    named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    anything = any(one.kind is one.VAR_KEYWORD for one in parameters)
    if name in {one.name for one in named}:
        return inputs
    needed = [one.name for one in named if one.default is one.empty] or [one.name for one in named[:1] if not anything]
    return {needed[0]: value} if len(needed) == 1 else inputs
