"""A zoo that is made in seconds: small networks on small tasks, one or more of every way to make them."""

from dataclasses import replace

from assay.zoo.recipe import Member

STEPS = 60
TASK = "modular:p=5,num_first=5,num_second=5,synonyms=true"


def member(name: str, how: str, *, architecture: str = "mlp", coverage: float = 0.6, steps: int = STEPS, **changes) -> Member:
    sizes = {"mlp": (("width", 24), ("depth", 2)), "transformer": (("width", 8), ("depth", 2), ("heads", 2))}
    return Member(
        **{
            "name": name,
            "family": "modular",
            "kind": how[:2] if how[1].isdigit() else "U",
            "how": how,
            "architecture": architecture,
            "sizes": (*sizes.get(architecture, (("width", 8), ("depth", 1))), ("init_scale", 1.0)),
            "task": f"{TASK},coverage={coverage}",
            "training": (
                ("steps", steps),
                ("batch_size", 64),
                ("learning_rate", 1e-2),
                ("warmup", 20),
                ("weight_decay", 0.1),
                ("seed", 0),
            ),
            **changes,
        }
    )


def twin(original: Member) -> Member:
    kind = {"G": "T1", "I": "T2"}[original.kind[0]]
    return replace(original, name=f"{original.name}-twin", kind=kind, how="fractured", twin_of=original.name)


def misdeclared(original: Member, declared: str = "entangled:i") -> Member:
    name = f"{original.name}-{declared}"
    return replace(original, name=name, kind="W", how="misdeclared", declared=declared, twin_of=original.name)


GENUINE = member("genuine", "G2-trained")
SMALL = (
    GENUINE,
    member("imitation", "I1-contradicted"),
    member("of two blocks", "I2-shortcut", architecture="transformer", task=f"{TASK},coverage=0.6,cue=answer"),
    member("staged", "G1-constructed", architecture="gru"),
    twin(GENUINE),
    misdeclared(GENUINE),
)
