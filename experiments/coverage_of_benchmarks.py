"""The table of docs/coverage.md: coverage of SCAN, COGS, SLOG, PCFG SET and the tasks of this package, without any model.

Run `python experiments/coverage_of_benchmarks.py`, optionally followed by prefixes of names to select. It prints one line of a
Markdown table for each data set as it is finished, and at the end the data sets that are refused, with the reason. SCAN, COGS
and SLOG are fetched, or read from the folder that ASSAY_DATA names. PCFG SET is read from that folder only. The copy used here
lacks the file of its 100,000 training sources, so its in-distribution dev and test files (14,581 pairs) stand in for it.
"""

import gzip
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import assay
from assay.data.registry import MIRROR_VARIABLE
from assay.tasks.scan import SCAN_SPLITS

FUNCTIONS = [
    "copy",
    "reverse",
    "shift",
    "swap_first_last",
    "repeat",
    "echo",
    "append",
    "prepend",
    "remove_first",
    "remove_second",
]
OURS = (
    "modular-addition",
    "modular-addition:names=2",
    "modular:coverage=0.8",
    "modular:coverage=0.8,maps=affine",
    "modular:coverage=0.8,maps=permutation",
    "modular:stages=3,seed=1,coverage=0.8",
    "modular:num_first=12,num_second=12,synonyms=true,coverage=0.8",
    "modular:num_first=16,num_second=16,synonyms=true,seed=0,coverage=0.9",
    "modular:stages=3,num_first=12,num_second=12,synonyms=true,seed=1,coverage=0.8",
    "commands:coverage=0.8",
    "binding:coverage=0.8",
    "transducer:coverage=0.8",
    "transducer:synonyms=true,seed=1,coverage=0.8",
    "digits:coverage=0.8",
    "trees:coverage=0.8",
    "graphs:family",
    "bit-parity",
    "agreement",
    "anaphora",
    "shapes",
    "odd-one-out:i=0+1+2,j=0+1+2/modular:p=7",
    "treebank:en_ewt",
    "hyperteacher",
    "preference_grid",
)


def pcfg(row: Mapping[str, str]) -> dict[str, str]:
    """Parts of a PCFG SET source. template: the functions and commas with every argument left blank; arguments1, ...: the
    arguments."""
    words, template, filled = row["source"].split(), [], []
    for before, word in zip(["", *words], words, strict=False):
        if word in FUNCTIONS or word == ",":
            template.append(word)
        elif before in FUNCTIONS or before in ("", ","):
            template.append("_")
            filled.append([word])
        else:
            filled[-1].append(word)
    blanks = [" ".join(part) for part in filled] + ["none"] * (12 - len(filled))
    return {"template": " ".join(template), **{f"argument{k + 1}": blanks[k] for k in range(12)}}


def pairs(*names: str) -> list[dict[str, str]]:
    """Lines of PCFG SET as pairs of source and target."""
    folder = Path(os.environ[MIRROR_VARIABLE]) / "pcfg-set"
    lines = [line for name in names for line in gzip.decompress((folder / f"{name}.tsv.gz").read_bytes()).decode().splitlines()]
    return [dict(zip(("source", "target"), line.split("\t"), strict=True)) for line in lines]


def measurements() -> Iterator[tuple[str, object]]:
    """The measurements to run, by name."""
    for split in SCAN_SPLITS:
        yield f"scan:{split}", lambda split=split: assay.coverage(f"scan:{split}")
    for address in ("cogs", "cogs:test", "slog", "slog:test"):
        yield address, lambda address=address: assay.coverage(address)
    for test in ("systematicity", "productivity") if MIRROR_VARIABLE in os.environ else ():
        yield (
            f"PCFG SET, {test}",
            lambda test=test: assay.coverage(pairs("iid/dev", "iid/test"), pairs(f"{test}/test"), parts=pcfg),
        )
    for address in OURS:
        yield address, lambda address=address: assay.coverage(address)
    yield "modular:coverage=0.8, x a part", lambda: assay.coverage("modular:coverage=0.8", parts=("i", "j", "x"))
    yield (
        "modular:coverage=0.8,maps=permutation, x a part",
        lambda: assay.coverage("modular:coverage=0.8,maps=permutation", parts=("i", "j", "x")),
    )
    yield (
        "modular:coverage=0.3,maps=permutation, x a part",
        lambda: assay.coverage("modular:coverage=0.3,maps=permutation", parts=("i", "j", "x")),
    )


def main() -> None:
    """Print the table."""
    columns = ("data", "trained", "novel", "synonyms", "inside 1", "outside 1", "within k = 2", "k = 3", "1-substitution right")
    columns = (*columns, "nearest right", "doomed", "CPU s")
    print(f"| {' | '.join(columns)} |\n| --- |{' ---: |' * (len(columns) - 1)}")
    refused = []
    wanted = tuple(sys.argv[1:]) or ("",)
    for name, measure in measurements():
        if not name.startswith(wanted):
            continue
        start = time.process_time()
        try:
            found = measure()
        except assay.AssayError as error:
            refused.append(f"- `{name}`: {' '.join(str(error).split())}")
            continue
        right = {each.name: each.accuracy for each in found.predictors}
        shown = ["-" if right.get(key) is None else f"{right[key]:.0%}" for key in ("1-substitution", "nearest example")]
        cells = [f"{cell.count:,} ({cell.share or 0:.1%})" for cell in (found.synonyms, found.inside_1, found.outside_1)]
        within = [f"{found.inside_k[k].count:,}" for k in (2, 3)]
        numbers = [f"{found.num_trained:,}", f"{found.num_novel:,}", *cells, *within, *shown, f"{len(found.doomed):,}"]
        undecided = f" ({found.undecided_k[1]:,} undecided)" if any(found.undecided_k.values()) else ""
        print(f"| `{name}`{undecided} | {' | '.join(numbers)} | {time.process_time() - start:.1f} |", flush=True)
    print("\nRefused:\n" + "\n".join(refused))


if __name__ == "__main__":
    main()
