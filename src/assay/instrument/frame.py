"""Interface of an instrument: metrics, the reading of one network, and notes. `assay.instrument.run` does the rest."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.display import brief
from assay.evidence import UNTRAINED, Direction, Effort, Interval, Level, Measure, RawValues, Source
from assay.figure import Figure
from assay.stats import MIN_UNITS, keyed_generator
from assay.subject import Subject
from assay.task import Task

Data = TypeVar("Data")


class NotEnough(Exception):  # noqa: N818 (a result, not a fault)
    """Raised by `data` or `read` where an instrument has too little data. The evidence then holds the reason and no number.

    Example::

        >>> from assay.instrument import NotEnough
        >>> raise NotEnough("fewer than 5 trained combinations")
        Traceback (most recent call last):
            ...
        assay.instrument.frame.NotEnough: fewer than 5 trained combinations
    """


@dataclass(frozen=True)
class Random:
    """Random generators by key. `rng("copy", 3)` does not depend on other draws, so adding a step changes no other number.

    Example::

        >>> from assay.instrument import Random
        >>> rng = Random(seed=0, name="parity")
        >>> first = torch.rand(3, generator=rng("order"))
        >>> copy = assay.load_subject("runs/addition").untrained(rng("copy", 3))  # a further draw moves no other
        >>> torch.equal(first, torch.rand(3, generator=rng("order")))
        True
    """

    seed: int
    name: str

    def __call__(self, *key: str | int) -> Generator:
        return keyed_generator(self.seed, self.within(*key).name)

    def within(self, *key: str | int) -> "Random":
        """Generators of one step, separate from those of all others."""
        # Escaped, so that different keys have different names: ("a: b",) is not ("a", "b").
        return Random(self.seed, ": ".join([self.name, *(str(k).replace("\\", "\\\\").replace(": ", ":\\ ") for k in key)]))


@dataclass(frozen=True, kw_only=True)
class Metric:
    """Declaration of a quantity that an instrument measures.

    **Attributes:**

    - `key`: its identifier in code; `title`: its name for readers.
    - `unit`: such as `accuracy`; `better`: which direction is better.
    - `level`: the access level that it needs (`assay.evidence.Level`).
    - `of`: what is counted as one independent observation, such as `combination`, `text` or `entity`.
    - `bounds`: lowest and highest possible value; intervals are cut there.
    - `least`: the smallest number of independent observations; with fewer there is "not enough data".
    - `headline`: whether it is shown on the first screen and may become a finding.
    - `gain`: whether the reported value is the distance from the mean of the untrained copies.
    - `beats`: nulls that must be read for this metric; an instrument that lacks one fails.

    Example::

        >>> from assay.evidence import UNTRAINED
        >>> from assay.instrument import Metric
        >>> nulls = (UNTRAINED, "permuted labels")
        >>> metric = Metric(key="silhouette", title="silhouette", level=0, bounds=(-1.0, 1.0), beats=nulls)
        >>> metric.of, metric.least, metric.better
        ('combination', 5, 'higher')
    """

    key: str
    title: str
    unit: str = ""
    better: Direction = "higher"
    level: Level
    of: str = "combination"
    bounds: tuple[float, float] | None = None
    least: int = MIN_UNITS
    headline: bool = False
    gain: bool = False
    beats: tuple[str, ...] = (UNTRAINED,)


@dataclass(frozen=True, kw_only=True)
class Control:
    """A null of one metric that is computed from the same network.

    **Attributes:**

    - `name`: short; `how`: one sentence on how it was computed.
    - `values`: `(r,)`, one for each repeat, or `(r, u)`, for each repeat the values of the network's units, NaN for missing
      ones; units that all repeats have are compared.
    - `p`: None for the default: with values per unit the paired t test of the network against the mean over repeats, else the
      share of repeats at least as good (a permutation test).

    Example::

        >>> from assay.instrument import Control
        >>> Control(name="permuted labels", how="39 permutations of the labels", values=torch.rand(39, 8)).values.shape
        torch.Size([39, 8])
    """

    __repr__ = brief

    name: str
    how: str
    values: Float[Tensor, "r *u"]
    p: float | None = None


@dataclass(frozen=True, kw_only=True)
class Values:
    """Values of one metric of one network on independent units.

    **Attributes:**

    - `metric`: its key; `about`: what was measured, such as `{"part": "i"}`. Values of the copies with the same metric and
      `about` are a null.
    - `units`: `(u,)`; `ids`: ids of these units, in any order. Copies may lack some, except for a gain. None: all networks have
      the same units in one order.
    - `value`: for a statistic other than the mean over units. It then needs its `interval` and, to be compared with copies,
      `variance`, its squared standard error.
    - `controls`: nulls computed from the same network.
    - `moved`: further nulls that a copy gives, such as the scores of its probe on the network's states. Each is one repeat with
      a value for every unit; repeats of one name are joined over the copies.
    - `where`: added to `about` for this network only, such as its chosen site, which may differ from that of the copies.
    - `unit`, `bounds`: replace those of the metric where they depend on the task.
    - `note`, `ceiling`: as in `Measure`; `copies_how`: a remark on how the copies were read.
    - `raw`: as in `Measure`, where there is a `value`.
    - `reason`: why there is no number; empty where there is one.

    Example::

        >>> from assay.instrument import Control, Values
        >>> permuted = Control(name="permuted labels", how="39 permutations of the labels", values=torch.rand(39))
        >>> units, ids = torch.ones(8), torch.arange(8)
        >>> values = Values(metric="accuracy", about={"part": "i"}, units=units, ids=ids, controls=(permuted,))
        >>> values.value, values.controls[0].name
        (None, 'permuted labels')
    """

    __repr__ = brief

    metric: str
    units: Float[Tensor, " u"]
    about: Mapping[str, str] = field(default_factory=dict)
    ids: Int[Tensor, " u"] | None = None
    value: float | None = None
    interval: Interval | None = None
    variance: float | None = None
    controls: tuple[Control, ...] = ()
    moved: tuple[Control, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    bounds: tuple[float, float] | None = None
    note: str = ""
    ceiling: float | None = None
    copies_how: str = ""
    raw: RawValues | None = None
    reason: str = ""

    @property
    def same(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """Key by which values are matched between networks."""
        return self.metric, frozenset(self.about.items())

    @property
    def mean(self) -> float:
        """`value`, or the mean over units."""
        return float(self.units.mean()) if self.value is None else self.value


class Reading(NamedTuple):
    """Result of an instrument on one network: `values` of its metrics, and anything else that `explain` needs (`kept`).

    Example::

        >>> from assay.instrument import Reading, Values
        >>> values = Values(metric="accuracy", about={"part": "i"}, units=torch.tensor([1.0, 0.5, 1.0, 0.0, 1.0]))
        >>> reading = Reading([values], kept={"site": "layers.1:out"})
        >>> reading.values[0].units.mean()
        tensor(0.7000)
    """

    __repr__ = brief

    values: Sequence[Values]
    kept: Any = None


class Readings(NamedTuple):
    """Readings of the network under test, its untrained copies, and named references.

    Example::

        >>> from assay.instrument import Reading, Readings, Values
        >>> own, copy = (Reading([Values(metric="accuracy", units=torch.full((5,), mean))]) for mean in (0.9, 0.5))
        >>> readings = Readings(own=own, copies=[copy] * 5, references={})
        >>> len(readings.copies), readings.own.values[0].units.mean() > readings.copies[0].values[0].units.mean()
        (5, tensor(True))
    """

    __repr__ = brief

    own: Reading
    copies: Sequence[Reading]
    references: Mapping[str, Reading]


class Notes(NamedTuple):
    """Text and figures for the evidence; fields as in `assay.evidence.Evidence`.

    Example::

        >>> from assay.instrument import Notes
        >>> notes = Notes("Silhouette of hidden states by part: i 0.41.", not_tested=["All sites but one."])
        >>> notes.summary, notes.warnings
        ('Silhouette of hidden states by part: i 0.41.', ())
    """

    __repr__ = brief

    summary: str
    warnings: Sequence[str] = ()
    not_tested: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    settings: Mapping[str, str | int | float | bool | None] = {}
    inputs: Mapping[str, Mapping[int, str]] = {}
    images: Mapping[str, Mapping[int, str]] = {}
    pictured: str = ""
    answers: Mapping[str, Mapping[int, str]] = {}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Sizes of one effort. An instrument adds its own; `copies`: number of randomly initialised copies, at least five.

    Example::

        >>> from dataclasses import dataclass
        >>> from assay.instrument import Budget
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Sizes(Budget):
        ...     examples: int
        >>> Sizes(examples=500)
        Sizes(copies=5, examples=500)
    """

    copies: int = 5


class Instrument(ABC, Generic[Data]):
    """One line of evidence on one network.

    It defines how *one* network is read. `run` reads the network, its untrained copies and named references in the same way, in
    processes, and computes nulls, intervals, p-values and evidence.

    **Attributes:**

    - `name`: unique, lower case.
    - `question`: the question that it answers, in plain words.
    - `cites`: the works it follows, the main one first: keys of `references.bib`, or `assay.evidence.Source` objects.
    - `needs`: the abilities (protocols) a task must have; empty for any task.
    - `metrics`: all that it may measure.
    - `budgets`: sizes for each effort.
    - `long`: whether reading a copy takes long, so that copies, and not instruments, are spread over processes.
    - `searches`: whether it searches for minutes; an audit skips it on a network that has not learned its task.
    - `by_default`: whether an audit below full effort runs it without being asked to by name.
    - `reads_predictions`: whether it also takes a file of answers (`assay.predictions.Predictions`) as the network.

    docs/new-instrument.md has a complete example.

    Example::

        >>> instrument = assay.load_instrument("decodability")
        >>> instrument.question
        'Can each part be read linearly from the inside, better than before training and better than from the input?'
    """

    name: str
    question: str
    cites: tuple[str | Source, ...]
    needs: tuple[type, ...] = ()
    metrics: tuple[Metric, ...]
    budgets: Mapping[Effort, Any]
    long: bool = False
    searches: bool = False
    by_default: bool = True
    reads_predictions: bool = False

    @abstractmethod
    def data(self, subject: Subject, task: Task, budget: Any, rng: Random) -> Data:
        """Draw all data from the task, once for all networks. `subject`: for choices that depend on the architecture, such as
        sites. **Raises:** `NotEnough`."""

    @abstractmethod
    def read(self, network: Subject, data: Data, rng: Random) -> Reading:
        """Read one network, with the whole search. **Raises:** `NotEnough` where nothing can be measured; a copy is then left
        out."""

    def read_copy(self, network: Subject, data: Data, own: Reading, rng: Random) -> Reading:
        """Read an untrained copy or a reference: by default as `read`, without `kept`. Override it to leave out what only the
        network under test needs, never to search less."""
        return self.read(network, data, rng)._replace(kept=None)

    def references(self, network: Subject, task: Task, data: Data, own: Reading, rng: Random) -> Mapping[str, Subject]:
        """Further networks to read, by name, such as one trained in the same way on random labels."""
        return {}

    def controls(self, data: Data, rng: Random) -> Mapping[str, "OtherData"]:
        """Other data on which the same network is read again, such as permuted labels, by the name of the null."""
        return {}

    @abstractmethod
    def explain(self, data: Data, readings: Readings, measures: Sequence[Measure]) -> Notes:
        """Text and figures: a summary of one sentence, warnings, limits, figures."""


class OtherData(NamedTuple):
    """Data of a null that is read from the same network: one item for each repeat, and one sentence on `how` they were made.

    Example::

        >>> from assay.instrument import OtherData
        >>> labels = torch.arange(6) % 2
        >>> orders = [torch.randperm(6, generator=torch.Generator().manual_seed(seed)) for seed in range(39)]
        >>> permuted = OtherData("values of the part dealt to other examples", [labels[order] for order in orders])
        >>> len(permuted.repeats)
        39
    """

    how: str
    repeats: Sequence[Any]
