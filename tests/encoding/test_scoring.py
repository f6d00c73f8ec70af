"""Bits of texts under models: sums by hand, windows, the end of a text, masked models, tokenizers that do not give back."""

import numpy as np
import pytest
import torch
from torch import nn

from assay.encoding.scoring import ByteScorer, TokenScorer, _spans, scorer_of, word_bits
from assay.errors import AssayError
from assay.models.language_model import LanguageModel
from assay.subject import Subject
from assay.text.corpus import END, SYMBOLS


class Planted(nn.Module):
    """Likeliest is the byte after the one read, with odds `e^2`."""

    def forward(self, tokens):
        logits = torch.zeros(*tokens.shape, SYMBOLS)
        return logits.scatter(2, ((tokens + 1) % SYMBOLS)[..., None], 2.0)


def test_bits_are_those_of_the_planted_odds():
    scored = ByteScorer(Subject(Planted()), 8).score("abcx")
    right, wrong = (np.log2(np.exp(2) + SYMBOLS - 1) - np.log2(np.exp(k)) for k in (2, 0))
    np.testing.assert_allclose(scored.bits, [wrong, right, right, wrong, wrong])
    assert scored.tokens.tolist() == [*b"abcx", END]
    assert scored.top[:3].tolist() == [0, *b"bc"]
    assert scored.ends.tolist() == [1, 2, 3, 4, 4]


def test_windows_ask_every_place_once_with_half_a_window_before_it():
    for num in (1, 7, 8, 9, 30):
        asked = [place for first, start, end in _spans(num, 8) for place in range(start, end)]
        assert asked == list(range(num))
        assert all(end - first <= 8 and (start - first >= 4 or first == 0) for first, start, end in _spans(num, 8))


def test_a_long_text_is_that_of_single_windows():
    module = LanguageModel(vocab=SYMBOLS, context=8, width=8, depth=1, heads=2)
    scored = ByteScorer(Subject(module), 8).score("the cat sat on the mat")
    given = torch.tensor([END, *b"the cat sat on the mat"])
    with torch.no_grad():
        first = module(given[None, :8])[0].log_softmax(-1)
        second = module(given[None, 4:12])[0].log_softmax(-1)
    np.testing.assert_allclose(scored.bits[:8], [-first[k, given[k + 1]] / np.log(2) for k in range(8)], rtol=1e-5)
    np.testing.assert_allclose(scored.bits[8:12], [-second[k, given[k + 5]] / np.log(2) for k in range(4, 8)], rtol=1e-5)


def test_the_empty_text_has_its_end():
    assert len(ByteScorer(Subject(Planted()), 8).score("").bits) == 1


def test_bits_of_words_sum_to_those_of_the_text_without_its_end():
    scored = ByteScorer(Subject(Planted()), 8).score("ab cd")
    assert word_bits(scored, [2, 5]).sum() == pytest.approx(scored.bits[:-1].sum())
    assert word_bits(scored, [2])[0] == pytest.approx(scored.bits[:2].sum())


def test_a_network_of_other_outputs_and_one_without_a_tokenizer_are_named():
    with pytest.raises(AssayError, match="257 logits"):
        ByteScorer(Subject(_Other()), 8).score("ab")
    with pytest.raises(AssayError, match="assay train text"):
        scorer_of(Subject(nn.Linear(2, 2)), object())


class _Other(nn.Module):
    def forward(self, tokens):
        return torch.zeros(*tokens.shape, 5)


# Models of transformers


def tokenizer(*, lower: bool = False):
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: k for k, letter in enumerate(["<|endoftext|>", "<mask>", *alphabet, "Ġt", "he"])}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[("Ġ", "t"), ("h", "e")]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    if lower:
        made.normalizer = normalizers.Lowercase()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, mask_token="<mask>")


def causal(vocab: int, kind: str = "causal"):
    transformers = pytest.importorskip("transformers")
    if kind == "masked":
        sizes = {"vocab_size": vocab, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = transformers.BertConfig(**sizes, intermediate_size=32, max_position_embeddings=32)
        return transformers.BertForMaskedLM(config).eval()
    config = transformers.GPT2Config(vocab_size=vocab, n_positions=32, n_embd=16, n_layer=1, n_head=2, use_cache=False)
    return transformers.GPT2LMHeadModel(config).eval()


def test_tokens_end_at_bytes_and_bits_are_those_of_one_forward():
    cut = tokenizer()
    module = causal(len(cut))
    scored = TokenScorer(Subject(module), cut, window=32).score("a the é")
    assert scored.ends[-1] == len("a the é".encode())
    assert (np.diff(scored.ends) >= 0).all()
    assert scored.tokens[-1] == 0
    with torch.no_grad():
        logits = module(input_ids=torch.tensor([[0, *scored.tokens[:-1].tolist()]])).logits[0].double().log_softmax(-1)
    own = -logits[torch.arange(len(scored.tokens)), torch.tensor(scored.tokens)] / np.log(2)
    np.testing.assert_allclose(scored.bits, own, rtol=1e-4)


def test_a_masked_model_fills_each_token_alone():
    cut = tokenizer()
    module = causal(len(cut), "masked")
    scorer = TokenScorer(Subject(module), cut, window=16)
    assert scorer.pseudo
    scored = scorer.score("the hat")
    row = torch.tensor([[0, *scored.tokens.tolist()]])
    row[0, 2] = 1
    with torch.no_grad():
        logits = module(input_ids=row).logits[0, 2].double().log_softmax(-1)
    assert scored.bits[1] == pytest.approx(float(-logits[int(scored.tokens[1])] / np.log(2)), rel=1e-4)


def test_a_tokenizer_that_does_not_give_back_its_text_is_named():
    cut = tokenizer(lower=True)
    scorer = TokenScorer(Subject(causal(len(cut))), cut, window=16)
    scorer.score("lower case")
    with pytest.raises(AssayError, match=r"give back the text.*'upper' for 'Upper'"):
        scorer.score("Upper")
