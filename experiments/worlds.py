"""A small transformer learns to answer questions about small worlds, and holds their graphs for names that it never saw.

To match 300 names is learned late or not at all, to match 30 soon; who can do that has learned to match names, and needs few
steps to do it with all. So training has two stages, of which the second only adds names. Run `python experiments/worlds.py`,
with another world and an effort as arguments if you like (`family standard`); it takes some minutes, and ends with what the
polar probe finds and what the network uses.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace

from torch import Generator, nn

from assay.evidence import Effort, Evidence
from assay.instrument import run
from assay.instruments.polar import Polar
from assay.models import build
from assay.subject import Subject
from assay.task import Split
from assay.tasks.graphs import Graphs
from assay.training import TrainingConfig, fit

FEW = 30  # names of the first stage
STAGES = (
    TrainingConfig(steps=4000, batch_size=128, learning_rate=2e-3, weight_decay=0.01),
    TrainingConfig(steps=2000, batch_size=128, learning_rate=2e-3, weight_decay=0.01),
)


def train(task: Graphs, *, seed: int = 0, stages: tuple[TrainingConfig, ...] = STAGES) -> Subject:
    """The first stage on few names, the others on all."""

    def fresh(generator: Generator) -> nn.Module:
        return build("transformer", task, generator=generator, depth=3, init_scale=2.0)

    model = fresh(Generator().manual_seed(seed))
    for number, config in enumerate(stages):
        fit(model, replace(task, trained_names=FEW) if number == 0 else task, config=replace(config, seed=seed))
    return Subject(model, fresh=fresh, name=f"{task.world}, seed {seed}")


def score(subject: Subject, task: Graphs, split: Split, *, num: int = 2000) -> float:
    """The share of questions that are answered right."""
    examples = task.examples(split, num, generator=Generator().manual_seed(1))
    return float(task.score(subject(examples.inputs), examples).mean())


def told(evidence: Evidence) -> Iterator[str]:
    """The rates of the probe on texts with new names, and what is lost without it, beside their nulls."""
    yield evidence.summary
    lost = (f"score_lost_without_the_{of}" for of in ("polar_subspace", "relation_axes"))
    for key in ("uuas", "uas", "las", "type_accuracy", *lost):
        measure = evidence.measure(key)
        assert measure.interval is not None
        yield f"{measure.name}: {measure.value:.3f} [{measure.interval.low:.3f}, {measure.interval.high:.3f}]"
        yield from (f"    {null.name}: {null.mean:.3f}, p {null.p:.1g}" for null in measure.nulls)


def main(task: Graphs, effort: Effort = "quick", *, stages: tuple[TrainingConfig, ...] = STAGES) -> None:
    """Train, and ask a trained and an untrained network for the graphs of texts whose names are new."""
    trained = train(task, stages=stages)
    for subject in (trained, trained.untrained(Generator().manual_seed(2))):
        found = ", ".join(f"{score(subject, task, split):.3f} on {split} texts" for split in ("seen", "novel"))
        print(f"{subject.name}: questions answered right: {found}")
        evidence = run(Polar(), subject, task, effort=effort, seed=0)
        print("\n".join(f"  {line}" for line in told(evidence)), flush=True)


if __name__ == "__main__":
    world, effort = (*sys.argv[1:], *("family", "quick")[len(sys.argv) - 1 :])
    main(Graphs(world=world, size=3), effort)
