"""An instrument that breaks off loses no other's evidence: in processes, at level 0, in reports, commands and sweeps."""

import json

import pytest
import torch
from torch import Generator, nn

from assay.audit import audit
from assay.cli import main
from assay.conformance.tasks import small_task
from assay.errors import AssayError
from assay.failed import Failed, attempt
from assay.instruments.systematicity import Systematicity
from assay.models import build, load_subject
from assay.report import read_report, summary_text, write_report
from assay.subject import Subject
from plain_instrument import Plain


class Breaking(Plain):
    """It raises what it is given."""

    def __init__(self, name: str, error: BaseException):
        super().__init__(name)
        self.error = error

    def read(self, network, data, rng):
        raise self.error


ERRORS = (torch.linalg.LinAlgError("no convergence"), AssayError("a rule must hold", given="another"), AssertionError())
REASONS = ("_LinAlgError: no convergence", "a rule must hold. Given: another.", "AssertionError: ")


@pytest.fixture
def subject() -> Subject:
    return Subject(build("mlp", small_task(), generator=Generator().manual_seed(0), width=16), name="mine")


@pytest.mark.parametrize(("error", "reason"), list(zip(ERRORS, REASONS, strict=True)))
def test_an_error_becomes_its_reason_and_keeps_its_traceback(error, reason):
    def measure():
        raise error

    failed = attempt("choir", measure)
    assert failed == Failed(instrument="choir", reason=reason.strip())
    assert "in measure" in failed.traceback
    assert "Traceback" not in repr(failed)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), MemoryError(), SystemExit(), RuntimeError("[enforce fail] can't allocate memory")]
)
def test_an_interrupt_and_too_little_memory_end_the_audit(subject, error):
    with pytest.raises(MemoryError if isinstance(error, RuntimeError) else type(error)):
        audit(subject, small_task(), effort="quick", instruments=[Breaking("choir", error), Plain("fine")])


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_the_others_evidence_is_kept_in_one_process_or_two(subject, jobs):
    chosen = [Plain("fine"), *(Breaking(f"broken {k}", error) for k, error in enumerate(ERRORS)), Plain("fine")]
    done = audit(subject, small_task(), effort="quick", instruments=chosen, jobs=jobs)
    assert [item.instrument for item in done.evidence] == ["fine", "fine"]
    assert [(fault.instrument, fault.reason) for fault in done.failed] == [
        (f"broken {k}", reason.strip()) for k, reason in enumerate(REASONS)
    ]
    assert all("in read" in fault.traceback for fault in done.failed)


def test_where_the_network_is_judged_without_its_task_too(subject):
    class Blind(Plain):
        def data(self, subject, task, budget, rng):
            raise ValueError("nothing to see")

    class Undecided(Plain):
        def read(self, network, data, rng):
            raise ValueError("nothing to say")

    instruments = [Blind("blind"), Plain(), Undecided("undecided")]
    done = audit(subject, small_task(), effort="quick", level=0, instruments=instruments)
    assert [item.instrument for item in done.evidence] == ["plain"]
    found = [(fault.instrument, fault.reason) for fault in done.failed]
    assert found == [("blind", "ValueError: nothing to see"), ("undecided", "ValueError: nothing to say")]
    assert "in read" in done.failed[1].traceback


def test_where_learned_buffers_are_not_known_evidence_warns_and_what_broke_off_stays():
    class Elsewhere(nn.Module):
        """It is not trained here."""

        def __init__(self, inner, width):
            super().__init__()
            self.inner, self.norm = inner, nn.BatchNorm1d(width)

        def forward(self, tokens):
            if self.training:
                raise ValueError("it is trained elsewhere")
            return self.norm(self.inner(tokens))

    class Undecided(Plain):
        def read(self, network, data, rng):
            raise ValueError("nothing to say")

    inner = build("mlp", small_task(), generator=Generator().manual_seed(0), width=16)
    subject = Subject(Elsewhere(inner, small_task().objective.width()).eval())
    found = [
        audit(subject, small_task(), effort="quick", level=level, instruments=[Undecided("undecided"), Plain()])
        for level in (0, 2)
    ]
    for done in found:
        (kept,) = [warning for warning in done.evidence[0].warnings if "learned buffers" in warning]
        assert "norm.running_mean" in kept
        assert [(fault.instrument, fault.reason) for fault in done.failed] == [("undecided", "ValueError: nothing to say")]
    assert found[0].evidence[0].warnings == found[1].evidence[0].warnings


def test_a_report_tells_what_broke_off_on_its_page_in_its_file_and_on_the_terminal(subject, tmp_path):
    done = audit(subject, small_task(), effort="quick", instruments=[Breaking("choir", ERRORS[0]), Plain("fine")])
    page = write_report(tmp_path, done).read_text()
    assert "<b>Choir</b> failed: _LinAlgError: no convergence." in page
    assert "Choir failed, and the rest is reported" in page
    stored = json.loads((tmp_path / "report.json").read_text())["audit"]["failed"]
    assert stored == [{"instrument": "choir", "reason": "_LinAlgError: no convergence"}]
    assert read_report(tmp_path) == done
    assert "Failed  choir: _LinAlgError: no convergence" in summary_text(done)
    assert "Failed: choir: _LinAlgError: no convergence" in done._repr_html_()


@pytest.mark.slow
def test_what_cannot_be_sent_to_a_process_is_named(subject):
    subject.module.counts = (k for k in range(3))
    with pytest.raises(AssayError, match=r"it must be possible to pickle the network\. Given: TypeError"):
        audit(subject, small_task(), effort="quick", instruments=[Plain("fine"), Plain("fine")], jobs=2)


TRAIN = [
    "train",
    "modular:num_first=6,num_second=6,p=7",
    "--width",
    "8",
    "--depth",
    "1",
    "--steps",
    "2",
    "--quiet",
    "--out",
    "run",
]


def _broken(self, *args):
    raise ZeroDivisionError("one by nothing")


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_the_command_writes_the_report_and_ends_with_code_3(debug, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Systematicity, "data", _broken)
    assert main(TRAIN) == 0
    capsys.readouterr()
    words = ["audit", "run", "--effort", "quick", "--instrument", "systematicity", "decodability", "--out", "report"]
    assert main([*words, *debug]) == 3
    written = capsys.readouterr()
    assert "Failed  systematicity: ZeroDivisionError: one by nothing" in written.out
    assert written.out.endswith("report/report.html\n")
    assert "not complete: systematicity failed" in written.err
    assert ("Traceback" in written.err) == bool(debug)
    assert [item.instrument for item in read_report("report").evidence] == ["decodability"]


@pytest.mark.slow
def test_a_sweep_keeps_what_the_other_instruments_found(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Systematicity, "data", _broken)
    words = ["sweep", "modular-addition:p=13", "--over", "coverage=0.4", "--seeds", "1", "--set", "steps=2", "--out", "swept"]
    assert main([*words, "--instrument", "systematicity", "decodability", "--jobs", "1"]) == 3
    said = capsys.readouterr().err
    assert "an instrument failed in 1 of 1 networks" in said
    (cell,) = (tmp_path / "swept" / "runs").glob("*/cell.json")
    row = json.loads(cell.read_text())
    assert row["failed"] == {"systematicity": "ZeroDivisionError: one by nothing"}
    assert "decodability_gain" in row["values"]
    assert f"In {row['name']}, systematicity failed: ZeroDivisionError" in (tmp_path / "swept" / "sweep.html").read_text()


def test_a_factory_that_raises_is_told_by_its_address(tmp_path, monkeypatch):
    (tmp_path / "raising_factory.py").write_text("def build():\n    raise ZeroDivisionError('one by nothing')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        AssayError, match=r"raising_factory:build, which ends in ZeroDivisionError: one by nothing\. Next: make"
    ):
        load_subject("raising_factory:build")
