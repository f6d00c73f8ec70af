"""The reference networks: shapes, independence of what must not matter, sites, sizes and what they refuse."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import Generator, Tensor, nn

from assay import models
from assay.errors import AssayError
from assay.models import ModelConfig, build, configure, default_name, rebuild
from assay.objective import PAD, Classification, Objective, Regression, Sequences, Steps
from assay.subject import Subject
from assay.task import Image, InputSpec, Items, Pixels, SourceToTarget, Task, Tokens, Vector, VectorSequence

TOKENS = Tokens(vocab=7, length=3)
VECTOR = Vector(num_features=5)
VECTORS = VectorSequence(num_features=5, length=3)
IMAGE = Image(channels=2, size=32)
PIXELS = Pixels(depth=3, identity=3, gaussian=2, sigmoid=1, sin=1, cos=0, tanh=1)
PAIRS = SourceToTarget(source_vocab=6, source_length=4, target_vocab=5, target_length=7)


class Shell(Task):
    """A task with nothing but an input and an objective."""

    address = "shell"
    parts = ()
    combines = ()

    def __init__(self, input_spec: InputSpec | None, objective: Objective):
        self.input_spec, self.objective = input_spec, objective

    def combinations(self, split):
        raise NotImplementedError

    def examples(self, split, n, *, generator):
        raise NotImplementedError


CASES = {
    "mlp on tokens": ("mlp", Shell(TOKENS, Classification(4))),
    "mlp on a vector": ("mlp", Shell(VECTOR, Regression(2, variance=1.0))),
    "mlp on a sequence": ("mlp", Shell(VECTORS, Steps(4))),
    "transformer": ("transformer", Shell(TOKENS, Classification(4))),
    "gru": ("gru", Shell(TOKENS, Classification(4))),
    "cnn": ("cnn", Shell(IMAGE, Classification(5))),
    "slot-attention": ("slot-attention", Shell(IMAGE, Regression(IMAGE.channels * IMAGE.size**2, variance=1.0))),
    "conv-autoencoder": ("conv-autoencoder", Shell(IMAGE, Regression(IMAGE.channels * IMAGE.size**2, variance=1.0))),
    "vit": ("vit", Shell(IMAGE, Classification(5))),
    "set-transformer": ("set-transformer", Shell(IMAGE, Classification(5))),
    "cppn": ("cppn", Shell(PIXELS, Regression(3, variance=1.0))),
    "items of vectors": ("mlp", Shell(Items(VECTOR), Classification(4))),
    "items of tokens": ("transformer", Shell(Items(TOKENS), Classification(4))),
    "items of images": ("cnn", Shell(Items(IMAGE), Classification(4))),
    "encoder-decoder": ("encoder-decoder", Shell(PAIRS, Sequences(5))),
    "causal": ("causal", Shell(PAIRS, Sequences(5))),
}


def inputs_for(spec: InputSpec | None, n: int) -> dict[str, Tensor]:
    generator = Generator().manual_seed(5)
    if isinstance(spec, Tokens):
        return {"tokens": torch.randint(spec.vocab, (n, spec.length), generator=generator)}
    if isinstance(spec, Pixels):
        return {"x": torch.rand(n, 4, generator=generator) * 2 - 1}
    if isinstance(spec, Vector):
        return {"x": torch.randn(n, spec.num_features, generator=generator)}
    if isinstance(spec, VectorSequence):
        return {"x": torch.randn(n, spec.length, spec.num_features, generator=generator)}
    if isinstance(spec, Image):
        return {"image": torch.rand(n, spec.channels, spec.size, spec.size, generator=generator)}
    if isinstance(spec, Items):
        (items,) = inputs_for(spec.of, 4 * n).values()
        return {"items": items.unflatten(0, (n, 4))}
    assert isinstance(spec, SourceToTarget)
    return {
        "source": torch.randint(1, spec.source_vocab, (n, spec.source_length), generator=generator),
        "prefix": torch.randint(1, spec.target_vocab, (n, spec.target_length), generator=generator),
    }


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[str, Shell]:
    return CASES[request.param]


def test_outputs_fit_the_task(case):
    name, task = case
    module = build(name, task, generator=Generator().manual_seed(0))
    per_position = {SourceToTarget: (7,), VectorSequence: (3,)}.get(type(task.input_spec), ())
    expected = (*per_position, task.objective.width())
    for n in (0, 1, 6):
        assert module.eval()(**inputs_for(task.input_spec, n)).shape == (n, *expected)
        assert n == 0 or module.train()(**inputs_for(task.input_spec, n)).shape == (n, *expected)


def test_initial_weights_are_a_function_of_the_generator_alone(case):
    name, task = case
    torch.manual_seed(11)
    first = build(name, task, generator=Generator().manual_seed(3)).state_dict()
    torch.manual_seed(12)
    state = torch.random.get_rng_state()
    config = configure(name, task)
    again = rebuild(ModelConfig(config.name, dict(config.options)), generator=Generator().manual_seed(3)).state_dict()
    assert torch.equal(state, torch.random.get_rng_state())
    other = build(name, task, generator=Generator().manual_seed(4)).state_dict()
    assert first.keys() == again.keys()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_the_scale_multiplies_matrices_and_nothing_else(case):
    name, task = case
    plain = build(name, task, generator=Generator().manual_seed(0)).state_dict()
    small = build(name, task, generator=Generator().manual_seed(0), init_scale=0.5).state_dict()
    for key, value in plain.items():
        torch.testing.assert_close(small[key], value * 0.5 if value.ndim >= 2 else value)


def test_examples_do_not_see_each_other_and_reading_changes_nothing(case):
    name, task = case
    subject = Subject(build(name, task, generator=Generator().manual_seed(0)))
    inputs = inputs_for(task.input_spec, 6)
    alone = torch.cat([subject({key: value[row : row + 1] for key, value in inputs.items()}) for row in range(6)])
    torch.testing.assert_close(subject(inputs), alone)
    assert subject.integrity(inputs).holds


@pytest.mark.parametrize(
    ("name", "sites"),
    [
        ("mlp on tokens", ["layers:in", "layers.0:out", "layers.1:out", "layers.2:out", "layers.3:out", "layers.4:out"]),
        ("transformer", ["blocks.0.attention", "blocks.1.mlp", "blocks.1.mlp.activation:in", "blocks.1:out", "head:in"]),
        ("gru", ["embedding", "cells.0", "head:in"]),
        ("encoder-decoder", ["encoder.0.attention", "encoder.1.mlp", "decoder.0.source_attention", "decoder.1.mlp.up", "head"]),
        ("causal", ["token", "blocks.0.attention", "blocks.1.mlp.up", "blocks.1:out", "head"]),
    ],
)
def test_sites_have_readable_names(name: str, sites: list[str]):
    model, task = CASES[name]
    subject, inputs = Subject(build(model, task, generator=Generator().manual_seed(0))), inputs_for(task.input_spec, 3)
    for site in sites:
        assert len(subject.match(site, inputs)) == 1


def test_the_mlp_starts_with_one_hot_codes_and_ends_in_its_layers():
    model, task = CASES["mlp on tokens"]
    subject = Subject(build(model, task, generator=Generator().manual_seed(0), width=6, depth=1))
    inputs = {"tokens": torch.tensor([[0, 6, 2]])}
    read = subject.read(inputs, ["encode:out", "layers.0:out", "layers.1:out"])
    assert read["encode:out"].nonzero()[:, 1].tolist() == [0, 7 + 6, 14 + 2]
    torch.testing.assert_close(read["layers.1:out"], read["layers.0:out"].relu())
    first = subject.weights()["layers.0.weight"]
    expected = first[:, [0, 13, 16]].sum(1) + subject.weights()["layers.0.bias"]
    torch.testing.assert_close(read["layers.0:out"][0], expected)


def test_sizes_are_what_was_asked_for():
    _, task = CASES["mlp on a vector"]
    module = build("mlp", task, generator=Generator().manual_seed(0), width=6, depth=3)
    assert [layer.weight.shape for layer in module.layers if isinstance(layer, nn.Linear)] == [(6, 5), (6, 6), (6, 6), (2, 6)]
    _, task = CASES["transformer"]
    module = build("transformer", task, generator=Generator().manual_seed(0), width=8, depth=3, heads=2)
    assert len(module.blocks) == 3
    assert module.head.in_features == 8


# What order and padding must not change


def test_the_transformer_classifies_from_everything_up_to_the_last_position():
    _, task = CASES["transformer"]
    module = build("transformer", task, generator=Generator().manual_seed(0)).eval()
    tokens = torch.tensor([[1, 2, 3], [4, 2, 3], [1, 5, 3], [1, 2, 6], [2, 1, 3]])
    outputs = module(tokens=tokens)
    assert all(not torch.allclose(outputs[0], outputs[row]) for row in range(1, 5))
    # Attention written out, as a second route.
    attention = module.blocks[0].attention
    x = torch.randn(2, 3, 64, generator=Generator().manual_seed(0))
    query, key, value = (getattr(attention, side)(x).view(2, 3, 4, 16).transpose(1, 2) for side in ("query", "key", "value"))
    weights = (query @ key.mT / 4).masked_fill(torch.ones(3, 3, dtype=torch.bool).triu(1), -torch.inf).softmax(-1)
    expected = attention.output((weights @ value).transpose(1, 2).reshape(2, 3, 64))
    torch.testing.assert_close(attention(x), expected)


SEQUENCES = pytest.mark.parametrize("name", ["encoder-decoder", "causal"])


def sequences(name: str = "encoder-decoder") -> tuple[nn.Module, dict[str, Tensor]]:
    return build(name, CASES[name][1], generator=Generator().manual_seed(0)).eval(), inputs_for(PAIRS, 4)


@SEQUENCES
def test_a_later_prefix_token_does_not_reach_back(name: str):
    module, inputs = sequences(name)
    plain = module(**inputs)
    for position in range(7):
        changed = inputs["prefix"].clone()
        changed[:, position] = changed[:, position] % 4 + 1
        outputs = module(source=inputs["source"], prefix=changed)
        torch.testing.assert_close(outputs[:, :position], plain[:, :position])
        assert not torch.allclose(outputs[:, position], plain[:, position])


def test_padding_of_the_source_is_never_attended():
    module, inputs = sequences()
    short = inputs["source"].clone()
    short[:, 2:] = PAD
    padded = module(source=short, prefix=inputs["prefix"])
    torch.testing.assert_close(padded, module(source=short[:, :2], prefix=inputs["prefix"]))
    with torch.no_grad():
        module.source_embedding.token.weight[PAD] += 100
        module.source_embedding.position.weight[2:] += 100
    torch.testing.assert_close(module(source=short, prefix=inputs["prefix"]), padded)
    assert not torch.allclose(module(**inputs), padded)


def test_padding_of_the_source_takes_no_position():
    module, inputs = sequences("causal")
    short = inputs["source"].clone()
    short[:, 2:] = PAD
    padded = module(source=short, prefix=inputs["prefix"])
    torch.testing.assert_close(padded, module(source=short[:, :2], prefix=inputs["prefix"]))
    with torch.no_grad():
        module.token.weight[PAD] += 100
        module.position.weight[2 + 7 :] += 100
    torch.testing.assert_close(module(source=short, prefix=inputs["prefix"]), padded)
    assert not torch.allclose(module(**inputs), padded)


def test_in_training_an_input_stands_at_any_place_that_has_room_for_it():
    module, inputs = sequences("causal")
    inputs = {key: value[:1] for key, value in inputs.items()}
    inputs["source"][:, 2:] = PAD
    inputs["prefix"][:, 5:] = PAD  # 7 of 11 positions
    expected = []
    for offset in range(5):
        moved = copy.deepcopy(module)
        with torch.no_grad():
            moved.position.weight[: 11 - offset] = module.position.weight[offset:]
        expected.append(moved(**inputs)[:, :5])
    met = set()
    for _ in range(100):
        found = module.train()(**inputs)[:, :5]
        met.add(next(k for k, one in enumerate(expected) if torch.allclose(one, found, atol=1e-5)))
    assert met == set(range(5))


def test_cutting_padding_while_training_changes_no_logit_that_counts():
    module, inputs = sequences()
    lengths = torch.tensor([1, 5, 2, 3])
    inputs["prefix"] = inputs["prefix"] * (torch.arange(7) < lengths[:, None])
    inputs["source"][:, 3:] = PAD
    whole, cut = module.eval()(**inputs), module.train()(**inputs)
    assert whole.shape == cut.shape
    asked = torch.arange(7) < lengths[:, None]
    torch.testing.assert_close(cut[asked], whole[asked])
    assert (cut[:, 5:] == 0).all()


@SEQUENCES
@pytest.mark.parametrize("training", [True, False])
def test_an_empty_source_gives_numbers(name: str, training: bool):
    module, inputs = sequences(name)
    outputs = module.train(training)(source=torch.zeros_like(inputs["source"]), prefix=torch.zeros_like(inputs["prefix"]))
    assert outputs.isfinite().all()


# What is refused


@pytest.mark.parametrize(
    ("name", "case", "sizes", "told"),
    [
        ("mpl", "transformer", {}, "Did you mean mlp"),
        ("mlp", "encoder-decoder", {}, r"a source and a target sequence.*Choices: encoder-decoder, causal"),
        ("transformer", "mlp on a vector", {}, r"takes a vector.*Choices: mlp"),
        ("encoder-decoder", "transformer", {}, "Choices: mlp, transformer, gru"),
        ("mlp", "transformer", {"hieght": 3}, "no such size.*Choices: width, depth, init_scale"),
        ("mlp", "transformer", {"heads": 3}, "no such size"),
        ("mlp", "transformer", {"num_outputs": 3}, "no such size"),
        ("mlp", "transformer", {"width": 0}, "width must be a whole number from 1 to"),
        ("mlp", "transformer", {"depth": 1.5}, "depth must be a whole number from 1 to 256"),
        ("mlp", "transformer", {"init_scale": -1.0}, "init_scale must be a finite number above 0"),
        ("transformer", "transformer", {"width": 10, "heads": 4}, "multiple of the number of heads"),
    ],
)
def test_what_does_not_fit_is_told_with_the_choices(name: str, case: str, sizes: dict, told: str):
    with pytest.raises(AssayError, match=told):
        build(name, CASES[case][1], generator=Generator().manual_seed(0), **sizes)


def test_objectives_and_inputs_that_no_model_joins_are_refused():
    for name, spec, objective in [
        ("transformer", TOKENS, Sequences(5)),
        ("mlp", TOKENS, Sequences(5)),
        ("encoder-decoder", PAIRS, Classification(5)),
    ]:
        with pytest.raises(AssayError, match="answers with a sequence"):
            build(name, Shell(spec, objective), generator=Generator().manual_seed(0))
    with pytest.raises(AssayError, match="inputs of its own"):
        configure("mlp", Shell(None, Classification(5)))
    with pytest.raises(AssayError, match="no reference model accepts"):
        default_name(Shell(None, Classification(5)))


def test_the_default_suits_the_input():
    assert [default_name(task) for _, task in CASES.values()] == [
        *["mlp"] * 5,
        *["cnn"] * 5,
        "cppn",
        "mlp",
        "transformer",
        "cnn",
        "encoder-decoder",
        "encoder-decoder",
    ]


def test_a_record_of_an_unknown_model_is_refused():
    for config in [ModelConfig("mlp", {"width": 3}), ModelConfig("perceptron", {})]:
        with pytest.raises(AssayError, match="this version can build"):
            rebuild(config, generator=Generator().manual_seed(0))


def test_the_names_are_listed_without_torch():
    code = "import sys, assay.models as m; assert m.NAMES; assert 'torch' not in sys.modules; m.build"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="perceptron"):
        models.perceptron  # noqa: B018
