"""Computation graphs by construction, against their definitions computed another way, and at sizes 0 and 1."""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from assay.computation import (
    MISSING,
    Computations,
    FixedAlgorithm,
    NumberedTexts,
    Operation,
    examples_with,
    hashing,
    joined,
    step_hashes,
    subgraph_hashes,
)
from assay.errors import AssayError
from assay.tasks.algorithms import (
    modular_tree,
    multiplication,
    non_adjacent_sum,
    non_adjacent_values,
    pcfg_trees,
    scan_computations,
)
from assay.tasks.algorithms.pcfg import BINARY, UNARY
from assay.tasks.scan_grammar import commands

# research note, 6a
SIZES = {(1, 1): (2, 4), (2, 1): (4, 9), (2, 2): (6, 18), (3, 2): (8, 27), (3, 3): (9, 40), (4, 2): (10, 36), (4, 4): (12, 70)}
SIZES[5, 5] = (15, 108)


def numbers(digits, n, seed):
    return np.random.default_rng(seed).integers(10 ** (digits - 1), 10**digits, n)


@pytest.mark.parametrize("k", SIZES)
def test_multiplication_is_right_and_has_its_depth_and_size(k):
    first, second = numbers(k[0], 40, 0), numbers(k[1], 40, 1)
    graph = multiplication(first, second, *k)
    assert (graph.shapes.depth == SIZES[k][0]).all()
    assert (graph.shapes.nodes == SIZES[k][1]).all()
    assert np.array_equal(graph.values.reshape(40, -1)[:, -1], first * second)
    assert graph.shapes.parallelism == pytest.approx(SIZES[k][1] / SIZES[k][0])


def test_a_nonce_product_has_the_same_graph_and_other_values():
    own, nonce = (multiplication(numbers(3, 20, 0), numbers(2, 20, 1), 3, 2, nonce=nonce) for nonce in (False, True))
    assert np.array_equal(own.parents, nonce.parents)
    assert not np.array_equal(own.values, nonce.values)
    assert np.array_equal(own.shapes.depth, nonce.shapes.depth)


def best_choices(elements):
    """By trying all: 1 for every picked element, the lexicographically smallest of the best."""
    found = []
    for choice in itertools.product((1, 2), repeat=len(elements)):
        if any(a == b == 1 for a, b in itertools.pairwise(choice)):
            continue
        found.append((-sum(e for e, c in zip(elements, choice, strict=True) if c == 1), choice))
    return min(found)[1]


@pytest.mark.parametrize("k", [1, 2, 3, 4, 6])
def test_non_adjacent_sums_are_those_found_by_trying_all(k):
    elements = np.random.default_rng(k).integers(-5, 6, (60, k))
    graph, coarse = non_adjacent_sum(elements), non_adjacent_values(elements)
    wanted = [int("".join(map(str, best_choices(row)))) for row in elements.tolist()]
    assert graph.values.reshape(60, -1)[:, -1].tolist() == wanted
    outputs = coarse.values.reshape(60, -1)[:, -k:]
    assert (outputs @ 10 ** np.arange(k)[::-1]).tolist() == wanted
    if k >= 3:
        assert (graph.shapes.depth == 3 * k + 2).all()
        assert (graph.shapes.nodes == 7 * k - 1).all()


def test_sums_of_values_alone_have_one_layer_for_each_element():
    graph = non_adjacent_values(np.zeros((2, 6), np.int64), outputs=False)
    assert (graph.shapes.depth == 6).all()
    assert (graph.shapes.nodes == 12).all()


def test_modular_trees():
    leaves = np.random.default_rng(0).integers(0, 7, (50, 4))
    a, b, c, d = leaves.T
    graph = modular_tree(leaves, "+*-", modulus=7)
    assert np.array_equal(graph.values.reshape(50, -1)[:, -1], (a + b - c * d) % 7)
    assert (graph.shapes.depth == 2).all()
    nonce = [modular_tree(leaves, ("nonce", "+", "-"), modulus=7, seed=seed).values for seed in (0, 0, 1)]
    assert np.array_equal(nonce[0], nonce[1])
    assert not np.array_equal(nonce[0], nonce[2])


def test_pcfg_trees():
    graph = pcfg_trees(["append swap_first_last remove_first A B , C D E , echo shift F G", "A B"])
    assert [graph.domain.text(value) for value in graph.values[graph.operation >= 0]] == [
        "C D E",
        "E D C",
        "G F",
        "G F F",
        "E D C G F F",
    ]
    assert graph.shapes.depth.tolist() == [3, 0]
    assert set(UNARY) | set(BINARY) == {operation.name for operation in graph.operations}


@pytest.mark.parametrize(
    ("source", "rule"), [("append A", "comma"), ("reverse", "arguments"), ("A , B", "one expression"), ("", "arguments")]
)
def test_what_is_no_pcfg_expression_is_named(source, rule):
    with pytest.raises(AssayError, match=rule):
        pcfg_trees([source])


@pytest.mark.slow
def test_every_scan_command_is_interpreted_and_asked_by_parts():
    graph, asked = scan_computations(commands())
    last = np.append(np.flatnonzero(np.diff(graph.example)), len(graph) - 1)
    assert all(graph.domain.text(graph.values[k]) == " ".join(c.actions()) for k, c in zip(last, commands(), strict=True))
    few = np.random.default_rng(0).integers(0, len(graph), 300)
    for node in few[graph.operation[few] >= 0]:
        assert " ".join(asked[node].actions()) == graph.domain.text(graph.values[node])
    assert all((asked[node] is None) == (graph.operation[node] < 0) for node in few)


# Order and values


def random_graph(seed, nodes=40, examples=3):
    """A table of nodes in random order, and for each the length of the longest path to it, found by recursion."""
    rng = np.random.default_rng(seed)
    parents = np.full((nodes * examples, 2), -1)
    operation = np.full(nodes * examples, -1)
    for k in range(nodes * examples):
        within = k % nodes
        if within > 5:
            arity = int(rng.integers(1, 3))
            parents[k, :arity] = k - within + rng.integers(0, within, arity)
            operation[k] = rng.integers(0, 2)
    order = rng.permutation(nodes * examples)
    place = np.append(np.argsort(order), -1)
    add = Operation("add", lambda *some: sum(some))
    other = Operation("other", lambda *some: some[0] * 3 - sum(some[1:]))
    raw = Computations(
        operations=(add, other),
        operation=operation[order],
        parents=place[parents[order]],
        values=np.zeros(len(order), np.int64),
        example=(np.arange(nodes * examples) // nodes)[order],
        num_examples=examples,
        names=tuple(map(str, range(nodes))),
        name=(np.arange(nodes * examples) % nodes)[order],
    )
    values = raw.executed(rng.integers(0, 4, len(raw)))
    return Computations(**{field: getattr(raw, field) for field in raw.__dataclass_fields__} | {"values": values})


def test_layers_are_longest_paths():
    graph = random_graph(0)

    @cache
    def path(node):
        parents = [p for p in graph.parents[node].tolist() if p >= 0]
        return 1 + max(map(path, parents)) if parents else 0

    assert graph.layers.tolist() == [path(node) for node in range(len(graph))]
    assert [sorted(nodes) for nodes in graph.by_layer()] == [
        np.flatnonzero(graph.layers == layer).tolist() for layer in range(1, graph.layers.max() + 1)
    ]


def test_shapes_by_their_definitions():
    graph = random_graph(1)
    for example in range(3):
        layers = graph.layers[graph.example == example].tolist()
        counts = [layers.count(layer) for layer in range(max(layers) + 1)]
        shapes = [int(column[example]) for column in graph.shapes[:4]]
        assert shapes == [len(layers), max(layers), counts.index(max(counts)), max(counts)]
        assert graph.shapes.parallelism[example] == len(layers) / max(layers)


def test_values_follow_from_parents():
    graph = random_graph(2)
    assert np.array_equal(graph.follow(graph.values), graph.values)
    wrong = graph.values.copy()
    child = int(np.flatnonzero(graph.operation >= 0)[3])
    parent = int(graph.parents[child, 0])
    wrong[parent] = MISSING
    assert graph.follow(wrong)[child] == MISSING


def test_a_part_of_the_examples_has_the_same_graphs():
    graph = random_graph(3)
    few = graph.take(np.array([2, 0]))
    assert sorted(subgraph_hashes(few)[few.example == 0]) == sorted(subgraph_hashes(graph)[graph.example == 2])
    assert few.take(np.array([1, 0])).num_examples == 2
    both = joined([few, graph])
    assert both.num_examples == 5
    assert sorted(subgraph_hashes(both)[both.example == 4]) == sorted(subgraph_hashes(graph)[graph.example == 2])
    assert np.array_equal(both.follow(both.values), both.values)


# Hashes and counts


def unfolded(graph, node):
    parents = [p for p in graph.parents[node].tolist() if p >= 0]
    return int(graph.operation[node]), int(graph.values[node]), tuple(unfolded(graph, p) for p in parents)


def test_equal_hashes_are_equal_unfolded_subgraphs():
    graph = non_adjacent_values(np.random.default_rng(0).integers(-1, 2, (40, 3)))
    trees = [unfolded(graph, node) for node in range(len(graph))]
    numbers = {tree: k for k, tree in enumerate(dict.fromkeys(trees))}
    _, by_hash = np.unique(subgraph_hashes(graph), return_inverse=True)
    pairs = set(zip(by_hash.tolist(), [numbers[tree] for tree in trees], strict=True))
    assert len(pairs) == len(numbers) == by_hash.max() + 1


@pytest.mark.parametrize("together", [1, 7, 100])
def test_hashes_do_not_depend_on_how_many_nodes_are_hashed_together_nor_on_their_order(together, monkeypatch):
    graph = non_adjacent_values(np.random.default_rng(0).integers(-1, 2, (40, 3)))
    expected = subgraph_hashes(graph)
    order = np.random.default_rng(1).permutation(len(graph))
    place = np.argsort(order)
    mixed = replace(
        graph,
        operation=graph.operation[order],
        parents=np.where(graph.parents[order] < 0, -1, place[graph.parents[order]]),
        values=graph.values[order],
        example=graph.example[order],
        name=graph.name[order],
        known_layers=None,
    )
    monkeypatch.setattr(hashing, "_TOGETHER", together)
    assert np.array_equal(subgraph_hashes(graph), expected)
    assert np.array_equal(subgraph_hashes(mixed), expected[order])


def test_the_order_of_arguments_and_their_number_count():
    minus = Operation("minus", lambda a, *b: a - sum(b))
    recipe = FixedAlgorithm()
    x, y = recipe.source("x"), recipe.source("y")
    for name, parents in {"x-y": (x, y), "y-x": (y, x), "-x": (x,), "x-y-y": (x, y, y)}.items():
        recipe.node(name, minus, *parents)
    graph = recipe.computations(np.array([[0, 0], [5, 5], [3, 4]]))
    for hashes in (subgraph_hashes(graph), step_hashes(graph)):
        own = hashes.reshape(3, -1)
        assert len(set(own[2, 2:].tolist())) == 4
        assert own[0, 2] == own[0, 3]  # equal arguments in either order
        assert len({own[k, 2] for k in range(3)}) == 3


def test_one_hop_patterns_know_nothing_of_what_lies_further_back():
    recipe = FixedAlgorithm()
    x, y, z = (recipe.source(name) for name in "xyz")
    add = Operation("add", np.add)
    recipe.node("v", add, recipe.node("u", add, x, y), z)
    graph = recipe.computations(np.array([[1, 4, 2], [2, 3, 2]]))
    steps, full = step_hashes(graph).reshape(2, -1)[:, -1], subgraph_hashes(graph).reshape(2, -1)[:, -1]
    assert steps[0] == steps[1]
    assert full[0] != full[1]


def test_hashes_of_texts_do_not_depend_on_the_order_in_which_they_are_met():
    one, other = NumberedTexts(), NumberedTexts()
    other.parse("something else")
    source = ["append reverse A B , C D"]
    assert np.array_equal(subgraph_hashes(pcfg_trees(source, one)), subgraph_hashes(pcfg_trees(source, other)))
    assert not np.array_equal(pcfg_trees(source, one).values, pcfg_trees(source, other).values)


@pytest.mark.parametrize("shuffled", [False, True])
def test_examples_are_counted_once_each(shuffled):
    rng = np.random.default_rng(0)
    hashes, example = rng.integers(0, 30, 500).astype(np.uint64), rng.integers(0, 20, 500)
    if not shuffled:
        example.sort()
    wanted = np.arange(40).astype(np.uint64)
    slow = [len({e for h, e in zip(hashes, example, strict=True) if h == w}) for w in wanted]
    assert examples_with(hashes, example, wanted).tolist() == slow


def test_no_example_and_one():
    none, one = (non_adjacent_sum(np.zeros((n, 3), np.int64)) for n in (0, 1))
    assert len(none) == 0
    assert list(none.by_layer()) == []
    assert none.shapes.depth.tolist() == []
    assert subgraph_hashes(none).tolist() == []
    assert examples_with(subgraph_hashes(none), none.example, subgraph_hashes(one)).max() == 0
    assert examples_with(subgraph_hashes(one), one.example, subgraph_hashes(one)).min() == 1
    assert pcfg_trees([]).num_examples == 0
    assert scan_computations([])[0].num_examples == 0


# Bad input


def table(**changed):
    add = Operation("add", lambda a, b: a + b)
    columns = {
        "operations": (add,),
        "operation": np.array([-1, -1, 0, 0]),
        "parents": np.array([[-1, -1], [-1, -1], [0, 1], [2, 1]]),
        "values": np.array([1, 2, 3, 5]),
        "example": np.zeros(4, np.int64),
        "num_examples": 1,
        "names": ("x", "y", "s", "t"),
        "name": np.arange(4),
    }
    return Computations(**columns | changed)


def test_a_sound_table():
    assert table().layers.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"parents": np.array([[-1, -1], [-1, -1], [3, 1], [2, 1]])}, "no cycle. Given: one through (s|t) of example 0"),
        ({"parents": np.array([[-1, -1], [-1, -1], [0, 1], [3, 1]])}, "no cycle. Given: one through t"),
        ({"values": np.array([1, 2, MISSING, 5])}, "must have a value. Given: none for s"),
        ({"parents": np.array([[-1, -1], [-1, -1], [0, 9], [2, 1]])}, "node of the table"),
        ({"operation": np.array([-1, -1, -1, 0])}, "an operation and parents, or neither"),
        ({"example": np.array([0, 0, 1, 1]), "num_examples": 2}, "of one example"),
        ({"name": np.array([0, 1, 1, 3])}, "two called y"),
        ({"name": np.array([0, 1, 2, 4])}, "a name of a node must be a number from 0 to 3. Given: 4"),
        ({"example": np.zeros(4, np.int64) + 1}, "an example of a node must be a number from 0 to 0. Given: 1"),
        ({"example": np.zeros(4, np.int64) - 1}, "an example of a node"),
        ({"operation": np.array([-1, -1, 0, 7])}, "an operation of a node must be a number from -1 to"),
        ({"operation": np.array([-1, -1, 0, -2])}, "an operation of a node"),
    ],
)
def test_bad_graphs_are_named(changed, rule):
    with pytest.raises(AssayError, match=rule):
        table(**changed)


def test_a_node_that_is_not_there_is_named():
    with pytest.raises(AssayError, match="Choices: x, y, s, t"):
        table().find(0, "u")


@pytest.mark.parametrize(("first", "sizes"), [([5], (2, 1)), ([500], (2, 1)), ([5], (0, 1)), ([5], (9, 1))])
def test_numbers_must_have_their_digits(first, sizes):
    with pytest.raises(AssayError, match="digits"):
        multiplication(np.array(first), np.array([3]), *sizes)


@pytest.mark.parametrize("text", ["", "x", "1.5", "--1", "9" * 19, "\u00b2"])
def test_what_is_no_integer_is_missing(text):
    assert table().domain.parse(text) == MISSING


def plus(step):
    return Operation("plus", lambda a: a + step)


def algorithm():
    found = FixedAlgorithm()
    found.node("y", plus(1), found.source("x"))
    return found


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (
            lambda one: one.node("q", plus(5), 0),
            "algorithm must have different names. Given: two called plus",
        ),
        (lambda one: one.node("q", Operation("f", np.negative), -1), "from 0 to 1. Given: -1"),
        (lambda one: one.node("q", Operation("f", np.negative), 2), "from 0 to 1. Given: 2"),
        (lambda one: one.node("q", Operation("f", np.negative)), "must have parents. Given: none for q"),
        (lambda one: one.source("x"), "nodes must have different names. Given: two called x"),
        (lambda one: one.node("y", Operation("f", np.negative), 0), "Given: two called y"),
        (lambda one: one.computations(np.zeros((3, 2), np.int64)), r"rows of 1 whole numbers.* Given: shape \(3, 2\)"),
        (lambda one: one.computations(np.zeros((3, 0), np.int64)), r"Given: shape \(3, 0\)"),
        (lambda one: one.computations(np.array([[1.5]])), "whole numbers.* Given: float64 such as 1.5"),
    ],
)
def test_a_wrong_algorithm_is_named_and_stays_as_it_was(change, rule):
    one = algorithm()
    with pytest.raises(AssayError, match=rule):
        change(one)
    assert one.computations([[1], [2]]).values.tolist() == [1, 2, 2, 3]
    assert [operation.name for operation in one.operations] == ["plus"]


def test_one_operation_for_several_nodes_and_another_of_another_name():
    one, add = FixedAlgorithm(), plus(1)
    one.node("z", Operation("plus 5", lambda a: a + 5), one.node("y", add, one.source("x")))
    one.node("w", add, 0)
    assert one.computations([[1]]).values.tolist() == [1, 2, 7, 2]
    with pytest.raises(AssayError, match="must have a node"):
        FixedAlgorithm().computations(np.zeros((3, 0), np.int64))


@pytest.mark.parametrize("made", [non_adjacent_values, non_adjacent_sum])
def test_lists_of_lists_are_elements(made):
    assert np.array_equal(made([[3, 2, 4], [1, 0, 1]]).values, made(np.array([[3, 2, 4], [1, 0, 1]])).values)


@pytest.mark.parametrize(
    ("elements", "given"),
    [
        ([], r"shape \(0,\)"),
        (np.array([1, 2, 3]), r"shape \(3,\)"),
        (np.zeros((4, 0), np.int64), r"shape \(4, 0\)"),
        (np.zeros((4, 18), np.int64), r"shape \(4, 18\)"),
        (np.array([[1.5, 2.0, 3.0]]), "float64 such as 1.5"),
        ([[1, 2], [3]], "lists of different lengths"),
        (np.array([[2**63]], np.uint64), "uint64 such as 9223372036854775808"),
    ],
)
def test_what_is_no_list_of_whole_numbers_is_named(elements, given):
    with pytest.raises(AssayError, match=f"each of 1 to 17 whole numbers. Given: {given}"):
        non_adjacent_values(elements)
