"""Words, counts, shuffles and counted vectors: by construction, by invariance, and at sizes 0 and 1."""

import re
from collections import Counter

import numpy as np
import pytest

from assay.errors import AssayError
from assay.text import SHUFFLES, Shuffler, Vocabulary, ppmi_vectors, reordered, words_of
from assay.text.ppmi import cooccurrences, ppmi
from assay.text.word_counts import frequency_bins, shared_words

TEXT = "The cat sat on the mat. A dog ran! Did the CAT see it?\nIt did not, it slept.\n"


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sentences(text: str) -> list[Counter[str]]:
    return [Counter(words_of(part)) for part in text.replace("!", ".").replace("?", ".").replace("\n", ".").split(".")]


@pytest.mark.parametrize("name", ["words in sentences", "words in windows", "sentences"])
def test_a_shuffle_keeps_all_words_and_their_number_of_bytes(name):
    shuffled = Shuffler((TEXT,))(TEXT, name, generator=rng())
    assert shuffled != TEXT
    assert Counter(words_of(shuffled)) == Counter(words_of(TEXT))
    assert len(shuffled.encode()) == len(TEXT.encode())


def test_words_stay_in_their_sentence_and_sentences_stay_whole():
    shuffle = Shuffler((TEXT,))
    assert sentences(shuffle(TEXT, "words in sentences", generator=rng())) == sentences(TEXT)
    whole = shuffle(TEXT, "sentences", generator=rng(1))
    key = lambda counts: sorted(counts.items())  # noqa: E731
    assert sorted(sentences(whole), key=key) == sorted(sentences(TEXT), key=key)


def test_words_stay_in_their_window():
    text = " ".join(f"w{'abcdefghij'[k % 10]}{'abcdefghij'[k // 10]}" for k in range(40))
    shuffled = words_of(Shuffler((text,))(text, "words in windows", generator=rng(), window=4))
    for start in range(0, 40, 4):
        assert sorted(shuffled[start : start + 4]) == sorted(words_of(text)[start : start + 4])


def test_like_words_have_the_same_tag_and_a_like_frequency_and_keep_capitals():
    text = "cat dog cat dog runs walks runs walks Once RARE"
    tags = {"cat": "n", "dog": "n", "runs": "v", "walks": "v"}
    shuffle = Shuffler((text,), tags)
    seen = [shuffle("Cat runs", "like words", generator=rng(seed)).split() for seed in range(30)]
    assert {first for first, _ in seen} == {"Cat", "Dog"}
    assert {second for _, second in seen} == {"runs", "walks"}
    assert shuffle("unknown 12", "like words", generator=rng()) == "unknown 12"


def test_all_words_move_between_texts_and_nothing_else_does():
    texts = ["one one one, one!\n", "two two? Two.", "", "..."]
    moved = reordered(texts, generator=rng(1))
    assert Counter(words_of(" ".join(moved))) == Counter(words_of(" ".join(texts)))
    assert all({"one", "two"} <= set(words_of(text)) for text in moved[:2])
    assert moved[2:] == texts[2:]
    assert moved[0].endswith("!\n")


@pytest.mark.parametrize("name", SHUFFLES)
@pytest.mark.parametrize("text", ["", "word", "..", "\n"])
def test_shuffles_of_nothing_and_of_one_word_leave_it(name, text):
    assert Shuffler((text,))(text, name, generator=rng()) == text


@pytest.mark.parametrize(
    "text", ["a b.\r\nc d.\r\ne", "a b. c d", "x\ny.z", "one\n\ntwo. three", "a b? c d. e f!", "\nx y\nz", 'I\n"a b." c\nd e.']
)
def test_sentences_in_another_order_keep_their_words_and_what_stands_between_them(text):
    words, gaps = words_of(text), sorted(re.findall(r"\s+", text))
    for seed in range(30):
        shuffled = Shuffler((text,))(text, "sentences", generator=rng(seed))
        assert sorted(words_of(shuffled)) == sorted(words)
        assert sorted(re.findall(r"\s+", shuffled)) == gaps
    seen = {Shuffler((text,))(text, "sentences", generator=rng(seed)) for seed in range(30)}
    assert len(seen) > 1


def test_another_shuffle_is_refused():
    with pytest.raises(AssayError, match="words in sentences"):
        Shuffler((TEXT,))(TEXT, "letters", generator=rng())


def test_vocabulary_and_bins():
    vocabulary = Vocabulary.of(["to be or not to be"])
    assert vocabulary.words == ("be", "to", "not", "or")
    assert vocabulary.counts == (2, 2, 1, 1)
    assert vocabulary.chosen(least=2).words == ("be", "to")
    assert vocabulary.chosen(among={"or"}, shortest=2).words == ("or",)
    assert (np.bincount(frequency_bins(np.arange(1, 101))) == 10).all()
    bins = frequency_bins(np.arange(1, 101), 20)
    assert (np.bincount(bins) == 5).all()
    assert (np.diff(bins) >= 0).all()
    assert np.bincount(frequency_bins(np.array([3, 1, 2]), 20)).tolist() == [3]
    assert len(frequency_bins(np.zeros(0, dtype=np.int64))) == 0


def test_words_without_overlap_and_too_few_are_named():
    with pytest.raises(AssayError, match="do not overlap"):
        shared_words(["a", "b"], ["c"], least=1)
    with pytest.raises(AssayError, match=r"at least 11 words\. Given: 2 shared of 3 and 2"):
        shared_words(["a", "b", "c"], ["b", "a"], least=11)
    assert shared_words(["a", "b", "c"], {"b", "a"}, least=2) == ["a", "b"]


def test_pairs_are_counted_within_the_window_and_not_across_texts():
    vocabulary = Vocabulary(("a", "b", "c"), (1, 1, 1))
    counts = cooccurrences(["a x b", "c"], vocabulary, window=2).toarray()
    assert counts.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert cooccurrences(["a x b"], vocabulary, window=1).sum() == 0
    assert cooccurrences([], vocabulary).sum() == 0


def test_mutual_information_by_hand():
    counts = cooccurrences(["a b", "a b", "c b"], Vocabulary(("a", "b", "c"), (2, 3, 1)), window=1)
    found = ppmi(counts, smoothing=1.0).toarray()
    assert found[0, 1] == pytest.approx(np.log(2 * 6 / (2 * 3)))
    assert found[2, 1] == pytest.approx(np.log(1 * 6 / (1 * 3)))
    assert found[0, 2] == 0


def test_words_in_like_contexts_have_like_vectors():
    animals, places = ["cat", "dog", "cow"], ["rome", "oslo", "bern"]
    lines = [f"the {a} eats and the {a} sleeps" for a in animals] + [f"fly to {p} or travel to {p} today" for p in places]
    text = "\n".join(lines[k] for k in rng().integers(len(lines), size=600))
    vectors = ppmi_vectors([text], [*animals, *places, "never"], seed=0, dimensions=5)
    unit = vectors[:6] / np.linalg.norm(vectors[:6], axis=1, keepdims=True)
    cosine = unit @ unit.T
    assert cosine[:3, :3].mean() > cosine[:3, 3:].max() + 0.5
    assert cosine[3:, 3:].mean() > cosine[:3, 3:].max() + 0.5
    assert not vectors[6].any()


def test_windows_and_dimensions_are_one_at_least():
    with pytest.raises(AssayError, match="window must be a whole number from 1"):
        Shuffler((TEXT,))(TEXT, "words in windows", generator=rng(), window=0)
    for sizes in ({"window": 0}, {"dimensions": 0}):
        with pytest.raises(AssayError, match="must be a whole number from 1"):
            ppmi_vectors([TEXT], ["cat"], seed=0, **sizes)


def test_vectors_need_two_words():
    with pytest.raises(AssayError, match="two words"):
        ppmi_vectors(["one one one"], ["one"], seed=0)


def test_a_letter_that_is_two_in_lower_case_does_not_cut_its_word():
    assert len(words_of("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}stanbul")) == 1
