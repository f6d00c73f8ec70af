"""Polar: does geometry, distance and angle, hold the declared graph?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Generator

from assay.encoding import Encoder, encoder_of
from assay.evidence import Effort, Evidence, Measure, Table
from assay.graph import GivesContinuations, GivesGraphs, Graph
from assay.instrument import Progress, silent
from assay.instruments.polar import assembled
from assay.instruments.polar.agreement import agreement
from assay.instruments.polar.causal import Behaviour, polar_basis, relation_basis, task_behaviour, used_measure
from assay.instruments.polar.controls import control_tasks, plain_controls, plain_sources
from assay.instruments.polar.depth import depth_evidence, plain_depth
from assay.instruments.polar.fit import Fitting
from assay.instruments.polar.measures import ASKED, LAS, TYPE, UUAS, Control, rate_measure, selectivity_measure
from assay.instruments.polar.readings import Reading, Texts, read, read_nonsense
from assay.instruments.polar.search import Pair, fitted_pair, rated, search
from assay.instruments.polar.targets import Target
from assay.instruments.polar.untrained import Copying, Untrained, untrained_controls, untrained_depth
from assay.jobs import run_parallel
from assay.references import cited
from assay.stats import MIN_UNITS, child_generator
from assay.subject import Subject
from assay.task import Task


@dataclass(frozen=True)
class Budget:
    """How much is measured at one effort."""

    train: int
    dev: int
    test: int
    epochs: int
    seeds: int
    copies: int
    repeats: int
    removals: int


BUDGETS: Mapping[Effort, Budget] = {
    "quick": Budget(train=300, dev=100, test=150, epochs=6, seeds=2, copies=5, repeats=1, removals=5),
    "standard": Budget(train=2_500, dev=400, test=600, epochs=12, seeds=5, copies=5, repeats=2, removals=10),
    "full": Budget(train=10**9, dev=10**9, test=10**9, epochs=12, seeds=5, copies=5, repeats=5, removals=20),
}


MOST_EXAMPLES = 2_000  # of behaviour
SPLITS = ("train", "dev", "test")


class Polar:
    """Fits a linear map of the states of a text's nodes under which squared distances are path lengths in the declared graph
    and edges of one relation point one way (Diego-Simon et al. 2024), and scores the graphs predicted for held-out texts.

    The interval is over texts. Every null goes through the same search, fit and scores.

    **Arguments:**

    - `cache`: a folder in which encodings are kept and found again; None keeps them in memory.
    - `rank`: of the map, at most half of the width of the states.
    - `jobs`: processes, which judge untrained copies side by side. The bytes of the result do not depend on it.
    - `budgets`: how much is measured at each effort.
    """

    name = "polar"
    question = "Does geometry, distance and angle, hold the declared graph?"
    cites: tuple[str, ...] = ("diegosimon2024",)
    needs: tuple[type, ...] = (GivesGraphs,)

    def __init__(
        self,
        *,
        cache: Path | str | None = None,
        rank: int = 64,
        jobs: int = 1,
        budgets: Mapping[Effort, Budget] = BUDGETS,
    ):
        self.cache = None if cache is None else Path(cache)
        self.rank, self.jobs, self.budgets = rank, jobs, budgets

    def in_processes(self, jobs: int) -> "Polar":
        """The same with as many processes."""
        return Polar(cache=self.cache, rank=self.rank, jobs=jobs, budgets=self.budgets)

    def measure(
        self, subject: Subject, task: Task, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        assert isinstance(task, GivesGraphs)
        size = self.budgets[effort]
        texts = Texts.draw(task, train=size.train, dev=size.dev, test=size.test, generator=child_generator(generator))
        if reason := too_little({name: getattr(texts, name) for name in SPLITS}):
            return self._not_enough(reason)
        progress("encoding", 0.0)
        encoder = encoder_of(subject, task)
        reading = read(encoder, texts, folder=self._folder("own"))
        if reason := too_little({name: getattr(reading, name).targets for name in SPLITS}):
            return self._not_enough(f"{reason}; {len(reading.refused)} were not encoded, the first {reading.refused[0]}")
        run = _Run(self.rank, size, encoder, reading, generator, progress)
        copies = run.copies(subject, texts, jobs=self.jobs)
        measures, tables = run.rates(copies)
        gaps = []
        for behaviour in self._behaviours(subject, task, encoder, run.layer_name, size, generator):
            if isinstance(behaviour, str):
                gaps.append(f"Whether the network uses what can be decoded: {behaviour}.")
                continue
            measures += run.used(behaviour)
        deep, curve = run.depth(copies)
        measures += deep
        tables.insert(1, curve)
        return Evidence(
            instrument=self.name,
            question=self.question,
            summary=assembled.summary(measures, run.layer_name),
            measures=tuple(measures),
            figures=tuple(tables),
            sources=cited(self.cites),
            warnings=assembled.warnings(reading),
            not_tested=(*gaps, *run.gaps),
            settings={
                "effort": effort,
                "rank": run.fitting.rank,
                **asdict(size),
                **{f"texts, {split}": len(getattr(reading, split)) for split in SPLITS},
                "texts refused": len(reading.refused),
                "width of states": run.whole.states.shape[2],
                "principal components": run.reading.components.told if run.reading.components else "not taken",
                "layer": run.layer_name,
                "angle loss": run.found.angle,
                "weight of the angle loss": run.found.weight,
            },
        )

    def _behaviours(
        self, subject: Subject, task: Task, encoder: Encoder, layer: str, size: Budget, generator: Generator
    ) -> list[Behaviour | str]:
        """What the network does with the graph, as far as the task can tell; else why not."""
        num, draws = min(size.test, MOST_EXAMPLES), child_generator(generator)
        found = [task_behaviour(subject, task, encoder.site(layer), num=num, generator=draws)]
        if isinstance(task, GivesContinuations):
            asked = agreement(subject, task, encoder, layer, num=num, generator=child_generator(generator))
            found = [asked, *(one for one in found if isinstance(one, Behaviour))]
        return found

    def _not_enough(self, reason: str) -> Evidence:
        return Evidence(instrument=self.name, question=self.question, summary=f"Not enough data: {reason}.", not_enough=reason)

    def _folder(self, name: str) -> Path | None:
        return None if self.cache is None else self.cache / name


class _Run:
    """One measurement under way: fits in a fixed order, so that the same generator gives the same bytes."""

    def __init__(
        self,
        rank: int,
        size: Budget,
        encoder: Encoder,
        reading: Reading,
        generator: Generator,
        progress: Progress,
    ):
        self.size, self.encoder = size, encoder
        self.generator, self.progress = generator, progress
        whole = reading.train
        self.reading = reading = reading.reduced(generator=generator)
        width = reading.train.states.shape[2]
        # At most half of the dimensions, or there would be nothing left to compare the polar subspace with.
        self.fitting = Fitting(rank=max(1, min(rank, width // 2)), epochs=size.epochs)
        layers, draws = reading.candidates, child_generator(generator)
        progress("probing every layer", 0.2)
        self.found = search(reading.train, reading.dev, layers=layers, fitting=self.fitting, generator=draws)
        self.layer_name = reading.layers[self.found.layer]
        self.train, self.test = (sample.at([self.found.layer]) for sample in (reading.train, reading.test))
        self.whole = whole.at([self.found.layer])
        progress("probing with other seeds", 0.25)
        self.probes = [
            fitted_pair(self.train, self.found, fitting=self.fitting, generator=child_generator(generator))
            for _ in range(size.seeds)
        ]
        self.gaps: list[str] = []

    def copies(self, subject: Subject, texts: Texts, *, jobs: int) -> list[Untrained]:
        """What untrained copies give, from drawing their weights to the last score."""
        alike = {
            "subject": subject,
            "encoder": self.encoder,
            "texts": texts,
            "relations": self.reading.train.relations,
            "place": self.reading.place(self.found.layer),
            "fitting": self.fitting,
            "seeds": range(self.size.repeats),
        }
        wanted = [Copying(**alike, generator=child_generator(self.generator)) for _ in range(self.size.copies)]

        def told(done: str, share: float) -> None:
            self.progress(f"untrained copies, {done}", 0.3 + 0.4 * share)

        told(f"0 of {len(wanted)}", 0.0)
        return run_parallel(Copying.judged, wanted, jobs=jobs, progress=told)

    def rates(self, copies: Sequence[Untrained]) -> tuple[list[Measure], list[Table]]:
        """Every rate beside its nulls, and the tables."""
        draws = child_generator
        own = [rated(*probes, self.test) for probes in self.probes]
        self.progress("nulls", 0.7)
        nulls = draws(self.generator)
        self.sources = plain_sources(
            self.reading, self.found, rank=self.fitting.rank, repeats=self.size.repeats, generator=nulls
        )
        controls = plain_controls(self.sources, self.found, fitting=self.fitting, generator=nulls)
        controls += untrained_controls(copies)
        measures = [rate_measure(asked, own, controls, headline=asked in (UUAS, LAS)) for asked in ASKED]
        self.progress("control tasks", 0.8)
        measures += self._selectivity(own, copies)
        measures += self._nonsense(controls)
        self.progress("tables", 0.9)
        tables = assembled.tables(
            self.reading,
            self.found,
            [copy.curve for copy in copies],
            self.probes,
            own,
            controls,
            fitting=self.fitting,
            generator=draws(self.generator),
        )
        return measures, tables

    def used(self, behaviour: Behaviour) -> list[Measure]:
        """What a behaviour loses without what the probe reads, and without the relation axes."""
        polar = polar_basis(self.reading.whole(self.probes[0][1], self.found.layer))
        found = []
        for of, basis in (("polar subspace", polar), ("relation axes", relation_basis(self.whole))):
            draws = child_generator(self.generator)
            found.append(used_measure(behaviour, basis, self.whole, repeats=self.size.removals, generator=draws, of=of))
        return found

    def depth(self, copies: Sequence[Untrained]) -> tuple[list[Measure], Table]:
        """The structural probe of depth, beside every null that the rates have."""
        self.progress("depth", 0.95)
        controls = plain_depth(self.sources, fitting=self.fitting, generator=child_generator(self.generator))
        return depth_evidence(
            self.reading,
            self.found,
            controls + untrained_depth(copies),
            [copy.depth_curve for copy in copies],
            fitting=self.fitting,
            seeds=self.size.seeds,
            generator=child_generator(self.generator),
        )

    def _selectivity(self, own: list[Pair], copies: Sequence[Untrained]) -> list[Measure]:
        of_relations, of_heads = control_tasks(
            self.train,
            self.test,
            self.reading,
            self.found,
            fitting=self.fitting,
            seeds=range(self.size.repeats),
            generator=child_generator(self.generator),
        )
        kinds = (
            (TYPE, of_relations, [(c.own, c.of_relations) for c in copies], "relation that the dependent's word decides"),
            (UUAS, of_heads, [(c.own, c.of_heads) for c in copies], "head that the word alone decides"),
        )
        return [selectivity_measure(asked, own, control, others, task=task) for asked, control, others, task in kinds]

    def _nonsense(self, controls: list[Control[Pair]]) -> list[Measure]:
        draws = child_generator(self.generator)
        sample = read_nonsense(self.encoder, self.reading.test_graphs, self.test.relations, generator=draws)
        if sample is None:
            self.gaps.append("What is left when content words are nonsense: parts of speech are not declared.")
            return []
        at = self.reading.like(sample).at([self.found.layer])
        own = [rated(*probes, at) for probes in self.probes]
        kept = [control for control in controls if control.name in ("chain", "position-only probe")]
        return [rate_measure(asked, own, kept, headline=False, name=f"{asked.name} on nonsense words") for asked in (UUAS, LAS)]


def too_little(splits: Mapping[str, Sequence[Graph | Target]]) -> str:
    """Why nothing can be said; empty where something can."""
    for name, graphs in splits.items():
        num = sum(len(graph.edges) > 0 for graph in graphs)
        if num < MIN_UNITS:
            return f"{num} {name} texts with edges, and at least {MIN_UNITS} are needed"
    return ""
