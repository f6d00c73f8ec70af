"""Networks of known structure solve what they should, and their structure is what their name says."""

import copy
from functools import partial

import pytest
import torch
from torch import Generator, nn

from assay.errors import AssayError
from assay.models.odd_one_out import SCALE, ItemScorer
from assay.subject import Subject
from assay.tasks.bit_parity import BitParity
from zoo.part_problems import NETWORKS, fresh_rotated, part_problem_network, rotated, untrained

pytestmark = pytest.mark.slow  # three trainings

TASK = BitParity()


def accuracies(subject: Subject) -> list[float]:
    """On problems that both parts decide, and on those that either does."""
    generator = Generator().manual_seed(4)
    sets = [TASK.problems(1000, pool="test", generator=generator)]
    sets += [TASK.testing(name, 1000, pool="test", generator=generator) for name in TASK.combines]
    return [TASK.score(subject(examples.inputs), examples).mean().item() for examples in sets]


def linears(subject: Subject) -> list[nn.Linear]:
    return [layer for layer in subject.module.modules() if isinstance(layer, nn.Linear)]


@pytest.fixture(scope="module")
def networks() -> dict[str, Subject]:
    made = {kind: part_problem_network(kind, 3)[1] for kind in NETWORKS if kind != "rotated"}
    plain, fresh = made["trained"].module, partial(fresh_rotated, TASK)
    return {**made, "rotated": Subject(rotated(plain, Generator().manual_seed(3)), fresh=fresh)}  # trained once is enough


@pytest.mark.parametrize("kind", NETWORKS)
def test_all_but_the_random_one_solve_the_task(networks, kind):
    found = accuracies(networks[kind])
    if kind == "random":
        assert max(found) < 0.35
    else:
        assert min(found) > 0.99


def test_no_weight_leads_from_one_half_to_the_other(networks):
    for layer in linears(networks["block-diagonal"]):
        rows, columns = layer.weight.shape[0] // 2, layer.weight.shape[1] // 2
        assert not layer.weight[:rows, columns:].any()
        assert not layer.weight[rows:, :columns].any()
        assert layer.weight[:rows, :columns].all()


def test_each_half_reads_its_part_alone(networks):
    for k, name in enumerate(TASK.combines):
        network = Subject(copy.deepcopy(networks["block-diagonal"].module))
        last = linears(network)[-1]
        half = last.weight.shape[0] // 2
        with torch.no_grad():
            last.weight[slice(half) if k else slice(half, None)] = 0
            last.bias[slice(half) if k else slice(half, None)] = 0
        examples = TASK.reading(name, 1000, pool="test", generator=Generator().manual_seed(5))
        assert TASK.score(network(examples.inputs), examples).mean() > 0.95
        other = TASK.testing(TASK.combines[1 - k], 1000, pool="test", generator=Generator().manual_seed(5))
        assert TASK.score(network(other.inputs), other).mean() < 0.4


def test_the_table_has_a_unit_for_every_setting_and_no_unit_survives_the_loss_of_a_bit(networks):
    first, _, _ = linears(networks["lookup table"])
    items = TASK.problems(500, pool="test", generator=Generator().manual_seed(1)).inputs["items"].flatten(0, 1)
    fired = first(items).relu()
    assert (fired > 0).sum(1).eq(1).all()
    for column in torch.tensor(TASK.pairs).flatten().tolist():
        without = first.weight.detach().clone()
        without[:, column] = 0
        assert not (items @ without.T + first.bias).relu().any()


def test_the_table_without_the_settings_that_are_in_the_way_does_not_read_a_part():
    network = part_problem_network("lookup table", 0)[1]
    first, second, third = linears(network)
    settings = first.weight[:, torch.tensor(TASK.pairs).flatten()]
    in_the_way = (settings[:, 0] == settings[:, 1]) & (settings[:, 2] == -settings[:, 3]) & settings.any(1)
    with torch.no_grad():
        third.weight[:, second.weight[:, in_the_way].any(1)] = 0
    examples = TASK.reading("first", 4000, pool="test", generator=Generator().manual_seed(2))
    assert 0.5 < TASK.score(network(examples.inputs), examples).mean() < 0.85


def test_the_rotated_twin_computes_the_same_function(networks):
    items = TASK.problems(500, pool="test", generator=Generator().manual_seed(1)).inputs
    cosines = [networks[kind](items) / SCALE for kind in ("trained", "rotated")]
    assert (cosines[0] - cosines[1]).abs().max() < 1e-5
    plain, twin = (linears(networks[kind]) for kind in ("trained", "rotated"))
    assert len(twin) == 2 * len(plain)
    assert all(layer.weight.all() for layer in twin)
    # Doubled layers of the same product: the twin is no copy, and its basis is another.
    product = twin[1].weight @ twin[0].weight
    torch.testing.assert_close(product, plain[0].weight, atol=1e-5, rtol=0)
    assert (twin[1].weight - plain[0].weight).abs().max() > 0.1


def test_a_rotated_table_is_dense():
    plain = part_problem_network("lookup table", 0)[1]
    twin = Subject(rotated(plain.module, Generator().manual_seed(0)))
    items = TASK.problems(200, pool="test", generator=Generator().manual_seed(1)).inputs
    assert (twin(items) - plain(items)).abs().max() < 1e-5 * SCALE
    assert sum((layer.weight == 0).sum().item() for layer in linears(plain)) > 10_000
    filled = [(layer.weight != 0).float().mean().item() for layer in linears(twin)]
    assert filled[0] == filled[2] == filled[4] == 1.0


@pytest.mark.parametrize("kind", ["lookup table", "random"])
def test_another_network_for_every_seed_and_the_same_for_the_same(kind):
    name, one = part_problem_network(kind, 1)
    assert name == f"{kind}, seed 1"
    again, other = part_problem_network(kind, 1)[1], part_problem_network(kind, 2)[1]
    assert all(one.weights()[key].equal(again.weights()[key]) for key in one.weights())
    assert any(not one.weights()[key].equal(other.weights()[key]) for key in one.weights())


def test_untrained_copies_have_the_architecture(networks):
    for kind, subject in networks.items():
        copy = subject.untrained(Generator().manual_seed(8))
        assert {k: v.shape for k, v in copy.weights().items()} == {k: v.shape for k, v in subject.weights().items()}, kind
        assert max(accuracies(copy)) < 0.4, kind
    assert isinstance(untrained(TASK, 0), ItemScorer)


def test_an_unknown_kind_is_named():
    with pytest.raises(AssayError, match=r"no such network .* Given: trainde. Choices: trained, block-diagonal"):
        part_problem_network("trainde", 0)
