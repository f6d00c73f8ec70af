"""Modules on the meta device, to count weights before any is allocated."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from assay.isolation import seeded


@contextmanager
def only_shapes() -> Iterator[None]:
    """Context in which modules are built on the meta device, without initial values.

    Example::

        with only_shapes():
            assert nn.Embedding(10**9, 10**6).weight.numel() == 10**15
    """
    with seeded(0), torch.device("meta"), _WithoutTheCompiler():
        yield


class _WithoutTheCompiler(TorchFunctionMode):
    """Skips normal draws, for which torch imports `torch._dynamo` on the meta device, which takes seconds. Some sums and stacks
    import it too: constants are made on the CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.normal_, nn.init.normal_, nn.init.trunc_normal_):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
