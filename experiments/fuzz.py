"""Every reader on damaged inputs: how many it accepts, how many it refuses with `AssayError`, and any other outcome.

The inputs are those of `tests/fuzz`, drawn by hypothesis: valid files with changed structure, text and bytes, and numbers and
addresses as a user might write them. The script prints one row for each reader, with the longest time of any input; the last
column, of other outcomes, should be 0 everywhere.

    python experiments/fuzz.py [--inputs 20000] [--of-slow 2000] [NAME ...]
"""

import argparse
import resource
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fuzz"))

import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from reader import Hang, Reader, is_accepted
from readers import readers

MEMORY = 8 * 2**30  # bytes of data: an input that asks for more fails with MemoryError, which counts as another exception


def tried(reader: Reader, number: int) -> tuple[Counter[str], float]:
    """The number of inputs with each outcome, by name, and the longest time."""
    outcomes: Counter[str] = Counter()
    longest = 0.0

    @seed(0)
    @settings(
        max_examples=number, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(reader.inputs)
    def run(given_input: object) -> None:
        nonlocal longest
        start = time.perf_counter()
        try:
            outcome = "accepted" if is_accepted(reader, given_input) else "AssayError"
        except (Exception, Hang) as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            own = [frame for frame in traceback.extract_tb(error.__traceback__) if "/assay/" in frame.filename]
            place = own[-1] if own else last
            outcome = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:90]!r}"
            if outcome not in outcomes:
                print(f"  {reader.name}: {outcome} of {str(given_input)[:150]!r}", file=sys.stderr, flush=True)
        outcomes[outcome] += 1
        longest = max(longest, time.perf_counter() - start)

    run()
    return outcomes, longest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--of-slow", type=int, default=2_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    print(f"{'reader':24}{'inputs':>8}{'AssayError':>12}{'accepted':>10}{'longest, s':>12}{'other':>8}")
    failed = 0
    for reader in readers():
        if options.names and reader.name not in options.names:
            continue
        outcomes, longest = tried(reader, options.of_slow if reader.slow else options.inputs)
        total, refused, accepted = outcomes.total(), outcomes["AssayError"], outcomes["accepted"]
        other = total - refused - accepted
        failed += other
        print(f"{reader.name:24}{total:8,}{refused:12,}{accepted:10,}{longest:12.2f}{other:8,}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
