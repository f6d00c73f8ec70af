"""The audit as a whole: what it runs, what it skips, what it refuses, and that its bytes depend on the seed alone."""

import importlib
import os
from typing import Protocol, runtime_checkable

import pytest
import torch
from cases import INSTRUMENTS
from torch import Generator, nn

from assay.audit import audit
from assay.conformance.tasks import small_task
from assay.errors import AssayError
from assay.instrument import Budget, Instrument, Notes, Reading, report
from assay.instruments import load_instrument
from assay.models import build
from assay.subject import Subject
from assay.training import TrainingConfig, fit_many
from plain_instrument import Plain

pytestmark = pytest.mark.slow


@pytest.fixture
def subject() -> Subject:
    return Subject(build("mlp", small_task(), generator=Generator().manual_seed(0), width=16), name="mine")


@pytest.fixture(scope="module")
def learned() -> Subject:
    module = build("mlp", small_task(), generator=Generator().manual_seed(0), width=32)
    configs = [TrainingConfig(steps=300, batch_size=128, learning_rate=1e-2)]
    fit_many([module], small_task(), configs=configs, strategy="rule")
    return Subject(module, name="learned")


@runtime_checkable
class Sings(Protocol):
    def sing(self) -> str: ...


class Choir(Plain):
    question = "Does it sing?"
    needs = (Sings,)

    def data(self, subject, task, budget, rng):
        raise AssertionError("it must not be run on a task that does not sing")


def test_same_seed_same_audit_in_one_process_or_two(learned):
    alone = audit(learned, small_task(), seed=3, effort="quick", instruments=INSTRUMENTS)
    assert [item.instrument for item in alone.evidence] == ["systematicity", "recombination", "decodability", "circuits"]
    assert alone == audit(learned, small_task(), seed=3, effort="quick", instruments=INSTRUMENTS, jobs=2)
    assert alone != audit(learned, small_task(), seed=4, effort="quick", instruments=INSTRUMENTS)


class Quick(Plain):
    """One that says where it runs."""

    def explain(self, data, readings, measures):
        report("counting", 0.5)
        return Notes(f"{os.getpid()}")


class Long(Instrument[None]):
    """One that reads its copies side by side, wherever it runs itself."""

    question = "Where does it run?"
    cites = ("redhardt2025",)
    metrics = ()
    budgets = {"quick": Budget()}  # noqa: RUF012
    long = True

    def __init__(self, name: str):
        self.name = name

    def data(self, subject, task, budget, rng):
        return None

    def read(self, network, data, rng):
        return Reading([])

    def read_copy(self, network, data, own, rng):
        return Reading([], kept=os.getpid())

    def explain(self, data, readings, measures):
        return Notes(" ".join(str(pid) for pid in (os.getpid(), *(copy.kept for copy in readings.copies))))


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_instrument_that_takes_long_has_all_processes_for_its_copies(subject, jobs):
    mixed, shares = [Long("first"), Quick("second"), Long("third"), Quick("fourth")], []

    def told(doing: str, done: float) -> None:
        shares.append(done)

    result = audit(subject, small_task(), effort="quick", instruments=mixed, jobs=jobs, progress=told)
    assert [item.instrument for item in result.evidence] == ["first", "second", "third", "fourth"]
    processes = [{int(pid) == os.getpid() for pid in item.summary.split()} for item in result.evidence]
    assert processes == ([{True}] * 4 if jobs == 1 else [{True, False}, {False}] * 2)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_an_instrument_gives_the_same_numbers_alone_and_among_others(subject):
    together = audit(subject, small_task(), effort="quick", instruments=INSTRUMENTS)
    alone = audit(subject, small_task(), effort="quick", instruments=[load_instrument("decodability")])
    assert alone.evidence[0] == next(item for item in together.evidence if item.instrument == "decodability")


def test_what_does_not_apply_is_named_with_its_reason(subject):
    result = audit(subject, small_task(), effort="quick", instruments=[Choir("choir")])
    assert result.evidence == ()
    assert [(item.instrument, "Sings" in item.reason) for item in result.skipped] == [("choir", True)]
    assert result.verdict.headline == "unlearned"


def test_an_instrument_that_takes_longest_runs_where_it_is_named(subject, monkeypatch):
    plain, longest = Plain("plain"), Plain("longest")
    longest.by_default = False
    # The package's own name for the module is that of the function.
    monkeypatch.setattr(importlib.import_module("assay.audit"), "all_instruments", lambda: (plain, longest))
    result = audit(subject, small_task(), effort="quick", progress=None)
    assert [item.instrument for item in result.evidence] == ["plain"]
    assert [(item.instrument, "only if it is named" in item.reason) for item in result.skipped] == [("longest", True)]
    named = audit(subject, small_task(), effort="quick", instruments=[plain, longest], progress=None)
    assert [item.instrument for item in named.evidence] == ["plain", "longest"]
    assert not load_instrument("circuits").by_default


def test_the_report_of_integrity_holds(subject):
    result = audit(subject, small_task(), effort="quick", instruments=[])
    assert result.integrity.holds
    assert result.integrity.num_sites > 3


def test_progress_ends_at_one(subject):
    shares = []
    audit(subject, small_task(), effort="quick", instruments=INSTRUMENTS, progress=lambda doing, done: shares.append(done))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_weights_that_are_not_finite_are_refused_by_name(subject):
    with torch.no_grad():
        subject.module.layers[0].weight[0, 0] = torch.nan
    with pytest.raises(AssayError, match=r"layers\.0\.weight must be finite"):
        audit(subject, small_task(), effort="quick")


def test_outputs_of_another_task_are_refused():
    class Narrow(nn.Module):
        def forward(self, tokens):
            return tokens[:, :2].float()

    with pytest.raises(AssayError, match=r"must have shape \(\d+, 5\)"):
        audit(Subject(Narrow()), small_task(), effort="quick")


def test_a_network_with_single_number_buffers_can_be_audited():
    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Embedding(17, 8), nn.Flatten(), nn.BatchNorm1d(24), nn.Linear(24, 5))

        def forward(self, tokens):
            return self.layers(tokens)

    assert audit(Subject(Normed()), small_task(), effort="quick", instruments=[]).integrity.holds


class Forgetful(nn.Module):
    """Counts its passes, or leaves its dropout on."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind
        self.embed, self.last = nn.Embedding(17, 8), nn.Linear(24, 5)
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, tokens):
        hidden = self.embed(tokens).flatten(1)
        if self.kind == "counting":
            self.passes += 1
        return self.last(nn.functional.dropout(hidden, 0.5, training=self.kind == "drawing"))


@pytest.mark.parametrize(
    ("kind", "told"),
    [("drawing", "the same inputs give other outputs"), ("counting", "a forward pass changes the network's own")],
)
def test_a_failed_integrity_check_is_the_first_thing_that_the_verdict_says(kind, told):
    result = audit(Subject(Forgetful(kind)), small_task(), effort="quick", instruments=[])
    assert result.verdict.sentence.startswith(f"No verdict, since the integrity check failed: {told}")
    assert result.verdict.headline == "no verdict"
    assert audit(Subject(Forgetful("plain")), small_task(), effort="quick", instruments=[]).integrity.holds


@pytest.mark.parametrize(("changed", "told"), [({"effort": "quik"}, "effort.*quik.*quick"), ({"level": 7}, "level.*7")])
def test_an_effort_or_level_that_there_is_not_is_refused_at_once(changed, told):
    task = small_task()
    with pytest.raises(AssayError, match=f"(?s){told}"):
        audit(Subject(torch.nn.Linear(2, 2)), task, **changed)


def test_a_bare_module_and_names_of_instruments_are_refused_with_what_to_do():
    with pytest.raises(AssayError, match=r"Given: a Linear\. Next: wrap the network: assay\.Subject"):
        audit(torch.nn.Linear(2, 2), small_task())
    with pytest.raises(AssayError, match=r"Given: \['polar'\]\. Next: assay\.load_instrument"):
        audit(Subject(torch.nn.Linear(2, 2)), small_task(), instruments=["polar"])
