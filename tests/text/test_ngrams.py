"""N-grams: probabilities by hand, sums over all symbols, planted texts, and the published figures of tiny Shakespeare."""

import inspect
import math
from collections import Counter

import numpy as np
import pytest

from assay.data.texts import tiny_shakespeare
from assay.errors import AssayError
from assay.text import (
    END,
    SYMBOLS,
    Corpus,
    NGrams,
    alternate_lines,
    compressed_bits,
    ladder,
    prequential_ngrams,
    symbols_of,
    with_parameters,
)
from assay.text.corpus import decoded, read_text


def by_hand(train: str, text: str, order: int) -> list[float]:
    """Witten-Bell with dictionaries."""
    counts: dict[tuple[int, ...], Counter[int]] = {}
    symbols = [END] * order + symbols_of(train).tolist()
    for t in range(order, len(symbols)):
        for k in range(order + 1):
            counts.setdefault(tuple(symbols[t - k : t]), Counter())[symbols[t]] += 1
    bits, symbols = [], [END] * order + symbols_of(text).tolist()
    for t in range(order, len(symbols)):
        chance = 1 / SYMBOLS
        for k in range(order + 1):
            seen = counts.get(tuple(symbols[t - k : t]))
            if seen:
                chance = (seen[symbols[t]] + len(seen) * chance) / (seen.total() + len(seen))
        bits.append(-math.log2(chance))
    return bits


@pytest.mark.parametrize("order", range(7))
def test_bits_are_those_of_dictionaries(order):
    train, text = "abracadabra, the cat sat on the mat. é\nthe end", "the bat sat; é abracadabro"
    ours = NGrams([train], order=order).bits(text)
    assert ours.shape == (order + 1, len(text.encode()) + 1)
    np.testing.assert_allclose(ours[order], by_hand(train, text, order))


def test_probabilities_sum_to_one_at_every_place():
    model = NGrams(["abab", "abc"], order=3)
    for context in ([END], [END, 97], [97, 98], [120, 121]):
        chances = [2 ** -model.bits_of(np.array([*context, symbol], dtype=np.int16))[:, -1] for symbol in range(SYMBOLS)]
        np.testing.assert_allclose(np.sum(chances, axis=0), 1)


def test_lower_orders_do_not_depend_on_the_highest():
    train, text = ["to be or not to be"], "to bee"
    np.testing.assert_allclose(NGrams(train, order=6).bits(text)[:3], NGrams(train, order=2).bits(text))


def test_a_text_that_determines_its_next_symbol_costs_little_and_noise_its_entropy():
    assert NGrams(["ab" * 5_000], order=1).bits("ab" * 50)[1, :-1].mean() < 0.01
    noise = "".join(np.random.default_rng(0).choice(list("abcdefgh"), 40_000))
    bits = NGrams([noise[:20_000]], order=2).bits(noise[20_000:])[:, :-1].mean(1)
    np.testing.assert_allclose(bits, 3, atol=0.02)


def test_nothing_learned_leaves_the_uniform_distribution():
    np.testing.assert_allclose(NGrams([], order=2).bits("a"), np.log2(SYMBOLS))
    assert NGrams([""], order=2).bits("").shape == (3, 1)
    assert (NGrams([], order=2).top(symbols_of("ab")) == -1).all()


def test_the_most_frequent_symbol_of_each_context():
    top = NGrams(["abacabab"], order=1).top(symbols_of("ab"))
    assert top[0, 0] == ord("a")
    assert top[1].tolist() == [ord("a"), ord("b"), ord("a")]


def test_the_end_of_a_text_is_coded():
    model = NGrams(["ab"] * 100, order=2)
    assert model.bits("ab")[2, -1] < 0.1
    assert model.bits("aba")[2, -1] > 5


@pytest.mark.parametrize("order", [-1, 7])
def test_other_orders_are_refused(order):
    with pytest.raises(AssayError, match="order"):
        NGrams(["ab"], order=order)


def test_tiny_shakespeare_has_the_published_ladder():
    corpus = tiny_shakespeare()
    assert len(corpus.train) == len(corpus.test) == 1
    published = {"gzip": (3.19, 3.10), "bz2": (2.64, 2.40), "xz": (2.94, 2.52)}
    for name, (alone, primed) in published.items():
        assert compressed_bits(name, corpus.test[0]) == pytest.approx(alone, abs=0.01)
        assert compressed_bits(name, corpus.test[0], behind=corpus.train[0]) == pytest.approx(primed, abs=0.01)
    first = corpus.test[0][:60_000]  # on which the n-grams were published
    bits = NGrams(corpus.train).bits(first)[:, :-1].mean(1)
    np.testing.assert_allclose(bits[[0, 1, 2, 4, 6]], [4.81, 3.57, 2.87, 2.25, 2.39], atol=0.01)


def test_a_ladder_has_every_rung():
    rungs = ladder(["one two\n" * 40], ["two one\n" * 10], order=3)
    assert [rung.name for rung in rungs] == ["gzip", "bz2", "xz"] * 2 + [f"order {k}" for k in range(4)]
    assert all(math.isfinite(rung.bits) for rung in rungs)
    own = NGrams(["one two\n" * 40], order=3).bits("two one\n" * 10).sum(1) / 80
    np.testing.assert_allclose([rung.bits for rung in rungs[6:]], own)


def test_a_prequential_code_pays_for_learning():
    text = "the cat sat on the mat\n" * 200
    online = prequential_ngrams([text], order=3)
    offline = NGrams([text], order=3).bits(text)[:, :-1].mean(1)
    assert (online >= offline - 0.01).all()
    assert online[3] < online[0] / 4
    assert prequential_ngrams([text], order=3, blocks=1) == pytest.approx(math.log2(SYMBOLS))


def test_weights_are_charged_sixteen_bits_each():
    assert with_parameters(2.0, 1_000, 500) == 10.0


# Corpora


def test_a_text_that_is_no_utf8_is_named_by_byte_and_line(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("one\ntwo\ncafé\n".encode("latin1"))
    with pytest.raises(AssayError, match=r"byte 11 in line 3 is 0xe9.*iconv"):
        read_text(path)


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf"])
def test_an_empty_text_is_named(tmp_path, content):
    path = tmp_path / "empty.txt"
    path.write_bytes(content)
    with pytest.raises(AssayError, match="must not be empty"):
        read_text(path)


def test_a_corpus_of_one_line_is_named():
    with pytest.raises(AssayError, match="more than one line"):
        Corpus("line", train=("all in a line ",), test=("x",))
    with pytest.raises(AssayError, match="none of them empty"):
        Corpus("nothing", train=("one\ntwo",), test=())
    with pytest.raises(AssayError, match="of which one is empty"):
        Corpus("blank", train=("one\ntwo", " "), test=("three",))


def test_dividing_loses_nothing():
    corpus = Corpus.divided("x", ["abcd\nefghij\nk"])
    assert corpus.train[0] + corpus.test[0] == "abcd\nefghij\nk"
    assert corpus.num_bytes == len(corpus.test[0])


def test_a_text_that_utf8_cannot_hold_is_named():
    with pytest.raises(AssayError, match=r"x, with '.ud800' at character 2"):
        Corpus("x", ("a\n\ud800b",), ("c",))


@pytest.mark.parametrize("held_out", [0.0, -1.0, 1.0, 2.0, float("nan")])
def test_a_share_held_out_is_one(held_out):
    with pytest.raises(AssayError, match="held_out must be"):
        Corpus.divided("x", ["a\nb\nc"], held_out=held_out)


def test_the_encoding_that_a_mark_tells_is_the_one_to_convert_from():
    for encoding, told in (("utf-16", "iconv -f utf-16"), ("latin-1", "iconv -f latin1")):
        with pytest.raises(AssayError, match=told):
            decoded("caf\xe9\n".encode(encoding), "x.txt")


def test_a_ladder_needs_texts_held_out_and_a_code_blocks():
    for test, given in (([], "none"), ([""], "1, all of them empty")):
        with pytest.raises(AssayError, match=given):
            ladder(["a\nb"], test)
    with pytest.raises(AssayError, match="blocks must be"):
        prequential_ngrams(["abc"], order=2, blocks=0)


def test_orders_are_whole_and_compressors_known():
    for order, given in ((1.5, r"1\.5"), (True, "True"), (7, "7")):
        with pytest.raises(AssayError, match=f"Given: {given}. Choices: 0, 1"):
            inspect.unwrap(NGrams.__init__)(NGrams([]), ["ab"], order=order)
    with pytest.raises(AssayError, match=r"compressor must be one of those known. Given: zip. Choices: gzip, bz2, xz"):
        compressed_bits("zip", "ab")


@pytest.mark.parametrize("line", ["\n", "\n\n", "\r\n", "\r", "\n \n"])
def test_half_of_a_text_is_alternate_lines_with_the_empty_ones_behind_it(line):
    lines = [f"line {k}{line}" for k in range(8)]
    assert alternate_lines(["".join(lines)]) == (["".join(lines[::2])], ["".join(lines[1::2])])
    assert alternate_lines(lines) == (lines[::2], lines[1::2])


@pytest.mark.parametrize("text", ["word " * 3_000, "short\n" + "word " * 3_000, "word " * 20])
def test_half_of_a_text_in_one_line_is_every_other_stretch(text):
    (half,), (other,) = alternate_lines([text])
    assert len(half) == pytest.approx(len(text) / 2, abs=500)
    assert len(half) + len(other) == len(text)
    assert half != text
