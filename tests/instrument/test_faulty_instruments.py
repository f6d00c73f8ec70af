"""What a new instrument does wrong is told with its name and the rule; and two keys never name one random generator."""

import itertools
import threading

import pytest
import torch

from assay.conformance.tasks import small_task
from assay.errors import AssayError
from assay.instrument import Budget, Instrument, Metric, Notes, Random, Reading, Values, run
from assay.models import build
from assay.stats import keyed_generator
from assay.subject import Subject

UNITS = torch.linspace(0, 1, 6)
SHARE = Metric(key="share", title="share", level=0, bounds=(0.0, 1.0))


class Faulty(Instrument[object]):
    """It reads, keeps and says what it is told to."""

    name = "faulty"
    question = "What is wrong?"
    cites = ("redhardt2025",)
    metrics = (SHARE,)
    budgets = {"quick": Budget()}  # noqa: RUF012

    def __init__(self, reading, *, copies=None, drawn=None, notes=Notes("fine")):  # noqa: B008
        self.reading, self.copies, self.drawn, self.notes = reading, copies, drawn, notes

    def data(self, subject, task, budget, rng):
        return self.drawn() if self.drawn else None

    def read(self, network, data, rng):
        return self.reading

    def read_copy(self, network, data, own, rng):
        return self.reading if self.copies is None else self.copies

    def explain(self, data, readings, measures):
        return self.notes


def measured(*args, jobs=1, **options):
    subject = Subject(build("mlp", small_task(), generator=torch.Generator().manual_seed(0), width=4))
    return run(Faulty(*args, **options), subject, small_task(), effort="quick", jobs=jobs)


def shares(units=UNITS, metric="share"):
    return Values(metric=metric, units=units)


FINE = Reading([shares()])
FAULTS = [
    ([shares()], r"`read` must return an assay\.instrument\.Reading\. Given: list"),
    (Reading(shares()), r"the values of a Reading must be a list\. Given: Values"),
    (Reading([UNITS]), r"a Reading must hold assay\.instrument\.Values\. Given: Tensor"),
    (Reading([shares(metric="shar")]), r"declares\. Given: shar\. Choices: share\. Did you mean share\?"),
    (Reading([shares(4 * UNITS)]), r"the value of share must lie within its bounds, 0 to 1\. Given: 2"),
    (Reading([shares(), shares()]), r"each metric and `about` once\. Given: share, 2 times"),
]


@pytest.mark.parametrize(("reading", "said"), FAULTS)
@pytest.mark.parametrize("of", ["network", "copies"])
def test_what_a_reading_breaks_is_told_with_the_instrument_and_the_rule(reading, said, of):
    with pytest.raises(AssayError, match=f"^faulty: .*{said}"):
        measured(reading if of == "network" else FINE, copies=None if of == "network" else reading)


def test_notes_of_another_kind_are_told():
    with pytest.raises(AssayError, match=r"^faulty: `explain` must return assay\.instrument\.Notes\. Given: str"):
        measured(FINE, notes="fine")


def test_bounds_are_those_of_the_values_where_they_have_their_own_and_rounding_passes():
    wide = Values(metric="share", units=4 * UNITS, bounds=(0.0, 4.0))
    for reading in (Reading([wide]), Reading([shares(UNITS * 0 + 1 + 1e-6)]), Reading([shares(UNITS[:0])]), Reading([])):
        assert measured(reading).summary == "fine"


@pytest.mark.slow
def test_what_cannot_be_sent_to_the_processes_that_read_copies_is_named():
    with pytest.raises(AssayError, match=r"^faulty reads copies.* possible to pickle what `data` returns\. Given: TypeError"):
        measured(FINE, drawn=threading.Lock, jobs=2)
    with pytest.raises(AssayError, match=r"possible to pickle what `read` keeps"):
        measured(Reading([shares()], kept=threading.Lock()), copies=FINE, jobs=2)


def test_no_two_keys_name_one_generator():
    words = ("a", "b", "a: b", "a:", ": b", " b", ":", "\\", "a\\", "\\ b", "a:\\ b", "", 3)
    keys = [key for size in range(4) for key in itertools.product(words, repeat=size)]
    assert len({Random(0, "probe").within(*key).name for key in keys}) == len(keys)


def test_the_streams_of_ordinary_keys_are_as_they_were():
    for key in (("copy", 3), ("path", "part_1", 0), ("a:b",)):
        before = keyed_generator(7, ": ".join(["probe", *map(str, key)]))
        assert torch.equal(torch.rand(3, generator=Random(7, "probe")(*key)), torch.rand(3, generator=before))
        assert Random(7, "probe").within(*key[:1])(*key[1:]).initial_seed() == before.initial_seed()
