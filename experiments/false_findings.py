"""False-finding rates: how often each instrument finds something in networks that are untrained or trained on wrong labels.

Run `python experiments/false_findings.py`, optionally followed by names of instruments. `--networks` is the number of networks
for each instrument, task and kind of network (20 by default), `--jobs` the number of processes. Networks and tasks are those of
`tests/conformance/cases.py`, and budgets those of a quick audit. A finding is a headline measure that beats all its nulls at a
false discovery rate of 5 %; each finding here is false. An instrument may refuse a network that cannot do the task: refusals
are counted and are not findings. The script prints one line of a Markdown table for each instrument and kind of network, with
the share of networks that had a finding and its exact interval (Clopper and Pearson, 95 %). The table is in
docs/experiments/false-findings.md.
"""

import argparse
import functools
import sys
import time
from pathlib import Path

import torch

from assay.conformance import FalseFindings, false_findings
from assay.instruments import all_instruments, load_instrument
from assay.jobs import Engine, run_unordered

TESTS = Path(__file__).parents[1] / "tests"
FOLDERS = ("conformance", "instruments", "instruments/binding", "instruments/recombination", "instruments/subnetworks")
PATHS = [*(str(TESTS / folder) for folder in FOLDERS), str(TESTS.parent / "experiments" / "fracture")]
Counted = tuple[str, FalseFindings, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instruments", nargs="*", help="all by default")
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    names = options.instruments or [instrument.name for instrument in all_instruments()]
    print("| instrument | task | networks | refused | with a false finding | share, 95 % interval | CPU s each |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    works = [(name, kind) for name in names for kind in ("untrained", "wrong labels")]
    count = functools.partial(counted, num=options.networks)
    for _, counts in run_unordered(count, works, engine=Engine(jobs=options.jobs)):
        for name, one, seconds in counts:
            told = f"{one.rate:.2f} [{one.interval.low:.2f}, {one.interval.high:.2f}]" if one.interval else "-"
            line = f"| {name} | {one.task} | {one.networks} {one.kind} | {one.refused} | {one.found} | {told} | {seconds:.1f} |"
            print(line, flush=True)


def counted(work: tuple[str, str], *, num: int) -> list[Counted]:
    """Findings of one instrument on one kind of network, on every task that an untrained network cannot do."""
    torch.set_num_threads(1)
    sys.path[:0] = PATHS
    from cases import case_of

    name, kind = work
    instrument = load_instrument(name)
    case = case_of(instrument)
    counts = []
    for told, task in case.hard.items():
        untrained = kind == "untrained"
        subjects = [case.untrained(task, seed) for seed in range(num)] if untrained else case.memorisers(task, num)
        start = time.process_time()
        found = false_findings(instrument, subjects, task, kind=kind, name=told)
        counts.append((name, found, (time.process_time() - start) / num))
    return counts


if __name__ == "__main__":
    main()
