"""Nulls of one reading that need no other network, each fitted and scored as the real thing is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Generator

from assay.encoding.hugging_face import WORDS
from assay.instruments.polar import nulls
from assay.instruments.polar.fit import Fitting, Probes, fit_distance, unfitted
from assay.instruments.polar.measures import Control
from assay.instruments.polar.readings import Reading
from assay.instruments.polar.scores import Scored, score
from assay.instruments.polar.search import Found, Pair, fit_one, fitted_pair, rated
from assay.instruments.polar.targets import Sample
from assay.stats import child_generator


class Case(NamedTuple):
    """One repeat of a null: the texts that it is fitted on and scored on, or `probes` that are not fitted."""

    train: Sample
    test: Sample
    probes: Probes | None = None


@dataclass(frozen=True)
class Source:
    """A null before it is fitted: its name, how it was made, and its repeats."""

    name: str
    how: str
    cases: tuple[Case, ...]


def plain_sources(reading: Reading, found: Found, *, rank: int, repeats: int, generator: Generator) -> list[Source]:
    """Chain, position, no probe, random projection, word embedding and permuted graphs."""
    train, test = (sample.at([found.layer]) for sample in (reading.train, reading.test))
    graphs, test_graphs = reading.train_graphs, reading.test_graphs
    identity = unfitted(train, None, generator=generator)
    random = [unfitted(train, rank, generator=child_generator(generator)) for _ in range(repeats)]
    wrong = [nulls.permuted_trees(train, graphs, generator=child_generator(generator)) for _ in range(repeats)]
    sources = [
        Source(
            "chain",
            "every word joined to the next",
            (Case(train, nulls.in_line(test, test_graphs), nulls.chained(train, graphs)),),
        ),
        Source(
            "position-only probe",
            "the same fit on sines and cosines of each word's place",
            (Case(nulls.positions(train, graphs), nulls.positions(test, test_graphs)),),
        ),
        Source(
            "no probe",
            "the states as they are, with the mean edge of every relation",
            (Case(train, test, identity),),
        ),
        Source(
            "random projection",
            f"{repeats} random maps of the same rank, with the mean edge of every relation",
            tuple(Case(train, test, probes) for probes in random),
        ),
        Source(
            "permuted graphs",
            f"the same fit on training graphs whose nodes were exchanged at random, {repeats} times",
            tuple(Case(sample, test) for sample in wrong),
        ),
    ]
    if WORDS in reading.layers:
        layer = [reading.layers.index(WORDS)]
        words = Case(reading.train.at(layer), reading.test.at(layer))
        sources.append(Source("word embedding", "the same fit on word embeddings, which know no context", (words,)))
    return sources


def plain_controls(sources: Sequence[Source], found: Found, *, fitting: Fitting, generator: Generator) -> list[Control[Pair]]:
    """Fit and score them."""

    def rated_case(case: Case) -> Pair:
        if case.probes is not None:
            return rated(case.probes, case.probes, case.test)
        return rated(*fitted_pair(case.train, found, fitting=fitting, generator=child_generator(generator)), case.test)

    return [Control(source.name, source.how, tuple(map(rated_case, source.cases))) for source in sources]


def control_tasks(
    train: Sample, test: Sample, reading: Reading, found: Found, *, fitting: Fitting, seeds: Sequence[int], generator: Generator
) -> tuple[list[Scored], list[Scored]]:
    """Scores on the two control tasks: relations by a polar probe and heads by a distance probe, fitted on them; one layer, one
    of each for every seed."""
    both = ((train, reading.train_graphs), (test, reading.test_graphs))
    of_relations, of_heads = [], []
    for seed in seeds:
        one, other = (nulls.control_relation_task(*texts, seed=seed) for texts in both)
        polar = fit_one(one, 0, found.angle, found.weight, fitting, child_generator(generator))
        of_relations += score(polar, other)
        one, other = (nulls.control_head_task(*texts, seed=seed) for texts in both)
        distance = fit_distance(one, fitting=fitting, generator=child_generator(generator))
        of_heads += score(distance, other, punctuation=False)
    return of_relations, of_heads
