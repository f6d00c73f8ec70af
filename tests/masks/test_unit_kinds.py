"""Every kind of unit covers the weights that it should: what it removes is what the definition says."""

import pytest
import torch
from networks import Everything, mlp, tokens
from torch import Generator, nn

from assay.errors import AssayError
from assay.masks import masked, run, units_of, weights_of
from assay.models.transformer import Transformer
from assay.outputs import with_output


def one_removed(module: nn.Module, kind: str, number: int, **options) -> tuple[dict, object]:
    units = units_of(module, kind=kind, **options)
    kept = torch.ones(len(units), dtype=torch.bool)
    kept[number] = False
    return masked(weights_of(module), units.mask(kept)), units


def test_single_weights_are_numbered_in_the_order_of_the_parameters():
    module = mlp()
    weights, units = one_removed(module, "weight", 4 * 8 + 5)
    assert len(units) == 4 * 8 + 8 * 3
    changed = {name: (weights[name] != own).nonzero().tolist() for name, own in weights_of(module).items()}
    assert changed == {"0.weight": [], "0.bias": [], "2.weight": [[0, 5]], "2.bias": []}


def test_every_kind_of_module_is_found_and_neither_biases_nor_norms():
    found = [place.parameter for place in units_of(Everything()).places]
    assert found == [
        "embedding.weight",
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "along.weight",
        "over.weight",
        "up.weight",
        "down.weight",
    ]


def test_projections_of_unequal_size_are_found():
    attention = nn.MultiheadAttention(8, 2, kdim=6, vdim=4)
    names = ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"]
    for kind in ("weight", "neuron", "head"):
        assert [place.parameter for place in units_of(attention, kind=kind).places] == names


@pytest.mark.parametrize("layer", ["along", "over", "up", "down", "embedding", "attention.out_proj"])
def test_a_removed_neuron_outputs_its_bias(layer):
    module = Everything().eval()
    weights, _ = one_removed(module, "neuron", 1, layers=[layer])
    seen = []
    handle = module.get_submodule(layer).register_forward_hook(lambda m, args, out: seen.append(out))
    if layer == "attention.out_proj":  # its forward is inside the attention's own
        handle.remove()
        handle = module.attention.register_forward_hook(lambda m, args, out: seen.append(out[0]))
    run(module, weights, tokens(4))
    handle.remove()
    own = module.get_submodule(layer)
    channel = seen[0][:, 1] if layer in ("along", "over") else seen[0][..., 1]
    assert torch.equal(channel, torch.full_like(channel, 0.0 if layer == "embedding" else float(own.bias[1].detach())))


def test_a_removed_neuron_of_the_input_projection_is_one_query_key_or_value():
    weights, units = one_removed(Everything(), "neuron", 8 + 3, layers=["attention"])
    assert len(units) == 24
    assert bool((weights["attention.in_proj_weight"][11] == 0).all())


@pytest.mark.parametrize("make", ["torch", "reference"])
def test_a_removed_head_mixes_nothing_into_the_stream(make):
    """By a second route: the head's columns of the output projection set to zero by hand."""
    module = Everything().eval() if make == "torch" else Transformer(vocab=5, length=6, num_outputs=2, width=8, heads=2).eval()
    weights, units = one_removed(module, "head", 1)
    assert len(units) == (2 if make == "torch" else 4)
    by_hand = weights_of(module)
    name = "attention.out_proj.weight" if make == "torch" else "blocks.0.attention.output.weight"
    by_hand[name] = by_hand[name].clone()
    by_hand[name][:, 4:] = 0
    assert torch.allclose(run(module, weights, tokens(4)), run(module, by_hand, tokens(4)), atol=1e-6)
    assert not torch.allclose(run(module, weights, tokens(4)), run(module, weights_of(module), tokens(4)), atol=1e-4)


def hugging_face(kind: str) -> nn.Module:
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "gpt2":
            config = transformers.GPT2Config(vocab_size=9, n_positions=8, n_embd=8, n_layer=2, n_head=2)
            return transformers.GPT2Model(config).eval()
        sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
        if kind == "bert":
            return transformers.BertModel(transformers.BertConfig(vocab_size=9, max_position_embeddings=8, **sizes)).eval()
        config = transformers.LlamaConfig(vocab_size=9, num_key_value_heads=1, max_position_embeddings=8, **sizes)
        return transformers.LlamaModel(config).eval()


@pytest.mark.parametrize(
    ("kind", "covered"),
    [
        ("gpt2", ["h.0.attn.c_attn.weight", "h.0.attn.c_proj.weight"]),
        ("bert", [*(f"encoder.layer.0.attention.self.{one}.weight" for one in ("query", "key", "value"))]),
        ("llama", ["layers.0.self_attn.q_proj.weight", "layers.0.self_attn.o_proj.weight"]),
    ],
)
def test_heads_of_hugging_face_networks(kind, covered):
    module = with_output(hugging_face(kind), "last_hidden_state")
    units = units_of(module, kind="head")
    assert len(units) == 4
    assert [place.parameter for place in units.places][: len(covered)] == covered
    ids = torch.tensor([[1, 2, 3]])
    for number in range(4):
        weights, _ = one_removed(module, "head", number)
        changed = [bool((weights[name] != own).any()) for name, own in weights_of(module).items()]
        assert sum(changed) == len(units.places) / 2, "a head covers the projections of its own layer"
    everything = units.mask(torch.ones(4, dtype=torch.bool))
    plain = run(module, weights_of(module), {"input_ids": ids})
    assert torch.equal(plain, run(module, masked(weights_of(module), everything), {"input_ids": ids}))


def test_a_removed_channel_is_neither_written_nor_read():
    module = Transformer(vocab=5, length=6, num_outputs=2, width=8, heads=2).eval()
    weights, units = one_removed(module, "channel", 3)
    assert len(units) == 8
    for name in ("embedding.token", "embedding.position", "blocks.0.mlp.up", "blocks.1.attention.query", "head"):
        assert bool((weights[f"{name}.weight"][:, 3] == 0).all()), name
    for name in ("blocks.0.attention.output", "blocks.1.mlp.down"):
        assert bool((weights[f"{name}.weight"][3] == 0).all()), name
    same = [bool((weights[name][3] == own[3]).any()) for name, own in weights_of(module).items() if "query" in name]
    assert all(same), "a row of a query is no channel of the stream"


def test_layers_by_pattern_and_by_depth():
    module = Transformer(vocab=5, length=6, num_outputs=2, width=8, heads=2)
    chosen = [place.parameter for place in units_of(module, layers=["blocks.1.*"]).places]
    assert len(chosen) == 6
    assert all(name.startswith("blocks.1.") for name in chosen)
    assert [place.parameter for place in units_of(mlp(), start=1).places] == ["2.weight"]


@pytest.mark.parametrize("kind", ["weight", "channel"])
def test_embeddings_may_be_left_whole(kind):
    module = Transformer(vocab=5, length=6, num_outputs=2, width=8, heads=2)
    masks = [units_of(module, kind=kind, embeddings=flag) for flag in (True, False)]
    chosen, rest = ({place.parameter for place in units.places} for units in masks)
    assert chosen - rest == {"embedding.token.weight", "embedding.position.weight"}
    assert len(units_of(module, kind="channel", embeddings=False)) == 8
    with pytest.raises(AssayError, match="embeddings left whole"):
        units_of(nn.Embedding(5, 4), kind=kind, embeddings=False)


def test_a_shared_weight_is_masked_once():
    module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False))
    module[1].weight = module[0].weight
    units = units_of(module)
    assert [place.parameter for place in units.places] == ["0.weight"]
    removed = masked(weights_of(module), units.mask(torch.zeros(len(units), dtype=torch.bool)))
    assert not run(module, removed, {"input": torch.tensor([1, 2])}).any()


@pytest.mark.parametrize("kind", ["weight", "neuron", "head", "channel"])
def test_units_of_a_mask_are_those_that_made_it(kind):
    units = units_of(Transformer(vocab=5, length=6, num_outputs=2, width=8, heads=2), kind=kind)
    kept = torch.rand(len(units), generator=Generator().manual_seed(0)) < 0.5
    kept[0] = True
    found = units.of(units.mask(kept))
    # A square matrix read by one channel and by another's row may show a unit through others; heads and channels do not share.
    assert torch.equal(found, kept)


@pytest.mark.parametrize("kind", ["weight", "neuron", "head", "channel"])
def test_gather_is_the_transpose_of_spread(kind):
    """<spread(v), entries> = <v, gather(entries)>, for any values and entries."""
    units = units_of(Everything(), kind=kind)
    draws = Generator().manual_seed(1)
    values = torch.randn(len(units), generator=draws, dtype=torch.float64)
    entries = {place.parameter: torch.randn(place.shape, generator=draws, dtype=torch.float64) for place in units.places}
    one = sum(float((spread * entries[name]).sum()) for name, spread in units.spread(values).items())
    assert one == pytest.approx(float(values @ units.gather(entries)))


def test_matched_masks_agree_in_size_and_layer_and_differ_in_what_they_keep():
    module = mlp()
    with torch.no_grad():
        module[0].weight[:2] = 0  # dead: never drawn
    units, weights = units_of(module), weights_of(module)
    mask = units.mask(torch.rand(len(units), generator=Generator().manual_seed(0)) < 0.4)
    draws = [units.matched(mask, weights, generator=Generator().manual_seed(seed)) for seed in range(5)]
    for draw in draws:
        for name in mask.keep:
            own = mask.full(name) & (weights[name] != 0)
            assert int((draw.full(name) & (weights[name] != 0)).sum()) == int(own.sum()) == int(draw.full(name).sum())
    assert not torch.equal(draws[0].full("0.weight"), draws[1].full("0.weight"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "wieght"}, "Did you mean weight"),
        ({"layers": ["encoder*"]}, "Choices: 0, 2"),
        ({"start": 2}, "less than the number of maskable modules"),
        ({"kind": "head"}, "an attention with a known number of heads"),
        ({"kind": "channel"}, "give `width="),
        ({"kind": "channel", "width": 5}, "Choices: 3, 4, 8"),
    ],
)
def test_bad_requests_are_told_what_there_is(options, message):
    with pytest.raises(AssayError, match=message):
        units_of(mlp(), **options)


def test_a_module_without_maskable_weights_is_named():
    with pytest.raises(AssayError, match="LayerNorm with none of them"):
        units_of(nn.LayerNorm(4))
