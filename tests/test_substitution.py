"""Synonyms and k-coverage against the definitions written out, over the whole product space."""

import itertools
from collections import defaultdict, deque

import numpy as np
import pytest

from assay.substitution import KS, Trained, k_coverage, keys, predictors, synonyms


def equivalences(rows, answers, subset, num_parts, k):
    """Definition 3.1 word for word: fragments on `subset` that are functionally k-equivalent."""
    rest = [part for part in range(num_parts) if part not in subset]
    behaviour = defaultdict(lambda: defaultdict(set))
    for row, answer in zip(rows, answers, strict=True):
        behaviour[tuple(row[part] for part in subset)][tuple(row[part] for part in rest)].add(answer)
    pairs = set()
    for a, b in itertools.permutations(behaviour, 2):
        shared = set(behaviour[a]) & set(behaviour[b])
        agree = [len(behaviour[a][c] | behaviour[b][c]) == 1 for c in shared]
        if all(agree) and len(agree) >= k:
            pairs.add((a, b))
    return pairs


def covered_by_brute_force(rows, answers, sizes, k):
    """Breadth-first search over all combinations there are."""
    num_parts = len(sizes)
    subsets = [s for n in range(1, num_parts) for s in itertools.combinations(range(num_parts), n)]
    becomes = {s: defaultdict(list) for s in subsets}
    for s in subsets:
        for a, b in equivalences(rows, answers, s, num_parts, k):
            becomes[s][a].append(b)
    reached = {tuple(row) for row in rows}
    waiting = deque(reached)
    while waiting:
        at = waiting.popleft()
        for s in subsets:
            for other in becomes[s][tuple(at[part] for part in s)]:
                moved = list(at)
                for part, value in zip(s, other, strict=True):
                    moved[part] = value
                if tuple(moved) not in reached:
                    reached.add(tuple(moved))
                    waiting.append(tuple(moved))
    return reached


def synonyms_by_brute_force(rows, answers, sizes, novel):
    num_parts = len(sizes)
    alike = [equivalences(rows, answers, (part,), num_parts, 1) for part in range(num_parts)]

    def changes(x, t):
        """How many values differ between the two, if all of those act identically; else None."""
        differ = [part for part in range(num_parts) if x[part] != t[part]]
        return len(differ) if all(((x[part],), (t[part],)) in alike[part] for part in differ) else None

    found = [[changes(x, t) for t in rows] for x in novel]
    return [1 in counts for counts in found], [any(count is not None for count in counts) for counts in found]


def random_table(generator):
    num_parts = int(generator.integers(1, 5))
    sizes = generator.integers(1, 6 if num_parts < 4 else 4, num_parts).tolist()
    every = np.array(list(itertools.product(*map(range, sizes))))
    kind = generator.integers(4)
    classes = [generator.integers(0, max(1, size - generator.integers(3)), size) for size in sizes]
    coded = np.stack([c[column] for c, column in zip(classes, every.T, strict=True)], 1)
    if kind == 0:
        answers = generator.integers(0, generator.integers(1, 4), len(every))
    elif kind == 1:
        answers = coded.sum(1) % generator.integers(2, 6)
    elif kind == 2:
        answers = np.unique(coded, axis=0, return_inverse=True)[1]
    else:
        answers = coded[:, 0] * (1 + coded[:, -1] % 2)
    trained = generator.random(len(every)) < generator.uniform(0.1, 0.95)
    rows, labels = every[trained], answers[trained]
    if generator.random() < 0.3 and len(rows):  # repeats, and some that contradict each other
        again = generator.integers(0, len(rows), 3)
        rows = np.concatenate([rows, rows[again]])
        labels = np.concatenate([labels, generator.integers(0, 3, 3)])
    # Few are asked for, so that chains pass through combinations that occur in neither file.
    novel = every[~trained]
    return rows, labels, sizes, novel[generator.random(len(novel)) < generator.choice([0.2, 1])]


@pytest.mark.parametrize("seed", range(10))
def test_agrees_with_the_definitions_on_random_tables(seed, monkeypatch):
    generator = np.random.default_rng(seed)
    monkeypatch.setattr("assay.substitution.fragments._PAIRS_AT_ONCE", 7)
    inside = 0
    for _ in range(20):
        rows, labels, sizes, novel = random_table(generator)
        trained = Trained.of(rows, labels, sizes)
        expected = {k: covered_by_brute_force(rows.tolist(), labels.tolist(), sizes, k) for k in KS}
        # All fragments at once or those asked for; pairs listed or compared in a matrix.
        for all_at_once, most_pairs in itertools.product((0, 10**9), (-1, 10**9)):
            monkeypatch.setattr("assay.substitution.coverage._ROWS_FOR_ALL", all_at_once)
            monkeypatch.setattr("assay.substitution.fragments._PAIRS_TOO_MANY", most_pairs)
            for k in KS:
                found = k_coverage(trained, novel, k)
                assert found.inside.tolist() == [tuple(x) in expected[k] for x in novel.tolist()]
                assert not found.undecided.any()
                assert ((found.answer >= 0) == found.inside).all()
                inside += found.inside.sum()
        one, many = synonyms_by_brute_force(rows.tolist(), labels.tolist(), sizes, novel.tolist())
        found = synonyms(trained, novel)
        assert found.one_exchange.tolist() == one
        assert found.many.tolist() == many
        assert ((found.answer >= 0) == found.many).all()
        assert not (found.many & ~k_coverage(trained, novel, 1).inside).any()
    assert inside > 40


def planted(classes, answer_of, generator):
    """A table of values of known classes: trained is at least one combination of every pair of classes that is to be known,
    and the pairs of classes that never are."""
    columns = [generator.permutation(np.repeat(np.arange(c), 3)) for c in classes]
    every = np.array(list(itertools.product(*(range(len(column)) for column in columns))))
    coded = np.stack([column[values] for column, values in zip(columns, every.T, strict=True)], 1)
    answers = answer_of(coded)
    held = generator.random(classes) < 0.15  # combinations of classes of which nothing is trained
    trained = ~held[tuple(coded.T)] & (generator.random(len(every)) < 0.85)
    return every, coded, answers, trained, [len(column) for column in columns]


@pytest.mark.parametrize("kind", ["maps", "group", "semigroup", "permutations"])
def test_planted_tables_give_exact_shares_in_every_draw(kind):
    for draw in range(50):
        generator = np.random.default_rng([draw, len(kind)])
        if kind == "maps":  # of a third thing, so that the answer is the whole map; classes differ in every context
            first, second = (generator.permutation(7)[:6] for _ in range(2))
            every, coded, answers, trained, sizes = planted(
                (6, 6), lambda c, f=first, s=second: (f[c[:, 0]] - s[c[:, 1]]) % 7, generator
            )
        elif kind == "group":
            every, coded, answers, trained, sizes = planted((7, 7), lambda c: c.sum(1) % 7, generator)
        elif kind == "semigroup":  # the pairs (i, j) with (i, j)(k, l) = (i, l): a rectangular band
            every, coded, answers, trained, sizes = planted((6, 6), lambda c: c[:, 0] * 6 + c[:, 1], generator)
        else:
            tables = np.stack([generator.permutation(8) for _ in range(8)])
            every, coded, answers, trained, sizes = planted(
                (8, 8), lambda c, t=tables[0]: t[(c[:, 0] + c[:, 1]) % 8], generator
            )
        novel = ~trained
        # With two parts and no two classes alike, exactly the combinations whose classes are trained follow from others,
        # as long as every two values of a class meet in some context, which the draws make sure of.
        known = set(map(tuple, coded[trained].tolist()))
        expected = [tuple(row) in known for row in coded[novel].tolist()]
        found = Trained.of(every[trained], answers[trained], sizes)
        assert synonyms(found, every[novel]).many.tolist() == expected
        for k in KS:
            reached = k_coverage(found, every[novel], k)
            assert reached.inside.tolist() == expected
            assert (reached.answer[reached.inside] == answers[novel][reached.inside]).all()


def test_a_permutation_of_values_and_rows_changes_nothing():
    generator = np.random.default_rng(3)
    rows, labels, sizes, novel = random_table(np.random.default_rng(12))
    moved = [generator.permutation(size) for size in sizes]
    order = generator.permutation(len(rows))
    renamed = [np.stack([m[c] for m, c in zip(moved, side.T, strict=True)], 1) for side in (rows[order], novel)]
    before, after = Trained.of(rows, labels, sizes), Trained.of(renamed[0], labels[order], sizes)
    for k in KS:
        assert (k_coverage(before, novel, k).inside == k_coverage(after, renamed[1], k).inside).all()


def test_contradicting_answers_are_counted_and_support_nothing():
    rows = np.array([[0, 0], [0, 0], [1, 0], [1, 1]])
    found = Trained.of(rows, np.array([0, 1, 0, 2]), (2, 2))
    assert found.contradicted.tolist() == [True, False, False]
    assert found.first.tolist() == [0, 2, 3]
    assert not synonyms(found, np.array([[0, 1]])).many.any()
    consistent = Trained.of(rows[1:], np.array([0, 0, 2]), (2, 2))
    assert synonyms(consistent, np.array([[0, 1]])).many.all()


def test_nothing_trained_and_nothing_novel():
    none = np.zeros((0, 2), int)
    empty = Trained.of(none, np.zeros(0, int), (2, 2))
    one = Trained.of(np.array([[0, 0]]), np.array([0]), (2, 2))
    for trained, novel in ((empty, np.array([[0, 1]])), (one, none), (one, np.array([[1, 1]]))):
        assert not synonyms(trained, novel).many.any()
        assert not k_coverage(trained, novel, 1).inside.any()


def test_keys_that_do_not_fit_in_64_bits_give_the_same():
    generator = np.random.default_rng(0)
    rows, labels, sizes, novel = random_table(generator)
    wide = [size + 2**18 for size in sizes]
    for k in KS:
        small, large = Trained.of(rows, labels, sizes), Trained.of(rows, labels, [*wide])
        assert (k_coverage(small, novel, k).inside == k_coverage(large, novel, k).inside).all()


def test_the_nearest_examples_are_the_same_by_comparison_and_by_subsets():
    generator = np.random.default_rng(1)
    for _ in range(30):
        rows, labels, sizes, novel = random_table(generator)
        if len(rows) and len(novel):
            trained = Trained.of(rows, labels, sizes)
            expected = predictors._nearest_of_all(trained, novel)
            distance = (novel[:, None] != trained.values).sum(2)
            for x, answer in enumerate(expected.tolist()):
                votes = np.bincount(trained.votes[distance[x] == distance[x].min()])
                assert answer == votes.argmax()
            by_subsets = predictors._nearest_by_subsets(trained, novel)
            assert (by_subsets == expected)[by_subsets >= 0].all()
            shares_a_value = distance.min(1) < len(trained.varying)
            assert (by_subsets >= 0)[shares_a_value].all()


@pytest.mark.parametrize("rows_for_all", [0, 10**9])
def test_a_chain_may_pass_through_a_combination_of_neither_side(rows_for_all, monkeypatch):
    monkeypatch.setattr("assay.substitution.coverage._ROWS_FOR_ALL", rows_for_all)
    table = [
        ((0, 0, 0), 0),  # (0, 0) and (1, 1) are alike before 0 ...
        ((1, 1, 0), 0),
        ((2, 1, 1), 1),  # ... and (1, 1) and (2, 2) behind 2,
        ((2, 2, 2), 1),
        ((1, 2, 2), 2),  # which (0, 0, 1) becomes by way of (1, 1, 1).
    ]
    trained = Trained.of(np.array([row for row, _ in table]), np.array([answer for _, answer in table]), (3, 3, 3))
    found = k_coverage(trained, np.array([[0, 0, 1]]), 1)
    assert found.inside.all()
    assert found.answer.tolist() == [2]
    assert not k_coverage(trained, np.array([[0, 0, 1]]), 2).inside.any()
    shorter = Trained.of(trained.values[:4], trained.votes[:4], (3, 3, 3))
    assert not k_coverage(shorter, np.array([[0, 0, 1]]), 1).inside.any()


@pytest.mark.parametrize("most", [40, 2**40], ids=["in a table", "sorted"])
@pytest.mark.parametrize("sizes", [(0, 0), (0, 5), (5, 0), (1, 1), (30, 50)])
def test_keys_are_found_among_others_as_one_by_one(most, sizes):
    rng = np.random.default_rng(0)
    wanted, asked = (rng.integers(0, most, size, dtype=np.uint64) for size in sizes)
    asked = np.concatenate([asked, wanted[: len(asked) // 2]])
    known = keys.distinct(wanted)
    assert known.tolist() == sorted(set(wanted.tolist()))
    place = [known.tolist().index(one) if one in known.tolist() else -1 for one in asked.tolist()]
    assert keys.places(asked, known).tolist() == place
    assert keys.members(asked, known).tolist() == [k for k, at in enumerate(place) if at >= 0]
    ids, index = keys.numbered(asked)
    assert ids[index].tolist() == asked.tolist()
    assert keys.order_of(index, len(ids)).tolist() == np.argsort(index, kind="stable").tolist()
