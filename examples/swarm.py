"""Experts and a swarm: three experts that each learned one operation, and chains that need those of two of them.

A small world is made, whose answer is known; docs/methods/swarm.md has larger ones and files of one's own.
"""

import torch

from assay.report import figures_of
from assay.report.canvas import Svg
from assay.swarm.judge import judged
from assay.swarm.study import StudyPlan, study
from assay.swarm.worlds import WorldSize, make_world

SIZE = WorldSize(modulus=5, old=3, experts=3, hidden=64, base_steps=400, expert_steps=200, validation=60)
PLAN = StudyPlan(engines=("cmaes",), budget=90, seeds=3, nulls=5, beyond=0)


def main(size: WorldSize = SIZE, plan: StudyPlan = PLAN) -> Svg:
    """The judged candidates beside the same search on noise and on renamed answers."""
    found = judged(study(make_world(seed=0, size=size), plan))
    print(f"{found.word}: {found.reason}")
    print(f"necessary: {', '.join(found.necessary) or 'none'}")
    return figures_of(found.evidence)["measures"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
