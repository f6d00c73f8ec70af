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
    """Greedy decoding on its own tokens, all examples at once; without a `prefix` among the inputs the answer of one pass.

    A pass on a prefix that is its own answer moved on by one is greedy decoding, where no position sees later ones. So passes
    are repeated on what the last one answered, from the prefix as it is given, and on those examples alone whose answer has
    changed: one pass where the given prefix is right, and one for each position at the most, since each makes one more position
    right. A network whose positions see later ones takes one pass for each position.
    """

    def answer(inputs: Mapping[str, Tensor]) -> Int[Tensor, "m t"]:
        if "prefix" not in inputs or not len(inputs["prefix"]):
            return given_right_parents(subject)(inputs)
        prefix = inputs["prefix"].clone()
        tokens = torch.zeros_like(prefix)
        if not _causal(subject, inputs):
            prefix[:, 1:] = PAD
            for place in range(prefix.shape[1]):
                tokens[:, place] = subject({**inputs, "prefix": prefix})[:, place].argmax(-1)
                prefix[:, place + 1 : place + 2] = tokens[:, place : place + 1]
            return tokens
        waiting = torch.arange(len(prefix))
        for _ in range(prefix.shape[1]):
            some = {name: value[waiting] for name, value in inputs.items()} | {"prefix": prefix[waiting]}
            tokens[waiting] = subject(some).argmax(-1)
            moved = torch.cat([prefix[waiting, :1], tokens[waiting, :-1]], 1)
            changed = (moved != prefix[waiting]).any(1)
            prefix[waiting] = moved
            waiting = waiting[changed]
            if not len(waiting):
                break
        return tokens

    return answer


def _causal(subject: Subject, inputs: Mapping[str, Tensor]) -> bool:
    """Whether on a few examples outputs stay where later positions of the prefix are others."""
    few = {name: value[:8] for name, value in inputs.items()}
    whole = subject(few)
    for place in {(few["prefix"].shape[1] - 1) // 2, 0}:
        later = few["prefix"].clone()
        later[:, place + 1 :] = PAD
        part = subject({**few, "prefix": later})[:, : place + 1]
        if not torch.allclose(part, whole[:, : place + 1], rtol=1e-4, atol=1e-4):
            return False
    return True
