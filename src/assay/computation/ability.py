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
    """What a task must offer: the computation graph of every example, and node values read off a network's answers.

    If the answer is a scratchpad, the network answers once for each example. If each node is an input of its own, such as a
    part of a command, it answers once for each node.

    Example::

        >>> from assay.computation.ability import DeclaresComputation
        >>> from assay.computation.decoding import greedy
        >>> from assay.models import build
        >>> task, generator = assay.load_task("non-adjacent-sum"), torch.Generator().manual_seed(0)
        >>> examples = task.examples("train", 3, generator=generator)
        >>> graphs = task.computation(examples)
        >>> network = build("encoder-decoder", task, generator=generator, width=16)
        >>> values = task.node_values(examples, graphs, greedy(assay.Subject(network)))
        >>> isinstance(task, DeclaresComputation), values.shape == graphs.values.shape
        (True, True)
    """

    def computation(self, examples: Examples) -> Computations:
        """The graphs of the examples, in their order, all in one domain of values."""
        ...

    def node_values(self, examples: Examples, computations: Computations, answer: Answer) -> Int[np.ndarray, " v"]:
        """The value that the answers give at every node, `MISSING` where there is none. `computations`: those of `examples`."""
        ...


@runtime_checkable
class DeclaresSizes(Protocol):
    """What a task must offer: two sizes of every example, such as the digits of both factors, for a map of accuracy.

    Example::

        >>> from assay.computation.ability import DeclaresSizes
        >>> task = assay.load_task("multiplication")
        >>> examples = task.examples("train", 3, generator=torch.Generator().manual_seed(0))
        >>> isinstance(task, DeclaresSizes), sorted(task.problem_sizes(examples))
        (True, ['digits of the first factor', 'digits of the second factor'])
    """

    def problem_sizes(self, examples: Examples) -> Mapping[str, Int[np.ndarray, " n"]]:
        """Both sizes by name; the first gives the rows, the second the columns."""
        ...
