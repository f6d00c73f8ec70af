"""By which keyword the forward of a network takes its only input."""

import inspect
from collections.abc import Mapping
from typing import TypeVar

from torch import nn

Value = TypeVar("Value")


def as_taken(module: nn.Module, inputs: Mapping[str, Value]) -> Mapping[str, Value]:
    """The inputs by the names that forward has for them. A single input has only one place to go, whatever the task calls it;
    several go by their names.

    ```python
    >>> list(as_taken(nn.Sequential(nn.Linear(2, 3)), {"tokens": torch.zeros(4, 2)}))
    ['input']
    ```
    """
    if len(inputs) != 1:
        return inputs
    ((name, value),) = inputs.items()
    code = getattr(module.forward, "__code__", None)
    if code is not None and name in code.co_varnames[: code.co_argcount]:  # the usual case, in a tenth of the time
        return inputs
    try:
        parameters = [*inspect.signature(module.forward).parameters.values()]
        if getattr(module.forward, "__wrapped__", None) is type(module).forward:
            parameters = parameters[1:]  # what stands in its place passes for the unbound one, as of nnsight
    except (TypeError, ValueError):  # forward is no Python function
        return inputs
    named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    anything = any(one.kind is one.VAR_KEYWORD for one in parameters)
    if name in {one.name for one in named}:
        return inputs
    needed = [one.name for one in named if one.default is one.empty] or [one.name for one in named[:1] if not anything]
    return {needed[0]: value} if len(needed) == 1 else inputs
