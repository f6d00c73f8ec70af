"""Networks whose structure is written down get the word that they should, with every number beside its nulls."""

import copy
import dataclasses

import pytest
import torch
from signs import Odd, Signs, apart, as_one, chain, with_a_stream
from torch import Generator, nn

from assay.display import number
from assay.errors import AssayError
from assay.evidence import Evidence
from assay.figure import Curve
from assay.instrument import run
from assay.instruments.subnetworks import Subnetworks
from assay.instruments.subnetworks.problems import MaskBudget
from assay.masks import rotated
from assay.subject import Subject

pytestmark = pytest.mark.slow

SMALL = MaskBudget(training=400, judging=600, penalties=(0.1, 1.0), steps=(80, 40), seeds=2, copies=16, nonsense=2, draws=99)
ONCE = dataclasses.replace(SMALL, seeds=1)
TINY = dataclasses.replace(SMALL, steps=(12, 6), judging=60, copies=2, draws=5)


BUDGETS = {"quick": TINY, "standard": ONCE}


def measured(module: nn.Module, *, effort: str = "standard", task: Signs | None = None, seed: int = 0, **options) -> Evidence:
    instrument = Subnetworks(**{"budgets": BUDGETS, **options})
    return run(instrument, Subject(module), task or Signs(), effort=effort, seed=seed)


def words(evidence: Evidence) -> list[str]:
    (table,) = [table for table in evidence.figures if table.name == "Decisions"]
    return [row[1] for row in table.rows]


def table(evidence: Evidence, name: str) -> list[tuple]:
    return next(list(table.rows) for table in evidence.figures if table.name == name)


def lines(evidence: Evidence, title: str) -> list:
    """Of one plot of the figure."""
    (curve,) = [figure for figure in evidence.figures if isinstance(figure, Curve)]
    return next(list(plot.lines) for plot in curve.plots if plot.title == title)


@pytest.fixture(scope="module")
def planted() -> Evidence:
    return measured(apart(), budgets={"standard": SMALL}, seed=1)


def test_parts_held_apart_are_modular(planted):
    assert words(planted) == ["modular", "modular"]
    for measure in planted.measures:
        if measure.name == "necessity":
            assert measure.value == pytest.approx(0.75, abs=0.1)
    assert len(planted.findings()) == 2
    assert "Part first is modular" in planted.summary


def test_sufficiency_tells_nothing_that_random_networks_do_not(planted):
    """The known weakness of the one half of the published measure: the search finds a part in any network wide enough."""
    for part in Signs.combines:
        sufficiency, necessity = (planted.measure(name, part=part) for name in ("sufficiency", "necessity"))
        assert necessity.value > sufficiency.value


def test_every_number_stands_beside_its_nulls_and_interval(planted):
    assert len(planted.measures) == 8
    for measure in planted.measures:
        assert measure.interval.low <= measure.value <= measure.interval.high
        assert measure.level == 2
        names = [null.name for null in measure.nulls]
        assert names[0] == "untrained copies"
        assert len(measure.nulls[0].values) == SMALL.copies
        if measure.headline:
            assert names[1:] == ["random masks", "masks for nonsense"]
            assert len(measure.nulls[1].values) == SMALL.draws
    assert [m.headline for m in planted.measures].count(True) == 2


def test_every_removal_agrees_and_random_ones_do_not(planted):
    rows = table(planted, "The part ablated")
    for part in Signs.combines:
        by_way = {way: difference for one, way, *_, difference in rows if one == part}
        random = by_way.pop("as many random weights of every layer, to zero")
        assert set(by_way) == {"zero", "mean", "resample", "redraw"}
        assert min(by_way.values()) > 0.2
        assert abs(random) < 0.2


def test_both_masks_together_carry_everything(planted):
    rows = {name: accuracies for name, *accuracies in table(planted, "Masks alone, in other contexts")}
    *_, kept_first, kept_second, kept = rows["both together"]
    assert min(kept_first, kept_second, kept) > 0.95
    assert max(rows["all but both"]) < 0.45
    overlaps = {name: overlap for name, overlap, _ in table(planted, "Overlap of masks")}
    assert overlaps["the two parts"] == 0.0


def test_a_mask_serves_its_part_in_every_context_and_no_other(planted):
    columns = next(figure.columns for figure in planted.figures if figure.name == "Masks alone, in other contexts")
    rows = {row[0]: dict(zip(columns, row, strict=True)) for row in table(planted, "Masks alone, in other contexts")}
    for part, other in (Signs.combines, Signs.combines[::-1]):
        accuracy, ways = rows[part], ("the other random", "the other obeyed")
        assert min(accuracy[f"{part} decides, {way}"] for way in ways) > 0.9
        assert 0.45 < accuracy["both decide"] < 0.8
        assert max(accuracy[f"{other} decides, {way}"] for way in ways) < 0.5


def test_the_same_part_is_found_under_another_seed(planted):
    rows = [row for row in table(planted, "Overlap of masks") if "two seeds" in row[0]]
    assert len(rows) == 2
    for _, overlap, expected in rows:
        assert overlap > 0.9
        assert expected < 0.7


def test_the_whole_path_is_shown_beside_those_of_untrained_copies(planted):
    for part, measure in zip(Signs.combines, [m for m in planted.measures if m.headline], strict=True):
        alone, without = lines(planted, f"Part {part}: its mask alone"), lines(planted, f"Part {part}: without its mask")
        own = [line for line in without if not line.null]
        assert {line.name for line in own} == {"this"}
        assert len(own) == SMALL.seeds
        assert [line.name for line in without if line.null] == ["untrained"] * SMALL.copies
        assert {line.name for line in alone} == {"own, this", "other, this", "own, untrained", "other, untrained"}
        for line in own:
            assert list(line.x) == sorted(line.x)
            assert len(line.marked) == 1
        chosen = [line.y[line.marked[0]] for line in own]
        untrained = [line.y[line.marked[0]] if line.marked else 0.0 for line in without if line.null]
        assert measure.value == pytest.approx(sum(chosen) / len(chosen) - sum(untrained) / len(untrained)), "the same numbers"


def test_the_decision_rests_on_the_measures(planted):
    for part, measure in zip(Signs.combines, [m for m in planted.measures if m.headline], strict=True):
        low, high = measure.interval.low, measure.interval.high
        told = f"Part {part} is modular: necessity {number(measure.value)} above untrained networks, "
        told += f"[{number(low)}, {number(high)}]"
        assert told in planted.summary


def test_what_cannot_be_rotated_is_said(planted):
    assert any("rotated basis" in line for line in planted.not_tested)


def test_a_table_of_settings_has_no_part_that_can_be_isolated():
    evidence = measured(as_one())
    assert words(evidence) == ["not modular", "not modular"]
    assert "no isolable part: no mask solves 0.9 of its problems" in evidence.summary
    assert all(measure.value is None for measure in evidence.measures)
    assert all("no isolable part" in measure.note for measure in evidence.measures)
    assert not evidence.findings()
    names = {line.name for part in Signs.combines for line in lines(evidence, f"Part {part}: without its mask")}
    assert names == {"this"}, "nulls are searched where there is a number to hold against them"
    assert any("no mask isolates" in line for line in evidence.not_tested)


def test_whole_neurons_may_be_the_units():
    evidence = measured(apart(), unit="neuron", layers=["encoder.0"], budgets={"standard": SMALL}, seed=2)
    assert words(evidence) == ["modular", "modular"]
    assert evidence.settings["units"] == 48


def test_embeddings_are_left_whole_unless_asked_for():
    class Embedded(nn.Module):
        """The signs as tokens."""

        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding.from_pretrained(torch.tensor([[-1.0], [1.0]]))
            self.inner = apart().encoder

        def forward(self, items):
            return self.inner(self.embedding((items > 0).long())[..., 0])

    whole, thinned = (measured(Odd(Embedded()), effort="quick", **asked) for asked in ({}, {"embeddings": True}))
    assert thinned.settings["units"] == whole.settings["units"] + 2


def test_a_rotated_basis_is_looked_at_and_reported():
    evidence = measured(with_a_stream(), effort="quick")
    rotated = [line for line in lines(evidence, "Part first: without its mask") if line.name == "rotated"]
    assert [line.style for line in rotated] == ["dashed"]
    assert not any("rotated basis" in line for line in evidence.not_tested)


def test_a_rotated_twin_computes_the_same_with_other_weights():
    module, inputs = with_a_stream(), Signs().problems(50, pool="test", generator=Generator().manual_seed(0)).inputs
    twin = rotated(module, inputs, Generator().manual_seed(0))
    assert torch.allclose(module(**inputs), twin(**inputs), atol=1e-5)
    assert not torch.allclose(module.encoder[2].weight, twin.encoder[2].weight, atol=0.1)
    assert torch.equal(module.encoder[0].weight, twin.encoder[0].weight), "a non-linearity is between these"
    assert rotated(apart(), inputs, Generator()) is None


def test_a_network_that_does_not_solve_the_task_gets_no_number():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        evidence = measured(Odd(chain(8, 12, 4)).eval())
    assert evidence.not_enough.startswith("base network does not solve problems that both parts decide (0.")
    assert not evidence.measures


def test_a_network_that_knows_one_part_only_fails_its_gate():
    """It would show the largest differences of all: it can lose one part only."""
    module = apart()
    with torch.no_grad():
        module.encoder[2].weight[1] = 0
    assert "problems that second decides" in measured(module).not_enough
    assert "problems that first decides" not in measured(module).not_enough


class OnePart(Signs):
    combines = ("first",)


class CannotIsolate(Signs):
    def reading(self, part, n, *, pool, generator):
        raise AssayError("a part must be one that can be isolated", given=part)


class Empty(Signs):
    def _posed(self, signs, pool, generator):
        return super()._posed(signs, pool, generator).take(torch.zeros(0, dtype=torch.int64))


@pytest.mark.parametrize(
    ("task", "module", "reason"),
    [
        (OnePart(), apart(), "needs two parts"),
        (CannotIsolate(), apart(), "one that can be isolated"),
        (Empty(), apart(), "0 problems"),
        (Signs(), Odd(nn.Identity()), "with maskable weights"),
    ],
)
def test_what_cannot_be_looked_at_is_named_without_a_number(task, module, reason):
    evidence = measured(module, task=task)
    assert reason in evidence.not_enough
    assert evidence.summary.startswith("Not enough data")
    assert not evidence.measures


def test_same_seed_same_evidence_and_everything_stays_as_it_was():
    module = apart()
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    first = measured(module, effort="quick")
    assert first == measured(module, effort="quick")
    assert first != measured(module, effort="quick", seed=1)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(state, torch.get_rng_state()), "the global generator was used"
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
