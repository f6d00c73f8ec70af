"""Error rates of composed states on four networks of their own: do they separate networks that generalise from memorisers?

Run `python experiments/own_networks/all_four.py`, optionally followed by names of scripts beside it. The networks share no code
with Assay's own. A network that generalises is classified correctly if it gives the right answer to composed states for at
least .85 of the novel pairs, one that memorises if for at most .3. The script prints the scores of every network, and at the
end both rates with exact intervals (Clopper and Pearson, 95 %). The figures are in docs/elsewhere.md;
`tests/experiments/test_own_networks.py` runs one of the four.
"""

import importlib
import sys

import torch
from scipy.stats import binomtest

NAMES = ("two_tokens", "attention", "recurrent", "notebook")


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    told: dict[bool, list[bool]] = {True: [], False: []}
    for name in names or NAMES:
        print(f"\n{name}")
        for row in importlib.import_module(name).main():
            told[row.generalises].append(row.composed >= 0.85 if row.generalises else row.composed <= 0.3)
    print()
    for generalises, right in told.items():
        share = binomtest(sum(right), len(right)).proportion_ci(method="exact")
        kind = "generalise and recombine" if generalises else "memorise and do not recombine"
        print(f"{sum(right)} of {len(right)} {kind}: 95 % interval [{share.low:.2f}, {share.high:.2f}]")


if __name__ == "__main__":
    main(sys.argv[1:])
