"""The three constructed predictors of the research note on non-adjacent sums of six elements."""

import numpy as np

from assay.computation.analysis import Analysis, analyse
from assay.computation.coverage import covered
from assay.computation.predictors import full_table, noisy_executor, step_table
from assay.tasks.algorithms import non_adjacent_values

TRAINED, TESTED = 3_000, 6_000
CALLS = {"noisy executor": "covered", "full-subgraph table": "subgraphs", "one-hop table": "steps"}


def split(seed):
    """Trained examples, tested ones, and as many as the trained that nobody has seen."""
    chosen = np.random.default_rng(seed).permutation(11**6)[: 2 * TRAINED + TESTED]
    elements = np.stack([chosen // 11**k % 11 - 5 for k in range(6)], 1)
    return [non_adjacent_values(some, outputs=False) for some in np.split(elements, [TRAINED, TRAINED + TESTED])]


def analysed(seed: int) -> dict[str, Analysis]:
    """All three, on one draw of the data."""
    trained, tested, other = split(seed)
    rng = np.random.default_rng(seed)
    predicted = {
        "noisy executor": noisy_executor(tested, 0.03, rng),
        "full-subgraph table": full_table(trained, tested, rng),
        "one-hop table": step_table(trained, tested, rng),
    }
    given = {"seed": seed, "other_trained": other, "reach": covered(trained, tested)}
    return {name: analyse(trained, tested, values, **given) for name, values in predicted.items()}
