"""Ability of a task to declare the computation of its answers, and to read node values off a network's answers."""

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

    A task whose answer is a scratchpad needs one answer per example; one whose nodes are inputs of their own, such as parts of
    a command, needs one per node.
    """

    def computation(self, examples: Examples) -> Computations:
        """The graphs of the examples, in their order, all in one domain of values."""
        ...

    def node_values(self, examples: Examples, computations: Computations, answer: Answer) -> Int[np.ndarray, " v"]:
        """The value that the answers give at every node, `MISSING` where there is none. `computations`: those of `examples`."""
        ...


@runtime_checkable
class DeclaresSizes(Protocol):
    """Ability: two sizes of every example, such as the digits of both factors, for a map of accuracy."""

    def problem_sizes(self, examples: Examples) -> Mapping[str, Int[np.ndarray, " n"]]:
        """Both sizes by name; the first gives the rows, the second the columns."""
        ...
