"""All nulls of one reading, each fitted and scored as the real thing is."""

from collections.abc import Sequence

from torch import Generator

from assay.encoding.hugging_face import WORDS
from assay.instruments.polar import nulls
from assay.instruments.polar.fit import Fitting, unfitted
from assay.instruments.polar.measures import Control
from assay.instruments.polar.readings import Reading
from assay.instruments.polar.search import Found, Pair, fitted_pair, rated
from assay.instruments.polar.targets import Sample
from assay.stats import child_generator


def plain_controls(reading: Reading, found: Found, *, fitting: Fitting, repeats: int, generator: Generator) -> list[Control]:
    """Nulls that need no other network: chain, position, no probe, random projection, word embedding and permuted graphs."""
    train, test = (sample.at([found.layer]) for sample in (reading.train, reading.test))
    graphs, test_graphs = reading.train_graphs, reading.test_graphs

    def fitted(one: Sample, other: Sample) -> Pair:
        return rated(*fitted_pair(one, found, fitting=fitting, generator=child_generator(generator)), other)

    line = nulls.chained(train, graphs)
    identity = unfitted(train, None, generator=generator)
    random = [unfitted(train, fitting.rank, generator=child_generator(generator)) for _ in range(repeats)]
    wrong = [nulls.permuted_trees(train, graphs, generator=child_generator(generator)) for _ in range(repeats)]
    controls = [
        Control("chain", "every word joined to the next", (rated(line, line, nulls.in_line(test, test_graphs)),)),
        Control(
            "position-only probe",
            "the same fit on sines and cosines of each word's place",
            (fitted(nulls.positions(train, graphs), nulls.positions(test, test_graphs)),),
        ),
        Control("no probe", "the states as they are, with the mean edge of every relation", (rated(identity, identity, test),)),
        Control(
            "random projection",
            f"{repeats} random maps of the same rank, with the mean edge of every relation",
            tuple(rated(probes, probes, test) for probes in random),
        ),
        Control(
            "permuted graphs",
            f"the same fit on training graphs whose nodes were exchanged at random, {repeats} times",
            tuple(fitted(sample, test) for sample in wrong),
        ),
    ]
    if WORDS in reading.layers:
        layer = [reading.layers.index(WORDS)]
        pair = fitted(reading.train.at(layer), reading.test.at(layer))
        controls.append(Control("word embedding", "the same fit on word embeddings, which know no context", (pair,)))
    return controls


def untrained_controls(
    twin: Reading, twin_found: Found, test: Sample, *, fitting: Fitting, generator: Generator
) -> list[Control]:
    """Nulls from a copy with fresh weights, which got the same search: its own score, and its probes moved to the real
    states."""
    layer = [twin_found.layer]
    probes = fitted_pair(twin.train.at(layer), twin_found, fitting=fitting, generator=child_generator(generator))
    own = rated(*probes, twin.test.at(layer))
    return [
        Control("untrained copies", "the same search and fit on a copy with fresh weights", (own,)),
        Control("probe of another network", "probes fitted on the untrained copy, moved here", (rated(*probes, test),)),
    ]


def control_task_pairs(
    train: Sample, test: Sample, reading: Reading, found: Found, *, fitting: Fitting, seeds: Sequence[int], generator: Generator
) -> tuple[list[Pair], list[Pair]]:
    """Scores on the two control tasks, of relations and of heads, by probes fitted on them; one layer, a pair for each seed."""
    of_relations, of_heads = [], []
    for seed in seeds:
        for task, into in ((nulls.control_relation_task, of_relations), (nulls.control_head_task, of_heads)):
            one, other = task(train, reading.train_graphs, seed=seed), task(test, reading.test_graphs, seed=seed)
            probes = fitted_pair(one, found, fitting=fitting, generator=child_generator(generator))
            into.append(rated(*probes, other))
    return of_relations, of_heads
