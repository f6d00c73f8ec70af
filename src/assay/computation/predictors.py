"""Constructed predictors with a known answer: one that runs the operations, and tables of trained nodes."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Int

from assay.computation.cells import seen
from assay.computation.domain import MISSING
from assay.computation.graph import Computations
from assay.computation.hashing import step_hashes
from assay.computation.information import contingency, surface

Guess = Callable[[Int[np.ndarray, " some"]], Int[np.ndarray, " some"]]
"""Function from nodes of a table to their values."""


def noisy_executor(computations: Computations, error: float, rng: np.random.Generator) -> Int[np.ndarray, " v"]:
    """Executor of the algorithm on its own values that, at a share `error` of nodes, gives another value of the same
    operation."""
    values = computations.values.copy()
    choices = _values_of(computations)
    for nodes in computations.by_layer():
        values[nodes] = computations.follow(values, nodes)
        slips = nodes[rng.random(len(nodes)) < error]
        if len(slips):
            values[slips] = _another(computations, slips, values[slips], choices, rng)
    return values


def full_table(trained: Computations, tested: Computations, rng: np.random.Generator) -> Int[np.ndarray, " v"]:
    """Table of full subgraphs: right where the full computation subgraph was trained; elsewhere a trained value of the same
    operation, drawn uniformly."""
    known = seen(trained, tested).full > 0
    guess = even_guess(trained, tested, rng)
    values = tested.values.copy()
    nodes = np.flatnonzero(~known & ~tested.is_source)
    values[nodes] = guess(nodes)
    return values


def step_table(trained: Computations, tested: Computations, rng: np.random.Generator) -> Int[np.ndarray, " v"]:
    """Table of steps: every step looked up on its own values of the parents; where that step was not trained, a value drawn
    uniformly."""
    keys, first = np.unique(step_hashes(trained), return_index=True)
    results = trained.values[first]
    guess = even_guess(trained, tested, rng)
    values = tested.values.copy()
    for nodes in tested.by_layer():
        hashes = step_hashes(tested, values)[nodes] if len(keys) else np.zeros(len(nodes), np.uint64)
        at = np.minimum(np.searchsorted(keys, hashes), max(0, len(keys) - 1))
        found = keys[at] == hashes if len(keys) else np.zeros(len(nodes), bool)
        values[nodes] = np.where(found, results[at] if len(keys) else 0, guess(nodes))
    return values


def _values_of(computations: Computations) -> dict[str, Int[np.ndarray, " values"]]:
    """The values of each family of operations, in an order that is the same in every process."""
    found = {}
    for family in dict.fromkeys(operation.family for operation in computations.operations):
        members = [k for k, operation in enumerate(computations.operations) if operation.family == family]
        values = np.unique(computations.values[np.isin(computations.operation, members)])
        found[family] = values[np.argsort(computations.domain.codes(values))]
    return found


def even_guess(trained: Computations, tested: Computations, rng: np.random.Generator) -> Guess:
    """Guess of a value drawn uniformly from the trained ones of the operation; `MISSING` where there are none."""
    choices = _values_of(trained)

    def guess(nodes: Int[np.ndarray, " some"]) -> Int[np.ndarray, " some"]:
        values = np.full(len(nodes), MISSING)
        for k, operation in enumerate(tested.operations):
            rows, of = np.flatnonzero(tested.operation[nodes] == k), choices.get(operation.family, np.zeros(0, np.int64))
            if len(rows) and len(of):
                values[rows] = rng.choice(of, len(rows))
        return values

    return guess


def _another(
    computations: Computations,
    nodes: Int[np.ndarray, " some"],
    than: Int[np.ndarray, " some"],
    choices: dict[str, Int[np.ndarray, " values"]],
    rng: np.random.Generator,
) -> Int[np.ndarray, " some"]:
    """Another value of the same operation than `than`; `than` itself where there is no other."""
    values = than.copy()
    for k, operation in enumerate(computations.operations):
        rows, of = np.flatnonzero(computations.operation[nodes] == k), choices[operation.family]
        if len(rows) and len(of) > 1:
            drawn = rng.integers(0, len(of) - 1, len(rows))
            place = np.array([int(np.flatnonzero(of == one)[0]) if (of == one).any() else len(of) for one in than[rows]])
            values[rows] = of[drawn + (drawn >= place)]
    return values


def best_guess(trained: Computations, tested: Computations) -> Guess:
    """Best guess without one argument: the commonest trained result of the operation given all arguments but one.

    The argument to ignore is chosen for each operation by how well the trained steps, each once, are guessed from the others.
    This is the surface pattern: the best guess without the operation on a step that was never seen.
    """
    tables: dict[tuple[int, int], tuple[tuple[int, ...], dict[tuple[int, ...], int], int]] = {}
    arity = (trained.parents >= 0).sum(1)
    names = {operation.name: k for k, operation in enumerate(trained.operations)}
    for k, operation in enumerate(tested.operations):
        own = names.get(operation.name, -1)
        for arguments in np.unique(arity[trained.operation == own]).tolist() if own >= 0 else ():
            rows = np.flatnonzero((trained.operation == own) & (arity == arguments))
            steps = np.column_stack([trained.values[trained.parents[rows, :arguments]], trained.values[rows]])
            tables[k, arguments] = _table(np.unique(steps, axis=0))

    def guess(nodes: Int[np.ndarray, " some"]) -> Int[np.ndarray, " some"]:
        values = np.full(len(nodes), MISSING)
        of = (tested.parents[nodes] >= 0).sum(1)
        for (k, arguments), (kept, answers, mode) in tables.items():
            rows = np.flatnonzero((tested.operation[nodes] == k) & (of == arguments))
            given = tested.values[tested.parents[nodes[rows]][:, list(kept)]]
            values[rows] = [answers.get(tuple(row), mode) for row in given.tolist()]
        return values

    return guess


def _table(steps: Int[np.ndarray, "s columns"]) -> tuple[tuple[int, ...], dict[tuple[int, ...], int], int]:
    """The kept arguments, the commonest result for their values, and the commonest result of all."""
    arguments = steps.shape[1] - 1
    sets = [tuple(k for k in range(arguments) if k != left) for left in range(arguments)] if arguments > 1 else [()]
    results, number = np.unique(steps[:, -1], return_inverse=True)
    number = number.reshape(-1)
    kept = max(sets, key=lambda one: surface(contingency(steps[:, list(one)], number)).held_out)
    answers = {}
    if kept:
        cells, cell = np.unique(steps[:, list(kept)], axis=0, return_inverse=True)
        best = np.bincount(cell.reshape(-1) * len(results) + number, minlength=len(cells) * len(results))
        best = results[best.reshape(len(cells), -1).argmax(1)]
        answers = {tuple(row): value for row, value in zip(cells.tolist(), best.tolist(), strict=True)}
    return kept, answers, int(results[np.bincount(number).argmax()])
