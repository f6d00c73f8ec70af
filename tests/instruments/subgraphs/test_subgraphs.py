"""The instrument on networks whose answer is known: tables and executors in the place of weights, and one that is trained."""

import dataclasses
from functools import cache

import numpy as np
import pytest
import stepwise
import torch
from torch import nn
from torch.nn import functional as F

from assay.computation import MISSING
from assay.computation.ability import DeclaresComputation
from assay.computation.analysis import analyse
from assay.computation.predictors import full_table, noisy_executor, step_table
from assay.instrument import Random, run
from assay.instruments.subgraphs import Subgraphs
from assay.instruments.subgraphs.figures import accuracy_by_size, sizes_of
from assay.instruments.subgraphs.leaks import leaks_table
from assay.subject import Subject
from assay.tasks import load_task
from assay.tasks.multiplication import Multiplication
from assay.tasks.non_adjacent_sum import FIRST, NonAdjacentSum
from assay.tasks.scan import Scan

pytestmark = pytest.mark.slow
TASK = NonAdjacentSum(n=5, high=4, train=900, novel=4_000)
SIZES = Subgraphs().budgets["quick"]
INSTRUMENT = Subgraphs(budgets={"quick": dataclasses.replace(SIZES, examples=2_500)})


class Table(nn.Module):
    """Answers every list with fixed tokens, whatever stands before; untrained, with random ones."""

    def __init__(self, task, values, lists):
        super().__init__()
        self.vocab = task.input_spec.target_vocab
        self.base = 2 * task.high + 2
        keys = ((lists + task.high + 1) * self.base ** torch.arange(task.n)).sum(1)
        self.keys, order = keys.sort()
        self.tokens = values[order]

    def forward(self, source, prefix):
        keys = (source * self.base ** torch.arange(source.shape[1])).sum(1)
        rows = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        return F.one_hot(self.tokens[rows], self.vocab).float()


@cache
def constructed(kind):
    """A network that answers as a constructed predictor does when each step is on right values."""
    rng = np.random.default_rng(0)
    rows = torch.cat([TASK.combinations("seen"), TASK.combinations("novel")])
    everything = TASK._graphs(rows + 1)
    trained = TASK._graphs(TASK.combinations("seen") + 1)
    inner = ~everything.is_source
    if kind == "noisy executor":
        wrong = noisy_executor(everything, 0.03, rng) != everything.follow(noisy_executor(everything, 0.0, rng))
        values = np.where(inner & (rng.random(len(wrong)) < 0.03), rng.integers(0, 9, len(wrong)), everything.values)
    else:
        values = {"full-subgraph table": full_table, "one-hop table": step_table}[kind](trained, everything, rng)
        if kind == "one-hop table":  # on right values of the parents, as the instrument asks
            from assay.computation.analysis import STEP_TABLE, table_values
            from assay.computation.cells import seen

            values = table_values(trained, everything, seen(trained, everything), rng)[STEP_TABLE]
    written = [*range(TASK.n, 2 * TASK.n), *range(2 * TASK.n + 1, 3 * TASK.n + 1)]
    tokens = np.where(values == MISSING, 0, values).reshape(len(rows), -1)[:, written] + FIRST
    tokens = torch.cat([torch.from_numpy(tokens), torch.full((len(rows), 1), 2)], 1).clamp(max=TASK.input_spec.target_vocab - 1)

    def fresh(generator):
        drawn = torch.randint(FIRST, TASK.input_spec.target_vocab, tokens.shape, generator=generator)
        return Table(TASK, drawn, rows - TASK.high)

    return Subject(Table(TASK, tokens, rows - TASK.high), name=kind, fresh=fresh)


@cache
def evidence(kind):
    return run(INSTRUMENT, constructed(kind), TASK, effort="quick", seed=0)


FOUND = {
    "noisy executor": {"trained_steps", "novel_steps_recombined"},
    "one-hop table": {"trained_steps", "novel_steps_recombined"},
    "full-subgraph table": {"trained_steps"},
}
CALLS = {"noisy executor": "covered", "one-hop table": "steps", "full-subgraph table": "subgraphs"}


@pytest.mark.parametrize("kind", FOUND)
def test_constructed_networks_are_told_apart(kind):
    found = evidence(kind)
    assert {measure.key for measure in found.findings()} == FOUND[kind], found.summary
    assert found.settings["call"] == CALLS[kind]
    table = next(figure for figure in found.figures if figure.name == "Local accuracy by cell")
    new = [row for row in table.rows if row[1] == "step not seen"]
    assert found.settings["outside_coverage"] == sum(row[4] for row in new if row[2] == "outside") < 50
    assert found.settings["inside_coverage"] == sum(row[4] for row in new if row[2] == "inside")
    assert found.measure("novel_steps_outside_coverage").value is None  # too few
    assert found.measure("novel_steps_applied").value == pytest.approx(0.97 if kind == "noisy executor" else 0.2, abs=0.2)


def test_accuracies_are_those_that_were_built_in():
    assert evidence("noisy executor").measure("novel_steps_recombined").value == pytest.approx(0.97, abs=0.01)
    assert evidence("one-hop table").measure("novel_steps_recombined").value == 1.0
    assert evidence("full-subgraph table").measure("novel_steps_full_seen").value == 1.0
    assert evidence("full-subgraph table").measure("novel_steps_recombined").value < 0.4
    odds = evidence("full-subgraph table").measure("novel_log_odds_full_seen")
    assert odds.value > 3 > abs(odds.nulls[-1].values[0])


def test_copies_are_read_on_some_examples_of_every_cell_and_no_own_value_depends_on_which():
    few, whole = dataclasses.replace(SIZES, examples=2_500, copied=40), dataclasses.replace(SIZES, examples=2_500, copied=2_500)
    found = [
        run(Subgraphs(budgets={"quick": one}), constructed("noisy executor"), TASK, effort="quick") for one in (few, whole)
    ]
    fewer = 0
    for one, other in zip(*(evidence.measures for evidence in found), strict=True):
        assert (one.value, one.interval, one.repeats) == (other.value, other.interval, other.repeats), one.label
        assert [null.name for null in one.nulls] == [null.name for null in other.nulls], one.label
        for null, same in zip(one.nulls, other.nulls, strict=True):
            if null.units is not None and one.unit_ids:
                read = (~np.isnan(null.units)).all(0)
                assert read.sum() >= min(40, one.units)
                fewer += not read.all()
                assert null.mean == pytest.approx(same.mean, abs=0.05), one.label
    assert fewer >= 2
    assert found[0].summary == found[1].summary
    data = INSTRUMENT.data(constructed("noisy executor"), TASK, few, Random(0, "subgraphs"))
    inside = np.isin(data.novel.examples.combination, data.fewer.novel.examples.combination)[data.novel.graphs.example]
    assert np.array_equal(data.fewer.novel.graphs.values, data.novel.graphs.values[inside])
    assert np.array_equal(data.fewer.known.cell, data.known.cell[inside])


def test_figures_hold_layers_cells_and_nodes():
    found = evidence("noisy executor")
    figures = {figure.name: figure for figure in found.figures}
    assert list(figures) == [
        "Nodes by layer",
        "Computation graphs",
        "Error kinds by layer",
        "Local accuracy by cell",
        "Matched subgraphs and equivalent fragments",
        "Nodes of single examples",
        "What a few inputs give away",
    ]
    layers = figures["Error kinds by layer"]
    assert [int(row[0]) for row in layers.rows] == list(range(1, len(layers.rows) + 1))
    for row in layers.rows:
        assert sum(row[2:7]) == pytest.approx(1.0)
    cells = figures["Local accuracy by cell"]
    assert {row[2] for row in cells.rows} | {row[3] for row in cells.rows} <= {"trained", "inside", "outside"}
    assert sum(row[4] for row in cells.rows) == 2_500 * 10
    assert all((row[3] == "trained") == (row[1] == "full subgraph seen") for row in cells.rows)
    kinds = {row[4] for row in figures["Nodes of single examples"].rows}
    assert {"correct", "local"} <= kinds


def test_right_answers_by_size_are_counted_by_hand():
    task = Multiplication(first=2, second=2, smaller=True, train=400, novel=200)
    trained, examples = (task.examples(split, 400, generator=torch.Generator().manual_seed(0)) for split in ("seen", "novel"))
    graphs = task.computation(examples)
    values = graphs.values.copy()
    values[[graphs.find(example, "product 1.1") for example in range(0, 200, 4)]] += 1
    own = analyse(task.computation(trained), graphs, values)
    sizes = task.problem_sizes(examples)
    (found,) = accuracy_by_size(own, sizes)
    assert (found.rows, found.columns) == (("1", "2"), ("1", "2"))
    for i, j in ((0, 1), (1, 0), (1, 1)):
        (a, b), right = (np.stack(list(sizes.values())) == [[i + 1], [j + 1]]), np.arange(200) % 4 > 0
        assert found.values[i][j] == pytest.approx(right[a & b].mean())
    assert found.values[0][0] is None  # all pairs of this size were trained
    assert (found.down, found.across) == ("digits of the first factor", "digits of the second factor")
    one = {name: np.ones(200, np.int64) for name in sizes}
    assert accuracy_by_size(own, one) == ()
    assert len(sizes_of(graphs)["depth of the graph"]) == 200


def test_what_a_few_inputs_give_away_is_that_of_the_operations():
    task = Multiplication(first=2, second=2, train=400, novel=100)
    trained, examples = (task.examples(split, 400, generator=torch.Generator().manual_seed(0)) for split in ("seen", "novel"))
    known, graphs = task.computation(trained), task.computation(examples)
    values = graphs.values.copy()
    values[[graphs.find(example, "product 1.1") for example in range(0, 100, 4)]] += 1
    (table,) = leaks_table(known, analyse(known, graphs, values))
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    product = rows["product 1.1"]
    assert (product["right"], product["right in wrong answers"]) == (0.75, 0)
    assert product["gain of two"] == pytest.approx(1)  # of its two digits
    assert product["gain"] < 0.7
    assert set(product["two inputs"].split()) > {product["input"]}
    last = [row for row in table.rows if row[1] == str(graphs.layers.max())]
    assert max(row[5] for row in last) < 0.8  # of the whole product one digit tells little
    several = Multiplication(first=2, second=2, smaller=True, train=400, novel=100)
    mixed = several.computation(several.examples("seen", 400, generator=torch.Generator().manual_seed(0)))
    assert leaks_table(mixed, analyse(mixed, mixed, mixed.values)) == ()


def test_a_part_of_many_examples_is_no_beginning_of_them(monkeypatch):
    """Trained examples come in the order of their combinations."""
    monkeypatch.setattr("assay.instruments.subgraphs.leaks._MOST_EXAMPLES", 300)
    task = Multiplication(first=2, second=2, train=3_000, novel=100)
    trained = task.examples("seen", 3_000, generator=torch.Generator().manual_seed(0))
    known = task.computation(trained.in_canonical_order())
    (table,) = leaks_table(known, analyse(known, known, known.values))
    gains = [row[5] for row in table.rows if row[0].startswith("product")]  # of a product of two digits, from one of them
    assert max(gains) < 0.8


def test_where_there_are_many_nodes_fewer_examples_are_read_and_it_is_said(monkeypatch):
    task = Multiplication(first=2, second=2, train=400, novel=100)
    known = task.computation(task.examples("seen", 400, generator=torch.Generator().manual_seed(0)))
    (table,) = leaks_table(known, analyse(known, known, known.values))
    assert "over 400 of 400 trained examples" in table.note
    monkeypatch.setattr("assay.instruments.subgraphs.leaks._MOST_READ", 100 * 10 * len(table.rows))  # of 4 inputs, 10 sets
    (fewer,) = leaks_table(known, analyse(known, known, known.values))
    assert "over 100 of 400 trained examples" in fewer.note


def test_matched_subgraphs_stand_beside_equivalent_fragments_on_the_same_nodes():
    found = evidence("full-subgraph table")
    figures = {figure.name: figure for figure in found.figures}
    table, cells = figures["Matched subgraphs and equivalent fragments"], figures["Local accuracy by cell"]
    assert sum(row[2] for row in table.rows) == sum(row[4] for row in cells.rows)
    assert [row[:2] for row in table.rows if row[0] == "yes"] == [("yes", "trained")]
    assert table.rows[0][3] == 1.0
    for row in table.rows[1:]:
        assert row[0] == "no"
        assert row[1] in ("k = 1", "k = 2", "k = 3", "none")
        assert row[3] < 0.5  # a table of subgraphs does not know which act alike


def test_layers_lead_to_examples_whose_first_error_is_there():
    found = evidence("noisy executor")
    figures = {figure.name: figure for figure in found.figures}
    graphs, layers = figures["Computation graphs"], figures["Error kinds by layer"]
    named = {graph.name: graph for graph in graphs.graphs}
    assert len(named) == len(graphs.graphs)
    for row, name in zip(layers.rows, layers.leads_to, strict=True):
        assert name, row
        wrong = [step.layer for step in named[name].steps if step.kind not in ("input", "correct")]
        assert min(wrong) == int(row[0])
    (fine,) = [graph for name, graph in named.items() if name.startswith("without an error")]
    assert {step.kind for step in fine.steps} == {"input", "correct"}
    assert len(fine.edges) == sum(len(step.name.split(",")) for step in fine.steps if step.kind != "input")


def test_a_network_that_was_trained():
    (learned,) = stepwise.trained(1, wrong=False)
    found = run(Subgraphs(), learned, stepwise.TASK, effort="quick", seed=0)
    assert found.measure("trained_steps").value > 0.95
    assert found.summary.startswith(("The network ", "Not resolved"))


def test_without_novel_examples_trained_ones_are_read():
    (learned,) = stepwise.trained(1, wrong=False)
    found = run(Subgraphs(), learned, stepwise.few(30, 0), effort="quick", seed=0)
    assert found.measure("trained_steps").value is not None
    assert found.measure("novel_steps_recombined").value is None
    assert "Only trained inputs" in found.summary


# The ability


def test_tasks_declare_their_graphs():
    assert isinstance(TASK, DeclaresComputation)
    assert isinstance(Scan("addprim_jump"), DeclaresComputation)
    assert load_task("non-adjacent-sum:n=4,train=50,novel=60").address == "non-adjacent-sum:n=4,train=50,novel=60"
    assert set(map(tuple, TASK.combinations("seen").tolist())).isdisjoint(map(tuple, TASK.combinations("novel").tolist()))
    assert len(NonAdjacentSum(n=8, high=50, train=10, novel=10).combinations("novel").unique(dim=0)) == 10


@pytest.mark.parametrize("task", [TASK, Scan("addprim_jump")], ids=["sum", "scan"])
def test_perfect_answers_are_the_values_of_the_graph(task):
    examples = task.examples("novel", 40, generator=torch.Generator().manual_seed(0))
    graphs = task.computation(examples)

    def perfect(inputs):
        """The target, which the prefix gives away."""
        prefix = inputs["prefix"]
        targets = torch.cat([prefix[:, 1:], torch.zeros_like(prefix[:, :1])], 1)
        ends = (prefix != 0).sum(1) - 1
        targets[torch.arange(len(prefix)), ends] = 2
        return targets

    assert np.array_equal(task.node_values(examples, graphs, perfect), graphs.values)
    nothing = task.node_values(examples, graphs, lambda inputs: torch.zeros_like(inputs["prefix"]))
    assert (nothing[~graphs.is_source] == MISSING).all()
    none = examples.take(torch.arange(0))
    assert len(task.node_values(none, task.computation(none), perfect)) == 0
