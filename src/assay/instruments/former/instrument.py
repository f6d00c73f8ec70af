"""Recombination: does a combination that was made inside, and never trained, give the declared output?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from jaxtyping import Float
from torch import Generator, Tensor

from assay.evidence import UNTRAINED, Effort, Evidence, Measure, Table
from assay.instrument import Progress, following, report, silent, stage
from assay.instruments.former.companions import additivity, collapse, cross_combination, deepest, homomorphism
from assay.instruments.former.cost import affordable, multiplications
from assay.instruments.former.forms import FORMS
from assay.instruments.former.look import KINDS, Look
from assay.instruments.former.measures import companion_measure, recombination_measure
from assay.instruments.former.metric import Metric
from assay.instruments.former.search import Inside
from assay.instruments.former.states import Design
from assay.instruments.former.telling import not_tested, refused, summary, warnings
from assay.instruments.former.twins import shuffled_twins, untrained_twins
from assay.observed import Observed, Scramble, observe
from assay.references import cited
from assay.site import NO_SITE, thinned
from assay.stats import child_generator, cluster_means
from assay.subject import Subject
from assay.task import Task

FOLDS = 8
SIDE_BY_SIDE = 0.999  # additivity of untrained copies from which on a site holds the parts as the input does


@dataclass(frozen=True)
class Budget:
    """How much is measured at one effort.

    **Attributes:**

    - `work`: multiplications that all transplants may take, as `affordable` counts them; of a network that needs more, the
      widest sites are left out.
    - `training`: multiplications that all twins on shuffled labels may take; a network that needs more has none.
    """

    examples: int
    pairs: int
    sites: int
    untrained: int
    shuffled: int
    steps: int
    random: int
    scrambles: int
    work: float | None = None
    training: float | None = None


BUDGETS: Mapping[Effort, Budget] = {
    "quick": Budget(examples=600, pairs=200, sites=6, untrained=5, shuffled=0, steps=0, random=3, scrambles=4, work=5e11),
    "standard": Budget(
        examples=2_000,
        pairs=1_000,
        sites=12,
        untrained=8,
        shuffled=5,
        steps=500,
        random=8,
        scrambles=10,
        work=3e12,
        training=5e11,
    ),
    "full": Budget(examples=5_000, pairs=4_000, sites=1_000, untrained=20, shuffled=10, steps=2_000, random=20, scrambles=20),
}

Row = tuple[str | float | int | None, ...]
Signal = Callable[[Inside, str], Float[Tensor, " c"]]


class Recombination:
    """Takes pairs of trained examples and puts the state of one declared part of the one into the other, so that the inside
    holds a combination that was never trained although no novel input was used, and scores the output against the task.

    Site and form of the transplant are chosen on the pairs of other folds; every null makes the same search. Pairs whose
    patched state lies farther from natural states than these lie from each other do not count.

    **Arguments:**

    - `sites`: glob patterns; by default every place of the network, thinned evenly to what the effort allows.
    - `metric`: see `assay.instruments.former.metric`.
    - `budgets`: how much is measured at each effort.
    """

    name = "recombination"
    question = "Does a combination made inside the network, and never trained, give the output that the task declares?"
    cites: tuple[str, ...] = ("geiger2021",)
    needs: tuple[type, ...] = ()
    searches = True

    def __init__(self, sites: Sequence[str] = (), metric: Metric = "balanced", *, budgets: Mapping[Effort, Budget] = BUDGETS):
        self.sites = tuple(sites)
        self.metric = metric
        self.budgets = budgets

    def measure(
        self, subject: Subject, task: Task, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        observed = self.observe(task, effort=effort, generator=generator)
        return self.judge(subject, observed, effort=effort, generator=generator, progress=progress)

    def observe(self, task: Task, *, effort: Effort, generator: Generator) -> Observed:
        """What is judged: trained examples, and what the task says of parts exchanged between them."""
        size, options = self.budgets[effort], {"num_folds": FOLDS, "generator": generator}
        return observe(task, num_examples=size.examples, num_pairs=size.pairs, num_scrambles=size.scrambles, **options)

    def judge(
        self, subject: Subject, observed: Observed, *, effort: Effort, generator: Generator, progress: Progress = silent
    ) -> Evidence:
        """The same from what was observed: nothing else of the task is known here, and no novel input can be made."""
        with following(progress):
            return self._judged(subject, observed, effort, generator)

    def _judged(self, subject: Subject, observed: Observed, effort: Effort, generator: Generator) -> Evidence:
        size = self.budgets[effort]
        inputs = observed.examples.inputs
        known = subject.match(self.sites, inputs) if self.sites else subject.sites(inputs)
        reason = refused(observed) or ("" if known else NO_SITE)
        if reason:
            return Evidence(
                instrument=self.name, question=self.question, summary=f"Not enough data: {reason}.", not_enough=reason
            )
        if self.sites:
            places = known
        else:
            searches = len(observed.exchanges) * (1 + size.random + size.untrained + size.shuffled)
            places = affordable(
                thinned(known, size.sites),
                forward=multiplications(subject, {name: values[:2] for name, values in inputs.items()}),
                examples=len(observed.examples),
                transplants=searches * len(FORMS) * size.pairs,
                most=size.work,
            )
        sites = [site.name for site in places]
        with stage("reading the network and untrained copies", 0.0, 0.1):
            own = _Network(self._inside(subject, observed, sites, generator))
            twins = untrained_twins(subject, size.untrained, child_generator(generator))
            untrained = []
            for number, twin in enumerate(twins):
                report(f"copy {number + 1} of {len(twins)}", number / len(twins))
                untrained.append(_Network(self._inside(twin, observed, sites, generator)))
        with stage("training twins on shuffled labels", 0.1, 0.3):
            taught, missing = shuffled_twins(
                subject,
                observed,
                num=size.shuffled,
                steps=size.steps,
                most=size.training,
                generator=child_generator(generator),
            )
            shuffled = [_Network(self._inside(twin, observed, sites, generator)) for twin in taught]
        mixed = [site for site in sites if not _side_by_side(untrained, site)]
        measures: list[Measure] = []
        rows: list[Row] = []
        share = 0.6 / max(1, len(observed.exchanges))
        for number, name in enumerate(observed.exchanges):
            with stage(f"transplanting {name}", 0.3 + share * number, 0.3 + share * (number + 1)):
                found, tried = _part(
                    name, own, untrained, shuffled, mixed=mixed, randoms=size.random, generator=child_generator(generator)
                )
            measures += found
            rows += tried
        with stage("companions", 0.9, 1.0):
            measures += _companions(own, untrained, shuffled, observed)
        return Evidence(
            instrument=self.name,
            question=self.question,
            summary=summary(measures),
            measures=tuple(measures),
            figures=(
                Table(
                    name="Every transplant tried",
                    columns=("part", "site", "form", "novel score", "seen score", "counted"),
                    rows=tuple(rows),
                    level=0,
                    note="Sites that hold the parts side by side before any training: "
                    f"{', '.join(site for site in sites if site not in mixed) or 'none'}. A transplant there answers as the "
                    "network would answer the new combination itself.",
                ),
            ),
            sources=cited(self.cites),
            warnings=warnings(observed),
            not_tested=not_tested(len(subject.sites(inputs)), len(sites), no_twins=missing),
            settings={
                **{"effort": effort, **asdict(size), "metric": self.metric, "sites read": ", ".join(sites)},
                **{f"part {name}": "combined" for name in observed.combines},
            },
        )

    def _inside(self, subject: Subject, observed: Observed, sites: Sequence[str], generator: Generator) -> Inside:
        return Inside.of(subject, observed, sites, metric=self.metric, generator=child_generator(generator))


class _Network:
    """A network's inside, and its signals at every site, each computed once."""

    def __init__(self, inside: Inside):
        self.inside = inside
        self._signals: dict[tuple[str, str], Float[Tensor, " c"]] = {}

    def signal(self, name: str, signal: Signal, site: str) -> Float[Tensor, " c"]:
        if (name, site) not in self._signals:
            self._signals[name, site] = signal(self.inside, site)
        return self._signals[name, site]

    def best(self, name: str, signal: Signal) -> tuple[Float[Tensor, " c"], str]:
        """The site where the signal is largest."""
        found = []
        for site in self.inside.states:
            report(f"{name}, {site}", 0.0)
            found.append((self.signal(name, signal, site), site))
        return max(found, key=lambda pair: float(pair[0].mean()) if len(pair[0]) else -1e9)


def _side_by_side(untrained: Sequence[_Network], site: str) -> bool:
    """Whether the site is a sum over the parts before any training."""
    for network in untrained[:2]:
        r2 = network.signal("of parts", _of_parts, site)
        if not len(r2) or float(r2.mean()) < SIDE_BY_SIDE:
            return False
    return True


def _of_parts(inside: Inside, site: str) -> Float[Tensor, " c"]:
    return additivity(inside, site, [part for part in inside.observed.parts if not part.of])


def _part(
    name: str,
    own: _Network,
    untrained: Sequence[_Network],
    shuffled: Sequence[_Network],
    *,
    mixed: Sequence[str],
    randoms: int,
    generator: Generator,
) -> tuple[list[Measure], list[Row]]:
    """The measures of one part, and a row for everything tried."""
    observed = own.inside.observed
    exchange, design = observed.exchanges[name], Design.of(observed, observed.part(name))

    num, done = 1 + randoms + len(untrained) + len(shuffled), 0

    def looked(network: _Network, random: Generator | None = None, scrambled: Sequence[Scramble] = ()) -> Look:
        nonlocal done
        with stage(f"search {done + 1} of {num}", done / num, (done + 1) / num):
            done += 1
            return Look.at(network.inside, exchange, design, mixed=mixed, random=random, scrambled=scrambled)

    mine = looked(own, scrambled=exchange.scrambled)
    nulls = {
        "random subspace": [looked(own, child_generator(generator)) for _ in range(randoms)],
        "scrambled declaration": [mine.rescored(k, scramble.known) for k, scramble in enumerate(exchange.scrambled)],
        UNTRAINED: [looked(network) for network in untrained],
        "shuffled labels": [looked(network) for network in shuffled],
    }
    kinds = [kind for kind in KINDS if bool(mine.pairs(kind).any()) and mine.open(kind).candidates]
    if observed.part(name).of:
        kinds = [kind for kind in kinds if kind != "novel, side by side"]  # it stands nowhere before the network computes it
    measures = [recombination_measure(kind, name, mine, own.inside, nulls, headline=kind == kinds[0]) for kind in kinds]
    return measures, mine.rows(name)


def _companions(
    own: _Network, untrained: Sequence[_Network], shuffled: Sequence[_Network], observed: Observed
) -> list[Measure]:
    """The signals that need no transplant."""
    parts = deepest(observed)
    signals: list[tuple[str, str, Signal, str, dict[str, str]]] = [
        ("additivity", "additivity", lambda inside, site: additivity(inside, site, parts), "R2", {}),
        (
            "equivalence_collapse",
            "equivalence collapse",
            lambda inside, site: collapse(inside, site, parts),
            "1 - within / total variance",
            {},
        ),
        ("homomorphism", "homomorphism", lambda inside, site: homomorphism(inside, site, parts), "R2", {}),
    ]
    for part in observed.parts:
        if not part.graded:
            probe = partial(cross_combination, part=part)
            signals.append(("cross_combination_probe", "cross-combination probe", probe, "accuracy", {"part": part.name}))
    learned = [[_trained_score(network.inside) for network in networks] for networks in ([own], untrained, shuffled)]
    unit, note = observed.objective.unit, "of the network's own outputs, nothing exchanged"
    measures = [
        companion_measure(
            "score_on_trained_combinations",
            "score on trained combinations",
            learned[0][0],
            *learned[1:],
            unit=unit,
            about={},
            note=note,
            bounds=(0.0, 1.0),
        )
    ]
    for key, name, signal, unit, about in signals:
        which = f"{name} {about}"
        found, site = own.best(which, signal)
        twins = [[network.best(which, signal)[0] for network in networks] for networks in (untrained, shuffled)]
        bounds = (0.0, 1.0) if unit == "accuracy" else None
        measures.append(companion_measure(key, name, found, *twins, unit=unit, about=about, note=f"at {site}", bounds=bounds))
    return measures


def _trained_score(inside: Inside) -> Float[Tensor, " c"]:
    """Of every observed combination."""
    examples = inside.observed.examples
    scores = inside.observed.objective.score(inside.subject(examples.inputs), examples.targets)
    return cluster_means(scores, examples.combination).means.float()
