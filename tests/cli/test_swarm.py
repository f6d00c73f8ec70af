"""`assay swarm` end to end on a problem of the user's, what it writes, how it goes on, and its mistakes."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from assay.cli import main

pytestmark = pytest.mark.slow
PROBLEM = """
import torch
from torch import nn
from assay.swarm.expert import Expert, Factors
from assay.swarm.pool import ExpertPool
from assay.swarm.problem import Problem
from assay.swarm.scores import accuracy, log_probability
from assay.swarm.utility import ScoredItems, Utility


def problem():
    \"\"\"Two experts that each know two of four classes.\"\"\"
    rng = torch.Generator().manual_seed(0)
    network = nn.Linear(4, 4, bias=False)
    with torch.no_grad():
        network.weight.copy_(0.01 * torch.eye(4).roll(1, 0))
    halves = {"low": (0, 1), "high": (2, 3)}
    experts = {}
    for name, classes in halves.items():
        rows = torch.eye(4)[list(classes)]
        experts[name] = Expert(changes={"weight": Factors(down=rows, up=rows.T)})
    inputs = torch.eye(4).repeat(60, 1) + 0.1 * torch.randn(240, 4, generator=rng)
    items = ScoredItems(inputs, torch.arange(4).repeat(60))
    split = torch.arange(240)
    utility = Utility(items=items.take(split[:120]), test=items.take(split[120:]), score=accuracy, graded=log_probability)
    return Problem(network=network, pool=ExpertPool(network, experts, span="linear"), utility=utility, chance=0.25)


def number():
    return 3


def repeated():
    one = problem()
    one.utility.open_test()
    return one
"""
SMALL = ["--budget", "30", "--seeds", "3", "--nulls", "6", "--engine", "cmaes", "swarm", "--jobs", "1"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("experts_of_a_test.py").write_text(PROBLEM)


def test_a_problem_of_the_users_is_searched_judged_and_written(capsys):
    assert main(["swarm", "experts_of_a_test:problem", "--out", "out", *SMALL]) == 0
    sentence, page = capsys.readouterr().out.splitlines()
    assert page == "out/swarm.html"
    found = json.loads(Path("out/swarm.json").read_text())
    assert sentence == found["evidence"]["summary"]
    # Half of the items is answered by either expert: a sum that answers all is no composition, as every item is some expert's.
    assert found["verdict"] == "selected", sentence
    assert set(found["coefficients"]) == {"low", "high"}
    html = Path("out/swarm.html").read_text()
    for text in ("<h1>Selected</h1>", "Methods on one budget", "Score against evaluations", "TIES", "noise experts"):
        assert text in html, text
    weights = load_file("out/candidate.safetensors")["weight"]
    assert weights.diagonal().min() > 0.05
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "adapter",
        "candidate.safetensors",
        "journals",
        "swarm.html",
        "swarm.json",
    ]
    assert torch.isfinite(weights).all()


def test_adapters_and_texts_that_a_file_declares(capsys):
    pytest.importorskip("transformers")
    from texts_for_tests import write_problem

    from assay.swarm.expert import read_expert

    write_problem(Path("declared"))
    assert main(["swarm", "declared/experts.toml", "--out", "out", *SMALL]) == 0
    sentence, _ = capsys.readouterr().out.splitlines()
    assert sentence.startswith("Composed: ")
    found = json.loads(Path("out/swarm.json").read_text())
    assert found["necessary"] == ["first", "second"]
    # The adapter and the recipe hold what was found.
    head = read_expert(Path("out/adapter")).changes["lm_head.weight"].dense()
    base = load_file("declared/base/model.safetensors")["lm_head.weight"]
    torch.testing.assert_close(base + head, load_file("out/candidate.safetensors")["lm_head.weight"])
    recipe = Path("out/mergekit.yaml").read_text()
    for name, c in found["coefficients"].items():
        assert f'model: "declared/base+declared/adapters/{name}"\n    parameters:\n      weight: {c!r}\n' in recipe
    html = Path("out/swarm.html").read_text()
    assert "a LoRA adapter for PEFT is in the folder adapter; mergekit.yaml is a recipe for mergekit." in html


def test_a_stopped_command_goes_on_to_the_same_result(capsys, monkeypatch):
    assert main(["swarm", "experts_of_a_test:problem", "--out", "whole", *SMALL]) == 0
    from assay.swarm import study

    searched, calls = study._searched, []

    def stops(job):
        calls.append(job)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return searched(job)

    with monkeypatch.context() as patch:
        patch.setattr(study, "_searched", stops)
        assert main(["swarm", "experts_of_a_test:problem", "--out", "out", *SMALL]) == 130
    assert "Repeat the same command to continue" in capsys.readouterr().err
    assert len(list(Path("out/journals").iterdir())) == 4
    assert main(["swarm", "experts_of_a_test:problem", "--out", "out", *SMALL]) == 0
    assert Path("out/swarm.json").read_bytes() == Path("whole/swarm.json").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["world:flat"], ["Given: flat", "missing-skill"]),
        (["nothing"], ["package.module:function", "Given: nothing"]),
        (["nowhere.toml"], ["nowhere.toml"]),
        (["experts_of_a_test:number"], ["must return an assay.swarm", "Given: experts_of_a_test:number"]),
        (["experts_of_a_test:repeated"], ["may be scored once"]),
        (["experts_of_a_test:problem", "--engine", "cmeas"], ["Did you mean cmaes"]),
        (["experts_of_a_test:problem", "--seeds", "1"], ["seeds must be at least 3"]),
        (["experts_of_a_test:problem", "--budget", "1"], ["pay for each expert once"]),
    ],
)
def test_mistakes_are_told_in_one_line(words, told, capsys):
    assert main(["swarm", *words, "--out", "out", "--quiet"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(text in error for text in told), error
    assert not Path("out").exists()
