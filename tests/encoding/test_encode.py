"""What is read once is what the model says, whatever the batches, and a cache is never taken for another's."""

import json
import pickle
import resource

import pytest
import torch
from torch import Generator, nn

from assay.encoding import Encoded, HuggingFaceEncoder, encode, encoder_of
from assay.encoding.encoded import HEAD, STATES
from assay.encoding.hugging_face import load_tokenizer
from assay.encoding.one_pass import pool
from assay.errors import AssayError
from assay.graph import FedTokens, Graph, tree
from assay.models.transformer import Transformer
from assay.subject import Subject


@pytest.fixture
def encoder(folder) -> HuggingFaceEncoder:
    return HuggingFaceEncoder.load(folder)


def by_hand(encoder: HuggingFaceEncoder, graph: Graph, layer: int) -> torch.Tensor:
    """One text at a time, word by word, without any product."""
    cut = encoder.tokenizer(list(graph.words), is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        states = encoder.module(**cut, output_hidden_states=True).hidden_states[layer][0]
    rows = [[k for k, word in enumerate(cut.word_ids()) if word == w] for w in range(len(graph.words))]
    return torch.stack([states[row].mean(0) for row in rows])


def test_states_are_the_means_over_the_tokens_of_each_word(encoder, graphs):
    found = encode(encoder, graphs)
    assert found.layers == ("words", "0", "1", "2")
    assert found.starts.tolist() == [0, 5, 6, 10]
    for k, graph in enumerate(graphs):
        rows = slice(int(found.starts[k]), int(found.starts[k + 1]))
        for layer in range(3):
            assert torch.allclose(found.states[layer + 1, rows].float(), by_hand(encoder, graph, layer), atol=2e-3)
    embedding = encoder.module.get_input_embeddings().weight
    cats = embedding[[5, 6]].mean(0)
    assert torch.allclose(found.states[0, 1].float(), cats, atol=2e-3)
    assert torch.equal(found.states[0, 4], found.states[0, 7])  # a word's embedding knows no context
    assert not torch.equal(found.states[2, 4], found.states[2, 7])


def test_batches_and_the_order_of_texts_change_nothing(encoder, graphs, monkeypatch):
    plain = encode(encoder, graphs)
    monkeypatch.setattr("assay.encoding.one_pass.BATCH_TOKENS", 1)
    alone = encode(encoder, list(reversed(graphs)))
    assert torch.allclose(plain.states.float(), alone.rows_of([2, 1, 0]).states.float(), atol=2e-3)


def test_a_node_is_the_mean_of_its_mentions():
    graph = Graph(words=("a", "b", "c"), mentions=((0, 2), (1,)), edges=((0, 1, "x"),), punctuation=(False, False))
    states = torch.arange(8.0).view(1, 1, 4, 2)  # tokens: none, a, b, c
    assert pool(states, [(-1, 0, 1, 2)], [graph]).tolist() == [[[4.0, 5.0], [4.0, 5.0]]]
    assert pool(states, [(0, 0, 1, 2)], [graph])[0, 0].tolist() == [(0.5 * 0 + 0.5 * 2 + 6) / 2, (0.5 * 1 + 0.5 * 3 + 7) / 2]


def test_what_cannot_be_encoded_is_listed(encoder, graphs):
    long = tree(["dog"] * 11, [-1, *range(10)], relation=["root"] + ["x"] * 10, sentence_id="long")
    lost = tree(["dog", "\u200b"], [-1, 0], relation=["root", "x"], sentence_id="lost")
    found = encode(encoder, [long, graphs[0], lost])
    assert found.kept == (1,)
    assert [(item.text, item.sentence_id) for item in found.refused] == [(0, "long"), (2, "lost")]
    assert found.refused[0].why == "13 tokens, and the model reads 12"
    assert found.refused[1].why == "no token for '\\u200b'"


@pytest.mark.parametrize("num", [0, 1])
def test_no_text_and_one(encoder, graphs, num, tmp_path):
    found = encode(encoder, graphs[:num], folder=tmp_path)
    assert len(found) == num
    assert found.states.shape[1] == 5 * num
    assert encode(encoder, graphs[:num], folder=tmp_path).states.shape == found.states.shape


class Dying:
    """Is killed before the third batch."""

    def __init__(self, encoder):
        self.encoder, self.asked = encoder, 0
        self.layers, self.identity, self.left_out = encoder.layers, encoder.identity, encoder.left_out

    def prepare(self, graphs):
        prepared, outer = self.encoder.prepare(graphs), self

        class Texts:
            words, refused = prepared.words, prepared.refused

            def states(self, texts):
                outer.asked += 1
                if outer.asked == 4:  # the first call tells the width
                    raise KeyboardInterrupt
                return prepared.states(texts)

        return Texts()

    def on(self, subject):
        return Dying(self.encoder.on(subject))

    def site(self, layer):
        return self.encoder.site(layer)


def test_a_killed_pass_goes_on(encoder, graphs, tmp_path, monkeypatch):
    monkeypatch.setattr("assay.encoding.one_pass.BATCH_TOKENS", 1)
    monkeypatch.setattr("assay.encoding.one_pass.FLUSH", 1)
    with pytest.raises(KeyboardInterrupt):
        encode(Dying(encoder), graphs, folder=tmp_path)
    head = json.loads((tmp_path / HEAD).read_text())
    assert (head["done"], head["batches"]) == (2, 3)
    rest = Dying(encoder)
    found = encode(rest, graphs, folder=tmp_path)
    assert rest.asked == 2  # the width, and the one batch that was missing
    assert torch.equal(found.states, encode(encoder, graphs).states)
    rest.asked = 0
    encode(rest, graphs, folder=tmp_path)
    assert rest.asked == 1


def test_a_finished_cache_is_safe_from_its_readers(encoder, graphs, tmp_path):
    found = encode(encoder, graphs, folder=tmp_path)
    before = (tmp_path / STATES).read_bytes()
    found.states.zero_()
    assert (tmp_path / STATES).read_bytes() == before


def test_another_model_tokenizer_or_text_is_refused(encoder, graphs, tmp_path, folder):
    from transformers import AutoConfig, AutoModel

    encode(encoder, graphs, folder=tmp_path)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        twin = AutoModel.from_config(AutoConfig.from_pretrained(folder))
    with pytest.raises(AssayError, match=r"another model or tokenizer.*Next: choose another folder"):
        encode(encoder.on(Subject(twin)), graphs, folder=tmp_path)
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["zebra"])
    with pytest.raises(AssayError, match="another model or tokenizer"):
        encode(HuggingFaceEncoder(encoder.module, tokenizer), graphs, folder=tmp_path)
    with pytest.raises(AssayError, match="other texts"):
        encode(encoder, graphs[:2], folder=tmp_path)


def test_a_truncated_cache_is_named(encoder, graphs, tmp_path):
    encode(encoder, graphs, folder=tmp_path)
    path = tmp_path / STATES
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(AssayError, match=r"states\.f16 must be whole.*bytes"):
        encode(encoder, graphs, folder=tmp_path)


class NoStates(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Embedding(20, 4)

    def forward(self, input_ids, attention_mask, output_hidden_states):
        return self.inner(input_ids)


def test_a_model_without_hidden_states_is_told(folder):
    with pytest.raises(AssayError, match=r"one hidden state.*NoStates without such hidden_states"):
        HuggingFaceEncoder(NoStates(), load_tokenizer(folder))


def test_folders_without_model_or_tokenizer_are_told(folder, tmp_path):
    with pytest.raises(AssayError, match=r"must hold config\.json"):
        HuggingFaceEncoder.load(tmp_path)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(AssayError, match="must hold its tokenizer"):
        HuggingFaceEncoder.load(tmp_path)


def test_states_beyond_half_precision_are_told(encoder, graphs):
    with torch.no_grad():
        encoder.module.get_input_embeddings().weight.mul_(1e8)
    with pytest.raises(AssayError, match="float16"):
        encode(encoder, graphs)


class Feeding:
    """A task whose tokens are the words themselves, behind a start token."""

    def feed(self, graphs):
        length = max((len(graph.words) for graph in graphs), default=0)
        tokens = torch.zeros(len(graphs), 7, dtype=torch.int64)
        places = torch.full((len(graphs), length), -1)
        for k, graph in enumerate(graphs):
            tokens[k, 1 : 1 + len(graph.words)] = torch.tensor([1 + len(word) for word in graph.words])
            places[k, : len(graph.words)] = 1 + torch.arange(len(graph.words))
        return FedTokens({"tokens": tokens}, places)


def test_any_subject_with_states_for_positions_is_read(graphs):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        subject = Subject(Transformer(vocab=12, length=7, num_outputs=3, width=8, depth=2))
    found = encode(encoder_of(subject, Feeding()), graphs)
    assert found.states.shape[1:] == (10, 8)
    few, all_sites = (encoder_of(subject, Feeding(), most_layers=most) for most in (3, None))
    assert (len(encode(few, graphs).layers), len(encode(all_sites, graphs).layers)) == (3, len(found.layers))
    assert few.left_out == all_sites.left_out + len(found.layers) - 3
    assert "blocks.1:out" in found.layers
    inputs = Feeding().feed(graphs).inputs
    whole = subject.read(inputs, ["blocks.1:out"])["blocks.1:out"]
    assert torch.allclose(found.states[found.layer("blocks.1:out"), 5].float(), whole[1, 1], atol=2e-3)
    with pytest.raises(AssayError, match=r"a layer must be one that was encoded.*blocks\.1:out"):
        found.layer("blocks.9:out")


class FeedingPrefixes:
    """Every word in a row of its own, behind those before it."""

    def feed(self, graphs):
        fed = Feeding().feed(graphs)
        rows, start, read = torch.zeros_like(fed.places), 0, []
        for k, graph in enumerate(graphs):
            for word in range(len(graph.words)):
                read.append(fed.inputs["tokens"][k].clone())
                read[-1][word + 2 :] = 0
                rows[k, word] = start
                start += 1
        return FedTokens({"tokens": torch.stack(read)}, fed.places, rows)


def test_words_with_rows_of_their_own_are_read_in_these(graphs):
    """A causal network has in each row the state that it has in the row of the whole text; texts in any batch."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        subject = Subject(Transformer(vocab=12, length=7, num_outputs=3, width=8, depth=2))
    whole, apart = (encode(encoder_of(subject, task()), graphs) for task in (Feeding, FeedingPrefixes))
    assert whole.starts.tolist() == apart.starts.tolist()
    for layer in ("embedding:out", "blocks.1:out"):
        torch.testing.assert_close(apart.states[apart.layer(layer)], whole.states[whole.layer(layer)], rtol=2e-3, atol=2e-3)


def test_states_behind_a_token_of_the_networks_own_are_not_taken_for_those_of_the_words(graphs):
    class Prefixed(nn.Module):
        """Puts a token in front, so that all states are one place later."""

        def __init__(self):
            super().__init__()
            self.embedding, self.first = nn.Embedding(12, 4), nn.Parameter(torch.ones(1, 1, 4))
            self.layer = nn.Linear(4, 4)

        def forward(self, tokens):
            return self.layer(torch.cat([self.first.expand(len(tokens), 1, 4), self.embedding(tokens)], 1))

    assert encode(encoder_of(Subject(Prefixed()), Feeding()), graphs).layers == ("embedding:out",)


def test_a_network_without_positions_is_told(graphs):
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(7, 4)

        def forward(self, tokens):
            return self.layer(tokens.float())

    with pytest.raises(AssayError, match="a hidden state for every position"):
        encode(encoder_of(Subject(Flat()), Feeding()), graphs)


def test_a_network_of_ones_own_needs_a_tokenizer():
    with pytest.raises(AssayError, match="words need a tokenizer"):
        encoder_of(Subject(nn.Linear(2, 2)), object())


def test_a_loaded_model_is_its_own_encoder(folder, graphs):
    subject = Subject(HuggingFaceEncoder.load(folder).module)
    found = encode(encoder_of(subject, object()), graphs)
    assert isinstance(found, Encoded)
    assert torch.equal(found.states, encode(HuggingFaceEncoder.load(folder), graphs).states)
    twin = encoder_of(subject.untrained(Generator().manual_seed(0)), object())
    assert not torch.equal(found.states, encode(twin, graphs).states)


def test_a_model_that_was_read_is_as_it_was_and_can_be_sent_to_another_process(encoder, graphs):
    encode(encoder, graphs)
    assert not any(part._forward_hooks for part in encoder.module.modules())
    again = pickle.loads(pickle.dumps(encoder))
    assert torch.equal(encode(again, graphs).states, encode(encoder, graphs).states)
    by_hand(encoder, graphs[0], 1)  # hooks of whoever else reads it stay
    assert any(part._forward_hooks for part in encoder.module.modules())
    encode(encoder, graphs)
    assert any(part._forward_hooks for part in encoder.module.modules())


def test_states_for_which_the_disk_has_no_room_are_an_error_and_leave_nothing(encoder, graphs, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            encode(encoder, graphs, folder=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    assert len(encode(encoder, graphs, folder=tmp_path)) == len(graphs)
