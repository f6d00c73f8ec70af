"""Excerpts of held-out text, and their bits under n-grams and networks, by hand."""

import numpy as np
import pytest
import small_texts

from assay.instruments.langue import bits
from assay.tasks import load_task
from assay.text import SHUFFLES, Corpus, NGrams, Shuffler, Vocabulary, alternate_lines
from assay.text.leftover import TokenRules


def test_excerpts_share_no_byte_and_the_last_ends_its_text():
    text = "".join(f"word{k:03d} and more\n" for k in range(100))
    found = bits.choose(Corpus("x", (text,), (text,)), num=100, size=150, generator=np.random.default_rng(0))
    assert "".join(one.text for one in found) == text
    assert [text.endswith(one.text) for one in found] == [one.closed for one in found]
    assert sum(one.closed for one in found) == 1
    assert [one.text[0] for one in found[1:]] == [" "] * (len(found) - 1), "no word is cut"
    befores = [one.before for one in found]
    assert befores[0] == ""
    for one, earlier in zip(found[2:], befores[2:], strict=True):
        assert earlier + one.text in text
        assert earlier.startswith("word")
        assert 200 < len(earlier) <= bits.MOST_BEFORE


@pytest.mark.parametrize(
    ("line", "begins"),
    [("word " * 400, " word word"), ("x" * 2_000, "xxx"), ("ab\n" * 700, "ab\nab"), (("x y " * 74 + "\n") * 10, " ")],
)
def test_what_stands_before_an_excerpt_begins_with_a_line_or_a_word_where_there_is_one(line, begins):
    *_, last = bits.choose(Corpus("x", ("a\nb",), (line,)), num=100, size=300, generator=np.random.default_rng(0))
    assert last.before.startswith(begins)
    assert len(last.before) > 200
    assert bits.choose(Corpus("x", ("a\nb",), ("  a",)), num=9, size=9, generator=np.random.default_rng(0)) == [
        bits.Excerpt("", "  a", True)
    ]


@pytest.mark.parametrize("name", SHUFFLES)
def test_no_word_of_a_shuffled_excerpt_joins_the_one_before_it(name):
    """Nor in a language whose network knows no other words: an excerpt begins and ends between two of its words."""
    task = load_task("language")
    (text,) = task.corpus().test
    generator, shuffle = np.random.default_rng(0), Shuffler(task.corpus().train)
    for one in bits.choose(task.corpus(), num=8, size=400, generator=generator):
        moved = one.shuffled(shuffle, name, generator=generator)
        assert one.before + one.text in text
        assert len(task.coded(moved.before + moved.text).ends) > 50
        assert moved.text != one.text


def test_rules_know_what_stands_before_an_excerpt_and_not_how_a_text_ends_that_goes_on():
    corpus = small_texts.SmallTexts().corpus()
    model, vocabulary = NGrams(corpus.train), Vocabulary.of(corpus.train)
    scorer = small_texts.Counting(model, 4)
    text = corpus.test[0][:60]
    rules = TokenRules(scorer.tokens(text))
    for one in (bits.Excerpt(text[:20], text[20:], True), bits.Excerpt(text[:20], text[20:40], False)):
        found = bits.read(scorer, excerpts_of([one], model, vocabulary), rules)
        assert found.followed[0].tolist() == [1.0, 1.0]
    (found,) = bits.read(scorer, excerpts_of([bits.Excerpt("", text, True)], model, vocabulary), rules).followed
    assert found[0] < 1, "nothing is known before the first letter"


def excerpts_of(texts: list[bits.Excerpt], model: NGrams, vocabulary: Vocabulary) -> bits.Excerpts:
    return bits.prepared(texts, ngrams=model, vocabulary=vocabulary, vectors=np.eye(5), shuffled={})


def test_words_tile_the_text_and_their_ngram_bits_sum_to_it():
    text = "The cat, the dog.\nA cow!"
    found = bits.words_in(text)
    assert [word.text for word in found] == ["the", "cat", "the", "dog", "a", "cow"]
    assert text[found[1].start : found[1].end] == "cat"
    model, vocabulary = NGrams([text]), Vocabulary.of([text])
    excerpts = excerpts_of([bits.Excerpt("", text, True)], model, vocabulary)
    upto = model.bits(text)[excerpts.best][: found[-1].end].sum()
    assert excerpts.predictors[:, 1].sum() == pytest.approx(upto)
    assert excerpts.predictors[0, 0] < excerpts.predictors[1, 0]  # "the" is frequent
    assert excerpts.predictors[2, 2] == pytest.approx(0.5)  # behind "the cat", one of two is the same word


def test_what_stands_before_an_excerpt_is_known_and_not_counted():
    text, at = "The cat, the dég.\nA cow saw the cat!", 15
    model, vocabulary = NGrams([text, "the cow"]), Vocabulary.of([text])
    whole = model.bits(text)
    one, two = bits.Excerpt("", text[:at], False), bits.Excerpt(text[:at], text[at:], True)
    cut = len(text[:at].encode())
    both = [one.counted(model)[:, :-1], two.counted(model)]
    assert cut == at + 1
    np.testing.assert_allclose(np.concatenate(both, 1), whole)
    total = one.rate(one.counted(model)) * one.size + two.rate(two.counted(model)) * two.size
    np.testing.assert_allclose(total, whole.sum(1))
    scorer = small_texts.Counting(model, 4)
    parts = [found.scored(scorer) for found in (one, two)]
    np.testing.assert_allclose(np.concatenate([parts[0].bits[:-1], parts[1].bits]), scorer.score(text).bits)
    assert (parts[1].ends[0], parts[1].ends[-1]) == (1, two.size)
    # A word is likened to the words before the excerpt too: to "The cat, the", of which two are "the".
    alone, known = (excerpts_of([one], model, vocabulary).predictors[4, 2] for one in (two._replace(before=""), two))
    assert (alone, known) == (0, pytest.approx(2 / 5))


def test_an_ngram_in_the_place_of_the_network_leaves_little():
    corpus = small_texts.SmallTexts().corpus()
    chosen = bits.choose(corpus, num=8, size=200, generator=np.random.default_rng(0))
    model, vocabulary = NGrams(corpus.train), Vocabulary.of(corpus.train)
    excerpts = excerpts_of(chosen, model, vocabulary)
    found = bits.imitator(excerpts, [model])
    assert bits.share_left(found.left[-1])[0] < 0.01 < bits.share_left(found.left[0])[0]
    assert abs(found.gain.mean()) < 0.01
    # A mean over several, and what a mixture saves over n-grams of half a text alone, by hand.
    halves = [NGrams(half) for half in alternate_lines(corpus.train)]
    both, each = bits.imitator(excerpts, halves), [bits.imitator(excerpts, [half]) for half in halves]
    np.testing.assert_allclose(both.mixed, (each[0].mixed + each[1].mixed) / 2)
    np.testing.assert_allclose(both.left[0], (each[0].left[0] + each[1].left[0]) / 2)
    alone = [
        one.counted(halves[0])[excerpts.best, : words[-1].end].sum() for one, words in zip(chosen, excerpts.words, strict=True)
    ]
    best = [one.counted(model)[excerpts.best, : words[-1].end].sum() for one, words in zip(chosen, excerpts.words, strict=True)]
    sizes = np.array([one.size for one in chosen])
    between = (np.array(alone) - np.array(best)) / sizes
    assert each[0].mixed.mean() == pytest.approx(between.mean(), abs=0.1)
