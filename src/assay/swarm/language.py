"""Experts for parts of the task `language`: new adjectives, or a new verb, that the base does not know.

The base learns all lines except prices, and prices with `costs` for the first eight adjectives only. Each expert learns four
more adjectives, or one more verb with the adjectives that the base knows. The composed items have a new verb with new
adjectives, which no expert has seen: lines with `earns` and adjectives 9 to 12. Run it with `assay swarm
assay.swarm.language:language_problem`.
"""

import copy

import torch
from jaxtyping import Bool
from torch import Generator, Tensor, nn

from assay.models import build
from assay.stats import keyed_generator
from assay.swarm.expert import difference
from assay.swarm.pool import ExpertPool
from assay.swarm.problem import SHARED, Problem
from assay.swarm.scores import accuracy, chance, log_probability
from assay.swarm.utility import ScoredItems, Utility
from assay.task import Examples
from assay.tasks.language import Language
from assay.tasks.language_words import COSTS, EARNS, LACKS, PRICED
from assay.training import TrainingConfig, TrainingData, fit

KNOWN = range(8)
"""Adjectives of the base."""
EXPERTS: dict[str, tuple[range, str]] = {
    "adjectives 9-12": (range(8, 12), COSTS),
    "adjectives 13-16": (range(12, 16), COSTS),
    "verb lacks": (KNOWN, LACKS),
    "verb earns": (KNOWN, EARNS),
}
"""Adjectives and verb of the prices that each expert learns."""
COMPOSED = (range(8, 12), EARNS)
VALIDATION = 100
_ROWS = 40_000  # training rows of each network


def language_problem(*, seed: int = 0, base_steps: int = 1_000, expert_steps: int = 300) -> Problem:
    """Train the base and the experts, in about a minute and a half of one core.

    Example::

        >>> from assay.swarm.language import language_problem
        >>> problem = language_problem(base_steps=1, expert_steps=1)
        >>> problem.pool.names, len(problem.utility.items)
        (('adjectives 9-12', 'adjectives 13-16', 'verb lacks', 'verb earns'), 100)
    """
    task, rng = Language(coverage=0.8, seed=seed), keyed_generator(seed, "swarm: language")
    every = Examples.joined(*(task.examples(split, 10**6, generator=rng) for split in ("seen", "novel")))
    base = build("transformer", task, generator=rng)
    lines = task.training(2 * _ROWS, generator=rng)
    others = lines.take(~torch.isin(lines.inputs["tokens"][:, -1], torch.unique(every.inputs["tokens"][:, -1])))
    old = every.take(_part(every, KNOWN, COSTS))
    _train(base, task, [old, others], base_steps, 4e-3, seed)
    experts = {}
    for number, (name, (adjectives, verb)) in enumerate(EXPERTS.items()):
        network = copy.deepcopy(base)
        _train(network, task, [every.take(_part(every, adjectives, verb)), old, others], expert_steps, 1e-3, seed + number + 1)
        experts[name] = difference(network.state_dict())
    composed = every.take(_part(every, *COMPOSED))
    composed = composed.take(torch.randperm(len(composed), generator=rng))
    tested = composed.take(torch.arange(VALIDATION, len(composed)))
    utility = Utility(
        items=_items(composed.take(torch.arange(VALIDATION))),
        test=_items(tested),
        test_shared={name: tested.parts[name].numpy() for name in ("noun",)},
        score=accuracy,
        graded=log_probability,
    )
    kept = {name: _items(every.take(_part(every, *own))) for name, own in EXPERTS.items()}
    return Problem(
        network=base,
        pool=ExpertPool(base, experts, space="full", span="linear"),
        utility=utility,
        kept={**kept, SHARED: _items(old)},
        chance=chance(composed.targets),
    )


def _part(examples: Examples, adjectives: range, verb: str) -> Bool[Tensor, " n"]:
    """Mask of the examples with one of the adjectives, and the verb."""
    adjective = examples.parts["adjective"]
    return (adjective >= adjectives.start) & (adjective < adjectives.stop) & (examples.parts["verb"] == PRICED.index(verb))


def _train(network: nn.Module, task: Language, parts: list[Examples], steps: int, rate: float, seed: int) -> None:
    """Train on equally many rows of each part."""
    rng = Generator().manual_seed(seed)
    rows = [torch.randint(len(part), (_ROWS // len(parts),), generator=rng) for part in parts]
    drawn = Examples.joined(*(part.take(row) for part, row in zip(parts, rows, strict=True)))
    config = TrainingConfig(steps=steps, batch_size=128, learning_rate=rate, weight_decay=0.8, seed=seed)
    fit(network, TrainingData(drawn.inputs, drawn.targets, task.objective), config=config)


def _items(examples: Examples) -> ScoredItems:
    return ScoredItems(examples.inputs["tokens"], examples.targets)
