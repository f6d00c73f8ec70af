"""Attention sinks, RMSNorm and a bigram table: what each does to a network, by hand."""

import pytest
import torch
from torch import Generator, nn

from assay.errors import AssayError
from assay.models import build, configure, rebuild
from assay.models.transformer import Attention
from assay.models.variants import VARIANTS
from assay.tasks import load_task
from assay.training import TrainingConfig, density_of, fit, prune

TASK = load_task("code:program,length=24")
SIZES = {"width": 16, "depth": 2, "heads": 2}


def made(**options: int) -> nn.Module:
    return build("transformer", TASK, generator=Generator().manual_seed(0), **SIZES, **options)


def tokens(n: int = 5) -> torch.Tensor:
    return TASK.examples("train", n, generator=Generator().manual_seed(1)).inputs["tokens"]


def test_a_sink_takes_its_share_of_attention_from_every_key():
    """With a logit of minus infinity it is plain attention; with a huge one nothing is read; between, by hand."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain, x = Attention(8, 2, causal=True), torch.randn(3, 5, 8)
    expected = plain(x)
    plain.sink = nn.Parameter(torch.full((2,), -1e9))
    assert torch.allclose(plain(x), expected, atol=1e-6)
    plain.sink.data.fill_(1e9)
    assert torch.allclose(plain(x), plain.output.bias.expand_as(x), atol=1e-6)
    plain.sink.data = torch.tensor([0.3, -0.7])
    query, key, value = (layer(x).view(3, 5, 2, 4).transpose(1, 2) for layer in (plain.query, plain.key, plain.value))
    weights = (query @ key.transpose(-2, -1) / 2).exp() * torch.ones(5, 5).tril()
    weights = weights / (weights.sum(-1, keepdim=True) + torch.tensor([0.3, -0.7]).exp()[:, None, None])
    assert torch.allclose(plain(x), plain.output((weights @ value).transpose(1, 2).flatten(2)), atol=1e-6)
    mask = torch.tensor([[True, True, False, True, True]] * 3)
    other = x.clone()
    other[:, 2] += 1
    assert torch.allclose(plain(x, mask=mask)[:, [0, 1, 3, 4]], plain(other, mask=mask)[:, [0, 1, 3, 4]], atol=1e-6)


def test_the_gain_of_rms_norm_can_be_folded_into_what_is_behind_it():
    model = made(rms=1)
    assert not any(isinstance(part, nn.LayerNorm) for part in model.modules())
    with torch.no_grad():
        model.norm.weight.copy_(torch.rand(16, generator=Generator().manual_seed(2)) + 0.5)
        expected = model(tokens())
        model.head.weight.mul_(model.norm.weight)
        model.norm.weight.fill_(1)
        assert torch.allclose(model(tokens()), expected, atol=1e-5)


def test_a_bigram_table_adds_the_row_of_each_token_and_starts_at_nothing():
    model, plain = made(bigram=1), made()
    assert torch.equal(model(tokens()), plain(tokens()))
    with torch.no_grad():
        model.bigram.table.normal_(generator=Generator().manual_seed(3))
    assert torch.allclose(model(tokens()) - plain(tokens()), model.bigram.table[tokens()], atol=1e-5)


def test_the_table_stays_dense_and_the_rest_gets_its_density():
    model = made(**dict.fromkeys(VARIANTS, 1))
    with torch.no_grad():
        model.bigram.table.fill_(1.0)
    fit(model, TASK, config=TrainingConfig(steps=6, batch_size=4, warmup=1, sparse=0.25, sparse_floor=1))
    assert int(torch.count_nonzero(model.bigram.table)) == model.bigram.table.numel()
    assert density_of(model) == pytest.approx(0.25, rel=0.1)
    prune(model, 1 / 8)
    assert density_of(model) == pytest.approx(1 / 8, rel=0.1)
    assert int(torch.count_nonzero(model.bigram.table)) == model.bigram.table.numel()


def test_a_varied_model_is_built_again_from_its_options():
    config = configure("transformer", TASK, **SIZES, sinks=1, rms=1, bigram=1)
    names = set(rebuild(config, generator=Generator().manual_seed(0)).state_dict())
    assert {"bigram.table", "blocks.1.attention.sink", "norm.weight"} <= names
    assert "norm.bias" not in names
    plain = configure("transformer", TASK, **SIZES, sinks=0)
    again = rebuild(plain, generator=Generator().manual_seed(0)).state_dict()
    assert all(torch.equal(again[key], value) for key, value in made().state_dict().items())


@pytest.mark.parametrize(("variant", "told"), [("sinks", "attention"), ("rms", "LayerNorm"), ("bigram", "every position")])
def test_networks_without_such_a_place_are_refused(variant: str, told: str):
    task = load_task("modular:p=5,num_first=4,num_second=4,maps=permutation,coverage=0.5")
    with pytest.raises(AssayError, match=told):
        build("mlp", task, generator=Generator(), **{variant: 1})
    with pytest.raises(AssayError, match=variant):
        build("transformer", TASK, generator=Generator(), **{variant: 2})
