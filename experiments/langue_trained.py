"""Small language models trained on nothing but books: their bits against n-grams, and whether two of them agree on words.

    python experiments/langue_trained.py --out DIR [--steps 3600] [--effort standard] [--read all half]

The models are one of all books, two of one half (random seeds 0 and 1) and one of the other half (seed 0), which shares no
book. A run that already exists in DIR is not trained again. The script prints the evidence of the instrument `langue`: all of
it for the first model (`all`); and for the model of half a with seed 1 the agreement of its words with counts of its books,
with the model of the other seed, and with the model of the other half, which is read on its own books (`half`). No two of these
share their initial weights. CPU seconds of one thread.
"""

import argparse
import time
from pathlib import Path

import assay
from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments.langue import Langue
from assay.store import RECORD, RunDirectory

RUNS = {
    "all": ("text:gutenberg", 0),
    "half a": ("text:gutenberg_a", 0),
    "half a, other seed": ("text:gutenberg_a", 1),
    "half b": ("text:gutenberg_b", 0),
}


def trained(name: str, out: Path, steps: int) -> assay.Subject:
    """The network of a name, trained if it does not exist yet."""
    address, seed = RUNS[name]
    folder = out / name.replace(", ", "-").replace(" ", "-")
    if not (folder / RECORD).exists() or RunDirectory.open(folder).read_record().finished is None:
        config = {"steps": steps, "seed": seed}
        assay.train(address, "transformer", out=folder, config=config, progress=None)
    record = RunDirectory.open(folder).read_record()
    size = record.training["steps"] * record.training["batch_size"] * 128
    print(f"{name}: {record.training['steps']} steps, {size:,} bytes, {record.cpu_seconds:.0f} CPU s", flush=True)
    return assay.load_subject(str(folder))


def told(evidence: Evidence, keys: tuple[str, ...] = ()) -> None:
    """All measures, or those of some metrics, and all tables."""
    print(evidence.summary)
    for measure in evidence.measures:
        if keys and measure.key not in keys:
            continue
        ends = f"[{measure.interval.low:.3f}, {measure.interval.high:.3f}]" if measure.interval else ""
        nulls = "; ".join(f"{null.name} {null.mean:.3f}" + (f" (p {null.p:.4f})" if null.p else "") for null in measure.nulls)
        value = measure.note if measure.value is None else f"{measure.value:.3f} {ends}"
        print(f"  {measure.label}: {value}; {nulls}")
    for figure in evidence.figures:
        if figure.kind == "matrix":
            print(f"  {figure.name}")
            for name, cells, notes in zip(figure.rows, figure.values, figure.notes, strict=True):
                pairs = zip(cells, notes, strict=True)
                print(f"    {name} | " + " | ".join("" if cell is None else f"{cell:.3f} ({note})" for cell, note in pairs))
        if figure.kind == "table" and (not keys or figure.name.startswith("Alignment")):
            print(f"  {figure.name}: {' | '.join(figure.columns)}")
            for row in figure.rows:
                print("    " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--effort", choices=("quick", "standard", "full"), default="standard")
    parser.add_argument("--read", nargs="*", choices=("all", "half"), default=("all", "half"))
    given = parser.parse_args()
    needed = [name for name in RUNS if ("all" if name == "all" else "half") in given.read]
    subjects = {name: trained(name, given.out, given.steps) for name in needed}
    for part in given.read:
        start = time.process_time()
        name, others = ("all", ()) if part == "all" else ("half a, other seed", ("half a", "half b"))
        instrument = Langue(others={other: (subjects[other], assay.load_task(RUNS[other][0])) for other in others})
        evidence = run(instrument, subjects[name], assay.load_task(RUNS[name][0]), effort=given.effort, seed=0)
        told(evidence, ("bits", "saved", "gain", "neighbours", "neighbours_null") if others else ())
        print(f"{part}: {time.process_time() - start:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
