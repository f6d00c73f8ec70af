"""A place in a network, and the proof that looking at it changed nothing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """A place where activations are read or replaced.

    **Attributes:**

    - `name`: dotted module name and side, such as `blocks.1.mlp:out`.
    - `shape`: of one example, without the batch dimension. Modules that run several times in one forward are read as a
      sequence of calls: `(calls, ...)`.
    - `calls`: how often the module runs in one forward.
    """

    name: str
    shape: tuple[int, ...]
    calls: int = 1


@dataclass(frozen=True)
class Integrity:
    """Whether reading left everything as it was, to the bit."""

    outputs_identical: bool
    weights_identical: bool
    num_examples: int
    num_sites: int

    @property
    def holds(self) -> bool:
        return self.outputs_identical and self.weights_identical
