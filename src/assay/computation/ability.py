"""The ability of a task to declare what its answers are computed from, and how a network answers it."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from assay.computation.decoding import Answer
from assay.computation.graph import Computations
from assay.task import Examples


@runtime_checkable
class DeclaresComputation(Protocol):
    """Ability: the computation graph of every example, and node values read off a network's answers.

    A task whose answer is a scratchpad asks once for each example; one whose nodes are inputs of their own, such as a part of a
    command, asks once for each node.
    """

    def computation(self, examples: Examples) -> Computations:
        """The graphs of the examples, in their order; one domain of values for all calls."""
        ...

    def node_values(self, examples: Examples, computations: Computations, answer: Answer) -> Int[np.ndarray, " v"]:
        """The value that the answers hold at every node, `MISSING` where there is none. `computations`: those of `examples`."""
        ...


@runtime_checkable
class DeclaresSizes(Protocol):
    """Ability: two sizes of every example, over which right answers are mapped, such as the digits of both factors."""

    def problem_sizes(self, examples: Examples) -> Mapping[str, Int[np.ndarray, " n"]]:
        """Both by their names; the first is drawn down, the second across."""
        ...
