"""Spanning trees against scipy's, arborescences against every tree there is."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from assay.instruments.polar.trees import arborescence, directed_from, spanning_trees


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
        found = arborescence(scores, roots)
        assert is_tree(found)
        assert total(found, scores, roots) == pytest.approx(max(total(list(heads), scores, roots) for heads in every), abs=1e-4)


numbers = st.floats(-1e3, 1e3, width=32)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n=st.integers(1, 12))
def test_an_arborescence_is_always_a_legal_tree(data, n):
    # Few different values, so that ties are common.
    value = st.one_of(numbers, st.sampled_from([0.0, 1.0, -1.0]))
    scores = torch.tensor(data.draw(st.lists(value, min_size=n * n, max_size=n * n))).view(n, n)
    roots = torch.tensor(data.draw(st.lists(value, min_size=n, max_size=n)))
    assert is_tree(arborescence(scores, roots))


def test_sizes_nought_and_one():
    assert arborescence(torch.zeros(0, 0), torch.zeros(0)) == []
    assert arborescence(torch.zeros(1, 1), torch.zeros(1)) == [-1]
    assert spanning_trees(torch.zeros(1, 0, 0), torch.zeros(1, 0, dtype=torch.bool)).shape == (1, 0)
    assert spanning_trees(torch.zeros(1, 1, 1), torch.ones(1, 1, dtype=torch.bool)).tolist() == [[-1]]
    assert spanning_trees(torch.zeros(1, 2, 2), torch.zeros(1, 2, dtype=torch.bool)).tolist() == [[-1, -1]]


def test_spanning_trees_are_scipys_whatever_is_left_out():
    from scipy.sparse.csgraph import minimum_spanning_tree

    generator = Generator().manual_seed(0)
    apart = torch.rand(20, 9, 9, generator=generator) + 0.1
    apart = apart + apart.mT
    real = torch.rand(20, 9, generator=generator) < 0.7
    real[:, 0] |= ~real.any(1)
    for parent, table, kept in zip(spanning_trees(apart, real), apart, real, strict=True):
        nodes = kept.nonzero()[:, 0]
        whole = minimum_spanning_tree(table[nodes][:, nodes].numpy())
        joined = (parent >= 0).nonzero()[:, 0]
        assert set(joined.tolist()) <= set(nodes.tolist())
        assert len(joined) == len(nodes) - 1
        assert float(table[joined, parent[joined]].sum()) == pytest.approx(float(whole.sum()), rel=1e-5)


def test_a_tree_is_hung_up_where_it_is_told():
    parent = [-1, 0, 1, 1]
    assert directed_from(parent, 0) == [-1, 0, 1, 1]
    assert directed_from(parent, 3) == [1, 3, 1, -1]
    assert all(is_tree(directed_from(parent, root)) for root in range(4))
