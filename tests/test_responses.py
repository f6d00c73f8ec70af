"""Responses of all weights: against differences, against planted networks, and unchanged by what changes nothing."""

import copy

import pytest
import torch
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.models.cppn import coordinates
from assay.models.evolved import skull
from assay.regularity import Regularity
from assay.responses import (
    Layer,
    balanced,
    by_unit,
    energy_by_unit,
    overlap_of_rows,
    overlap_of_weights,
    positions_used,
    read_layers,
)
from assay.subject import Subject


class OnPositions(nn.Module):
    """Two layers at each of several positions, then their mean: every weight is used at all positions."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).tanh()).mean(1)


class Twice(nn.Module):
    """One layer that runs twice."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.layer(x).tanh())


class OfTheLast(nn.Module):
    """More outputs than positions, of which those of the second layer count at the last alone."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x).tanh()
        return self.third(self.second(hidden)[:, -1].tanh() + hidden.mean(1))


def _convolutional() -> nn.Module:
    layers = nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.Tanh(), nn.Conv2d(3, 2, 2, dilation=2), nn.Flatten(), nn.Linear(8, 2)
    return nn.Sequential(*layers)


def _wrapped(module: nn.Module, name: str) -> nn.Module:
    """Under the argument name of the tests."""

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = module

        def forward(self, x: Tensor) -> Tensor:
            return self.inside(x)

    return Named()


NETWORKS = {
    "mlp": (
        lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 5, bias=False), nn.Sigmoid(), nn.Linear(5, 2)),
        (3,),
    ),
    "positions": (OnPositions, (4, 3)),
    "one layer twice": (Twice, (3,)),
    "answer of the last position": (OfTheLast, (3, 3)),
    "convolutions": (_convolutional, (2, 8, 8)),
}


@pytest.fixture(params=NETWORKS)
def network(request) -> tuple[Subject, dict[str, Tensor]]:
    make, shape = NETWORKS[request.param]
    torch.manual_seed(0)
    module = _wrapped(make(), "x").double()
    return Subject(module), {"x": torch.randn(6, *shape, generator=Generator().manual_seed(1), dtype=torch.float64)}


def _by_differences(subject: Subject, inputs, layer, outgoing: int, incoming: int) -> Tensor:
    """The response of every output to one weight, `(n, c)`, by moving it."""
    module = subject.module.get_submodule(layer.name)
    flat = module.weight.flatten(1)
    moved = []
    for sign in (1, -1):
        network = copy.deepcopy(subject.module)
        other = network.get_submodule(layer.name)
        with torch.no_grad():
            if incoming == flat.shape[1]:
                other.bias[outgoing] += sign * 1e-5
            else:
                other.weight.flatten(1)[outgoing, incoming] += sign * 1e-5
            moved.append(network(**inputs))
    return (moved[0] - moved[1]) / 2e-5


def test_every_weight_responds_as_differences_say(network):
    subject, inputs = network
    found = read_layers(subject, inputs)
    assert not found.unread
    rows, outputs = torch.tensor([3, 1, 2, 0, 5, 4]), torch.tensor([1, 0, *range(2, found.outputs.shape[1])])
    for layer in found.layers:
        energy, overlap = overlap_of_weights(layer), overlap_of_weights(layer, rows, outputs)
        mask = (torch.arange(6)[:, None] > 2).expand(6, found.outputs.shape[1])
        masked = overlap_of_weights(layer, within=mask)
        assert energy.shape == layer.weight.shape
        several = overlap_of_weights(layer, within=torch.stack([mask, ~mask]))
        torch.testing.assert_close(several[0], masked)
        torch.testing.assert_close(several.sum(0), energy)
        assert torch.equal(overlap_of_weights(layer.take(rows[:0])), torch.zeros_like(layer.weight))
        for outgoing in range(0, len(energy), 2):
            for incoming in {0, energy.shape[1] // 2, energy.shape[1] - 1}:
                moved = _by_differences(subject, inputs, layer, outgoing, incoming)
                assert float(energy[outgoing, incoming]) == pytest.approx(float(moved.square().sum()), rel=1e-5, abs=1e-12)
                turned = moved[rows][:, outputs]
                expected = float((moved * turned).sum())
                assert float(overlap[outgoing, incoming]) == pytest.approx(expected, rel=1e-5, abs=1e-9)
                assert float(masked[outgoing, incoming]) == pytest.approx(float(moved[3:].square().sum()), rel=1e-5, abs=1e-12)


def test_a_layer_is_used_where_outputs_respond_to_it():
    torch.manual_seed(0)
    layers = read_layers(Subject(OfTheLast()), {"x": torch.randn(6, 3, 3)}).layers
    assert [positions_used(layer).tolist() for layer in layers] == [[0, 1, 2], [2], [0]]


@pytest.mark.parametrize(("num_outputs", "positions"), [(7, 3), (2, 5)])
def test_overlaps_are_those_of_the_responses_written_out(num_outputs, positions):
    """With rows, outputs and factors at once, a position that is not used, and either way of summing."""
    draws = Generator().manual_seed(0)
    gradients = torch.randn(num_outputs, 5, positions, 6, generator=draws, dtype=torch.float64)
    gradients[:, :, 1] = 0
    layer = Layer("made", torch.zeros(6, 4), torch.randn(5, positions, 4, generator=draws).double(), gradients)
    responses = torch.einsum("pti,cptj->cpji", layer.inputs, gradients)
    within = torch.rand(2, 5, num_outputs, generator=draws) > 0.5
    for rows in (None, torch.tensor([1, 0, 2, 4, 3])):
        for outputs in (None, torch.arange(num_outputs).flip(0)):
            moved = responses if outputs is None else responses[outputs]
            product = responses * (moved if rows is None else moved[:, rows])
            torch.testing.assert_close(overlap_of_weights(layer, rows, outputs), product.sum((0, 1)))
            torch.testing.assert_close(overlap_of_rows(layer, rows, outputs), product.sum((0, 2, 3)))
            found = overlap_of_weights(layer, rows, outputs, within=within)
            torch.testing.assert_close(found, torch.einsum("kpc,cpji->kji", within.double(), product))


def test_sums_over_weights_and_over_examples_agree(network):
    subject, inputs = network
    rows = torch.tensor([3, 1, 2, 0, 5, 4])
    for layer in read_layers(subject, inputs).layers:
        for each in (layer, by_unit(layer), balanced(layer)):
            assert float(overlap_of_rows(each, rows).sum()) == pytest.approx(float(overlap_of_weights(each, rows).sum()))


def test_the_energy_by_unit_is_that_in_the_gauge(network):
    subject, inputs = network
    for layer in read_layers(subject, inputs).layers:
        torch.testing.assert_close(overlap_of_weights(layer) * energy_by_unit(layer), overlap_of_weights(by_unit(layer)))


def test_units_are_rescaled_to_equal_mean_squares(network):
    """What a unit gives and what is pulled at it, on either side of a layer, from the activations themselves."""
    subject, inputs = network
    for layer in read_layers(subject, inputs).layers:
        made = by_unit(layer)
        for size, pull in (
            (made.inputs.square().mean((0, 1)), (made.gradients @ made.weight).square().mean((0, 1, 2))),
            ((made.inputs @ made.weight.T).square().mean((0, 1)), made.gradients.square().mean((0, 1, 2))),
        ):
            torch.testing.assert_close(size, pull)


def test_a_chunk_is_no_other_than_the_whole(network, monkeypatch):
    subject, inputs = network
    layers = read_layers(subject, inputs).layers
    whole = [overlap_of_weights(layer) for layer in layers]
    monkeypatch.setattr("assay.responses._CHUNK", 1)
    for layer, energy in zip(layers, whole, strict=True):
        torch.testing.assert_close(overlap_of_weights(layer), energy)


def _totals(subject, inputs, gauge):
    rows = torch.arange(len(inputs["x"])).flip(0)
    layers = [gauge(layer) for layer in read_layers(subject, inputs).layers]
    return torch.stack([torch.stack([overlap_of_rows(layer).sum(), overlap_of_rows(layer, rows).sum()]) for layer in layers])


def _mlp(activation: nn.Module) -> tuple[Subject, dict[str, Tensor]]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 6), activation, nn.Linear(6, 6), activation, nn.Linear(6, 2)).double()
    return Subject(_wrapped(module, "x")), {"x": torch.randn(40, 3, generator=Generator().manual_seed(1), dtype=torch.float64)}


@torch.no_grad()
def _changed(subject: Subject, change: Tensor) -> Subject:
    """The first hidden space in another basis; the network computes the same where its units have the identity."""
    module = copy.deepcopy(subject.module)
    first, second = (one for one in list(module.modules()) if isinstance(one, nn.Linear) and one.out_features == 6)
    first.weight.copy_(change @ first.weight)
    first.bias.copy_(change @ first.bias)
    second.weight.copy_(second.weight @ torch.linalg.inv(change))
    return Subject(module)


def test_a_balanced_layer_knows_no_basis():
    subject, inputs = _mlp(nn.Identity())
    change = torch.randn(6, 6, generator=Generator().manual_seed(2), dtype=torch.float64)
    other = _changed(subject, change)
    torch.testing.assert_close(other(inputs), subject(inputs))
    torch.testing.assert_close(_totals(other, inputs, balanced), _totals(subject, inputs, balanced), rtol=1e-5, atol=0)
    assert not torch.allclose(_totals(other, inputs, by_unit), _totals(subject, inputs, by_unit), rtol=1e-2)


@pytest.mark.parametrize("gauge", [by_unit, balanced])
def test_scales_of_units_change_nothing_in_a_gauge(gauge):
    subject, inputs = _mlp(nn.ReLU())
    other = _changed(subject, torch.diag(torch.tensor([1e-3, 0.1, 1, 2, 30, 1e3], dtype=torch.float64)))
    torch.testing.assert_close(other(inputs), subject(inputs))
    torch.testing.assert_close(_totals(other, inputs, gauge), _totals(subject, inputs, gauge))
    assert not torch.allclose(_totals(other, inputs, lambda layer: layer), _totals(subject, inputs, lambda layer: layer))


def test_units_that_are_not_used_count_nothing():
    subject, inputs = _mlp(nn.ReLU())
    module = copy.deepcopy(subject.module)
    second = module.get_submodule("inside.2")
    with torch.no_grad():
        second.weight[:, 0] = 0
    for gauge in (by_unit, balanced):
        layers = {layer.name: gauge(layer) for layer in read_layers(Subject(module), inputs).layers}
        without = {layer.name: layer for layer in read_layers(Subject(module), inputs).layers}
        assert float(overlap_of_weights(without["inside.2"])[:, 0].sum()) > 0
        if gauge is by_unit:
            energy = overlap_of_weights(layers["inside.0"])
            assert float(energy[0].sum()) == 0 < float(energy.sum())
        assert torch.isfinite(overlap_of_rows(layers["inside.2"])).all()


def test_a_common_shift_of_logits_is_taken_out():
    subject, inputs = _mlp(nn.Tanh())
    found = read_layers(subject, inputs, centred=True)
    assert float(found.outputs.sum(1).abs().max()) < 1e-6
    for layer in found.layers:
        assert float(layer.gradients.sum(0).abs().max()) < 1e-12


def test_what_is_not_read_is_named_and_nothing_to_read_refused():
    module = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    inputs = {"x": torch.randn(4, 3)}
    assert read_layers(Subject(_wrapped(module, "x")), inputs).unread == {"inside.1.weight": 2, "inside.1.bias": 2}
    with pytest.raises(AssayError, match="linear layers or convolutions"):
        read_layers(Subject(_wrapped(nn.LayerNorm(3), "x")), inputs)


def test_no_example_and_one():
    subject, inputs = _mlp(nn.Tanh())
    for num in (0, 1):
        for layer in read_layers(subject, {"x": inputs["x"][:num]}).layers:
            for gauge in (lambda one: one, by_unit, balanced):
                assert overlap_of_rows(gauge(layer)).shape == (num,)


def test_the_evolved_skull_is_as_coherent_as_it_was_measured():
    """Of the images' first-order changes .737 respect the flip; an independent implementation gave that figure."""
    found = read_layers(Subject(skull()), {"x": coordinates(64).float()})
    flip = torch.arange(64 * 64).reshape(64, 64).flip(1).flatten()
    energy = torch.stack([overlap_of_rows(layer).sum() for layer in found.layers]).sum()
    kept = torch.stack([overlap_of_rows(layer, flip).sum() for layer in found.layers]).sum()
    assert float((energy + kept) / (2 * energy)) == pytest.approx(0.737, abs=5e-4)


# Regularities


def test_moves_generate_their_group():
    turn = torch.tensor([1, 2, 3, 0])
    found = Regularity.generated("turn", [turn], [torch.tensor([1, 0])])
    assert len(found.rows) == 4
    assert sorted(found.outputs[:, 0].tolist()) == [0, 0, 1, 1]
    assert found.orbits().tolist() == [0, 0, 0, 0]
    both = Regularity.generated("dihedral", [turn, torch.tensor([3, 2, 1, 0])], num_outputs=1)
    assert len(both.rows) == 8
    assert Regularity.generated("nothing", [torch.arange(3)]).orbits().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Regularity.generated("flip", [torch.tensor([1, 1, 0])]), "must hold each of 0 to"),
        (lambda: Regularity.generated("flip", [torch.tensor([1, 0])], [torch.tensor([0, 2])]), "must hold each of 0 to"),
        (lambda: Regularity.generated("turn", [torch.arange(65).roll(1)]), "at most 64 elements"),
        (
            lambda: Regularity("turn", torch.tensor([[0, 1, 2], [1, 2, 0]]), torch.zeros(2, 1, dtype=torch.int64)),
            "be a group",
        ),
        (lambda: Regularity("flip", torch.tensor([[1, 0]]), torch.zeros(1, 1, dtype=torch.int64)), "must be the identity"),
    ],
)
def test_what_is_no_group_is_refused(make, message):
    with pytest.raises(AssayError, match=message):
        make()


def test_weights_made_anew_at_each_call_are_not_taken_for_one():
    torch.manual_seed(0)
    layers = [nn.utils.parametrizations.weight_norm(nn.Linear(3, 3, bias=False)) for _ in range(4)]
    found = read_layers(Subject(nn.Sequential(*layers)), {"input": torch.randn(5, 3)}).layers
    assert [layer.name for layer in found] == ["0", "1", "2", "3"]


def test_one_weight_in_two_modules_is_one_layer_and_biases_of_their_own_are_not_read():
    def read(*, bias: bool):
        first, second = nn.Linear(3, 3, bias=bias), nn.Linear(3, 3, bias=bias)
        second.weight = first.weight
        return read_layers(Subject(nn.Sequential(first, second)), {"input": torch.randn(5, 3)})

    for bias, unread in ((False, {}), (True, {"0.bias": 3, "1.bias": 3})):
        found = read(bias=bias)
        (one,) = found.layers
        assert (one.inputs.shape, one.gradients.shape) == ((5, 2, 3), (3, 5, 2, 3))
        assert found.unread == unread
