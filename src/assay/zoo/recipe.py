"""Which networks the zoo holds. The list is a function of nothing: the same names, tasks, sizes and seeds everywhere.

Kinds are crossed with families, architectures, sizes, weight decays and initial scales, so that none of these tells the kind.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache

from assay.calibration.fitting import SEALED
from assay.zoo.grounds import GROUNDS, Ground

SLICE = 60


@dataclass(frozen=True, kw_only=True)
class Member:
    """One network of the zoo, before it is made.

    **Attributes:**

    - `name`: unique.
    - `family`, `kind`: as in the table of error rates; `how` is the name under which `assay.zoo.kinds` makes it.
    - `architecture`, `size`: in words, and `sizes` as numbers.
    - `task`: on which it is trained. `declared`: how its declaration is changed for the audit; empty for the task's own.
    - `training`: every setting that differs from the usual one.
    - `twin_of`: whose function it has; empty for a network of its own.
    """

    name: str
    family: str
    kind: str
    how: str
    architecture: str
    sizes: tuple[tuple[str, int | float], ...]
    task: str
    training: tuple[tuple[str, int | float], ...]
    declared: str = ""
    twin_of: str = ""

    @property
    def size(self) -> str:
        """Width and depth in words."""
        sizes = dict(self.sizes)
        return f"{sizes['width']}x{sizes['depth']}"

    @property
    def seed(self) -> int:
        """Of everything that is drawn for it."""
        return int(dict(self.training)["seed"])


_NETWORKS: dict[str, tuple[dict[str, int], ...]] = {
    "mlp": ({"width": 96, "depth": 2}, {"width": 128, "depth": 3}),
    "hyperteacher": ({"width": 192, "depth": 2}, {"width": 256, "depth": 2}),
    "transformer": ({"width": 32, "depth": 2, "heads": 4}, {"width": 48, "depth": 2, "heads": 4}),
    "gru": ({"width": 32, "depth": 1}, {"width": 48, "depth": 1}),
}
_STEPS = {
    "mlp": {"steps": 2000, "batch_size": 128, "learning_rate": 5e-3},
    "transformer": {"steps": 2000, "batch_size": 64, "learning_rate": 3e-3},
    "gru": {"steps": 2000, "batch_size": 64, "learning_rate": 5e-3},
}
_DECAYS, _SCALES = (0.1, 0.3), (1.0, 0.5)
_TURNS = ((0, 0, 0), (1, 1, 1), (0, 1, 0), (1, 0, 1), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 0))
"""Size, decay and scale of one network after the other: balanced from the second one on, and all of them after eight."""
_REPEATS = {"mlp": 2, "transformer": 1, "gru": 1}
_REPLACED = {"modular": "i", "commands": "verb1", "binding": "colour1", "transducer": "s2", "digits": "a1", "trees": "op1"}
"""The part in whose place a wrong declaration puts another."""
_WITHOUT = {"gru": ("G3-interchanged", "I3-inert", "I6-interchanged-seen")}  # interchange and inert units need another network


@cache
def members() -> tuple[Member, ...]:
    """Every member, originals before their twins."""
    made = [*_crossed([*_grown(), *_doubles()]), *_hyperteachers()]
    return (*made, *_twins(made), *_misdeclared(made))


def recipe_hash(some: Sequence[Member] | None = None) -> str:
    """Of the whole list, or of some members: a table belongs to the recipe with its hash, a network to that of its member."""
    text = json.dumps([asdict(member) for member in (members() if some is None else some)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def small_slice(num: int = SLICE) -> tuple[Member, ...]:
    """A fixed part of the zoo with every kind and every family that is not sealed, small networks first; twins come with their
    originals."""
    open_ones = [member for member in members() if member.family not in SEALED]
    by_kind: dict[str, list[Member]] = {}
    for member in sorted(open_ones, key=lambda member: (member.architecture != "mlp", member.sizes)):
        by_kind.setdefault(member.kind, []).append(member)
    chosen: dict[str, Member] = {}
    for turn in range(len(open_ones)):
        for index, kind in enumerate(sorted(by_kind)):
            of_kind = by_kind[kind]
            families = sorted({member.family for member in of_kind})
            wanted = families[(turn + index) % len(families)]
            left = [member for member in of_kind if member.family == wanted and member.name not in chosen]
            named = {member.name: member for member in open_ones}
            for member in left[:1]:
                needed = [named[member.twin_of], member] if member.twin_of else [member]
                if len(chosen) + sum(one.name not in chosen for one in needed) <= num:
                    chosen |= {one.name: one for one in needed}
        if len(chosen) == num:
            break
    return tuple(member for member in members() if member.name in chosen)


def _crossed(made: Sequence[Member]) -> Iterator[Member]:
    """Every size, weight decay and initial scale in turn within each family, architecture and class, so that none tells the
    class."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for member in made:
        group = (member.family, member.architecture, member.kind[0])
        size, decay, scale = _TURNS[counts[group] % len(_TURNS)]
        counts[group] += 1
        sizes = (*_NETWORKS[member.architecture][size].items(), ("init_scale", _SCALES[scale]))
        yield replace(member, sizes=sizes, training=(*member.training, ("weight_decay", _DECAYS[decay])))


def _grown() -> Iterator[Member]:
    """Every kind on every ground with every network that can be of it."""
    for number, ground in enumerate(GROUNDS):
        for architecture in ground.networks:
            for k, (how, kind, coverage, more) in enumerate(_kinds(ground)):
                if how in (*ground.without, *_WITHOUT.get(architecture, ())):
                    continue
                for repeat in range(_REPEATS[architecture]):
                    yield _member(ground, number, architecture, how, kind, coverage, more, 31 * k + repeat)


def _doubles() -> Iterator[Member]:
    """Imitations of tables. Where the rule can be half guessed, what memorises few combinations is right on more than half
    of the novel ones, and a lookup of fragments on nearly all."""
    for number, ground in enumerate(GROUNDS):
        for architecture in ground.networks if ground.table else ():
            for k, how in enumerate(("I3-inert", "I4-stitcher", "I5-masked", "I6-interchanged-seen"), 20):
                if how in (*ground.without, *_WITHOUT.get(architecture, ())):
                    continue
                for repeat in range(_REPEATS[architecture]):
                    seed = 31 * k + repeat
                    yield _member(ground, number, architecture, how, how[:2], ground.table, ",targets=table", seed)


def _kinds(ground: Ground) -> Iterator[tuple[str, str, float, str]]:
    """How each kind is made, its name in the table, its coverage, and what its task has besides."""
    yield "G1-constructed", "G1", ground.wide, ""
    yield "G2-trained", "G2", ground.wide, ""
    yield "G2-trained", "G2", ground.wide, ",cue=free"
    yield "G3-interchanged", "G3", ground.interchange, ""
    yield "I1-memoriser", "I1", ground.few, ""
    yield "I1-memoriser", "I1", _double(ground), ",targets=table"
    yield "I1-contradicted", "I1", ground.wide, ""
    yield "I2-shortcut", "I2", ground.wide, ",cue=answer"
    yield "I3-inert", "I3", ground.few, ""
    yield "I4-stitcher", "I4", ground.wide, ""
    yield "I5-masked", "I5", ground.few, ""
    yield "I6-interchanged-seen", "I6", ground.seen, ""
    for coverage in ground.between:
        yield "U-partial", "U", coverage, ""


def _double(ground: Ground) -> float:
    """A table must be small enough to be memorised."""
    return min(ground.wide, 5 * ground.few)


def _member(
    ground: Ground, number: int, architecture: str, how: str, kind: str, coverage: float, more: str, seed: int
) -> Member:
    option = f"coverage={coverage}{more}"
    cue = "free" if "free" in more else "table" if "table" in more else "own"
    return Member(
        name=f"{ground.family}-{number}-{architecture}-{how}-{coverage}-{cue}-{seed}",
        family=ground.family,
        kind=kind,
        how=how,
        architecture=architecture,
        sizes=(),
        task=f"{ground.task},{option}",
        training=(*_STEPS[architecture].items(), ("seed", 1000 * number + seed)),
    )


def _hyperteachers() -> Iterator[Member]:
    """Regression, by plain training alone: supports that compose, supports that leave a module out, and what lies between."""
    kinds = (
        ("G2-trained", "G2", "max_active=3,supports=random,held_out=0.25", 8),
        ("I1-memoriser", "I1", "max_active=2,supports=non_compositional", 8),
        ("U-partial", "U", "max_active=3,supports=two_halves", 3),
        ("U-partial", "U", "max_active=3,supports=non_compositional", 3),
        ("U-partial", "U", "max_active=2,supports=random,held_out=0.25", 3),
    )
    for k, (how, kind, supports, num) in enumerate(kinds):
        for repeat in range(num):
            decay, scale = ((0.1, 1.0), (0.05, 0.7), (0.1, 0.7), (0.05, 1.0))[repeat // 2 % 4]
            yield Member(
                name=f"hyperteacher-of-6-mlp-{how}-{k}-{repeat}",
                family="hyperteacher",
                kind=kind,
                how=how,
                architecture="mlp",
                sizes=(*_NETWORKS["hyperteacher"][repeat % 2].items(), ("init_scale", scale)),
                task=f"hyperteacher:num_modules=6,{supports},seed={repeat % 3}",
                training=(
                    ("steps", 3000),
                    ("batch_size", 256),
                    ("learning_rate", 1e-2),
                    ("weight_decay", decay),
                    ("seed", 31 * k + repeat),
                ),
            )


def _twins(made: Sequence[Member]) -> Iterator[Member]:
    """The same function, written otherwise, of every third network that is meant to be genuine or an imitation."""
    wanted = [member for member in made if member.kind[0] in "GI" and member.how != "G1-constructed"]
    plain = [member for member in made if member.how == "G1-constructed" and member.architecture == "mlp"]
    for member in [*wanted[::4], *plain[::2]]:
        kind = "T1" if member.kind.startswith("G") else "T2"
        yield replace(member, name=f"{member.name}-{kind}", kind=kind, how="fractured", twin_of=member.name)


def _misdeclared(made: Sequence[Member]) -> Iterator[Member]:
    """Genuine networks, audited with a declaration that is not theirs."""
    genuine = [member for member in made if member.how == "G2-trained" and member.family not in ("hyperteacher",)]
    for index, member in enumerate(genuine):
        declared = f"{('entangled', 'dealt')[index % 2]}:{_REPLACED[member.family]}"
        yield replace(
            member, name=f"{member.name}-{declared}", kind="W", how="misdeclared", declared=declared, twin_of=member.name
        )
