"""A linear network with LoRA experts drawn at random, on which every number can be computed by hand."""

import torch
from torch import Generator, Tensor, nn

from assay.swarm.expert import Expert, Factors
from assay.swarm.pool import ExpertPool
from assay.swarm.scores import accuracy, log_probability
from assay.swarm.utility import ScoredItems, Utility

WIDE, CLASSES = 6, 4


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(WIDE, 8), nn.Tanh(), nn.Linear(8, CLASSES)).double()


def factors(rng: Generator, out: int, wide: int, rank: int = 2, scale: float = 0.5) -> Factors:
    draw = lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)  # noqa: E731
    return Factors(down=draw(rank, wide), up=draw(out, rank), scale=scale)


def low_rank_expert(seed: int, **options: float) -> Expert:
    rng = Generator().manual_seed(seed)
    return Expert(changes={"0.weight": factors(rng, 8, WIDE, **options), "2.weight": factors(rng, CLASSES, 8, **options)})


def pool_of(num: int = 3, *, base: nn.Module | None = None, **options: str) -> ExpertPool:
    return ExpertPool(base or network(), {f"e{k}": low_rank_expert(k) for k in range(num)}, **options)


def items(num: int = 24, seed: int = 0) -> ScoredItems:
    rng = Generator().manual_seed(seed)
    inputs = torch.randn(num, WIDE, generator=rng, dtype=torch.float64)
    return ScoredItems(inputs, torch.randint(CLASSES, (num,), generator=rng))


def utility(**options: object) -> Utility:
    return Utility(**{"items": items(), "test": items(30, seed=1), "score": accuracy, "graded": log_probability, **options})


def answers(base: nn.Module, weights: dict[str, Tensor], inputs: Tensor) -> Tensor:
    """The outputs of a network with these weights, by a copy that holds them."""
    other = network()
    other.load_state_dict(weights)
    return other(inputs)
