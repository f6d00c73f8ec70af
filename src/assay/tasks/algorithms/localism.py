"""The published localism files of PCFG SET: answers of a network given its own answers to all constituents."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from assay.computation import Computations, NumberedTexts
from assay.errors import AssayError
from assay.tasks.algorithms.pcfg import pcfg_trees

_RULE = "---"
_ARROW = " -> "


class FedInput(NamedTuple):
    """One input: every constituent as it was given, with the answer; the whole input with the answer; whether the two agree."""

    steps: tuple[tuple[str, str], ...]
    whole: tuple[str, str]
    consistent: bool


def localism_blocks(text: str) -> list[FedInput]:
    """The blocks of a localism file of Hupkes, Dankers, Mul and Bruni 2020 (arXiv 1908.08351).

    **Raises:** `AssayError` naming an invalid block.
    """
    blocks = []
    for number, chunk in enumerate(_chunks(text), 1):
        *lines, last = chunk
        pairs = [line.partition(_ARROW) for line in lines]
        if last not in ("True", "False") or len(pairs) < 2 or not all(pair[1] for pair in pairs):
            raise AssayError(
                "a localism block must hold `source -> answer` lines, the last of the whole input, and True or False",
                given=f"block {number}: {' / '.join(chunk)}",
            )
        found = [(source.strip(), answer.strip()) for source, _, answer in pairs]
        blocks.append(FedInput(tuple(found[:-1]), found[-1], last == "True"))
    return blocks


def _chunks(text: str) -> list[list[str]]:
    chunks: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith(_RULE):
            chunks.append([])
        elif line.strip():
            if not chunks:
                raise AssayError("a localism file must start with a line of dashes", given=line)
            chunks[-1].append(line)
    return [chunk for chunk in chunks if chunk]


class AnsweredInputs(NamedTuple):
    """The graphs of all inputs, and a network's answers.

    `predicted`: at every node, given its own answers to the arguments. `direct`: of every example, the answer to the whole
    input.
    """

    computations: Computations
    predicted: Int[np.ndarray, " v"]
    direct: Int[np.ndarray, " n"]


def fed_its_own(blocks: Sequence[FedInput]) -> AnsweredInputs:
    """The nodes of localism blocks, whose lines are in the order of evaluation.

    **Raises:** `AssayError` naming the block whose lines are not the functions of its input, in that order, on its own answers.

    Example::

        fed = fed_its_own(localism_blocks(fetch("pcfg-set", "lstms2s_localism_run1.txt").read_text()))
        labels = labelled(fed.computations, fed.predicted)
    """
    domain = NumberedTexts()
    computations = pcfg_trees([block.whole[0] for block in blocks], domain)
    predicted = computations.values.copy()
    inner = np.flatnonzero(~computations.is_source)
    counts = np.bincount(computations.example[inner], minlength=len(blocks))
    for number, (block, count) in enumerate(zip(blocks, counts.tolist(), strict=True), 1):
        if len(block.steps) != count:
            raise _other(number, block, f"{len(block.steps)} lines, {count} functions")
    predicted[inner] = [domain.parse(answer) for block in blocks for _, answer in block.steps]
    lines = (source for block in blocks for source, _ in block.steps)
    for node, line in zip(inner.tolist(), lines, strict=True):
        arguments = [domain.text(predicted[parent]) for parent in computations.parents[node].tolist() if parent >= 0]
        name = computations.operations[computations.operation[node]].name
        if f"{name} {' , '.join(arguments)}".split() != line.split():
            number = int(computations.example[node])
            raise _other(number + 1, blocks[number], line)
    direct = np.array([domain.parse(block.whole[1]) for block in blocks], np.int64)
    return AnsweredInputs(computations, predicted, direct)


def _other(number: int, block: FedInput, given: str) -> AssayError:
    rule = f"the lines of localism block {number} must be the functions of its input in the order of evaluation"
    return AssayError(f"{rule}, each on the answers before it: {block.whole[0]}", given=given)
