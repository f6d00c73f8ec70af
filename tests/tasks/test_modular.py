"""Modular composition against a second route: plain Python on the maps that the task shows through its own examples."""

from collections import Counter

import pytest
import torch

from assay.errors import AssayError
from assay.task import SwapsParts
from assay.tasks.modular import Maps, Modular

EVERYTHING = 100_000


def truth(task, generator):
    """Every (i, j, x) of both splits with its target, as a dictionary of integers."""
    found = {}
    for split in ("seen", "novel"):
        examples = task.examples(split, EVERYTHING, generator=generator)
        rows = zip(*(examples.parts[name].tolist() for name in ("i", "j", "x")), examples.targets.tolist(), strict=True)
        for i, j, x, y in rows:
            assert (i, j, x) not in found
            found[i, j, x] = y
    return found


@pytest.mark.parametrize("maps", ["shift", "affine", "permutation"])
def test_targets_are_one_map_after_another(maps: Maps, generator):
    task = Modular(p=7, num_first=4, num_second=5, coverage=0.5, maps=maps)
    y = truth(task, generator)
    assert len(y) == 4 * 5 * 7
    assert all(sorted(y[i, j, x] for x in range(7)) == list(range(7)) for i in range(4) for j in range(5)), "not a bijection"
    # g_j f_i (g_j f_0)^-1 = g_j f_i f_0^-1 g_j^-1, and (g_j f_0)^-1 g_j f_i = f_0^-1 f_i: the second does not depend on j.
    for i in range(4):
        relative = set()
        for j in range(5):
            undo = {y[0, j, x]: x for x in range(7)}
            relative.add(tuple(undo[y[i, j, x]] for x in range(7)))
        assert len(relative) == 1, "f is not one function for all g"


def test_shift_targets_by_brute_force(generator):
    task = Modular(p=11, num_first=3, num_second=4, coverage=0.6, maps="shift")
    y = truth(task, generator)
    total = {(i, j): y[i, j, 0] for i in range(3) for j in range(4)}  # a_i + b_j mod p
    assert all(y[i, j, x] == (x + total[i, j]) % 11 for i, j, x in y)
    assert all((total[i, j] - total[0, j] - total[i, 0] + total[0, 0]) % 11 == 0 for i, j in total)


def test_affine_maps_are_affine(generator):
    y = truth(Modular(p=7, num_first=3, num_second=3, coverage=0.6, maps="affine"), generator)
    slopes = {(i, j): (y[i, j, 1] - y[i, j, 0]) % 7 for i in range(3) for j in range(3)}
    assert all(y[i, j, x] == (slopes[i, j] * x + y[i, j, 0]) % 7 for i, j, x in y)
    assert len(set(slopes.values())) > 1, "only shifts were drawn"


@pytest.mark.parametrize("maps", ["shift", "affine", "permutation"])
def test_three_stages_are_three_maps_of_which_none_is_the_identity(maps: Maps, generator):
    task = Modular(stages=3, p=5, num_first=3, num_second=4, num_third=2, coverage=0.5, maps=maps)
    found = {}
    for split in ("seen", "novel"):
        examples = task.examples(split, EVERYTHING, generator=generator)
        columns = (examples.parts[name].tolist() for name in ("i", "j", "k", "x", "z", "w"))
        for i, j, k, x, z, w, y in zip(*columns, examples.targets.tolist(), strict=True):
            found[i, j, k, x] = z, w, y
    assert len(found) == 3 * 4 * 3 * 5
    first = {(i, x): z for (i, _, _, x), (z, _, _) in found.items()}
    second = {(j, z): w for (_, j, _, _), (z, w, _) in found.items()}
    third = {(k, w): y for (_, _, k, _), (_, w, y) in found.items()}
    for (i, j, k, x), (_, _, y) in found.items():
        assert third[k, second[j, first[i, x]]] == y
    assert task.part("k").values == ("none", "0", "1")
    assert all(third[0, w] == w for w in range(5))
    assert all(sorted(third[k, w] for w in range(5)) == list(range(5)) for k in range(3))
    assert task.derived == {"z": ("i", "x"), "w": ("i", "j", "x")}


def test_two_stages_draw_what_they_drew_before_there_were_three(generator):
    two, three = Modular(), Modular(stages=3, coverage=0.5)
    a, b = (task.examples("seen", EVERYTHING, generator=generator).parts for task in (two, three))
    maps = [{(i, x): z for i, x, z in zip(*(parts[n].tolist() for n in "ixz"), strict=True)} for parts in (a, b)]
    assert maps[0] == maps[1]


@pytest.mark.parametrize("stages", [2, 3])
def test_held_out_pairs_are_trained_with_no_third_map(stages):
    task = Modular(stages=stages, num_first=5, num_second=6, num_third=2, novel="pairs", coverage=0.6)
    trained, novel = ({(i, j) for i, j, *_ in task.combinations(split).tolist()} for split in ("train", "novel"))
    assert not trained & novel
    assert len(novel) == 4
    assert len(task.combinations("novel")) == 4 * (1 if stages == 2 else 3)


def test_depth_trains_two_stages_and_a_few_of_every_third_map():
    task = Modular(stages=3, num_first=6, num_second=6, num_third=3, novel="depth", coverage=0.4)
    trained, novel = (task.combinations(split).tolist() for split in ("train", "novel"))
    assert Counter(k for _, _, k in trained) == {0: 58 - 36, 1: 12, 2: 12, 3: 12}
    assert Counter(k for _, _, k in novel) == {1: 24, 2: 24, 3: 24}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("rows", "columns", "coverage"), [(11, 11, 0.8), (3, 9, 0.34), (9, 3, 0.34), (2, 2, 0.5)])
def test_every_value_is_trained_and_the_splits_share_nothing(rows, columns, coverage, seed):
    task = Modular(num_first=rows, num_second=columns, coverage=coverage, seed=seed)
    trained = {tuple(pair) for pair in task.combinations("train").tolist()}
    novel = {tuple(pair) for pair in task.combinations("novel").tolist()}
    assert torch.equal(task.combinations("train"), task.combinations("seen"))
    assert {i for i, _ in trained} == set(range(rows))
    assert {j for _, j in trained} == set(range(columns))
    assert not trained & novel
    assert len(trained | novel) == rows * columns
    assert len(trained) == round(coverage * rows * columns)


def test_examples_hold_what_they_say(generator):
    task = Modular(p=5, num_first=3, num_second=4, coverage=0.5)
    examples = task.examples("train", 500, generator=generator)
    i, j, x = (examples.parts[name] for name in ("i", "j", "x"))
    assert torch.equal(examples.inputs["tokens"], torch.stack([i, 3 + j, 7 + x], 1))
    assert torch.equal(examples.combination, i * 4 + j)
    assert examples.inputs["tokens"].max() < task.input_spec.vocab
    assert {tuple(pair) for pair in torch.stack([i, j], 1).tolist()} == {
        tuple(row) for row in task.combinations("train").tolist()
    }


def test_a_finite_split_is_given_whole_and_once(generator):
    task = Modular(p=5, num_first=3, num_second=4, coverage=0.5)
    for split, pairs in (("seen", 6), ("novel", 6)):
        rows = [tuple(row) for row in task.examples(split, EVERYTHING, generator=generator).inputs["tokens"].tolist()]
        assert len(rows) == pairs * 5
        assert max(Counter(rows).values()) == 1
        assert len({tuple(r) for r in task.examples(split, 7, generator=generator).inputs["tokens"].tolist()}) == 7


@pytest.mark.parametrize("split", ["train", "seen", "novel"])
@pytest.mark.parametrize("n", [0, 1])
def test_sizes_zero_and_one(split, n, generator):
    examples = Modular().examples(split, n, generator=generator)
    assert len(examples) == n
    assert examples.inputs["tokens"].shape == (n, 3)
    assert examples.targets.dtype == torch.int64


@pytest.mark.parametrize("part", ["i", "j", "x"])
def test_swap_agrees_with_the_examples_that_have_that_combination(part, generator):
    task = Modular(p=7, num_first=4, num_second=4, coverage=0.5, maps="permutation")
    assert isinstance(task, SwapsParts)
    y = truth(task, generator)
    base = task.examples("seen", 40, generator=generator)
    source = task.examples("seen", 40, generator=generator)
    swapped = task.swap(base, source, part)
    expected = []
    for row in range(40):
        values = {name: int(base.parts[name][row]) for name in ("i", "j", "x")}
        values[part] = int(source.parts[part][row])
        expected.append(y[values["i"], values["j"], values["x"]])
    assert swapped.targets.tolist() == expected
    assert torch.equal(swapped.parts[part], source.parts[part])
    assert torch.equal(swapped.combination, task.combination_id(swapped.parts))
    assert any(swapped.targets != base.targets)


def test_swapping_with_itself_changes_nothing(generator):
    task = Modular()
    base = task.examples("seen", 30, generator=generator)
    swapped = task.swap(base, base, "j")
    assert torch.equal(swapped.targets, base.targets)
    assert torch.equal(swapped.combination, base.combination)
    with pytest.raises(AssayError, match="no such part"):
        task.swap(base, base, "k")


def test_one_seed_one_task_and_one_draw():
    same = [Modular(seed=3).examples("train", 50, generator=torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(same[0].inputs["tokens"], same[1].inputs["tokens"])
    assert torch.equal(same[0].targets, same[1].targets)
    assert not torch.equal(Modular(seed=3).combinations("train"), Modular(seed=4).combinations("train"))


def test_score_of_the_ideal_output_is_one(generator):
    task = Modular()
    examples = task.examples("novel", 50, generator=generator)
    assert task.score(task.objective.ideal(examples.targets), examples).eq(1).all()
    assert task.combination_name([3, 7]) == "i=3, j=7"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 1}, "p must be at least 2.*Given: 1"),
        ({"coverage": 0.0}, "between 0 and 1.*Given: 0.0"),
        ({"coverage": 1.0}, "between 0 and 1.*Given: 1.0"),
        ({"coverage": float("nan")}, "between 0 and 1.*Given: nan"),
        ({"coverage": 0.05}, "11 to 120 of them.*0.05 of 121 combinations is 6.*choose a coverage between 0.091 and 0.99"),
        ({"num_first": 1}, "num_first must be at least 2. Given: 1"),
        ({"stages": 4}, "stages must be between 2 and 3. Given: 4"),
        ({"novel": "depth"}, "novel=depth needs three stages. Given: stages=2. Next: add stages=3"),
    ],
)
def test_errors_say_what_was_given(options, message):
    with pytest.raises(AssayError, match=message):
        Modular(**options)


def acts(task, part, generator):
    """What every value of a part does: its answers in all contexts of the other slots."""
    y = truth(task, generator)
    found: dict[int, set] = {}
    for (i, j, x), answer in y.items():
        value, context = (i, (j, x)) if part == "i" else (j, (i, x))
        found.setdefault(value, set()).add((context, answer))
    return [frozenset(does) for _, does in sorted(found.items())]


@pytest.mark.parametrize("maps", ["shift", "affine", "permutation"])
@pytest.mark.parametrize("seed", range(5))
def test_no_two_values_act_identically(maps: Maps, seed, generator):
    task = Modular(p=5, num_first=5, num_second=4, coverage=0.5, maps=maps, seed=seed)
    for part, count in (("i", 5), ("j", 4)):
        assert len(set(acts(task, part, generator))) == count


def test_synonyms_are_a_control_that_has_to_be_asked_for(generator):
    assert len(set(acts(Modular(p=5, num_first=12, num_second=12, synonyms=True), "i", generator))) <= 5
    with pytest.raises(
        AssayError, match=r"num_first must be at most the number of different maps.*Given: 12 of 5 \(shift mod 5\)"
    ):
        Modular(p=5, num_first=12)
    with pytest.raises(AssayError, match="Given: 21 of 20 \\(affine mod 5\\)"):
        Modular(p=5, num_second=21, maps="affine")
    with pytest.raises(AssayError, match=r"Given: 5 of 4 .*num_third of at most 4"):
        Modular(p=5, num_third=5, stages=3)
    assert Modular(p=5, num_first=5, num_second=20, maps="affine").num_second == 20, "the largest that there can be"


@pytest.mark.parametrize(
    ("p", "maps", "counts"), [(11, "shift", (11, 11, 4)), (13, "shift", (12, 12, 4)), (3, "affine", (6, 6, 4))]
)
def test_unless_said_there_are_as_many_maps_as_can_differ_up_to_twelve(p, maps: Maps, counts):
    task = Modular(p=p, maps=maps, stages=3, coverage=0.5)
    assert (task.num_first, task.num_second, task.num_third) == counts


def test_three_stages_have_no_synonym_of_none(generator):
    for seed in range(5):
        task = Modular(stages=3, p=4, num_first=3, num_second=3, num_third=3, coverage=0.5, seed=seed)
        assert len({tuple(row) for row in task._third.tolist()}) == 4


def test_with_synonyms_the_tables_are_those_of_the_first_edition():
    """The zoo's networks were trained on them."""
    task = Modular(p=11, num_first=16, num_second=16, synonyms=True, coverage=0.9, seed=0)
    assert len({tuple(row) for row in task._first.tolist()}) == 11
    assert len({tuple(row) for row in task._second.tolist()}) == 9
