"""Cuts are complete, do not depend on how a network is written, and refuse what they cannot cut."""

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from networks_to_cut import (
    Attention,
    Between,
    Named,
    Recurrent,
    Transformer,
    mlp,
    of_modules,
    of_transformers,
    padded_texts,
    refused,
    swish,
    texts,
    tokens,
    vectors,
)
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from assay.cuts import Cuts, State
from assay.errors import AssayError
from assay.subject import Subject

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad:UserWarning"),  # a reentrant checkpoint
]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CASES = {case.name: case for case in (*of_modules(), *of_transformers())}


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """PyTorch's initialisers draw from the global generator."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def drawn(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def spread(outputs: Tensor) -> float:
    return float((outputs - outputs.roll(1, 0)).abs().max())


# Completeness


@pytest.mark.parametrize("name", CASES)
def test_states_of_other_examples_give_their_outputs(name: str):
    case = CASES[name]
    subject = Subject(case.network())
    here, other, longer = (case.inputs(*size, drawn()) for size in ((6, 5), (4, 5), (3, 6)))
    cuts = subject.cuts(here)
    for inputs in (other, longer):
        wanted = subject(inputs)
        assert spread(wanted) > 0.01, "outputs that do not differ could not be told apart"
        depths = range(len(cuts)) if inputs is other else range(0, len(subject.cuts(longer)), 3)
        for depth, state in cuts.read_several(inputs, list(depths)).items():
            found = cuts.run(here, depth, state)
            assert float((found - wanted).abs().max()) < 1e-4 * spread(wanted), depth
    last = cuts.read(other, len(cuts) - 1).flat()
    assert torch.allclose(last.flatten(), subject(other).flatten(), atol=1e-4 * spread(subject(other)))


def test_several_cuts_are_read_from_one_pass_as_each_by_itself():
    network, inputs = mlp(), vectors(7, 1, drawn())
    cuts = Subject(network, batch_size=3).cuts(inputs)
    together = cuts.read_several(inputs, list(range(len(cuts))))
    assert list(together) == list(range(len(cuts)))
    for depth, state in together.items():
        assert torch.equal(state.flat(), cuts.read(inputs, depth).flat())
    assert cuts.read_several(inputs, []) == {}
    none = {name: value[:0] for name, value in inputs.items()}
    assert [len(state) for state in cuts.read_several(none, [0, 1]).values()] == [0, 0]
    with pytest.raises(AssayError, match="the depth of a cut must exist"):
        cuts.read_several(inputs, [0, len(cuts)])


def test_every_tensor_of_a_cut_is_used():
    """A cut that held more than it must would be complete as well."""
    inputs = tokens(6, 5, drawn())
    subject = Subject(Transformer())
    cuts, plain = subject.cuts(inputs), subject(inputs)
    for cut in cuts:
        whole = cuts.read(inputs, cut.depth)
        for name, value in whole.values.items():
            values = {**whole.values, name: value.roll(1, 0)}
            other = State(**{**vars(whole), "values": values})
            assert float((cuts.run(inputs, cut.depth, other) - plain).abs().max()) > 1e-3, (cut.depth, name)


def test_a_cut_that_misses_a_tensor_is_refused():
    """Completeness is tested before a cut is used, here with a recording from which a use is removed."""
    inputs = tokens(6, 5, drawn())
    cuts = Subject(Transformer()).cuts(inputs)
    whole = cuts.read(inputs, 2)
    trace = next(iter(cuts._traces.values()))
    assert len(trace.crossing[2]) > 1
    object.__setattr__(trace, "crossing", tuple(nodes[1:] for nodes in trace.crossing))
    del trace.__dict__["cuts"]
    missing = cuts.read(inputs, 2)
    assert len(missing.values) == len(whole.values) - 1
    with pytest.raises(AssayError, match="a cut must hold all"):
        cuts.run(inputs, 2, missing)


# One function in many forms

A, B, C = (torch.randn(*shape, generator=drawn(k)) for k, shape in enumerate([(8, 4), (8, 8), (2, 8)]))
A_BIAS, B_BIAS, C_BIAS = (torch.randn(size, generator=drawn(3 + k)) for k, size in enumerate([8, 8, 2]))


class Modules(nn.Module):
    """Two hidden layers, the second within a residual, which the forms below write in other ways."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.act = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2), nn.ReLU()
        for layer, weight, bias in ((self.a, A, A_BIAS), (self.b, B, B_BIAS), (self.c, C, C_BIAS)):
            layer.weight.data, layer.bias.data = weight.clone(), bias.clone()

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x))
        return self.c(h + self.act(self.b(h)))


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Residual(nn.Module):
    def __init__(self, *branch: nn.Module) -> None:
        super().__init__()
        self.branch = nn.Sequential(*branch)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def functional(x: Tensor) -> Tensor:
    h = F.relu(F.linear(x, A, A_BIAS))
    return F.linear(F.relu(F.linear(h, B, B_BIAS)) + h, C, C_BIAS)


def bare(x: Tensor) -> Tensor:
    h = (x @ A.T + A_BIAS).clamp(min=0)
    return (h + torch.maximum(h @ B.T + B_BIAS, torch.zeros(()))) @ C.T + C_BIAS


def einsum(x: Tensor) -> Tensor:
    h = torch.einsum("bi,oi->bo", x, A) + A_BIAS
    h = h * (h > 0)
    k = torch.einsum("oi,bi->bo", B, h) + B_BIAS
    return torch.einsum("bi,oi->bo", h + torch.where(k > 0, k, 0.0), C) + C_BIAS


def in_place(x: Tensor) -> Tensor:
    h = (x @ A.T).add_(A_BIAS).relu_()
    k = F.relu(F.linear(h, B, B_BIAS), inplace=True)
    k += h
    return F.linear(k, C, C_BIAS)


def buffered(x: Tensor) -> Tensor:
    y, h = F.linear(x, A, A_BIAS), torch.empty(len(x), 8)
    h[:, :3] = y[:, :3].relu()
    h[:, 3:] = y[:, 3:].relu()
    return F.linear(h + F.relu(F.linear(h, B, B_BIAS)), C, C_BIAS)


def columns(x: Tensor) -> Tensor:
    """With the examples last."""
    h = torch.relu(A @ x.T + A_BIAS[:, None])
    return (C @ (h + torch.relu(B @ h + B_BIAS[:, None])) + C_BIAS[:, None]).T


def sequential() -> nn.Module:
    parts = Modules()
    return Named(parts.a, nn.ReLU(), Residual(parts.b, nn.ReLU()), parts.c)


FORMS: dict[str, Callable[[], nn.Module]] = {
    "functions": lambda: Function(functional),
    "bare parameters": lambda: Function(bare),
    "einsum and masks": lambda: Function(einsum),
    "in place": lambda: Function(in_place),
    "into a buffer": lambda: Function(buffered),
    "examples last": lambda: Function(columns),
    "nn.Sequential, residual inside": sequential,
    "checkpoint": lambda: Function(lambda x: checkpoint(functional, x, use_reentrant=False)),
    "torch.compile": lambda: Function(torch.compile(functional)),
    "compiled module": lambda: torch.compile(Modules()),
    "vmap over the examples": lambda: Function(torch.vmap(functional)),
}


def sorted_columns(state: State) -> Tensor:
    flat = state.flat()
    return flat[:, flat[0].argsort()]


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_one_function_have_equal_cuts(name: str):
    inputs = vectors(6, 0, drawn())
    usual, form = Subject(Modules()).cuts(inputs), Subject(FORMS[name]()).cuts(inputs)
    assert len(usual) == len(form) == 3
    for depth in range(3):
        wanted, found = (sorted_columns(cuts.read(inputs, depth)) for cuts in (usual, form))
        assert torch.allclose(wanted, found, atol=1e-4), depth


def test_a_copy_is_no_second_tensor():
    def copied(x: Tensor) -> Tensor:
        h, buffer = x.relu(), torch.empty(len(x), 2, 4)
        buffer[:, 0] = h
        buffer[:, 1] = h.clone().contiguous()
        return torch.tanh(buffer).sum(1) + torch.sigmoid(h)

    inputs = vectors(6, 0, drawn())
    cuts = Subject(Function(copied)).cuts(inputs)
    assert [cut.names for cut in cuts] == [("input x",), ("relu#1",), ("add#1",)]


def test_what_is_overwritten_is_forgotten():
    (cut,) = Subject(Function(lambda x: x.relu().zero_() + x)).cuts(vectors(6, 0, drawn()))
    assert cut.names == ("add#1",)


def test_an_ensemble_is_cut_in_all_its_members_at_once():
    inputs = vectors(6, 0, drawn())
    one, other = Modules(), sequential()
    two = Function(lambda x: (one(x) + other(x)) / 2)
    usual, both = Subject(Modules()).cuts(inputs), Subject(two).cuts(inputs)
    for depth in range(2):
        wanted, found = usual.read(inputs, depth).flat(), both.read(inputs, depth).flat()
        assert torch.allclose(torch.cat([wanted, wanted], 1), found, atol=1e-4), depth


def test_scripted_functions_have_the_cuts_of_their_source():
    inputs = vectors(6, 0, drawn())
    case = CASES["torch.jit.script"]
    torch.manual_seed(1)
    scripted = case.network()
    torch.manual_seed(1)
    plain = Between(lambda x: 2 * torch.relu(x) + torch.sigmoid(x))
    for depth in range(2):
        wanted, found = (Subject(network).cuts(inputs).read(inputs, depth) for network in (plain, scripted))
        assert torch.allclose(wanted.flat(), found.flat(), atol=1e-4)


def test_attention_has_equal_cuts_with_positions_first_and_by_hand():
    inputs = tokens(6, 5, drawn())
    first, second = Attention(batch_first=True), Attention(batch_first=False, weights=True)
    second.load_state_dict(first.state_dict())

    class ByHand(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            h = first.embedding(x)
            weight, bias = first.attention.in_proj_weight, first.attention.in_proj_bias
            q, k, v = (
                (torch.einsum("bti,oi->bto", h, w) + b).unflatten(-1, (2, 4))
                for w, b in zip(weight.chunk(3), bias.chunk(3), strict=True)
            )
            pattern = torch.einsum("bqhd,bkhd->bhqk", q, k).div(2).softmax(-1)
            mixed = torch.einsum("bhqk,bkhd->bqhd", pattern, v).flatten(2)
            return first.head(F.gelu(h + first.attention.out_proj(mixed)).mean(1))

    all_cuts = [Subject(network).cuts(inputs) for network in (first, second, ByHand())]
    assert {len(cuts) for cuts in all_cuts} == {5}
    # At depth 0 the forms divide the queries, the keys or neither by the square root of the size: spelling, yet other numbers.
    for depth in (2, 3, 4):
        wanted, *others = (sorted_columns(cuts.read(inputs, depth)) for cuts in all_cuts)
        assert all(torch.allclose(wanted, other, atol=1e-4) for other in others), depth


def test_eager_and_fused_attention_have_equal_cuts():
    inputs = texts(6, 5, drawn())
    eager, fused = (CASES[f"GPT-2, {kind}"].network() for kind in ("eager", "sdpa"))
    fused.load_state_dict(eager.state_dict())
    a, b = Subject(eager).cuts(inputs), Subject(fused).cuts(inputs)
    assert len(a) == len(b)
    equal = []
    for depth in range(len(a)):
        wanted, found = a.read(inputs, depth).flat(), b.read(inputs, depth).flat()
        equal.append(wanted.shape == found.shape and bool((wanted - found).abs().max() < 1e-4 * wanted.abs().max()))
    assert equal.count(False) == 1, "only the scale of queries and keys differs"
    assert not a.replaced
    assert all("flash" in name and ".attn." in name for name in b.replaced)
    assert len(b.replaced) == 1


def test_the_depth_of_a_transformer_counts_what_is_not_affine():
    """Scores and mixing are products of two tensors that depend on the inputs; the last map, by the embedding, is affine."""
    cuts = Subject(Transformer()).cuts(tokens(6, 5, drawn()))
    leads = [
        "norms.0.native_layer_norm",
        "bmm",
        "_softmax",
        "bmm",
        "norms.1.native_layer_norm",
        "gelu",
        "norms.2.native_layer_norm",
    ]
    assert [name.split("#")[0] for cut in cuts for name in cut.leads] == leads
    assert len(cuts) == len(leads) + 1


def test_casts_are_affine():
    (cut,) = Subject(Function(lambda x: x.bfloat16().float() + x)).cuts(vectors(6, 0, drawn()))
    assert cut.affine
    assert len(Subject(Function(lambda x: x.long() + x)).cuts(vectors(6, 0, drawn()))) == 2


def test_tied_weights_are_two_uses():
    inputs = tokens(6, 5, drawn())
    cuts = Subject(Transformer()).cuts(inputs)
    assert cuts[0].names == ("add#1",)
    assert cuts[len(cuts) - 1].names == ("mm#1",)


# Against hooks


@pytest.mark.parametrize(("name", "site"), [
    ("MLP", "layers.0"), ("GPT-2, eager", "transformer.h.0.mlp.c_fc"),
    ("BERT, sdpa", "bert.encoder.layer.0.intermediate.dense"),
    ("nn.TransformerEncoder, positions first", "encoder.layers.0.linear1"),
])  # fmt: skip
def test_reads_equal_what_a_hook_reads(name: str, site: str):
    case = CASES[name]
    subject, inputs = Subject(case.network()), case.inputs(4, 5, drawn())
    caught: list[Tensor] = []
    handle = subject.module.get_submodule(site).register_forward_hook(lambda module, args, out: caught.append(out))
    subject(inputs)
    handle.remove()
    hooked = caught[0].transpose(0, 1) if name.endswith("positions first") else caught[0]
    cuts = subject.cuts(inputs)
    reads = [
        state.values[f"{site}.addmm#1"] for cut in cuts if f"{site}.addmm#1" in (state := cuts.read(inputs, cut.depth)).values
    ]
    assert reads
    assert all(torch.allclose(read.flatten(1), hooked.flatten(1), atol=1e-5) for read in reads)


def test_a_patched_matrix_is_what_the_rest_computes_from_it():
    inputs = vectors(6, 0, drawn())
    network = mlp()
    cuts = Subject(network).cuts(inputs)
    matrix = torch.randn(9, 8, generator=drawn(5))
    found = cuts.run(inputs, 1, cuts.read(inputs, 1).unflat(matrix))
    assert torch.allclose(found, network.layers[3:](matrix), atol=1e-6)


def test_a_patched_matrix_behind_a_folded_batch():
    """GPT-2 folds examples and positions into one dimension in front of each of its linear maps."""
    inputs = texts(4, 5, drawn())
    network = CASES["GPT-2, eager"].network()
    subject = Subject(network)
    cuts = subject.cuts(inputs)
    depth = next(cut.depth for cut in cuts if any(name.endswith("h.0.mlp.c_fc.addmm#1") for name in cut.names))
    state = cuts.read(inputs, depth)
    mixed = state.unflat(state.flat().flip(0))
    assert torch.allclose(cuts.run(inputs, depth, mixed), subject(inputs).flip(0), atol=1e-5)


# What a cut says of itself


def test_an_mlp_names_its_cuts():
    first, second, last = Subject(mlp()).cuts(vectors(6, 0, drawn()))
    assert (first.names, second.names, last.names) == (("layers.0.addmm#1",), ("layers.2.addmm#1",), ("layers.4.addmm#1",))
    assert (first.leads, second.leads, last.leads) == (("layers.1.relu#1",), ("layers.3.tanh#1",), ())
    assert [cut.affine for cut in (first, second, last)] == [True, False, False]
    assert [cut.last for cut in (first, second, last)] == [False, False, True]
    assert [cut.depth for cut in (first, second, last)] == [0, 1, 2]
    assert (first.carried, first.shared, first.opaque_before, first.opaque_after) == ((), (), (), ())


def test_opaque_calls_are_named_before_and_after():
    cuts = Subject(Between(swish)).cuts(vectors(6, 0, drawn()))
    assert [(cut.opaque_before, cut.opaque_after) for cut in cuts] == [((), ("swish#1",)), (("swish#1",), ())]
    assert cuts.replaced == ()


def test_fused_calls_that_are_taken_apart_are_named():
    inputs = tokens(6, 5, drawn())
    assert Subject(Recurrent(nn.LSTM)).cuts(inputs).replaced == ("layer.mkldnn_rnn_layer",)
    assert Subject(Recurrent(nn.GRU)).cuts(inputs).replaced == ()
    fused = Subject(Attention(batch_first=True)).cuts(inputs)
    assert fused.replaced == ("attention._scaled_dot_product_flash_attention_for_cpu",)
    assert not fused[0].opaque_after


def test_padding_is_carried_and_scores_stay_values():
    inputs = padded_texts(6, 5, drawn())
    cuts = Subject(CASES["BERT, eager, padded"].network()).cuts(inputs)
    assert len(cuts[0].carried) > 0
    assert cuts[0].names == ("bert.embeddings.add#2",)
    (depth,) = [cut.depth for cut in cuts if "bert.encoder.layer.0.attention.self._softmax#1" in cut.leads]
    assert "bert.encoder.layer.0.attention.self.add#1" in cuts[depth].names
    state = cuts.read(inputs, depth)
    with pytest.raises(AssayError, match="same entries are masked"):
        state.flat()
    alike = state[[0, 3]]
    assert float(cuts.run(inputs, depth, alike.unflat(alike.flat()[[0, 0]])).diff(dim=0).abs().max()) < 1e-5


def test_causal_scores_leave_the_masked_entries_out():
    inputs = tokens(6, 5, drawn())
    subject = Subject(Transformer())
    cuts = subject.cuts(inputs)
    (depth,) = [cut.depth for cut in cuts if "_softmax#1" in cut.leads]
    state = cuts.read(inputs, depth)
    assert bool(torch.isfinite(state.flat()).all())
    assert torch.equal(cuts.run(inputs, depth, state.unflat(state.flat())), cuts.run(inputs, depth, state))


def test_tokens_cross_a_cut_where_they_are_used_late():
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.layer = nn.Embedding(9, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return torch.where((x > 4)[..., None], self.layer(self.embedding(x)).relu(), 0.0).sum(1)

    inputs = tokens(6, 5, drawn())
    cuts = Subject(Late()).cuts(inputs)
    assert cuts[0].carried == ("unsqueeze#1",) or cuts[0].carried == ("gt#1",)
    assert len(cuts) == 2


def test_complex_tensors_are_values_too():
    inputs = vectors(6, 0, drawn())
    subject = Subject(Function(lambda x: torch.fft.rfft(x).abs()))
    cuts = subject.cuts(inputs)
    state = cuts.read(inputs, 0)
    assert state.flat().shape == (6, 3 * 2)
    assert torch.allclose(cuts.run(inputs, 0, state.unflat(2 * state.flat())), 2 * subject(inputs), atol=1e-5)


def test_numbers_that_python_reads_belong_to_the_state():
    """The branch is taken as it was where the state was read, although the inputs of the pass would lead elsewhere."""
    inputs = vectors(6, 0, drawn())
    subject = Subject(Function(lambda x: torch.relu(x) if bool((x >= 0).all()) else torch.relu(x) + torch.tanh(x)))
    here = {"x": inputs["x"].abs()}
    cuts = subject.cuts(here)
    there = {"x": inputs["x"].abs() + 1}
    state = cuts.read(there, 1)
    assert list(state.numbers.values()) == [True]
    assert torch.equal(cuts.run({"x": -here["x"]}, 1, state), there["x"])
    before = cuts.read(there, 0)
    assert not before.numbers
    assert torch.equal(cuts.run({"x": -here["x"]}, 0, before), there["x"])


def test_what_decides_a_branch_crosses_the_cuts_before_it():
    def guarded(x: Tensor) -> Tensor:
        return torch.relu(x[:, :2]) if torch.equal(x[:, 2:3].abs(), x[:, 3:]) else torch.tanh(x[:, :2])

    x = vectors(6, 0, drawn())["x"].abs()
    here = {"x": torch.cat([x[:, :3], x[:, 2:3]], 1)}
    cuts = Subject(Function(guarded)).cuts(here)
    assert cuts[0].names == ("slice#1", "slice#2", "slice#3")
    assert torch.equal(cuts.run({"x": -here["x"]}, 0, cuts.read(here, 0)), here["x"][:, :2])


# Refusals


REFUSED = {case.name: case for case in refused()}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_cut_is_refused(name: str):
    case = REFUSED[name]
    with pytest.raises(AssayError, match=case.refused):
        Subject(case.network()).cuts(case.inputs(6, 5, drawn()))


def test_the_call_that_uses_an_unseen_tensor_is_named():
    with pytest.raises(AssayError, match=r"middle\.mul#1 uses one that changes"):
        Subject(Between(Function(REFUSED_MIDDLE))).cuts(vectors(6, 0, drawn()))


def REFUSED_MIDDLE(x: Tensor) -> Tensor:  # noqa: N802
    return x * torch.from_numpy(x.sigmoid().numpy())


def test_another_path_is_refused():
    branching = Between(lambda x: x.relu().tanh() if float(x[0, 0]) > 0 else x.relu())
    positive = {"x": torch.ones(3, 4) * torch.arange(1.0, 4.0)[:, None]}
    branching.first.weight.data.abs_()
    branching.first.bias.data.zero_()
    cuts = Subject(branching).cuts(positive)
    with pytest.raises(AssayError, match="same calls for all inputs"):
        cuts.read({"x": -positive["x"]}, 1)


def test_a_cut_whose_examples_have_no_dimension_is_refused_alone():
    gram = Between(lambda x: (x @ x.T).diagonal()[:, None].expand(-1, 6).tanh())
    inputs = vectors(6, 0, drawn())
    cuts = Subject(gram).cuts(inputs)
    assert cuts.read(inputs, 0).flat().shape == (6, 6)
    whole = Between(lambda x: (x @ x.T).tanh().diagonal()[:, None].expand(-1, 6))
    cuts = Subject(whole).cuts(inputs)
    with pytest.raises(AssayError, match="every tensor of the cut has an example dimension"):
        cuts.read(inputs, 1)


def test_states_of_other_cuts_are_refused():
    inputs = vectors(6, 0, drawn())
    cuts = Subject(mlp()).cuts(inputs)
    with pytest.raises(AssayError, match="patched only into the cut at which it was read"):
        cuts.run(inputs, 1, cuts.read(inputs, 0))
    for depth in (-1, 3):
        with pytest.raises(AssayError, match="the depth of a cut must exist"):
            cuts.read(inputs, depth)
    with pytest.raises(AssayError, match="same names and dimensions"):
        cuts.run({"y": inputs["x"]}, 0, cuts.read(inputs, 0))


# Sizes, and what is left behind


def test_a_network_without_a_non_affine_call_has_one_cut():
    inputs = vectors(6, 0, drawn())
    subject = Subject(Named(nn.Linear(4, 3), nn.Linear(3, 2)))
    (cut,) = cuts = subject.cuts(inputs)
    assert cut.affine
    assert cut.last
    assert torch.equal(cuts.read(inputs, 0).flat(), subject(inputs))


@pytest.mark.parametrize("name", ["MLP", "CNN", "GRU by hand, states in a buffer", "GPT-2, sdpa", "nn.LSTM, positions first"])
def test_one_example(name: str):
    case = CASES[name]
    subject, one, other = Subject(case.network()), case.inputs(1, 5, drawn()), case.inputs(1, 5, drawn(1))
    cuts = subject.cuts(one)
    for cut in cuts:
        state = cuts.read(other, cut.depth)
        assert len(state) == 1
        assert torch.allclose(cuts.run(one, cut.depth, state), subject(other), atol=1e-4)


def test_no_examples():
    cuts = Subject(mlp()).cuts(vectors(6, 0, drawn()))
    none = cuts.read(vectors(0, 0, drawn()), 1)
    assert none.flat().shape == (0, 8)
    assert cuts.run(vectors(6, 0, drawn()), 1, none).shape == (0, 3)
    with pytest.raises(AssayError, match="at least one example"):
        Subject(mlp()).cuts(vectors(0, 0, drawn()))


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_batches_make_no_difference(batch_size: int):
    network, inputs = Transformer(), tokens(11, 5, drawn())
    whole, parts = (Subject(network, batch_size=size).cuts(inputs) for size in (100, batch_size))
    state = parts.read(inputs, 3)
    assert torch.allclose(whole.read(inputs, 3).flat(), state.flat(), atol=1e-5)
    assert torch.allclose(parts.run(inputs, 3, state), Subject(network)(inputs), atol=1e-5)


def test_nothing_is_left_behind():
    inputs = tokens(6, 5, drawn())
    subject = Subject(Attention(batch_first=False))
    weights = {name: value.clone() for name, value in subject.weights().items()}
    before, given = subject(inputs), inputs["x"].clone()
    random, onednn = torch.get_rng_state(), torch._C._get_mkldnn_enabled()
    cuts = subject.cuts(inputs)
    state = cuts.read(inputs, 1)
    kept = state.flat().clone()
    cuts.run(inputs, 1, state)
    assert torch.equal(subject(inputs), before)
    assert torch.equal(inputs["x"], given)
    assert torch.equal(state.flat(), kept)
    assert all(torch.equal(value, weights[name]) for name, value in subject.weights().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert torch._C._get_mkldnn_enabled() == onednn
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in subject.module.modules())
    assert isinstance(cuts, Cuts)


def test_the_input_is_a_cut_where_it_is_used_as_it_is():
    inputs = vectors(6, 0, drawn())
    cuts = Subject(Function(lambda x: torch.relu(x).sum(1, keepdim=True))).cuts(inputs)
    assert cuts[0].names == ("input x",)
    assert torch.equal(cuts.read(inputs, 0).flat(), inputs["x"])
    assert torch.allclose(cuts.run({"x": torch.zeros(2, 4)}, 0, cuts.read(inputs, 0)), inputs["x"].relu().sum(1, keepdim=True))


WITHOUT_A_COMPILER = """
import sys
import torch
from assay.subject import Subject

network, inputs = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU()), {"input": torch.randn(4, 2)}
cuts = Subject(network).cuts(inputs)
cuts.run(inputs, 0, cuts.read(inputs, 0))
assert "torch._dynamo" not in sys.modules
"""


def test_a_network_that_is_not_compiled_is_cut_without_importing_the_compiler():
    subprocess.run([sys.executable, "-c", WITHOUT_A_COMPILER], check=True)


class Beside(nn.Module):
    """One input goes through a layer of its own, another through another, and both through a third: mixed by an affine call
    first, or not."""

    def __init__(self, mixed: str):
        super().__init__()
        self.mixed, self.one, self.other, self.last = mixed, nn.Linear(4, 5), nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x, given):
        one, other = torch.relu(self.one(x)), torch.relu(self.other(given))
        return self.last(torch.relu(one + other) if self.mixed == "by a sum" else one * other)


@pytest.mark.parametrize("mixed", ["by a sum", "by a product"])
def test_cuts_of_some_inputs_leave_the_others_as_they_are_given_and_end_where_both_are_used(mixed):
    torch.manual_seed(0)
    subject = Subject(Beside(mixed))
    inputs = {"x": torch.randn(9, 4), "given": torch.randn(9, 3)}
    cuts = subject.cuts(inputs, fixed=["given"])
    assert [cut.names for cut in cuts] == [("one.addmm#1",), ("relu#1",)]
    assert not any(cut.last for cut in cuts)
    for depth in range(2):
        state = cuts.read({**inputs, "x": inputs["x"].roll(1, 0)}, depth)
        others = {"x": torch.zeros(2, 4), "given": inputs["given"]}
        moved = cuts.run(others, depth, state)
        assert torch.allclose(moved, subject({**inputs, "x": inputs["x"].roll(1, 0)}), atol=1e-6)
        with pytest.raises(AssayError, match="a row for each state"):
            cuts.run({**others, "given": inputs["given"][:5]}, depth, state)
