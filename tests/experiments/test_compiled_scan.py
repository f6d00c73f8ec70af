"""The network whose weights are written: right on every command, read as the genuine end, while tables are not."""

import compiled_scan
import numpy as np
import pytest
import torch
from torch import Generator

from assay.computation.analysis import analyse
from assay.computation.decoding import greedy
from assay.computation.predictors import full_table
from assay.objective import PAD
from assay.subject import Subject
from assay.tasks.scan import Scan

pytestmark = pytest.mark.slow
TASK = Scan("addprim_jump")


@pytest.fixture(scope="module")
def network():
    return compiled_scan.build()


def drawn(split, num):
    return TASK.examples(split, num, generator=Generator().manual_seed(0))


@pytest.mark.parametrize("split", ["seen", "novel"])
def test_every_command_is_answered(network, split):
    examples = drawn(split, 600)
    logits = network(**examples.inputs)
    assert (TASK.score(logits, examples) == 1).all()
    best, other = logits.topk(2, -1).values.unbind(-1)
    assert (best - other)[examples.targets != PAD].min() > 9  # hard attention and rules leave nothing in between


def test_a_rule_is_one_unit_that_is_all_or_nothing():
    stream = compiled_scan.Stream({"a": "xyz", "b": "uv", "c": "t"})
    layer = compiled_scan.rules_layer(stream, [({"a": ("x", "y"), "b": "u"}, "c", "t")])
    for a in "xyz":
        for b in "uv":
            state = torch.zeros(1, stream.width)
            state[0, [stream.place["a", a], stream.place["b", b]]] = 1.0
            assert layer(state)[0, stream.place["c", "t"]] == (a in "xy" and b == "u")
    filled = compiled_scan.default_layer(stream, {"b": "v"})
    assert filled(torch.zeros(1, stream.width))[0, stream.place["b", "v"]] == 1.0
    assert filled(state)[0, stream.place["b", "v"]] == 0.0


def test_weights_carry_the_program(network):
    """Without one of its rule layers the network is wrong: nothing is computed elsewhere."""
    examples = drawn("seen", 60)
    for k in range(len(network.layers)):
        broken = compiled_scan.build()
        for weight in broken.layers[k].parameters():
            weight.data.zero_()
        assert (TASK.score(broken(**examples.inputs), examples) == 1).float().mean() < 0.5, k


def test_the_compiled_network_is_the_genuine_end_and_a_table_is_not(network):
    trained = TASK.computation(drawn("seen", 20_000))
    examples = drawn("novel", 150)
    tested = TASK.computation(examples)
    values = TASK.node_values(examples, tested, greedy(Subject(network)))
    found = analyse(trained, tested, values)
    assert np.array_equal(values, tested.values)
    assert found.call == "operations"
    assert found.sides.nodes[1] > 100
    table = analyse(trained, tested, full_table(trained, tested, np.random.default_rng(0)))
    assert table.call == "tables"
    assert not table.exact.any()
