"""The small slice of the zoo, built and judged: a check that what builds networks and what judges them still fit together.

python -m zoo.judged                       # 40 CPU s; ends with 1 where an answer contradicts what a network does
python -m zoo.judged --out DIR --jobs 2    # keeps the networks, and goes on with those that are there

The rates are measured on the whole zoo. Twelve networks show no rate, but an answer that contradicts one of them is a fault.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from assay.audit import audit
from assay.instruments import load_instrument
from assay.verdict import Verdict, judge
from zoo.build import Zoo, build, task_for
from zoo.manifest import Member, manifest
from zoo.truth import Label, Truth

ALLOWED: Mapping[Label, tuple[str, ...]] = {
    "composes": ("works",),
    "partial": ("works in part", "not resolved"),
    "imitates": ("does not work", "works in part"),
}
"""What a measured first answer may be. An imitator is right on less than half, which is not nothing."""
SAME = ("refactor", "twin")  # kinds with the function of another member, of which every answer must be that member's


def verdicts(zoo: Zoo, member: Member) -> tuple[Verdict, Verdict]:
    """With everything, and from trained inputs alone."""
    instruments = [load_instrument(name) for name in ("systematicity", "recombination")]
    found = audit(zoo.load(member), task_for(member), effort="quick", instruments=instruments, progress=None)
    inside = [item.at_level(0) for item in found.evidence if item.instrument == "recombination"]
    return found.verdict, judge(inside)


def faults(truths: Mapping[str, Truth], judged: Mapping[str, tuple[Verdict, Verdict]]) -> Iterator[str]:
    """Answers that contradict what a network does, or that differ between networks of one function."""
    for name, (full, inside) in judged.items():
        truth = truths[name]
        if full.novel.answer not in ALLOWED.get(truth.label, (full.novel.answer,)):
            yield f"{name} {truth.label} on novel combinations and is called: {full.novel.answer}"
        if truth.meant == "imitator" and inside.novel.answer == "works":
            yield f"{name} is an imitator and is expected to work from its inside"
        if truth.meant == "composer" and inside.novel.answer == "does not work":
            yield f"{name} composes and is expected not to work from its inside"
        if truth.kind in SAME and truth.of in judged:
            for own, other in zip((full, inside), judged[truth.of], strict=True):
                if answers(own) != answers(other):
                    yield f"{name} has the function of {truth.of} and is judged otherwise: {answers(own)}, {answers(other)}"


def answers(verdict: Verdict) -> str:
    """The three answers in short."""
    return f"{verdict.novel.answer}; {verdict.combining.answer}; {verdict.sharing.answer}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(_check(options.out or Path(folder), jobs=options.jobs))


def _check(folder: Path, *, jobs: int) -> int:
    members = manifest().small_slice()
    zoo = build(folder, members, jobs=jobs, progress=lambda line: print(line, flush=True))
    truths, judged = {member.name: zoo.record(member).truth for member in members}, {}
    for member in members:
        full, inside = judged[member.name] = verdicts(zoo, member)
        print(
            f"{member.name:32} {truths[member.name].label:9} {answers(full)} | from its inside {answers(inside)}",
            flush=True,
        )
    found = list(faults(truths, judged))
    print("\n".join(found) or f"{len(members)} networks, no answer contradicts what a network does")
    return int(bool(found))


if __name__ == "__main__":
    main()
