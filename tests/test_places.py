"""Sites are places where every example has its row, and a patch there reaches what its name says."""

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from assay.errors import AssayError
from assay.hooks import first_tensor
from assay.isolation import seeded
from assay.subject import Subject


def drawn(make, *args, seed: int = 0, **options) -> nn.Module:
    with seeded(seed):
        return make(*args, **options)


def tokens(n: int, *, seed: int = 1, vocab: int = 5) -> dict[str, Tensor]:
    return {"tokens": torch.randint(vocab, (n, 3), generator=Generator().manual_seed(seed))}


# In-place activations


class Layers(nn.Module):
    def __init__(self, activation: str, *, inplace: bool):
        super().__init__()
        act = getattr(nn, activation)(inplace=inplace)
        self.layers = nn.Sequential(nn.Linear(4, 6), act, nn.Linear(6, 6), act, nn.Linear(6, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@pytest.mark.parametrize("activation", ["ReLU", "SiLU", "LeakyReLU", "Hardtanh"])
def test_working_in_place_changes_no_reading_gradient_or_patch(activation: str):
    x = {"x": torch.randn(8, 4, generator=Generator().manual_seed(0))}
    directions = torch.randn(8, 3, generator=Generator().manual_seed(1))
    plain, inplace = (Subject(drawn(Layers, activation, inplace=inplace)) for inplace in (False, True))
    names = [site.name for site in plain.sites(x)]
    assert names == [site.name for site in inplace.sites(x)]
    for found in (lambda s: s.read(x, names), lambda s: s.gradients(x, names, directions)):
        assert all(torch.equal(value, found(inplace)[name]) for name, value in found(plain).items())
    seen: list[Tensor] = []
    kept = {"layers.0:out": lambda old: seen.append(old) or old}
    assert torch.equal(inplace(x, replace=kept), plain(x))
    assert torch.equal(seen[0], plain.read(x, ["layers.0:out"])["layers.0:out"])


def test_the_gradient_of_a_hidden_layer_is_that_by_hand():
    subject = Subject(drawn(Layers, "ReLU", inplace=True))
    x, directions = torch.randn(8, 4, generator=Generator().manual_seed(0)), torch.ones(8, 3)
    first, _, second, _, third = subject.module.layers
    hidden = first(x)
    middle = second(hidden.relu())
    expected = ((directions @ third.weight) * (middle > 0)) @ second.weight * (hidden > 0)
    torch.testing.assert_close(subject.gradients({"x": x}, ["layers.0:out"], directions)["layers.0:out"], expected)


# What several use


class Block(nn.Module):
    """A residual stream around attention, which gets it three times."""

    def __init__(self, *, keywords: bool = False):
        super().__init__()
        self.keywords = keywords
        self.embed = nn.Embedding(5, 8)
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(24, 2)

    def attended(self, x: Tensor) -> Tensor:
        return self.attn(query=x, key=x, value=x)[0] if self.keywords else self.attn(x, x, x)[0]

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        return self.out((x + self.attended(x)).flatten(1))


@pytest.mark.parametrize("keywords", [False, True])
def test_what_enters_attention_is_query_key_and_value_and_not_the_stream_around_it(keywords: bool):
    net = drawn(Block, keywords=keywords)
    subject, a, b = Subject(net), tokens(9), tokens(9, seed=2)
    with torch.no_grad():
        xa, xb = net.embed(a["tokens"]), net.embed(b["tokens"])
        expected = net.out((xa + net.attended(xb)).flatten(1))
    (site,) = subject.match("attn:in", a)
    assert site.name == "attn:in"
    torch.testing.assert_close(subject(a, replace={site.name: xb}), expected)
    torch.testing.assert_close(subject(a, replace={"embed:out": xb}), subject(b))
    assert [site.name for site in subject.sites(a)] == ["embed:out", "attn:out", "out:in", "out:out"], (
        "one tensor is listed once"
    )


def test_the_gradient_of_what_enters_is_by_way_of_the_module_alone():
    net = drawn(Block)
    subject, inputs, directions = Subject(net), tokens(4), torch.ones(4, 2)
    x = net.embed(inputs["tokens"]).detach().requires_grad_()
    branch = net.attn(x, x, x)[0]
    (by_branch,) = torch.autograd.grad(net.out((x.detach() + branch).flatten(1)).sum(), [x])
    found = subject.gradients(inputs, ["attn:in", "embed:out"], directions)
    torch.testing.assert_close(found["attn:in"], by_branch)
    torch.testing.assert_close(found["embed:out"], by_branch + net.out.weight.sum(0).view(3, 8).expand(4, 3, 8))


def test_a_replacement_may_work_in_place_without_reaching_others():
    net = drawn(Block)
    subject, inputs = Subject(net), tokens(4)
    zeros = torch.zeros(4, 3, 8)
    torch.testing.assert_close(
        subject(inputs, replace={"attn:in": lambda old: old.zero_()}), subject(inputs, replace={"attn:in": zeros})
    )


# Rows of the examples


class Routed(nn.Module):
    """One expert for each first token."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.experts = nn.ModuleList(nn.Linear(12, 6) for _ in range(3))
        self.out = nn.Linear(6, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        x, to = self.embed(tokens).flatten(1), tokens[:, 0] % 3
        hidden = x.new_zeros(len(x), 6)
        for k, expert in enumerate(self.experts):
            rows = (to == k).nonzero()[:, 0]
            if len(rows):
                hidden[rows] = expert(x[rows])
        return self.out(hidden.relu())


def test_experts_that_see_their_own_rows_are_no_sites():
    subject, inputs = Subject(drawn(Routed)), tokens(100)
    inputs["tokens"][:2, 0] = 3  # both to the first expert
    assert [site.name for site in subject.sites(inputs)] == ["embed:out", "out:in", "out:out"]
    with pytest.raises(AssayError, match="must exist in this network"):
        subject.read(inputs, ["experts.0:out"])


def test_an_expert_that_gets_nearly_all_rows_is_refused_when_it_is_read():
    inputs = tokens(400)
    inputs["tokens"][:, 0] = 0
    inputs["tokens"][13, 0] = 1  # not among those of the survey
    with pytest.raises(AssayError, match="each time with all of its examples"):
        Subject(drawn(Routed)).read(inputs, ["experts.0:out"])


class Sorted(nn.Module):
    """Works on its examples in the order of their first token, as recurrent networks do by length."""

    def __init__(self):
        super().__init__()
        self.embed, self.inner, self.out = nn.Embedding(5, 4), nn.Linear(12, 6), nn.Linear(6, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        order = tokens[:, 0].argsort(descending=True)
        hidden = self.inner(self.embed(tokens).flatten(1)[order])
        return self.out(hidden[order.argsort()])


def test_rows_in_another_order_are_no_site():
    inputs = tokens(20)
    inputs["tokens"][0], inputs["tokens"][-1] = torch.tensor([0, 1, 2]), torch.tensor([4, 3, 1])
    assert [site.name for site in Subject(drawn(Sorted)).sites(inputs)] == ["embed:out", "out:in", "out:out"]


class Recurrent(nn.Module):
    """Reads its states, its last state beside them, or both; `packed`: as a packed sequence."""

    def __init__(self, kind: type[nn.RNNBase], read: str, *, packed: bool = False):
        super().__init__()
        self.read, self.packed = read, packed
        self.embed, self.rnn, self.out = nn.Embedding(5, 4), kind(4, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        if self.packed:
            x = pack_padded_sequence(x, torch.full((len(x),), 3), batch_first=True, enforce_sorted=False)
        states, last = self.rnn(x)
        states = pad_packed_sequence(states, batch_first=True)[0] if self.packed else states
        if self.read == "states":
            return self.out(states[:, -1])
        last = last[0][-1] if isinstance(last, tuple) else last[-1]
        return self.out(last if self.read == "last" else states.mean(1) + last)


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
@pytest.mark.parametrize("read", ["states", "last", "both"])
def test_a_recurrent_layer_is_a_site_where_its_states_are_all_that_is_read(kind: type[nn.RNNBase], read: str):
    subject, a, b = Subject(drawn(Recurrent, kind, read)), tokens(7), tokens(7, seed=2)
    names = [site.name for site in subject.sites(a)]
    assert ("rnn:out" in names) == (read == "states")
    for name in names:
        if name != "out:in":
            patched = subject(a, replace={name: subject.read(b, [name])[name]})
            torch.testing.assert_close(patched, subject(b), msg=f"{name} does not hold all that is read")


def test_a_packed_sequence_is_no_site():
    subject, inputs = Subject(drawn(Recurrent, nn.GRU, "states", packed=True)), tokens(7)
    assert [site.name for site in subject.sites(inputs)] == ["embed:out", "out:in", "out:out"]
    assert first_tensor(pack_padded_sequence(torch.ones(2, 1, 3), torch.ones(2), batch_first=True)) is None


def test_weights_of_attention_that_nobody_reads_hide_no_site():
    class Weighted(Block):
        def attended(self, x: Tensor) -> Tensor:
            found, weights = self.attn(x, x, x, need_weights=True)
            return found + weights.mean() if self.keywords else found

    for used in (False, True):
        names = [site.name for site in Subject(drawn(Weighted, keywords=used)).sites(tokens(5))]
        assert ("attn:out" in names) == (not used)


@pytest.mark.parametrize("n", [0, 1, 2, 17])
def test_sizes(n: int):
    subject = Subject(drawn(Block))
    assert [site.name for site in subject.sites(tokens(n))] == ["embed:out", "attn:out", "out:in", "out:out"]
    assert subject.read(tokens(n), ["attn:in"])["attn:in"].shape == (n, 3, 8)


def test_functional_and_module_forms_agree():
    class Functional(Layers):
        def forward(self, x: Tensor) -> Tensor:
            first, _, second, _, third = self.layers
            return third(F.relu_(second(F.relu_(first(x)))))

    x, directions = {"x": torch.randn(8, 4, generator=Generator().manual_seed(0))}, torch.ones(8, 3)
    plain, functional = Subject(drawn(Layers, "ReLU", inplace=False)), Subject(drawn(Functional, "ReLU", inplace=True))
    found = [s.gradients(x, ["layers.0:out", "layers.2:out"], directions) for s in (plain, functional)]
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
