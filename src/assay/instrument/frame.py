"""What a line of evidence is: metrics, a reading of one network, and words. `assay.instrument.run` does the rest."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.display import brief
from assay.evidence import UNTRAINED, Direction, Effort, Interval, Level, Measure, Source
from assay.figure import Figure
from assay.stats import MIN_UNITS, keyed_generator
from assay.subject import Subject
from assay.task import Task

Data = TypeVar("Data")


class NotEnough(Exception):  # noqa: N818 (an answer, not a fault)
    """Raised by `data` or `read` where an instrument cannot answer: the evidence then holds the reason and no number.

    Example::

        >>> from assay.instrument import NotEnough
        >>> raise NotEnough("fewer than 5 trained combinations")
        Traceback (most recent call last):
            ...
        assay.instrument.frame.NotEnough: fewer than 5 trained combinations
    """


@dataclass(frozen=True)
class Random:
    """Random generators by key: `rng("copy", 3)` is the same whatever else is drawn, so adding a step moves no other number.

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
        """Generators of one step, apart from those of all other steps."""
        # Escaped, so that no two keys have one name: ("a: b",) is not ("a", "b").
        return Random(self.seed, ": ".join([self.name, *(str(k).replace("\\", "\\\\").replace(": ", ":\\ ") for k in key)]))


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What an instrument measures.

    **Attributes:**

    - `key`: by which other code finds it; `title`: by which a reader knows it.
    - `unit`: such as `accuracy`; `better`: which way.
    - `level`: the access that it needs (`assay.evidence.Level`).
    - `of`: the independent unit, such as `combination`, `text` or `entity`.
    - `bounds`: of the value, which must lie within them, and of its interval.
    - `least`: fewer units are not enough data.
    - `headline`: belongs on the first screen, and may become a finding.
    - `gain`: what is reported is how far the network lies above its untrained copies.
    - `beats`: names of the nulls that it never goes without.

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
    """A null of one metric that comes from the same network.

    **Attributes:**

    - `name`, `how`: short, and one sentence on how it was made.
    - `values`: `(r,)`, one for each repeat, or `(r, u)`, for each repeat the values of the network's own units, NaN where it
      was not read on one; what all repeats have is compared.
    - `p`: None for the default: with values of units the paired t test of the network's against their mean over repeats, else
      the share of repeats at least as good (a permutation test).

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
    """One metric of one network, in the values of independent units.

    **Attributes:**

    - `metric`: its key; `about`: of what, such as `{"part": "i"}`. What copies have of the same about the same is a null.
    - `units`: `(u,)`; `ids`: which units they are, in any order. Copies may have some of them only, except of a gain. None: all
      networks have the same, in one order.
    - `value`: where it is not the mean over units. It then needs its `interval`, and `variance`, its squared standard error, to
      be held against copies.
    - `controls`: nulls that come from the network itself.
    - `moved`: of a copy, further nulls that come from it, such as its probe on the states of the network, each one repeat with
      values of units. They are joined over the copies.
    - `where`: said of this network only, such as the site that it was read at; it does not have to agree with the copies'.
    - `unit`, `bounds`: in the place of the metric's, where the task decides them.
    - `note`, `ceiling`: as in `Measure`; `copies_how`: how the copies were read, where a reader must know.
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
    reason: str = ""

    @property
    def same(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """What agrees between networks."""
        return self.metric, frozenset(self.about.items())

    @property
    def mean(self) -> float:
        """The value that stands for all units."""
        return float(self.units.mean()) if self.value is None else self.value


class Reading(NamedTuple):
    """Result of `read` on one network: `values` of its metrics, and whatever else `explain` wants to know (`kept`).

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
    """Results of `read` on all networks, given to `explain`: `own` of the network under test, `copies` of its randomly
    initialised copies, and `references` by name.

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
    """The words around the measures, returned by `explain`: attributes of the same names of `assay.Evidence`.

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


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Sizes of an effort: `copies`, randomly initialised copies, at least five. An instrument derives a class with its own
    sizes.

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

    It says how *one* network is read; `run` reads the network, its untrained copies and named references alike, in processes,
    and makes nulls, intervals, p-values and evidence of what they hold.

    **Attributes:**

    - `name`: unique, lower case.
    - `question`: what it answers, as a question a newcomer understands.
    - `cites`: the work it follows first: keys of `references.bib`, or `assay.evidence.Source` objects.
    - `needs`: the abilities (protocols) a task must have; empty for any task.
    - `metrics`: everything that it may measure.
    - `budgets`: sizes for each effort.
    - `long`: whether a copy takes so long that copies are to be read side by side in processes.
    - `searches`: whether it searches for minutes, which an audit does not do on a network that has not learned its task.
    - `by_default`: whether an audit below full effort runs it where no instrument is named.
    - `reads_predictions`: whether it also takes a file of answers (`assay.predictions.Predictions`) as the network.

    docs/new-instrument.md holds a whole one.

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
        """Everything that is drawn from the task, once for all networks. `subject`: for what its architecture decides, such as
        its sites. **Raises:** `NotEnough`."""

    @abstractmethod
    def read(self, network: Subject, data: Data, rng: Random) -> Reading:
        """The whole search on one network. **Raises:** `NotEnough` where nothing can be measured; a copy then has no number."""

    def read_copy(self, network: Subject, data: Data, own: Reading, rng: Random) -> Reading:
        """The same of an untrained copy or a reference. By default exactly the same, and nothing is kept; override it to leave
        out what only the network under test needs, never to search less."""
        return self.read(network, data, rng)._replace(kept=None)

    def references(self, network: Subject, task: Task, data: Data, own: Reading, rng: Random) -> Mapping[str, Subject]:
        """Further networks by name that are read beside the first, such as one trained alike on random labels."""
        return {}

    def controls(self, data: Data, rng: Random) -> Mapping[str, "OtherData"]:
        """Other data on which the same network is read again, such as permuted labels: the repeats of a null by its name."""
        return {}

    @abstractmethod
    def explain(self, data: Data, readings: Readings, measures: Sequence[Measure]) -> Notes:
        """The words: one plain sentence, warnings, what was not tested, figures."""


class OtherData(NamedTuple):
    """Data of a null that is read off the same network, such as permuted labels; returned by `controls`.

    **Attributes:** `how`: one sentence on how it was made; `repeats`: one object for each repeat, as `data` returns it.

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
