"""Results of an instrument: `Evidence`, made of `Measure`s, each with its interval and its nulls. Frozen; read and written as
JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from assay.display import DataFrameColumns, brief, columns_of, measures_table, page, words
from assay.errors import AssayError
from assay.figure import DetailTable as DetailTable
from assay.figure import Figure, Level

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

Effort = Literal["quick", "standard", "full"]
"""How much an audit or an instrument may spend: one of three names, each with a budget of the instrument's.

Example::

    >>> sorted(assay.load_instrument("systematicity").budgets)
    ['full', 'quick', 'standard']
"""
EFFORTS: tuple[Effort, ...] = ("quick", "standard", "full")
Direction = Literal["higher", "lower", "neither"]
LEVELS: tuple[Level, ...] = (0, 1, 2)
FINDING_LEVEL = 0.05
BASE64 = "[A-Za-z0-9+/]*={0,2}"
UNTRAINED = "untrained copies"
"""Name of the null of every instrument that reads randomly initialised copies of the network.

Example::

    >>> from assay.evidence import UNTRAINED
    >>> seen = assay.read_report("report").evidence[0].measure("seen_score")
    >>> [len(null.values) for null in seen.nulls if null.name == UNTRAINED]
    [5]
"""
CHANCE, UNIT = "chance", "unit"
"""Keys of the settings in which an instrument declares the chance score and its unit, which the report draws."""
CUT = "cut"
"""Key in `Measure.about` of a cut that is chosen anew in every network."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval and the method by which it was computed.

    Example::

        >>> assay.Interval(low=0.2, high=0.4, level=0.95, method="bootstrap over combinations")
        Interval(...)
    """

    __repr__ = brief

    low: float
    high: float
    level: float
    method: str


class _Beside:
    """An array that is stored in a file beside `report.json`, not in it."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> "CoreSchema":
        from pydantic_core import core_schema

        left_out = core_schema.plain_serializer_function_ser_schema(lambda array: None)
        return core_schema.json_or_python_schema(
            json_schema=core_schema.none_schema(), python_schema=core_schema.any_schema(), serialization=left_out
        )


@dataclass(frozen=True, kw_only=True)
class Null:
    """Values of a measure under a null: the same statistic computed where there is nothing to find.

    **Attributes:**

    - `name`: short, such as `untrained copies`.
    - `how`: one sentence on how it was computed.
    - `values`: one for every repeat.
    - `units`: `(r, u)`, for every repeat the values of the independent units that the measure rests on; None where a repeat is
      a single number, NaN for units that a repeat lacks. Stored beside `report.json`, so that measures can be paired and tested
      again.
    - `counts`: whether a finding must beat it. A named reference, such as a dense twin, is a comparison and does not count.
    - `p`: probability of a value at least as extreme under this null, never 0; None with too few repeats.

    Example::

        >>> copies = assay.Null(name="untrained copies", how="drawn again, 3 times", values=(0.1, 0.2, 0.3), p=0.25)
        >>> round(copies.mean, 3)
        0.2
    """

    __repr__ = brief

    name: str
    how: str
    values: tuple[float, ...]
    p: float | None = None
    counts: bool = True
    units: Annotated[np.ndarray | None, _Beside] = field(default=None, compare=False, repr=False)

    def __post_init__(self):
        assert self.p is None or 0 < self.p <= 1, f"{self.name}: p must lie above 0 and at most at 1, not at {self.p}"

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)


@dataclass(frozen=True, kw_only=True)
class RawValues:
    """Values of units, and what they are: such as the FG-ARI of every scene behind a score that compares its mean with nulls.

    **Attributes:** `of`: such as `FG-ARI`; `ids`: of the units, empty where they are not known.

    Example::

        >>> from assay.evidence import RawValues
        >>> RawValues(of="FG-ARI", values=(0.9, 0.2), ids=(0, 1)).values
        (0.9, 0.2)
    """

    __repr__ = brief

    of: str
    values: tuple[float, ...]
    ids: tuple[int, ...] = ()

    def __post_init__(self):
        assert len(self.ids) in (0, len(self.values)), f"{self.of}: an id for every unit, or for none"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number with its interval and its nulls.

    **Attributes:**

    - `key`: its identifier in code.
    - `name`, `about`: what was measured, and where, in words such as `{"part": "i", "site": "layers.1:out"}`.
    - `value`: None when there was not enough data; `note` then says what was needed.
    - `unit`, `direction`: such as `accuracy`, and which way is better.
    - `nulls`: every control that was run. A purely descriptive measure, such as a count, has none and direction `neither`.
    - `units`, `unit_of`: how many independent units the interval rests on, and what they are, such as `combination` or `text`.
    - `repeats`: the raw value of every unit or repeat; `unit_ids`: ids of these units, by which measures of two networks are
      paired. Empty where all networks have the same units in one order, or where ids are not known.
    - `bounds`: lowest and highest possible value of a unit; None where there are none.
    - `headline`: whether it is shown on the first screen and may become a finding.
    - `ceiling`: the best value that the same procedure can reach, from a positive control; None without one.
    - `raw`: where the value is not a mean over `repeats`, the values of the units that it is computed from, for people; None
      where there are none.
    - `level`: the access level that it needs.

    Example::

        >>> seen = assay.read_report("report").evidence[0].measure("seen_score")
        >>> seen.label, seen.unit, seen.direction, seen.interval.low <= seen.value
        ('seen score', 'accuracy', 'higher', True)
        >>> [null.name for null in seen.nulls], seen.p < 0.05
        (['untrained copies', 'shuffled targets'], True)
    """

    __repr__ = brief

    key: str
    name: str
    value: float | None
    unit: str
    direction: Direction
    interval: Interval | None
    nulls: tuple[Null, ...]
    units: int
    unit_of: str
    repeats: tuple[float, ...] = ()
    unit_ids: tuple[int, ...] = ()
    bounds: tuple[float, float] | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    headline: bool = False
    note: str = ""
    ceiling: float | None = None
    raw: RawValues | None = None
    level: Level

    def __post_init__(self):
        if self.value is not None and self.direction != "neither":
            complete = bool(self.nulls) and self.interval is not None
            assert complete, f"{self.name}: a measure needs its null and its interval"

    @property
    def p(self) -> float | None:
        """The largest p over the nulls that count, since a finding must beat all of them; None where none counts or one has no
        p."""
        ps = [null.p for null in self.nulls if null.counts]
        return None if not ps or None in ps else max(p for p in ps if p is not None)

    @property
    def best_null(self) -> Null | None:
        """The null whose mean is hardest to beat: of those that a finding must beat, or of all where it need not beat any."""
        repeated = [null for null in self.nulls if null.values]
        nulls = [null for null in repeated if null.counts] or repeated
        means = [-null.mean if self.direction == "lower" else null.mean for null in nulls]
        return nulls[means.index(max(means))] if nulls else None

    @property
    def listed(self) -> RawValues:
        """The values of units that a report lists: those of the measure, or the raw ones behind it."""
        return RawValues(of=self.unit, values=self.repeats, ids=self.unit_ids) if self.repeats or not self.raw else self.raw

    @property
    def ids(self) -> Sequence[int]:
        """The id of every unit that is listed, or its index from 0 where units have no ids."""
        return self.listed.ids or range(len(self.listed.values))

    @property
    def label(self) -> str:
        """Name and `about` in words, such as `cross-combination accuracy (part i, site layers.1:out)`."""
        about = ", ".join(f"{key} {value}" for key, value in self.about.items())
        return f"{self.name} ({about})" if about else self.name

    def _repr_html_(self) -> str:
        return page(measures_table([self]), words(self.note))


@dataclass(frozen=True, kw_only=True)
class Source:
    """A published work that an instrument follows.

    Example::

        >>> from assay.evidence import Source
        >>> source = Source(
        ...     key="rousseeuw1987",
        ...     citation="Rousseeuw (1987), Silhouettes",
        ...     url="https://doi.org/10.1016/0377-0427(87)90125-7",
        ...     bibtex="@article{rousseeuw1987, title={Silhouettes}, year={1987}}",
        ... )
        >>> source.key
        'rousseeuw1987'
    """

    __repr__ = brief

    key: str
    citation: str
    url: str
    bibtex: str


@dataclass(frozen=True, kw_only=True)
class Evidence(DataFrameColumns):
    """Results of one instrument on one subject and one task.

    **Attributes:**

    - `summary`: one plain sentence.
    - `not_enough`: why the instrument has no answer; empty where it has one.
    - `warnings`: caveats that change how the numbers are read.
    - `not_tested`: what this evidence does not cover, and the power lost by a lower effort.
    - `settings`: every setting that the numbers depend on.
    - `inputs`: the network's inputs as text, by kind of unit (`Measure.unit_of`) and id, or index from 0 where a measure has no
      ids; by `Measure.label` where a measure has other units of that kind.
    - `images`: the same as pictures, PNG in base64, and `pictured`: what they show; `answers`: the network's answers as text.

    Example::

        >>> evidence = assay.read_report("report").evidence[0]
        >>> evidence.instrument, evidence.question
        ('systematicity', 'Does the network work on combinations of parts that it was never trained on?')
        >>> evidence.measure("seen_score").unit_of
        'combination'
        >>> [measure.key for measure in evidence.findings()]
        ['seen_score']
        >>> len(evidence.columns()["key"]) == len(evidence.measures)
        True
    """

    __repr__ = brief

    instrument: str
    question: str
    summary: str
    measures: tuple[Measure, ...] = ()
    figures: tuple[Figure, ...] = ()
    sources: tuple[Source, ...] = ()
    warnings: tuple[str, ...] = ()
    not_tested: tuple[str, ...] = ()
    not_enough: str = ""
    settings: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    images: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    pictured: str = ""
    answers: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def __post_init__(self):
        pictures = (picture for kind in self.images.values() for picture in kind.values())
        assert all(re.fullmatch(BASE64, picture) for picture in pictures), "a picture must be base64"

    def measure(self, key: str, **about: str) -> Measure:
        """The measure of that key whose `about` agrees. **Raises:** `AssayError` listing the choices."""
        for measure in self.measures:
            if measure.key == key and all(measure.about.get(key) == value for key, value in about.items()):
                return measure
        keys = dict.fromkeys(measure.key for measure in self.measures)
        if key in keys:
            known = (", ".join(f"{name}={value!r}" for name, value in m.about.items()) for m in self.measures if m.key == key)
            raise AssayError(f"{self.instrument} has {key} about other things", given=dict(about), choices=list(known))
        raise AssayError(f"a measure of {self.instrument} is found by its key", given=key, choices=list(keys))

    def stored_of(self, what: Literal["inputs", "images", "answers"], measure: Measure) -> tuple[str, Mapping[int, str]]:
        """What is stored of the units of a measure, by id, and the key under which it is."""
        stored = getattr(self, what)
        key = measure.label if measure.label in stored else measure.unit_of
        return key, stored.get(key, {})

    def columns(self) -> dict[str, list[Any]]:
        """One row for every measure, as `assay.display.columns_of` has it."""
        return columns_of([self])

    def _repr_html_(self) -> str:
        warnings = (words(f"Warning: {warning}") for warning in self.warnings)
        summary = self.summary or self.not_enough
        return page(words(self.question, "b"), words(summary), *warnings, measures_table(self.measures))

    def at_level(self, level: Level) -> "Evidence":
        """The evidence without the measures and figures that need more access. Where one that is left out has a value, the
        summary is replaced and warnings are removed, since both may mention it."""
        measures = tuple(measure for measure in self.measures if measure.level <= level)
        figures = tuple(figure for figure in self.figures if figure.level <= level)
        if len(measures) == len(self.measures) and len(figures) == len(self.figures):
            return self
        given = {
            name: {unit: _of_units(texts, unit, measures) for unit, texts in getattr(self, name).items()}
            for name in ("inputs", "images", "answers")
        }
        if len(figures) == len(self.figures) and all(m.value is None for m in self.measures if m.level > level):
            return replace(self, measures=measures, **given)
        return replace(
            self,
            measures=measures,
            figures=figures,
            summary=f"What access level {level} allows.",
            warnings=(),
            **given,
        )

    def findings(self) -> tuple[Measure, ...]:
        """The findings of this evidence alone, as if no other instrument had been run."""
        return findings([self])


def _of_units(texts: Mapping[int, str], unit: str, measures: Sequence[Measure]) -> dict[int, str]:
    """Texts of the units that the measures rest on."""
    ids = {k for one in measures if unit in (one.unit_of, one.label) for k in one.ids}
    return {k: text for k, text in texts.items() if k in ids}


def findings(evidence: Sequence[Evidence]) -> tuple[Measure, ...]:
    """Headline measures that beat every null, at a false discovery rate of 5 % over all of `evidence` (Benjamini and Hochberg
    1995). Pass all evidence of an audit, so that the rate holds for the audit.

    Example::

        >>> from assay.evidence import findings
        >>> audit = assay.read_report("report")
        >>> [measure.label for measure in findings(audit.evidence)]
        ['seen score']
    """
    return tuple(measure for measure, p in headline_ps(evidence) if p <= FINDING_LEVEL)


def headline_ps(evidence: Sequence[Evidence]) -> list[tuple[Measure, float]]:
    """Every headline measure that can be tested, with its p adjusted for the number of them (Benjamini and Hochberg 1995)."""
    from scipy.stats import false_discovery_control

    headlines = [m for item in evidence for m in item.measures if m.headline and m.value is not None]
    tested = [(m, m.p) for m in headlines if m.p is not None]
    return list(zip((m for m, _ in tested), false_discovery_control([p for _, p in tested]).tolist(), strict=True))
