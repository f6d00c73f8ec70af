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
from assay.computation.ability import DeclaresComputation, given_right_parents, greedy
from assay.computation.predictors import full_table, noisy_executor, step_table
from assay.instrument import run
from assay.instruments.subgraphs import Subgraphs
from assay.models import build
from assay.subject import Subject
from assay.tasks import load_task
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
    everything = TASK._graphs(rows)
    trained = TASK._graphs(TASK.combinations("seen"))
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
    tokens = np.where(values == MISSING, 0, values).reshape(len(rows), -1)[:, TASK._columns] + FIRST
    tokens = torch.cat([torch.from_numpy(tokens), torch.full((len(rows), 1), 2)], 1).clamp(max=TASK.input_spec.target_vocab - 1)

    def fresh(generator):
        drawn = torch.randint(FIRST, TASK.input_spec.target_vocab, tokens.shape, generator=generator)
        return Table(TASK, drawn, rows - TASK.high)

    return Subject(Table(TASK, tokens, rows - TASK.high), name=kind, fresh=fresh)


@cache
def evidence(kind):
    return run(INSTRUMENT, constructed(kind), TASK, effort="quick", seed=0)


FOUND = {
    "noisy executor": {"trained_steps", "novel_steps_recombined", "novel_steps_applied"},
    "one-hop table": {"trained_steps", "novel_steps_recombined"},
    "full-subgraph table": {"trained_steps"},
}


@pytest.mark.parametrize("kind", FOUND)
def test_constructed_networks_are_told_apart(kind):
    found = evidence(kind)
    assert {measure.key for measure in found.findings()} == FOUND[kind], found.summary
    calls = {"noisy executor": "operations", "one-hop table": "steps", "full-subgraph table": "subgraphs"}
    assert found.settings["call"] == calls[kind]
    table = next(figure for figure in found.figures if figure.name == "Local accuracy by cell")
    outside = sum(row[3] for row in table.rows if row[2] == "outside")
    assert found.settings["outside_coverage"] == outside
    told = any("may be substitution" in warning for warning in found.warnings)
    assert told == (kind == "noisy executor" and outside < 50)


def test_accuracies_are_those_that_were_built_in():
    assert evidence("noisy executor").measure("novel_steps_recombined").value == pytest.approx(0.97, abs=0.01)
    assert evidence("one-hop table").measure("novel_steps_recombined").value == 1.0
    assert evidence("full-subgraph table").measure("novel_steps_full_seen").value == 1.0
    assert evidence("full-subgraph table").measure("novel_steps_recombined").value < 0.4
    odds = evidence("full-subgraph table").measure("novel_log_odds_full_seen")
    assert odds.value > 3 > abs(odds.nulls[-1].values[0])


def test_figures_hold_layers_cells_and_nodes():
    figures = {figure.name: figure for figure in evidence("noisy executor").figures}
    assert list(figures) == ["Nodes by layer", "Local accuracy by cell", "Error kinds by layer", "Nodes of single examples"]
    layers = figures["Error kinds by layer"]
    assert [row[0] for row in layers.rows] == list(range(1, len(layers.rows) + 1))
    for row in layers.rows:
        assert sum(row[2:7]) == pytest.approx(1.0)
    cells = figures["Local accuracy by cell"]
    assert {row[2] for row in cells.rows} <= {"trained", "inside", "outside"}
    assert sum(row[3] for row in cells.rows) == 2_500 * 10
    kinds = {row[4] for row in figures["Nodes of single examples"].rows}
    assert {"correct", "local"} <= kinds


def test_a_network_that_was_trained():
    (learned,) = stepwise.trained(1, wrong=False)
    found = run(Subgraphs(), learned, stepwise.TASK, effort="quick", seed=0)
    assert found.measure("trained_steps").value > 0.95
    assert found.summary.startswith(("It ", "Not resolved"))


def test_without_novel_examples_trained_ones_are_read():
    (learned,) = stepwise.trained(1, wrong=False)
    found = run(Subgraphs(), learned, stepwise.few(30, 0), effort="quick", seed=0)
    assert found.measure("trained_steps").value is not None
    assert found.measure("novel_steps_recombined").value is None
    assert "Only trained inputs" in found.summary


# The ability, and decoding


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


def test_greedy_decoding_is_step_by_step():
    module = build("encoder-decoder", stepwise.TASK, generator=torch.Generator().manual_seed(0), width=16).eval()
    subject = Subject(module, name="untrained")
    inputs = stepwise.TASK.examples("novel", 7, generator=torch.Generator().manual_seed(0)).inputs
    tokens = greedy(subject)(inputs)
    for row in range(7):
        prefix = [1]
        for _ in range(inputs["prefix"].shape[1]):
            padded = torch.tensor([prefix + [0] * (inputs["prefix"].shape[1] - len(prefix))])
            with torch.no_grad():
                prefix.append(int(module(inputs["source"][row : row + 1], padded)[0, len(prefix) - 1].argmax()))
            if len(prefix) > inputs["prefix"].shape[1]:
                break
        assert tokens[row].tolist() == prefix[1:]
    once = given_right_parents(subject)({**inputs, "prefix": torch.cat([torch.ones(7, 1).long(), tokens[:, :-1]], 1)})
    assert torch.equal(once, tokens)  # its own tokens fed back in one pass


class Counted(nn.Module):
    """Says at every position the last token + 1 mod 7, and with `sees` the sum of all positions besides; counts its passes."""

    def __init__(self, *, sees: bool):
        super().__init__()
        self.sees, self.passes = sees, []

    def forward(self, source, prefix):
        self.passes.append(len(source))
        said = prefix + 1 + source + (prefix.sum(1, keepdim=True) if self.sees else 0)
        return F.one_hot(said % 7, 7).float()


def test_greedy_decoding_takes_one_pass_where_the_given_prefix_is_right_and_step_by_step_where_positions_see_later_ones():
    source = torch.tensor([[0], [0], [2]])
    counted = Counted(sees=False)
    tokens = greedy(Subject(counted))({"source": source, "prefix": torch.tensor([[1, 2, 3, 4]] * 3)})
    assert tokens.tolist() == [[2, 3, 4, 5], [2, 3, 4, 5], [4, 0, 3, 6]]
    assert counted.passes == [3, 3, 3, 3, 1, 1, 1], "three passes show that no position sees later ones"
    seeing = Counted(sees=True)
    tokens = greedy(Subject(seeing))({"source": source[:1], "prefix": torch.tensor([[1, 2, 3, 4]])})
    prefix = torch.tensor([[1, 0, 0, 0]])
    for place in range(4):
        said = seeing(source[:1], prefix)[:, place].argmax(-1)
        assert tokens[:, place] == said
        prefix[:, place + 1 : place + 2] = said
