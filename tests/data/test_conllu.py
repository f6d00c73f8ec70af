"""CoNLL-U: what is passed over, what is kept, and every malformed line by its place."""

import gzip
from pathlib import Path

import pytest

from assay.data.conllu import read_conllu
from assay.errors import AssayError

PLANTED = """# newdoc id = one
# sent_id = one-1
# text = Du pain = vu .
1-2\tDu\t_\t_\t_\t_\t_\t_\t_\t_
1\tDe\tde\tADP\t_\t_\t3\tcase\t_\t_
2\tle\tle\tDET\t_\t_\t3\tdet:def\t_\t_
3\tpain\tpain\tNOUN\t_\t_\t4\tnsubj:pass\t_\t_
4\tvu\tvoir\tVERB\t_\t_\t0\troot\t_\t_
4.1\test\tetre\tAUX\t_\t_\t_\t_\t4:aux\t_
5\t.\t.\tPUNCT\t_\t_\t4\tpunct\t_\t_

# sent_id = one-2
1\tNon\tnon\tINTJ\t_\t_\t0\troot\t_\t_
"""


def written(folder: Path, content: str | bytes, name: str = "bank.conllu") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def test_a_planted_file(tmp_path: Path):
    first, second = read_conllu(written(tmp_path, PLANTED))
    assert first.words == ("De", "le", "pain", "vu", ".")
    assert first.head == (2, 2, 3, -1, 3)
    assert first.relation == ("case", "det:def", "nsubj:pass", "root", "punct")
    assert first.punctuation == (False, False, False, False, True)
    assert first.tags == ("ADP", "DET", "NOUN", "VERB", "PUNCT")
    assert (first.text, first.sentence_id) == ("Du pain = vu .", "one-1")
    assert (second.words, second.head, second.text) == (("Non",), (-1,), "Non")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n\n",
        lambda text: "\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "# newdoc id = none\n\n" + text,
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\t_\n", "\tSpaceAfter=No|Gloss=x\n"),
        lambda text: text.replace("\tcase\t_", "\tcase\t3:case|4.1:obl:de"),
    ],
    ids=[
        *("no line end", "blank lines behind", "a blank line before", "carriage returns", "comments alone"),
        *("a byte order mark", "miscellanea", "enhanced dependencies"),
    ],
)
def test_what_is_around_the_sentences_changes_nothing(tmp_path: Path, change):
    assert read_conllu(written(tmp_path, change(PLANTED), "b.conllu")) == read_conllu(written(tmp_path, PLANTED))


def test_gzipped_is_the_same(tmp_path: Path):
    packed = written(tmp_path, gzip.compress(PLANTED.encode("utf-8")), "bank.conllu.gz")
    assert read_conllu(packed) == read_conllu(written(tmp_path, PLANTED))


def test_an_empty_file_has_no_sentence(tmp_path: Path):
    assert read_conllu(written(tmp_path, "")) == ()


WORD = "{id}\tw\tw\tNOUN\t_\t_\t{head}\tdep\t_\t_"


def sentence(*heads: object) -> str:
    return "\n".join(WORD.format(id=k, head=head) for k, head in enumerate(heads, start=1)) + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# c\n1 w w NOUN _ _ 0 root _ _\n", r"line 2: a line has 10 columns, separated by tabs\. Given: 1: 1 w w"),
        (sentence(0) + "2\tw\tw\n", r"line 2: a line has 10 columns.*Given: 3"),
        (WORD.format(id=2, head=0), r"line 1, column 1 \(ID\): words are numbered in order, so 1 is next\. Given: 2"),
        (sentence(0) + WORD.format(id=1, head=1), r"line 2, column 1 \(ID\).*so 2 is next\. Given: 1"),
        (WORD.format(id="one", head=0), r"column 1 \(ID\).*Given: one"),
        (WORD.format(id="2-3", head="_") + "\n" + sentence(0), r"line 1, column 1 \(ID\): several words start.*Given: 2-3"),
        (WORD.format(id="1-1", head="_") + "\n" + sentence(0), r"several words start at the next one, 1\. Given: 1-1"),
        (sentence(0) + WORD.format(id="4.1", head="_"), r"line 2.*an empty node follows the word before it, 1\. Given: 4.1"),
        (sentence(0, 7), r"line 2, column 7 \(HEAD\): a head is at most the number of words, 2\. Given: 7"),
        (sentence(0, "_"), r"line 2, column 7 \(HEAD\): a head is the number of a word, or 0\. Given: _"),
        (sentence(0, -1), r"line 2, column 7 \(HEAD\).*Given: -1"),
        (sentence(0, 2), r"line 2, column 7 \(HEAD\): no word is its own head"),
        (sentence(0, 0), r"line 2, column 7 \(HEAD\): one word of a sentence has head 0\. Given: 2 have"),
        (sentence(2, 1), r"line 1, column 7 \(HEAD\): one word of a sentence has head 0\. Given: 0 have"),
        (sentence(0, 3, 4, 2), r"line 2, column 7 \(HEAD\): heads lead to the root\. Given: a circle from word 2"),
        (sentence(0).replace("dep", " "), r"line 1, column 8 \(DEPREL\): the cell must not be empty"),
        (sentence(0).replace("\tw\tw", "\t\tw"), r"line 1, column 2 \(FORM\): the cell must not be empty"),
        ("# c\n" + WORD.format(id="0.1", head="_"), r"line 1, column 1 \(ID\): a sentence has at least one word"),
        (sentence(0).encode() + b"\xff\n", r"must be UTF-8\. Given: byte 0xff in line 2"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, content: str | bytes, message: str):
    path = written(tmp_path, content)
    with pytest.raises(AssayError, match=message) as caught:
        read_conllu(path)
    assert str(path) in str(caught.value)


def test_lines_are_counted_over_sentences(tmp_path: Path):
    with pytest.raises(AssayError, match=r"line 15, column 7 \(HEAD\)"):
        read_conllu(written(tmp_path, PLANTED + "\n" + sentence(5)))


def test_a_form_may_hold_what_ends_a_line_elsewhere(tmp_path: Path):
    (graph,) = read_conllu(written(tmp_path, sentence(0).replace("\tw\tw", "\ta\u2028b\x85\tw")))
    assert graph.words == ("a\u2028b\x85",)


@pytest.mark.parametrize("packed", [b"", b"no gzip", gzip.compress(PLANTED.encode())[:-20]], ids=["empty", "plain", "cut"])
def test_a_spoilt_gzip_is_named(tmp_path: Path, packed: bytes):
    path = written(tmp_path, packed, "bank.conllu.gz")
    if not packed:
        assert read_conllu(path) == ()  # as Python's gzip has it, nothing packed is nothing
        return
    with pytest.raises(AssayError, match=r"must be (readable|a file that can be read)"):
        read_conllu(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(AssayError, match=r"nowhere\.conllu must be readable.*Next: name a CoNLL-U file"):
        read_conllu(tmp_path / "nowhere.conllu")


def test_columns_that_the_file_names_are_read_by_their_names(tmp_path: Path):
    names = ["ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC"]
    order = [6, 0, 1, 7, 3, 9, 2]
    lines = []
    for line in PLANTED.splitlines():
        cells = line.split("\t")
        lines.append("\t".join(cells[k] for k in order) + "\tX" if len(cells) == 10 else line)
    head = "# global.columns = " + " ".join(names[k] for k in order) + " PARSEME:MWE\n"
    other = head + "\n".join(lines)
    assert read_conllu(written(tmp_path, other, "plus.conllup")) == read_conllu(written(tmp_path, PLANTED))
    with pytest.raises(AssayError, match=r"the columns must hold .* without one HEAD"):
        read_conllu(written(tmp_path, other.replace("HEAD", "GOVERNOR")))
    with pytest.raises(AssayError, match=r"global\.columns"):
        read_conllu(written(tmp_path, PLANTED.replace("\t_\n", "\t_\t*\n")))


def rows(*words: tuple[str, str, str]) -> str:
    """Form, tag and relation, all below the first word."""
    heads = [0, *[1] * (len(words) - 1)]
    cells = [
        (k, form, "_", tag, "_", "_", head, relation, "_", "_")
        for k, ((form, tag, relation), head) in enumerate(zip(words, heads, strict=True), 1)
    ]
    return "\n".join("\t".join(map(str, row)) for row in cells) + "\n\n"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ((",", "PUNCT", "punct"), True),
        ((",", ",", "punct"), True),
        ((",", "_", "punct"), True),
        ((".", ".", "P"), True),
        (("``", "``", "dep"), False),  # accents by Unicode, so it takes the relation
        (("``", "``", "punct"), True),
        (("-LRB-", "-LRB-", "dep"), True),
        (("\u201d", "$(", "--"), True),
        (("dash", "_", "punct:left"), True),
        (("%", "NN", "dep"), True),
        (("%", "SYM", "dep"), False),
        (("!", "X", "punct"), False),  # the universal tag decides
        (("PUNCT", "NN", "dep"), False),
        (("_", "_", "dep"), False),
    ],
)
def test_punctuation_is_known_without_universal_tags(tmp_path: Path, word: tuple[str, str, str], expected: bool):
    (graph,) = read_conllu(written(tmp_path, rows(("word", "X", "root"), word)))
    assert graph.punctuation == (False, expected)


def test_withheld_words_are_told(tmp_path: Path):
    withheld = rows(("_", "NOUN", "root"), ("_", "PUNCT", "punct"))
    with pytest.raises(AssayError, match=r"withheld words: all forms are _.*merge the words in"):
        read_conllu(written(tmp_path, withheld * 3))
    kept = read_conllu(written(tmp_path, withheld + rows(("snake", "NOUN", "root"), ("_", "PUNCT", "punct"))))
    assert [graph.words for graph in kept] == [("_", "_"), ("snake", "_")]
