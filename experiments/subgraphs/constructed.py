"""How often the call on matched subgraphs separates three predictors whose answer is known, and the figures that it rests on.

Run `python experiments/subgraphs/constructed.py`, with a number of seeds behind it (20). On non-adjacent sums of six elements,
3,000 trained and 6,000 tested: a noisy executor, a table of full subgraphs, and a table of single steps. Printed are the mean
local accuracy in the three cells, the correct nodes by layer, the composition gap, and how often the call was right, with its
exact interval.
`tests/computation/test_analysis.py` runs two seeds.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "computation"))
import predictors_of_sums as sums

from assay.computation.analysis import gaps


def main(seeds: int) -> None:
    cells, layers, gap, right = defaultdict(list), defaultdict(list), defaultdict(list), defaultdict(int)
    for seed in range(seeds):
        for name, analysis in sums.analysed(seed).items():
            cells[name].append(analysis.cells.value)
            layers[name].append(analysis.layers.ratios()[:, 0])
            more, nodes = gaps(analysis.computations, analysis.predicted)
            gap[name].append(more.sum() / nodes.sum())
            right[name] += analysis.call == sums.CALLS[name]
    for name, call in sums.CALLS.items():
        low, high = binomtest(right[name], seeds).proportion_ci(method="exact")
        print(f"{name}: called {call} in {right[name]} of {seeds} [{low:.2f}, {high:.2f}]")
        local, correct = np.round(np.nanmean(cells[name], 0), 3), np.round(np.mean(layers[name], 0), 3)
        print(f"  local accuracy {local}, correct by layer {correct}, composition gap {np.mean(gap[name]):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
