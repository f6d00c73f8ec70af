"""Statistics of `experiments/testbed` on columns whose answer is known, and rows with gaps."""

from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from interventions import TRUTH, first_seen, moved
from making import EVERYTHING, Recipe, loaded, network_of, recipes, wrongly
from matrix import agreements, composes, contradicted, costs, imitates, matrix, page
from over_networks import FEWEST, agreement, auroc, estimate, partial_spearman, spearman
from population import BASELINES, Row, add, row_of
from stability import order, second_run
from tables import within
from thesis import Network, block_bits, trained_pairs
from thesis import page as thesis_page

from assay.evidence import Interval, Measure, Null
from assay.tasks.modular_addition import ModularAddition

NUM = 40


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_ranks_alone_count(rng):
    x = rng.normal(size=NUM)
    assert spearman(x, np.exp(3 * x)) == pytest.approx(1)
    assert spearman(x, -(x**3)) == pytest.approx(-1)
    assert np.isnan(spearman(x, np.zeros(NUM)))


def test_a_common_cause_is_taken_out(rng):
    """Two columns that follow a third correlate, and no longer once it is given; what one adds of its own stays."""
    cause = rng.normal(size=400)
    x, y, own = cause + 0.3 * rng.normal(size=400), cause + 0.3 * rng.normal(size=400), rng.normal(size=400)
    assert spearman(x, y) > 0.8
    assert abs(partial_spearman(x, y, cause[None])) < 0.15
    assert partial_spearman(x + own, y + own, np.stack([cause, rng.normal(size=400)])) > 0.7
    assert np.isnan(partial_spearman(cause, y, cause[None]))


def test_auroc_is_the_share_of_pairs():
    positive = np.array([True, True, False, False])
    assert auroc(np.array([3.0, 2.0, 1.0, 0.0]), positive) == 1
    assert auroc(np.array([0.0, 1.0, 1.0, 2.0]), positive) == pytest.approx(1 / 8)
    assert auroc(np.zeros(4), positive) == 0.5
    assert np.isnan(auroc(np.zeros(4), ~np.zeros(4, bool)))


@pytest.mark.slow
def test_intervals_hold_what_they_should_and_p_is_uniform(rng):
    """Of 30 pairs of columns with a correlation of .5 nearly all intervals hold it; of 30 without few have a p below .05."""
    held, found = 0, 0
    truth = 6 / np.pi * np.arcsin(0.25)  # Spearman of normal columns with Pearson .5
    for k in range(30):
        x, noise = rng.normal(size=(2, NUM))
        one = estimate(spearman, list(x), list(0.5 * x + 0.75**0.5 * noise), draws=100, seed=k)
        held += one.low <= truth <= one.high
        found += estimate(spearman, list(x), list(noise), draws=100, seed=k).p < 0.05
    assert held >= 25
    assert found <= 5


def test_networks_without_a_value_are_left_out(rng):
    x, y = rng.normal(size=(2, NUM))
    with_gaps = [None if k % 2 else float(x[k]) for k in range(NUM)]
    found = estimate(spearman, with_gaps, list(y), draws=50)
    assert found.networks == NUM // 2
    assert found.value == pytest.approx(spearman(x[::2], y[::2]))
    assert estimate(spearman, [1.0] * (FEWEST - 1) + [None] * 9, list(range(FEWEST + 8))).value is None
    table = agreement([list(x), with_gaps, [None] * NUM])
    assert table[0, 1] == pytest.approx(1)
    assert np.isnan(table[2]).all()


def row(k, values=None, gaps=None, *, world="language", **changed):
    """The k-th of networks whose novel scores are k/10."""
    recipe = {"world": world, "kind": "plain", "coverage": 0.5, "wrong": 0.0, "scale": 1.0, "seed": 0, "width": 64}
    recipe |= {name: value for name, value in changed.items() if name in recipe}
    further = {name: value for name, value in changed.items() if name not in recipe}
    seconds = {"training": 1.0, "polar": 2.0}
    base = {"recipe": recipe, "effort": "quick", "truth": k / 10, "seen": 1.0, "outside": 51, "gaps": gaps or {}}
    return Row(**{**base, "values": {"coverage": 0.5, **(values or {})}, "seconds": seconds, **further})


def test_the_matrix_says_where_a_line_is_silent():
    rows = [row(k, {"polar uuas": float(k)} if k != 3 else {}, {"polar": "too few texts"} if k == 3 else {}) for k in range(9)]
    (metric,) = [line for line in matrix(rows, draws=50) if line.startswith("| polar uuas")]
    cells = [cell.strip() for cell in metric.split("|")]
    assert cells[2] == "8"
    assert cells[3].startswith("+1.00")
    assert cells[-2] == "1"
    assert any(line.startswith("| polar | 9") and "1: too few texts" in line for line in costs(rows))


def test_ranks_are_within_each_world():
    """A measure that only tells worlds apart agrees with nothing once both are together."""
    rows = [row(k, world=world) for world in ("language", "sprites") for k in range(8)]
    assert within(rows, [5.0 + (k >= 8) for k in range(16)]) == [0.5] * 16
    assert within(rows, [float(k) for k in range(16)]) == [(k % 8 + 0.5) / 8 for k in range(16)]
    assert within(rows, [None] * 8 + [1.0] * 8)[:8] == [None] * 8


def test_imitators_were_taught_nothing_wrong_and_learned_what_they_were_taught():
    assert imitates(row(1)) and not contradicted(row(1))  # noqa: PT018
    assert contradicted(row(1, wrong=0.5)) and not imitates(row(1, wrong=0.5))  # noqa: PT018
    assert not imitates(row(1, seen=0.5))
    assert not imitates(row(6))
    assert composes(row(9, wrong=0.5))


def test_findings_in_twins_are_false_and_twins_correlate_with_nothing():
    twins = [row(0, kind="untrained", found=["subgraphs steps"]), row(0, kind="shuffled")]
    for one in twins:
        one.seconds["subgraphs"] = 1.0
    networks = [row(k, {"polar uuas": float(k)}, found=["polar uuas"]) for k in range(8)]
    told = costs([*networks, *twins])
    assert cells(told, "subgraphs")[-1] == "1 of 2, at most 0.99"
    assert cells(told, "polar")[-1] == "0 of 1, at most 0.97"  # dealing the answers leaves trees as they are
    assert "## language: 8 networks" in page([*networks, *twins], draws=20)
    assert "## both" not in page([*networks, *twins], draws=20)
    assert "## both: 16 networks" in page([*networks, *(row(k, world="sprites") for k in range(8))], draws=20)


def test_headline_measures_are_means_over_parts():
    def measure(part, value):
        interval, null = Interval(low=0.0, high=1.0, level=0.95, method=""), Null(name="copies", how="", values=(0.0,))
        return Measure(
            key="necessity", name="necessity", value=value, unit="", direction="higher", interval=interval, nulls=(null,),
            units=5, unit_of="network", about={"part": part}, headline=True, level=2,
        )  # fmt: skip

    measures = (measure("a", 0.2), measure("b", 0.6))
    found = SimpleNamespace(instrument="subnetworks", not_enough="", measures=measures, findings=lambda: measures[1:])
    one = row(0)
    add(one, found)
    assert one.values == {"coverage": 0.5, "subnetworks necessity": pytest.approx(0.4)}
    assert one.levels == {"subnetworks necessity": 2}
    assert one.found == ["subnetworks necessity"]
    assert not one.gaps


def test_recipes_differ_and_spread():
    names = [recipe.name for recipe in recipes()]
    assert len(set(names)) == len(names) >= 120
    assert {recipe.world for recipe in recipes()} == {"language", "sprites"}
    first = recipes()[:20]
    assert len({(recipe.world, recipe.kind) for recipe in first}) == 20
    assert all(loaded(recipe.task).address for recipe in first)


@pytest.mark.parametrize("address", ["language:coverage=0.5", "sprites:coverage=0.5"])
def test_wrong_answers_are_wrong_everywhere_and_of_one_combination(address):
    task = loaded(address)
    taught = wrongly(task, 0.5, torch.Generator().manual_seed(0))
    truth = task.examples("novel", EVERYTHING, generator=torch.Generator().manual_seed(1))
    assert len(taught.combination.unique()) == 64
    assert set(taught.combination.tolist()) <= set(truth.combination.tolist())
    column = next(iter(taught.inputs))
    right = {values.numpy().tobytes(): int(target) for values, target in zip(truth.inputs[column], truth.targets, strict=True)}
    answers = [right[values.numpy().tobytes()] for values in taught.inputs[column]]
    assert not (torch.tensor(answers) == taught.targets).any()
    for combination in taught.combination.unique()[:5].tolist():
        rows = taught.combination == combination
        assert len((torch.tensor(answers)[rows] - taught.targets[rows]).abs().unique()) == 1


def test_a_network_is_made_once_and_its_row_goes_on(tmp_path):
    """Two steps of training; the second call reads no line again, and further ones alone, baselines as well as instruments."""
    recipe = Recipe(world="sprites", kind="plain", coverage=0.5, decay=0.0, steps=2, width=8)
    first = row_of(recipe, out=tmp_path, rows=tmp_path / "rows", effort="quick", read=("langue", "weight norm"))
    assert "langue" in first.gaps
    assert {"weight norm", "coverage"} == first.values.keys()
    assert first.outside == 128
    again = row_of(recipe, out=tmp_path, rows=tmp_path / "rows", effort="quick", read=("langue", "polar", *BASELINES))
    assert again.seconds["training"] == first.seconds["training"]
    assert {"langue", "polar"} == again.gaps.keys()
    assert {*BASELINES, "coverage"} == again.values.keys()
    subject, seconds = network_of(recipe, tmp_path / "weights")
    assert seconds is None
    assert not torch.equal(*(subject.untrained(torch.Generator().manual_seed(k)).weights()["head.weight"] for k in range(2)))


@pytest.mark.parametrize("kind", ["merged", "shuffled", "contradicted"])
def test_every_kind_can_be_made(kind, tmp_path):
    recipe = Recipe(world="sprites", kind=kind, coverage=0.5, decay=0.0, steps=4, width=8, wrong=0.5 * (kind == "contradicted"))
    subject, seconds = network_of(recipe, tmp_path)
    assert seconds > 0
    assert all(bool(weight.isfinite().all()) for weight in subject.weights().values())


def test_recipes_are_parts_of_what_is_usual_in_a_world_and_have_names_of_their_own():
    every = recipes(seeds=2)
    assert len({recipe.name for recipe in every}) == len(every) == 88
    sizes = {(recipe.world, recipe.kind): set() for recipe in every}
    for recipe in every:
        sizes[recipe.world, recipe.kind].add((recipe.steps, recipe.width))
    assert sizes["language", "decayed"] == {(1_500, 64)}
    assert sizes["language", "short"] == {(500, 64)}
    assert sizes["sprites", "short"] == {(1_000, 8)}
    assert sizes["sprites", "sized"] == {(3_000, 4), (3_000, 16)}
    assert every[0].name == "language-decayed-coverage0.8"


def pairs(values, **changed):
    """For each of six seeds a usual network and one made otherwise, whose novel scores are .2 and .8."""
    return [
        row(k, {"own": values[k == 8]}, kind=kind, seed=seed, **changed)
        for seed in range(6)
        for k, kind in ((2, "decayed"), (8, "sparse"))
    ]  # fmt: skip


def cells(lines, name):
    """The cells of the one row of a table with this name."""
    (line,) = [line for line in lines if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_an_intervention_moves_what_follows_the_truth_and_nothing_else():
    rows = pairs((0.0, 1.0))
    told = moved(rows)
    assert "sparse training (6)" in told[0]
    assert cells(told, TRUTH)[1].startswith("**+0.50** [")
    assert cells(told, "own")[1].startswith("**+0.50** [")
    assert cells(moved(pairs((1.0, 1.0))), "own")[1].startswith("+0.00 [-")
    assert cells(moved(pairs((1.0, 0.0))), "own")[1].startswith("**-0.50** [")
    apart = [one.model_copy(update={"recipe": {**one.recipe, "seed": k}}) for k, one in enumerate(rows)]
    assert "sparse" not in moved(apart)[0]  # no usual network of the same seed


def test_the_first_coverage_that_a_measure_tells_from_the_least():
    """The truth moves at .8 only, one measure at .5 already, one never."""
    rows = [
        row(
            9 * (coverage == 0.8),
            {"coverage": coverage, "early": float(coverage > 0.3), "never": 1.0},
            kind="decayed",
            seed=seed,
        )
        for seed in range(6)
        for coverage in (0.2, 0.5, 0.8)
    ]
    told = first_seen(rows)
    assert cells(told, TRUTH)[1].startswith("0.8: +")
    assert cells(told, "early")[1].startswith("0.5: +")
    assert cells(told, "never")[1] == "not within this range"


def test_a_second_run_can_say_the_opposite():
    values = {0: lambda k: k, 1: lambda k: -k}
    rows = [row(k, {"turns": float(values[seed](k)), "stays": float(k)}, seed=seed) for seed in (0, 1) for k in range(10)]
    told = second_run(rows, draws=100)
    assert cells(told, "turns")[-1] == "opposite"
    assert cells(told, "stays")[-1] == "same"
    assert cells(told, "coverage")[-1] == "-"  # constant


def test_the_order_has_an_interval_that_holds_it(rng):
    """A measure that is the truth comes first in every resampled set; noise comes last."""
    noise = rng.permutation(12)
    rows = [row(k, {"noise": float(noise[k]), "truth": float(k)}) for k in range(12)]
    told = order(rows, draws=100)
    assert cells(told, "truth")[1:] == ["1", "1 to 1"]
    assert float(cells(told, "noise")[1]) == 2
    assert order(rows[:4], draws=10) == ["4 networks have a value of every measure, which are too few."]


def test_agreement_is_drawn_with_its_names_escaped(tmp_path):
    rows = [row(k, {"a<b": float(k), "minus": -float(k)}) for k in range(8)]
    told = agreements(rows, picture=tmp_path / "drawn.svg")
    assert "- -1.00: minus, a<b" in told
    drawn = ElementTree.parse(tmp_path / "drawn.svg").getroot()
    assert {"a<b", "-1.0", "1.0"} <= {one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")}


def test_a_block_costs_at_most_a_bit_more_than_equally_likely_answers():
    equal = 10 * np.log2(31)
    assert block_bits(equal, 10, 31) == pytest.approx(equal)
    assert block_bits(1e6, 10, 31) == pytest.approx(equal + 1)
    assert block_bits(3.0, 10, 31) == pytest.approx(4, abs=1e-6)


def test_every_trained_pair_is_sent_once():
    task = ModularAddition(p=7, coverage=0.6)
    sent = trained_pairs(task, seed=0).inputs["tokens"].tolist()
    known = {(a, 7 + b) for a, b in task.combinations("train").tolist()}
    assert len(sent) == len(known) == len({tuple(pair) for pair in sent})
    assert {tuple(pair) for pair in sent} == known


def test_code_lengths_of_both_solutions_by_hand():
    """Of 100 trained pairs of residues modulo 10 a memoriser sends 100 answers, a composer 19 residues."""
    one = Network(p=10, coverage=1.0, decay=0.0, seed=0, seen=1.0, novel=0.0, prequential=np.log2(10) / 4)
    assert one.memorised == pytest.approx(np.log2(10))
    assert one.composed == pytest.approx(0.19 * np.log2(10))
    assert one.saved == pytest.approx(0.75)
    others = [
        Network(p=19, coverage=0.3 + 0.05 * k, decay=float(k % 2), seed=0, seen=1.0, novel=k / 10, prequential=4 - k / 5)
        for k in range(10)
    ]
    told = thesis_page(others, draws=50)
    assert "| prequential, share saved | +1.00" in told
