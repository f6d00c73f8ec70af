"""The table of docs/zoo.md: how many networks of the zoo change their label when novel means outside 1-coverage.

    OMP_NUM_THREADS=1 python experiments/zoo_labels.py DIR [--jobs 2]

The label of a network comes from what it was meant to be and from its score on novel combinations (`assay.zoo.truth`). The old
labels, from all novel combinations, are those of the table that ships. The new ones count combinations outside 1-coverage: of
tasks with at least 30 of them the networks are trained into DIR and scored; twins have the score of their original, whose
function they compute. Printed are, for every family, the kinds of novel combinations and the labels, then every old label
beside the one that replaces it. Nothing is fitted.
"""

import argparse
from collections import Counter, defaultdict
from pathlib import Path

import torch

from assay.novelty import ENOUGH, KINDS, Novelty, novelty_of
from assay.stats import keyed_generator
from assay.tasks import load_task
from assay.zoo.build import Zoo, build
from assay.zoo.recipe import Member, members
from assay.zoo.shipped import shipped_table
from assay.zoo.truth import NOT_ENOUGH, NOT_KNOWN, Truth, label_by_kind, truth_of

WRONG_DECLARATION = "W"


def main() -> None:
    """Train what is needed, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    by_name = {member.name: member for member in members()}
    table, _ = shipped_table()
    old = dict(zip(table.name.tolist(), table.label.tolist(), strict=True))
    novelty = {address: novelty_of(load_task(address)) for address in dict.fromkeys(by_name[name].task for name in old)}
    asked = [by_name[name] for name in old if novelty[by_name[name].task].kinds.count("outside") >= ENOUGH]
    needed = dict.fromkeys(member.twin_of or member.name for member in asked if member.kind != WRONG_DECLARATION)
    build(options.folder, [by_name[name] for name in needed], jobs=options.jobs)
    zoo = Zoo(options.folder)
    truths = {name: _truth(zoo, by_name[name], novelty[by_name[name].task]) for name in needed}
    new = {name: _label(by_name[name], novelty[by_name[name].task], truths) for name in old}
    print("| family | tasks | synonyms | inside 1 | outside 1 | label by all novel combinations | label by those outside |")
    print("| --- | ---: | ---: | ---: | ---: | --- | --- |")
    for family in dict.fromkeys(by_name[name].family for name in old):
        names = [name for name in old if by_name[name].family == family]
        tasks = dict.fromkeys(by_name[name].task for name in names)
        counts = [sum(novelty[task].kinds.count(kind) for task in tasks) for kind in KINDS]
        shown = [f"{count:,}" for count in counts] if any(counts) else ["not known"] * 3
        told = [_told(Counter(labels[name] for name in names)) for labels in (old, new)]
        print(f"| {family} | {len(tasks)} | {' | '.join([*shown, *told])} |")
    pairs = Counter((old[name], new[name]) for name in old)
    print("\n| label by all novel combinations | label by those outside | networks |\n| --- | --- | ---: |")
    for (before, after), number in pairs.most_common():
        print(f"| {before} | {after} | {number} |")
    changed = sum(number for (before, after), number in pairs.items() if before != after)
    judged = sum(number for (_, after), number in pairs.items() if after not in (NOT_ENOUGH, NOT_KNOWN))
    print(f"\n{changed} of {len(old)} networks change their label; {judged} still have one.")
    scores = defaultdict(list)
    for name, truth in truths.items():
        if name in old and "outside" in truth.by_kind:
            scores[old[name]].append(truth.by_kind["outside"].score / truth.seen)
    for label, shares in ((label, sorted(found)) for label, found in scores.items()):
        low, middle, high = (shares[place] for place in (0, len(shares) // 2, -1))
        print(f"{label}: share of the seen score outside {low:.2f} to {high:.2f}, median {middle:.2f}")


def _truth(zoo: Zoo, member: Member, novelty: Novelty) -> Truth:
    subject = zoo.load(member)
    assert subject is not None, f"{member.name} is in the table that ships, so it can be made"
    generator = keyed_generator(member.seed, f"evidence of {member.name}")
    return truth_of(subject, load_task(member.task), novelty, generator=generator)


def _label(member: Member, novelty: Novelty, truths: dict[str, Truth]) -> str:
    if not novelty.kinds:
        return NOT_KNOWN
    if novelty.kinds.count("outside") < ENOUGH:
        return NOT_ENOUGH
    if member.kind == WRONG_DECLARATION:
        return "partial"  # whatever it does
    return label_by_kind(member, truths[member.twin_of or member.name])


def _told(labels: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in labels.most_common())


if __name__ == "__main__":
    main()
