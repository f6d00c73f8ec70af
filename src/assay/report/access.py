"""Access levels as text, and measures grouped by the level that they need."""

from assay.evidence import Level, Measure

LEVELS: dict[Level, str] = {
    0: "from trained inputs alone",
    1: "from novel inputs without their labels",
    2: "from novel inputs with their labels",
}
"""Access levels as text."""


def by_level(measures: list[Measure]) -> list[tuple[str, list[Measure]]]:
    """Measures grouped by access level, each group with its heading."""
    blocks = [(level, [measure for measure in measures if measure.level == level]) for level in LEVELS]
    return [(f"{LEVELS[level]} (access level {level})", block) for level, block in blocks if block]
