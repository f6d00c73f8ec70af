"""Complete binary trees of arithmetic modulo a prime."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Int

from assay.computation import MISSING, Computations, FixedAlgorithm, Operation

ModularOperation = Literal["+", "-", "*", "nonce"]


def modular_tree(
    leaves: Int[np.ndarray, "n leaves"], operations: Sequence[ModularOperation], *, modulus: int, seed: int = 0
) -> Computations:
    """The graphs of balanced trees over `2^k` leaves, integers below the modulus.

    **Arguments:** `operations`: of every inner node, from the lowest layer up and from the left. `nonce` is an arbitrary table,
    drawn from `seed`: an operation that no network can know, with the same graph.

    Example::

        graph = modular_tree(np.array([[1, 2, 3, 4]]), "+*-", modulus=7)
        assert graph.values[graph.find(0, "v3")] == (1 + 2 - 3 * 4) % 7
    """
    num = leaves.shape[1]
    assert num > 1, "at least two leaves"
    assert num & (num - 1) == 0, "a power of two leaves"
    assert len(operations) == num - 1, f"{num - 1} operations for {num} leaves"
    table = np.random.default_rng(seed).integers(0, modulus, (modulus, modulus))
    recipe = FixedAlgorithm()
    row = [recipe.source(f"x{k + 1}") for k in range(num)]
    known = {name: _operation(name, modulus, table) for name in set(operations)}
    chosen = iter(enumerate(operations, 1))
    while len(row) > 1:
        above = []
        for left, right in zip(row[::2], row[1::2], strict=True):
            k, name = next(chosen)
            above.append(recipe.node(f"v{k}", known[name], left, right))
        row = above
    return recipe.computations(leaves)


def _operation(name: ModularOperation, modulus: int, table: Int[np.ndarray, "m m"]) -> Operation:
    functions = {
        "+": lambda a, b: (a + b) % modulus,
        "-": lambda a, b: (a - b) % modulus,
        "*": lambda a, b: a * b % modulus,
        "nonce": lambda a, b: table[a.clip(0, modulus - 1), b.clip(0, modulus - 1)],
    }

    def apply(a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        within = (a >= 0) & (a < modulus) & (b >= 0) & (b < modulus)
        return np.where(within, functions[name](a, b), MISSING)

    return Operation(f"{name} mod {modulus}", apply)
