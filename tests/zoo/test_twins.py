"""Twins compute what the original computes, are written otherwise, and leave the original alone."""

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.models import ModelConfig, rebuild
from assay.models.encoder_decoder import EncoderDecoder
from assay.models.gru import TokenGRU
from assay.models.mlp import TokenMLP, VectorMLP
from assay.models.transformer import Transformer
from assay.tasks.modular import Modular
from assay.training.config import TrainingConfig
from assay.training.fit import fit
from assay.zoo.twins import fractured, permuted, rescaled, split, with_cancelling_pairs
from assay.zoo.units import hidden_units, refitted

Twin = Callable[[nn.Module, Generator], nn.Module]
TASK = Modular(p=5, num_first=4, num_second=4, coverage=0.7)
TOKENS = {"vocab": 13, "length": 3, "num_outputs": 5}
MODELS: dict[str, Callable[[], nn.Module]] = {
    "mlp on tokens": lambda: TokenMLP(**TOKENS, width=16, depth=2),
    "mlp on vectors": lambda: VectorMLP(num_features=4, num_outputs=3, width=16, depth=3),
    "transformer": lambda: Transformer(**TOKENS, width=8, depth=2, heads=2),
    "gru": lambda: TokenGRU(**TOKENS, width=16, depth=1),
    "gru of two layers": lambda: TokenGRU(**TOKENS, width=16, depth=2),
    "encoder-decoder": lambda: EncoderDecoder(
        source_vocab=13, source_length=3, target_vocab=13, target_length=3, width=8, depth=1, heads=2
    ),
    "notebook": lambda: nn.Sequential(
        nn.Linear(4, 7), *[activation := nn.LeakyReLU()], nn.Linear(7, 9, bias=False), activation, nn.Linear(9, 2)
    ),
}
TWINS: dict[str, Twin] = {
    "permuted": permuted,
    "rescaled": rescaled,
    "split": split,
    "with cancelling pairs": partial(with_cancelling_pairs, num=3),
    "fractured": fractured,
}
ADDS = {"split", "with cancelling pairs", "fractured"}


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def made(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MODELS[name]().eval()


def run(module: nn.Module) -> Tensor:
    tokens = torch.randint(13, (50, 3), generator=seeded(1))
    with torch.no_grad():
        if isinstance(module, EncoderDecoder):
            return module(source=tokens, prefix=tokens.flip(0))
        if isinstance(module, TokenMLP | Transformer | TokenGRU):
            return module(tokens=tokens)
        return module(torch.randn(50, 4, generator=seeded(2)))


def same(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(params=MODELS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=TWINS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def test_outputs_agree_and_weights_do_not(name, kind):
    module = made(name)
    before = copy.deepcopy(module)
    twin = TWINS[kind](module, seeded())
    assert type(twin) is type(module)
    torch.testing.assert_close(run(twin), run(module), rtol=0, atol=1e-5)
    assert same(module, before)
    assert not same(module, twin)
    for units in hidden_units(module):
        own, other = units.count(module.state_dict()), units.count(twin.state_dict())
        assert other > own if kind in ADDS else other == own
        for slot in (*units.incoming, *units.outgoing):  # no layer was passed over
            a, b = module.state_dict()[slot.name], twin.state_dict()[slot.name]
            assert a.shape != b.shape or not torch.equal(a, b)


def test_the_generator_decides(name, kind):
    module = made(name)
    assert same(TWINS[kind](module, seeded(1)), TWINS[kind](module, seeded(1)))
    assert not same(TWINS[kind](module, seeded(1)), TWINS[kind](module, seeded(2)))


def test_the_twin_learns_and_says_its_sizes(name, kind):
    twin = TWINS[kind](made(name), seeded())
    with torch.enable_grad():
        tokens = torch.randint(13, (5, 3), generator=seeded(1))
        if isinstance(twin, EncoderDecoder):
            output = twin(source=tokens, prefix=tokens)
        else:
            output = twin(tokens if isinstance(twin, TokenMLP | Transformer | TokenGRU) else torch.ones(5, 4))
        output.square().sum().backward()
    for part in twin.modules():
        if isinstance(part, nn.Linear):
            assert tuple(part.weight.shape) == (part.out_features, part.in_features)
            assert part.weight.grad is not None


def test_changes_that_change_nothing():
    module = made("mlp on tokens")
    assert same(rescaled(module, seeded(), spread=0), module)
    assert same(split(module, seeded(), share=0), module)
    assert same(with_cancelling_pairs(module, seeded(), num=0), module)
    one = TokenMLP(**TOKENS, width=1, depth=1).eval()
    assert same(permuted(one, seeded()), one)
    for twin in TWINS.values():
        torch.testing.assert_close(run(twin(one, seeded())), run(one), rtol=0, atol=1e-5)


def test_a_permutation_moves_whole_units(name):
    module = made(name)
    own, other = module.state_dict(), permuted(module, seeded()).state_dict()
    for key, value in own.items():
        torch.testing.assert_close(other[key].flatten().sort().values, value.flatten().sort().values, rtol=0, atol=0)


def test_a_chain_of_twins_is_a_twin(name):
    module = made(name)
    twin = module
    for change in TWINS.values():
        twin = change(twin, seeded(3))
    torch.testing.assert_close(run(twin), run(module), rtol=0, atol=1e-4)


def test_split_units_are_alike_and_share_what_they_send():
    module = made("mlp on tokens")
    twin = split(module, seeded(), share=1)
    first, second = twin.layers[0].weight, twin.layers[2].weight
    assert torch.equal(first[:16], first[16:])
    # The next layer has twice the rows too; its first half is the original's.
    torch.testing.assert_close(second[:16, :16] + second[:16, 16:], module.layers[2].weight)
    alpha = (second[:16, :16] / module.layers[2].weight)[0]
    assert (alpha < 0).any()
    assert (alpha > 1).any()
    assert ((alpha > 0) & (alpha < 1)).any()


def test_pairs_cancel():
    twin = with_cancelling_pairs(made("mlp on tokens"), seeded(), num=3)
    first, second = twin.layers[0].weight, twin.layers[2].weight
    assert torch.equal(first[16:19], first[19:])
    assert torch.equal(second[:16, 16:19], -second[:16, 19:])
    assert (second[:, 16:] != 0).all()


@pytest.mark.parametrize("architecture", [TokenMLP, Transformer, TokenGRU])
def test_trained_networks_agree_on_seen_and_novel_inputs(architecture):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = architecture(**TOKENS)
    fit(module, TASK, config=TrainingConfig(steps=300, batch_size=64, learning_rate=1e-2))
    twin = fractured(module, seeded())
    for share in ("seen", "novel"):
        examples = TASK.examples(share, 500, generator=seeded())
        with torch.no_grad():
            ours, theirs = module(**examples.inputs), twin(**examples.inputs)
        assert ours.abs().max() > 3
        torch.testing.assert_close(theirs, ours, rtol=0, atol=3e-5)


# Stored twins


def test_a_twin_is_rebuilt_from_the_original_architecture_and_its_weights(name, kind):
    twin = TWINS[kind](made(name), seeded())
    with torch.random.fork_rng():
        torch.manual_seed(9)
        again = refitted(MODELS[name](), twin.state_dict()).eval()
    assert same(again, twin)
    assert torch.equal(run(again), run(twin))


@pytest.mark.parametrize(("model", "width"), [("mlp", 40), ("gru", 40)])
def test_a_twin_of_equally_wide_layers_is_a_wider_reference_network(model: str, width: int):
    options = {**TOKENS, "width": 20, "depth": 2}
    twin = fractured(rebuild(ModelConfig(model, options), generator=seeded()), seeded(1))
    wider = rebuild(ModelConfig(model, {**options, "width": 45}), generator=seeded())
    wider.load_state_dict(twin.state_dict())
    assert torch.equal(run(wider.eval()), run(twin.eval()))


def test_weights_of_another_network_are_refused():
    module = made("mlp on tokens")
    weights = split(module, seeded()).state_dict()
    with pytest.raises(AssayError, match=r"layers\.4\.bias"):
        refitted(module, {**weights, "layers.4.bias": torch.zeros(6)})
    with pytest.raises(AssayError, match=r"layers\.4\.bias"):
        refitted(module, {key: value for key, value in weights.items() if key != "layers.4.bias"})
    with pytest.raises(AssayError, match=r"layers\.0\.weight"):
        refitted(module, {**weights, "layers.0.weight": torch.zeros(6)})


def test_precision_and_place_are_kept():
    module = made("notebook").double().requires_grad_(False)
    twin = fractured(module, seeded())
    assert {value.dtype for value in twin.state_dict().values()} == {torch.float64}
    assert not any(parameter.requires_grad for parameter in twin.parameters())
    x = torch.randn(9, 4, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(twin(x), module(x), rtol=0, atol=1e-13)


# What is refused


def test_networks_without_such_units_are_refused():
    for module in (nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))):
        with pytest.raises(AssayError, match="hidden units between two linear maps"):
            permuted(module, seeded())
    tied = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    tied[2].weight = tied[0].weight
    with pytest.raises(AssayError, match="must not share weights"):
        permuted(tied, seeded())


def test_settings_out_of_range_are_refused():
    module = made("notebook")
    for change in (
        partial(rescaled, spread=-1),
        partial(rescaled, spread=float("nan")),
        partial(split, share=1.5),
        partial(with_cancelling_pairs, num=-1),
    ):
        with pytest.raises(AssayError, match="must"):
            change(module, seeded())
