"""Sweeps for real, on networks too small to learn anything: stored, continued, killed, grown and refined."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.errors import AssayError
from assay.jobs import Engine
from assay.models import load_subject
from assay.report import read_report
from assay.store import RunDirectory
from assay.sweep import Sweep, SweepPlan, finished, sweep
from assay.sweep.directory import SweepDirectory
from assay.sweep.grid import Cell

pytestmark = pytest.mark.slow

SMALL = {"steps": "4", "batch_size": "16"}


def plan(**changes) -> SweepPlan:
    fields = {
        "task": "modular-addition:p=13",
        "over": {"coverage": ("0.4", "0.6", "0.8"), "width": ("4", "8")},
        "seeds": 2,
        "settings": SMALL,
        "instruments": ("systematicity",),
    }
    return SweepPlan(**{**fields, **changes})


def results(done: Sweep) -> list[dict[str, object]]:
    return [row.result() for row in done.rows]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Sweep:
    return sweep(plan(), out=tmp_path_factory.mktemp("sweep") / "out")


def test_every_cell_is_trained_audited_and_stored_as_a_run(undisturbed):
    assert [row.name for row in undisturbed.rows] == [plan().grid.cell_name(cell) for cell in plan().grid.cells()]
    assert undisturbed.failures == ()
    for row in undisturbed.rows:
        folder = undisturbed.path / "runs" / row.name
        record = RunDirectory.open(folder).read_record()
        audit = read_report(folder)
        assert record.finished is not None
        assert (record.options["width"], record.training["seed"]) == (int(row.point["width"]), row.seed)
        assert f"coverage={row.point['coverage']}" in record.task
        assert f"seed={row.seed}" in record.task
        behaviour = audit.evidence[0]
        assert row.values["novel_score"] == behaviour.measure("novel_score").value
        nulls = {null.name: null.mean for null in behaviour.measure("novel_score").nulls}
        assert row.values["novel_score_null_untrained_copies"] == pytest.approx(nulls["untrained copies"])
        assert audit.subject.weights_sha256 == row.weights_sha256
        assert load_subject(str(folder)).num_weights() == row.num_weights


def test_a_cell_is_what_training_and_auditing_it_alone_gives(undisturbed, tmp_path):
    from assay.audit import audit
    from assay.instruments import load_instrument
    from assay.tasks import load_task
    from assay.training import train

    row = undisturbed.rows[3]
    config = {"steps": 4, "batch_size": 16, "seed": row.seed}
    run = train(row.task, "mlp", options={"width": 8}, config=config, out=tmp_path / "run")
    stored = RunDirectory.open(undisturbed.path / "runs" / row.name)
    for name, weight in run.read_weights().items():
        assert stored.read_weights()[name].allclose(weight, atol=1e-5)
    subject = load_subject(str(stored.path))
    subject.name = row.name
    alone = audit(subject, load_task(row.task), seed=row.seed, effort="quick", instruments=[load_instrument("systematicity")])
    assert alone.evidence == read_report(stored.path).evidence


def test_processes_change_nothing(undisturbed, tmp_path):
    assert results(sweep(plan(), out=tmp_path / "out", engine=Engine(jobs=2))) == results(undisturbed)


def test_a_finished_sweep_does_nothing_again(undisturbed):
    before = {path: path.stat().st_mtime_ns for path in undisturbed.path.rglob("*.safetensors")}
    assert results(sweep(plan(), out=undisturbed.path)) == results(undisturbed)
    assert before == {path: path.stat().st_mtime_ns for path in undisturbed.path.rglob("*.safetensors")}


def test_what_is_missing_is_made_again_to_the_same_bits(undisturbed, tmp_path):
    import shutil

    shutil.copytree(undisturbed.path, tmp_path / "copy")
    lost = [row.name for row in undisturbed.rows[::5]]
    for name in lost:
        (tmp_path / "copy" / "runs" / name / "cell.json").unlink()  # as when it was killed before the last file
    assert not set(lost) & finished(tmp_path / "copy")
    assert results(sweep(plan(), out=tmp_path / "copy")) == results(undisturbed)


def test_a_sweep_may_grow(undisturbed, tmp_path):
    import shutil

    shutil.copytree(undisturbed.path, tmp_path / "copy")
    more = plan(seeds=3, over={"coverage": ("0.2", "0.4", "0.6", "0.8"), "width": ("4", "8")})
    grown = sweep(more, out=tmp_path / "copy")
    assert len(grown.rows) == 24
    kept = {row.name: row for row in undisturbed.rows}
    assert all(row == kept[row.name] for row in grown.rows if row.name in kept)
    with pytest.raises(AssayError, match="seeds 3 there and 2 now"):
        sweep(plan(), out=tmp_path / "copy")


def test_refinement_adds_networks_round_by_round_and_resumes(tmp_path):
    asked = plan(refine=5, success=0.35)
    refined = sweep(asked, out=tmp_path / "one")
    assert len(refined.rows) == 17
    assert [row.round for row in refined.rows] == [0] * 12 + [1, 1, 2, 2, 3]
    assert len({row.name for row in refined.rows}) == 17
    (tmp_path / "one" / "runs" / refined.rows[-1].name / "cell.json").unlink()
    (tmp_path / "one" / "runs" / refined.rows[2].name / "cell.json").unlink()
    assert results(sweep(asked, out=tmp_path / "one")) == results(refined)
    assert results(sweep(asked, out=tmp_path / "two", engine=Engine(jobs=2))) == results(refined)


def test_what_was_refined_and_is_declared_later_is_one_row(tmp_path):
    few = plan(over={"width": ("4", "8")}, refine=1)
    SweepDirectory.begin(tmp_path / "out", few).add_round((Cell(("6",), 0),))
    refined = sweep(few, out=tmp_path / "out")
    assert [row.name for row in refined.rows if row.round] == ["width=6,seed=0"]
    declared = sweep(plan(over={"width": ("4", "6", "8")}, refine=1), out=tmp_path / "out")
    names = [row.name for row in declared.rows]
    assert len(names) == len(set(names)) == 6
    assert set(names) > {row.name for row in refined.rows}


def test_a_piece_that_cannot_be_trained_is_told_of_each_of_its_cells(tmp_path, monkeypatch):
    from assay.sweep import cell_group

    def refuse(models, *more, **named):
        raise AssayError("there must be training examples", given=f"none for {len(models)} models")

    monkeypatch.setattr(cell_group, "fit_many", refuse)
    grid = plan().grid
    done = sweep(plan(), out=tmp_path / "out")
    assert done.rows == ()
    assert {failure.name for failure in done.failures} == {grid.cell_name(cell) for cell in grid.cells()}
    assert all("there must be training examples. Given: none for" in failure.reason for failure in done.failures)


def test_one_cell_is_a_sweep(tmp_path):
    done = sweep(plan(over={"width": ("4",)}, seeds=1), out=tmp_path / "out")
    assert [row.name for row in done.rows] == ["width=4,seed=0"]


def test_a_cell_that_diverges_stops_no_other(tmp_path):
    asked = plan(over={"learning_rate": ("0.001", "1e30")}, seeds=2, settings={**SMALL, "clip": "1e30", "warmup": "0"})
    done = sweep(asked, out=tmp_path / "out")
    assert [row.point["learning_rate"] for row in done.rows] == ["0.001", "0.001"]
    assert [failure.name for failure in done.failures] == ["learning_rate=1e30,seed=0", "learning_rate=1e30,seed=1"]
    assert all("must stay finite" in failure.reason for failure in done.failures)
    assert not (tmp_path / "out" / "runs" / "learning_rate=1e30,seed=0" / "cell.json").exists()
    again = sweep(asked, out=tmp_path / "out")
    assert len(again.failures) == 2, "tried again, and told again"


KILLED = """
import sys
from test_run import plan
from assay.jobs import Engine
from assay.sweep import sweep
sweep(plan(), out=sys.argv[1], engine=Engine(jobs=int(sys.argv[2])))
"""


def test_a_sweep_killed_again_and_again_ends_with_the_same_results(undisturbed, tmp_path):
    out = tmp_path / "killed"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}
    kills = 0
    for wanted, jobs in ((1, 2), (7, 1)):  # of twelve
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(out), str(jobs)], env=environment)
        while child.poll() is None and len(finished(out)) < wanted:
            time.sleep(0.005)
        if child.poll() is None:
            child.kill()  # its workers end by themselves
            kills += 1
        child.wait()
    assert kills >= 2, "the sweep was too fast to be killed"
    assert results(sweep(plan(), out=out, engine=Engine(jobs=2))) == results(undisturbed)


def test_a_full_disk_keeps_what_is_finished(tmp_path, monkeypatch):
    from assay.sweep import directory

    real, left = directory.write_json, 8

    def limited(path, value):
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(28, "No space left on device", str(path))
        real(path, value)

    monkeypatch.setattr(directory, "write_json", limited)
    with pytest.raises(OSError, match="No space left"):
        sweep(plan(), out=tmp_path / "out")
    kept = finished(tmp_path / "out")
    assert 0 < len(kept) < 12
    monkeypatch.undo()
    before = {name: (tmp_path / "out" / "runs" / name / "cell.json").read_bytes() for name in kept}
    done = sweep(plan(), out=tmp_path / "out")
    assert len(done.rows) == 12
    assert before == {name: (tmp_path / "out" / "runs" / name / "cell.json").read_bytes() for name in kept}


def test_the_table_holds_every_number(undisturbed):
    with (undisturbed.path / "results.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 12
    assert [float(one["axis_coverage"]) for one in table] == [float(row.point["coverage"]) for row in undisturbed.rows]
    assert [float(one["novel_score"]) for one in table] == [row.values["novel_score"] for row in undisturbed.rows]
    assert {"novel_score_low", "novel_score_null_untrained_copies", "seen_score", "weights_sha256"} <= set(table[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("something", "a new or empty folder, or a sweep to continue.*holds other files"),
        (None, "a new or empty folder, or a sweep to continue.*which is a file"),
    ],
)
def test_a_folder_of_something_else_is_left_alone(tmp_path, content, message):
    out = tmp_path / "out"
    if content:
        out.mkdir()
        (out / "notes.txt").write_text(content)
    else:
        out.write_text("a file")
    with pytest.raises(AssayError, match=message):
        sweep(plan(), out=out)


def test_damage_and_other_versions_are_told(tmp_path):
    asked = plan(over={"width": ("4",)}, seeds=1)
    done = sweep(asked, out=tmp_path / "out")
    record = tmp_path / "out" / "sweep.json"
    whole = record.read_text()
    content = json.loads(whole)
    content["versions"]["torch"] = "0.0.1"
    record.write_text(json.dumps(content))
    with pytest.raises(AssayError, match="with the versions it was begun with"):
        sweep(asked, out=tmp_path / "out")
    record.write_text(whole[:50])
    with pytest.raises(AssayError, match=r"sweep.json must be whole JSON"):
        sweep(asked, out=tmp_path / "out")
    record.write_text(whole)
    cell = tmp_path / "out" / "runs" / done.rows[0].name / "cell.json"
    cell.write_text(cell.read_text()[:50])
    with pytest.raises(AssayError, match=r"cell.json must be whole JSON"):
        sweep(asked, out=tmp_path / "out")
