"""The search finds what was planted, and leaves the network as it was to the last bit."""

import copy

import pytest
import torch
from networks import Everything, Planted, asking, mlp, tokens
from torch import Generator, nn
from torch.nn import functional as F

from assay.errors import AssayError
from assay.masks import (
    ContinuousSparsification,
    HardConcrete,
    MaskTraining,
    SearchConfig,
    masked,
    path,
    run,
    search,
    units_of,
    weights_of,
)
from assay.task import Examples


def accuracy(module: nn.Module, mask, examples: Examples) -> float:
    outputs = run(module, masked(weights_of(module), mask), examples.inputs)
    return float((outputs.argmax(1) == examples.targets).float().mean())


@pytest.mark.parametrize("relaxation", [ContinuousSparsification(), HardConcrete()])
@pytest.mark.parametrize("which", [0, 1])
def test_the_planted_part_is_found(relaxation, which):
    module = Planted()
    units = units_of(module, kind="neuron", layers=["front"])
    found = search(
        module,
        units,
        asking(which, 200),
        loss=F.cross_entropy,
        price=0.01,
        relaxation=relaxation,
        generator=Generator().manual_seed(0),
    )
    assert found.mask.keep["front.weight"][:, 0].nonzero()[:, 0].tolist() == [2 * which, 2 * which + 1]
    assert accuracy(module, found.mask, asking(which, 100, seed=1)) == 1.0
    assert accuracy(module, ~found.mask, asking(1 - which, 100, seed=1)) == 1.0


@pytest.mark.parametrize("shared", [False, True])
def test_a_step_sees_the_network_that_the_mask_leaves(shared):
    """Also where two modules share a weight, which is then masked in both."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)).eval()
    if shared:
        module[1].weight = module[0].weight
    units, draws = units_of(module), Generator().manual_seed(0)
    kept = torch.rand(len(units), generator=draws) < 0.5
    training = MaskTraining(
        module,
        units,
        loss=F.cross_entropy,
        price=0.0,
        relaxation=ContinuousSparsification(),
        learning_rate=0.1,
        logits=torch.where(kept, 100.0, -100.0),
    )
    inputs, targets = {"input": torch.arange(5)}, torch.tensor([1, 2, 3, 4, 0])
    outputs = run(module, masked(weights_of(module), units.mask(kept)), inputs)
    taken = training.step(inputs, targets, progress=1.0, generator=draws)
    assert taken.loss == pytest.approx(float(F.cross_entropy(outputs, targets)), abs=1e-6)


@pytest.mark.parametrize("relaxation", [ContinuousSparsification(), HardConcrete()])
@pytest.mark.parametrize("kind", ["weight", "neuron", "head", "channel"])
def test_weights_buffers_modes_and_outputs_stay_to_the_bit(kind, relaxation):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Everything()
    module.train()
    module.norm.eval()
    for parameter in module.down.parameters():
        parameter.requires_grad_(False)
    before = copy.deepcopy(module)
    state = torch.get_rng_state()
    examples = Examples(tokens(32), torch.zeros(32, dtype=torch.int64), {}, torch.arange(32))
    config = SearchConfig(steps=12, batch_size=8)
    found = search(
        module,
        units_of(module, kind=kind),
        examples,
        loss=F.cross_entropy,
        price=0.01,
        relaxation=relaxation,
        config=config,
        generator=Generator().manual_seed(0),
    )
    assert not torch.equal(found.logits, torch.full_like(found.logits, relaxation.start)), "nothing was learned"
    for name, value in before.state_dict().items():
        assert torch.equal(value, module.state_dict()[name]), name
    for own, other in zip(before.parameters(), module.parameters(), strict=True):
        assert own.requires_grad == other.requires_grad
        assert other.grad is None
    assert [part.training for part in before.modules()] == [part.training for part in module.modules()]
    assert torch.equal(state, torch.get_rng_state()), "the global generator was used"
    before.eval(), module.eval()
    assert torch.equal(before(**tokens(4)), module(**tokens(4)))


def test_batch_statistics_are_those_that_were_stored():
    """A mask searched while every batch is normalised by itself would be of another network."""
    module = Everything().train()
    seen = []
    module.statistics.register_forward_hook(lambda m, args, out: seen.append(m.training))
    examples = Examples(tokens(8), torch.zeros(8, dtype=torch.int64), {}, torch.arange(8))
    search(
        module, units_of(module), examples, loss=F.cross_entropy, price=0.0, config=SearchConfig(steps=3), generator=Generator()
    )
    assert seen
    assert not any(seen)


def test_a_path_gets_sparser_and_starts_from_the_step_before():
    module, units = mlp(width=32), units_of(mlp(width=32))
    inputs = torch.randn(400, 4, generator=Generator().manual_seed(0))
    examples = Examples({"input": inputs}, module(inputs).argmax(1).detach(), {}, torch.arange(400))
    found = list(
        path(module, units, examples, loss=F.cross_entropy, prices=[1e-5, 1e-3, 1.0], generator=Generator().manual_seed(0))
    )
    kept = [item.mask.kept(weights_of(module)) for item in found]
    assert kept[0] > kept[1] > kept[2] == 0
    assert [item.price for item in found] == [1e-5, 1e-3, 1.0]
    assert max(step for step, *_ in found[1].trace) <= SearchConfig().later_steps


def test_a_path_ends_when_it_is_enough():
    module, units = Planted(), units_of(Planted())
    prices = [0.0, 1e-3, 1e-2]
    found = list(
        path(
            module,
            units,
            asking(0, 50),
            loss=F.cross_entropy,
            prices=prices,
            config=SearchConfig(steps=20, later_steps=20),
            generator=Generator(),
            enough=lambda item: item.price > 0,
        )
    )
    assert len(found) == 2


def test_the_same_seed_gives_the_same_mask_and_another_another():
    module, units = mlp(width=32), units_of(mlp(width=32))
    examples = Examples({"input": torch.randn(50, 4)}, torch.zeros(50, dtype=torch.int64), {}, torch.arange(50))
    logits = [
        search(
            module,
            units,
            examples,
            loss=F.cross_entropy,
            price=1e-3,
            config=SearchConfig(steps=30),
            generator=Generator().manual_seed(seed),
        ).logits
        for seed in (0, 0, 1)
    ]
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])


def test_a_search_at_rest_stops_early_with_the_mask_of_the_long_one():
    module, units = Planted(), units_of(Planted())
    long, short = (
        search(
            module,
            units,
            asking(0, 200),
            loss=F.cross_entropy,
            price=0.02,
            config=SearchConfig(checks=checks),
            generator=Generator().manual_seed(0),
        )
        for checks in (0, 20)
    )
    assert short.trace[-1][0] < long.trace[-1][0] == 400
    assert all(torch.equal(long.mask.keep[name], keep) for name, keep in short.mask.keep.items())


@pytest.mark.parametrize("hold", [1, 10])
def test_the_temperature_holds_for_the_length_of_an_epoch(hold):
    seen = []

    class Listening(ContinuousSparsification):
        def relax(self, logits, progress, generator):
            seen.append(progress)
            return super().relax(logits, progress, generator)

    config = SearchConfig(steps=20, hold=hold, checks=0)
    search(
        Planted(),
        units_of(Planted()),
        asking(0, 20),
        loss=F.cross_entropy,
        price=0.0,
        config=config,
        relaxation=Listening(),
        generator=Generator(),
    )
    assert len(set(seen)) == 20 // hold
    assert max(seen) < 1


def test_no_problem_is_refused_and_one_is_enough():
    units = units_of(Planted())
    options = {"loss": F.cross_entropy, "price": 0.0, "config": SearchConfig(steps=2), "generator": Generator()}
    with pytest.raises(AssayError, match="at least one problem"):
        search(Planted(), units, asking(0, 0), **options)
    assert search(Planted(), units, asking(0, 1), **options).trace


def test_falling_prices_are_refused():
    with pytest.raises(AssayError, match="must rise"):
        list(path(Planted(), units_of(Planted()), asking(0, 5), loss=F.cross_entropy, prices=[1.0, 0.0], generator=Generator()))


def test_no_subnormal_number_slows_a_search():
    class Watched(Planted):
        def forward(self, x):
            seen.append(float(torch.tensor(torch.finfo(torch.float32).tiny) / 2))
            return super().forward(x)

    seen: list[float] = []
    module = Watched()
    search(module, units_of(module), asking(0, 20), loss=F.cross_entropy, price=0.01, generator=Generator().manual_seed(0))
    assert len(seen) > 1
    assert not any(seen)
