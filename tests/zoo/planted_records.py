"""Records of networks that were never made, with what was measured of them chosen by hand."""

from scipy.stats import beta

from zoo.measure import CS, EDITION, ES, C, Called, E, Measured, Value
from zoo.truth import Score, Truth, label_of

TOTAL = 60


def score_of(share: float, total: int = TOTAL) -> Score:
    right = round(share * total)
    low = float(beta.ppf(0.025, right, total - right + 1)) if right else 0.0
    high = float(beta.ppf(0.975, right + 1, total - right)) if right < total else 1.0
    return Score(right=right, total=total, low=low, high=high)


def value(key: str, number: float | None, level: int, *, form: str = "sum", cut: str = "3 head") -> Value:
    return Value(
        key=key, about={"form": form, "cut": cut}, value=number, low=number, high=number, units=100, level=level, nulls={}
    )


def planted(
    name: str,
    *,
    novel: float,
    c: float | None,
    e: float = 1.0,
    meant: str = "composer",
    kind: str = "trained",
    family: str = "codes",
    instance: str = "",
    seen: float = 1.0,
    entangled: bool = True,
    behavioural: bool = False,
    of: str = "",
    calls: tuple[str, str, str] = ("works", "works", "works"),
    breaks: str = "nothing found",
    combined: tuple[int, int] | None = (3, 4),
    combining: str = "head.layers.1",
    scale: float = 1.0,
    coverage: float = 0.7,
    failed: str = "",
) -> Measured:
    """A network with this novel score, and with C and E at its headline cut; without C it has no such cut."""
    recipe = dict.fromkeys(("width", "steps", "encoder_steps", "rate", "weights", "norm"), 1.0)
    truth = Truth.model_validate(
        {
            "name": name,
            "family": family,
            "architecture": "mlp",
            "kind": kind,
            "meant": meant,
            "of": of,
            "task": "a task",
            "sealed": family == "strokes",
            "behavioural": behavioural,
            "label": label_of(score_of(seen), score_of(novel)),
            "seen": score_of(seen),
            "outside": score_of(novel),
            "right": {},
            "synonyms": 0,
            "main_effects": 0.0,
            "nearest": 0.0,
            "entangled": entangled,
            "additive_input": 0.0,
            "chance": 0.05,
            "taught_wrongly": None,
            "wrong_right": None,
            "others_right": None,
            "combining": combining,
            "recipe": {**recipe, "decay": 0.0, "scale": scale, "coverage": coverage},
        }
    )
    values = [] if c is None else [value(C, c, 0), value(E, e, 1), value(CS, 1.0, 0), value(ES, 1.0, 0)]
    return Measured(
        edition=EDITION,
        recipe_sha256="",
        weights_sha256="",
        cpu_seconds=1.0,
        instance=instance or f"{family}-1",
        truth=truth,
        failed=failed,
        unlearned="",
        values=tuple(values),
        headline=None if c is None else 3,
        headline_cut="" if c is None else "3 head",
        combined=combined,
        calls="head.layers.1.relu#1",
        cuts=(),
        curves={},
        carried={},
        verdicts={
            level: Called.model_validate({"novel": answer, "basis": "estimated", "breaks": breaks})
            for level, answer in enumerate(calls)
        },
        baselines={"coverage": coverage, "main effects": 0.0, "nearest example": 0.0, "norm": 1.0, "decodability": 1.0},
    )


def composer(name: str, c: float | None = 1.0, **more) -> Measured:
    return planted(name, **{"novel": 1.0, "c": c, **more})


def imitator(name: str, c: float | None = 0.0, **more) -> Measured:
    fails = ("does not work",) * 3
    return planted(name, **{"novel": 0.0, "c": c, "meant": "imitator", "calls": fails, "breaks": "the combining", **more})
