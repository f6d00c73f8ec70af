"""A file of answers in the place of a network: the same calls as of the network that wrote it, without copies."""

import dataclasses
import json
import re
from functools import cache

import numpy as np
import pytest
import stepwise
import torch
from torch import Generator

import assay
from assay.audit import audit
from assay.cli.main import main
from assay.computation.cells import FULL, seen
from assay.computation.predictions import save_prompts
from assay.computation.predictors import full_table, noisy_executor, step_table
from assay.errors import AssayError
from assay.evidence import UNTRAINED
from assay.instrument import run
from assay.instruments.subgraphs import Subgraphs
from assay.models import load_subject
from assay.predictions import PredictionLine, Predictions, save_lines
from assay.report import write_report
from assay.tasks.non_adjacent_sum import NonAdjacentSum

pytestmark = pytest.mark.slow
TASK = NonAdjacentSum(n=5, high=4, train=900, novel=1_500)
SIZES = dataclasses.replace(Subgraphs().budgets["quick"], tables=3, shuffles=3)
INSTRUMENT = Subgraphs(budgets={"quick": SIZES})
PREDICTORS = {"noisy executor": noisy_executor, "full-subgraph table": full_table, "one-hop table": step_table}
CALLS = {"noisy executor": "covered", "one-hop table": "steps", "full-subgraph table": "subgraphs"}


@cache
def lines(kind, seen=100, novel=500):
    found = []
    trained = TASK.computation(TASK.examples("seen", 10**6, generator=Generator().manual_seed(0)))
    rng = np.random.default_rng(0)
    for split, num in (("seen", seen), ("novel", novel)):
        examples = TASK.examples(split, num, generator=Generator().manual_seed(1))
        graphs = TASK.computation(examples)
        given = (graphs, 0.03, rng) if kind == "noisy executor" else (trained, graphs, rng)
        values = PREDICTORS[kind](*given)
        for k, one in enumerate(examples.combination.tolist()):
            rows = np.flatnonzero((graphs.example == k) & ~graphs.is_source).tolist()
            found.append(PredictionLine(id=one, nodes={graphs.names[graphs.name[row]]: int(values[row]) for row in rows}))
    return found


def file_of(tmp_path, kind="noisy executor", **given):
    save_lines(tmp_path / "answers.jsonl", lines(kind, **given))
    return tmp_path / "answers.jsonl"


@pytest.mark.parametrize("kind", PREDICTORS)
def test_the_call_is_that_of_the_predictor(tmp_path, kind):
    found = run(INSTRUMENT, Predictions(file_of(tmp_path, kind)), TASK, effort="quick")
    assert found.settings["call"] == CALLS[kind], found.summary
    assert found.measure("trained_steps").value == pytest.approx(0.97 if kind == "noisy executor" else 1.0, abs=0.01)
    assert all(null.name != UNTRAINED for measure in found.measures for null in measure.nulls)
    for key in ("novel_steps_recombined", "novel_steps_applied"):
        assert found.measure(key).p is not None
    gap = found.measure("composition_gap")
    executor, table = (next(null for null in gap.nulls if null.name.startswith(name)) for name in ("an executor", "table"))
    if kind == "noisy executor":
        assert abs(gap.value - executor.mean) < 0.02 < 0.1 < table.mean - gap.value
        assert table.p < 0.01 < 0.05 < executor.p
    if kind == "full-subgraph table":
        assert abs(gap.value - table.mean) < 0.02 < 0.1 < gap.value - executor.mean
        assert executor.p < 0.01 < 0.05 < table.p
    right = found.measure("novel_steps_recombined").value
    assert right == pytest.approx({"noisy executor": 0.97, "one-hop table": 1.0}.get(kind, 0.2), abs=0.15)
    assert any("nodes behind an error are left out" in one for one in found.not_tested)


def answers(task, split):
    """Every node of all examples right."""
    examples = task.examples(split, 10**6, generator=Generator().manual_seed(0))
    graphs, found = task.computation(examples), []
    for k, one in enumerate(examples.combination.tolist()):
        rows = np.flatnonzero((graphs.example == k) & ~graphs.is_source).tolist()
        found.append(PredictionLine(id=one, nodes={graphs.names[graphs.name[row]]: int(graphs.values[row]) for row in rows}))
    return found


def test_the_composition_gap_is_what_the_operations_would_add(tmp_path):
    """Five of the six nodes of each list stand above others, and o3 below none."""
    task = stepwise.TASK
    seen, novel = answers(task, "seen"), answers(task, "novel")

    def found(changed):
        save_lines(tmp_path / "answers.jsonl", [*seen, *changed])
        return run(INSTRUMENT, Predictions(tmp_path / "answers.jsonl"), task, effort="quick")

    right = found(novel).measure("composition_gap")
    assert right.value == 0
    assert -0.02 < right.interval.low < 0 < right.interval.high < 0.02
    other = [line.model_copy(update={"nodes": line.nodes | {"o3": 3 - line.nodes["o3"]}}) for line in novel]
    parts = found(other)  # without their whole
    assert parts.measure("composition_gap").value == pytest.approx(1 / 5)
    (layers,) = [figure for figure in parts.figures if figure.name == "Error kinds by layer"]
    assert layers.rows[0][-1] is None
    assert layers.rows[-1][-1] == 1 > 0 == layers.rows[-1][2]
    wholes = [line.model_copy(update={"nodes": {"o3": line.nodes["o3"]}}) for line in novel]  # without their parts
    assert found(wholes).measure("composition_gap").value == pytest.approx(-1 / 5)


@pytest.mark.parametrize("missing", [{"text": ""}, {"text": "no idea", "truncated": True}, {"nodes": {}}])
def test_of_answers_that_are_all_missing_the_composition_gap_is_undefined(tmp_path, missing):
    """No node is right, whether its parts are composed or not: that is no gap of 0."""
    task = stepwise.TASK
    seen, novel = answers(task, "seen"), answers(task, "novel")
    none = [PredictionLine(id=line.id, **missing) for line in novel]
    save_lines(tmp_path / "answers.jsonl", [*seen, *none])
    found = run(INSTRUMENT, Predictions(tmp_path / "answers.jsonl"), task, effort="quick").measure("composition_gap")
    assert found.value is None
    assert "0 examples with any value read at a node on computed arguments" in found.note
    half = len(novel) // 2
    other = [line.model_copy(update={"nodes": line.nodes | {"o3": 3 - line.nodes["o3"]}}) for line in novel[:half]]
    save_lines(tmp_path / "answers.jsonl", [*seen, *other, *none[half:]])
    found = run(INSTRUMENT, Predictions(tmp_path / "answers.jsonl"), task, effort="quick").measure("composition_gap")
    assert found.value == pytest.approx(1 / 5), "what is missing dilutes nothing"
    assert (found.units, found.note.split(" nodes")[0]) == (half, f"{5 * half:,} of {5 * len(novel):,}")


def test_novel_answers_alone_and_trained_ones_alone(tmp_path):
    found = run(INSTRUMENT, Predictions(file_of(tmp_path, seen=0)), TASK, effort="quick")
    assert found.measure("trained_steps").value is None
    assert found.measure("novel_steps_recombined").value is not None
    found = run(INSTRUMENT, Predictions(file_of(tmp_path, novel=0)), TASK, effort="quick")
    assert found.measure("trained_steps").value is not None
    assert found.summary == "Only trained inputs were read: the file has no answers to novel ones."


def test_what_is_missing_behind_right_values_is_wrong(tmp_path):
    """Right wherever the full subgraph was trained, and on every fifth other node; what is wrong elsewhere is left out."""
    trained = TASK.computation(TASK.examples("seen", 10**6, generator=Generator().manual_seed(0)))
    rng, found = np.random.default_rng(0), []
    for split, num in (("seen", 100), ("novel", 900)):
        examples = TASK.examples(split, num, generator=Generator().manual_seed(1))
        graphs = TASK.computation(examples)
        silent = (seen(trained, graphs).cell > FULL) & (rng.random(len(graphs)) < 0.8)
        for k, one in enumerate(examples.combination.tolist()):
            rows = np.flatnonzero((graphs.example == k) & ~graphs.is_source).tolist()
            nodes = {graphs.names[graphs.name[row]]: None if silent[row] else int(graphs.values[row]) for row in rows}
            found.append(PredictionLine(id=one, nodes=nodes))
    save_lines(tmp_path / "answers.jsonl", found)
    evidence = run(INSTRUMENT, Predictions(tmp_path / "answers.jsonl"), TASK, effort="quick")
    assert evidence.settings["call"] == "subgraphs", evidence.summary
    for key in ("novel_steps_recombined", "novel_steps_applied"):
        assert evidence.measure(key).value == pytest.approx(0.2, abs=0.07)
    missing = sum(value is None for line in found for value in line.nodes.values())
    (told,) = [warning for warning in evidence.warnings if "are missing in the answers to novel inputs" in warning]
    assert f"({missing:,} of {10 * 900:,})" in told
    assert "count as wrong" in told


def test_a_call_that_rests_on_empty_answers_is_told(tmp_path):
    """Four of five novel lists are answered, and these are right; of the others there is nothing."""
    seen_lines, novel = answers(TASK, "seen")[:100], answers(TASK, "novel")[:1_000]
    some = [line if k % 5 else line.model_copy(update={"nodes": {}}) for k, line in enumerate(novel)]
    save_lines(tmp_path / "answers.jsonl", [*seen_lines, *some])
    found = run(INSTRUMENT, Predictions(tmp_path / "answers.jsonl"), TASK, effort="quick")
    assert found.settings["call"] == "covered"
    (told,) = [warning for warning in found.warnings if "conclusion depends on missing values" in warning]
    assert "it would be: It is right on" not in told, "above every table"
    save_lines(tmp_path / "answers.jsonl", [*seen_lines, *novel])
    every = run(INSTRUMENT, Predictions(tmp_path / "answers.jsonl"), TASK, effort="quick")
    assert not any("missing" in warning for warning in every.warnings)


@pytest.mark.parametrize("missing", [{"text": ""}, {"text": "I cannot do this."}, {"nodes": {}}, {"nodes": {"d5": None}}])
def test_answers_of_which_nothing_could_be_read_are_no_data(tmp_path, missing):
    none = [PredictionLine(id=line.id, **missing) for line in lines("noisy executor")]
    save_lines(tmp_path / "answers.jsonl", none)
    nothing = run(INSTRUMENT, Predictions(tmp_path / "answers.jsonl"), TASK, effort="quick")
    assert "no value could be read of any of the 600 answers" in nothing.not_enough
    save_lines(tmp_path / "answers.jsonl", [*lines("noisy executor")[:100], *none[100:]])
    novel = run(INSTRUMENT, Predictions(tmp_path / "answers.jsonl"), TASK, effort="quick")
    assert novel.measure("novel_nodes_own_steps").value is None
    assert "no value could be read of any of 500 answers" in novel.measure("novel_nodes_own_steps").note
    assert "No value could be read of any of the 500 answers to novel inputs." in novel.warnings
    assert not any("truncated" in one or "last node" in one for one in novel.warnings)
    assert novel.settings["call"] == "unresolved"
    assert novel.measure("trained_steps").value == pytest.approx(0.97, abs=0.02)


def test_outputs_that_are_marked_as_truncated_may_be_whole(tmp_path):
    marked = [line.model_copy(update={"truncated": k % 2 == 0}) for k, line in enumerate(lines("noisy executor"))]
    save_lines(tmp_path / "answers.jsonl", marked)
    found = run(INSTRUMENT, Predictions(tmp_path / "answers.jsonl"), TASK, effort="quick")
    assert "300 outputs are marked as truncated in the file; 300 of them hold all values." in found.warnings
    assert not any("missing" in one or "last node" in one for one in found.warnings)


def test_outputs_that_were_cut_are_counted_apart(tmp_path):
    cut = [line.model_copy(update={"nodes": {"d5": line.nodes["d5"]}}) for line in lines("noisy executor")[100:130]]
    save_lines(tmp_path / "answers.jsonl", [*lines("noisy executor")[:100], *cut, *lines("noisy executor")[130:]])
    found = run(INSTRUMENT, Predictions(tmp_path / "answers.jsonl"), TASK, effort="quick")
    assert "30 outputs hold values, but none that could be read of their last node." in found.warnings
    assert not any("truncated" in warning for warning in found.warnings)
    assert found.settings["call"] == "covered"


def test_an_audit_of_a_file(tmp_path):
    path = file_of(tmp_path)
    result = audit(load_subject(str(path)), TASK, effort="quick", instruments=[INSTRUMENT], progress=None)
    assert [item.instrument for item in result.evidence] == ["subgraphs"]
    assert result.subject.num_weights == 0
    page = write_report(tmp_path / "report", result).read_text()
    assert "No network was run: a file of answers was read." in page
    assert 'href="#figure-' in page
    (target,) = set(re.findall(r'<a href="#(figure-\d+-1)">', page))
    assert f'<div id="{target}">' in page
    chosen = [assay.load_instrument("systematicity")]
    others = audit(load_subject(str(path)), TASK, effort="quick", instruments=chosen, progress=None)
    assert others.skipped[0].reason == "it runs the network, but only a file of its answers was given"


def test_the_command_audits_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = file_of(tmp_path)
    options = ["--instrument", "subgraphs", "--effort", "quick", "--out", "found"]
    assert main(["audit", str(path), "--task", TASK.address, *options]) == 0
    assert json.loads((tmp_path / "found" / "report.json").read_text())["audit"]["subject"]["name"] == "answers.jsonl"


def test_the_same_file_gives_the_same_evidence(tmp_path):
    path = file_of(tmp_path, "one-hop table")
    first, second = (run(INSTRUMENT, Predictions(path), TASK, effort="quick", seed=3) for _ in range(2))
    assert first == second


def test_what_cannot_be_read_is_named(tmp_path):
    path = file_of(tmp_path)
    with pytest.raises(AssayError, match=r"systematicity must run a network.*Given: answers.jsonl"):
        run(assay.load_instrument("systematicity"), Predictions(path), TASK, effort="quick")
    with pytest.raises(AssayError, match="answer only the examples in their file"):
        Predictions(path)({"source": torch.zeros(1, 5), "prefix": torch.zeros(1, 11)})
    save_lines(path, [*lines("noisy executor")[:3], PredictionLine(id=10**7, text="d1 = 3")])
    with pytest.raises(AssayError, match=r"must be the number of a combination of non-adjacent-sum.*Given: 10000000"):
        run(INSTRUMENT, Predictions(path), TASK, effort="quick")
    known = lines("noisy executor")[0].id
    save_lines(path, [PredictionLine(id=str(known), text="")])
    with pytest.raises(AssayError, match=f'Given: the string "{known}".*without quotation marks'):
        run(INSTRUMENT, Predictions(path), TASK, effort="quick")
    save_lines(path, [PredictionLine(id="first", text="")])
    with pytest.raises(AssayError, match="Given: first"):
        run(INSTRUMENT, Predictions(path), TASK, effort="quick")
    for far in (10**30, 2**63, -1, -(10**30)):
        save_lines(path, [*lines("noisy executor")[:3], PredictionLine(id=far, text="d1 = 3")])
        with pytest.raises(AssayError, match=f"Given: {far}"):
            run(INSTRUMENT, Predictions(path), TASK, effort="quick")
    path.write_text("\n")
    nothing = run(INSTRUMENT, Predictions(path), TASK, effort="quick")
    assert nothing.not_enough == "the file answers no example of the task"
    for twice in ('{"id": 1, "nodes": {"d1": 2, "d1": 3}}', '{"id": 1, "id": 2, "text": ""}'):
        path.write_text(twice)
        with pytest.raises(AssayError, match=r"line 1 must be a JSON object.*Given: (d1|id) comes twice"):
            Predictions(path)
    one = lines("noisy executor")[0]
    save_lines(path, [one, one])
    with pytest.raises(AssayError, match=r"line 2: every example must be answered once. Given: id \d+ again"):
        Predictions(path)


def test_prompts_have_the_ids_of_the_answers(tmp_path):
    save_prompts(tmp_path / "prompts.jsonl", TASK, "novel", 30)
    rows = [json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text().splitlines()]
    lists = TASK.combinations("novel")
    ids = TASK.combination_id(dict(zip(TASK.combines, lists.T, strict=True)))
    known = dict(zip(ids.tolist(), lists.tolist(), strict=True))
    for row in rows:
        values = [int(line.split(" = ")[1]) + TASK.high for line in row["prompt"].splitlines() if line.startswith("a")]
        assert known[row["id"]] == values
        asked = row["prompt"].rpartition("\n\n")[2]
        assert asked.startswith("Write one line `name = value` for each of these steps, in this order: d5 = best sum 1(a5), ")
        names = re.findall(r"\b([do]\d) = ", asked)
        assert names == [f"d{k}" for k in (5, 4, 3, 2, 1)] + [f"o{k}" for k in range(1, 6)]
    save_prompts(tmp_path / "told.jsonl", TASK, "novel", 30, instructions="A rule.")
    told = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert told == [row | {"prompt": f"A rule.\n\n{row['prompt']}"} for row in rows]
    save_lines(tmp_path / "echo.jsonl", [PredictionLine(id=row["id"], text=row["prompt"]) for row in rows])
    echo = run(INSTRUMENT, Predictions(tmp_path / "echo.jsonl"), TASK, effort="quick")
    assert "no value could be read of any of the 30 answers" in echo.not_enough
    with pytest.raises(AssayError, match="a task that declares its computation"):
        save_prompts(tmp_path / "none.jsonl", assay.load_task("modular"), "novel", 3)
