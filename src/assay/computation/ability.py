"""The ability of a task to declare what its answers are computed from, and how a network answers it."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from assay.computation.graph import Computations
from assay.objective import PAD
from assay.subject import Subject
from assay.task import Examples

Answer = Callable[[Mapping[str, Tensor]], Int[Tensor, "m t"]]
"""From inputs of a task to one token for every position of the answer."""


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


def given_right_parents(subject: Subject) -> Answer:
    """One pass with the prefix as it is, which holds the right values of all nodes before: each answer is one step on right
    values."""

    def answer(inputs: Mapping[str, Tensor]) -> Int[Tensor, "m t"]:
        return subject(inputs).argmax(-1).reshape(len(next(iter(inputs.values()))), -1)

    return answer


def greedy(subject: Subject) -> Answer:
    """Greedy decoding on its own tokens, all examples at once, one pass for each position; without a `prefix` among the inputs
    the answer of one pass."""

    def answer(inputs: Mapping[str, Tensor]) -> Int[Tensor, "m t"]:
        if "prefix" not in inputs or not len(inputs["prefix"]):
            return given_right_parents(subject)(inputs)
        prefix = inputs["prefix"].clone()
        prefix[:, 1:] = PAD
        tokens = torch.zeros_like(prefix)
        for place in range(prefix.shape[1]):
            tokens[:, place] = subject({**inputs, "prefix": prefix})[:, place].argmax(-1)
            prefix[:, place + 1 : place + 2] = tokens[:, place : place + 1]
        return tokens

    return answer
