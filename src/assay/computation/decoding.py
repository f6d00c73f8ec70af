"""Answers of a network: every step on right values in one pass, or greedy decoding on its own tokens."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.compiled import uncompiled
from assay.isolation import undisturbed
from assay.objective import PAD
from assay.subject import Subject

Answer = Callable[[Mapping[str, Tensor]], Int[Tensor, "m t"]]
"""Function from inputs of a task to one token for every position of the answer."""


@runtime_checkable
class DecodesByStep(Protocol):
    """A module of `source` and `prefix` with incremental decoding: it can read the source once and then one token after
    another, caching keys and values. Steps agree with the forward up to rounding."""

    def begin(self, source: Int[Tensor, "n s"]) -> Any:
        """Read the source; the returned state goes to every `step`, which may change it."""
        ...

    def step(self, tokens: Int[Tensor, " n"], read: Any) -> Float[Tensor, "n vocab"]:
        """Logits of the token after one more token of the answer."""
        ...


def given_right_parents(subject: Subject) -> Answer:
    """Teacher forcing: one pass with the given prefix, which holds the right values of all previous nodes. Each answer is one
    step on right values."""

    def answer(inputs: Mapping[str, Tensor]) -> Int[Tensor, "m t"]:
        tokens = subject(inputs).argmax(-1)
        return tokens if tokens.ndim > 1 else tokens[:, None]

    return answer


def greedy(subject: Subject) -> Answer:
    """Greedy decoding on the network's own tokens, in batches of the subject's size; one pass without a `prefix` among the
    inputs. Answers start with the first token of the prefix.

    A network with incremental decoding (`DecodesByStep`) reads every token once. For another causal network, decoding is a
    fixed point: a pass whose prefix is its own shifted answer. Passes are repeated, on the examples whose answer changed,
    starting from the given prefix: one pass where that prefix is right, and at most one for each position. A network whose
    positions see later ones takes one pass for each position.
    """

    def answer(inputs: Mapping[str, Tensor]) -> Int[Tensor, "m t"]:
        if "prefix" not in inputs or not inputs["prefix"].numel():
            return given_right_parents(subject)(inputs)
        module: Any = subject.module
        if isinstance(module, DecodesByStep) and set(inputs) == {"source", "prefix"}:
            return _by_step(subject, module, inputs["source"], inputs["prefix"])
        if _causal(subject, inputs):
            return _until_unchanged(subject, inputs)
        prefix = inputs["prefix"].clone()
        prefix[:, 1:] = PAD
        tokens = torch.zeros_like(prefix)
        for place in range(prefix.shape[1]):
            tokens[:, place] = subject({**inputs, "prefix": prefix})[:, place].argmax(-1)
            prefix[:, place + 1 : place + 2] = tokens[:, place : place + 1]
        return tokens

    return answer


def _by_step(
    subject: Subject, module: DecodesByStep, source: Int[Tensor, "m s"], prefix: Int[Tensor, "m t"]
) -> Int[Tensor, "m t"]:
    found = []
    with undisturbed(subject.module), torch.no_grad(), uncompiled():
        for start in range(0, len(source), subject.batch_size):
            rows = slice(start, start + subject.batch_size)
            read = module.begin(source[rows].to(subject.device))
            token, tokens = prefix[rows, 0].to(subject.device), []
            for _ in range(prefix.shape[1]):
                token = module.step(token, read).argmax(-1)
                tokens.append(token)
            found.append(torch.stack(tokens, 1).cpu())
    return torch.cat(found)


def _until_unchanged(subject: Subject, inputs: Mapping[str, Tensor]) -> Int[Tensor, "m t"]:
    prefix = inputs["prefix"].clone()
    tokens, waiting = torch.zeros_like(prefix), torch.arange(len(prefix))
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


def _causal(subject: Subject, inputs: Mapping[str, Tensor]) -> bool:
    """Whether, on a few examples, outputs stay the same when later positions of the prefix change."""
    few = {name: value[:8] for name, value in inputs.items()}
    whole = subject(few)
    for place in {(few["prefix"].shape[1] - 1) // 2, 0}:
        later = few["prefix"].clone()
        later[:, place + 1 :] = PAD
        part = subject({**few, "prefix": later})[:, : place + 1]
        if not torch.allclose(part, whole[:, : place + 1], rtol=1e-4, atol=1e-4):
            return False
    return True
