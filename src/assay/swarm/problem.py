"""Problems of a study: a network, its experts, a utility, and items to check forgetting on. From Python or by an address."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from assay.errors import AssayError
from assay.factory import call_factory
from assay.swarm.pool import ExpertPool
from assay.swarm.utility import ScoredItems, Utility

SHARED = "shared"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Experts, and the items on which a combination of them is sought.

    **Attributes:**

    - `network`: a module with the base's weights. `pool`: its experts. `utility`: the items that no expert solves.
    - `kept`: further items by name, such as the skill of each expert, for forgetting. The set `shared` holds what all experts
      can do; loss barriers are measured on it.
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


def problem_at(address: str, *, seed: int = 0) -> Problem:
    """The problem at an address: a TOML file (`assay.swarm.declared`), `world`, `world:missing-skill`,
    `world:other-initialisations`, or `package.module:function`, a function without arguments that returns a `Problem`. Code
    that the address names is executed.

    **Raises:** `AssayError` for an unknown address, and for a function that returns something else.
    """
    from assay.swarm.worlds import WORLDS, make_world

    if address.endswith(".toml"):
        from assay.swarm.declared import problem_in

        return problem_in(Path(address))
    name, _, kind = address.partition(":")
    if name == "world":
        kinds = {one.replace(" ", "-"): one for one in WORLDS}
        if kind and kind not in kinds:
            raise AssayError("a world must be of a known kind", given=kind, choices=list(kinds))
        return make_world(kinds.get(kind, WORLDS[0]), seed=seed)
    if not kind:
        raise AssayError(
            "experts come from a .toml file, from a function of yours, package.module:function, or from a world made here",
            given=address,
            choices=["world", *(f"world:{one.replace(' ', '-')}" for one in WORLDS[1:])],
        )
    found = call_factory(name, kind)
    if not isinstance(found, Problem):
        raise AssayError("the function must return an assay.swarm.Problem", given=f"{address}, which returned {type(found)}")
    return found
