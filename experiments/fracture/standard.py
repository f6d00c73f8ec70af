"""The standard evidence on one picture: the evolved network beside what gradient descent makes, and beside its nulls.

Run `time python experiments/fracture/standard.py --jobs 2`. Two networks are trained on the picture and three, as long, on
pictures of the same spectrum whose waves lie elsewhere (`assay train picture:skull --model cppn`, and with `phases=random`);
then the instrument reads the evolved network with all five as references, beside five untrained copies and five networks of its
own weights in another order. Printed are the time on the clock and every measure with its nulls. Expected: six minutes on two
cores that nobody else uses.
"""

import argparse
import time
from functools import partial

import torch
from torch import Generator

from assay.data.genomes import PICTURES, picture_genome
from assay.display import number, p_value, with_interval
from assay.evidence import Effort
from assay.instrument import run
from assay.instruments.fracture import Fracture
from assay.jobs import one_thread, run_parallel
from assay.models.cppn import Cppn
from assay.models.evolved import dense
from assay.subject import Subject
from assay.tasks import load_task
from assay.training import fit, prepare

SEEDS, SMOOTH = 2, 3
MOST = 2**20  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", choices=PICTURES, default="skull")
    parser.add_argument("--size", type=int, default=64, help="pixels along a side")
    parser.add_argument("--steps", type=int, help="of each training (default: the recommended 5,000)")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    with one_thread():
        evidence_on(given.picture, size=given.size, steps=given.steps, jobs=given.jobs)


def evidence_on(picture: str, *, size: int, steps: int | None, jobs: int, effort: Effort = "standard") -> None:
    """Train, read, and print."""
    start = time.perf_counter()
    address = f"picture:{picture},size={size}"
    runs = {f"gradient descent, seed {seed}": (address, seed) for seed in range(SEEDS)}
    runs |= {f"smooth target {seed}": (f"{address},phases=random,seed={seed}", seed) for seed in range(SMOOTH)}
    found = run_parallel(partial(trained, steps=steps), list(runs.values()), jobs=jobs)
    for name, (_, loss, seconds) in zip(runs, found, strict=True):
        print(f"{name}: mean square error of a colour {loss:.5f}, {seconds:.0f} s of the processor")
    print(f"trained: {time.perf_counter() - start:.0f} s on the clock", flush=True)
    references = {name: Subject(network, name=name) for name, (network, *_) in zip(runs, found, strict=True)}
    evolved = Subject(dense(picture_genome(picture)), name=f"evolved {picture}")
    evidence = run(Fracture(), evolved, load_task(address), effort=effort, jobs=jobs, references=references)
    print(f"trained and read: {time.perf_counter() - start:.0f} s on the clock")
    print(evidence.summary)
    for measure in evidence.measures:
        if measure.value is None:
            print(f"{measure.label}: {measure.note}")
            continue
        print(f"{measure.label}: {with_interval(measure.value, measure.interval)}")
        for null in measure.nulls:
            spread = f" ({number(min(null.values))} to {number(max(null.values))})" if len(null.values) > 1 else ""
            print(f"  {null.name}: {number(null.mean)}{spread}{'' if null.p is None else f', p {p_value(null.p)}'}")


def trained(run: tuple[str, int], *, steps: int | None) -> tuple[Cppn, float, float]:
    """A network trained on the picture at an address, the squared error of a colour that is left, and seconds that it took."""
    address, seed = run
    start = time.process_time()
    config = {"seed": seed, **({} if steps is None else {"steps": steps})}
    task, model, config, _ = prepare(address, "cppn", config=config)
    fit(model, task, config=config)
    assert isinstance(model, Cppn)
    every = task.examples("seen", MOST, generator=Generator().manual_seed(0))
    with torch.no_grad():
        loss = float((model(every.inputs["x"]) - every.targets).square().mean())
    return model, loss, time.process_time() - start


if __name__ == "__main__":
    main()
