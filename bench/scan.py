"""Train the encoder-decoder on SCAN as `assay train scan:SPLIT` does, and print its scores and its cost.

Run `python bench/scan.py`, or `python bench/scan.py addprim_jump` for one split. The data come from the cache, the folder
named by ASSAY_DATA, or the published address. Expected: `addprim_jump` seen >= .99 and novel < .05, `simple` novel (its test
split) >= .98, each within five minutes on two cores.
"""

import argparse
import tempfile
from pathlib import Path

from assay.training import train

BOUNDS = {
    "addprim_jump": {"seen": (0.99, 1.0), "novel": (0.0, 0.05)},
    "simple": {"seen": (0.98, 1.0), "novel": (0.98, 1.0)},
}
MOST_SECONDS = 300.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("splits", nargs="*", default=list(BOUNDS), help=f"any of {', '.join(BOUNDS)}; both by default")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for split in arguments.splits:
        with tempfile.TemporaryDirectory() as folder:
            record = train(f"scan:{split}", config={"seed": arguments.seed}, out=Path(folder) / split).read_record()
        print(f"scan:{split}, seed {arguments.seed}, {record.model}, {record.training['steps']} steps")
        for name, (low, high) in BOUNDS[split].items():
            score = record.scores[name]
            print(f"  {name:6} {score:.4f}  wanted {low} to {high}: {'yes' if low <= score <= high else 'NO'}")
        in_time = "yes" if record.wall_seconds <= MOST_SECONDS else "NO"
        print(f"  CPU    {record.cpu_seconds:.0f} s, wall {record.wall_seconds:.0f} s, within {MOST_SECONDS:.0f} s: {in_time}")


if __name__ == "__main__":
    main()
