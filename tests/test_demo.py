"""The demo's promises on its training, and that an interrupted one goes on."""

import json
import runpy
from pathlib import Path

import pytest

from assay import demo
from assay.errors import AssayError
from assay.report import read_report
from assay.store import RunDirectory


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    demo.run_demo(out, seed=0, jobs=2)
    return out


@pytest.mark.slow
def test_two_networks_agree_on_what_they_saw_and_differ_on_what_they_did_not(folder):
    composing, memorising, untrained = (read_report(folder / network.name) for network in demo.NETWORKS)
    scores = {}
    for audit in (composing, memorising, untrained):
        behaviour = next(item for item in audit.evidence if item.instrument == "systematicity")
        scores[audit.subject.name] = [behaviour.measure(name).value for name in ("seen_score", "novel_score")]
    assert abs(scores["weight-decay-1"][0] - scores["weight-decay-0"][0]) <= 0.005
    assert scores["weight-decay-1"][1] >= 0.98
    assert scores["weight-decay-0"][0] >= 0.99
    assert scores["weight-decay-0"][1] <= 0.1
    answers = [(audit.verdict.novel.answer, audit.verdict.novel.basis) for audit in (composing, memorising)]
    assert answers == [("works", "measured"), ("does not work", "measured")]
    assert {audit.verdict.sharing.answer for audit in (composing, memorising)} == {"not resolved"}
    assert untrained.verdict.headline == "unlearned"
    assert len({audit.subject.architecture for audit in (composing, memorising, untrained)}) == 1


@pytest.mark.slow
def test_the_figures_that_readme_is_held_against_are_those_of_the_demo(folder):
    docs = Path(__file__).parents[1] / "docs"
    stored = json.loads((docs / "images" / "demo.json").read_text())
    now = runpy.run_path(str(docs / "write_demo.py"))["figures"](folder)
    scores, again = stored.pop("scores"), now.pop("scores")
    assert now == stored
    for name, of in scores.items():
        for key, values in of.items():
            assert again[name][key] == pytest.approx(values, abs=0.01), "`python docs/write_demo.py` writes them anew"


@pytest.mark.slow
def test_an_interrupted_demo_goes_on_without_training_again(folder):
    before = {network.name: RunDirectory.open(folder / network.name).read_record() for network in demo.NETWORKS}
    page = (folder / "comparison.html").read_bytes()
    for name in ("comparison.html", "comparison.json", "figures/comparison.svg", "figures/comparison.pdf"):
        (folder / name).unlink()
    (folder / "figures").rmdir()
    (folder / "untrained" / "report.html").unlink()
    with pytest.raises(AssayError, match="seed"):
        demo.run_demo(folder, seed=1, jobs=1)
    demo.run_demo(folder, seed=0, jobs=1)
    assert (folder / "comparison.html").read_bytes() == page
    assert before == {network.name: RunDirectory.open(folder / network.name).read_record() for network in demo.NETWORKS}
