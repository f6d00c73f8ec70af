"""Untrained copies are networks as they are before training: nothing learned is left, and nothing is spoilt."""

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from assay import load_instrument, load_task
from assay.errors import AssayError
from assay.instrument import run
from assay.isolation import seeded
from assay.redraw import redrawn
from assay.subject import Subject


def old_weight_norm(layer: nn.Module) -> nn.Module:
    with pytest.warns(FutureWarning, match="deprecated"):
        return weight_norm(layer)


def copies(module: nn.Module, num: int = 3) -> list[nn.Module]:
    return [redrawn(module, Generator().manual_seed(seed)) for seed in range(num)]


class Codes(nn.Module):
    """A codebook learned by moving averages, beside the constant codes of positions."""

    def __init__(self, *, trains: bool = True):
        super().__init__()
        self.trains = trains
        self.embed, self.out = nn.Embedding(15, 8), nn.Linear(24, 5)
        self.register_buffer("codebook", torch.randn(10, 8))
        self.register_buffer("positions", torch.sin(torch.arange(24.0).view(3, 8)))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        ids = torch.cdist(x, self.codebook).argmin(-1)
        if self.training:
            if not self.trains:
                raise ValueError("it is trained elsewhere")
            self.codebook.data.lerp_(x.detach().flatten(0, 1)[: len(self.codebook)], 0.1)
        return self.out((self.codebook[ids] + self.positions).flatten(1))


def codes(**options: bool) -> Codes:
    with seeded(0):
        return Codes(**options)


def test_a_learned_codebook_is_drawn_again_and_constants_are_kept():
    inputs = {"tokens": torch.randint(15, (20, 3), generator=Generator().manual_seed(0))}
    subject = Subject(codes())
    told = "keeps codebook, positions as the network has them; name what training changes: Subject(running=...)"
    assert subject.untrained(Generator()).remarks == (told,)
    before = {name: value.clone() for name, value in subject.weights().items()}
    subject = subject.with_running(inputs)
    assert subject.running == ("codebook",)
    assert subject.untrained(Generator()).remarks == ()
    twin = subject.untrained(Generator().manual_seed(0)).weights()
    assert not torch.equal(twin["codebook"], before["codebook"])
    assert torch.equal(twin["codebook"].flatten().sort().values, before["codebook"].flatten().sort().values)
    assert torch.equal(twin["positions"], before["positions"])
    assert all(torch.equal(value, before[name]) for name, value in subject.weights().items())


def test_buffers_of_a_network_that_cannot_be_tried_are_named_in_the_report():
    inputs = {"tokens": torch.zeros(2, 3, dtype=torch.int64)}
    with pytest.raises(AssayError, match="codebook, positions"):
        Subject(codes(trains=False)).with_running(inputs)
    task = load_task("modular:p=5,num_first=5,num_second=5")
    for trains in (True, False):
        evidence = run(load_instrument("systematicity"), Subject(codes(trains=trains)), task, effort="quick")
        assert any("codebook" in warning for warning in evidence.warnings) == (not trains)


def test_batch_statistics_start_anew():
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6))
    module.train()(torch.randn(50, 4, generator=Generator().manual_seed(0)) * 9 + 5)
    (twin,) = copies(module, 1)
    assert (twin[1].running_mean == 0).all()
    assert (twin[1].running_var == 1).all()
    assert not any(part.training for part in twin.modules())


# Parametrised weights


def trained(layer: nn.Module) -> nn.Module:
    """Far from where it began, in every parameter."""
    with torch.no_grad(), seeded(1):
        for weight in layer.parameters():
            weight.add_(torch.randn_like(weight) * 3)
        for _ in range(20):
            layer.train()(torch.randn(5, 30))
    return layer.eval()


def test_weights_under_weight_norm_are_drawn_as_the_layer_draws_them():
    layer = trained(parametrizations.weight_norm(nn.Linear(30, 20)))
    for twin in copies(layer):
        assert bool((twin.weight.abs() <= 30**-0.5 + 1e-6).all())
        torch.testing.assert_close(twin.parametrizations.weight.original0[:, 0], twin.weight.norm(dim=1))
    assert layer.weight.abs().max() > 1, "the trained one was changed"


@pytest.mark.parametrize("normalise", [parametrizations.spectral_norm, spectral_norm])
def test_weights_under_spectral_norm_have_norm_one(normalise):
    with seeded(0):
        layer = normalise(nn.Linear(30, 20))
    layer = trained(layer) if normalise is parametrizations.spectral_norm else layer
    for twin in copies(layer):
        with torch.no_grad():
            twin(torch.zeros(1, 30))
        weight = twin.weight.detach()
        assert float(torch.linalg.matrix_norm(weight, 2)) == pytest.approx(1, abs=0.03)
        assert not torch.equal(twin.weight, layer.weight)


@pytest.mark.parametrize("set_by", ["itself", "the module around"])
@pytest.mark.parametrize("normalise", [old_weight_norm, spectral_norm])
def test_old_normalisations_follow_the_weight_that_was_drawn_last(normalise, set_by: str):
    module = OwnInitialiser() if set_by != "itself" else nn.Sequential(nn.Sequential(nn.Linear(40, 40)))
    layer = normalise(next(iter(module.children()))[0])
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight) * 5)
        module.layers(torch.zeros(2, 40)) if set_by != "itself" else module(torch.zeros(2, 40))
    twin = next(iter(redrawn(module, Generator().manual_seed(0)).children()))[0]
    with torch.no_grad():
        twin(torch.zeros(2, 40))
    if normalise is spectral_norm:
        assert float(torch.linalg.matrix_norm(twin.weight.detach(), 2)) == pytest.approx(1, abs=0.03)
    drawn = (twin.weight if normalise is old_weight_norm else twin.weight_orig).detach()
    assert float(drawn.std()) == pytest.approx(0.02 if set_by != "itself" else 40**-0.5 / 3**0.5, rel=0.1)
    assert not torch.equal(drawn, layer.weight)


@pytest.mark.parametrize("trivialised", [True, False])
def test_orthogonal_weights_stay_orthogonal(trivialised: bool):
    with seeded(0):
        layer = parametrizations.orthogonal(nn.Linear(6, 6), use_trivialization=trivialised)
    with torch.no_grad():
        layer.parametrizations.weight.original.add_(torch.randn(6, 6, generator=Generator().manual_seed(0)))
    one, other, _ = copies(layer)
    for twin in (one, other):
        torch.testing.assert_close(twin.weight @ twin.weight.T, torch.eye(6), atol=1e-4, rtol=0)
        assert not torch.allclose(twin.weight, layer.weight, atol=1e-2)
    assert not torch.allclose(one.weight, other.weight, atol=1e-2)


# Initialisers of modules around


def test_what_a_module_sets_of_its_children_is_the_last_word():
    attention = nn.MultiheadAttention(8, 2)
    with torch.no_grad():
        attention.out_proj.bias.fill_(3.0)
    assert all((twin.out_proj.bias == 0).all() for twin in copies(attention))


class OwnInitialiser(nn.Module):
    """As GPT and its kin: one function for all submodules."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(40, 40), nn.LayerNorm(40), nn.Linear(40, 40))
        self.apply(self._init_weights)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.ones_(module.bias)


def test_a_function_that_initialises_all_submodules_is_used():
    module = OwnInitialiser()
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(5.0)
    for twin in copies(module):
        for layer in (twin.layers[0], twin.layers[2]):
            assert (layer.bias == 1).all()
            assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
        assert (twin.layers[1].weight == 1).all()


def test_a_function_for_all_submodules_that_fails_is_named_with_the_submodule():
    class Strict(OwnInitialiser):
        def _init_weights(self, module: nn.Module) -> None:
            if not hasattr(self, "built") and isinstance(module, nn.LayerNorm):
                self.built = True
                return
            assert not isinstance(module, nn.LayerNorm), "once only"

    with pytest.raises(AssayError, match=r"_init_weights of layers\.1 \(LayerNorm\): AssertionError: once only.*`fresh`"):
        redrawn(Strict(), Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["BertForSequenceClassification", "GPT2Model"])
def test_models_of_hugging_face_are_drawn_as_transformers_draws_them(name: str):
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 40, "pad_token_id": 0, "initializer_range": 0.1}
    if name.startswith("Bert"):
        config = transformers.BertConfig(
            **sizes, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48
        )
    else:
        config = transformers.GPT2Config(**sizes, n_embd=32, n_layer=1, n_head=2)
    with seeded(0):
        model = getattr(transformers, name)(config)
    start = {key: (float(value.detach().mean()), float(value.detach().std())) for key, value in model.named_parameters()}
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(5.0)
    for twin in copies(model, 2):
        for key, value in twin.named_parameters():
            mean, std = start[key]
            assert float(value.detach().mean()) == pytest.approx(mean, abs=0.06), key
            assert float(value.detach().std()) == pytest.approx(std, abs=0.02), key
