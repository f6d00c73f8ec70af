"""Supports: the published blessed and doomed sets, and what every kind of split promises."""

from itertools import combinations

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.tasks.supports import KINDS, all_supports, coverage, identifies, indicator, split_supports


def masks(*supports):
    return torch.tensor([sum(1 << module for module in support) for support in supports], dtype=torch.int64)


ONE_HOT = [(m,) for m in range(6)]
RING = [(m, (m + 1) % 6) for m in range(6)]
TRIANGLES = [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]


@pytest.mark.parametrize(
    ("supports", "fixed", "varying"),
    [
        pytest.param(ONE_HOT, False, False, id="doomed: one module at a time"),
        pytest.param(TRIANGLES, False, False, id="doomed: two triangles (of full rank, but apart)"),
        pytest.param(ONE_HOT + TRIANGLES, False, False, id="doomed: two triangles and one at a time"),
        pytest.param(RING, False, True, id="an even ring: doomed for fixed weights, blessed for varying ones"),
        pytest.param(ONE_HOT + RING, True, True, id="blessed: one at a time and a ring"),
        pytest.param([*RING, (0,)], True, True, id="a ring and one module alone: rank 6"),
        pytest.param(RING[:-1], False, True, id="a path"),
        pytest.param([(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0,)], False, False, id="a module that never occurs"),
        pytest.param([tuple(range(6))], False, True, id="all modules, always together"),
    ],
)
def test_blessed_and_doomed_sets(supports, fixed, varying):
    assert identifies(masks(*supports), 6, fixed_weights=True) is fixed
    assert identifies(masks(*supports), 6, fixed_weights=False) is varying


def test_an_odd_ring_has_full_rank():
    assert identifies(masks(*[(m, (m + 1) % 5) for m in range(5)]), 5, fixed_weights=True)


def test_identification_does_not_depend_on_names_or_order():
    generator = Generator().manual_seed(0)
    for _ in range(20):
        order = torch.randperm(6, generator=generator).tolist()
        renamed = [tuple(order[m] for m in support) for support in (ONE_HOT + RING)[::-1]]
        assert identifies(masks(*renamed), 6, fixed_weights=True)
        renamed = [tuple(order[m] for m in support) for support in TRIANGLES]
        assert not identifies(masks(*renamed), 6, fixed_weights=False)


@pytest.mark.parametrize(("num_modules", "max_active"), [(1, 1), (6, 2), (8, 3), (16, 3), (5, 5)])
def test_all_supports_are_all_sets(num_modules, max_active):
    expected = [set(s) for size in range(1, max_active + 1) for s in combinations(range(num_modules), size)]
    found = [set(row.nonzero().flatten().tolist()) for row in indicator(all_supports(num_modules, max_active), num_modules)]
    assert len(found) == len(expected)
    assert all(support in expected for support in found)


def test_coverage_agrees_with_a_graph_library():
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    generator = Generator().manual_seed(0)
    several = 0
    for _ in range(60):
        every = all_supports(12, 3)
        some = every[torch.randperm(len(every), generator=generator)[: int(torch.randint(1, 9, (1,), generator=generator))]]
        found = coverage(some, 12)
        present = indicator(some, 12).int().numpy()
        used = present.any(0)
        count, label = connected_components(csr_array(present[:, used].T @ present[:, used]))
        assert len(found.components) == count
        groups = {tuple(m for m, own in zip(used.nonzero()[0].tolist(), label, strict=True) if own == k) for k in range(count)}
        assert set(found.components) == groups
        assert found.usage == tuple(present.sum(0).tolist())
        several += count > 1
    assert several > 5, "the test saw only connected graphs"


def test_a_long_path_is_one_component():
    assert coverage(masks(*[(m, m + 1) for m in range(39)]), 40).connected


@pytest.mark.parametrize("no", [torch.zeros(0, dtype=torch.int64)])
def test_no_support_covers_nothing(no):
    assert coverage(no, 4).components == ()
    assert not coverage(no, 4).connected
    assert not identifies(no, 4, fixed_weights=False)


def split(kind, seed=0, *, num_modules=8, max_active=3, **options):
    generator = Generator().manual_seed(seed)
    return split_supports(kind, num_modules=num_modules, max_active=max_active, generator=generator, **options)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("num_train", [None, 28, 12])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_its_promise(kind, num_train, seed):
    trained, novel = split(kind, seed, num_train=num_train)
    full = split(kind, seed)
    covered = coverage(trained, 8)
    assert not set(trained.tolist()) & set(novel.tolist())
    assert set(full.trained.tolist()) | set(full.novel.tolist()) == set(all_supports(8, 3).tolist())
    assert len(trained) == (len(full.trained) if num_train is None else num_train) == len(trained.unique())
    assert torch.equal(novel, full.novel), "num_train must leave the novel supports as they are"
    if kind == "two_halves":
        assert covered.components == ((0, 1, 2, 3), (4, 5, 6, 7))
        assert len(full.trained) == 28
        assert all(support & 15 and support >> 4 for support in novel.tolist()), "a novel support inside a half"
    elif kind == "non_compositional":
        assert covered.components == (tuple(range(7)),)
        assert len(full.trained) == 63
        assert all(support >> 7 for support in novel.tolist()), "a novel support without the unseen module"
    else:
        assert covered.connected
        assert len(novel) == 23  # a quarter of 92
    if kind == "equal":
        assert max(covered.usage) - min(covered.usage) <= 1


def test_draws_differ_between_seeds_and_not_within_one():
    assert torch.equal(split("random", 1).novel, split("random", 1).novel)
    assert not torch.equal(split("random", 1).novel, split("random", 2).novel)


def test_every_support_is_novel_about_equally_often():
    counts = torch.zeros(1 << 6)
    for seed in range(300):
        counts[split("random", seed, num_modules=6, max_active=2, held_out=0.3).novel] += 1
    counts = counts[all_supports(6, 2)]
    expected = 300 * 6 / 21  # 86, standard deviation 8
    assert counts.min() > expected - 40
    assert counts.max() < expected + 40


@pytest.mark.parametrize("kind", ["random", "equal"])
def test_the_fewest_supports_that_hang_together_are_found(kind):
    trained = split(kind, num_modules=16, held_out=0.98851).trained  # 8 of 696 are needed to join 16 modules by threes
    assert len(trained) == 8
    assert coverage(trained, 16).connected


def test_uneven_halves():
    trained, novel = split("two_halves", num_modules=5, max_active=2)
    assert coverage(trained, 5).components == ((0, 1), (2, 3, 4))
    assert len(novel) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_train": 3}, r"modules 0 to 7 must all occur.*Given: num_train=3: 3 of 69.*Next: train at least 4 supports"),
        ({"held_out": 0.98}, r"must all occur.*Given: held_out=0.98: 2 of 92.*at least 4"),
        ({"kind": "two_halves", "num_train": 3}, r"modules 0 to 3 and modules 4 to 7 must all occur.*at least 4 supports"),
        ({"kind": "equal", "num_train": 3}, r"more than once more often.*Next: train at least"),
        ({"num_train": 70}, r"random has 1 to 69 trainable supports. Given: num_train=70"),
        ({"num_train": 0}, r"1 to 69 trainable supports. Given: num_train=0"),
        ({"held_out": 0.001}, r"at least one of the 92 supports.*Next: choose held_out of at least 0.0109"),
        ({"held_out": 1.0}, r"between 0 and 1. Given: 1.0"),
        ({"kind": "two_halves", "held_out": 0.2}, r"takes no held_out. Given: held_out=0.2"),
        ({"max_active": 1}, r"max_active must be 2 to num_modules, which is 8.*Given: 1"),
        ({"max_active": 9}, r"max_active must be 2 to num_modules, which is 8.*Given: 9"),
        ({"num_modules": 1, "max_active": 1}, r"num_modules must be 2 to 62. Given: 1"),
        ({"num_modules": 62, "max_active": 9}, r"at most 4000000 supports.*with up to 9 active"),
    ],
)
def test_what_cannot_be_met_is_told(options, message):
    with pytest.raises(AssayError, match=message):
        split(**{"kind": "random", **options})


def test_the_suggested_number_works():
    assert len(split("random", num_train=4).trained) == 4
    assert len(split("random", held_out=0.0109).novel) == 1
