"""Agreement is what the logits say, one sentence at a time; a model without them is told from one with."""

import copy

import pytest
import torch
from torch import Generator

from assay.encoding import HuggingFaceEncoder
from assay.graph import Continuation, tree
from assay.instrument import Random
from assay.instruments.polar.behaviour import agreement
from assay.instruments.polar.instrument import BUDGETS, PolarDraw, _behaviours
from assay.subject import Subject

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "cats", "run", "runs", "near", "dog", "."]


def sentences() -> tuple[Continuation, ...]:
    def one(words, place, wrong):
        heads = [1, place, *[1] * (place - 2), -1, place] if place > 2 else [1, 2, -1, 2]
        graph = tree(words, heads, relation=["x"] * len(words))
        return Continuation(
            graph=graph, place=place, right=words[place], wrong=wrong, decides=1, family="short", attractor="none"
        )

    return (
        one(["the", "cat", "runs", "."], 2, "run"),
        one(["the", "cats", "near", "the", "dog", "run", "."], 5, "runs"),
        one(["the", "cat", "leaps", "."], 2, "leap"),  # no tokens of their own
    )


class Asking:
    def continuations(self, n: int, *, generator: Generator) -> tuple[Continuation, ...]:
        return sentences()[:n]


def encoder(kind: str) -> HuggingFaceEncoder:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM, BertModel, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    inner = Tokenizer(models.WordPiece({piece: k for k, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if kind != "causal":
        ends = [("[CLS]", 2), ("[SEP]", 3)]
        inner.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        if kind == "causal":
            config = GPT2Config(vocab_size=len(PIECES), n_embd=8, n_layer=2, n_head=2, n_positions=16)
            return HuggingFaceEncoder(GPT2LMHeadModel(config), tokenizer)
        config = BertConfig(
            vocab_size=len(PIECES), hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
        )
        return HuggingFaceEncoder((BertForMaskedLM if kind == "masked" else BertModel)(config), tokenizer)


def by_hand(reader: HuggingFaceEncoder, kind: str) -> list[float]:
    found, module = [], copy.deepcopy(reader.module).eval()  # without dropout, as a subject is run
    for sentence in sentences()[:2]:
        words = list(sentence.graph.words)
        ids = [PIECES.index(word) for word in words]
        if kind == "masked":
            tokens, place = [2, *ids, 3], sentence.place + 1
            tokens[place] = 4
        else:
            tokens, place = ids[: sentence.place], sentence.place - 1
        with torch.no_grad():
            logits = module(input_ids=torch.tensor([tokens])).logits[0, place]
        found.append(float(logits[PIECES.index(sentence.right)] > logits[PIECES.index(sentence.wrong)]))
    return found


@pytest.mark.parametrize("kind", ["masked", "causal"])
def test_agreement_is_what_the_logits_say(kind):
    reader = encoder(kind)
    behaviour = agreement(Subject(reader.module), Asking(), reader, reader.site("1"), num=9, generator=Generator())
    scores = behaviour.run(None)
    assert scores.tolist() == by_hand(reader, kind)
    assert len(behaviour.clusters) == 2
    assert behaviour.run(lambda states: states).tolist() == scores.tolist()
    # With every state of the layer the same, what is said of both sentences is the same up to the place.
    seen = []
    behaviour.run(lambda states: seen.append(states.shape) or states * 0)
    assert seen[0][-1] == 8


def test_the_site_of_a_layer_holds_its_states():
    for kind in ("masked", "causal"):
        reader = encoder(kind)
        subject = Subject(reader.module)
        inputs = {"input_ids": torch.tensor([[5, 6, 9, 12]]), "attention_mask": torch.ones(1, 4, dtype=torch.int64)}
        with torch.no_grad():
            hidden = reader.module.eval()(**inputs, output_hidden_states=True).hidden_states
        for layer in ("0", "1"):
            states = subject.read(inputs, [reader.site(layer)])[reader.site(layer)]
            assert torch.allclose(states, hidden[int(layer)], atol=1e-6), (kind, layer)
        assert reader.site("words") == ""


def test_why_there_is_none_is_said():
    headless = encoder("headless")
    told = agreement(Subject(headless.module), Asking(), headless, headless.site("1"), num=9, generator=Generator())
    assert told == "the model has no head that predicts tokens"
    reader = encoder("masked")
    subject = Subject(reader.module)
    drawn = PolarDraw(Asking(), BUDGETS["quick"], {}, reader, share=1.0)
    (told,) = _behaviours(subject, drawn, reader, "words", Random(0, "polar"))
    assert "no site" in told

    class Unknown:
        def continuations(self, n, *, generator):
            return sentences()[2:]

    assert "single tokens" in agreement(subject, Unknown(), reader, reader.site("1"), num=9, generator=Generator())
