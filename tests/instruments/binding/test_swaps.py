"""Interchange on networks whose way of binding is built in, and the answers before it."""

import mechanisms
import pytest
import torch

from assay.instruments.binding.asked import ask, contrast, listed, logits, own_attribute, right, unlisted
from assay.instruments.binding.swaps import (
    PATCHES,
    pairing,
    patch_all,
    patched_shares,
    reads_context,
    shares,
    signature,
    stream,
    swap_curve,
    swapped,
    who_swaps,
)
from assay.subject import Subject

TASK = mechanisms.TASK


def drawn(generator, num=200, size=3):
    return TASK.contexts(num, size=size, pairs="trained", generator=generator)


@pytest.fixture
def pairs(generator):
    return pairing(TASK, drawn(generator, 400), drawn(generator, 400))


@pytest.mark.parametrize("kind", ["direct", "id"])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_networks_that_bind_are_right_and_contrasts_are_one(kind, size, generator):
    contexts = drawn(generator, size=size)
    asked = ask(TASK, contexts, contexts.entities)
    said = logits(mechanisms.subject(kind), asked)
    assert bool(right(said, asked).all())
    assert torch.equal(contrast(listed(said, contexts)), torch.ones(len(contexts)))
    assert torch.equal(own_attribute(asked), contexts.attributes)


@pytest.mark.parametrize("kind", ["direct", "id"])
def test_names_that_are_not_listed_have_no_contrast(kind, generator):
    contexts = drawn(generator)
    asked = ask(TASK, contexts, unlisted(contexts, TASK.num_entities, num=3, generator=generator))
    assert not bool((asked.entities[:, :, None] == contexts.entities[:, None]).any())
    said = listed(logits(mechanisms.subject(kind), asked), contexts)
    assert float((contrast(said.round(decimals=3)) - 0.5).abs().max()) < 1e-6
    assert bool((own_attribute(asked) == -1).all())


def test_what_favours_a_place_or_an_attribute_cancels(generator):
    said = torch.randn(50, 3, 3, generator=generator)
    biased = said + 5 * torch.randn(1, 1, 3, generator=generator) + 5 * torch.randn(1, 3, 1, generator=generator)
    assert torch.allclose(contrast(said), contrast(biased))


def test_contexts_that_share_something_are_no_pair(pairs, generator):
    target, source = pairs.target.contexts, pairs.source.contexts
    assert len(target) == 400
    alone = drawn(generator, 1)
    assert len(pairing(TASK, alone, alone).target.contexts) == 0
    assert not bool((target.entities[:, :, None] == source.entities[:, None]).any())
    assert torch.equal(target.start, source.start)


def test_the_stream_is_what_all_of_the_input_passes_through(pairs):
    network = mechanisms.subject("direct")
    assert stream(network, pairs.target, pairs.source, most=8) == ["bound:in"]
    assert reads_context(network, pairs, "bound:in")


@pytest.mark.parametrize(("kind", "name"), [("direct", "direct"), ("id", "ID-like")])
def test_signatures_name_the_mechanism(kind, name, pairs, generator):
    network = mechanisms.subject(kind)
    found = patch_all(network, pairs, pairs, ["bound:in"], generator=generator)
    assert signature(found) == name
    assert found.site == "bound:in"
    assert set(found.patched) == set(PATCHES)
    assert torch.allclose(found.patched["both"].sum(2), torch.ones(1))
    # A whole pair from another context is found by its own entity, whichever way it is bound.
    assert found.share("both", 1, 1) == 1.0
    assert found.share("unrelated token", 0, 0) == 1.0
    assert float(found.unpatched[:, 0, 0].mean()) == 1.0


def test_the_source_of_an_id_patch_is_read_by_its_new_owner(pairs, generator):
    found = patched_shares(mechanisms.subject("id"), pairs, "bound:in", ["attribute"], generator=generator)["attribute"]
    assert found[:, 0].mean(0).tolist() == [0.0, 1.0, 0.0, 0.0]
    assert found[:, 2].mean(0)[2] == 1.0  # another entity keeps its own


def test_shares_are_of_the_right_lists(pairs):
    target = pairs.target.contexts
    assert shares(target.attributes[:, 0], pairs).mean(0).tolist() == [1.0, 0.0, 0.0, 0.0]
    assert shares(pairs.source.contexts.attributes[:, 0], pairs).mean(0).tolist() == [0.0, 1.0, 0.0, 0.0]
    assert shares(target.attributes[:, 1], pairs).mean(0).tolist() == [0.0, 0.0, 1.0, 0.0]
    assert shares(torch.full((len(target),), -1), pairs).mean(0).tolist() == [0.0, 0.0, 0.0, 1.0]


class Codes(torch.nn.Module):
    """Tokens as codes, and a table of all pairs of them behind: attributes are swapped before they are bound."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding.from_pretrained(torch.eye(TASK.input_spec.vocab))
        self.read = torch.nn.Identity()

    def forward(self, tokens):
        own = self.read(self.embedding(tokens))
        tag = torch.cat([torch.zeros_like(own[:, :1]), own[:, :-1]], 1)
        match = (30 * torch.einsum("nd,ntd->nt", own[:, -1], tag[:, :-2])).softmax(1)
        return torch.einsum("nt,ntd->nd", match, own[:, :-2])[:, 3 + TASK.num_entities :]


def test_a_patch_of_the_input_is_told_from_one_of_the_inside(pairs, generator):
    network = Subject(Codes())
    assert stream(network, pairs.target, pairs.source, most=8) == ["embedding:out"]
    assert not reads_context(network, pairs, "embedding:out")
    found = patch_all(network, pairs, pairs, ["embedding:out"], generator=generator)
    assert (found.site, signature(found)) == ("", "not localised")


def test_swaps_before_binding_exchange_answers_and_later_ones_do_not(generator):
    contexts = drawn(generator)
    asked = ask(TASK, contexts, contexts.entities)
    early = swap_curve(Subject(Codes()), asked, ["embedding:out"])
    assert {what: float(values.mean()) for what, values in early.items()} == {
        "attributes": -1.0, "entities": -1.0, "both": 1.0, "unrelated tokens": 1.0,
    }  # fmt: skip
    late = swap_curve(mechanisms.subject("direct"), asked, ["bound:in"])
    assert all(float(values.mean()) == 1.0 for values in late.values())


def test_who_swaps_with_whom(generator):
    contexts = drawn(generator)
    asked = ask(TASK, contexts, contexts.entities)
    said = swapped(Subject(Codes()), asked, "embedding:out", ["attributes"])["attributes"]
    assert who_swaps(said, asked).tolist() == [[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]
    assert torch.allclose(who_swaps(torch.randn(said.shape, generator=generator), asked).sum(1), torch.ones(3))
