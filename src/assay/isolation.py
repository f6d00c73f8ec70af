"""Running a network without a trace: random states, modes and buffers are afterwards what they were before.

PyTorch's own random numbers are seeded inside, and with them those of NumPy and Python, from which a module may draw as well.
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
    """The global generators are seeded inside and have their states of before afterwards: those of PyTorch on the CPU and on
    every GPU that is in use, of NumPy and of Python.

    **Arguments:** `seed`: a number, or a generator whose next draw it is.

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
    """Seed all global generators; within `seeded`, which gives them their states back."""
    # Not `torch.manual_seed`: it has GPUs that are not in use yet seeded once they are, which nothing takes back.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


class GlobalDraws:
    """Whether something draws from a global generator of PyTorch or NumPy: compares their states with those of when this was
    made. Python's is left out, from which type checkers at run time draw as well."""

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
def evaluating(module: nn.Module) -> Iterator[None]:
    """Every submodule in evaluation mode, so that no statistic of a batch is stored; each in its own mode again afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    # The fused path of attention is taken or not by whether gradients are on and hooks there: off for every run, so that all
    # agree.
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
    """A module in evaluation mode and the global generators seeded, inside; afterwards random states, the mode of every
    submodule and all buffers are as they were.

    **Arguments:** `seed`: as for `seeded`. None is 0, but within another `seeded` or `undisturbed` the draws go on, and within
    one of the same module its buffers are left to that.
    """
    held = _held.get()
    with ExitStack() as stack:
        if seed is not None or not any(other is module for other in held):
            stack.enter_context(_buffers_given_back(module))
        if seed is not None or not _seeded.get():
            stack.enter_context(seeded(0 if seed is None else seed))
        stack.enter_context(evaluating(module))
        token = _held.set((*held, module))
        try:
            yield
        finally:
            _held.reset(token)


@contextmanager
def _buffers_given_back(module: nn.Module) -> Iterator[None]:
    buffers = [(part, name, buffer) for part in module.modules() for name, buffer in part._buffers.items()]
    values = [None if buffer is None else buffer.detach().clone() for _, _, buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for (part, name, buffer), value in zip(buffers, values, strict=True):
                part._buffers[name] = buffer  # a forward may have put another tensor there
                if buffer is not None and value is not None and not torch.equal(buffer, value):
                    buffer.copy_(value)
