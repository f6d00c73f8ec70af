"""Problems of a study: a network, its experts, a utility, and items to check forgetting on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from assay.swarm.pool import ExpertPool
from assay.swarm.utility import ScoredItems, Utility

SHARED = "shared"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Experts, and the items on which a combination of them is sought.

    **Attributes:**

    - `network`: a module with the base's weights. `pool`: its experts. `utility`: the items that no expert solves.
    - `kept`: further items by name on which forgetting is measured, such as those of each expert's skill. The set `shared`
      holds what all experts can do; loss barriers are measured on it.
    - `chance`: the score of guessing.
    - `base`, `sources`: locations of the base and of each expert, where known, for a recipe that other tools read.

    Example::

        >>> from assay.swarm.worlds import WorldSize, make_world
        >>> size = WorldSize(modulus=5, old=3, experts=2, base_steps=5, expert_steps=5, validation=30)
        >>> problem = make_world(seed=0, size=size)
        >>> problem.pool.names, len(problem.utility.items), sorted(problem.kept)
        (('expert 0', 'expert 1'), 30, ['expert 0', 'expert 1', 'shared'])
    """

    network: nn.Module
    pool: ExpertPool
    utility: Utility
    kept: Mapping[str, ScoredItems] = field(default_factory=dict)
    chance: float = 0.0
    base: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
