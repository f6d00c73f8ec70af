"""Langue on small texts: what a model has learned of them is found, what one that read noise has is not, and pieces by hand."""

import dataclasses
import functools

import numpy as np
import pytest
import small_texts

import assay
from assay.errors import AssayError
from assay.instrument import run
from assay.instruments.langue import Langue, bits, states
from assay.instruments.langue.instrument import BUDGETS
from assay.instruments.langue.metrics import IMITATOR, MATCHED, NGRAM
from assay.instruments.langue.systems import COUNTS, RANDOM, SHUFFLED
from assay.text import Corpus, NGrams, Vocabulary, ppmi_vectors

pytestmark = pytest.mark.slow
SIZES = {"excerpts": 6, "size": 150, "words": 48, "each": 3, "draws": 100, "pair_draws": 20}


def measured_on(subject, task=None, others=None, **sizes):
    budget = dataclasses.replace(BUDGETS["quick"], **SIZES, **sizes)
    return run(
        Langue(budgets={"quick": budget}, others=others), subject, task or small_texts.SmallTexts(), effort="quick", seed=0
    )


@functools.cache
def measured(name: str):
    subject = small_texts.learned() if name == "learned" else small_texts.trained_on_noise(None, 1)[0]
    return measured_on(subject, match=True, sizes=(12, 30), known=(0, 4), online=3_000)


def counted() -> tuple[tuple[str, ...], np.ndarray]:
    """Words of the small texts, and vectors counted in texts of the same grammar that nobody else has read."""
    train = sorted(small_texts.SmallTexts().corpus().train)
    words = Vocabulary.of(train).chosen(least=5, shortest=3).words
    fresh = [small_texts.document(1_000 + k, small_texts.LINES) for k in range(small_texts.DOCUMENTS)]
    return words, ppmi_vectors(fresh, words, seed=1, dimensions=16)


def test_a_model_that_has_read_the_texts_takes_fewer_bits_and_pays_for_shuffles():
    learned, noise = measured("learned"), measured("noise")
    assert learned.measure("bits").value < 0.6 * noise.measure("bits").value
    assert MATCHED in {null.name for null in learned.measure("neighbours", system=COUNTS).nulls}
    cost, null = learned.measure("cost", shuffle="words in sentences"), noise.measure("cost", shuffle="words in sentences")
    assert cost.value > null.value + 0.3


def test_relations_of_the_text_are_found_where_they_are_planted_and_not_where_they_are_given_to_other_words():
    words, vectors = counted()
    planted = measured_on(small_texts.tabled(words, vectors))
    order = np.random.default_rng(0).permutation(len(words))
    scrambled = measured_on(small_texts.tabled(words, vectors[order]))
    assert [(one.key, one.about["system"]) for one in planted.findings()] == [("neighbours", COUNTS)]
    assert not scrambled.findings()
    assert "counts of the text, more than words of like frequency" in planted.summary
    assert "counts of the text, no more than words of like frequency" in scrambled.summary
    groups = planted.measure("groups", groups="grammar"), scrambled.measure("groups", groups="grammar")
    assert groups[0].interval.low > 0.1 > groups[1].interval.low
    assert planted.measure("rsa").interval.low > 0 > scrambled.measure("rsa").interval.low
    for name in (*SHUFFLED, RANDOM):
        nothing = planted.measure("neighbours_null", system=name)
        assert not nothing.headline
        assert MATCHED in {null.name for null in nothing.nulls}
    words_moved, sentences_moved = (planted.measure("neighbours_null", system=name).value for name in SHUFFLED)
    assert words_moved < 0.25 < sentences_moved  # within a sentence the second is the text itself


def test_another_network_is_a_system_and_its_text_must_share_words():
    words, vectors = counted()
    task, subject = small_texts.SmallTexts(), small_texts.tabled(words, vectors)
    noise = np.random.default_rng(5).normal(size=vectors.shape)
    others = {"itself": (subject, task), "a stranger": (small_texts.tabled(words, noise), task)}
    evidence = measured_on(subject, others=others)
    assert evidence.measure("neighbours", system="itself").value == 1
    assert evidence.measure("neighbours", system="a stranger").nulls[-1].p > 0.05
    with pytest.raises(AssayError, match="do not overlap"):
        measured_on(subject, others={"numbers": (subject, Strangers())})
    with pytest.raises(AssayError, match="a name of its own"):
        measured_on(subject, others={COUNTS: (subject, task)})


class Strangers(small_texts.SmallTexts):
    """Texts with none of the words."""

    def corpus(self):
        return Corpus("strangers", ("uno due tre\nquattro cinque sei\n" * 9,), ("uno due tre\n",))


class KnownNouns(small_texts.SmallTexts):
    """A dictionary with too few of the words, ratings with too few pairs, and analogies."""

    def relations(self, words):
        return {"a small dictionary": (list(words[:5]), np.eye(5))}

    def ratings(self):
        return {"three pairs": [("cat", "dog", 1.0), ("cow", "horse", 0.9), ("cat", "barn", 0.1)]}

    def analogies(self):
        animals, places = small_texts.CLASSES["animal"], small_texts.CLASSES["place"]
        pairs = list(zip(animals, places, strict=True))
        return [(*one, *other) for one in pairs for other in pairs if one != other] + [("no", "such", "words", "here")]


def test_what_cannot_be_compared_is_said_and_analogies_are_answered_where_an_offset_is_planted():
    words, vectors = counted()
    vectors = vectors + 0.2 * np.random.default_rng(0).normal(size=vectors.shape)
    pairs = zip(small_texts.CLASSES["animal"], small_texts.CLASSES["place"], strict=True)
    for animal, place in pairs:
        vectors[words.index(place)] = vectors[words.index(animal)] + 0.15
    evidence = measured_on(small_texts.tabled(words, vectors), KnownNouns())
    left_out, among = (evidence.measure("analogies", **{"given words": name}) for name in ("left out", "among the answers"))
    assert left_out.units >= 8
    assert left_out.value >= among.value > 0.8
    assert max(max(null.values) for null in left_out.nulls) < 0.5
    assert all(null.p <= 0.05 for null in left_out.nulls)
    told = " ".join(evidence.not_tested)
    assert "Agreement with a small dictionary: it knows 5 of the words, and 30 are needed." in told
    assert "Ratings of three pairs:" in told
    assert "pairs have both words here, and 20 are needed." in told


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
    assert ladder["n-grams, order 4, prequential"] < ladder["an untrained copy, prequential"] < 8.5
    nulls = [*SHUFFLED, RANDOM]
    assert [row[0] for row in tables["Alignment with other systems"].rows] == [COUNTS, "counts, other stems", *nulls]
    assert [row[:2] for row in tables["Words matched without labels"].rows] == [(12, 0), (12, 4), (30, 0), (30, 4)]
    assert [row[0] for row in tables["Groups matched without labels"].rows] == [COUNTS, "grammar"]
    assert evidence.measure("matched").about["outcome"] in ("recovered", "in part", "solver failed", "below power")
    assert "bits per byte" in evidence.summary


def test_a_model_that_can_only_be_read_says_why_it_has_no_bits():
    """Without bytes as tokens, and without a tokenizer: nothing can be coded."""
    task = dataclasses.replace(small_texts.SmallTexts(), scored=False)
    with pytest.raises(AssayError, match="words need a tokenizer"):
        run(Langue(), small_texts.learned(), task, effort="quick")


# A model of transformers in a folder


def folder(path, *, lower: bool = False):
    """A causal model of one layer that has read nothing, and a tokenizer of bytes."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    vocab = {letter: k for k, letter in enumerate(["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    if lower:
        made.normalizer = normalizers.Lowercase()
    cut = transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    sizes = {"n_positions": 512, "n_embd": 16, "n_layer": 1, "n_head": 2}
    config = transformers.GPT2Config(vocab_size=len(vocab), bos_token_id=0, eos_token_id=0, **sizes)
    transformers.GPT2LMHeadModel(config).save_pretrained(path / "model")
    cut.save_pretrained(path / "model")
    text = "".join(small_texts.document(k, 20) for k in range(30))
    (path / "text.txt").write_text(text.replace("near the", "Near the") if lower else text, encoding="utf-8")
    return str(path / "model"), f"text:file={path / 'text.txt'},length=64,scored=false"


def test_a_folder_of_a_causal_model_is_audited_on_a_text(tmp_path):
    from assay.cli import main
    from assay.report.schema import read_report

    model, task = folder(tmp_path)
    given = ["audit", model, "--task", task, "--instrument", "langue", "--effort", "quick", "--out", str(tmp_path / "report")]
    assert main(given) == 0
    (evidence,) = read_report(tmp_path / "report").evidence
    assert evidence.settings["before every text"] == "<|endoftext|>"
    assert 7 < evidence.measure("bits").value < 9  # a token is a byte here, and nothing was learned
    assert {"bits", "saved", "gain", "left", "rules", "neighbours", "rsa", "groups"} <= {one.key for one in evidence.measures}
    assert not evidence.findings()


def test_bits_are_left_out_where_the_tokenizer_does_not_give_back_the_text(tmp_path):
    model, address = folder(tmp_path, lower=True)
    task = assay.load_task(address)
    evidence = measured_on(assay.load_subject(model, task=task), task)
    assert not [one for one in evidence.measures if one.key == "bits"]
    assert any("must give back the text" in told for told in evidence.not_tested)
    assert evidence.measure("neighbours").value is not None


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
    assert states.shown(graphs) == set(shown) == {*words} - {"all", "them"}  # which stand too far from the beginning of a line
    assert all(len(" ".join(graph.words)) < 31 for graph in graphs)


def test_the_layer_that_holds_the_relations_is_chosen_and_one_of_noise_is_not_found():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(80, 10))
    planted = known + 0.5 * rng.normal(size=known.shape)
    noise = {f"noise {k}": rng.normal(size=(80, 10)) for k in range(3)}
    other = states.system(np.arange(80), known @ known.T, 10, vectors=known)
    counts = np.arange(80)
    found = states.align({**noise, "planted": planted}, other, counts, draws=200, seed=0)
    assert found.layer == "planted"
    assert found.best.p == found.free.p == pytest.approx(1 / 201)
    assert found.words.mean() == pytest.approx(found.best.value)
    assert states.align(noise, other, counts, draws=200, seed=0).best.p > 0.05
