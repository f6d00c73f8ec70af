"""Networks in which there is nothing to find: the subject's architecture untrained, and trained on shuffled labels."""

import torch
from torch import Generator

from assay.attributes import copied
from assay.instrument import report
from assay.instruments.former.cost import multiplications
from assay.observed import Observed
from assay.outputs import answer_of
from assay.stats import child_generator
from assay.subject import Subject
from assay.training import DivergedError, TrainingConfig, TrainingData, fit_many

BATCH, PASSES = 128, 3  # examples of a step; a step takes a forward pass and a backward pass of twice its cost


def untrained_twins(subject: Subject, num: int, generator: Generator) -> list[Subject]:
    """The same architecture with fresh weights."""
    return [subject.untrained(child_generator(generator)) for _ in range(num)]


def shuffled_twins(
    subject: Subject, observed: Observed, *, num: int, steps: int, most: float | None, generator: Generator
) -> tuple[list[Subject], str]:
    """The same architecture trained on the observed inputs with each other's targets; or none, and why.

    None for a network that cannot be trained: one without weights, whose output does not depend on them, or that would take
    more than `most` multiplications. It is never half trained.
    """
    if not num:
        return [], "this effort trains no networks"
    few = {name: values[:2] for name, values in observed.examples.inputs.items()}
    cost = PASSES * num * steps * BATCH * multiplications(subject, few)
    if most is not None and cost > most:
        return [], f"training {num} twins takes about {cost:.1g} multiplications, and this effort allows {most:.1g}"
    twins = untrained_twins(subject, num, generator)
    models = [copied(twin.module) for twin in twins]  # `fresh` may give a module that others hold as well
    examples = observed.examples
    sources = []
    for _ in models:
        order = torch.randperm(len(examples), generator=generator)
        sources.append(TrainingData(examples.inputs, examples.targets[order], observed.objective))
    seeds = torch.randint(2**31, (num,), generator=generator).tolist()
    configs = [TrainingConfig(steps=steps, batch_size=BATCH, learning_rate=3e-3, warmup=20, seed=seed) for seed in seeds]
    if not _trainable(models[0], sources[0]):
        return [], "the network could not be trained: its output depends on no weight"
    try:
        fit_many(models, sources, configs=configs, strategy="rule", progress=report)
    except DivergedError:
        return [], "the training of a twin diverged"
    return [subject.twin(model, name=f"{subject.name}, trained on shuffled labels") for model in models], ""


def _trainable(model: torch.nn.Module, source: TrainingData) -> bool:
    """Whether the loss on a few examples reaches some weight."""
    few = source.examples("train", 2, generator=Generator().manual_seed(0))
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if not weights:
        return False
    with torch.enable_grad():
        return answer_of(model(**few.inputs)).requires_grad
