"""Sparse circuits: one network trained with all its weights and one with a quarter of them. Whose circuit is smaller?"""

import tempfile

import torch

import assay
from assay.instrument import run
from assay.report import figures_of
from assay.report.canvas import Svg

TASK = "modular-addition:p=13,coverage=0.8"


def main(*, task: str = TASK, steps: int = 600, density: float = 1 / 4) -> Svg:
    """The size of the smallest circuit, what it can do alone, and what is lost without it, beside the dense network."""
    subjects = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, sparse in (("dense", {}), ("sparse", {"sparse": density})):
            out = f"{folder}/{name}"
            assay.train(task, out=out, config={"steps": steps, **sparse}, progress=None)
            subjects[name] = assay.load_subject(out)
    circuits = assay.load_instrument("circuits")
    evidence = run(circuits, subjects["sparse"], assay.load_task(task), effort="quick", references={"dense": subjects["dense"]})
    print(evidence.summary)
    return figures_of(evidence)["measures"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
