"""Supports: the published blessed and doomed sets, and what every kind of split promises."""

import math
from itertools import combinations

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.tasks.supports import KINDS, all_supports, coverage, identifies, indicator, split_supports
from assay.tasks.supports.masks import num_active


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
    assert coverage(no, 4) == ((0, 0, 0, 0), (), ())
    assert not coverage(no, 4).connected
    assert not identifies(no, 4, fixed_weights=False)


def split(kind, seed=0, *, num_modules=8, max_active=3, **options):
    generator = Generator().manual_seed(seed)
    return split_supports(kind, num_modules=num_modules, max_active=max_active, generator=generator, **options)


def sets(supports):
    return {frozenset(row.nonzero().flatten().tolist()) for row in indicator(supports, 62)}


LOW, HIGH = {0, 1, 2, 3}, {4, 5, 6, 7}
ONE_GROUP, HALVES = (tuple(range(8)),), ((0, 1, 2, 3), (4, 5, 6, 7))
NUM_TRAINABLE = {
    "random": 69,
    "equal": 69,
    "popular_modules": 69,
    "unpopular_modules": 69,
    "two_halves": 28,
    "connected": 24,
    "disconnected": 20,
    "pseudo_random_disconnected": 44,
    "non_compositional": 63,
}
GROUPS = {
    "two_halves": HALVES,
    "disconnected": HALVES,
    "pseudo_random_disconnected": ((0, 1), (2, 3, 4, 5, 6, 7)),
    "non_compositional": (tuple(range(7)),),
}


def most_active(kind):
    return 2 if kind in ("connected", "disconnected") else 3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("num_train", [None, 18, 13])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_its_promise(kind, num_train, seed):
    size = most_active(kind)
    trained, novel = split(kind, seed, max_active=size, num_train=num_train)
    full = split(kind, seed, max_active=size)
    covered = coverage(trained, 8)
    every = sets(all_supports(8, size))
    assert not sets(trained) & sets(novel)
    if kind not in ("connected", "disconnected"):
        assert sets(full.trained) | sets(full.novel) == every
    assert len(full.trained) == NUM_TRAINABLE[kind]
    assert len(trained) == (len(full.trained) if num_train is None else num_train) == len(trained.unique())
    assert torch.equal(novel, full.novel), "num_train must leave the novel supports as they are"
    assert sets(trained) <= sets(full.trained)
    assert trained.tolist() == sorted(trained.tolist())
    assert covered.components == GROUPS.get(kind, ONE_GROUP)
    assert covered.hotness == tuple(sum(len(s) == h for s in sets(trained)) for h in range(1, len(covered.hotness) + 1))
    if kind == "equal":
        assert max(covered.usage) - min(covered.usage) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_popular_modules_by_their_definition(seed):
    trained, novel = map(sets, split("popular_modules", seed))
    assert {s for s in trained if not s & {0, 1, 2}} == {s for s in trained if min(s) == 3}
    assert len({s for s in trained if min(s) == 3}) == 2, "67 supports have module 0, 1 or 2, so two fill up to 69"
    assert not any(s & {0, 1, 2} for s in novel)
    few, _ = map(sets, split("popular_modules", seed, held_out=0.8))
    assert len(few) == 19, "fewer than the 29 with module 0"
    assert all(0 in s for s in few)
    assert (
        split("popular_modules", 0, held_out=0.3).trained.tolist() != split("popular_modules", 1, held_out=0.3).trained.tolist()
    )


@pytest.mark.parametrize(("held_out", "core", "filled"), [(0.25, 7, 5), (0.5, 6, 3), (0.75, 4, 5), (0.9, 2, 1), (0.913, 2, 0)])
def test_unpopular_modules_by_their_definition(held_out, core, filled):
    trained, novel = split("unpopular_modules", held_out=held_out)
    usage = coverage(trained, 8).usage
    assert sets(all_supports(core, 3)) <= sets(trained)
    assert usage[core] == 1 + filled
    assert set(usage[core + 1 :]) <= {1}
    for support in sets(trained):
        outside = {m for m in support if m >= core}
        assert len(outside) <= 1, "a support with two modules outside the core"
        assert not outside or support - outside, "an unpopular module alone"
    assert len(novel) == math.floor(held_out * 92)


def test_connected_and_disconnected_by_their_definition():
    for size in (6, 7, 8, 11):
        connected, disconnected = (split(kind, num_modules=size, max_active=2) for kind in ("connected", "disconnected"))
        half = size // 2
        for a, b in combinations(range(size), 2):
            near = (b - a) % size in (1, 2) or (a - b) % size in (1, 2)
            inside = (a < half) == (b < half)
            assert ({a, b} in sets(connected.trained)) == near
            assert ({a, b} in sets(disconnected.trained)) == inside
            assert ({a, b} in sets(connected.novel)) == (not near and not inside)
        assert torch.equal(connected.novel, disconnected.novel)
        assert all({m} in sets(which.trained) for m in range(size) for which in (connected, disconnected))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("size", "held_out", "block"), [(8, 0.53, 2), (8, 0.66, 3), (8, 0.7, 4), (8, 0.9, 4), (16, 0.33, 2), (7, 0.7, 3)]
)
def test_blocks_are_as_even_as_the_share_allows(size, held_out, block, seed):
    trained, novel = split("pseudo_random_disconnected", seed, num_modules=size, held_out=held_out)
    covered = coverage(trained, size)
    assert covered.components == (tuple(range(block)), tuple(range(block, size)))
    assert min(covered.usage) > 0
    assert len(novel) == math.floor(held_out * len(all_supports(size, 3)))
    across = {s for s in sets(all_supports(size, 3)) if min(s) < block <= max(s)}
    assert across <= sets(novel)


def test_no_module_goes_unseen_in_blocks():
    # The published choice for 16 modules is one module against 15, which is seen alone or never.
    for seed in range(20):
        covered = coverage(split("pseudo_random_disconnected", seed, num_modules=16).trained, 16)
        assert min(covered.usage) > 1
        assert min(len(group) for group in covered.components) == 2
    with pytest.raises(AssayError, match=r"hold out 224 to 695 of 696 supports.*0.25, which is 174.*at least 0.32184"):
        split("pseudo_random_disconnected", num_modules=16, held_out=0.25)
    assert len(split("pseudo_random_disconnected", num_modules=16, held_out=0.32184).novel) == 224


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("connected", "disconnected")])
def test_kinds_are_matched_in_number_and_hotness(kind, seed):
    for hotness in ((7, 12, 8), (2, 12, 8)):
        if kind == "popular_modules" and hotness[0] == 7:
            continue  # it trains few modules alone
        trained, novel = split(kind, seed, hotness="-".join(map(str, hotness)))
        covered = coverage(trained, 8)
        assert covered.hotness == hotness
        assert covered.components == GROUPS.get(kind, ONE_GROUP)
        assert not sets(trained) & sets(novel)
        if kind == "equal":
            assert max(covered.usage) - min(covered.usage) <= 1
        if kind in ("random", "equal") and hotness[0] == 7:
            assert coverage(novel, 8).hotness == (0, 6, 17), "23 of the 1, 16 and 48 supports that are left over"


def test_two_halves_whole_is_matched_by_random():
    assert coverage(split("two_halves").trained, 8).hotness == (8, 12, 8)
    assert torch.equal(split("two_halves", hotness="8-12-8").trained, split("two_halves").trained)
    for seed in range(5):
        covered = coverage(split("random", seed, hotness="8-12-8").trained, 8)
        assert (covered.hotness, covered.connected) == ((8, 12, 8), True)
    with pytest.raises(AssayError, match=r"has 7-21-35 trainable supports.*Next: choose hotness=7-12-8, which is 27"):
        split("non_compositional", hotness="8-12-8")


def test_matched_draws_are_even_within_a_size():
    counts = torch.zeros(1 << 6)
    for seed in range(300):
        counts[split("random", seed, num_modules=6, max_active=2, hotness="2-9").trained] += 1
    for supports, expected in ((all_supports(6, 1), 100), (all_supports(6, 2), 180)):
        chosen = counts[supports[num_active(supports, 6) == num_active(supports, 6).max()]]
        assert (chosen - expected).abs().max() < 45  # five standard deviations


@pytest.mark.parametrize("options", [{"num_train": 39}, {"hotness": "0-39"}, {"hotness": "3-39"}])
def test_the_rarest_choice_that_hangs_together_is_found(options):
    # 39 pairs must be a tree to join 40 modules: hardly one even draw in 10^8 is one.
    for seed in range(3):
        covered = coverage(split("random", seed, num_modules=40, max_active=2, **options).trained, 40)
        assert covered.connected
        assert covered.hotness[1] == 39


@pytest.mark.parametrize("kind", ["random", "equal"])
@pytest.mark.parametrize(("size", "share", "num"), [(3, None, 14), (3, 0.5, 28), (3, 1.0, 56), (1, 1.0, 8), (2, 0.5, 14)])
def test_only_one_size_is_held_out(kind, size, share, num):
    trained, novel = split(kind, novel_hotness=size, held_out=share)
    assert len(novel) == num
    assert set(num_active(novel, 8).tolist()) == {size}
    assert sets(trained) | sets(novel) == sets(all_supports(8, 3)), "all others stay trained"
    assert coverage(trained, 8).connected


def test_more_modules_than_in_training():
    trained, novel = split("random", novel_hotness=5)
    assert sets(trained) == sets(all_supports(8, 3))
    assert sets(novel) == {frozenset(s) for s in combinations(range(8), 5)}
    matched = split("random", novel_hotness=4, hotness="7-12-8")
    assert coverage(matched.trained, 8).hotness == (7, 12, 8)
    assert len(matched.novel) == 70
    assert torch.equal(split("two_halves", novel_hotness=4).trained, split("two_halves").trained)


def test_other_kinds_keep_the_novel_supports_of_one_size():
    for kind in ("two_halves", "non_compositional", "popular_modules"):
        trained, novel = split(kind, novel_hotness=3)
        assert torch.equal(trained, split(kind).trained)
        assert sets(novel) == {s for s in sets(split(kind).novel) if len(s) == 3}
    with pytest.raises(AssayError, match=r"two_halves must have novel.*Given: novel_hotness=1. Choices: 2, 3"):
        split("two_halves", novel_hotness=1)


@pytest.mark.parametrize(
    ("num_train", "expected"), [("3.5M", {6: 21, 8: 28, 16: 56}), ("0.5M^2", {6: 18, 8: 32, 16: 128}), (20, {6: 20, 8: 20})]
)
def test_growth_with_the_modules(num_train, expected):
    for size, number in expected.items():
        assert len(split("random", num_modules=size, num_train=num_train).trained) == number


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
        ({"held_out": 0.001}, r"hold out 1 to 91 of 92 supports.*Given: held_out=0.001, which is 0.*at least 0.01087"),
        ({"held_out": 1.0}, r"between 0 and 1. Given: 1.0"),
        ({"kind": "two_halves", "held_out": 0.2}, r"takes no held_out. Given: held_out=0.2"),
        ({"kind": "unpopular_modules", "held_out": 0.95}, r"hold out 1 to 84 of 92.*which is 87.*at most 0.913043"),
        ({"kind": "pseudo_random_disconnected", "num_modules": 3}, r"at least 4 modules, two in each block. Given: 3"),
        (
            {"kind": "connected"},
            r"max_active=2 and at least 6 modules. Given: max_active=3 with 8 modules.*Next: choose random",
        ),
        ({"kind": "disconnected", "num_modules": 5, "max_active": 2}, r"at least 6 modules. Given: max_active=2 with 5"),
        ({"num_train": "many"}, r"grow with the number of modules M as in 3.5M or 0.5M\^2. Given: many"),
        ({"num_train": ""}, r"Given: nothing"),
        ({"num_train": "20M"}, r"1 to 69 trainable supports. Given: num_train=20M: 160 of them"),
        ({"num_train": "0.1M"}, r"1 to 69 trainable supports. Given: num_train=0.1M: 0 of them"),
        ({"hotness": "7-12"}, r"3 numbers joined by hyphens.*Given: 7-12"),
        ({"hotness": "7,12,8"}, r"3 numbers joined by hyphens"),
        ({"hotness": ""}, r"Given: nothing"),
        ({"hotness": "7-12-8", "num_train": 27}, r"takes no num_train. Given: hotness=7-12-8 and num_train=27"),
        (
            {"hotness": "9-12-8"},
            r"random has 8-22-39 trainable.*Given: hotness=9-12-8. Next: choose hotness=8-12-8, which is 28",
        ),
        ({"hotness": "8-0-0"}, r"must all occur.*Given: hotness=8-0-0: 8 of.*Next: train hotness=8-0-4, the nearest"),
        ({"hotness": "0-0-0"}, r"must all occur.*Next: train hotness=0-0-4"),
        ({"hotness": "8-28-40"}, r"cannot be trained. Given: 23 to hold out, but hotness=8-28-40 leaves 16.*at most 0.173913"),
        ({"novel_hotness": 0}, r"novel_hotness must be 1 to num_modules, which is 8. Given: 0"),
        ({"novel_hotness": 9}, r"novel_hotness must be 1 to num_modules, which is 8. Given: 9"),
        ({"novel_hotness": 4, "held_out": 0.1}, r"holds nothing out.*Given: novel_hotness=4 and held_out=0.1"),
        (
            {"novel_hotness": 1, "held_out": 0.1},
            r"hold out 1 to 8 of 8 supports.*Given: held_out=0.1, which is 0.*at least 0.125",
        ),
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
