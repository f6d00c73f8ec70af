"""Graphs: planted distances, two routes to them, and what is no tree."""

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.graph import Graph, coarse, depths, distances, tree

WORDS = ["the", "key", "to", "the", "cabinets", "is", "on", "a", "table", "."]
HEADS = (1, 5, 4, 4, 1, -1, 8, 8, 5, 5)
RELATIONS = ("det", "nsubj", "case", "det", "nmod:of", "root", "case", "det", "obl", "punct")


def planted() -> Graph:
    return tree(WORDS, HEADS, relation=RELATIONS)


def random_heads(n: int, generator: Generator) -> list[int]:
    """A random tree: in a random order every node hangs on an earlier one."""
    order = torch.randperm(n, generator=generator).tolist()
    heads = [-1] * n
    for k in range(1, n):
        heads[order[k]] = order[int(torch.randint(k, (1,), generator=generator))]
    return heads


def by_floyd_warshall(graph: Graph) -> torch.Tensor:
    far = torch.full((len(graph), len(graph)), float("inf")).fill_diagonal_(0)
    for head, dependent, _ in graph.edges:
        far[head, dependent] = far[dependent, head] = 1
    for k in range(len(graph)):
        far = torch.minimum(far, far[:, k : k + 1] + far[k : k + 1])
    return torch.where(far.isinf(), -1, far).to(torch.int16)


def test_a_tree_by_hand():
    graph = planted()
    assert graph.is_tree
    assert graph.head == HEADS
    assert graph.relation == RELATIONS
    assert graph.relations == ("det", "nsubj", "case", "det", "nmod", "case", "det", "obl", "punct")
    assert depths(graph).tolist() == [2, 1, 3, 3, 2, 0, 2, 2, 1, 1]
    far = distances(graph)
    assert far[0].tolist() == [0, 1, 3, 3, 2, 2, 4, 4, 3, 3]
    assert far.equal(far.T)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 30, 150])
def test_distances_of_trees_by_a_second_route(n: int, generator: Generator):
    graph = tree(["w"] * n, random_heads(n, generator), relation=["r"] * n)
    assert distances(graph).equal(by_floyd_warshall(graph))
    assert depths(graph).equal(distances(graph)[graph.head.index(-1)])


@pytest.mark.parametrize("num_edges", [0, 3, 12, 40])
def test_distances_of_graphs_by_a_second_route(num_edges: int, generator: Generator):
    ends = torch.randint(12, (num_edges, 2), generator=generator).tolist()
    edges = tuple((a, b, "r") for a, b in ends if a != b)
    graph = Graph(words=("w",) * 12, mentions=tuple((k,) for k in range(12)), edges=edges, punctuation=(False,) * 12)
    assert distances(graph).equal(by_floyd_warshall(graph))


def test_a_chain_longer_than_127_keeps_its_length():
    graph = tree(["w"] * 200, range(-1, 199), relation=["r"] * 200)
    assert int(distances(graph)[0, 199]) == int(depths(graph)[199]) == 199


def test_the_order_of_the_nodes_changes_nothing(generator: Generator):
    graph = planted()
    order = torch.randperm(len(graph), generator=generator)
    place = order.argsort().tolist()
    heads = [-1 if graph.head[k] < 0 else place[graph.head[k]] for k in order.tolist()]
    moved = tree([WORDS[k] for k in order.tolist()], heads, relation=[RELATIONS[k] for k in order.tolist()])
    assert distances(moved).equal(distances(graph)[order][:, order])
    assert depths(moved).equal(depths(graph)[order])


@pytest.mark.parametrize(
    "edges",
    [((0, 1, "a"),), ((0, 1, "a"), (1, 0, "a")), ((0, 2, "a"), (1, 2, "a")), ((0, 1, "a"), (1, 2, "a"), (0, 2, "b"))],
    ids=["in two pieces", "in a circle", "with two heads", "with one edge too many"],
)
def test_what_is_no_tree_has_no_heads(edges):
    graph = Graph(words=("a", "b", "c"), mentions=((0,), (1,), (2,)), edges=edges, punctuation=(False,) * 3, text="a b c")
    assert not graph.is_tree
    with pytest.raises(AssayError, match=r"heads are defined for trees.*Given: a b c"):
        _ = graph.head


def test_no_node_and_one_node():
    nothing = Graph(words=(), mentions=(), edges=(), punctuation=())
    assert not nothing.is_tree
    assert distances(nothing).shape == (0, 0)
    one = tree(["yes"], [-1], relation=["root"])
    assert one.is_tree
    assert one.head == (-1,)
    assert one.relation == ("root",)
    assert distances(one).tolist() == [[0]]


def test_sub_types_are_cut_only_where_asked():
    assert coarse("nsubj:pass") == "nsubj"
    assert coarse("punct") == "punct"
