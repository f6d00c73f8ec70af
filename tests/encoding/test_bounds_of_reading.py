"""What is read of a large network costs what its blocks cost: no head, few layers, little padding, nothing twice."""

import pytest
import torch

from assay.encoding import HuggingFaceEncoder, encode
from assay.encoding.hugging_face import _TokenisedTexts, load_tokenizer
from assay.encoding.one_pass import LIKE, _batches
from assay.subject import Subject


@pytest.fixture
def deep(folder) -> HuggingFaceEncoder:
    """Six blocks and a head."""
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig.from_pretrained(folder, num_hidden_layers=6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return HuggingFaceEncoder(BertForMaskedLM(config), load_tokenizer(folder))


def test_thinned_layers_are_evenly_spaced_and_the_same_to_the_bit(deep, graphs):
    some = deep.thinned(3)
    assert some.layers == ("words", "0", "3", "6")
    assert (some.left_out, deep.left_out) == (4, 0)
    assert deep.thinned(7) is deep
    assert deep.thinned(2).layers == ("words", "0", "6")
    whole, found = encode(deep, graphs), encode(some, graphs)
    assert torch.equal(found.states, whole.states[[whole.layer(name) for name in some.layers]])


def test_a_copy_is_read_at_the_same_layers_and_sites_are_those_of_the_whole(deep, graphs):
    some = deep.thinned(3)
    twin = some.on(Subject(deep.module))
    assert (twin.layers, twin.left_out) == (some.layers, some.left_out)
    assert [twin.site(layer) for layer in twin.layers] == [deep.site(layer) for layer in some.layers]
    assert twin.site("3") == "bert.encoder.layer.2:out"
    assert torch.equal(encode(twin, graphs).states, encode(some, graphs).states)


def test_no_head_is_run(deep, graphs):
    def refuse(*_):
        raise AssertionError("a logit for every word was computed")

    deep.module.cls.register_forward_hook(refuse)
    plain = encode(HuggingFaceEncoder(deep.module.bert, deep.tokenizer), graphs)
    assert torch.equal(encode(deep, graphs).states, plain.states)


def test_no_text_is_read_twice(deep, graphs):
    num = []
    deep.module.bert.register_forward_hook(lambda module, args, output: num.append(len(output.last_hidden_state)))
    encode(deep, graphs)
    assert sum(num) == len(graphs)


def test_a_batch_holds_texts_of_like_length(deep):
    lengths = (100, 3, 80, 74, 50, 1, 2, 99)
    batches = _batches(_TokenisedTexts(deep, [], [[0] * length for length in lengths], {}), range(8))
    assert batches == [[0, 7, 2], [3], [4], [1], [6], [5]]
    for batch in batches:
        assert min(lengths[k] for k in batch) >= LIKE * max(lengths[k] for k in batch)


def test_a_folder_of_a_decoder_is_read_without_a_cache(folder):
    assert HuggingFaceEncoder.load(folder).module.config.use_cache is False
