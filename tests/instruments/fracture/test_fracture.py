"""Fracture: planted networks, what changes nothing, the published networks, and what has no answer."""

import copy
import re
from dataclasses import replace
from itertools import pairwise

import contexts
import pytest
import torch
from torch import Generator, nn

from assay.data.genomes import PICTURES, picture_genome
from assay.errors import AssayError
from assay.instrument import Random, run
from assay.instruments.fracture import Fracture, maps, words
from assay.instruments.fracture import instrument as fracture
from assay.instruments.fracture.coherence import Coherence, coherence, energies_over, kept_share, one_sidedness, participation
from assay.instruments.fracture.noise import shake
from assay.instruments.fracture.shuffled import NAME, shuffled
from assay.models import build
from assay.models.cppn import Cppn, coordinates
from assay.models.evolved import dense
from assay.objective import Regression
from assay.regularity import Regular, Regularity
from assay.responses import balanced, by_unit, read_layers
from assay.store import Training
from assay.subject import Subject
from assay.tasks import load_task
from assay.tasks.modular_addition import ModularAddition
from assay.views import TrainedOnly

pytestmark = pytest.mark.slow

SMALL = {"quick": replace(fracture.BUDGETS["quick"], examples=120, draws=1, scales=(0.01, 0.1))}


def _read(network: nn.Module, task: contexts.Sides, seed: int = 0):
    regular = task.regular(120, generator=Generator().manual_seed(seed))
    return read_layers(Subject(network), regular.examples.inputs), regular


def _coherence(network: nn.Module, task: contexts.Sides) -> float:
    read, regular = _read(network, task)
    return coherence([balanced(layer) for layer in read.layers], read.outputs, regular.regularities[0]).value


def _over(network: nn.Module, task: contexts.Sides, measure) -> float:
    read, regular = _read(network, task)
    masks, groups = torch.stack(list(regular.parts.values())), torch.zeros(len(read.outputs), dtype=torch.int64)
    return measure([energies_over(by_unit(layer), masks, groups)[0] for layer in read.layers])


@pytest.mark.parametrize("kind", ["contexts", "mirror"])
def test_copies_are_told_from_one_shared_module(kind):
    sides = {"contexts": 3, "mirror": 2}[kind]
    shared, copied = [], []
    for seed in range(4):
        task, draws = contexts.Sides(kind, seed=seed), Generator().manual_seed(seed)
        networks = contexts.shared(task, draws), contexts.copied(task, draws)
        for network, found in zip(networks, (shared, copied), strict=True):
            read, regular = _read(network, task)
            torch.testing.assert_close(read.outputs, regular.examples.targets, atol=1e-4, rtol=0)
            found.append(_coherence(network, task))
        assert _over(networks[1], task, one_sidedness) > 0.99 > 0.2 > _over(networks[0], task, one_sidedness)
    assert min(shared) > 0.85
    assert max(copied) < 1 / sides + 0.05


def _sharing(network: nn.Module, task: contexts.Sides) -> float:
    read, regular = _read(network, task)
    votes, _ = coherence([balanced(layer) for layer in read.layers], read.outputs, regular.regularities[0]).sharing()
    return float(votes.mean())


@pytest.mark.parametrize("kind", ["contexts", "mirror"])
def test_orbits_of_one_module_are_shared_and_those_of_copies_are_not(kind):
    for seed in range(4):
        task, draws = contexts.Sides(kind, seed=seed), Generator().manual_seed(seed)
        assert _sharing(contexts.shared(task, draws), task) > 0.9
        assert _sharing(contexts.copied(task, draws), task) < 0.1


def test_sharing_is_counted_by_orbit_beyond_its_own_cut():
    kept = torch.tensor([[0.51, 0.49, 1.0, 1.65, 0.0]])
    total = torch.tensor([[1.0, 1.0, 1.0, 2.7, 0.0]])
    found = Coherence(kept, total, torch.tensor([0, 3, 6, 7, 9]), torch.tensor([3, 3, 1, 2, 2]), 6, 1.0)
    votes, orbits = found.sharing()
    # A cosine of a quarter is .5 kept of three examples and .625 of two; one alone shares with nothing, and the last is dead.
    assert orbits.tolist() == [0, 3, 7]
    assert votes.tolist() == [1, 0, 0]
    empty = Coherence(torch.zeros(1, 0), torch.zeros(1, 0), torch.zeros(0).long(), torch.zeros(0).long(), 2, 1.0)
    assert len(empty.sharing()[0]) == 0


@pytest.mark.parametrize(
    ("elements", "of_outputs", "regular"), [(2, 0.74, False), (2, 0.76, True), (6, 0.6, True), (6, 0.5, False)]
)
def test_outputs_have_a_regularity_from_half_way_on(elements, of_outputs, regular):
    none = torch.zeros(1, 0)
    found = Coherence(none, none, torch.zeros(0).long(), torch.zeros(0).long(), elements, of_outputs)
    assert found.is_regular == regular


def test_entangled_heads_are_told_from_separate_ones():
    for seed in range(4):
        task, draws = contexts.Sides("heads", seed=seed), Generator().manual_seed(seed)
        separate, entangled = contexts.separate(task, draws), contexts.entangled(task, draws)
        for network in (separate, entangled):
            read, regular = _read(network, task)
            torch.testing.assert_close(read.outputs, regular.examples.targets, atol=1e-4, rtol=0)
        assert _over(separate, task, participation) < 1e-6 < 0.1 < _over(entangled, task, participation)


# Published networks

TABLE = {"skull": (0.737, 13), "butterfly": (0.633, 19), "apple": (0.757, 19)}


@pytest.mark.parametrize("name", PICTURES)
def test_evolved_networks_have_the_measured_coherence_and_dimensions(name):
    task = load_task(f"picture:{name}")
    regular = task.regular(4_096, generator=Generator().manual_seed(0))
    assert len(regular.examples) == 4_096
    read = read_layers(Subject(dense(picture_genome(name))), regular.examples.inputs)
    found = coherence(read.layers, read.outputs, regular.regularities[0])
    share, dimensions = TABLE[name]
    assert found.value == pytest.approx(share, abs=0.01)
    assert float(found.units.mean()) == pytest.approx(found.value)
    standard = [maps.standardised(one) for one in maps.hidden_maps(read.layers)]
    assert maps.dimensions(standard) == pytest.approx(dimensions, abs=1)


@torch.no_grad()
def _rotated(network: Cppn) -> Cppn:
    """Units with the identity in another orthonormal basis, in every layer."""
    network = copy.deepcopy(network)
    matrices = [layer.weight for layer in network.layers if isinstance(layer, nn.Linear)]
    num = network.layers[1].counts["identity"]
    for depth, (one, two) in enumerate(pairwise(matrices)):
        turn = torch.linalg.qr(torch.randn(num, num, generator=Generator().manual_seed(depth), dtype=torch.float64)).Q.float()
        one[:num] = turn @ one[:num]
        two[:, :num] = two[:, :num] @ turn.T
    return network


def test_a_rotation_of_the_cache_changes_no_basis_free_number():
    regular = load_task("picture:skull").regular(1_024, generator=Generator().manual_seed(0))
    network = dense(picture_genome("skull"))
    reads = [read_layers(Subject(one), regular.examples.inputs) for one in (network, _rotated(network))]
    torch.testing.assert_close(reads[0].outputs, reads[1].outputs, atol=1e-3, rtol=0)
    for gauge in (lambda layer: layer, balanced):
        values = [coherence([gauge(one) for one in read.layers], read.outputs, regular.regularities[0]).value for read in reads]
        assert values[0] == pytest.approx(values[1], abs=1e-3)
    sizes = [maps.dimensions([balanced(layer).inputs[:, 0] for layer in read.layers[1:]]) for read in reads]
    assert sizes[0] == sizes[1]


@torch.no_grad()
def _split(network: contexts.Net) -> contexts.Net:
    """Every unit of the first two hidden layers twice, at half the weight each."""
    one, two, three, last = (layer for layer in network.layers if isinstance(layer, nn.Linear))
    found = contexts.Net(one.in_features, one.out_features, 2 * two.out_features, last.out_features)
    a, b, c, d = (layer for layer in found.layers if isinstance(layer, nn.Linear))
    a.load_state_dict(one.state_dict())
    b.weight.copy_(two.weight.repeat(2, 1))
    b.bias.copy_(two.bias.repeat(2))
    c.weight.copy_(three.weight.repeat(2, 2) / 2)
    c.bias.copy_(three.bias.repeat(2))
    d.weight.copy_(last.weight.repeat(1, 2) / 2)
    d.bias.copy_(last.bias)
    return found


def test_splitting_units_raises_repetition_and_leaves_coherence():
    task = contexts.Sides("contexts")
    network = contexts.untrained(task, Generator().manual_seed(0))
    twice = _split(network)
    first = torch.arange(120) % 2 == 0
    (own, _), (split, _) = _read(network, task), _read(twice, task)
    torch.testing.assert_close(own.outputs, split.outputs, atol=1e-5, rtol=1e-4)
    before, after = (maps.predictability(maps.hidden_maps(read.layers)[1:], first) for read in (own, split))
    assert after > 0.95 > before + 0.05
    assert _coherence(twice, task) == pytest.approx(_coherence(network, task), abs=0.02)


@torch.no_grad()
def _rescrambled(network: nn.Module, generator: Generator, scales: bool) -> nn.Module:
    """Units of every hidden layer in another order, each times a factor: between .1 and 10 for ReLU, 1 or -1 for tanh."""
    network = copy.deepcopy(network)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    for one, two in pairwise(layers):
        num = len(one.weight)
        order = torch.randperm(num, generator=generator)
        draws = torch.rand(num, generator=generator)
        by = 10 ** (2 * draws - 1) if scales else torch.where(draws < 0.5, -1.0, 1.0)
        one.weight.copy_(by[:, None] * one.weight[order])
        one.bias.copy_(by * one.bias[order])
        two.weight.copy_(two.weight[:, order] / by)
    return network


@pytest.mark.parametrize("kind", ["shared, ReLU", "copies behind hard gates, ReLU", "tanh"])
def test_other_weights_of_the_same_function_change_nothing_that_is_said_to_stay(kind):
    task, draws = contexts.Sides("contexts"), Generator().manual_seed(0)
    if kind == "tanh":
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 10), nn.Tanh(), nn.Linear(10, 3))
    else:
        network = (contexts.shared if "shared" in kind else contexts.copied)(task, draws)
    instrument = Fracture(budgets={"quick": replace(SMALL["quick"], shuffles=0)})
    data = instrument.data(Subject(network), task, instrument.budgets["quick"], Random(0, "scrambled"))
    other = _rescrambled(network, draws, scales=kind != "tanh")
    torch.testing.assert_close(other(task.x), network(task.x), atol=2e-3, rtol=1e-3)
    found = [instrument.read(Subject(one), data, Random(0, "noise")).values for one in (network, other)]
    assert [one.same for one in found[0]] == [one.same for one in found[1]]
    assert {one.metric for one in found[0]} == {metric.key for metric in instrument.metrics}
    for one, two in zip(*found, strict=True):
        if one.metric != "coherence_of_weights" or kind == "tanh":
            assert two.mean == pytest.approx(one.mean, abs=2e-3), one.same


# Networks trained alike, and networks of the same weights


@pytest.mark.parametrize(
    ("took", "changes", "said"),
    [
        (5.0, {"irregular": 2, "irregular_seconds": 10.0}, ""),
        (5.0, {}, "this effort trains none"),
        (50.0, {"irregular": 2, "irregular_seconds": 10.0}, "training took 50 s of CPU time, and this effort allows 10"),
        (None, {"irregular": 2, "irregular_seconds": 10.0}, "how the network was trained is not known"),
    ],
)
def test_networks_trained_alike_on_smooth_outputs_stand_beside_or_it_is_said_why_not(took, changes, said):
    task = load_task("picture:skull,size=8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        subject = Subject(Cppn(depth=2, identity=2, gaussian=2, sigmoid=1, sin=1, cos=0, tanh=0))
    if took is not None:
        subject.training = Training({"steps": 3, "batch_size": 16, "learning_rate": 0.1, "seed": 0}, took)
    found = run(Fracture(budgets={"quick": replace(SMALL["quick"], shuffles=0, **changes)}), subject, task, effort="quick")
    nulls = [null for null in found.measure("coherence").nulls if null.name.startswith(fracture.ALIKE)]
    assert len(nulls) == len({null.values for null in nulls}) == (0 if said else 2)
    assert [said in told for told in found.not_tested if fracture.ALIKE in told] == ([True] if said else [])


def test_outputs_of_a_picture_without_its_symmetry_are_other_pictures():
    task = load_task("picture:skull,size=32")
    one, two = task.irregular(3), task.irregular(4)
    assert one.address == "picture:skull,size=32,phases=random,seed=3"
    assert not torch.equal(one.pixels, two.pixels)
    flip = task.regular(1_024, generator=Generator().manual_seed(0)).regularities[0]
    assert kept_share(one.pixels, flip) < 0.75 < 0.84 < kept_share(task.pixels, flip)


def test_the_same_weights_lie_in_the_same_places_in_another_order():
    network = contexts.untrained(contexts.Sides("contexts"), Generator().manual_seed(0))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Linear):
                module.weight[0, :2], module.weight[:2, 2] = 1.0, 0.0
    before = copy.deepcopy(network.state_dict())
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    one, two = (shuffled(Subject(network), names, Generator().manual_seed(seed)).module.state_dict() for seed in (0, 1))
    for name, weight in before.items():
        assert torch.equal(network.state_dict()[name], weight)
        for kept in (0, 1):
            assert torch.equal(one[name] == kept, weight == kept)
        assert torch.equal(one[name].flatten().sort().values, weight.flatten().sort().values)
        assert torch.equal(one[name], weight) == name.endswith("bias")
    assert not all(torch.equal(one[name], two[name]) for name in before)
    alone = nn.Linear(1, 1)
    assert torch.equal(shuffled(Subject(alone), [""], Generator()).module.weight, alone.weight)


def test_coherence_that_the_same_weights_have_in_any_order_is_not_called_unified():
    task = contexts.Sides("contexts")
    subject = Subject(contexts.shared(task, Generator().manual_seed(0)))
    measure = run(Fracture(budgets=SMALL), subject, task, effort="quick").measure("coherence")
    null = next(null for null in measure.nulls if null.name == NAME)
    assert len(null.values) == 5 == len(set(null.values))
    assert null.counts
    rest = tuple(null for null in measure.nulls if null.name != NAME)
    rest = tuple(replace(null, p=0.01) for null in rest)
    found = Coherence(torch.ones(1, 1), torch.ones(1, 1), torch.zeros(1).long(), torch.ones(1).long(), 3, 1.0)
    assert words._level(replace(measure, nulls=(*rest, replace(null, p=0.01))), found).startswith("unified-like, above")
    assert "another order are as coherent" in words._level(replace(measure, nulls=(*rest, replace(null, p=0.2))), found)


# Small pieces


def test_dimensions_and_decoding_by_construction():
    draws = Generator().manual_seed(0)
    base = torch.randn(200, 3, generator=draws, dtype=torch.float64)
    maps_of = base @ torch.randn(3, 20, generator=draws, dtype=torch.float64)
    assert maps.dimensions([maps_of]) == 3
    assert maps.dimensions([]) == maps.dimensions([torch.ones(5, 2)]) == 0
    first = torch.rand(200, generator=draws) < 0.5
    assert maps.decodability(maps_of, base[:, :1], first) > 0.99
    assert maps.decodability(maps_of, torch.randn(200, 1, generator=draws, dtype=torch.float64), first) < 0.1
    assert maps.predictability([base], first) < 0.1
    assert maps.predictability([maps_of], first) > 0.99
    assert maps.predictability([base[:, :1]], first) is None


def test_shares_by_construction():
    alone, both = torch.tensor([[[1.0]], [[0.0]]]), torch.tensor([[[2.0]], [[2.0]]])
    assert participation([alone]) == 0
    assert participation([both]) == 1
    assert participation([alone, both]) == pytest.approx(4 / 5)  # counted by energy
    assert participation([torch.zeros(2, 1, 1)]) is None
    assert one_sidedness([alone]) == 1
    assert one_sidedness([both]) == 0
    assert one_sidedness([torch.tensor([[[3.0]], [[1.0]]])]) == pytest.approx(0.5)
    flip = Regularity.generated("flip", [torch.tensor([1, 0, 3, 2])], num_outputs=1)
    assert kept_share(torch.tensor([[1.0], [1.0], [3.0], [3.0]]), flip) == pytest.approx(1)
    assert kept_share(torch.tensor([[1.0], [-1.0], [3.0], [-3.0]]), flip) == pytest.approx(0)
    assert kept_share(torch.ones(4, 1), flip) == 1


def test_noise_leaves_the_network_and_grows_with_its_scale():
    task = contexts.Sides("contexts")
    network = contexts.shared(task, Generator().manual_seed(0))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    regular = task.regular(120, generator=Generator())
    for convention in ("layer", "weight"):
        found = shake(
            Subject(network),
            regular.examples.inputs,
            regular.examples.targets,
            task.objective,
            regularity=regular.regularities[0],
            scales=(0.0, 0.01, 0.1),
            draws=2,
            convention=convention,
            generator=Generator().manual_seed(0),
        )
        assert found.size[0] == 0 < found.size[1] < found.size[2]
        assert found.loss[0] < found.loss[1] < found.loss[2]
        assert found.at(found.size[1]) == pytest.approx(found.kept[1])
        assert found.at(1e9) is None
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


# The instrument


def test_copies_read_as_fractured_and_a_function_without_the_regularity_as_not_resolved():
    task = contexts.Sides("contexts")
    fresh = lambda generator: contexts.untrained(task, generator)  # noqa: E731
    draws = Generator().manual_seed(0)
    copied = Subject(contexts.copied(task, draws), fresh=fresh)
    shared = Subject(contexts.shared(task, draws), fresh=fresh)
    found = run(Fracture(budgets=SMALL), copied, task, effort="quick", references={"shared": shared})
    assert "fractured-like" in found.summary
    assert found.summary.endswith("): a copy for each.")
    assert found.measure("sharing").value < 0.1
    one = run(Fracture(budgets=SMALL), shared, task, effort="quick")
    assert one.summary.endswith("): one thing for all.")
    assert re.search(
        r"not resolved, since .* differences below \.?\d[\d.]* from their mean would not have been seen", one.summary
    )
    measure = found.measure("coherence")
    assert measure.ceiling == pytest.approx(1)
    assert {null.name for null in measure.nulls} == {"untrained copies", "weights in another order", "shared"}
    assert measure.interval.low <= measure.value <= measure.interval.high
    noise = found.figures[2]
    assert {row[0] for row in noise.rows} == {"the network", "shared", "untrained copies"}
    other = Subject(fresh(Generator().manual_seed(77)), fresh=fresh)
    assert "not resolved" in run(Fracture(budgets=SMALL), other, task, effort="quick").summary


def test_a_network_without_response_has_no_number():
    task = contexts.Sides("contexts")
    network = contexts.shared(task, Generator().manual_seed(0))
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    fresh = lambda generator: contexts.untrained(task, generator)  # noqa: E731
    found = run(Fracture(budgets=SMALL), Subject(network, fresh=fresh), task, effort="quick")
    assert "undefined" in found.not_enough
    assert not found.measures


class Misdeclared(contexts.Sides):
    def regular(self, n, *, generator):
        found = super().regular(n, generator=generator)
        one = found.regularities[0]
        wide = Regularity(one.name, one.rows, torch.arange(5).expand(len(one.rows), -1))
        return replace(found, regularities=(wide,))


def test_a_regularity_of_other_outputs_is_refused():
    task = Misdeclared("contexts")
    subject = Subject(contexts.shared(task, Generator().manual_seed(0)))
    with pytest.raises(AssayError, match="where each output goes"):
        run(Fracture(budgets=SMALL), subject, task, effort="quick")


def test_it_reads_convolutions_and_tokens():
    class Convolutional(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))

        def forward(self, x):
            return self.inside(x[:, None])

    torch.manual_seed(0)
    task = contexts.Sides("contexts")
    found = run(Fracture(budgets=SMALL), Subject(Convolutional()), task, effort="quick")
    assert any("8 weights are not counted, since they lie in no linear layer" in warning for warning in found.warnings)
    assert found.measure("coherence").value is not None


class Exchanging(ModularAddition):
    """Modular addition, which declares that the numbers can be exchanged, and each class as a part."""

    def regular(self, n, *, generator):
        every = self.examples("seen", 10**6, generator=generator).in_canonical_order()
        i, j = every.parts["i"], every.parts["j"]
        rows = torch.stack([i, j], 1).tolist()
        kept = torch.tensor([[b, a] in rows for a, b in rows])
        examples = every.take(kept)
        place = {(a, b): k for k, (a, b) in enumerate(zip(i[kept].tolist(), j[kept].tolist(), strict=True))}
        move = torch.tensor([place[b, a] for a, b in place])
        parts = {f"class {k}": torch.arange(self.p).expand(len(examples), -1) == k for k in range(self.p)}
        return Regular(examples, (Regularity.generated("exchange of i and j", [move], num_outputs=self.p),), parts)


@pytest.mark.parametrize("model", ["transformer", "mlp"])
def test_it_reads_tokens_with_classes_as_parts(model):
    task = Exchanging(p=5, coverage=0.8)
    subject = Subject(build(model, task, generator=Generator().manual_seed(0), width=16, depth=1))
    found = run(Fracture(budgets=SMALL), subject, task, effort="quick")
    assert 0.5 <= found.measure("coherence").value <= 1
    assert found.measure("entanglement").about["parts"] == "class 0, class 1, class 2, class 3, class 4"
    unread = [warning for warning in found.warnings if "in no linear layer" in warning]
    assert bool(unread) == (model == "transformer")  # its embeddings


def test_a_network_that_exchanges_its_inputs_first_is_wholly_coherent():
    """Behind a first layer whose two halves are equal, all layers respond alike to (i, j) and to (j, i)."""
    task = Exchanging(p=5, coverage=0.8)
    module = build("mlp", task, generator=Generator().manual_seed(0), width=16)
    first = module.layers[0].weight
    regular = task.regular(120, generator=Generator())

    def behind() -> float:
        read = read_layers(Subject(module), regular.examples.inputs, centred=True)
        return coherence([balanced(layer) for layer in read.layers[1:]], read.outputs, regular.regularities[0]).value

    assert behind() < 0.95
    with torch.no_grad():
        # Positions of one-hot codes: the first token's values, then the second's, each over the whole vocabulary.
        wide, p = first.shape[1] // 2, 5
        first[:, wide + p : wide + 2 * p] = first[:, :p]
    assert behind() == pytest.approx(1, abs=1e-6)


def test_a_picture_is_read_at_level_0():
    view = TrainedOnly(load_task("picture:skull,size=20"))
    found = view.regular(400, generator=Generator().manual_seed(0))
    assert len(found.examples) == 400
    assert set(found.parts) == {"left eye", "right eye", "mouth", "background"}
    total = sum(mask.int() for mask in found.parts.values())
    assert torch.equal(total, torch.ones(400, 3, dtype=torch.int32))
    assert torch.equal(found.examples.inputs["x"], coordinates(20).float())
    few = load_task("picture:skull,size=9").regular(40, generator=Generator().manual_seed(0))
    x = few.examples.inputs["x"]
    moved = x[few.regularities[0].rows[1]]
    torch.testing.assert_close(moved[:, 0], -x[:, 0])
    assert torch.equal(moved[:, 1], x[:, 1])
    assert isinstance(load_task("picture:skull").objective, Regression)


def test_a_network_of_many_outputs_has_room_for_orbits_at_quick_effort():
    """One answer for each word: what it costs goes with positions where they are fewer than outputs. Twelve pairs are twice
    what an interval needs; gradients of all words have no room for fifty."""
    task = load_task("language")
    network = Subject(build("transformer", task, generator=Generator().manual_seed(0)))
    regular = task.regular(20, generator=Generator().manual_seed(0))
    assert fracture._most(network, regular, fracture.BUDGETS["quick"]) >= 24
