"""Langue on small texts: what a model has learned of them is found, what one that read noise has is not, and pieces by hand."""

import dataclasses
import functools

import numpy as np
import pytest
import small_texts

from assay.instrument import run
from assay.instruments.langue import Langue, bits, states
from assay.instruments.langue.instrument import BUDGETS, COUNTS, IMITATOR, MATCHED, NGRAM
from assay.text import Corpus, NGrams, Vocabulary

pytestmark = pytest.mark.slow
SIZES = {"excerpts": 8, "size": 200, "words": 48, "each": 3, "draws": 100, "pair_draws": 20}


@functools.cache
def measured(name: str):
    subject = small_texts.learned() if name == "learned" else small_texts.trained_on_noise(None, 1)[0]
    budget = dataclasses.replace(BUDGETS["quick"], **SIZES, match=True)
    return run(Langue(budgets={"quick": budget}), subject, small_texts.SmallTexts(), effort="quick", seed=0)


def test_a_model_that_has_read_the_texts_takes_fewer_bits_and_pays_for_shuffles():
    learned, noise = measured("learned"), measured("noise")
    assert learned.measure("bits").value < 0.6 * noise.measure("bits").value
    assert MATCHED in {null.name for null in learned.measure("neighbours", system=COUNTS).nulls}
    cost, null = learned.measure("cost", shuffle="words in sentences"), noise.measure("cost", shuffle="words in sentences")
    assert cost.value > null.value + 0.3


def test_every_number_has_the_nulls_that_it_never_goes_without():
    evidence = measured("learned")
    assert {null.name for null in evidence.measure("saved").nulls} >= {NGRAM, "untrained copies"}
    assert {null.name for null in evidence.measure("gain").nulls} >= {IMITATOR, "untrained copies"}
    left = evidence.measure("left")
    assert left.interval.low <= left.value <= left.interval.high
    assert [null.name for null in left.nulls][-1] == IMITATOR
    assert not measured("noise").findings()


def test_figures_hold_the_ladder_and_the_alignments():
    evidence = measured("learned")
    tables = {figure.name: figure for figure in evidence.figures}
    ladder = {row[0]: row[1] for row in tables["Ladder of bits"].rows}
    assert ladder["the network"] == pytest.approx(evidence.measure("bits").value)
    assert ladder["the network and its weights"] > ladder["the network"]
    assert {"gzip", "xz, primed", "n-grams, order 6", "the network: like words"} <= ladder.keys()
    assert [row[0] for row in tables["Alignment with other systems"].rows] == [COUNTS, "counts, other stems"]
    assert evidence.measure("matched").about["outcome"] in ("recovered", "in part", "solver failed", "below power")
    assert "bits per byte" in evidence.summary


def test_a_model_that_can_only_be_read_says_why_it_has_no_bits():
    """Without bytes as tokens, and without a tokenizer: nothing can be coded."""
    from assay.errors import AssayError

    task = dataclasses.replace(small_texts.SmallTexts(), scored=False)
    with pytest.raises(AssayError, match="words need a tokenizer"):
        run(Langue(), small_texts.learned(), task, effort="quick")


# Pieces


def test_excerpts_share_no_byte_and_the_last_ends_its_text():
    text = "".join(f"word{k:03d} and more\n" for k in range(100))
    texts, closed = bits.choose(Corpus("x", (text,), (text,)), num=100, size=150, generator=np.random.default_rng(0))
    assert sum(map(len, texts)) <= len(text)
    assert all(piece in text for piece in texts)
    assert [text.endswith(piece) for piece in texts] == closed
    assert sum(closed) == 1


def test_words_tile_the_text_and_their_ngram_bits_sum_to_it():
    text = "The cat, the dog.\nA cow!"
    found = bits.words_in(text)
    assert [word.text for word in found] == ["the", "cat", "the", "dog", "a", "cow"]
    assert text[found[1].start : found[1].end] == "cat"
    model, vocabulary = NGrams([text]), Vocabulary.of([text])
    excerpts = bits.prepared([text], [True], ngrams=model, vocabulary=vocabulary, vectors=np.eye(5), shuffled={})
    upto = model.bits(text)[excerpts.best][: found[-1].end].sum()
    assert excerpts.predictors[:, 1].sum() == pytest.approx(upto)
    assert excerpts.predictors[0, 0] < excerpts.predictors[1, 0]  # "the" is frequent
    assert excerpts.predictors[2, 2] == pytest.approx(0.5)  # behind "the cat", one of two is the same word


def test_an_ngram_in_the_place_of_the_network_leaves_little():
    corpus = small_texts.SmallTexts().corpus()
    texts, closed = bits.choose(corpus, num=8, size=200, generator=np.random.default_rng(0))
    model, vocabulary = NGrams(corpus.train), Vocabulary.of(corpus.train)
    excerpts = bits.prepared(texts, closed, ngrams=model, vocabulary=vocabulary, vectors=np.eye(5), shuffled={})
    gain, left = bits.imitator(excerpts, model, excerpts.best)
    assert left[:, 0].sum() / left[:, 1].sum() < 0.01
    assert abs(gain.mean()) < 0.01


def test_contexts_show_every_word_as_often_as_asked_and_never_first():
    corpus = small_texts.SmallTexts().corpus()
    words = Vocabulary.of(corpus.train).chosen(least=5, shortest=3).words
    graphs = states.contexts(corpus, words, each=3, longest=31, generator=np.random.default_rng(0))
    shown = [graph.words[mention[0]].lower() for graph in graphs for mention in graph.mentions]
    assert all(mention[0] > 0 for graph in graphs for mention in graph.mentions)
    assert max(shown.count(word) for word in words) <= 4
    assert np.mean([shown.count(word) >= 3 for word in words]) > 0.9
    assert all(len(" ".join(graph.words)) < 31 for graph in graphs)


def test_the_layer_that_holds_the_relations_is_chosen_and_one_of_noise_is_not_found():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(80, 10))
    planted = known + 0.5 * rng.normal(size=known.shape)
    noise = {f"noise {k}": rng.normal(size=(80, 10)) for k in range(3)}
    other = states.system(np.arange(80), known @ known.T, 10, vectors=known)
    bins = np.arange(80) // 8
    found = states.align({**noise, "planted": planted}, other, bins, draws=200, seed=0)
    assert found.layer == "planted"
    assert found.best.p == found.free.p == pytest.approx(1 / 201)
    assert found.words.mean() == pytest.approx(found.best.value)
    assert states.align(noise, other, bins, draws=200, seed=0).best.p > 0.05
