"""The table of docs/zoo.md: how many networks of the zoo change their label when novel means outside 1-coverage.

    assay zoo build --out DIR
    python experiments/zoo_labels.py DIR

The label of a network comes from what it was meant to be and from its score on novel combinations (`assay.zoo.truth`). Printed
are, for every task, the kinds of its novel combinations and how many networks have which label, by all novel combinations and
by those outside 1-coverage; then every label beside the one that replaces it. Nothing is fitted.
"""

import sys
from collections import Counter, defaultdict
from pathlib import Path

import torch

from assay.novelty import KINDS, novelty_of
from assay.stats import keyed_generator
from assay.tasks import load_task
from assay.zoo.build import Zoo
from assay.zoo.recipe import members
from assay.zoo.truth import LEARNED, label, label_by_kind, truth_of


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    zoo = Zoo(Path(sys.argv[1]))
    labels: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    outside: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for member in members():
        subject = zoo.load(member)
        if subject is None:
            continue
        truth = truth_of(subject, load_task(member.task), generator=keyed_generator(member.seed, f"evidence of {member.name}"))
        if truth.seen < LEARNED:
            continue
        old = label(member, truth.seen, truth.novel)
        labels[member.task][old, label_by_kind(member, truth)] += 1
        if "outside" in truth.by_kind:
            outside[member.task].append((old, truth.by_kind["outside"].score / truth.seen))
    print("| task | synonyms | inside 1 | outside 1 | label by all novel | outside, median share | label by outside |")
    print("| --- | ---: | ---: | ---: | --- | ---: | --- |")
    for address, counts in labels.items():
        kinds = novelty_of(load_task(address)).kinds
        shown = [str(kinds.count(kind)) if kinds else "?" for kind in KINDS]
        old, new = Counter(), Counter()
        for (before, after), number in counts.items():
            old[before] += number
            new[after] += number
        composing = sorted(share for before, share in outside[address] if before == "composes")
        median = f"{composing[len(composing) // 2]:.2f}" if composing else "-"
        print(f"| `{address}` | {' | '.join(shown)} | {_told(old)} | {median} | {_told(new)} |")
    total: Counter[tuple[str, str]] = sum(labels.values(), Counter())
    print("\n| label by all novel | label by outside | networks |\n| --- | --- | ---: |")
    for (before, after), number in total.most_common():
        print(f"| {before} | {after} | {number} |")
    changed = sum(number for (before, after), number in total.items() if before != after)
    print(f"\n{changed} of {total.total()} networks change their label.")


def _told(labels: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in labels.most_common())


if __name__ == "__main__":
    main()
