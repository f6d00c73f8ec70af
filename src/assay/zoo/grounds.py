"""The tasks on which the zoo's networks are trained."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A task of a family, and the trained shares at which its kinds are made.

    **Attributes:**

    - `wide`: enough for the rule to be learned. `few`: combinations to memorise. `between`: for partial networks.
    - `interchange`, `seen`: what interchange training needs, and what it must not have.
    - `table`: about five hundred tuples, whose random answers can be learned by heart; 0 where memorisers of the rule
      imitate as they are.
    - `without`: kinds that the task has no place for: no derived part carries the answer, the input is no tokens, or
      tuples are too many.
    """

    family: str
    task: str
    wide: float
    few: float
    between: tuple[float, float]
    interchange: float
    seen: float
    table: float = 0.0
    networks: tuple[str, ...] = ("mlp", "transformer", "gru")
    without: tuple[str, ...] = ()


_OF_TOKENS = ("G1-constructed", "G3-interchanged", "I3-inert", "I5-masked", "I6-interchanged-seen")
GROUNDS = (
    Ground(
        family="modular",
        task="modular:p=11,num_first=16,num_second=16,synonyms=true,seed=0",
        wide=0.9,
        few=0.2,
        between=(0.45, 0.65),
        interchange=0.5,
        seen=0.2,
    ),
    Ground(
        family="modular",
        task="modular:stages=3,p=11,synonyms=true,seed=1",
        wide=0.8,
        few=0.1,
        between=(0.2, 0.3),
        interchange=0.4,
        seen=0.1,
    ),
    Ground(
        family="commands",
        task="commands:phrases=1,max_times=3,seed=0",
        wide=0.8,
        few=0.1,
        between=(0.2, 0.3),
        interchange=0.5,
        seen=0.1,
        table=0.35,
        without=("G1-constructed",),
    ),
    Ground(
        family="commands",
        task="commands:seed=1",
        wide=0.3,
        few=0.003,
        between=(0.005, 0.01),
        interchange=0.05,
        seen=0.003,
        table=0.002,
        without=("G1-constructed", "I4-stitcher"),
        networks=("mlp",),
    ),
    Ground(
        family="binding", task="binding:seed=0", wide=0.6, few=0.02, between=(0.05, 0.1), interchange=0.2, seen=0.03, table=0.1
    ),
    Ground(
        family="binding",
        task="binding:num_objects=2,num_shapes=6,num_colours=5,form=scene,seed=1",
        wide=0.8,
        few=0.05,
        between=(0.1, 0.2),
        interchange=0.4,
        seen=0.05,
        table=0.12,
        without=_OF_TOKENS,
        networks=("mlp",),
    ),
    Ground(
        family="transducer",
        task="transducer:synonyms=true,seed=1",
        wide=0.8,
        few=0.01,
        between=(0.03, 0.08),
        interchange=0.3,
        seen=0.02,
        table=0.12,
    ),
    Ground(
        family="transducer",
        task="transducer:synonyms=true,seed=4",
        wide=0.8,
        few=0.01,
        between=(0.03, 0.08),
        interchange=0.3,
        seen=0.02,
        table=0.12,
        networks=("mlp",),
    ),
    Ground(
        family="digits",
        task="digits:seed=0",
        wide=0.8,
        few=0.03,
        between=(0.1, 0.2),
        interchange=0.4,
        seen=0.05,
        table=0.07,
        without=("G1-constructed",),
    ),
    Ground(
        family="digits",
        task="digits:operation=times,digits=3,seed=1",
        wide=0.9,
        few=0.04,
        between=(0.15, 0.3),
        interchange=0.5,
        seen=0.06,
        table=0.05,
        without=("G1-constructed",),
        networks=("mlp",),
    ),
    Ground(family="trees", task="trees:seed=0", wide=0.8, few=0.15, between=(0.3, 0.45), interchange=0.5, seen=0.2, table=0.06),
)
