"""Networks in which there is nothing to find: the subject's architecture untrained, and trained on shuffled labels."""

import copy

import torch
from torch import Generator

from assay.observed import Observed
from assay.outputs import answer_of
from assay.stats import child_generator
from assay.subject import Subject
from assay.training import DivergedError, TrainingConfig, TrainingData, fit_many


def untrained_twins(subject: Subject, num: int, generator: Generator) -> list[Subject]:
    """The same architecture with fresh weights."""
    return [subject.untrained(child_generator(generator)) for _ in range(num)]


def shuffled_twins(subject: Subject, observed: Observed, *, num: int, steps: int, generator: Generator) -> list[Subject]:
    """The same architecture trained on the observed inputs with each other's targets.

    Empty for a network that cannot be trained: one without weights, or whose output does not depend on them.
    """
    twins = untrained_twins(subject, num, generator)
    models = [copy.deepcopy(twin.module) for twin in twins]  # `fresh` may give a module that others hold as well
    examples = observed.examples
    sources = []
    for _ in models:
        order = torch.randperm(len(examples), generator=generator)
        sources.append(TrainingData(examples.inputs, examples.targets[order], observed.objective))
    seeds = torch.randint(2**31, (num,), generator=generator).tolist()
    configs = [TrainingConfig(steps=steps, batch_size=128, learning_rate=3e-3, warmup=20, seed=seed) for seed in seeds]
    if not _trainable(models[0], sources[0]):
        return []
    try:
        fit_many(models, sources, configs=configs, strategy="rule")
    except DivergedError:
        return []
    return [subject.twin(model, name=f"{subject.name}, trained on shuffled labels") for model in models]


def _trainable(model: torch.nn.Module, source: TrainingData) -> bool:
    """Whether the loss on a few examples reaches some weight."""
    few = source.examples("train", 2, generator=Generator().manual_seed(0))
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if not weights:
        return False
    with torch.enable_grad():
        return answer_of(model(**few.inputs)).requires_grad
