"""Result of coverage: cells, predictors and usage, as a sentence and as JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from assay.display import brief
from assay.novelty import ENOUGH, Kind

DEFINITIONS = {
    "synonym": (
        "A context is one choice of values for the other parts. Two values of a part act identically when they have the same "
        "answer in every context in which both are trained, of which there is at least one. A novel combination is a synonym "
        "when each of its values equals, or acts identically to, that of a trained combination."
    ),
    "inside": (
        "Two fragments (the values of some of the parts) are equivalent when they have the same answer in at least k "
        "contexts, and different answers in none. A combination is inside k-coverage when a chain of replacements by "
        "equivalent fragments turns it into a trained combination (Chang et al. 2025, arXiv 2505.20278, definition 3.1). "
        "Every synonym is inside 1-coverage; the number for inside 1-coverage leaves synonyms out."
    ),
    "outside": "Neither: no replacement that the training data supports, however weakly, leads to a trained combination.",
    "doomed": (
        "A value of novel combinations that no learner can identify: it never occurs in training, or it never occurs "
        "together with the values of most trained combinations, directly or through other values."
    ),
}


@dataclass(frozen=True)
class Count:
    """Number of novel combinations, and their share of all novel ones (None without any)."""

    count: int
    share: float | None


@dataclass(frozen=True)
class Predictor:
    """Result of a predictor without a network on the novel combinations.

    **Attributes:**

    - `answers`: share of novel combinations that it answers.
    - `accuracy`: of those, the share answered rightly; None when it answers none.
    - `right`: share of all novel combinations answered rightly.
    """

    name: str
    how: str
    answers: float
    accuracy: float | None
    right: float


@dataclass(frozen=True)
class ValueCounts:
    """One value of a part: numbers of distinct trained and novel combinations with it, and whether it is doomed."""

    part: str
    value: str
    trained: int
    novel: int
    doomed: bool


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Coverage of a data set. The cells `synonyms`, `inside_1` and `outside_1` add up to the novel combinations.

    **Attributes:**

    - `synonyms`, `inside_1`, `outside_1`: synonyms of trained combinations; the others inside 1-coverage; the rest.
    - `one_exchange`: synonyms that differ from a trained combination in one value only.
    - `inside_k`: for every k all novel combinations inside k-coverage, synonyms among them.
    - `undecided_k`: for every k those with too many chains to search, which are counted as outside.
    - `shared`: distinct combinations of the test side that are trained, which are left out of all else.
    - `contradictions`: trained combinations with more than one answer.
    - `determined`: pairs of parts, of which the first determines the second in training.
    - `groups`: number of connected groups of trained values, linked by occurring in one combination.
    - `named`: the first example of each item counted in `notes`.
    - `cells`: the cell of every novel combination; `novel`, `trained`: value indices of the combinations.

    Example::

        >>> rows = [{"a": 0, "b": 0, "y": 1}, {"a": 1, "b": 0, "y": 1}, {"a": 0, "b": 1, "y": 2}]
        >>> found = assay.coverage(rows, [{"a": 1, "b": 1, "y": 2}])
        >>> found.num_novel, found.synonyms.count, found.cells
        (1, 1, ('synonym',))
    """

    __repr__ = brief

    title: str
    definition: str
    parts: tuple[str, ...]
    answer: str
    rows: dict[str, int]
    num_trained: int
    num_novel: int
    num_answers: int
    synonyms: Count
    one_exchange: Count
    inside_1: Count
    outside_1: Count
    inside_k: dict[int, Count]
    undecided_k: dict[int, int]
    shared: int
    contradictions: int
    determined: tuple[tuple[str, str], ...]
    groups: int
    usage: tuple[ValueCounts, ...]
    predictors: tuple[Predictor, ...]
    chance: dict[str, float | None]
    notes: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    trained: Int[np.ndarray, "n p"]
    novel: Int[np.ndarray, "m p"]
    cells: tuple[Kind, ...]

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        if not self.num_novel:
            return "No combination of the test data is novel: all of them are trained."
        if self.num_novel == 1:
            found = "is a synonym of a trained one" if self.synonyms.count else "lies inside 1-coverage"
            return f"Your one novel combination {'lies outside 1-coverage' if self.outside_1.count else found}."
        share = 100 * self.synonyms.count / self.num_novel
        shown = (
            f"{share:.0f} %" if share in (0, 100) or 1 <= share <= 99 else f"{share:.2g} %" if share < 1 else f"{share:.1f} %"
        )
        lie = "lies" if self.outside_1.count == 1 else "lie"
        return (
            f"{shown} of your {self.num_novel:,} novel combinations are synonyms of trained ones; "
            f"{self.outside_1.count:,} {lie} outside 1-coverage."
        )

    @property
    def doomed(self) -> tuple[ValueCounts, ...]:
        """The doomed values."""
        return tuple(value for value in self.usage if value.doomed)

    def to_json(self) -> dict[str, Any]:
        """All but the single combinations, as plain dictionaries and lists."""

        def plain(count: Count) -> dict[str, Any]:
            return {"share": count.share, "count": count.count}

        return {
            "sentence": self.sentence,
            "title": self.title,
            "definition": self.definition,
            "definitions": DEFINITIONS,
            "parts": list(self.parts),
            "answer": self.answer,
            "rows": self.rows,
            "trained": self.num_trained,
            "novel": self.num_novel,
            "answers": self.num_answers,
            "synonyms": plain(self.synonyms),
            "one_exchange": plain(self.one_exchange),
            "inside_1": plain(self.inside_1),
            "outside_1": plain(self.outside_1),
            "coverage": {str(k): {**plain(count), "undecided": self.undecided_k[k]} for k, count in self.inside_k.items()},
            "enough": {cell: getattr(self, cell).count >= ENOUGH for cell in ("synonyms", "inside_1", "outside_1")},
            "shared": self.shared,
            "contradictions": self.contradictions,
            "determined": [list(pair) for pair in self.determined],
            "groups": self.groups,
            "doomed": [f"{value.part}={value.value}" for value in self.doomed],
            "usage": [vars(value) for value in self.usage],
            "predictors": [vars(predictor) for predictor in self.predictors],
            "chance": self.chance,
            "notes": list(self.notes),
        }
