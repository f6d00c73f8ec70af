"""Contexts that run a network without side effects: random states, modes and buffers are restored afterwards.

The global generators of PyTorch, NumPy and Python are seeded inside, since a module may draw from any of them.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import Generator, nn

_seeded: ContextVar[bool] = ContextVar("seeded", default=False)
_held: ContextVar[tuple[nn.Module, ...]] = ContextVar("held", default=())


@contextmanager
def seeded(seed: int | Generator) -> Iterator[None]:
    """Context in which the global generators are seeded, and after which their states are restored: those of PyTorch on the CPU
    and on every GPU in use, of NumPy and of Python.

    **Arguments:** `seed`: a number, or a generator from which it is drawn.

    ```python
    >>> before = torch.get_rng_state()
    >>> with seeded(0):
    ...     one = torch.rand(3)
    >>> with seeded(0):
    ...     same = torch.rand(3)
    >>> torch.equal(one, same), torch.equal(before, torch.get_rng_state())
    (True, True)
    ```
    """
    number = int(torch.randint(2**62, (1,), generator=seed)) if isinstance(seed, Generator) else seed
    before = _states()
    seed_generators(number)
    token = _seeded.set(True)
    try:
        yield
    finally:
        _seeded.reset(token)
        cpu, cuda, of_numpy, of_python = before
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        np.random.set_state(of_numpy)
        random.setstate(of_python)


def seed_generators(seed: int) -> None:
    """Seed all global generators. Call it within `seeded`, which restores their states."""
    # Not `torch.manual_seed`: it also seeds GPUs that are first used later, which nothing restores.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


class GlobalDraws:
    """Detection of draws from the global generators of PyTorch and NumPy since this object was made. Python's is left out,
    since run-time type checkers draw from it as well."""

    def __init__(self):
        self._before = _states()

    @property
    def any(self) -> bool:
        (cpu, cuda, numbers, _), (cpu_now, cuda_now, numbers_now, _) = self._before, _states()
        tensors = zip([cpu, *cuda], [cpu_now, *cuda_now], strict=True)
        same = np.array_equal(numbers[1], numbers_now[1]) and numbers[2:] == numbers_now[2:]
        return not (same and all(torch.equal(a, b) for a, b in tensors))


def _states() -> tuple:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), cuda, np.random.get_state(), random.getstate()


@contextmanager
def subnormals_flushed() -> Iterator[None]:
    """Context in which this thread's results below the smallest normal number are 0, where the processor can. Arithmetic with
    subnormal numbers is up to a hundred times slower.

    ```python
    >>> with subnormals_flushed():
    ...     float(torch.tensor(1e-38) / 2)
    0.0
    >>> float(torch.tensor(1e-38) / 2) > 0
    True
    ```
    """
    before = float(torch.tensor(torch.finfo(torch.float32).tiny) / 2) == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Context with every submodule in evaluation mode, so that no batch statistics are stored; modes are restored
    afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    # Whether PyTorch takes the fused path of attention depends on gradients and hooks, so it is off for every run.
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    if any(mode for _, mode in modes):
        module.eval()
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for part, mode in modes:
            if part.training != mode:
                part.training = mode


@contextmanager
def undisturbed(module: nn.Module, seed: int | Generator | None = None) -> Iterator[None]:
    """Context with a module in evaluation mode and the global generators seeded; random states, modes and buffers are restored
    afterwards.

    **Arguments:** `seed`: as for `seeded`. None is 0; but within another `seeded` or `undisturbed` the generators are not
    reseeded, and within one of the same module the outer context restores the buffers.
    """
    held = _held.get()
    with ExitStack() as stack:
        if seed is not None or not any(other is module for other in held):
            stack.enter_context(_buffers_restored(module))
        if seed is not None or not _seeded.get():
            stack.enter_context(seeded(0 if seed is None else seed))
        stack.enter_context(evaluating(module))
        token = _held.set((*held, module))
        try:
            yield
        finally:
            _held.reset(token)


@contextmanager
def _buffers_restored(module: nn.Module) -> Iterator[None]:
    buffers = [(part, name, buffer) for part in module.modules() for name, buffer in part._buffers.items()]
    values = [None if buffer is None else buffer.detach().clone() for _, _, buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for (part, name, buffer), value in zip(buffers, values, strict=True):
                part._buffers[name] = buffer  # a forward may have replaced the tensor
                if buffer is not None and value is not None and not torch.equal(buffer, value):
                    buffer.copy_(value)
