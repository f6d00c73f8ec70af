"""One context beside another, layer by layer, and layers that run at no position."""

from dataclasses import replace

import contexts
import pytest
import torch
from torch import Generator, nn

from assay.errors import AssayError
from assay.instrument import run
from assay.instruments.fracture import Fracture
from assay.instruments.fracture import instrument as fracture
from assay.instruments.fracture.carried import carried
from assay.instruments.fracture.contexts import (
    COUNTS,
    between_contexts,
    context_of,
    cosine,
    counted,
    entering,
    least_and_most,
)
from assay.instruments.fracture.shuffled import NAME
from assay.instruments.fracture.words import FractureKept, warnings_of
from assay.regularity import Regular, Regularity, _check_moves
from assay.responses import Layer, by_unit, constants, read_layers
from assay.subject import Subject
from assay.task import Examples, Part
from assay.verdict import judge

SMALL = {"quick": replace(fracture.BUDGETS["quick"], examples=120, draws=1, scales=(0.01, 0.1))}


def regular(parts: dict[str, list[int]], *moves: list[int]) -> Regular:
    num = len(next(iter(parts.values())))
    columns = {name: torch.tensor(values) for name, values in parts.items()}
    examples = Examples({"x": torch.zeros(num, 1)}, torch.zeros(num, 1), columns, torch.arange(num))
    return Regular(examples, (Regularity.generated("g", [torch.tensor(move) for move in moves], num_outputs=1),))


@pytest.mark.parametrize(
    ("parts", "moves", "found"),
    [
        ({"z": [0, 0, 0, 1, 1, 1], "c": [0, 1, 2, 0, 1, 2]}, [[1, 2, 0, 4, 5, 3]], ("c", 3)),
        ({"z": [0, 0, 0, 1, 1, 1], "c": [0, 1, 2, 0, 1, 2]}, [[1, 0, 2, 4, 3, 5]], ("c", 2)),
        ({"z": [0, 0, 0, 1], "c": [0, 1, 2, 0]}, [[1, 2, 0, 3]], ("c", 3)),  # one content in one context
        ({"z": [0, 0, 0, 0], "c": [0, 0, 1, 1]}, [[1, 2, 3, 0]], ("c", 2)),  # four examples of two contexts
        ({"a": [0, 1], "b": [1, 0]}, [[1, 0]], ("", 0)),
        ({"a": [0, 0], "b": [1, 1]}, [[1, 0]], ("", 0)),
        ({"a": [0, 1]}, [[0, 1]], ("", 0)),
        ({"c": list(range(65))}, [[1, 0, *range(2, 65)]], ("", 0)),
    ],
)
def test_a_context_is_the_one_part_that_a_regularity_changes(parts, moves, found):
    declared = regular(parts, *moves)
    assert context_of(declared, declared.regularities[0]) == found


def test_two_contexts_by_hand():
    """Of two contents in three contexts: the first layer responds alike in contexts 0 and 1 and apart in 2."""
    exchange = regular({"z": [0, 0, 0, 1, 1, 1], "c": [0, 1, 2, 0, 1, 2]}, [1, 2, 0, 4, 5, 3]).regularities[0]
    side, groups = torch.tensor([0, 1, 2] * 2), torch.tensor([0] * 3 + [1] * 3)
    ones = torch.ones(1, 6, 1, 1)
    apart = torch.tensor([[1.0, 0], [1, 0], [0, 1]]).repeat(2, 1)[:, None]
    alike = torch.ones(6, 1, 1)
    layers = [Layer("apart", torch.ones(1, 2), apart, ones), Layer("alike", torch.ones(1, 1), alike, ones)]
    overlaps, energies = between_contexts(layers, exchange, side, groups)
    assert overlaps.shape == (2, 2, 3, 3)
    assert (overlaps.sum(0) / energies.sum(0))[0, 0].tolist()[1:] == [1, 0]

    def ends(overlap, energy, *carries, within=None, reads=(False, False)):
        alike, own = (cosine((one, energy)) for one in (overlap, overlap if within is None else within))
        return least_and_most((alike, alike, own), counted(energy, torch.tensor(carries)), torch.tensor(reads[: len(carries)]))

    assert ends(overlaps.sum(0), energies.sum(0), True, True) == {"least": 0, "most": 1, "entering": 0}
    assert ends(overlaps.sum(0)[1:], energies.sum(0)[1:], True) == {"least": 1, "most": 1, "entering": 1}
    assert ends(overlaps.sum(0), energies.sum(0), False, False)["least"] == 0, "what responds counts"
    small = torch.tensor([COUNTS / 10, 1.0])[:, None, None]
    assert ends(overlaps.sum(0) * small, energies.sum(0) * small, True, True)["least"] == 0, "what carries counts"
    assert ends(overlaps.sum(0) * small, energies.sum(0) * small, False, True)["least"] == 1
    assert ends(overlaps[0] * 0, energies[0] * 0, True, True) == {}
    # A layer in copies, and one in common that hardly responds beside it.
    copies, small = torch.stack([overlaps.sum(0)[0] * 0, overlaps.sum(0)[1]]), small.flip(0)
    copies, energy = copies * small, energies.sum(0) * small
    assert ends(copies, energy, True, True)["most"] == 1
    assert ends(copies, energy, True, False)["most"] == 0
    assert ends(copies, energy, True, True, reads=(False, True))["most"] == 0, "it only reads the inputs"
    assert ends(copies, energy, True, True, within=copies * 0)["most"] == 0, "it adds up what has nothing in common"


def test_inputs_without_anything_in_common_and_without_a_gauge():
    """An entry for every example, all of which hold the same: no rotation of inputs or outputs and no bias makes them alike."""
    exchange = regular({"z": [0, 0, 0, 1, 1, 1], "c": [0, 1, 2, 0, 1, 2]}, [1, 2, 0, 4, 5, 3]).regularities[0]
    side, groups = torch.tensor([0, 1, 2] * 2), torch.zeros(6, dtype=torch.long)
    draws = Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=draws))[0]
    gradients, bias = torch.randn(1, 6, 1, 3, generator=draws)[:, [0] * 3 + [1] * 3], torch.ones(6, 1, 1)

    def least(inputs: torch.Tensor, *, weight: torch.Tensor | None = None, units: bool = False) -> float:
        weight = torch.ones(inputs.shape[-1]) if weight is None else weight
        layer = Layer("table", weight.expand(3, -1).double(), inputs, gradients)
        gauged = [layer, entering(layer), *([entering(by_unit(layer))] if units else [])]
        sums = [tuple(one[0] for one in between_contexts([each], exchange, side, groups)) for each in gauged]
        return float(torch.stack([cosine(one) for one in sums[1:]]).amax(0)[sums[0][1] > 0].min())

    table = torch.eye(6)[:, None]
    assert least(table) == pytest.approx(-1 / 5)
    for other in (table @ turn, torch.cat([table, bias], -1), torch.cat([table + 3, bias], -1)):
        assert least(other) == pytest.approx(-1 / 5, abs=1e-3)
        assert least(other, units=True) < 0.1
    shared = torch.randn(2, 1, 3, generator=draws)[[0] * 3 + [1] * 3]
    assert least(shared) == pytest.approx(1)
    context = torch.tensor([[1.0], [-1.0], [0.0]]).repeat(2, 1)[:, None]
    scaled = torch.cat([shared, 1e3 * context], -1)  # by a unit before, whose weights after it are as much smaller
    assert least(scaled, weight=torch.tensor([1.0, 1, 1, 1e-3])) < -0.9
    assert least(scaled, weight=torch.tensor([1.0, 1, 1, 1e-3]), units=True) > 0.2


class Branching(nn.Module):
    """A branch that adds up what a layer makes of so many further positions, here of none."""

    def __init__(self, further: int, *, alone: bool = False):
        super().__init__()
        self.own, self.branch, self.further, self.alone = nn.Linear(6, 8), nn.Linear(6, 8), further, alone
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        added = self.branch(x[:, None].expand(-1, self.further, -1)).sum(1)
        if self.alone:
            return added[:, :3] + x[:, :3]
        return self.last((self.own(x) + added).tanh())


@pytest.mark.slow
def test_a_layer_that_runs_at_no_position_is_left_out_and_named():
    torch.manual_seed(0)
    task, network = contexts.Sides("contexts"), Branching(0)
    read = read_layers(Subject(network), {"x": task.x})
    assert [layer.name for layer in read.layers] == ["own", "last"]
    assert dict(read.unread) == {"branch.weight": 48, "branch.bias": 8}
    found = run(Fracture(budgets=SMALL), Subject(network, fresh=lambda _: Branching(0)), task, effort="quick")
    assert any(
        "56 weights are not counted, since they lie in no linear layer or convolution that runs" in one
        for one in found.warnings
    )
    without = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    without[0], without[2] = network.own, network.last
    alone = run(Fracture(budgets=SMALL), Subject(without), task, effort="quick")
    for key in ("coherence", "sharing", "lateralisation"):
        assert found.measure(key).value == pytest.approx(alone.measure(key).value, abs=1e-6)
    every = [row for figure in found.figures for row in getattr(figure, "rows", ())]
    assert not any(isinstance(value, float) and value != value for row in every for value in row)


@pytest.mark.slow
def test_a_network_whose_only_layer_runs_at_no_position_has_no_number():
    task = contexts.Sides("contexts")
    found = run(Fracture(budgets=SMALL), Subject(Branching(0, alone=True)), task, effort="quick")
    assert "no linear layer or convolution runs at any position" in found.not_enough
    assert not found.measures


@pytest.mark.slow
@pytest.mark.parametrize(("make", "least", "most"), [(contexts.shared, 0.3, 0.9), (contexts.copied, -0.1, -0.1)])
def test_the_instrument_measures_contexts_where_there_are_three(make, least, most):
    task, draws = contexts.Sides("contexts", items=40), Generator().manual_seed(0)
    found = run(Fracture(budgets=SMALL), Subject(make(task, draws)), task, effort="quick")
    low, high = (found.measure(f"contexts_{how}") for how in ("least", "most"))
    assert low.about == {"regularity": "exchange of the sides", "context": "side"}
    assert low.interval.low <= low.value <= low.interval.high
    assert least < low.value <= high.value
    assert high.value > most
    if make is contexts.copied:
        assert high.interval.high < 0.25
    assert (found.settings["context_exchange of the sides"], found.settings["contexts_exchange of the sides"]) == ("side", 3)
    assert found.settings["values_exchange of the sides"] == 3
    mirror = contexts.Sides("mirror", items=40)
    other = run(Fracture(budgets=SMALL), Subject(make(mirror, draws)), mirror, effort="quick")
    assert all(one.key != "contexts_least" for one in other.measures)
    assert other.settings["contexts_exchange of the sides"] == 2


# What is declared and what is read


class Hidden(nn.Module):
    """A module that an output does not respond to, or weights in buffers, and a last layer that is read."""

    def __init__(self, how: str, inside: int = 8):
        super().__init__()
        self.how, self.inside, self.last = how, nn.Linear(6, inside), nn.Linear(inside, 3)
        if how == "buffers":
            weight = self.inside.weight.data.clone()
            del self.inside
            self.register_buffer("inside", weight)

    def forward(self, x):
        if self.how == "buffers":
            return self.last(nn.functional.linear(x, self.inside).tanh())
        with torch.set_grad_enabled(self.how == "read"):
            found = self.inside(x).tanh()
        return self.last(found)


@pytest.mark.parametrize(
    ("how", "unread"),
    [("read", {}), ("frozen", {"inside.weight": 48, "inside.bias": 8}), ("buffers", {"inside": 48})],
)
def test_weights_without_gradients_and_buffers_are_not_read(how, unread):
    assert dict(read_layers(Subject(Hidden(how)), {"x": contexts.Sides("contexts").x}).unread) == unread


@pytest.mark.slow
@pytest.mark.parametrize(("how", "share"), [("frozen", 56 / 83), ("buffers", 48 / 75)])
def test_their_share_counts_them(how, share):
    found = run(Fracture(budgets=SMALL), Subject(Hidden(how)), contexts.Sides("contexts"), effort="quick")
    assert found.settings["share of weights not read"] == pytest.approx(share)
    assert any("that outputs respond to" in one for one in found.warnings)


def test_statistics_and_whole_numbers_in_buffers_are_no_weights():
    normalised = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    normalised.register_buffer("order", torch.arange(3))
    assert dict(constants(normalised)) == {}
    assert dict(read_layers(Subject(normalised.eval()), {"x": torch.randn(5, 6)}).unread) == {"1.weight": 4, "1.bias": 4}


def test_weights_that_are_not_named_are_counted_and_normalisations_are_in_no_share():
    blocks = [nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6)) for _ in range(4)]
    network, inputs = Subject(nn.Sequential(*blocks).eval()), {"x": torch.randn(5, 6)}
    read = read_layers(network, inputs)
    kept = FractureKept({}, (), {}, read.unread, carried(network, inputs, read))
    (told,) = warnings_of(kept, 0)
    assert told.startswith("48 weights are not counted")
    assert "0.1.weight, 0.1.bias, 1.1.weight, 1.1.bias, 2.1.weight and 3 more. Without normalisations" in told
    assert told.endswith("their share of all weights is 0.")
    (few,) = warnings_of(replace(kept, unread={"0.1.weight": 6}), 0)
    assert "0.1.weight. Without" in few


class Four(contexts.Sides):
    """A fourth context, which the group does not reach; or two groups of three that it does not exchange."""

    def __init__(self, num: int):
        super().__init__("contexts", items=40)
        self.num = num
        self.parts = (self.parts[0], Part("side", tuple(map(str, range(num)))))

    def regular(self, n, *, generator):
        every = super().regular(120, generator=generator)
        if self.num == 6:
            side = every.examples.parts["side"] + 3 * (every.examples.parts["item"] % 2)
            parts = dict(every.examples.parts) | {"side": side}
            examples = Examples(every.examples.inputs, every.examples.targets, parts, every.examples.combination)
            return Regular(examples, every.regularities)
        return every


@pytest.mark.slow
@pytest.mark.parametrize("num", [4, 6])
def test_the_group_must_reach_every_value_of_the_context(num):
    task = Four(num)
    network = Subject(contexts.shared(task, Generator().manual_seed(0)))
    found = run(Fracture(budgets=SMALL), network, task, effort="quick")
    answer = judge([found]).sharing
    assert answer.answer == "not resolved"
    assert f"3 of {num} values of side are exchanged" in answer.because
    assert "one thing for all" not in found.summary


class Repeated(contexts.Sides):
    """Each content given so many times."""

    def __init__(self, times: int):
        super().__init__("contexts", items=8)
        self.times = times

    def regular(self, n, *, generator):
        rows = torch.arange(24).repeat(self.times)
        place = torch.arange(len(rows)).reshape(-1, 3)
        moves = [place.roll(1, 1).flatten(), place[:, [1, 0, 2]].flatten()]
        exchange = Regularity.generated("exchange", moves, num_outputs=3)
        sides = {f"side {k}": (rows % 3 == k)[:, None].expand(-1, 3) for k in range(3)}
        return Regular(self._rows(rows), (exchange,), sides)


@pytest.mark.slow
def test_rows_that_are_given_again_are_no_further_units():
    network = Subject(contexts.shared(contexts.Sides("contexts", items=8), Generator().manual_seed(0)))
    once, often = (run(Fracture(budgets=SMALL), network, Repeated(times), effort="quick") for times in (1, 5))
    assert [one.value for one in often.measures] == [one.value for one in once.measures]
    assert [one.units for one in often.measures] == [one.units for one in once.measures]
    assert (often.settings["orbits"], len(once.warnings)) == (8, 0)
    assert "96 examples were left out, since other examples have the same inputs." in often.warnings
    answer = judge([often]).sharing
    assert answer.answer == "not resolved"
    assert "8 orbits are too few" in answer.because
    assert "8 orbits are too few" in often.summary
    assert often.summary.count("respond as one") == 1, "the reason does not repeat the finding"


def test_what_is_left_is_closed_under_all_regularities():
    """Rows 0 and 4 are equal, and so what each is taken to is kept once."""
    inputs = {"x": torch.tensor([[0.0], [1], [2], [3], [0], [5], [6], [7]])}
    examples = Examples(inputs, torch.zeros(8, 1), {"c": torch.arange(8)}, torch.arange(8))
    pairs = Regularity.generated("pairs", [torch.tensor([1, 0, 3, 2, 5, 4, 7, 6])], num_outputs=1)
    fours = Regularity.generated("fours", [torch.tensor([0, 1, 2, 3, 6, 7, 4, 5])], num_outputs=1)
    kept = Regular(examples, (pairs, fours)).without_repeats()
    assert kept.examples.inputs["x"][:, 0].tolist() == [0, 1, 2, 3]
    assert [one.rows.tolist() for one in kept.regularities] == [[[0, 1, 2, 3], [1, 0, 3, 2]], [[0, 1, 2, 3]]]
    again = kept.without_repeats()
    assert again is kept


@pytest.mark.slow
def test_weights_that_are_made_of_others_have_no_other_order():
    task = contexts.Sides("contexts", items=40)
    network = contexts.untrained(task, Generator().manual_seed(0))
    plain = run(Fracture(budgets=SMALL), Subject(network), task, effort="quick")
    assert any(null.name == NAME for null in plain.measure("coherence").nulls)
    nn.utils.parametrizations.weight_norm(network.layers[0])
    found = run(Fracture(budgets=SMALL), Subject(network), task, effort="quick")
    assert not any(null.name == NAME for measure in found.measures for null in measure.nulls)
    assert "Weights in another order: those of layers.0 are computed from other parameters." in found.not_tested


class Nothing(contexts.Sides):
    def regular(self, n, *, generator):
        return None


def test_what_is_no_declaration_is_named():
    task = Nothing("contexts")
    with pytest.raises(AssayError, match=r"must give an assay.regularity.Regular.*NoneType"):
        run(Fracture(budgets=SMALL), Subject(contexts.untrained(task, Generator())), task, effort="quick")


@pytest.mark.parametrize(
    ("rows", "given", "said"),
    [
        ([], {}, "at least one generator"),
        ([torch.tensor([1, 0])], {"num_outputs": 0}, "at least one output"),
        ([torch.tensor([1, 0])], {"outputs": [torch.tensor([0])] * 2}, "as many permutations of outputs as of examples"),
        ([torch.tensor([1, 0])], {"outputs": [torch.tensor([0])], "num_outputs": 2}, "num_outputs=2"),
        ([torch.tensor([1, 0]), torch.tensor([0, 2, 1])], {}, "examples must have one length"),
    ],
)
def test_moves_that_cannot_be_multiplied_are_named(rows, given, said):
    with pytest.raises(AssayError, match=said):
        Regularity.generated("exchange", rows, **given)


@pytest.mark.parametrize("move", [[1, 0], torch.zeros(1, 2, dtype=torch.long)])
def test_moves_that_are_no_tensors_of_one_dimension_are_named(move):
    """Annotations are checked in tests alone, so that what a user meets is called directly."""
    with pytest.raises(AssayError, match="must be a one-dimensional tensor of whole numbers"):
        _check_moves("exchange", [move], (), 2)
