"""Any module can be run, read, replaced and drawn again, and reading changes no bit."""

from collections.abc import Iterator
from typing import NamedTuple

import cloudpickle
import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.errors import AssayError
from assay.subject import Subject


def vectors(n: int, num_features: int = 4, *, seed: int = 0) -> dict[str, Tensor]:
    return {"x": torch.randn(n, num_features, generator=Generator().manual_seed(seed))}


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """PyTorch's initialisers draw from the global generator."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class Named(nn.Module):
    """Gives a chain of layers the keyword `x`."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class InPlaceFirst(nn.Module):
    """Works in place on its input and on a pre-activation."""

    def __init__(self):
        super().__init__()
        self.clip = nn.ReLU(inplace=True)
        self.linear = nn.Linear(4, 3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.linear(self.clip(x)))


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


class Split(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return Pair(x[:, :2] * 2, x[:, 2:] * 3)


class Dictionary(nn.Module):
    def forward(self, *, pair: Pair, unused: object = None) -> dict[str, object]:
        return {"note": "text", "sum": pair.first + pair.second, "difference": pair.first - pair.second}


class Nested(nn.Module):
    """A named tuple between two modules, the second called with keywords only, and a dictionary at the end."""

    def __init__(self):
        super().__init__()
        self.split = Split()
        self.join = Dictionary()

    def forward(self, x: Tensor) -> Tensor:
        return self.join(pair=self.split(x))["sum"]


class Repeated(nn.Module):
    """One cell, three calls."""

    def __init__(self):
        super().__init__()
        self.cell = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = torch.tanh(self.cell(x))
        return x


class Recurrent(nn.Module):
    def __init__(self, *, batch_first: bool = True):
        super().__init__()
        self.batch_first = batch_first
        self.embedding = nn.Embedding(5, 4)
        self.gru = nn.GRU(4, 6, batch_first=batch_first)
        self.head = nn.Linear(6, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.gru(self.embedding(tokens if self.batch_first else tokens.T))
        return self.head(states[:, -1] if self.batch_first else states[-1])


class Encoder(nn.Module):
    """PyTorch's own layer, whose fused path must not be taken with hooks and left without."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.encoder(self.embedding(tokens)).mean(1)


class SelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        return self.attention(x, x, x)[0][:, -1]


def tokens(n: int, length: int = 3) -> dict[str, Tensor]:
    return {"tokens": torch.randint(5, (n, length), generator=Generator().manual_seed(1))}


def normalised() -> Subject:
    module = Named(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.ReLU(), nn.Linear(6, 2))
    with torch.no_grad():
        module.train()(torch.randn(64, 4, generator=Generator().manual_seed(3)))
    return Subject(module.eval())


SUBJECTS = {
    "in place": (lambda: Subject(InPlaceFirst()), vectors(7)),
    "batch norm and dropout": (normalised, vectors(7)),
    "nested outputs": (lambda: Subject(Nested()), vectors(7)),
    "repeated": (lambda: Subject(Repeated()), vectors(7)),
    "gru": (lambda: Subject(Recurrent()), tokens(7)),
    "gru, time first": (lambda: Subject(Recurrent(batch_first=False)), tokens(7)),
    "encoder": (lambda: Subject(Encoder()), tokens(7)),
    "attention": (lambda: Subject(SelfAttention()), tokens(7)),
}


@pytest.fixture(params=SUBJECTS)
def subject_and_inputs(request: pytest.FixtureRequest) -> tuple[Subject, dict[str, Tensor]]:
    make, inputs = SUBJECTS[request.param]
    return make(), inputs


def same_bits(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))


# Reading


def test_reading_changes_no_bit_of_outputs_weights_or_inputs(subject_and_inputs):
    subject, inputs = subject_and_inputs
    kept = {name: value.clone() for name, value in inputs.items()}
    weights = {name: value.clone() for name, value in subject.weights().items()}
    with torch.no_grad():
        plain = subject.module(**{name: value.clone() for name, value in inputs.items()})
    sites = subject.sites(inputs)
    assert len(sites) >= 2
    read = subject.read(inputs, [site.name for site in sites])
    if not isinstance(subject.module, Encoder):  # there the module alone takes the fused path
        assert same_bits(plain, subject(inputs))
    assert subject.integrity(inputs).holds
    assert all(torch.equal(inputs[name], kept[name]) for name in inputs)
    assert all(torch.equal(weights[name], value) for name, value in subject.weights().items())
    for site in sites:
        assert tuple(read[site.name].shape) == (7, *site.shape), site


def test_batching_does_not_move_rows(subject_and_inputs):
    subject, inputs = subject_and_inputs
    small = Subject(subject.module, batch_size=3)
    names = [site.name for site in subject.sites(inputs)]
    torch.testing.assert_close(small(inputs), subject(inputs))
    whole, parts = subject.read(inputs, names), small.read(inputs, names)
    for name in names:
        torch.testing.assert_close(parts[name], whole[name])


def test_sites_are_the_same_for_one_two_or_many_examples(subject_and_inputs):
    subject, inputs = subject_and_inputs
    sites = subject.sites(inputs)
    for n in (0, 1, 2, 3):
        assert subject.sites({name: value[:n] for name, value in inputs.items()}) == sites


def test_no_examples_give_empty_outputs_and_activations(subject_and_inputs):
    subject, inputs = subject_and_inputs
    none = {name: value[:0] for name, value in inputs.items()}
    assert subject(none).shape == (0, *subject(inputs).shape[1:])
    for site in subject.sites(inputs):
        assert subject.read(none, [site.name])[site.name].shape == (0, *site.shape)
    assert subject.integrity(none).holds


class Drawing(Named):
    """Leaves its dropout on."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.layers(x), 0.5, training=True)


class Remembering(Named):
    """Adds what it returned before."""

    before: Tensor | float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        answer = self.layers(x) + self.before
        self.before = answer.mean(0).detach()
        return answer


@pytest.mark.parametrize("kind", [Drawing, Remembering])
def test_integrity_detects_a_network_whose_outputs_do_not_repeat(kind):
    found = Subject(kind(nn.Linear(4, 3))).integrity(vectors(5))
    assert not found.outputs_repeatable
    assert not found.holds
    assert "the same inputs give other outputs" in found.failure


def test_integrity_leaves_the_callers_random_state():
    subject = Subject(Drawing(nn.Linear(4, 3)))
    before = torch.random.get_rng_state()
    subject.integrity(vectors(5))
    assert torch.equal(before, torch.random.get_rng_state())


def test_integrity_detects_a_network_that_changes_itself_and_one_that_feels_hooks():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 2)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.linear(x)

    assert not Subject(Counting()).integrity(vectors(3)).weights_identical

    class Shy(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x) + float(bool(self.linear._forward_hooks))

    assert not Subject(Shy()).integrity(vectors(3)).outputs_identical


def test_the_fused_path_is_off_in_every_run_and_given_back():
    during: list[bool] = []

    class Watching(Named):
        def forward(self, x: Tensor) -> Tensor:
            during.append(torch.backends.mha.get_fastpath_enabled())
            return super().forward(x)

    subject, inputs = Subject(Watching(nn.Linear(4, 2))), vectors(3)
    subject(inputs)
    subject.read(inputs, ["layers.0:out"])
    assert len(during) >= 3
    assert not any(during)
    assert torch.backends.mha.get_fastpath_enabled()


def test_an_in_place_module_does_not_reach_back_into_what_was_read():
    subject, inputs = Subject(InPlaceFirst()), vectors(7)
    read = subject.read(inputs, ["clip:in", "linear:out", "relu:out"])
    torch.testing.assert_close(read["clip:in"], inputs["x"])
    expected = F.linear(inputs["x"].relu(), subject.module.linear.weight, subject.module.linear.bias)
    torch.testing.assert_close(read["linear:out"], expected)
    torch.testing.assert_close(read["relu:out"], expected.relu())
    assert (read["linear:out"] < 0).any()


def test_a_place_is_listed_once_and_what_enters_a_non_linearity_is_one():
    subject = Subject(Named(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)))
    names = [site.name for site in subject.sites(vectors(5))]
    assert names == ["layers:in", "layers.0:out", "layers.1:out", "layers.2:out"]


def test_every_name_of_a_place_leads_to_its_site():
    subject, inputs = Subject(Named(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))), vectors(5)
    (site,) = subject.match("layers.1:in", inputs)
    assert site.name == "layers.0:out"
    assert [site.name for site in subject.match("layers", inputs)] == ["layers.2:out"]
    assert same_bits(*subject.read(inputs, ["layers.1:in", "layers.0:out"]).values())


@pytest.mark.parametrize("length", [2, 3])
def test_what_has_no_row_per_example_is_not_a_site(length: int):
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(5, 4), nn.Embedding(length, 4)

        def forward(self, tokens: Tensor) -> Tensor:
            return (self.token(tokens) + self.position(torch.arange(length))).sum(1)

    names = [site.name for site in Subject(Positions()).sites(tokens(7, length))]
    assert names == ["token:out"]
    time_first = [site.name for site in Subject(Recurrent(batch_first=False)).sites(tokens(7, length))]
    assert time_first == ["head:in", "head:out"]


def test_repeated_calls_are_read_as_a_sequence():
    subject, inputs = Subject(Repeated()), vectors(5)
    site = next(site for site in subject.sites(inputs) if site.name == "cell:out")
    assert (site.calls, site.shape) == (3, (3, 4))
    read = subject.read(inputs, ["cell:out"])["cell:out"]
    expected = inputs["x"]
    for call in range(3):
        expected = subject.module.cell(expected)
        torch.testing.assert_close(read[:, call], expected)
        expected = expected.tanh()


def test_activations_keep_their_type():
    subject = Subject(Named(nn.Linear(4, 3)).double())
    assert subject.read({"x": vectors(3)["x"].double()}, ["layers.0:out"])["layers.0:out"].dtype == torch.float64


# Names


def test_a_glob_chooses_and_a_miss_lists_the_choices():
    subject, inputs = Subject(Named(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))), vectors(5)
    assert [site.name for site in subject.match("layers.*", inputs)] == ["layers.0:out", "layers.1:out", "layers.2:out"]
    assert [site.name for site in subject.match(["layers.2", "layers.0:out"], inputs)] == ["layers.0:out", "layers.2:out"]
    assert len(subject.match("*:*", inputs)) == 4
    ways = [
        lambda: subject.match("layer.0", inputs),
        lambda: subject.read(inputs, ["layer.0:out"]),
        lambda: subject.read(inputs, ["layers.0"]),  # a pattern, not the name of a site
        lambda: subject(inputs, replace={"layers.7:out": torch.zeros(5, 6)}),
        lambda: subject(inputs, replace={"layers.0": torch.zeros(5, 6)}),
    ]
    for way in ways:
        with pytest.raises(AssayError, match=r"layers\.0:out, layers\.1:out"):
            way()


def test_replacing_where_nothing_runs_is_an_error():
    module = Named(nn.Linear(4, 2))
    module.spare = nn.Linear(2, 2)
    with pytest.raises(AssayError, match=r"spare:out.*layers\.0:out"):
        Subject(module)(vectors(3), replace={"spare:out": torch.zeros(3, 2)})


# Replacing


def test_writing_back_what_was_read_changes_nothing(subject_and_inputs):
    subject, inputs = subject_and_inputs
    plain = subject(inputs)
    for site in subject.sites(inputs):
        read = subject.read(inputs, [site.name])[site.name]
        assert same_bits(subject(inputs, replace={site.name: read}), plain), site
        assert same_bits(subject(inputs, replace={site.name: lambda old: old}), plain), site


def test_writing_what_other_inputs_gave_makes_it_their_output():
    subject, inputs = Subject(Named(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)), batch_size=2), vectors(5)
    others = vectors(5, seed=9)
    state = subject.read(others, ["layers.0:out"])
    assert same_bits(subject(inputs, replace=state), subject(others))
    # A module's input is a place of its own, also where it is listed under another name.
    assert same_bits(subject(inputs, replace={"layers.1:in": state["layers.0:out"]}), subject(others))


def test_what_is_written_is_not_changed_by_in_place_modules():
    subject, inputs = Subject(InPlaceFirst()), vectors(5)
    state = torch.full((5, 3), -1.0)
    assert (subject(inputs, replace={"linear:out": state}) == 0).all()
    assert (state == -1).all()


def test_the_first_tensor_of_a_nest_is_replaced_and_the_rest_kept():
    subject, inputs = Subject(Nested()), vectors(5)
    x = inputs["x"]
    replaced = subject(inputs, replace={"split:out": torch.ones(5, 2)})
    torch.testing.assert_close(replaced, 1 + 3 * x[:, 2:])
    replaced = subject(inputs, replace={"join:in": torch.ones(5, 2)})  # a keyword argument of a keyword-only forward
    torch.testing.assert_close(replaced, 1 + 3 * x[:, 2:])
    replaced = subject(inputs, replace={"join:out": lambda old: old * 2})
    torch.testing.assert_close(replaced, 2 * (2 * x[:, :2] + 3 * x[:, 2:]))


def test_each_of_several_calls_gets_its_own_state():
    subject, inputs = Subject(Repeated()), vectors(5)
    states = torch.randn(5, 3, 4, generator=Generator().manual_seed(4))
    torch.testing.assert_close(subject(inputs, replace={"cell:out": states}), states[:, 2].tanh())


def test_a_replacement_of_the_wrong_shape_is_named():
    with pytest.raises(AssayError, match=r"layers\.0:out must have its shape \(3, 2\).*\(3, 5\)"):
        Subject(Named(nn.Linear(4, 2)))(vectors(3), replace={"layers.0:out": torch.zeros(3, 5)})


def test_an_error_leaves_no_hook_behind():
    subject, inputs = Subject(Named(nn.Linear(4, 2))), vectors(3)
    plain = subject(inputs)
    with pytest.raises(AssayError):
        subject(inputs, replace={"layers.0:out": torch.zeros(3, 5)})
    assert same_bits(subject(inputs), plain)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in subject.module.modules())


# Inputs that do not fit


@pytest.mark.parametrize(
    "inputs",
    [{"x": torch.zeros(3, 9)}, {"x": torch.zeros(3, 4), "y": torch.zeros(3, 4)}],
    ids=["shape", "one too many"],
)
def test_inputs_that_the_module_does_not_take_are_told(inputs: dict[str, Tensor]):
    with pytest.raises(AssayError, match="made for this task"):
        Subject(Named(nn.Linear(4, 2)))(inputs)


def test_a_token_beyond_the_vocabulary_is_told():
    with pytest.raises(AssayError, match="IndexError"):
        Subject(Recurrent())({"tokens": torch.full((2, 3), 99)})


def test_a_module_that_returns_no_tensor_is_told():
    class Silent(nn.Module):
        def forward(self, x: Tensor) -> None:
            return None

    with pytest.raises(AssayError, match="NoneType"):
        Subject(Silent())(vectors(2))


# Untrained copies


def test_an_untrained_copy_shares_no_weight_that_was_drawn(subject_and_inputs):
    subject, inputs = subject_and_inputs
    before = {name: value.clone() for name, value in subject.weights().items()}
    twin, again, other = (subject.untrained(Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(before[name], value) for name, value in subject.weights().items())
    for name, value in twin.weights().items():
        assert torch.equal(value, again.weights()[name])
        if value.is_floating_point() and value.numel() > 1 and before[name].unique().numel() > 1:
            assert not torch.equal(value, before[name]), name
        if value.numel() > 1 and name.endswith("weight") and value.unique().numel() > 1:
            assert not torch.equal(value, other.weights()[name]), name
    assert twin(inputs).shape == subject(inputs).shape


def test_weights_that_no_initialiser_knows_are_shuffled():
    class Own(nn.Module):
        """Its initialiser covers its own scale and leaves its child's table, which has none."""

        class Table(nn.Module):
            def __init__(self):
                super().__init__()
                self.table = nn.Parameter(torch.arange(8.0).view(4, 2))

            def forward(self, x: Tensor) -> Tensor:
                return x @ self.table

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.full((2,), 7.0))
            self.child = self.Table()

        def reset_parameters(self) -> None:
            nn.init.ones_(self.scale)

        def forward(self, x: Tensor) -> Tensor:
            return self.child(x) * self.scale

    subject = Subject(Own())
    twin = subject.untrained(Generator().manual_seed(0)).weights()
    assert (twin["scale"] == 1).all()
    table = subject.weights()["child.table"]
    assert not torch.equal(twin["child.table"], table)
    assert torch.equal(twin["child.table"].flatten().sort().values, table.flatten())


def test_drawing_a_copy_leaves_the_global_generator_alone():
    subject = Subject(Recurrent())
    state = torch.random.get_rng_state()
    subject.untrained(Generator().manual_seed(0))
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_given_maker_of_fresh_copies_is_used():
    made: list[int] = []

    def fresh(generator: Generator) -> nn.Module:
        made.append(int(torch.randint(100, (1,), generator=generator)))
        return Named(nn.Linear(4, 2))

    subject = Subject(Named(nn.Linear(4, 2)), name="mine", fresh=fresh)
    twin = subject.untrained(Generator().manual_seed(0)).untrained(Generator().manual_seed(0))
    assert len(made) == 2
    assert made[0] == made[1]
    assert twin.name.startswith("mine")
    assert twin.num_weights() == 10


# Hugging Face models, tiny and drawn at random


def bert() -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"vocab_size": 11, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return BertForSequenceClassification(BertConfig(**sizes, max_position_embeddings=8, num_labels=3))


def gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        GPT2Config(vocab_size=11, n_embd=16, n_layer=2, n_head=2, n_positions=8, bos_token_id=0, eos_token_id=0)
    )


@pytest.mark.parametrize(("make", "site"), [(bert, "bert.encoder.layer.1"), (gpt2, "transformer.h.1.attn")])
def test_hugging_face_models_are_read_and_replaced(make, site: str):
    subject = Subject(make())
    inputs = {"input_ids": torch.randint(11, (5, 6), generator=Generator().manual_seed(0))}
    others = {"input_ids": torch.randint(11, (5, 6), generator=Generator().manual_seed(1))}
    plain = subject(inputs)
    assert len(plain) == 5
    assert subject.integrity(inputs).holds
    (found,) = subject.match(site, inputs)
    assert found.shape == (6, 16)
    read = subject.read(inputs, [found.name])
    assert same_bits(subject(inputs, replace=read), plain)
    assert not torch.allclose(subject(inputs, replace=subject.read(others, [found.name])), plain)
    assert not any("position" in place.name for place in subject.sites(inputs))
    twin = subject.untrained(Generator().manual_seed(0)).weights()
    same = [name for name, value in subject.weights().items() if value.unique().numel() > 1 and torch.equal(value, twin[name])]
    assert same in ([], ["bert.embeddings.position_ids"]), same


@pytest.mark.parametrize("module", [nn.GRU(2, 3), nn.LSTM(2, 3), nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))])
def test_a_subject_can_be_sent_to_another_process(module):
    subject = Subject(module, name="sent")
    other = cloudpickle.loads(cloudpickle.dumps(subject))
    assert other.name == "sent"
    assert {name: value.tolist() for name, value in other.module.state_dict().items()} == {
        name: value.tolist() for name, value in module.state_dict().items()
    }
    assert other.integrity({"input": torch.ones(4, 2)}).failure == subject.integrity({"input": torch.ones(4, 2)}).failure


@pytest.mark.parametrize("n", [0, 1, 70])
def test_what_is_kept_of_the_activations_of_each_batch_is_that_of_all_of_them(n):
    subject, inputs = Subject(Named(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)), batch_size=32), vectors(n)
    sites = ["layers.0:out", "layers.2:in"]
    whole = subject.read(inputs, sites)
    kept = subject.read(inputs, sites, each=lambda found: found[:, 1:3].abs())
    assert all(torch.equal(kept[site], whole[site][:, 1:3].abs()) and kept[site].shape == (n, 2) for site in sites)
