"""Spanning trees and arborescences against every tree there is."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from assay.spanning import arborescence, directed_from, spanning_forest


def is_tree(heads: list[int]) -> bool:
    if sum(head < 0 for head in heads) != 1:
        return False
    for node in range(len(heads)):
        seen: set[int] = set()
        while node >= 0 and node not in seen:
            seen.add(node)
            node = heads[node]
        if node >= 0:
            return False
    return True


def total(heads: list[int], scores: torch.Tensor, roots: torch.Tensor) -> float:
    return sum(float(roots[d]) if h < 0 else float(scores[h, d]) for d, h in enumerate(heads))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_no_tree_scores_higher(n):
    every = [heads for heads in itertools.product(range(-1, n), repeat=n) if is_tree(list(heads))]
    assert len(every) == n ** (n - 1)  # Cayley: rooted labelled trees
    generator = Generator().manual_seed(n)
    for _ in range(15):
        scores, roots = torch.randn(n, n, generator=generator), torch.randn(n, generator=generator)
        found = arborescence(scores, roots).tolist()
        assert is_tree(found)
        assert total(found, scores, roots) == pytest.approx(max(total(list(heads), scores, roots) for heads in every), abs=1e-4)


numbers = st.floats(-1e3, 1e3, width=32)


@settings(max_examples=60)
@given(data=st.data(), n=st.integers(1, 12))
def test_an_arborescence_is_always_a_legal_tree(data, n):
    # Few different values, so that ties are common.
    value = st.one_of(numbers, st.sampled_from([0.0, 1.0, -1.0]))
    scores = torch.tensor(data.draw(st.lists(value, min_size=n * n, max_size=n * n))).view(n, n)
    roots = torch.tensor(data.draw(st.lists(value, min_size=n, max_size=n)))
    assert is_tree(arborescence(scores, roots).tolist())


@pytest.mark.parametrize("root", [8.0, -8.0, 1e6])
def test_roots_far_above_or_below_all_edges_are_one(root):
    assert is_tree(arborescence(torch.zeros(3, 3), torch.full((3,), root)).tolist())


def test_sizes_nought_and_one():
    assert arborescence(torch.zeros(0, 0), torch.zeros(0)).tolist() == []
    assert arborescence(torch.zeros(1, 1), torch.zeros(1)).tolist() == [-1]
    for num in (0, 1):
        assert spanning_forest(torch.zeros(num, 1, 1), torch.ones(num, 1, dtype=torch.bool)).shape == (0, 3)
        assert spanning_forest(torch.zeros(1, num, num), torch.ones(1, num, dtype=torch.bool)).shape == (0, 3)
    assert spanning_forest(torch.zeros(1, 2, 2), torch.zeros(1, 2, dtype=torch.bool)).shape == (0, 3)
    assert directed_from(torch.zeros(0, 2, dtype=torch.int64), 0, num=1).lt(0).tolist() == [True]


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_no_spanning_tree_is_shorter_whatever_is_left_out(n):
    """Many graphs at once, each with a node more that is left out. Two nodes may lie at the same place: a distance of nought is
    an edge like any other."""
    every = [heads for heads in itertools.product(range(-1, n), repeat=n) if is_tree(list(heads))]
    generator = Generator().manual_seed(n)
    apart = torch.rand(15, n + 1, n + 1, generator=generator)
    apart = apart + apart.mT
    apart[:, 0, 1] = apart[:, 1, 0] = 0
    kept = torch.ones(15, n + 1, dtype=torch.bool)
    kept[torch.arange(15), torch.randint(n + 1, (15,), generator=generator)] = False
    found = spanning_forest(apart, kept)
    for k, (table, some) in enumerate(zip(apart, kept, strict=True)):
        nodes, pairs = some.nonzero()[:, 0], found[found[:, 0] == k, 1:]
        assert bool(some[pairs].all())
        assert is_tree(directed_from(torch.searchsorted(nodes, pairs), 0, num=n).tolist())
        inside = table[nodes][:, nodes]
        shortest = min(sum(float(inside[d, h]) for d, h in enumerate(heads) if h >= 0) for heads in every)
        assert float(table[pairs[:, 0], pairs[:, 1]].sum()) == pytest.approx(shortest, abs=1e-5)


def test_a_tree_is_hung_up_where_it_is_told():
    pairs = torch.tensor([[0, 1], [2, 1], [1, 3]])
    for root, heads in ((0, [None, 0, 1, 1]), (3, [1, 3, 1, None]), (2, [1, 2, None, 1])):
        found = directed_from(pairs, root, num=5).tolist()
        assert found[root] < 0
        assert found[4] < 0  # is not in the tree
        assert all(found[node] == head for node, head in enumerate(heads) if head is not None)
