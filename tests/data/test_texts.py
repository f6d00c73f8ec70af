"""Registered texts, WordNet and rated pairs: what is in them, and damaged rows by file and line."""

import numpy as np
import pytest

from assay.data import registry, texts
from assay.data.word_pairs import RATED, analogies, rated_pairs, read_rated_pairs
from assay.data.wordnet import CLASSES, WordNet, read_wordnet, wordnet_nouns
from assay.errors import AssayError
from assay.text.word_counts import words_of


def test_every_text_can_be_had():
    books = texts.gutenberg()
    assert len(books.names) == 17
    assert sum(len(text.encode()) for text in books.texts) == registry.get("gutenberg").size
    assert "sceptre" in texts.genesis("en")
    assert "lumière" in texts.genesis("fr")
    assert "Och jorden var öde och tom, och mörker var över djupet" in texts.genesis("sv")
    assert set("\x84\x86\x94½").isdisjoint(texts.genesis("sv"))
    assert "<unk>" in texts.wikitext2().test[0]
    assert len(texts.parallel_sentences("de")) == len(texts.parallel_sentences("en")) == 1_000
    assert texts.english_tags()["dog"] == "NOUN"


def test_halves_share_no_book_and_are_of_like_size():
    a, b, whole = (texts.gutenberg_corpus(half) for half in ("a", "b", ""))
    assert not set(a.train) & set(b.train)
    assert sorted((*a.test, *b.test)) == sorted(whole.test)
    sizes = [len(words_of(" ".join(corpus.train))) for corpus in (a, b)]
    assert min(sizes) / max(sizes) > 0.8


# WordNet


def small() -> WordNet:
    """thing > animal > {dog, cat}; thing > tool > saw; dog has a second sense beside saw."""
    above = {1: (), 2: (1,), 3: (2,), 4: (2,), 5: (1,), 6: (5,), 7: (5,)}
    senses = {"thing": (1,), "animal": (2,), "dog": (3, 7), "cat": (4,), "saw": (6,), "alone": (9,)}
    return WordNet(senses, above, {1: 0, 2: 2, 3: 2, 4: 2, 5: 3, 6: 3, 7: 3, 9: 0})


def test_distances_are_shortest_ways_over_any_sense():
    found = small().distances(["thing", "animal", "dog", "cat", "saw"])
    assert found.tolist() == [[0, 1, 2, 2, 2], [1, 0, 1, 1, 3], [2, 1, 0, 2, 2], [2, 1, 2, 0, 4], [2, 3, 2, 4, 0]]
    assert small().distances(["dog", "alone"])[0, 1] >= 100
    assert small().distances([]).shape == (0, 0)


def test_distances_are_those_of_a_search_step_by_step_on_the_real_one():
    nouns = wordnet_nouns()
    words = nouns.known(["dog", "cat", "oak", "hammer", "sadness", "paris", "might", "zzz"])
    assert words == ["dog", "cat", "oak", "hammer", "sadness", "paris", "might"]
    found = nouns.distances(words)
    np.testing.assert_array_equal(found, found.T)
    for i, first in enumerate(words):
        for j, second in enumerate(words):
            assert found[i, j] == (0 if i == j else _searched(nouns, first, second))
    assert [nouns.class_of(word) for word in words[:5]] == ["animal", "animal", "plant", "artifact", "feeling"]
    assert len(CLASSES) == 26


def _searched(nouns: WordNet, first: str, second: str) -> int:
    """Up from both by breadth, one step at a time."""

    def ups(word):
        level, steps, found = set(nouns.senses[word]), 0, {}
        while level:
            for one in level:
                found.setdefault(one, steps)
            level, steps = {above for one in level for above in nouns.above[one]} - set(found), steps + 1
        return found

    one, other = ups(first), ups(second)
    return min(one[synset] + other[synset] for synset in one.keys() & other.keys())


def test_a_damaged_row_is_named_by_file_and_line(tmp_path):
    index, data = tmp_path / "index.noun", tmp_path / "data.noun"
    index.write_text("  1 licence\ndog n 2 1 @ 2 1 00000003  \n")
    data.write_text("00000003 05 n 01 dog 0 000 | a dog\n")
    with pytest.raises(AssayError, match=r"index\.noun, line 2"):
        read_wordnet(index, data)
    index.write_text("dog n 1 1 @ 1 1 00000003  \n")
    assert read_wordnet(index, data).class_of("dog") == "animal"
    data.write_text("00000003 05 n zz dog 0 000 | a dog\n")
    with pytest.raises(AssayError, match=r"data\.noun, line 1"):
        read_wordnet(index, data)
    with pytest.raises(AssayError, match="noun of WordNet"):
        small().distances(["nothing"])


# Pairs


def test_rated_pairs_and_analogies():
    assert [len(rated_pairs(name)) for name in RATED] == [3_000, 203, 252]
    assert rated_pairs("men")[0] == ("sun", "sunlight", 50.0)
    assert ("jerusalem", "israel", 8.46) in rated_pairs("wordsim relatedness")
    assert analogies()[0] == ("capital-common-countries", "athens", "greece", "baghdad", "iraq")
    assert len(analogies()) == 19_544


def test_a_rating_that_is_no_number_is_named_and_an_empty_row_left_out(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("word1,word2,similarity\nsun-n,well-known,3\n,,\na,b,high\n")
    with pytest.raises(AssayError, match=r"line 4: high"):
        read_rated_pairs(path)
    path.write_text("word1,word2,similarity\nsun-n,well-known,3\n,,\n")
    assert read_rated_pairs(path) == [("sun", "well-known", 3.0)]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(AssayError, match="without word1, word2, similarity"):
        read_rated_pairs(path)
