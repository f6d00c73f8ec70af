"""What rank and number of training texts buy: the same fit at one layer, once for each."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Generator

from assay.evidence import Table
from assay.instruments.polar.fit import Fitting
from assay.instruments.polar.readings import Reading
from assay.instruments.polar.scores import score
from assay.instruments.polar.search import Found, fitted_pair
from assay.instruments.polar.tables import LEVEL
from assay.instruments.polar.targets import Sample
from assay.stats import child_generator

RANKS = (4, 16, 64, 256)
TEXTS = (250, 500, 1_000, 2_500)


def rank_sweep(reading: Reading, found: Found, *, fitting: Fitting, generator: Generator) -> Table:
    """A row for every rank up to the width of the states."""
    train, test = (sample.at([found.layer]) for sample in (reading.train, reading.test))
    rows = [
        (rank, *_rates(train, test, found, replace(fitting, rank=rank), child_generator(generator)))
        for rank in RANKS
        if rank <= train.states.shape[2]
    ]
    return _table("By rank", "rank", rows)


def text_sweep(reading: Reading, found: Found, *, fitting: Fitting, generator: Generator) -> Table:
    """A row for every number of training texts that there are; a probe of few texts fits them and little else."""
    train, test = (sample.at([found.layer]) for sample in (reading.train, reading.test))
    rows = [
        (num, *_rates(train.first(num), test, found, fitting, child_generator(generator))) for num in TEXTS if num <= len(train)
    ]
    return _table("By number of training texts", "training texts", rows)


def _rates(train: Sample, test: Sample, found: Found, fitting: Fitting, generator: Generator) -> tuple[float, float, float]:
    distance, polar = fitted_pair(train, found, fitting=fitting, generator=generator)
    (structural,) = score(distance, test, punctuation=False)
    (directed,) = score(polar, test)
    return structural.micro("UUAS"), directed.micro("type accuracy"), directed.micro("LAS")


def _table(name: str, of: str, rows: Sequence[tuple[int, float, float, float]]) -> Table:
    return Table(
        name=name,
        columns=(of, "UUAS", "type accuracy", "LAS"),
        rows=tuple(rows),
        note="On the test texts, one fit each: UUAS of distance probes without punctuation, the others of polar probes with "
        "it, decoded edge by edge.",
        level=LEVEL,
    )
