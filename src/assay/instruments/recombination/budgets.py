"""Sizes of the recombination experiment at each effort."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from assay.evidence import Effort
from assay.instrument import Budget


@dataclass(frozen=True, kw_only=True)
class CombiningBudget(Budget):
    """Sizes at one effort.

    **Attributes:**

    - `examples`: trained ones; `combinations`: of each kind; `cuts`: cuts that are read.
    - `null_combinations`: combinations of each kind on which nulls and copies are scored at a headline cut; they search for the
      cut on all.
    - `contexts`: pairs of a part and a context, another part, for which effects from equal and other contexts are compared.
    - `scrambled`, `turned`: repeats of the scrambled declaration and of the random subspace.
    - `novel_everywhere`: whether all forms are scored on novel combinations at all cuts; else only the sum is, and the others
      at the headline cut alone.
    - `relabelled`: networks trained alike on random labels, each of which may take `relabelled_seconds` of CPU time.
    - `held_numbers`: numbers in the states held in memory at once; wider states are read again where they are needed.
    """

    examples: int
    combinations: int
    null_combinations: int
    cuts: int
    contexts: int
    scrambled: int
    turned: int
    relabelled: int = 0
    relabelled_seconds: float = 0.0
    novel_everywhere: bool = True
    held_numbers: int = 2**26


BUDGETS: Mapping[Effort, CombiningBudget] = {
    "quick": CombiningBudget(
        examples=500,
        combinations=100,
        null_combinations=30,
        cuts=8,
        contexts=6,
        scrambled=2,
        turned=2,
        novel_everywhere=False,
    ),
    "standard": CombiningBudget(
        examples=3_000,
        combinations=500,
        null_combinations=150,
        cuts=48,
        contexts=24,
        scrambled=5,
        turned=5,
        relabelled=1,
        relabelled_seconds=60.0,
    ),
    "full": CombiningBudget(
        examples=20_000,
        combinations=2_000,
        null_combinations=2_000,
        cuts=1_000,
        contexts=1_000,
        scrambled=19,
        turned=19,
        copies=19,
        relabelled=3,
        relabelled_seconds=math.inf,
    ),
}
