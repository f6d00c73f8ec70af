"""Networks as a newcomer writes them: a forward whose only argument is called otherwise, one number for each example without a
second dimension, sparse products; and what is said where an output has another common shape."""

import functools

import pytest
import torch
from torch import Generator, nn

import assay
from assay.audit import audit
from assay.errors import AssayError
from assay.instrument.run import answering
from assay.keywords import as_taken
from assay.objective import _check_shape
from plain_instrument import Answers

PAIRS = torch.cartesian_prod(torch.arange(6), torch.arange(6))
NOVEL = PAIRS.sum(1) % 4 == 1
TABLE = {"inputs": PAIRS, "parts": {"a": PAIRS[:, 0], "b": PAIRS[:, 1]}, "split": NOVEL}
NUMBERS = assay.Table(**TABLE, targets=PAIRS.sum(1).float())


class Named(nn.Module):
    def forward(self, tokens, scale=1.0):
        return tokens * scale


class Other(nn.Module):
    def forward(self, ids, mask=None):
        return ids


class Optional(nn.Module):
    def forward(self, ids=None, mask=None):
        return ids


class Anything(nn.Module):
    def forward(self, **given):
        return given["tokens"]


class Several(nn.Module):
    def forward(self, ids, mask):
        return ids


class Hooked(nn.Module):
    """As of TransformerLens: what has no place of its own is passed on."""

    def forward(self, input, return_type="logits", **kwargs):
        return input


def replaced(module):
    """In the place of its forward stands an object that hands on what it is given, as where nnsight listens in."""

    class HandsOn:
        def __init__(self):
            functools.update_wrapper(self, type(module).forward)

        def __call__(self, *args, **kwargs):
            return type(module).forward(module, *args, **kwargs)

    module.forward = HandsOn()
    return module


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (Named(), "tokens"),
        (Other(), "ids"),
        (Optional(), "ids"),
        (Anything(), "tokens"),
        (Several(), "tokens"),
        (Hooked(), "input"),
        (replaced(nn.Sequential(nn.Flatten())), "input"),
        (replaced(Named()), "tokens"),
        (replaced(Anything()), "tokens"),
        (nn.Sequential(nn.Flatten()), "input"),
        (nn.Linear(2, 3), "input"),
    ],
)
def test_the_only_input_goes_where_it_can(module, name):
    assert list(as_taken(module, {"tokens": PAIRS})) == [name]
    assert list(as_taken(module, {"tokens": PAIRS, "x": PAIRS})) == ["tokens", "x"]
    assert as_taken(module, {}) == {}


def network(kind: str) -> nn.Module:
    """The same numbers, returned in several ways."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Embedding(6, 8), nn.Flatten(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
    return layers if kind == "plain" else Returns(layers, kind)


class Returns(nn.Module):
    def __init__(self, inner: nn.Module, kind: str):
        super().__init__()
        self.inner, self.kind = inner, kind

    def forward(self, tokens):
        x = self.inner(tokens).squeeze(-1)
        return {"flat": x, "tuple": (self.inner[2].weight, x), "named": {"answer": x, "other": x + 1}}[self.kind]


@pytest.mark.parametrize("kind", ["flat", "tuple", "named"])
def test_one_number_each_without_a_second_dimension(kind):
    plain = audit(assay.Subject(network("plain")), NUMBERS, effort="quick", instruments=[Answers()], progress=None)
    subject = assay.Subject(network(kind), output="answer" if kind == "named" else None)
    found = audit(subject, NUMBERS, effort="quick", instruments=[Answers()], progress=None)
    assert found.evidence == plain.evidence
    assert plain.subject.remarks == ()
    assert found.subject.remarks == ("its output, one number for each example, is read with a last dimension of 1",)
    answers = answering(subject, NUMBERS)
    inputs = NUMBERS.examples("seen", 5, generator=Generator().manual_seed(0)).inputs
    assert answers(inputs).shape == answers.untrained(Generator())(inputs).shape == (5, 1)
    assert kind == "tuple" or subject(inputs).shape == (5,)
    assert answering(answers, NUMBERS) is answers


@pytest.mark.parametrize(
    ("shape", "expected", "message"),
    [
        ((3,), (3, 1), r"must have shape \(3, 1\).*Next: let forward return `output.unsqueeze\(-1\)`"),
        ((3, 4), (3, 4, 1), r"`output.unsqueeze\(-1\)`"),
        ((3, 1), (3, 2), r"a logit for each of the two classes: of one x of shape \(n, 1\)"),
        ((3,), (3, 2), "a logit for each of the two classes"),
        ((3, 10), (3, 4), r"more classes than the rows.*all 10, .*assay.Classification\(10\)"),
        ((3, 5, 4), (3, 4, 5), r"`output.transpose\(1, 2\)`, with classes last"),
        ((3, 2), (3, 4), "check that the subject was built for this task"),
    ],
)
def test_what_is_said_of_outputs_in_another_shape(shape, expected, message):
    with pytest.raises(AssayError, match=message):
        _check_shape(torch.zeros(shape), expected, "examples, classes")


@pytest.mark.parametrize(
    ("shape", "expected", "what", "message"),
    [
        ((3, 4), (3, 1), "examples, features", r"where targets are classes, give whole numbers, as `targets.long\(\)`"),
        ((3, 4), (3, 2), "examples, features", "check that the subject was built for this task"),  # no class there
        ((3, 4), (3, 1, 4), "examples, positions, vocabulary", r"targets as class ids of shape \(n,\), neither a column nor"),
        ((3, 4), (3, 4, 2), "examples, positions, vocabulary", "nor one-hot"),
    ],
)
def test_class_ids_given_as_something_else_are_told_how(shape, expected, what, message):
    with pytest.raises(AssayError, match=message):
        _check_shape(torch.zeros(shape), expected, what)


class Sparse(nn.Module):
    """A product with a sparse matrix, made in forward of a dense one or kept as it is."""

    def __init__(self, *, kept: bool):
        super().__init__()
        torch.manual_seed(0)
        weight = torch.randn(16, 8) * (torch.rand(16, 8) < 0.3)
        self.embed, self.last = nn.Embedding(6, 4), nn.Linear(16, 11)
        self.weight = nn.Parameter(weight.to_sparse() if kept else weight)

    def forward(self, tokens):
        return self.last(torch.sparse.mm(self.weight.to_sparse(), self.embed(tokens).flatten(1).T).T.relu())


def test_sparse_products_are_audited_but_not_cut():
    task = assay.Table(**TABLE, targets=PAIRS.sum(1))
    subject = assay.Subject(Sparse(kept=False))
    result = audit(subject, task, effort="quick", instruments=[Answers()], progress=None)
    assert result.integrity.holds
    assert {site.name for site in subject.sites({"tokens": PAIRS})} >= {"embed:out", "last:out"}
    with pytest.raises(AssayError, match=r"calls take dense tensors. Given: a sparse one in .*mm.* dense matrix in an"):
        subject.cuts({"tokens": PAIRS})


class Extra(nn.Linear):
    """It keeps something in its state dictionary that is no tensor."""

    def get_extra_state(self):
        return {"version": 2}


def test_what_a_state_dictionary_holds_beside_tensors_is_no_weight():
    assert set(assay.Subject(Extra(2, 1)).weights()) == {"weight", "bias"}


@pytest.mark.filterwarnings("ignore")
def test_quantized_weights_are_refused_by_name():
    layers = nn.Sequential(nn.Flatten(), nn.Linear(2, 3))
    quantized = torch.ao.quantization.quantize_dynamic(layers, {nn.Linear})
    with pytest.raises(AssayError, match=r"must be tensors.*Given: 1, a torch.*quantized.*Linear. Next: audit"):
        assay.Subject(quantized)


def test_sparse_weights_are_refused_by_name():
    with pytest.raises(AssayError, match=r"must be dense tensors. Given: weight, sparse_coo. Next: keep the dense matrix"):
        assay.Subject(Sparse(kept=True))
